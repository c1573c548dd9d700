//! Topics with idempotency keys: what is answered, what waits, and what is at rest.

use bytes::{Bytes, BytesMut};

use super::rig::{Rig, SECOND_NS, disk_error, refused};
use crate::catalogue::{TopicChange, TopicSettings};
use crate::format::batch::{BatchBuilder, batch_crc};
use crate::format::control::{KeyRule, KeySource, Partitioner};
use crate::format::stored::Stored;
use crate::io::DiskErrorKind;
use crate::key::{KeyFault, KeyVerdict};
use crate::key_run::look_up::{KeyFound, KeyPiece};
use crate::model::{Offset, PartitionId, ProducerEpoch, ProducerId, Realtime, RequestId};
use crate::producer::ProducerError;
use crate::shard::{Event, KeyReceipt, Refusal, Reply, Request};

const DAY_NS: u64 = 24 * 3600 * SECOND_NS;

fn keyed_topic(name: &str, window_days: u16) -> Request {
    let rule = KeyRule::new(KeySource::RecordKey, window_days, Vec::new(), Partitioner::Murmur2).expect("a rule");
    let settings = TopicSettings::default();
    Request::CreateTopic { name: name.to_owned(), partition_count: 1, settings, keys: Some(rule) }
}

fn keyed(name: &str, rig: &mut Rig) -> PartitionId {
    let id = rig.ask(keyed_topic(name, 7));
    rig.settle();
    let Some(Reply::TopicCreated(topic)) = rig.reply(id) else { panic!("{:?}", rig.reply(id)) };
    PartitionId { topic: topic.id(), index: 0 }
}

fn with_keys() -> (Rig, PartitionId) {
    let mut rig = Rig::serving();
    let partition = keyed("payments", &mut rig);
    (rig, partition)
}

/// A batch of payments: key and body.
fn pay(payments: &[(&str, &str)]) -> BytesMut {
    builder(payments).finish()
}

fn builder(payments: &[(&str, &str)]) -> BatchBuilder {
    let mut builder = BatchBuilder::new();
    for (key, body) in payments {
        builder.push(0, Some(key.as_bytes()), Some(body.as_bytes()), &[]).expect("room");
    }
    builder
}

fn pay_stamped(payments: &[(&str, &str)], producer: u64, sequence: u32) -> BytesMut {
    let mut builder = builder(payments);
    builder.stamp(ProducerId(producer), ProducerEpoch(0), sequence);
    builder.finish()
}

/// The same batch with its records compressed.
fn gzipped(batch: &[u8]) -> BytesMut {
    use std::io::Write;
    let (header, records) = batch.split_at(crate::format::batch::HEADER_BYTES);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(records).expect("memory");
    let mut bytes = BytesMut::from(header);
    bytes.extend_from_slice(&encoder.finish().expect("memory"));
    let length = i32::try_from(bytes.len() - 12).expect("small");
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    bytes[22] |= 1;
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    assert_eq!(batch_crc(&bytes), crc);
    bytes
}

fn duplicate(base_offset: u64, append_time: Realtime) -> Reply {
    Reply::Captured { base_offset: Offset(base_offset), append_time, duplicate: true }
}

/// Captures payments that must be new, and makes them durable.
fn store(rig: &mut Rig, partition: PartitionId, payments: &[(&str, &str)]) -> (u64, Realtime) {
    let id = rig.capture(partition, pay(payments));
    rig.settle();
    let Some(Reply::Captured { base_offset, append_time, duplicate: false }) = rig.reply(id) else {
        panic!("{:?}", rig.reply(id))
    };
    (base_offset.0, *append_time)
}

/// Takes everything to rest.
fn rest(rig: &mut Rig) {
    let id = rig.ask(Request::Checkpoint);
    rig.settle();
    assert!(matches!(rig.reply(id), Some(Reply::Checkpointed { .. })), "{:?}", rig.reply(id));
    rig.event(Event::Tick);
    assert_eq!(rig.shard.status().keys_recent_count, 0);
}

fn answer_to(rig: &mut Rig, partition: PartitionId, batch: BytesMut) -> Reply {
    let id = rig.capture(partition, batch);
    rig.settle();
    rig.reply(id).cloned().expect("an answer")
}

