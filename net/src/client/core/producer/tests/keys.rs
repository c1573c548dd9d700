//! Topics with idempotency keys: where records go, and what becomes of a batch of which some are stored already.

use bytes::Bytes;
use florin_engine::format::batch::RecordWalk;
use florin_engine::format::control::{KeyRule, KeySource, Partitioner};
use florin_engine::key::KeyVerdict;
use florin_engine::model::{Offset, ProducerEpoch, ProducerId, Realtime};
use florin_engine::shard::{Action, KeyReceipt};

use super::rig::{
    Rig, SECOND_NS, error, info, is_unknown, produced, refused_with, rules, stamp, stamps, stored, topic, values,
};
use crate::client::core::producer::{AppendError, Attempt, BatchOutcome, ProducerCore, ProducerRules, StoredRecord};
use crate::client::{Record, SendError};
use crate::protocol::{Code, ErrorResponse, Response, TopicDescription};

const NEW: KeyVerdict = KeyVerdict::New;

fn rule(source: KeySource) -> KeyRule {
    KeyRule::new(source, 7, Vec::new(), Partitioner::Crc32).expect("a rule")
}

fn keyed_topic(source: KeySource, placement: Vec<u16>) -> TopicDescription {
    TopicDescription { keys: Some(rule(source)), ..topic(placement) }
}

/// One partition, batches of many records that wait for a flush.
fn keyed(rules: ProducerRules) -> Rig {
    let mut rig = Rig::without_identity(rules, vec![0]);
    rig.core = ProducerCore::new(keyed_topic(KeySource::RecordKey, vec![0]), rules);
    rig.core.on_identity(ProducerId(70), ProducerEpoch(0));
    rig
}

fn gathering() -> ProducerRules {
    ProducerRules { batch_records_max: 100, linger_ns: 1 << 40, ..rules() }
}

fn payment(key: &str) -> Record {
    Record { key: Some(Bytes::copy_from_slice(key.as_bytes())), ..Record::new(key.to_owned()) }
}

/// Sends these payments as one batch.
fn send_batch(rig: &mut Rig, keys: &[&str]) -> (Bytes, Attempt) {
    for key in keys {
        rig.try_send(&payment(key)).expect("there is room");
    }
    rig.core.expedite();
    rig.pump();
    let mut sent = rig.take();
    assert_eq!(sent.len(), 1);
    sent.remove(0)
}

fn duplicate(offset: u64) -> KeyVerdict {
    KeyVerdict::Duplicate { offset: Offset(offset), append_time: Realtime(9) }
}

fn mixed(records: Vec<KeyVerdict>) -> Response {
    let is_conflict = records.iter().any(KeyVerdict::is_conflict);
    let code = if is_conflict { Code::KEY_CONFLICT } else { Code::KEYS_KNOWN };
    Response::Error(ErrorResponse { records, ..ErrorResponse::new(code, "so the test says") })
}

fn at(offset: u64, duplicate: bool) -> Result<StoredRecord, SendError> {
    let append_time = Realtime(if duplicate { 9 } else { 1 });
    Ok(StoredRecord { offset: Offset(offset), append_time, duplicate })
}

#[test]
fn a_record_goes_where_its_key_belongs_and_nowhere_else() {
    let header = KeySource::Header("payment".into());
    let partitioner = Partitioner::Crc32;
    let mut rig = Rig::without_identity(rules(), vec![0]);
    rig.core = ProducerCore::new(keyed_topic(header.clone(), vec![0; 4]), rules());
    let with = |values: &[Option<&str>]| {
        let value = |value: &Option<&str>| value.map(|value| Bytes::copy_from_slice(value.as_bytes()));
        let headers = values.iter().map(|text| (Bytes::from_static(b"payment"), value(text))).collect();
        Record { key: Some(Bytes::from_static(b"card")), headers, ..Record::new("v") }
    };
    for key in ["a", "b", "c", "d", "e"] {
        let belongs = partitioner.partition_of(key.as_bytes(), 4);
        assert_eq!(rig.try_send(&with(&[Some(key)])).expect("there is room").partition, belongs);
        let elsewhere = Record { partition: Some((belongs + 1) % 4), ..with(&[Some(key)]) };
        let refused = SendError::KeyElsewhere { partition: (belongs + 1) % 4, belongs };
        assert_eq!(rig.try_send(&elsewhere), Err(AppendError::Never(refused)));
    }
    let missing = AppendError::Never(SendError::KeyMissing { place: header });
    assert_eq!(rig.try_send(&with(&[])), Err(missing.clone()));
    assert_eq!(rig.try_send(&with(&[None])), Err(missing.clone()));
    assert_eq!(rig.try_send(&with(&[Some("")])), Err(missing));
    let twice = AppendError::Never(SendError::KeyTwice { name: "payment".into() });
    assert_eq!(rig.try_send(&with(&[Some("a"), Some("b")])), Err(twice));
}

