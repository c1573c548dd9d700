//! Every reply waits for what it depends on.

use super::rig::{Rig, SMALL, batch, captured, refused, stamped};
use crate::model::{Offset, ProducerEpoch, ProducerId, Sequence, ShardId};
use crate::producer::ProducerError;
use crate::shard::{Refusal, Reply, Request};

#[test]
fn requests_are_refused_as_starting_until_the_epochs_first_block_is_durable() {
    let mut rig = Rig::unopened(ShardId(0), 1, SMALL, 1);
    rig.begin();
    assert_eq!(rig.blocks, [Sequence(1)]);
    let unknown = rig.unknown_topic();
    let capture = Request::Capture { partition: unknown, batch: batch(b"x") };
    for request in [Request::Metadata, Request::Checkpoint, Request::ConfirmClock, capture] {
        assert_eq!(rig.answer(request), refused(Refusal::Starting(ShardId(0))));
    }
    assert!(!rig.shard.status().serving);
    rig.finish_block();
    assert!(rig.shard.status().serving);
    assert!(matches!(rig.answer(Request::Metadata), Reply::Topics { .. }));
}

#[test]
fn a_capture_is_answered_when_its_block_is_durable_and_not_before() {
    let (mut rig, partition) = Rig::with_partition();
    let first = rig.capture(partition, batch(b"first"));
    let second = rig.capture(partition, batch(b"second"));
    let third = rig.capture(partition, batch(b"third"));
    assert_eq!((rig.reply(first), rig.blocks.len()), (None, 1), "the others wait for the first block");
    rig.finish_block();
    assert_eq!(rig.reply(first), Some(&captured(0, rig.now.realtime)));
    assert_eq!((rig.reply(second), rig.reply(third)), (None, None));
    rig.finish_block();
    assert_eq!(rig.reply(second), Some(&captured(1, rig.now.realtime)));
    assert_eq!(rig.reply(third), Some(&captured(2, rig.now.realtime)));
    assert_eq!(rig.shard.status().waiting_count, 0);
}

#[test]
fn blocks_that_end_out_of_order_release_replies_in_order() {
    let mut rig = Rig::serving_with(ShardId(0), 1, SMALL, 3);
    let partition = rig.create("payments");
    let requests: Vec<_> = (0..3).map(|_| rig.capture(partition, batch(b"x"))).collect();
    assert_eq!(rig.blocks.len(), 3);
    for _ in 0..2 {
        rig.blocks.rotate_left(1);
        rig.finish_block();
    }
    let answered = |rig: &Rig| requests.iter().filter(|id| rig.reply(**id).is_some()).count();
    let first_done = answered(&rig);
    rig.finish_block();
    assert_eq!((first_done, answered(&rig)), (2, 3));
}

#[test]
fn later_blocks_alone_release_nothing() {
    let mut rig = Rig::serving_with(ShardId(0), 1, SMALL, 3);
    let partition = rig.create("payments");
    let requests: Vec<_> = (0..3).map(|_| rig.capture(partition, batch(b"x"))).collect();
    for _ in 0..2 {
        let last = rig.blocks.pop_back().unwrap();
        rig.blocks.push_front(last);
        rig.finish_block();
        assert!(requests.iter().all(|id| rig.reply(*id).is_none()));
        assert_eq!(rig.shown(partition, 0), (vec![], 0));
    }
    rig.finish_block();
    assert!(requests.iter().all(|id| rig.reply(*id).is_some()));
    assert_eq!(rig.shown(partition, 0), (vec![0, 1, 2], 3));
}

#[test]
fn a_duplicate_waits_for_the_original_and_gets_its_answer() {
    let (mut rig, partition) = Rig::with_partition();
    let original = rig.capture(partition, stamped(b"pay", 7, 0, 0));
    let time = rig.now.realtime;
    rig.pass(1000);
    let early = rig.capture(partition, stamped(b"pay", 7, 0, 0));
    assert_eq!((rig.reply(original), rig.reply(early)), (None, None));
    rig.finish_block();
    let duplicate = Reply::Captured { base_offset: Offset(0), append_time: time, duplicate: true };
    assert_eq!(rig.reply(original), Some(&captured(0, time)));
    assert_eq!(rig.reply(early), Some(&duplicate));
    assert_eq!(rig.answer(Request::Capture { partition, batch: stamped(b"pay", 7, 0, 0) }), duplicate);
    assert_eq!(rig.shown(partition, 0), (vec![0], 1));
}