fn look_up(rig: &mut Rig, partition: PartitionId, key: &str) -> Option<KeyReceipt> {
    let id = rig.ask(Request::LookUpKey { partition, key: Bytes::copy_from_slice(key.as_bytes()) });
    rig.settle();
    match rig.reply(id) {
        Some(Reply::Key { receipt, .. }) => *receipt,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_payment_that_comes_again_gets_the_original_receipt_whoever_sends_it_and_wherever_it_stands() {
    let (mut rig, partition) = with_keys();
    let (_, first_time) = store(&mut rig, partition, &[("a", "12 EUR"), ("b", "3 EUR")]);
    rig.pass(SECOND_NS);
    store(&mut rig, partition, &[("c", "7 EUR")]);
    for _ in 0..2 {
        assert_eq!(answer_to(&mut rig, partition, pay(&[("a", "12 EUR"), ("b", "3 EUR")])), duplicate(0, first_time));
        assert_eq!(answer_to(&mut rig, partition, pay(&[("b", "3 EUR")])), duplicate(1, first_time));
        let of_another = pay_stamped(&[("a", "12 EUR")], 900, 0);
        rig.shard.producer_count_max = 10;
        assert_eq!(answer_to(&mut rig, partition, of_another), duplicate(0, first_time));
        rest(&mut rig);
    }
    let mut rig = rig.crashed();
    rig.begin();
    rig.settle();
    assert_eq!(rig.end(partition), Reply::Offset(Offset(3)));
}

#[test]
fn records_that_were_stored_apart_have_a_receipt_each() {
    let (mut rig, partition) = with_keys();
    let (_, first_time) = store(&mut rig, partition, &[("a", "1")]);
    rig.pass(SECOND_NS);
    let (_, second_time) = store(&mut rig, partition, &[("b", "2")]);
    let receipt = |offset, append_time| KeyReceipt { offset: Offset(offset), append_time };
    let both = Reply::Known(vec![receipt(1, second_time), receipt(0, first_time)]);
    assert_eq!(answer_to(&mut rig, partition, pay(&[("b", "2"), ("a", "1")])), both);
}

#[test]
fn another_body_under_a_key_is_a_conflict_that_names_the_original() {
    let (mut rig, partition) = with_keys();
    let (_, append_time) = store(&mut rig, partition, &[("a", "12 EUR")]);
    let Reply::Refused(refusal) = answer_to(&mut rig, partition, pay(&[("a", "13 EUR")])) else { panic!("stored") };
    let verdicts = vec![KeyVerdict::Conflict { offset: Offset(0), append_time }];
    assert_eq!(refusal, Refusal::KeysKnown { partition, verdicts });
    assert_eq!(refusal.code(), 53);
    assert!(refusal.to_string().contains("stored at offset 0"), "{refusal}");
    assert_eq!(rig.end(partition), Reply::Offset(Offset(1)), "nothing was stored");
}

#[test]
fn of_a_batch_with_new_and_known_payments_nothing_is_stored_and_each_is_told() {
    let (mut rig, partition) = with_keys();
    let (_, append_time) = store(&mut rig, partition, &[("a", "1")]);
    let mixed = pay(&[("b", "2"), ("a", "1"), ("b", "2")]);
    let Reply::Refused(refusal) = answer_to(&mut rig, partition, mixed) else { panic!("stored") };
    let known = KeyVerdict::Duplicate { offset: Offset(0), append_time };
    let verdicts = vec![KeyVerdict::New, known, KeyVerdict::Repeated { first: 0 }];
    assert_eq!(refusal, Refusal::KeysKnown { partition, verdicts });
    assert_eq!(refusal.code(), 52);
    assert!(refusal.to_string().contains("send the 1 others without them"), "{refusal}");
    assert_eq!(rig.end(partition), Reply::Offset(Offset(1)));
    assert_eq!(answer_to(&mut rig, partition, pay(&[("b", "2")])), super::rig::captured(1, rig.now.realtime));
}

#[test]
fn a_record_without_a_key_is_refused() {
    let (mut rig, partition) = with_keys();
    let reply = answer_to(&mut rig, partition, super::rig::batch(b"12 EUR"));
    let missing = KeyFault::Missing { index: 0, place: KeySource::RecordKey };
    assert_eq!(reply, refused(Refusal::Keys(missing)));
    let Reply::Refused(refusal) = reply else { unreachable!() };
    assert_eq!(refusal.code(), 50);
}

#[test]
fn nobody_hears_of_a_payment_before_its_block_is_durable() {
    let (mut rig, partition) = with_keys();
    let batch = pay(&[("a", "1")]);
    let ids: Vec<RequestId> = [batch.clone(), batch, pay(&[("a", "2")]), pay(&[("a", "1"), ("b", "1")])]
        .into_iter()
        .map(|batch| rig.capture(partition, batch))
        .collect();
    let key = Bytes::from_static(b"a");
    let looked = rig.ask(Request::LookUpKey { partition, key });
    assert!(ids.iter().chain([&looked]).all(|id| rig.reply(*id).is_none()), "{:?}", rig.replies);
    rig.fail_block();
    for id in ids.iter().chain([&looked]) {
        assert_eq!(rig.reply(*id), Some(&refused(Refusal::OutcomeUnknown(rig.id))));
    }
}

#[test]
fn keys_are_looked_up_where_they_stand() {
    let (mut rig, partition) = with_keys();
    let (_, append_time) = store(&mut rig, partition, &[("a", "1"), ("b", "2")]);
    let receipt = Some(KeyReceipt { offset: Offset(1), append_time });
    assert_eq!(look_up(&mut rig, partition, "b"), receipt);
    rest(&mut rig);
    assert_eq!(look_up(&mut rig, partition, "b"), receipt);
    assert_eq!(look_up(&mut rig, partition, "c"), None);
    let plain = rig.create("plain");
    let key = Bytes::from_static(b"b");
    let Reply::Refused(refusal) = rig.answer(Request::LookUpKey { partition: plain, key }) else { panic!("an answer") };
    assert_eq!((refusal.code(), &refusal), (55, &Refusal::NoKeys(plain.topic)));
}

#[test]
fn a_look_up_that_needs_the_disk_holds_up_its_own_partition_only_and_keeps_the_order() {
    let (mut rig, partition) = with_keys();
    let other = keyed("others", &mut rig);
    store(&mut rig, partition, &[("a", "1"), ("b", "2")]);
    rest(&mut rig);
    let ids: Vec<RequestId> = [pay(&[("c", "3")]), pay(&[("d", "4")]), pay(&[("c", "3")])]
        .into_iter()
        .map(|batch| rig.capture(partition, batch))
        .collect();
    assert_eq!(rig.key_work.reads.len(), 1, "the first reads for all");
    assert_eq!(rig.shard.status().keys_waiting_count, 3);
    let beside = rig.capture(other, pay(&[("c", "3")]));
    rig.settle_blocks();
    assert!(matches!(rig.reply(beside), Some(Reply::Captured { .. })), "others flow");
    assert!(ids.iter().all(|id| rig.reply(*id).is_none()));
    rig.settle();
    let now = rig.now.realtime;
    assert_eq!(rig.reply(ids[0]), Some(&super::rig::captured(2, now)));
    assert_eq!(rig.reply(ids[1]), Some(&super::rig::captured(3, now)));
    assert_eq!(rig.reply(ids[2]), Some(&duplicate(2, now)));
    assert_eq!(rig.shard.status().keys_waiting_count, 0);
}

#[test]
fn a_compressed_batch_is_looked_into_and_keeps_its_place() {
    let (mut rig, partition) = with_keys();
    let compressed = gzipped(&pay(&[("a", "1"), ("b", "2")]));
    let ids: Vec<RequestId> = [compressed.clone(), pay(&[("b", "2")]), compressed, gzipped(&super::rig::batch(b"1"))]
        .into_iter()
        .map(|batch| rig.capture(partition, batch))
        .collect();
    assert_eq!(rig.key_work.derives.len(), 1, "one of a partition at a time");
    rig.settle();
    let now = rig.now.realtime;
    assert_eq!(rig.reply(ids[0]), Some(&super::rig::captured(0, now)));
    assert_eq!(rig.reply(ids[1]), Some(&duplicate(1, now)));
    assert_eq!(rig.reply(ids[2]), Some(&duplicate(0, now)));
    assert!(matches!(rig.reply(ids[3]), Some(Reply::Refused(Refusal::Keys(KeyFault::Missing { .. })))));
    assert_eq!(rig.shown(partition, 0), (vec![0], 2));
}

#[test]
fn whoever_waits_is_bounded_and_hears_when_the_shard_ends() {
    let (mut rig, partition) = with_keys();
    store(&mut rig, partition, &[("a", "1")]);
    rest(&mut rig);
    let most = crate::limits::KEYED_WAITING_COUNT_MAX;
    let ids: Vec<RequestId> =
        (0..=most).map(|number| rig.capture(partition, pay(&[(&format!("p{number}"), "1")]))).collect();
    assert_eq!(rig.reply(ids[most]), Some(&refused(Refusal::Busy(rig.id))));
    rig.event(Event::Shutdown);
    for id in &ids[..most] {
        assert_eq!(rig.reply(*id), Some(&refused(Refusal::Stopping(rig.id))));
    }
    rig.settle();
    assert_eq!(rig.stopped, Some(true));
}

#[test]
fn a_topic_that_is_deleted_meanwhile_is_gone_for_whoever_waits() {
    let (mut rig, partition) = with_keys();
    store(&mut rig, partition, &[("a", "1")]);
    rest(&mut rig);
    let id = rig.capture(partition, pay(&[("b", "1")]));
    let read = rig.key_work.end_read().expect("a read");
    let deleted = rig.ask(Request::DeleteTopic { topic: partition.topic });
    rig.settle();
    assert!(matches!(rig.reply(deleted), Some(Reply::TopicDeleted(_))));
    assert_eq!(rig.reply(id), None);
    rig.event(read);
    assert!(matches!(rig.reply(id), Some(Reply::Refused(Refusal::UnknownPartition(_) | Refusal::UnknownTopic(_)))));
    rest(&mut rig);
    assert_eq!(rig.shard.status().segment_count, 0, "its key runs go with it");
}

#[test]
fn what_cannot_be_told_is_refused_and_asked_again_when_the_disk_may_give_it() {
    let (mut rig, partition) = with_keys();
    store(&mut rig, partition, &[("a", "1")]);
    rest(&mut rig);
    let unreadable = |piece: &KeyPiece, kind| match piece {
        KeyPiece::Table(_) => (*piece, KeyFound::Table(Stored::Unreadable(disk_error(kind)))),
        other => panic!("{other:?}"),
    };
    let id = rig.capture(partition, pay(&[("b", "1")]));
    let read = rig.key_work.reads.pop_front().expect("a read");
    let found = read.pieces.iter().map(|piece| unreadable(piece, DiskErrorKind::Failed)).collect();
    rig.event(Event::KeysRead { partition, found });
    let Some(Reply::Refused(refusal)) = rig.reply(id).cloned() else { panic!("a guess") };
    assert_eq!((refusal.code(), refusal.action()), (54, crate::shard::Action::Retry));
    assert!(matches!(rig.reports.last(), Some(crate::shard::Report::KeysDamaged { .. })));
    let again = rig.capture(partition, pay(&[("b", "1")]));
    rig.settle();
    assert!(matches!(rig.reply(again), Some(Reply::Captured { duplicate: false, .. })));
}

#[test]
fn a_batch_is_at_rest_only_with_its_keys() {
    let (mut rig, partition) = with_keys();
    store(&mut rig, partition, &[("a", "1")]);
    rig.ask(Request::Checkpoint);
    rig.settle_blocks();
    let error = Err(disk_error(DiskErrorKind::NoSpace));
    let plan = rig.end_write_with_keys(&Ok(()), &error);
    assert_eq!(plan.keys.as_ref().map(|keys| keys.parts.len()), Some(1));
    let state = &rig.shard.partitions[&partition];
    assert_eq!((state.flushed_offset(), state.keys().unwrap().rest_offset()), (Offset(0), Offset(0)));
    rig.settle_blocks();
    rig.tick_after(2 * SECOND_NS);
    rig.ask(Request::Checkpoint);
    rig.end_write_with_keys(&error, &Ok(()));
    let state = &rig.shard.partitions[&partition];
    assert_eq!((state.flushed_offset(), state.keys().unwrap().rest_offset()), (Offset(0), Offset(0)));
    assert_eq!(state.keys().unwrap().sets(), [], "and keys only with their batch");
    rig.tick_after(2 * SECOND_NS);
    rig.ask(Request::Checkpoint);
    rig.settle();
    let state = &rig.shard.partitions[&partition];
    assert_eq!((state.flushed_offset(), state.keys().unwrap().rest_offset()), (Offset(1), Offset(1)));
}

#[test]
fn keys_outlive_their_records_and_expire_with_the_window() {
    let (mut rig, partition) = with_keys();
    let (_, append_time) = store(&mut rig, partition, &[("a", "1")]);
    rest(&mut rig);
    rig.pass(7 * DAY_NS);
    assert_eq!(answer_to(&mut rig, partition, pay(&[("a", "1")])), duplicate(0, append_time), "within the window");
    rig.pass(1);
    assert_eq!(look_up(&mut rig, partition, "a"), None, "behind it");
    rig.tick_after(6 * SECOND_NS);
    rig.settle();
    assert_eq!(rig.shard.partitions[&partition].keys().unwrap().sets(), []);
    let now = rig.now.realtime;
    assert_eq!(answer_to(&mut rig, partition, pay(&[("a", "1")])), super::rig::captured(1, now), "it is a new payment");
}

#[test]
fn nothing_expires_while_the_clock_is_not_trusted() {
    let (mut rig, partition) = with_keys();
    let (_, append_time) = store(&mut rig, partition, &[("a", "1")]);
    rest(&mut rig);
    rig.now.realtime = Realtime(rig.now.realtime.0 + 30 * DAY_NS);
    rig.event(Event::Tick);
    assert!(rig.shard.status().clock_suspended);
    rig.tick_after(6 * SECOND_NS);
    assert_eq!(answer_to(&mut rig, partition, pay(&[("a", "1")])), duplicate(0, append_time));
}

#[test]
fn a_producers_batch_that_its_keys_answer_uses_its_sequences() {
    let (mut rig, partition) = with_keys();
    let (_, append_time) = store(&mut rig, partition, &[("a", "1"), ("b", "2")]);
    rig.pass(SECOND_NS);
    let known = pay_stamped(&[("a", "1"), ("b", "2")], 7, 0);
    assert_eq!(answer_to(&mut rig, partition, known.clone()), duplicate(0, append_time));
    let next = answer_to(&mut rig, partition, pay_stamped(&[("c", "3")], 7, 2));
    assert_eq!(next, super::rig::captured(2, rig.now.realtime), "its next batch is the next");
    assert_eq!(
        answer_to(&mut rig, partition, known.clone()),
        duplicate(0, append_time),
        "a retry gets the same answer"
    );
    // Nobody hears of it before the note is durable: otherwise its next batch could be out of order after a crash.
    let another = pay_stamped(&[("a", "1")], 8, 0);
    let ids = [rig.capture(partition, another.clone()), rig.capture(partition, another)];
    assert!(ids.iter().all(|id| rig.reply(*id).is_none()));
    rig.settle();
    assert!(ids.iter().all(|id| rig.reply(*id) == Some(&duplicate(0, append_time))));
    // Once its keys have expired nobody knows the answer any more.
    rig.pass(8 * DAY_NS);
    let error = ProducerError::DuplicateBeyondWindow {
        id: ProducerId(7),
        base_sequence: 0,
        oldest_sequence: 2,
        depends_on: crate::model::Sequence(0),
    };
    assert_eq!(answer_to(&mut rig, partition, known), refused(Refusal::Producer(error)));
}

#[test]
fn keys_in_memory_are_bounded_and_taken_to_rest_in_time() {
    let (mut rig, partition) = with_keys();
    rig.shard.keyed.limit_recent(4);
    store(&mut rig, partition, &[("a", "1"), ("b", "1")]);
    assert!(rig.shard.partitions[&partition].keys().unwrap().sets().is_empty());
    let id = rig.capture(partition, pay(&[("c", "1"), ("d", "1"), ("e", "1")]));
    assert_eq!(rig.reply(id), Some(&refused(Refusal::Busy(rig.id))), "there is no room for so many");
    store(&mut rig, partition, &[("c", "1")]);
    assert!(!rig.shard.partitions[&partition].keys().unwrap().sets().is_empty(), "more than half: they are at rest");
    rig.event(Event::Tick);
    assert!(rig.shard.status().keys_recent_count <= 2);
    store(&mut rig, partition, &[("d", "1"), ("e", "1")]);
}

#[test]
fn key_runs_are_put_together_beside_everything_else_and_the_old_ones_stay_as_spares() {
    let (mut rig, partition) = with_keys();
    let mut times = Vec::new();
    for number in 0..4 {
        times.push(store(&mut rig, partition, &[(&format!("p{number}"), "1")]).1);
        rig.ask(Request::Checkpoint);
        rig.settle();
        rig.pass(SECOND_NS);
    }
    let keys = rig.shard.partitions[&partition].keys().unwrap();
    assert_eq!(keys.sets().len(), 1);
    assert_eq!(keys.sets()[0].spares.len(), 4);
    for (number, time) in (0..).zip(&times) {
        let found = answer_to(&mut rig, partition, pay(&[(&format!("p{number}"), "1")]));
        assert_eq!(found, duplicate(number, *time));
    }
    // A damaged run is asked no more: its spares are.
    let run = rig.shard.partitions[&partition].keys().unwrap().sets()[0].run;
    rig.shard.keyed.limit_pieces(0);
    let id = rig.capture(partition, pay(&[("p2", "1")]));
    rig.event(Event::Tick);
    if let Some(read) = rig.key_work.reads.pop_front() {
        let damaged = |piece: &KeyPiece| match piece {
            KeyPiece::Table(of) if *of == run => (*piece, KeyFound::Table(Stored::Damaged("torn".to_owned()))),
            other => panic!("{other:?}"),
        };
        rig.event(Event::KeysRead { partition, found: read.pieces.iter().map(damaged).collect() });
        rig.settle();
    }
    assert_eq!(rig.reply(id), Some(&duplicate(2, times[2])));
}

#[test]
fn a_batch_that_needs_more_than_may_be_held_is_looked_up_key_by_key() {
    let (mut rig, partition) = with_keys();
    let names: Vec<String> = (0..200).map(|number| format!("p{number}")).collect();
    let payments: Vec<(&str, &str)> = names.iter().map(|name| (&**name, "1")).collect();
    let (_, append_time) = store(&mut rig, partition, &payments);
    rest(&mut rig);
    rig.shard.keyed.limit_pieces(0);
    assert_eq!(answer_to(&mut rig, partition, pay(&payments)), duplicate(0, append_time));
    assert!(rig.shard.status().keys_read_count > 3);
    assert_eq!(rig.shard.status().keys_cached_bytes, 0, "nothing is kept that need not be");
}

#[test]
fn a_topic_with_keys_keeps_its_number_of_partitions() {
    let (mut rig, partition) = with_keys();
    let alter = |partition_count| {
        let change = TopicChange { partition_count: Some(partition_count), ..TopicChange::default() };
        Request::AlterTopic { topic: partition.topic, change }
    };
    let refused = Reply::Refused(Refusal::PartitionsFixed { asked: 2, count: 1 });
    assert_eq!(rig.answer(alter(2)), refused);
    assert!(matches!(rig.answer(alter(1)), Reply::TopicAltered(_)), "it is so already");
}

#[test]
fn retention_cuts_no_batch_whose_keys_are_not_at_rest() {
    let mut rig = Rig::serving();
    let Request::CreateTopic { name, partition_count, keys, .. } = keyed_topic("payments", 7) else { unreachable!() };
    let settings = TopicSettings { retention_ns: Some(SECOND_NS), ..TopicSettings::default() };
    let id = rig.ask(Request::CreateTopic { name, partition_count, settings, keys });
    rig.settle();
    let Some(Reply::TopicCreated(topic)) = rig.reply(id) else { panic!("{:?}", rig.reply(id)) };
    let partition = PartitionId { topic: topic.id(), index: 0 };
    let (_, append_time) = store(&mut rig, partition, &[("a", "1")]);
    rig.tick_after(60 * SECOND_NS);
    rig.settle();
    assert_eq!(rig.cuts, [], "its key is nowhere else");
    rest(&mut rig);
    rig.tick_after(60 * SECOND_NS);
    rig.settle();
    assert_eq!(rig.cuts.len(), 1);
    assert_eq!(answer_to(&mut rig, partition, pay(&[("a", "1")])), duplicate(0, append_time));
}
