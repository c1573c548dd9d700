//! Reads from segment files: who waits for which, what is kept and what is read ahead.

use super::rig::{Rig, SMALL, batch, disk_error, refused};
use crate::io::DiskErrorKind;
use crate::limits::{CAPTURES_EXPECTED_NS, COLD_PIECE_BYTES, COLD_READS_MAX, COLD_WAITING_MAX};
use crate::model::{Offset, PartitionId, Realtime, SegmentId, ShardId};
use crate::partition::{HeldBatch, Isolation};
use crate::segment::read::{Chunk, ReadDone, Target};
use crate::shard::{Event, FetchFrom, OffsetAt, Refusal, Reply, Report, Request};

/// A shard without memory for more than its ring, and a topic of which the front is only in segments.
fn with_cold_front() -> (Rig, PartitionId) {
    let (mut rig, partition) = Rig::with_partition();
    rig.shard.segments.limit_memory(SMALL.ring_bytes());
    while rig.shard.partitions[&partition].memory_offset() < Offset(40) {
        rig.capture(partition, batch(&[7; 3000]));
        rig.settle();
    }
    (rig, partition)
}

/// A chunk as a segment would give it.
fn chunk(base: u64, next: u64) -> Chunk {
    let held = |offset: u64| {
        let mut bytes = batch(&[7; 3000]);
        crate::format::batch::place(&mut bytes, Offset(offset));
        HeldBatch {
            base_offset: Offset(offset),
            last_offset: Offset(offset),
            append_time: Realtime(0),
            undecided: 0,
            bytes: bytes.freeze(),
        }
    };
    Chunk {
        base_offset: Offset(base),
        next_offset: Offset(next),
        batches: (base..next).map(held).collect(),
        damaged: Vec::new(),
        is_unreadable: false,
    }
}

/// Ends the oldest read with the ten batches around what was asked for.
fn end_read(rig: &mut Rig) -> u64 {
    let (read, plan) = rig.reads.pop_front().expect("a segment file is being read");
    let Target::Offset(offset) = plan.target else { panic!("{:?}", plan.target) };
    let base = offset.0 / 10 * 10;
    rig.event(Event::SegmentRead { read, done: ReadDone { index: None, result: Ok(chunk(base, base + 10)) } });
    offset.0
}

