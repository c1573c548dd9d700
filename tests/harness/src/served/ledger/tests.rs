//! The ledger must not be asleep: each broken promise is found, and called by its name.

use florin_engine::model::{PartitionId, TopicId};

use super::topics::Topic;
use super::{Contents, Heard, Ledger, Note, Promise, Violation};
use crate::real::line::{Placed, Sent, Stamp, Tag};

const PARTITION: PartitionId = PartitionId { topic: TopicId(1), index: 0 };
const OTHER: PartitionId = PartitionId { topic: TopicId(1), index: 1 };
const RECORDS: u32 = 2;

fn tag(serial: u32) -> Tag {
    Tag { run: 0, producer: 0, serial }
}

/// Stamped batch number `serial` of the only producer.
fn sent(serial: u32) -> Sent {
    let stamp = Some(Stamp { id: 7, epoch: 0, sequence: serial * RECORDS });
    Sent { partition: PARTITION, tag: tag(serial), crc: 1000 + serial, record_count: RECORDS, stamp }
}

fn plain(serial: u32) -> Sent {
    let tag = Tag { producer: 1, ..tag(serial) };
    Sent { tag, stamp: None, crc: 2000 + serial, ..sent(serial) }
}

fn at(sent: &Sent, base_offset: u64) -> Placed {
    let (partition, tag, crc) = (sent.partition, sent.tag, sent.crc);
    let last_offset = base_offset + u64::from(sent.record_count) - 1;
    Placed { partition, base_offset, last_offset, append_time: 5000 + base_offset, crc, tag }
}

fn stored(sent: &Sent, base_offset: u64, duplicate: bool) -> Note {
    let append_time = 5000 + base_offset;
    Note::Answered(sent.tag, Heard::Stored { base_offset, append_time, duplicate })
}

fn refused(sent: &Sent) -> Note {
    Note::Answered(sent.tag, Heard::Refused(5))
}

fn topic() -> Topic {
    Topic { id: TopicId(1), name: "payments".to_owned(), placement: vec![0, 1] }
}

/// After a restart.
fn read_back(batches: &[Placed]) -> Vec<Note> {
    let end = batches.last().map_or(0, |placed| placed.last_offset + 1);
    read_back_until(batches, end)
}

fn read_back_until(batches: &[Placed], end: u64) -> Vec<Note> {
    let contents = Contents { start: 0, end, batches: batches.to_vec() };
    vec![
        Note::Listed(vec![topic()]),
        Note::ReadBack(PARTITION, contents),
        Note::ReadBack(OTHER, Contents::default()),
        Note::AllRead,
    ]
}

/// Batches 0 and 1 were acknowledged, 2 was shown, 3 was sent; plain batch 0 was refused.
fn before() -> Vec<Note> {
    let mut notes = vec![Note::Creating("payments".to_owned(), 2), Note::Created(topic())];
    notes.extend((0..4).map(|serial| Note::Sending(sent(serial))));
    notes.extend([stored(&sent(0), 0, false), stored(&sent(1), 2, false), Note::Shown(at(&sent(2), 4))]);
    notes.extend([Note::Sending(plain(0)), refused(&plain(0))]);
    notes
}

fn kept() -> Vec<Placed> {
    (0..3).map(|serial| at(&sent(serial), u64::from(serial * RECORDS))).collect()
}

/// The rule that these notes break, behind what happened before.
fn broken(notes: &[Note]) -> Option<&'static str> {
    let mut ledger = Ledger::default();
    before().iter().for_each(|note| ledger.note(note));
    ledger.verdict().expect("nothing is wrong yet");
    notes.iter().for_each(|note| ledger.note(note));
    ledger.verdict().err().map(|violation| violation.rule)
}

fn broken_by_reading(batches: &[Placed]) -> Option<&'static str> {
    broken(&read_back(batches))
}

/// The rule that these notes break, behind a restart that kept everything but what nobody was told of.
fn broken_after_restart(notes: &[Note]) -> Option<&'static str> {
    broken(&[read_back(&kept()), notes.to_vec()].concat())
}