#[test]
fn a_refusal_that_tells_of_a_stored_batch_waits_for_it() {
    let (mut rig, partition) = Rig::with_partition();
    rig.capture(partition, stamped(b"pay", 7, 1, 0));
    let conflict = rig.capture(partition, stamped(b"other", 7, 1, 0));
    let gap = rig.capture(partition, stamped(b"pay", 7, 1, 5));
    let fenced = rig.capture(partition, stamped(b"pay", 7, 0, 0));
    let unknown = rig.capture(partition, stamped(b"pay", 8, 0, 3));
    assert!([conflict, gap, fenced].iter().all(|id| rig.reply(*id).is_none()));
    let is = |id, wanted: fn(&ProducerError) -> bool, rig: &Rig| match rig.reply(id) {
        Some(Reply::Refused(Refusal::Producer(error))) => wanted(error),
        _ => false,
    };
    assert!(is(unknown, |error| matches!(error, ProducerError::UnknownProducer { .. }), &rig));
    rig.finish_block();
    assert!(is(conflict, |error| matches!(error, ProducerError::SequenceConflict { .. }), &rig));
    assert!(is(gap, |error| matches!(error, ProducerError::OutOfOrder { .. }), &rig));
    assert!(is(fenced, |error| matches!(error, ProducerError::Fenced { .. }), &rig));
}

#[test]
fn a_producer_id_leaves_when_its_reservation_is_durable() {
    let mut rig = Rig::serving();
    let first = rig.ask(Request::InitProducer);
    let second = rig.ask(Request::InitProducer);
    assert_eq!((rig.reply(first), rig.reply(second)), (None, None));
    rig.finish_block();
    let producer = |id| Reply::Producer { id: ProducerId(id), epoch: ProducerEpoch(0) };
    assert_eq!(rig.reply(first), Some(&producer(0)));
    assert_eq!(rig.reply(second), Some(&producer(1)));
    assert_eq!(rig.answer(Request::InitProducer), producer(2));
    assert_eq!(rig.blocks.len(), 0);
}

#[test]
fn a_batch_that_breaks_a_rule_is_refused_at_once_and_takes_no_place() {
    let (mut rig, partition) = Rig::with_partition();
    let mut damaged = batch(b"pay");
    *damaged.last_mut().unwrap() ^= 1;
    assert!(matches!(rig.answer(Request::Capture { partition, batch: damaged }), Reply::Refused(Refusal::Batch(_))));
    let oversized = batch(&vec![0; SMALL.batch_bytes_max()]);
    assert!(matches!(rig.answer(Request::Capture { partition, batch: oversized }), Reply::Refused(Refusal::Batch(_))));
    assert_eq!(rig.blocks.len(), 0);
    let largest = batch(&vec![0; SMALL.batch_bytes_max() - 80]);
    let id = rig.capture(partition, largest);
    rig.settle();
    assert_eq!(rig.reply(id), Some(&captured(0, rig.now.realtime)));
}

#[test]
fn the_last_block_is_confirmed_once_after_a_rest() {
    let (mut rig, partition) = Rig::with_partition();
    rig.capture(partition, batch(b"x"));
    rig.settle();
    rig.tick_after(9_000_000);
    assert_eq!(rig.blocks.len(), 0);
    rig.tick_after(1_000_000);
    assert_eq!(rig.blocks.len(), 1);
    rig.settle();
    for _ in 0..3 {
        rig.tick_after(20_000_000);
        assert_eq!(rig.blocks.len(), 0, "an empty block needs no confirmation");
    }
    assert_eq!(rig.shown(partition, 0), (vec![0], 1));
}