#[test]
fn what_is_stored_already_has_its_receipt_and_the_others_are_sent_alone() {
    let mut rig = keyed(gathering());
    let (_, attempt) = send_batch(&mut rig, &["a", "b", "c"]);
    rig.answer(attempt, mixed(vec![NEW, duplicate(3), NEW]));
    let again = rig.take();
    assert_eq!((values(&again[0].0), stamp(&again[0].0)), (vec!["a".to_owned(), "c".to_owned()], (0, 0)));
    assert!(rig.outcomes().is_empty(), "a batch has one outcome");
    rig.answer(again[0].1, produced(10));
    assert_eq!(rig.outcomes(), [(0, BatchOutcome::Records(vec![at(10, false), at(3, true), at(11, false)]))]);
    assert_eq!(rig.core.buffered_bytes(), 0);
}

#[test]
fn a_record_that_repeats_a_payment_of_its_batch_is_not_sent_and_ends_as_that_one_does() {
    let repeated = KeyVerdict::Repeated { first: 0 };
    let parted = || {
        let mut rig = keyed(gathering());
        let (_, attempt) = send_batch(&mut rig, &["a", "a", "a", "b"]);
        rig.answer(attempt, mixed(vec![NEW, repeated, repeated, NEW]));
        let mut parts = rig.take();
        assert_eq!(parts.iter().map(|(bytes, _)| values(bytes)).collect::<Vec<_>>(), [["a", "b"]]);
        (rig, parts.remove(0).1)
    };
    let (mut rig, part) = parted();
    rig.answer(part, produced(4));
    let again = || at(4, false).map(|stored| StoredRecord { duplicate: true, ..stored });
    let records = vec![at(4, false), again(), again(), at(5, false)];
    assert_eq!(rig.outcomes(), [(0, BatchOutcome::Records(records))]);
    let (mut rig, _) = parted();
    rig.core.close();
    let (_, BatchOutcome::Records(records)) = rig.outcomes().remove(0) else { panic!("it was parted") };
    let is_in_doubt =
        |record: &Result<StoredRecord, SendError>| matches!(record, Err(SendError::OutcomeUnknown { .. }));
    assert!(records.iter().all(is_in_doubt), "nobody is told that a payment is not stored: {records:?}");
    let mut rig = keyed(gathering());
    let (_, attempt) = send_batch(&mut rig, &["a", "a"]);
    rig.answer(attempt, mixed(vec![duplicate(2), repeated]));
    assert_eq!(rig.outcomes(), [(0, BatchOutcome::Records(vec![at(2, true), at(2, true)]))]);
}

#[test]
fn other_payments_under_a_key_of_their_batch_are_sent_behind_it_and_are_conflicts() {
    let mut rig = keyed(gathering());
    for value in ["1 EUR", "2 EUR", "3 EUR"] {
        rig.try_send(&Record { value: Some(Bytes::from(value)), ..payment("a") }).expect("there is room");
    }
    let (_, attempt) = send_batch(&mut rig, &["b"]);
    let repeated = KeyVerdict::Repeated { first: 0 };
    rig.answer(attempt, mixed(vec![NEW, repeated, repeated, NEW]));
    let parts = rig.take();
    assert_eq!(parts.iter().map(|(bytes, _)| values(bytes)).collect::<Vec<_>>(), [["1 EUR", "b"], ["2 EUR", "3 EUR"]]);
    rig.answer(parts[0].1, produced(4));
    let (offset, append_time) = (Offset(4), Realtime(1));
    rig.answer(parts[1].1, mixed(vec![KeyVerdict::Conflict { offset, append_time }, repeated]));
    let last = rig.take();
    assert_eq!(values(&last[0].0), ["3 EUR"]);
    rig.answer(last[0].1, mixed(vec![KeyVerdict::Conflict { offset, append_time }]));
    let conflict = || Err(SendError::KeyConflict { partition: 0, offset, append_time });
    let records = vec![at(4, false), conflict(), conflict(), at(5, false)];
    assert_eq!(rig.outcomes(), [(0, BatchOutcome::Records(records))]);
}

