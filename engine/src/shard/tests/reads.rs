//! Fetches, long polls and offsets show durable data only.

use super::rig::{Rig, SECOND_NS, batch, refused, stamped};
use crate::limits::{FETCH_WAIT_NS_MAX, POLLS_WAITING_MAX};
use crate::model::{Offset, PartitionId, Realtime, ShardId};
use crate::partition::Isolation;
use crate::shard::{Event, FetchFrom, OffsetAt, Refusal, Reply, Request};

fn shown_by(reply: Option<&Reply>) -> Vec<u64> {
    let Some(Reply::Fetched(fetched)) = reply else { panic!("{reply:?} shows no batches") };
    fetched.batches.iter().map(|batch| batch.base_offset.0).collect()
}

#[test]
fn nothing_is_shown_before_it_is_durable() {
    let (mut rig, partition) = Rig::with_partition();
    rig.capture(partition, batch(b"a"));
    rig.capture(partition, batch(b"b"));
    assert_eq!(rig.shown(partition, 0), (vec![], 0));
    assert_eq!(rig.end(partition), Reply::Offset(Offset(0)));
    let out_of_range = Refusal::OffsetOutOfRange { asked: Offset(1), start: Offset(0), end: Offset(0) };
    let from = FetchFrom::Offset(Offset(1));
    assert_eq!(
        rig.answer(Request::Fetch { partition, from, bytes_max: 1, wait_ns: 9, isolation: Isolation::Uncommitted }),
        refused(out_of_range)
    );
    rig.finish_block();
    assert_eq!(rig.shown(partition, 0), (vec![0], 1));
    assert_eq!(rig.end(partition), Reply::Offset(Offset(1)));
    rig.finish_block();
    assert_eq!(rig.shown(partition, 1), (vec![1], 2));
}

#[test]
fn a_long_poll_ends_when_data_is_durable() {
    let (mut rig, partition) = Rig::with_partition();
    let poll = rig.fetch(partition, 0, SECOND_NS);
    let other = rig.create("other");
    rig.capture(other, batch(b"elsewhere"));
    rig.settle();
    assert_eq!(rig.reply(poll), None, "another partition's data ends no poll");
    rig.capture(partition, batch(b"a"));
    assert_eq!(rig.reply(poll), None);
    rig.finish_block();
    assert_eq!(shown_by(rig.reply(poll)), [0]);
    assert_eq!(rig.shard.status().waiting_count, 0);
}

#[test]
fn a_long_poll_ends_at_its_deadline_with_what_there_is() {
    let (mut rig, partition) = Rig::with_partition();
    let short = rig.fetch(partition, 0, 1000);
    let endless = rig.fetch(partition, 0, u64::MAX);
    assert_eq!(rig.shard.next_deadline(), rig.now.monotonic.plus_ns(1000));
    rig.tick_after(999);
    assert_eq!(rig.reply(short), None);
    rig.tick_after(1);
    assert_eq!(shown_by(rig.reply(short)), [0u64; 0]);
    rig.tick_after(FETCH_WAIT_NS_MAX - 1001);
    assert_eq!(rig.reply(endless), None);
    rig.tick_after(1);
    assert_eq!(shown_by(rig.reply(endless)), [0u64; 0]);
}

#[test]
fn a_long_poll_ends_when_its_topic_is_deleted_and_when_the_shard_closes() {
    let (mut rig, partition) = Rig::with_partition();
    let poll = rig.fetch(partition, 0, SECOND_NS);
    rig.ask(Request::DeleteTopic { topic: partition.topic });
    rig.settle();
    assert_eq!(rig.reply(poll), Some(&refused(Refusal::UnknownPartition(partition))));
    let partition = rig.create("other");
    let poll = rig.fetch(partition, 0, SECOND_NS);
    rig.event(Event::Shutdown);
    assert_eq!(shown_by(rig.reply(poll)), [0u64; 0]);
}

#[test]
fn more_waiting_fetches_than_the_limit_are_refused_as_busy_and_captures_are_not() {
    let (mut rig, partition) = Rig::with_partition();
    for _ in 0..POLLS_WAITING_MAX {
        rig.fetch(partition, 0, SECOND_NS);
    }
    assert_eq!(rig.shard.status().waiting_count, POLLS_WAITING_MAX);
    let one_more = rig.fetch(partition, 0, SECOND_NS);
    assert_eq!(rig.reply(one_more), Some(&refused(Refusal::Busy(ShardId(0)))));
    let capture = rig.ask(Request::Capture { partition, batch: batch(b"a") });
    rig.settle();
    assert!(matches!(rig.reply(capture), Some(Reply::Captured { .. })));
}

#[test]
fn offsets_by_time_are_those_of_durable_batches() {
    let (mut rig, partition) = Rig::with_partition();
    let start = rig.now.realtime.0;
    for _ in 0..3 {
        rig.pass(1000);
        rig.capture(partition, batch(b"x"));
        rig.settle();
    }
    rig.pass(1000);
    rig.capture(partition, batch(b"not durable"));
    let mut at = |time| rig.answer(Request::ListOffset { partition, at: OffsetAt::Time(Realtime(time)) });
    assert_eq!(at(0), Reply::Offset(Offset(0)));
    assert_eq!(at(start + 1001), Reply::Offset(Offset(1)));
    assert_eq!(at(start + 3000), Reply::Offset(Offset(2)));
    assert_eq!(at(start + 4000), Reply::Offset(Offset(3)), "the high watermark");
    assert_eq!(at(u64::MAX), Reply::Offset(Offset(3)));
    let from = FetchFrom::Time(Realtime(start + 2000));
    let id = rig.ask(Request::Fetch { partition, from, bytes_max: 1, wait_ns: 0, isolation: Isolation::Uncommitted });
    assert_eq!(shown_by(rig.reply(id)), [1]);
}

