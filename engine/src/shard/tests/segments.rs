//! From memory to rest and back: what is written when, what goes when, and who waits.

use std::rc::Rc;

use super::rig::{Rig, SECOND_NS, batch, disk_error, refused};
use crate::catalogue::TopicChange;
use crate::format::superblock::FileUse;
use crate::io::{DiskError, DiskErrorKind, DiskOperation};
use crate::model::{Offset, PartitionId, Realtime, RequestId, ShardId};
use crate::partition::CutReason;
use crate::shard::rest::RestPlan;
use crate::shard::{OffsetAt, Refusal, Reply, Report, Request};

/// Captures until a segment file is being written, without ending any write of one.
fn capture_until_written(rig: &mut Rig, partition: PartitionId) -> Vec<RequestId> {
    let mut captures = Vec::new();
    while rig.writes.is_empty() {
        captures.push(rig.capture(partition, batch(&[7; 3000])));
        while rig.writes.is_empty() && !(rig.blocks.is_empty() && rig.superblocks.is_empty()) {
            if rig.blocks.is_empty() { drop(rig.finish_superblock()) } else { rig.finish_block() }
        }
        assert!(captures.len() < 1000, "nothing is ever written");
    }
    captures
}

fn bounds(plan: &Rc<RestPlan>) -> (u64, u64) {
    let run = plan.write.files[0].parts[0].run;
    (run.base_offset.0, run.next_offset.0)
}

fn free_count(rig: &Rig) -> usize {
    rig.shard.superblock.stored().files.iter().filter(|file| file.state == FileUse::Free).count()
}

#[test]
fn a_full_ring_file_is_taken_to_rest_and_free_when_a_superblock_says_so() {
    let (mut rig, partition) = Rig::with_partition();
    let captures = capture_until_written(&mut rig, partition);
    rig.settle_blocks();
    let acked = captures.iter().filter(|id| matches!(rig.reply(**id), Some(Reply::Captured { .. }))).count();
    assert_eq!(acked, captures.len(), "captures wait for no segment");
    let (used, free) = (rig.shard.status().held_bytes, free_count(&rig));
    let plan = rig.end_write(&Ok(()));
    assert_eq!(bounds(&plan).0, 0);
    assert!(bounds(&plan).1 < captures.len() as u64, "only what is in the sealed file");
    assert_eq!(rig.shard.status().held_bytes, used, "memory is a cache of it");
    assert_eq!(free_count(&rig), free);
    rig.settle();
    assert!(free_count(&rig) > free - 1, "the file is free and another one in use");
    assert_eq!(rig.shown(partition, 0).0.len(), captures.len());
}

#[test]
fn many_small_batches_are_taken_to_rest_in_parts_and_one_checkpoint_follows_the_last() {
    let (mut rig, partition) = Rig::with_partition();
    while rig.writes.is_empty() {
        (0..40).for_each(|_| _ = rig.capture(partition, batch(&[7; 300])));
        while rig.writes.is_empty() && !(rig.blocks.is_empty() && rig.superblocks.is_empty()) {
            if rig.blocks.is_empty() { drop(rig.finish_superblock()) } else { rig.finish_block() }
        }
    }
    rig.settle_blocks();
    let free = free_count(&rig);
    let (mut part_count, mut next_offset) = (0, 0);
    loop {
        let plan = rig.end_write(&Ok(()));
        part_count += 1;
        assert_eq!(bounds(&plan).0, next_offset, "a part goes on where the one before ended");
        next_offset = bounds(&plan).1;
        if !plan.write.is_partial {
            break;
        }
        assert_eq!((rig.manifests.len(), free_count(&rig)), (0, free), "nothing can be let go yet");
        assert_eq!(rig.writes.len(), 1, "the next part follows at once");
    }
    assert!(part_count > 1, "one plan was enough for {next_offset} batches");
    rig.settle();
    assert!(free_count(&rig) >= free, "the file is free");
    assert_eq!(rig.shard.partitions[&partition].run_count(), 1, "parts in a file of their own are one run");
}

#[test]
fn the_ring_goes_round_for_ever_while_segments_are_written() {
    let (mut rig, partition) = Rig::with_partition();
    for number in 0..500 {
        let id = rig.capture(partition, batch(&[7; 3000]));
        rig.settle();
        assert!(matches!(rig.reply(id), Some(Reply::Captured { .. })), "capture {number}");
    }
    assert!(rig.shard.status().stored_bytes > 1_000_000);
}

#[test]
fn a_segment_file_that_failed_is_left_alone_and_the_data_goes_to_another() {
    let (mut rig, partition) = Rig::with_partition();
    capture_until_written(&mut rig, partition);
    let failed = rig.end_write(&Err(disk_error(DiskErrorKind::Failed)));
    rig.settle();
    assert_eq!((rig.failed.len(), rig.writes.len()), (0, 0), "not tried again at once");
    assert_eq!(rig.reports, [Report::SegmentWriteFailed(disk_error(DiskErrorKind::Failed))]);
    assert_eq!(rig.removed, [failed.write.files[0].segment], "nothing names it");
    rig.tick_after(SECOND_NS);
    let again = rig.end_write(&Ok(()));
    assert_eq!(bounds(&again), bounds(&failed), "nothing was lost");
    assert_ne!(again.write.files[0].segment, failed.write.files[0].segment);
    assert_eq!(rig.failed, []);
}

