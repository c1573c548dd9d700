//! A manifest that has no room for more runs: what is said of it, and what makes room again.

use super::rig::{Rig, SECOND_NS, batch, create, disk_error, refused};
use crate::io::DiskErrorKind;
use crate::model::{PartitionId, ShardId};
use crate::segment::merge::MergeError;
use crate::segment::{Run, SegmentTable};
use crate::shard::{Event, Refusal, Reply, Report, Request};

const PARTITION_COUNT: u32 = 40;
/// Bytes of a manifest that a run takes, in a file of its own.
const RUN_BYTES: u64 = (Run::ENCODED_BYTES + SegmentTable::FILE_BYTES) as u64;

fn many(rig: &mut Rig) -> Vec<PartitionId> {
    let id = rig.ask(create("many", PARTITION_COUNT));
    rig.settle();
    let Some(Reply::TopicCreated(topic)) = rig.replies.remove(&id) else { panic!("it is created") };
    topic.partitions_on(ShardId(0)).collect()
}

/// Captures into all partitions in turn until the manifest has no room for more runs: it has room for one of each of
/// some partitions, so none of them can become fewer.
fn fill_manifest(rig: &mut Rig) -> Vec<PartitionId> {
    rig.shard.segments.limit_manifest(u64::from(PARTITION_COUNT) / 2 * RUN_BYTES);
    let partitions = many(rig);
    for number in 0..1000 {
        if rig.shard.status().manifest_full {
            return partitions;
        }
        let id = rig.capture(partitions[number % partitions.len()], batch(&[7; 1000]));
        rig.settle();
        assert!(matches!(rig.reply(id), Some(Reply::Captured { .. })), "capture {number}: {:?}", rig.reply(id));
    }
    panic!("the manifest never was full");
}

fn capture(rig: &mut Rig, partition: PartitionId) -> Option<Reply> {
    let id = rig.capture(partition, batch(&[7; 1000]));
    rig.settle();
    rig.replies.remove(&id)
}

#[test]
fn a_manifest_without_room_for_runs_is_told_when_it_begins_and_before_the_journal_is_full() {
    let mut rig = Rig::serving();
    let before = rig.shard.status();
    assert_eq!((before.manifest_full, before.manifest_run_bytes), (false, 0));
    let partitions = fill_manifest(&mut rig);
    let status = rig.shard.status();
    assert!(status.manifest_run_bytes > status.manifest_run_bytes_max / 2, "{status:?}");
    assert!(status.manifest_run_bytes <= status.manifest_run_bytes_max, "{status:?}");
    assert!(status.journal_used_bytes < status.journal_bytes, "the journal still has room: {status:?}");
    let [Report::ManifestFull { run_count, wanted_run_count, bytes_max }] = rig.reports[..] else {
        panic!("{:?}", rig.reports)
    };
    assert_eq!((run_count, bytes_max), (rig.shard.run_count(), status.manifest_run_bytes_max));
    assert!(wanted_run_count > 0 && status.manifest_run_bytes + RUN_BYTES > bytes_max, "{status:?}");

    let full = refused(Refusal::JournalFull(ShardId(0)));
    let captured =
        (0..1000).find(|number| capture(&mut rig, partitions[number % partitions.len()]) == Some(full.clone()));
    assert!(captured.is_some_and(|count| count > 0), "captures go on until the journal is full");
    rig.tick_after(2 * SECOND_NS);
    rig.settle();
    assert_eq!(rig.reports.len(), 1, "it is told once");
    assert_eq!((rig.failed.len(), rig.shard.status().disk_full), (0, false));
    assert!(!rig.shown(partitions[0], 0).0.is_empty(), "reads go on");
}

#[test]
fn runs_of_many_partitions_become_fewer_before_a_manifest_has_no_room_for_more() {
    let mut rig = Rig::serving();
    let partitions = many(&mut rig);
    let mut offsets = 0;
    for number in 0..4000 {
        let captured = capture(&mut rig, partitions[number % partitions.len()]);
        assert!(matches!(captured, Some(Reply::Captured { .. })), "capture {number}: {captured:?}");
        offsets += u64::from(number % partitions.len() == 0);
    }
    assert_eq!(rig.reports, []);
    assert!(rig.shard.run_count() >= partitions.len());
    for partition in &partitions {
        assert_eq!(rig.end(*partition), Reply::Offset(crate::model::Offset(offsets)), "{partition}");
    }
}

#[test]
fn more_runs_than_a_manifest_has_room_for_at_once_are_written_in_turns() {
    let mut rig = Rig::serving();
    // One run of each partition, and half as many more.
    rig.shard.segments.limit_manifest(u64::from(PARTITION_COUNT) * 3 / 2 * RUN_BYTES);
    let partitions = many(&mut rig);
    for number in 0..2000 {
        let captured = capture(&mut rig, partitions[number % partitions.len()]);
        assert!(matches!(captured, Some(Reply::Captured { .. })), "capture {number}: {captured:?}");
    }
    assert_eq!(rig.reports, []);
}

#[test]
fn a_few_runs_are_written_where_a_merge_finds_no_space() {
    let mut rig = Rig::serving();
    rig.shard.segments.limit_manifest(u64::from(PARTITION_COUNT) * 3 / 2 * RUN_BYTES);
    let partitions = many(&mut rig);
    for partition in partitions.iter().cycle().take(2000) {
        rig.capture(*partition, batch(&[7; 1000]));
        if !rig.settle_without_merges() {
            rig.merges.clear();
            rig.event(Event::SegmentsMerged(Err(MergeError::Write(disk_error(DiskErrorKind::NoSpace)))));
            rig.pass(2 * SECOND_NS);
        }
        if rig.shard.status().manifest_full {
            break;
        }
    }
    let status = rig.shard.status();
    assert!(
        status.manifest_full && status.manifest_run_bytes + RUN_BYTES > status.manifest_run_bytes_max,
        "{status:?}"
    );
    assert_eq!(rig.failed, []);
}

#[test]
fn runs_that_go_give_the_manifest_room_and_everything_goes_on() {
    let mut rig = Rig::serving();
    let other = rig.create("few");
    let partitions = fill_manifest(&mut rig);
    let delete = rig.ask(Request::DeleteTopic { topic: partitions[0].topic });
    rig.settle();
    assert_eq!(rig.reply(delete), Some(&Reply::TopicDeleted(partitions[0].topic)));
    rig.tick_after(2 * SECOND_NS);
    rig.settle();
    assert!(!rig.shard.status().manifest_full);
    assert_eq!(rig.reports.last(), Some(&Report::ManifestFullOver));
    for number in 0..500 {
        assert!(matches!(capture(&mut rig, other), Some(Reply::Captured { .. })), "capture {number}");
    }
    assert_eq!(rig.reports.len(), 2);
}