fn shown_by(reply: Option<&Reply>) -> Vec<u64> {
    match reply {
        Some(Reply::Fetched(fetched)) => fetched.batches.iter().map(|batch| batch.base_offset.0).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_memory_let_go_is_read_from_its_segment_and_kept_for_who_asks_next() {
    let (mut rig, partition) = with_cold_front();
    let id = rig.fetch(partition, 3, 0);
    assert_eq!((rig.reply(id), rig.shard.status().cold_waiting_count), (None, 1));
    end_read(&mut rig);
    assert_eq!(shown_by(rig.reply(id)), (3..10).collect::<Vec<_>>());
    let again = rig.fetch(partition, 5, 0);
    assert_eq!((shown_by(rig.reply(again)), rig.reads.len()), ((5..10).collect(), 0));
}

#[test]
fn who_reads_on_has_the_next_stretch_read_ahead() {
    let (mut rig, partition) = with_cold_front();
    rig.pass(CAPTURES_EXPECTED_NS);
    let first = rig.fetch(partition, 0, 0);
    end_read(&mut rig);
    assert_eq!((shown_by(rig.reply(first)).len(), rig.reads.len()), (10, 0), "nobody reads on yet");
    let second = rig.fetch(partition, 10, 0);
    assert_eq!(end_read(&mut rig), 10);
    assert_eq!(shown_by(rig.reply(second)), (10..20).collect::<Vec<_>>());
    assert_eq!(end_read(&mut rig), 20, "it is read before it is asked for");
    let third = rig.fetch(partition, 20, 0);
    assert_eq!(shown_by(rig.reply(third)), (20..30).collect::<Vec<_>>());
}

#[test]
fn while_captures_come_the_disk_is_asked_for_little_at_a_time_and_nothing_is_read_ahead() {
    let (mut rig, partition) = with_cold_front();
    rig.capture(partition, batch(b"x"));
    rig.settle_blocks();
    for from in [0, 10] {
        rig.fetch(partition, from, 0);
        assert_eq!(rig.reads[0].1.piece_bytes, Some(COLD_PIECE_BYTES));
        assert_eq!(end_read(&mut rig), from);
    }
    assert_eq!(rig.reads.len(), 0, "nothing that nobody waits for");
    rig.pass(CAPTURES_EXPECTED_NS);
    rig.capture(PartitionId { index: 99, ..partition }, batch(b"refused"));
    rig.fetch(partition, 20, 0);
    assert_eq!(rig.reads[0].1.piece_bytes, None, "the last one that was taken is long ago");
}

#[test]
fn many_who_ask_for_the_same_cause_one_read_and_other_partitions_have_their_turn() {
    let (mut rig, partition) = with_cold_front();
    let ids: Vec<_> = (0..20).map(|number| rig.fetch(partition, number % 10, 0)).collect();
    assert_eq!(rig.reads.len(), 1);
    end_read(&mut rig);
    assert!(ids.iter().all(|id| matches!(rig.reply(*id), Some(Reply::Fetched(_)))));
    const { assert!(COLD_READS_MAX > 1) };
}

#[test]
fn requests_that_wait_for_reads_are_bounded_and_captures_are_not_concerned() {
    let (mut rig, partition) = with_cold_front();
    for _ in 0..COLD_WAITING_MAX {
        rig.fetch(partition, 0, 0);
    }
    let id = rig.fetch(partition, 0, 0);
    assert_eq!(rig.reply(id), Some(&refused(Refusal::Busy(ShardId(0)))));
    let id = rig.capture(partition, batch(b"x"));
    rig.settle();
    assert!(matches!(rig.reply(id), Some(Reply::Captured { .. })));
}

#[test]
fn a_read_that_fails_is_told_to_who_asked_and_the_next_one_is_tried() {
    let (mut rig, partition) = with_cold_front();
    let (first, second) = (rig.fetch(partition, 0, 0), rig.fetch(partition, 0, 0));
    let (read, _) = rig.reads.pop_front().expect("a segment file is being read");
    let failed = ReadDone { index: None, result: Err(disk_error(DiskErrorKind::Failed)) };
    rig.event(Event::SegmentRead { read, done: failed });
    assert!(matches!(rig.reply(first), Some(Reply::Refused(Refusal::ReadFailed { .. }))));
    assert_eq!((rig.reply(second), rig.failed.len()), (None, 0));
    assert!(matches!(rig.reports[..], [Report::ReadFailed { .. }]), "{:?}", rig.reports);
    end_read(&mut rig);
    assert_eq!(shown_by(rig.reply(second)), (0..10).collect::<Vec<_>>());
}

#[test]
fn damage_is_named_and_only_its_offsets_are_refused() {
    let (mut rig, partition) = with_cold_front();
    let (inside, before, behind) = (rig.fetch(partition, 4, 0), rig.fetch(partition, 0, 0), rig.fetch(partition, 7, 0));
    let (read, _) = rig.reads.pop_front().expect("a segment file is being read");
    let mut chunk = chunk(0, 10);
    chunk.batches.drain(3..6);
    chunk.damaged = vec![crate::format::extent::DamagedBatch {
        base_offset: Offset(3),
        next_offset: Offset(6),
        why: "a bit flipped".to_owned(),
    }];
    rig.event(Event::SegmentRead { read, done: ReadDone { index: None, result: Ok(chunk) } });
    let damaged = Refusal::Damaged { partition, from: Offset(3), to: Offset(6) };
    assert_eq!(rig.reply(inside), Some(&refused(damaged)));
    assert_eq!(shown_by(rig.reply(before)), [0, 1, 2], "nothing is skipped");
    assert_eq!(shown_by(rig.reply(behind)), [7, 8, 9]);
    let [Report::Damaged { partition: of, from, to, count, why, .. }] = &rig.reports[..] else {
        panic!("{:?}", rig.reports)
    };
    assert_eq!((*of, *from, *to, *count, why.as_str()), (partition, Offset(3), Offset(6), 1, "a bit flipped"));
}

#[test]
fn a_file_that_is_being_read_stays_until_the_read_ends() {
    let (mut rig, partition) = with_cold_front();
    let fetch = rig.fetch(partition, 0, 0);
    let segment: SegmentId = rig.reads[0].1.run.segment;
    rig.ask(Request::DeleteTopic { topic: partition.topic });
    rig.settle();
    assert!(!rig.removed.contains(&segment));
    end_read(&mut rig);
    assert!(rig.removed.contains(&segment));
    assert!(matches!(rig.reply(fetch), Some(Reply::Refused(Refusal::UnknownPartition(_)))));
}

#[test]
fn who_waits_for_a_read_is_answered_when_the_shard_closes() {
    let (mut rig, partition) = with_cold_front();
    let id = rig.fetch(partition, 0, 0);
    rig.event(Event::Shutdown);
    assert_eq!(rig.reply(id), Some(&refused(Refusal::Stopping(ShardId(0)))));
    rig.settle();
    assert_eq!(rig.stopped, None, "a read is under way");
    end_read(&mut rig);
    rig.settle();
    assert_eq!(rig.stopped, Some(true));
}

#[test]
fn times_in_segments_are_looked_up_by_a_read() {
    let (mut rig, partition) = with_cold_front();
    let list = rig.ask(Request::ListOffset { partition, at: OffsetAt::Timestamp(-1) });
    let from = FetchFrom::Time(Realtime(0));
    let fetch =
        rig.ask(Request::Fetch { partition, from, bytes_max: 1, wait_ns: 0, isolation: Isolation::Uncommitted });
    for target in [Target::Timestamp(-1), Target::AppendTime(Realtime(0))] {
        let (read, plan) = rig.reads.pop_front().expect("a segment file is being read");
        assert_eq!(plan.target, target);
        rig.event(Event::SegmentRead { read, done: ReadDone { index: None, result: Ok(chunk(0, 10)) } });
    }
    assert_eq!(rig.reply(list), Some(&Reply::Offset(Offset(0))));
    assert_eq!(shown_by(rig.reply(fetch)), [0]);
}

#[test]
fn what_the_disk_did_not_give_is_asked_for_again() {
    let (mut rig, partition) = with_cold_front();
    let first = rig.fetch(partition, 0, 0);
    let (read, _) = rig.reads.pop_front().expect("a segment file is being read");
    let damaged = vec![crate::format::extent::DamagedBatch {
        base_offset: Offset(0),
        next_offset: Offset(10),
        why: "unreadable".to_owned(),
    }];
    let lost = Chunk { batches: Vec::new(), damaged, is_unreadable: true, ..chunk(0, 10) };
    rig.event(Event::SegmentRead { read, done: ReadDone { index: None, result: Ok(lost) } });
    assert!(matches!(rig.reply(first), Some(Reply::Refused(Refusal::Damaged { .. }))));
    let second = rig.fetch(partition, 0, 0);
    end_read(&mut rig);
    assert_eq!(shown_by(rig.reply(second)), (0..10).collect::<Vec<_>>());
}
