//! Topics with idempotency keys: what is answered. What they share is here.

mod at_rest;
mod waiting;

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