#[test]
fn batch_without_an_answer_may_be_there_or_not() {
    assert_eq!(broken_by_reading(&kept()), None);
    assert_eq!(broken_by_reading(&[kept(), vec![at(&sent(3), 6)]].concat()), None);
}

#[test]
fn lost_batch_is_found() {
    assert_eq!(broken_by_reading(&[]), Some("lost"));
    assert_eq!(broken_by_reading(&kept()[..1]), Some("lost"));
    assert_eq!(broken_by_reading(&kept()[1..]), Some("gap"));
}

#[test]
fn batch_that_was_shown_and_is_gone_is_found() {
    assert_eq!(broken_by_reading(&kept()[..2]), Some("shown and gone"));
}

#[test]
fn doubled_batch_is_found() {
    assert_eq!(broken_by_reading(&[kept(), vec![at(&sent(2), 6)]].concat()), Some("stored twice"));
    assert_eq!(broken_by_reading(&[kept(), vec![at(&sent(3), 6), at(&sent(3), 8)]].concat()), Some("stored twice"));
}

#[test]
fn moved_batch_is_found() {
    assert_eq!(broken_by_reading(&[at(&sent(1), 0), at(&sent(0), 2), at(&sent(2), 4)]), Some("moved"));
    let later = Placed { append_time: 9999, ..at(&sent(2), 4) };
    assert_eq!(broken_by_reading(&[kept()[0], kept()[1], later]), Some("moved"));
}

#[test]
fn offset_that_is_given_again_is_found() {
    let sending = Note::Sending(sent(4));
    assert_eq!(broken_after_restart(&[sending.clone(), stored(&sent(4), 4, false)]), Some("offset given twice"));
    assert_eq!(broken_after_restart(&[sending.clone(), stored(&sent(4), 5, false)]), Some("offset given twice"));
    assert_eq!(broken_by_reading(&[kept()[0], kept()[1], at(&sent(3), 4)]), Some("offset given twice"));
}

#[test]
fn next_offset_is_held_against_the_first_answer_after_a_restart() {
    let sending = [Note::Sending(plain(1)), Note::Sending(plain(2))];
    let both = |first: u64, second: u64| {
        broken_after_restart(&[
            sending[0].clone(),
            stored(&plain(1), first, false),
            sending[1].clone(),
            stored(&plain(2), second, false),
        ])
    };
    assert_eq!(both(6, 8), None);
    assert_eq!(both(8, 6), Some("next offset"));
    assert_eq!(broken(&read_back_until(&kept(), 7)), Some("next offset"));
}

#[test]
fn batches_of_a_producer_out_of_order_are_found() {
    let sendings = [Note::Sending(sent(4)), Note::Sending(plain(1)), Note::Sending(plain(2))];
    let read = |batches: &[Placed]| broken(&[sendings.to_vec(), read_back(&[&kept(), batches].concat())].concat());
    assert_eq!(read(&[at(&sent(3), 6), at(&sent(4), 8)]), None);
    assert_eq!(read(&[at(&sent(4), 6)]), Some("out of order"));
    assert_eq!(read(&[at(&plain(1), 6), at(&plain(2), 8)]), None);
    assert_eq!(read(&[at(&plain(2), 6), at(&plain(1), 8)]), Some("out of order"));
}

#[test]
fn new_epoch_begins_at_sequence_0_and_the_older_one_does_not_come_back() {
    let raised = |serial: u32, sequence: u32| Sent { stamp: Some(Stamp { id: 7, epoch: 1, sequence }), ..sent(serial) };
    let read = |batches: &[Sent]| {
        let sendings: Vec<_> = batches.iter().map(|sent| Note::Sending(*sent)).collect();
        let placed = batches.iter().zip(3..).map(|(sent, nth)| at(sent, nth * u64::from(RECORDS)));
        broken(&[sendings, read_back(&[kept(), placed.collect()].concat())].concat())
    };
    assert_eq!(read(&[raised(10, 0), raised(11, 2)]), None);
    assert_eq!(read(&[raised(10, 2)]), Some("out of order"));
    assert_eq!(read(&[raised(10, 0), sent(3)]), Some("out of order"));
}

