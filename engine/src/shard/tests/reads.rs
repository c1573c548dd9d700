//! Fetches, long polls and offsets show durable data only.

use super::rig::{Rig, SECOND_NS, batch, refused};
use crate::limits::{FETCH_WAIT_NS_MAX, POLLS_WAITING_MAX};
use crate::model::{Offset, PartitionId, Realtime, ShardId};
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
    assert_eq!(rig.answer(Request::Fetch { partition, from, bytes_max: 1, wait_ns: 9 }), refused(out_of_range));
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
    let id = rig.ask(Request::Fetch { partition, from, bytes_max: 1, wait_ns: 0 });
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