#[test]
fn a_part_keeps_the_times_of_its_records_however_far_they_lie_apart() {
    let times = [0, -5, i64::MAX];
    let mut rig = keyed(gathering());
    for (key, timestamp_ms) in ["a", "b"].into_iter().zip(times) {
        rig.try_send(&Record { timestamp_ms: Some(timestamp_ms), ..payment(key) }).expect("there is room");
    }
    rig.try_send(&Record { timestamp_ms: Some(times[2]), ..payment("c") }).expect("there is room");
    rig.core.expedite();
    rig.pump();
    let (whole, attempt) = rig.take().remove(0);
    rig.answer(attempt, mixed(vec![duplicate(1), NEW, NEW]));
    let part = rig.take().remove(0).0;
    let base_ms = info(&part).base_timestamp_ms;
    let walk = RecordWalk::new(&part).expect("a batch");
    let of_part: Vec<i64> = walk.map(|record| base_ms + record.expect("whole").timestamp_delta_ms).collect();
    assert_eq!(of_part, times[1..]);
    assert!(part.len() < whole.len(), "a part is smaller than the whole");
}

#[test]
fn what_cannot_be_told_of_a_key_until_the_end_is_no_refusal() {
    let mut rig = keyed(gathering());
    let (_, attempt) = send_batch(&mut rig, &["a"]);
    let unanswerable = ErrorResponse { action: Action::Retry, ..ErrorResponse::new(Code(54), "so the test says") };
    rig.answer(attempt, Response::Error(unanswerable));
    rig.core.close();
    assert!(is_unknown(&rig.outcomes()[0].1), "it may be stored");
}

#[test]
fn a_payment_under_the_key_of_another_is_a_conflict_and_the_others_are_stored() {
    let mut rig = keyed(gathering());
    let (_, attempt) = send_batch(&mut rig, &["a", "b"]);
    let (offset, append_time) = (Offset(3), Realtime(9));
    rig.answer(attempt, mixed(vec![KeyVerdict::Conflict { offset, append_time }, NEW]));
    let again = rig.take();
    rig.answer(again[0].1, produced(7));
    let conflict = Err(SendError::KeyConflict { partition: 0, offset, append_time });
    assert_eq!(rig.outcomes(), [(0, BatchOutcome::Records(vec![conflict, at(7, false)]))]);
}

#[test]
fn batches_behind_one_that_is_parted_take_the_sequences_that_follow_in_the_same_epoch() {
    let mut rig = keyed(gathering());
    let (_, before) = send_batch(&mut rig, &["x"]);
    let (_, first) = send_batch(&mut rig, &["a", "b", "c"]);
    let (_, second) = send_batch(&mut rig, &["d", "e"]);
    rig.answer(before, produced(0));
    rig.answer(second, error(Code::OUT_OF_ORDER));
    assert!(rig.take().is_empty(), "one answer is still missing");
    rig.answer(first, mixed(vec![duplicate(1), NEW, duplicate(2)]));
    let again = rig.take();
    assert_eq!(stamps(&again), [(0, 1), (0, 2)]);
    assert_eq!(
        (values(&again[0].0), values(&again[1].0)),
        (vec!["b".to_owned()], vec!["d".to_owned(), "e".to_owned()])
    );
    rig.answer(again[0].1, produced(3));
    rig.answer(again[1].1, produced(4));
    let records = vec![at(1, true), at(3, false), at(2, true)];
    assert_eq!(rig.outcomes(), [(0, stored(0)), (1, BatchOutcome::Records(records)), (2, stored(4))]);
}

#[test]
fn a_first_batch_that_is_all_stored_in_parts_leaves_its_sequences_to_the_next() {
    let mut rig = keyed(gathering());
    let (_, first) = send_batch(&mut rig, &["a", "b"]);
    let (_, second) = send_batch(&mut rig, &["c"]);
    let (offset, append_time) = (Offset(8), Realtime(9));
    rig.answer(first, mixed(vec![duplicate(1), KeyVerdict::Conflict { offset, append_time }]));
    rig.answer(second, error(Code::UNKNOWN_PRODUCER));
    let again = rig.take();
    assert_eq!(stamps(&again), [(0, 0)], "the server has heard of no sequence yet");
    rig.answer(again[0].1, produced(2));
    assert_eq!(rig.outcomes().len(), 2);
}