#[test]
fn gap_is_found() {
    assert_eq!(broken_by_reading(&[kept(), vec![at(&sent(3), 7)]].concat()), Some("gap"));
}

#[test]
fn append_time_that_goes_back_is_found() {
    let early = Placed { append_time: 1, ..at(&sent(3), 6) };
    assert_eq!(broken_by_reading(&[kept(), vec![early]].concat()), Some("append time goes back"));
}

#[test]
fn other_bytes_are_found() {
    assert_eq!(broken_by_reading(&[kept(), vec![Placed { crc: 1, ..at(&sent(3), 6) }]].concat()), Some("other bytes"));
    let longer = Placed { last_offset: 9, ..at(&sent(3), 6) };
    assert_eq!(broken_by_reading(&[kept(), vec![longer]].concat()), Some("other bytes"));
    let elsewhere = Placed { partition: OTHER, ..at(&sent(3), 0) };
    assert_eq!(broken(&[Note::Shown(elsewhere)]), Some("other bytes"));
}

#[test]
fn what_nobody_sent_is_found() {
    assert_eq!(broken_by_reading(&[kept(), vec![at(&sent(9), 6)]].concat()), Some("never sent"));
}

#[test]
fn batch_that_was_refused_each_time_and_is_stored_is_found() {
    assert_eq!(broken_by_reading(&[kept(), vec![at(&plain(0), 6)]].concat()), Some("refused and stored"));
    let once_more = [Note::Sending(sent(3)), refused(&sent(3))];
    let read = read_back(&[kept(), vec![at(&sent(3), 6)]].concat());
    // Its first sending was never answered, so it may be there.
    assert_eq!(broken(&[once_more.to_vec(), read].concat()), None);
}

#[test]
fn batch_that_was_gone_at_a_restart_does_not_come_back_unsent() {
    let twice = [read_back(&kept()), read_back(&[kept(), vec![at(&sent(3), 6)]].concat())].concat();
    assert_eq!(broken(&twice), Some("refused and stored"));
    assert_eq!(broken_after_restart(&[Note::Shown(at(&sent(3), 6))]), Some("refused and stored"));
}

#[test]
fn retry_gets_the_first_receipt_as_a_duplicate() {
    let retried = |answer: Note| broken_after_restart(&[Note::Sending(sent(2)), answer]);
    assert_eq!(retried(stored(&sent(2), 4, true)), None);
    assert_eq!(retried(stored(&sent(2), 6, true)), Some("another receipt"));
    assert_eq!(retried(stored(&sent(2), 6, false)), Some("stored again"));
    assert_eq!(retried(stored(&sent(2), 4, false)), Some("stored again"));
    let other_time = Heard::Stored { base_offset: 4, append_time: 1, duplicate: true };
    assert_eq!(retried(Note::Answered(tag(2), other_time)), Some("another receipt"));
}

#[test]
fn retry_of_what_was_gone_is_new() {
    let retried = |answer: Note| broken_after_restart(&[Note::Sending(sent(3)), answer]);
    assert_eq!(retried(stored(&sent(3), 6, false)), None);
    assert_eq!(retried(stored(&sent(3), 6, true)), Some("duplicate of nothing"));
}

#[test]
fn second_sending_to_the_same_server_may_be_a_duplicate_of_the_first() {
    assert_eq!(broken(&[Note::Sending(sent(3)), stored(&sent(3), 6, true)]), None);
    let refused_first = [refused(&sent(3)), Note::Sending(sent(3)), stored(&sent(3), 6, true)];
    assert_eq!(broken(&refused_first), Some("duplicate of nothing"));
    assert_eq!(broken(&[Note::Sending(sent(1)), stored(&sent(1), 2, false)]), Some("stored again"));
}