#[test]
fn the_second_failed_segment_in_a_row_stops_the_shard() {
    let (mut rig, partition) = Rig::with_partition();
    let captures = capture_until_written(&mut rig, partition);
    rig.settle_blocks();
    rig.end_write(&Err(disk_error(DiskErrorKind::Failed)));
    rig.tick_after(SECOND_NS);
    rig.end_write(&Err(disk_error(DiskErrorKind::Failed)));
    assert_eq!(rig.failed.len(), 1);
    let capture = Request::Capture { partition, batch: batch(b"x") };
    assert_eq!(rig.answer(capture), refused(Refusal::ShardUnavailable(ShardId(0))));
    assert_eq!(rig.shown(partition, 0).0.len(), captures.len(), "durable data is still served");
}

#[test]
fn a_full_disk_never_stops_the_shard_and_is_noticed_and_left_by_itself() {
    let (mut rig, partition) = Rig::with_partition();
    rig.disk_full = true;
    let mut full = None;
    for number in 0..1000 {
        let id = rig.capture(partition, batch(&[7; 3000]));
        rig.settle();
        rig.tick_after(SECOND_NS);
        rig.settle();
        if rig.reply(id) == Some(&refused(Refusal::JournalFull(ShardId(0)))) {
            full = Some(number);
            break;
        }
    }
    let full = full.expect("the ring is full when nothing can be taken to rest");
    assert_eq!((rig.failed.len(), rig.shard.status().disk_full), (0, true));
    let no_space = Report::DiskFull(disk_error(DiskErrorKind::NoSpace));
    assert_eq!(rig.reports, std::slice::from_ref(&no_space), "it is told once, not with every try");
    assert_eq!(rig.shown(partition, 0).0.len(), full, "reads go on");
    rig.disk_full = false;
    for _ in 0..10 {
        rig.tick_after(SECOND_NS);
        rig.settle();
    }
    assert!(!rig.shard.status().disk_full);
    assert_eq!(rig.reports, [no_space, Report::DiskFullOver]);
    let id = rig.capture(partition, batch(b"x"));
    rig.settle();
    assert!(matches!(rig.reply(id), Some(Reply::Captured { .. })), "there is room again");
}

#[test]
fn a_file_whose_sync_found_no_space_is_left_and_one_whose_write_found_none_goes_on() {
    for (operation, goes_on) in [(DiskOperation::Write, true), (DiskOperation::Sync, false)] {
        let (mut rig, partition) = Rig::with_partition();
        capture_until_written(&mut rig, partition);
        let growing = rig.end_write(&Ok(())).write.files[0].segment;
        rig.settle();
        capture_until_written(&mut rig, partition);
        let no_space = DiskError { operation, ..disk_error(DiskErrorKind::NoSpace) };
        let failed = rig.end_write(&Err(no_space));
        assert_eq!((failed.write.files[0].segment, failed.write.files[0].is_new), (growing, false), "the file grows");
        rig.settle();
        rig.tick_after(SECOND_NS);
        let again = rig.end_write(&Ok(()));
        assert_eq!(again.write.files[0].segment == growing, goes_on, "{operation:?}");
        assert_eq!(bounds(&again).1, bounds(&failed).1, "nothing was lost");
        assert_eq!(rig.failed, []);
    }
}

#[test]
fn files_of_a_deleted_topic_go_only_when_no_superblock_names_them() {
    let (mut rig, partition) = Rig::with_partition();
    capture_until_written(&mut rig, partition);
    let segment = rig.end_write(&Ok(())).write.files[0].segment;
    rig.settle();
    let delete = rig.ask(Request::DeleteTopic { topic: partition.topic });
    while rig.reply(delete).is_none() {
        assert_eq!(rig.removed, []);
        if !rig.blocks.is_empty() {
            rig.finish_block();
        } else if !rig.superblocks.is_empty() {
            rig.finish_superblock();
        } else {
            rig.deliver();
        }
    }
    assert_eq!(rig.manifests.len(), 1, "a checkpoint that does not name the file");
    rig.end_manifest(Ok(()));
    assert_eq!(rig.removed, [], "the superblock copies still name the manifest before");
    rig.finish_superblock();
    assert_eq!(rig.removed, [segment]);
}

/// A partition whose topic keeps a record for ten seconds.
fn with_retention() -> (Rig, PartitionId) {
    let (mut rig, partition) = Rig::with_partition();
    let change = TopicChange { retention_ns: Some(Some(10 * SECOND_NS)), ..TopicChange::default() };
    let alter = rig.ask(Request::AlterTopic { topic: partition.topic, change });
    rig.settle();
    assert!(matches!(rig.reply(alter), Some(Reply::TopicAltered(_))), "{:?}", rig.reply(alter));
    (rig, partition)
}