#[test]
fn what_may_still_come_from_a_lost_connection_is_fenced_before_sequences_are_used_again() {
    let mut rig = keyed(gathering());
    let first = send_batch(&mut rig, &["a", "b"]);
    let second = send_batch(&mut rig, &["c"]);
    rig.lose(&[first, second]);
    rig.wait(SECOND_NS);
    let again = rig.take();
    assert_eq!(stamps(&again), [(0, 0), (0, 2)]);
    rig.answer(again[0].1, mixed(vec![duplicate(1), NEW]));
    rig.answer(again[1].1, error(Code::UNKNOWN_PRODUCER));
    let fenced = rig.take();
    assert_eq!(stamps(&fenced), [(1, 0), (1, 1)], "keys keep them from being stored twice");
    rig.answer(fenced[0].1, produced(5));
    let receipt = KeyReceipt { offset: Offset(3), append_time: Realtime(9) };
    rig.answer(fenced[1].1, Response::Known(vec![receipt]));
    let outcomes = rig.outcomes();
    assert_eq!(outcomes[0], (0, BatchOutcome::Records(vec![at(1, true), at(5, false)])));
    assert_eq!(outcomes[1], (1, BatchOutcome::Records(vec![at(3, true)])));
}

#[test]
fn a_lost_batch_is_fenced_also_if_its_parts_end_before_another_is_sent() {
    let mut rig = keyed(gathering());
    let first = send_batch(&mut rig, &["a", "b"]);
    rig.lose(std::slice::from_ref(&first));
    rig.wait(SECOND_NS);
    let again = rig.take();
    rig.answer(
        again[0].1,
        mixed(vec![duplicate(1), KeyVerdict::Conflict { offset: Offset(2), append_time: Realtime(9) }]),
    );
    assert_eq!(rig.outcomes().len(), 1);
    let (next, _) = send_batch(&mut rig, &["c"]);
    assert_eq!(stamp(&next), (1, 0), "the first may still come, under the sequences of the old epoch");
}

#[test]
fn a_batch_whose_receipt_the_server_has_forgotten_is_recognised_by_its_keys() {
    let mut rig = keyed(gathering());
    let sent = send_batch(&mut rig, &["a"]);
    rig.lose(std::slice::from_ref(&sent));
    rig.wait(SECOND_NS);
    let again = rig.take();
    rig.answer(again[0].1, error(Code::DUPLICATE_BEYOND_WINDOW));
    let restamped = rig.take();
    assert_eq!(stamps(&restamped), [(1, 0)]);
    let receipt = KeyReceipt { offset: Offset(3), append_time: Realtime(9) };
    rig.answer(restamped[0].1, Response::Known(vec![receipt]));
    assert_eq!(rig.outcomes(), [(0, BatchOutcome::Records(vec![at(3, true)]))]);
}

#[test]
fn a_producer_without_an_identity_sends_again_what_has_a_key() {
    let mut rig = keyed(ProducerRules { idempotent: false, ..gathering() });
    let sent = send_batch(&mut rig, &["a", "b"]);
    rig.lose(std::slice::from_ref(&sent));
    rig.wait(SECOND_NS);
    let again = rig.take();
    assert_eq!(again[0].0, sent.0);
    rig.answer(again[0].1, mixed(vec![duplicate(1), NEW]));
    let rest = rig.take();
    assert_eq!(values(&rest[0].0), ["b"]);
    rig.answer(rest[0].1, produced(2));
    assert_eq!(rig.outcomes(), [(0, BatchOutcome::Records(vec![at(1, true), at(2, false)]))]);
}

#[test]
fn a_part_without_an_answer_leaves_only_its_records_in_doubt() {
    let mut rig = keyed(gathering());
    let (_, attempt) = send_batch(&mut rig, &["a", "b"]);
    rig.answer(attempt, mixed(vec![duplicate(1), NEW]));
    assert_eq!(rig.take().len(), 1);
    rig.core.close();
    let outcomes = rig.outcomes();
    let (0, BatchOutcome::Records(records)) = &outcomes[0] else { panic!("{outcomes:?}") };
    assert_eq!(records[0], at(1, true));
    assert!(is_unknown(&BatchOutcome::Failed(records[1].clone().expect_err("no answer came"))));
}

#[test]
fn verdicts_that_are_not_about_this_batch_end_it() {
    let mut rig = keyed(gathering());
    let (_, attempt) = send_batch(&mut rig, &["a", "b"]);
    rig.answer(attempt, mixed(vec![NEW]));
    assert_eq!(refused_with(&rig.outcomes()[0].1), Some(Code::KEYS_KNOWN));
    for endless in [vec![NEW, NEW], vec![KeyVerdict::Repeated { first: 1 }, NEW]] {
        let (_, attempt) = send_batch(&mut rig, &["a", "b"]);
        rig.answer(attempt, mixed(endless));
        assert_eq!(refused_with(&rig.outcomes()[0].1), Some(Code::KEYS_KNOWN), "it would be sent for ever");
    }
}