#[test]
fn end_below_what_was_told_before_it_was_asked_for_is_found() {
    let asked = |end: u64| broken(&[Note::AskingEnd(1, PARTITION), Note::End(Some(1), PARTITION, end)]);
    assert_eq!(asked(6), None);
    assert_eq!(asked(5), Some("end goes back"));
    let told = [vec![Note::End(None, PARTITION, 8)], read_back(&kept())].concat();
    assert_eq!(broken(&told), Some("end goes back"));
}

#[test]
fn partition_that_is_not_read_back_is_found() {
    assert_eq!(broken(&[Note::Listed(vec![topic()]), Note::AllRead]), Some("not read back"));
}

#[test]
fn producer_id_that_is_given_twice_is_found() {
    assert_eq!(broken(&[Note::Minted(7), Note::Minted(8)]), None);
    assert_eq!(broken(&[Note::Minted(7), Note::Minted(7)]), Some("producer id given twice"));
}

#[test]
fn plain_batch_that_is_sent_twice_is_a_fault_of_the_test() {
    assert_eq!(broken(&[Note::Sending(plain(0))]), None, "it was refused, and nothing of it is stored");
    assert_eq!(broken(&[Note::Sending(plain(1)), Note::Sending(plain(1))]), Some("the test itself"));
}

#[test]
fn lost_changed_and_unasked_topics_are_found() {
    let listed = |topics: &[Topic]| broken(&[Note::Listed(topics.to_vec())]);
    assert_eq!(listed(&[topic()]), None);
    assert_eq!(listed(&[]), Some("topic lost"));
    assert_eq!(listed(&[Topic { name: "other".to_owned(), ..topic() }]), Some("topic changed"));
    let other = Topic { id: TopicId(2), name: "other".to_owned(), placement: vec![0] };
    assert_eq!(listed(&[topic(), other.clone()]), Some("topic from nowhere"));
    let asked = [Note::Creating("other".to_owned(), 1), Note::Listed(vec![topic(), other.clone()])];
    assert_eq!(broken(&asked), None);
    let then_gone = [asked.to_vec(), vec![Note::Listed(vec![topic()])]].concat();
    assert_eq!(broken(&then_gone), Some("topic lost"));
    let refused = [Note::Creating("other".to_owned(), 1), Note::NotCreated("other".to_owned())];
    assert_eq!(broken(&[&refused[..], &[Note::Created(other)]].concat()), Some("topic from nowhere"));
}

#[test]
fn deleted_topic_is_gone_for_good_with_its_batches() {
    let (asking, deleted) = (Note::Deleting(TopicId(1)), Note::Deleted(TopicId(1)));
    assert_eq!(broken(&[asking.clone(), deleted.clone(), Note::Listed(vec![]), Note::AllRead]), None);
    assert_eq!(broken(&[asking.clone(), deleted, Note::Listed(vec![topic()])]), Some("deleted topic is back"));
    let unanswered = [vec![asking.clone()], read_back(&kept())].concat();
    assert_eq!(broken(&unanswered), None);
    assert_eq!(broken(&[vec![asking.clone()], read_back(&kept()[..2])].concat()), Some("shown and gone"));
    let gone_then_back = [asking, Note::Listed(vec![]), Note::Listed(vec![topic()])];
    assert_eq!(broken(&gone_then_back), Some("deleted topic is back"));
}

#[test]
fn broken_rules_are_counted_under_the_promise_that_they_belong_to() {
    let promise = |rule| Violation { rule, what: String::new() }.promise();
    let rules = ["shown and gone", "stored again", "offset given twice", "append time goes back", "other bytes"];
    let promises = [Promise::Lost, Promise::Doubled, Promise::ReMinted, Promise::OutOfOrder, Promise::WrongBytes];
    assert_eq!(rules.map(promise), promises);
    assert_eq!(promise("refused too much"), Promise::DamageUnnamed);
    assert_eq!(promise("topic from nowhere"), Promise::Unexpected);
}