#[test]
fn partitions_that_are_not_here_are_refused_with_where_they_are_if_that_is_known() {
    let mut rig = Rig::serving();
    let unknown = rig.unknown_topic();
    assert_eq!(rig.end(unknown), refused(Refusal::UnknownPartition(unknown)));
    let partition = rig.create("payments");
    let beyond = PartitionId { index: 1, ..partition };
    let id = rig.fetch(beyond, 0, SECOND_NS);
    assert_eq!(rig.reply(id), Some(&refused(Refusal::UnknownPartition(beyond))));
    assert_eq!(rig.answer(Request::ListOffset { partition, at: OffsetAt::Start }), Reply::Offset(Offset(0)));
}

#[test]
fn a_cancelled_long_poll_is_answered_at_once_and_waits_no_more() {
    let (mut rig, partition) = Rig::with_partition();
    let (cut, kept) = (rig.fetch(partition, 0, SECOND_NS), rig.fetch(partition, 0, SECOND_NS));
    rig.event(Event::Cancel { id: cut });
    assert_eq!(shown_by(rig.reply(cut)), [0u64; 0]);
    assert_eq!(rig.reply(kept), None);
    assert_eq!(rig.shard.status().waiting_count, 1);
    rig.capture(partition, batch(b"a"));
    rig.settle();
    assert_eq!(shown_by(rig.reply(kept)), [0]);
    rig.event(Event::Cancel { id: kept });
    assert_eq!(rig.shard.status().waiting_count, 0, "what was answered is not cancelled");
}

#[test]
fn a_long_poll_by_time_ends_with_the_first_batch_that_is_as_late_and_with_none_before() {
    let (mut rig, partition) = Rig::with_partition();
    let start = rig.now.realtime.0;
    let from = |time| FetchFrom::Time(Realtime(time));
    let wait_ns = SECOND_NS;
    let soon = rig.ask(Request::Fetch {
        partition,
        from: from(start + 1000),
        bytes_max: 1,
        wait_ns,
        isolation: Isolation::Uncommitted,
    });
    let late = rig.ask(Request::Fetch {
        partition,
        from: from(start + 2000),
        bytes_max: 1,
        wait_ns,
        isolation: Isolation::Uncommitted,
    });
    let never = rig.ask(Request::Fetch {
        partition,
        from: from(u64::MAX),
        bytes_max: 1,
        wait_ns,
        isolation: Isolation::Uncommitted,
    });
    rig.pass(999);
    rig.capture(partition, batch(b"early"));
    rig.settle();
    assert_eq!((rig.reply(soon), rig.reply(late)), (None, None));
    rig.pass(1);
    rig.capture(partition, batch(b"soon"));
    rig.settle();
    assert_eq!(shown_by(rig.reply(soon)), [1]);
    assert_eq!(rig.reply(late), None);
    rig.pass(1000);
    rig.capture(partition, batch(b"late"));
    rig.settle();
    assert_eq!(shown_by(rig.reply(late)), [2]);
    assert_eq!(rig.reply(never), None);
    rig.event(Event::Shutdown);
    assert_eq!(shown_by(rig.reply(never)), [0u64; 0]);
}

#[test]
fn a_capture_that_nobody_waits_for_any_more_is_stored_all_the_same() {
    let (mut rig, partition) = Rig::with_partition();
    let capture = rig.capture(partition, batch(b"a"));
    rig.event(Event::Cancel { id: capture });
    assert_eq!(rig.reply(capture), None, "only what is durable is answered");
    rig.settle();
    assert!(matches!(rig.reply(capture), Some(Reply::Captured { .. })));
}

#[test]
fn partitions_are_described_as_far_as_they_are_durable() {
    let (mut rig, partition) = Rig::with_partition();
    let topic = partition.topic;
    let described = |rig: &mut Rig| match rig.answer(Request::DescribePartitions { topic }) {
        Reply::Partitions(partitions) => partitions,
        other => panic!("{other:?} describes nothing"),
    };
    rig.capture(partition, stamped(b"a", 7, 0, 0));
    let before = described(&mut rig);
    assert_eq!((before[0].high_watermark, before[0].last_append_time), (Offset(0), None));
    let now = rig.now.realtime;
    rig.settle();
    let after = described(&mut rig);
    assert_eq!(after.len(), 1);
    assert_eq!((after[0].partition, after[0].start_offset, after[0].high_watermark), (partition, Offset(0), Offset(1)));
    assert_eq!((after[0].producer_count, after[0].last_append_time), (1, Some(now)));
    assert_eq!(after[0].held_bytes, stamped(b"a", 7, 0, 0).len());
    let unknown = rig.unknown_topic().topic;
    assert_eq!(rig.answer(Request::DescribePartitions { topic: unknown }), refused(Refusal::UnknownTopic(unknown)));
}

#[test]
fn a_shard_knows_who_owns_what_it_has_and_of_nothing_else() {
    let (rig, partition) = Rig::with_partition();
    assert_eq!(rig.shard.owner(partition), Some(ShardId(0)));
    assert_eq!(rig.shard.owner(PartitionId { index: 9, ..partition }), None);
    assert_eq!(rig.shard.owner(rig.unknown_topic()), None);
}