#[test]
fn records_that_were_kept_long_enough_go_with_a_checkpoint_and_their_offsets_are_refused() {
    let (mut rig, partition) = with_retention();
    for _ in 0..3 {
        rig.capture(partition, batch(b"x"));
    }
    rig.settle();
    rig.pass(9 * SECOND_NS);
    rig.capture(partition, batch(b"y"));
    rig.settle();
    rig.tick_after(2 * SECOND_NS);
    rig.settle_blocks();
    assert_eq!((rig.manifests.len(), rig.cuts.len()), (1, 0), "a cut counts with the checkpoint that states it");
    assert_eq!(rig.shown(partition, 0).0, [0, 1, 2, 3], "until then everything is there");
    rig.settle();
    let [cut] = rig.cuts[..] else { panic!("{:?}", rig.cuts) };
    assert_eq!((cut.partition, cut.from, cut.to, cut.reason), (partition, Offset(0), Offset(3), CutReason::Age));
    let gone = Refusal::OffsetOutOfRange { asked: Offset(2), start: Offset(3), end: Offset(4) };
    let id = rig.fetch(partition, 2, 0);
    assert_eq!(rig.reply(id), Some(&refused(gone)));
    assert_eq!(rig.shown(partition, 3).0, [3]);
    assert_eq!(rig.answer(Request::ListOffset { partition, at: OffsetAt::Start }), Reply::Offset(Offset(3)));
}

#[test]
fn nothing_goes_by_age_before_the_clock_had_the_time_to_be_set_right() {
    let (mut rig, partition) = with_retention();
    rig.shard.clock_settles_at = rig.now.monotonic.plus_ns(60 * SECOND_NS);
    rig.capture(partition, batch(b"x"));
    rig.settle();
    rig.tick_after(59 * SECOND_NS);
    rig.settle();
    assert_eq!(rig.cuts, []);
    assert_eq!(rig.shown(partition, 0).0, [0]);
    rig.tick_after(6 * SECOND_NS);
    rig.settle();
    assert_eq!(rig.cuts.len(), 1);
}

#[test]
fn what_was_decided_to_be_cut_stays_if_the_topic_must_keep_it_before_a_checkpoint_is_in_force() {
    let (mut rig, partition) = with_retention();
    rig.capture(partition, batch(b"x"));
    rig.settle();
    rig.tick_after(11 * SECOND_NS);
    rig.settle_blocks();
    rig.end_manifest(Err(disk_error(DiskErrorKind::NoSpace)));
    let change = TopicChange { retention_ns: Some(None), ..TopicChange::default() };
    let alter = rig.ask(Request::AlterTopic { topic: partition.topic, change });
    rig.settle();
    assert!(matches!(rig.reply(alter), Some(Reply::TopicAltered(_))), "{:?}", rig.reply(alter));
    rig.tick_after(60 * SECOND_NS);
    let checkpoint = rig.ask(Request::Checkpoint);
    rig.settle();
    assert!(matches!(rig.reply(checkpoint), Some(Reply::Checkpointed { .. })), "{:?}", rig.reply(checkpoint));
    assert_eq!((rig.cuts.len(), rig.shown(partition, 0).0), (0, vec![0]));
}

#[test]
fn retention_works_on_a_full_journal_and_makes_room_in_it() {
    let (mut rig, partition) = with_retention();
    rig.disk_full = true;
    super::topics::fill(&mut rig, partition);
    rig.tick_after(11 * SECOND_NS);
    rig.settle();
    assert_eq!(rig.cuts.len(), 1);
    let id = rig.capture(partition, batch(b"x"));
    rig.settle();
    let Some(Reply::Captured { base_offset, .. }) = rig.reply(id) else { panic!("{:?}", rig.reply(id)) };
    assert_eq!(*base_offset, rig.cuts[0].to, "offsets go on where they were");
}

#[test]
fn nothing_is_cut_while_the_wall_clock_is_not_trusted() {
    let (mut rig, partition) = with_retention();
    rig.capture(partition, batch(b"x"));
    rig.settle();
    rig.now.realtime = Realtime(rig.now.realtime.0 + 2 * 3_600 * SECOND_NS);
    rig.tick_after(6 * SECOND_NS);
    rig.settle();
    assert_eq!(rig.cuts, []);
    assert_eq!(rig.reports, [Report::ClockJumped { realtime: rig.now.realtime }], "it is told once");
    rig.ask(Request::ConfirmClock);
    rig.settle();
    rig.tick_after(6 * SECOND_NS);
    rig.settle();
    assert_eq!(rig.cuts.len(), 1);
}

#[test]
fn a_segment_file_that_retention_cut_is_removed() {
    let (mut rig, partition) = with_retention();
    capture_until_written(&mut rig, partition);
    let segment = rig.end_write(&Ok(())).write.files[0].segment;
    rig.settle();
    rig.tick_after(11 * SECOND_NS);
    rig.settle();
    assert_eq!(rig.removed, [segment]);
    assert_eq!(rig.shard.status().stored_bytes, 0);
}
