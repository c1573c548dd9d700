//! One test per rule.

use super::{HALF, SEQUENCE_MAX, accept, receipt, stamp, table_at, table_of};
use crate::limits::PRODUCER_WINDOW_BATCHES;
use crate::model::{Offset, ProducerEpoch, ProducerId, Realtime, Sequence};
use crate::producer::{Admission, ProducerError, ProducerTable};

fn refusal(table: &ProducerTable, stamp: super::ProducerStamp, crc: u32) -> ProducerError {
    match table.check(&stamp, crc) {
        Admission::Refused(error) => error,
        other => panic!("{stamp:?} gave {other:?}"),
    }
}

fn out_of_order(expected: u32, got: u32, depends_on: Sequence) -> ProducerError {
    ProducerError::OutOfOrder { id: ProducerId(1), expected, got, depends_on }
}

#[test]
fn unknown_producer_must_begin_at_sequence_zero() {
    let table = table_of(1);
    assert_eq!(table.check(&stamp(2, 5, 0, 3), 0), Admission::New);
    let unknown = ProducerError::UnknownProducer { id: ProducerId(2), base_sequence: 1 };
    assert_eq!(refusal(&table, stamp(2, 5, 1, 3), 0), unknown);
    assert_eq!(unknown.depends_on(), None);
}

#[test]
fn full_table_refuses_new_producers_and_keeps_the_known() {
    let mut table = ProducerTable::new(2);
    accept(&mut table, stamp(1, 0, 0, 1), 0, receipt(1));
    accept(&mut table, stamp(2, 0, 0, 1), 0, receipt(2));
    let full = ProducerError::TableFull { id: ProducerId(3), count_max: 2 };
    assert_eq!(refusal(&table, stamp(3, 0, 0, 1), 0), full);
    accept(&mut table, stamp(1, 0, 1, 1), 0, receipt(3));
    accept(&mut table, stamp(2, 1, 0, 1), 0, receipt(4));
    assert!(table.remove(ProducerId(1), ProducerEpoch(0)));
    accept(&mut table, stamp(3, 0, 0, 1), 0, receipt(5));
    assert_eq!(table.len(), 2);
}

#[test]
fn next_batch_in_sequence_is_new() {
    assert_eq!(table_of(3).check(&stamp(1, 0, 30, 7), 99), Admission::New);
}

#[test]
fn every_batch_of_the_window_sent_again_gets_its_own_receipt() {
    let table = table_of(8);
    let oldest = 8 - u32::try_from(PRODUCER_WINDOW_BATCHES).unwrap();
    for batch in oldest..8 {
        let again = table.check(&stamp(1, 0, batch * 10, 10), batch);
        assert_eq!(again, Admission::Duplicate(receipt(u64::from(batch) + 1)));
    }
}

#[test]
fn batch_before_the_window_is_a_duplicate_whose_receipt_is_gone() {
    let table = table_of(8);
    for batch in 0..3 {
        let error = ProducerError::DuplicateBeyondWindow {
            id: ProducerId(1),
            base_sequence: batch * 10,
            oldest_sequence: 30,
            depends_on: receipt(8).sequence,
        };
        assert_eq!(refusal(&table, stamp(1, 0, batch * 10, 10), batch), error);
        assert_eq!(error.depends_on(), Some(receipt(8).sequence));
    }
}

#[test]
fn batch_ahead_is_out_of_order_and_told_what_is_next() {
    let table = table_of(3);
    assert_eq!(refusal(&table, stamp(1, 0, 31, 1), 0), out_of_order(30, 31, receipt(3).sequence));
    assert_eq!(refusal(&table, stamp(1, 0, 30 + HALF - 1, 1), 0), out_of_order(30, 30 + HALF - 1, receipt(3).sequence));
}

#[test]
fn other_content_for_stored_sequences_is_a_conflict_that_names_the_original() {
    let table = table_of(8);
    let cases = [
        (stamp(1, 0, 50, 10), 99, 50),
        (stamp(1, 0, 50, 9), 5, 50),
        (stamp(1, 0, 50, 11), 5, 50),
        (stamp(1, 0, 51, 9), 5, 50),
        (stamp(1, 0, 55, 10), 5, 50),
        (stamp(1, 0, 79, 5), 7, 70),
        (stamp(1, 0, 25, 10), 2, 30),
        (stamp(1, 0, 0, 100), 0, 30),
    ];
    for (sent, crc, held_base_sequence) in cases {
        let batch = u64::from(held_base_sequence / 10);
        let conflict = ProducerError::SequenceConflict {
            id: ProducerId(1),
            base_sequence: sent.base_sequence,
            last_sequence: sent.last_sequence,
            held_base_sequence,
            held_last_sequence: held_base_sequence + 9,
            base_offset: Offset((batch + 1) * 10),
            depends_on: receipt(batch + 1).sequence,
        };
        assert_eq!(refusal(&table, sent, crc), conflict);
        assert_eq!(conflict.depends_on(), Some(receipt(batch + 1).sequence));
    }
}

#[test]
fn lower_epoch_is_fenced_whatever_it_sends() {
    let mut table = table_of(3);
    accept(&mut table, stamp(1, 2, 0, 1), 0, receipt(9));
    for (epoch, base_sequence) in [(0, 20), (0, 30), (1, 0), (1, 5)] {
        let fenced = ProducerError::Fenced {
            id: ProducerId(1),
            known: ProducerEpoch(2),
            got: ProducerEpoch(epoch),
            depends_on: receipt(9).sequence,
        };
        assert_eq!(refusal(&table, stamp(1, epoch, base_sequence, 10), 2), fenced);
    }
}

#[test]
fn higher_epoch_must_begin_at_zero_and_forgets_the_window() {
    let mut table = table_of(8);
    assert_eq!(refusal(&table, stamp(1, 1, 80, 1), 0), out_of_order(0, 80, receipt(8).sequence));
    accept(&mut table, stamp(1, 1, 0, 1), 0, receipt(9));
    assert_eq!(refusal(&table, stamp(1, 1, 50, 10), 5), out_of_order(1, 50, receipt(9).sequence));
    assert_eq!(table.check(&stamp(1, 1, 0, 1), 0), Admission::Duplicate(receipt(9)));
    assert_eq!(table.check(&stamp(1, 1, 1, 1), 0), Admission::New);
}

#[test]
fn sequence_that_was_never_accepted_is_not_called_a_duplicate_however_near_zero_it_wraps() {
    for batch_count in [1, 8] {
        let table = table_of(batch_count);
        let (next, got) = (batch_count * 10, SEQUENCE_MAX - 3);
        let depends_on = receipt(u64::from(batch_count)).sequence;
        assert_eq!(refusal(&table, stamp(1, 0, got, 2), 0), out_of_order(next, got, depends_on));
    }
}

#[test]
fn sequence_goes_on_at_zero_behind_the_last() {
    let mut table = table_at(SEQUENCE_MAX);
    accept(&mut table, stamp(1, 0, SEQUENCE_MAX, 1), 9, receipt(8));
    assert_eq!(table.check(&stamp(1, 0, 1, 1), 9), Admission::Refused(out_of_order(0, 1, receipt(8).sequence)));
    accept(&mut table, stamp(1, 0, 0, 1), 9, receipt(9));
    assert_eq!(table.check(&stamp(1, 0, SEQUENCE_MAX, 1), 9), Admission::Duplicate(receipt(8)));
    assert_eq!(table.check(&stamp(1, 0, 0, 1), 9), Admission::Duplicate(receipt(9)));
}

#[test]
fn batch_that_wraps_within_is_recognised_and_its_parts_conflict() {
    let mut table = table_at(SEQUENCE_MAX);
    accept(&mut table, stamp(1, 0, SEQUENCE_MAX, 4), 9, receipt(8));
    assert_eq!(table.check(&stamp(1, 0, SEQUENCE_MAX, 4), 9), Admission::Duplicate(receipt(8)));
    for part in [stamp(1, 0, SEQUENCE_MAX, 1), stamp(1, 0, 0, 3), stamp(1, 0, 2, 1), stamp(1, 0, 2, 5)] {
        assert!(matches!(refusal(&table, part, 9), ProducerError::SequenceConflict { base_offset: Offset(80), .. }));
    }
    assert_eq!(table.check(&stamp(1, 0, 3, 1), 9), Admission::New);
}

#[test]
fn old_and_ahead_are_told_apart_by_half_the_range_once_the_sequence_has_wrapped() {
    let mut table = table_at(SEQUENCE_MAX);
    for batch in 0..10 {
        let base_sequence = (SEQUENCE_MAX + batch) % (1 << 31);
        accept(&mut table, stamp(1, 0, base_sequence, 1), 9, receipt(u64::from(batch) + 8));
    }
    let depends_on = receipt(17).sequence;
    for old in [3, 0, SEQUENCE_MAX, SEQUENCE_MAX - 100, 9 + HALF] {
        let error = refusal(&table, stamp(1, 0, old, 1), 9);
        assert!(matches!(error, ProducerError::DuplicateBeyondWindow { oldest_sequence: 4, .. }), "{old}: {error}");
    }
    for ahead in [10, 1000, 8 + HALF] {
        assert_eq!(refusal(&table, stamp(1, 0, ahead, 1), 9), out_of_order(9, ahead, depends_on));
    }
}

#[test]
fn producers_expire_only_after_more_than_the_idle_time_and_come_in_id_order() {
    let mut table = ProducerTable::new(8);
    for (number, id) in [(1, 30), (2, 10), (3, 20), (4, 40)] {
        accept(&mut table, stamp(id, 6, 0, 1), 0, receipt(number));
    }
    accept(&mut table, stamp(10, 6, 1, 1), 0, receipt(5));
    let same = table.clone();
    let mut expired = |now| -> Vec<u64> { table.expired(Realtime(now), 100).map(|(id, _)| id.0).collect() };
    assert_eq!(expired(0), [0; 0]);
    assert_eq!(expired(1100), [0; 0]);
    assert_eq!(expired(1101), [30]);
    assert_eq!(expired(3101), [20, 30]);
    assert_eq!(expired(9000), [10, 20, 30, 40]);
    assert_eq!(table.expired(Realtime(1101), 100).next(), Some((ProducerId(30), ProducerEpoch(6))));
    assert_eq!(table, same, "to look who is idle changes nothing that is known");
}

#[test]
fn producer_is_removed_only_if_id_and_epoch_match() {
    let mut table = table_of(2);
    accept(&mut table, stamp(1, 3, 0, 1), 0, receipt(5));
    assert!(!table.remove(ProducerId(1), ProducerEpoch(0)));
    assert!(!table.remove(ProducerId(2), ProducerEpoch(3)));
    assert_eq!(table.len(), 1);
    assert!(table.remove(ProducerId(1), ProducerEpoch(3)));
    assert!(table.is_empty() && table.expired(Realtime(u64::MAX), 0).next().is_none());
    assert!(matches!(refusal(&table, stamp(1, 3, 1, 1), 0), ProducerError::UnknownProducer { .. }));
}

#[test]
#[should_panic(expected = "out of sequence")]
fn applying_a_batch_that_is_not_next_is_a_broken_invariant() {
    table_of(2).apply(&stamp(1, 0, 30, 1), 0, receipt(9));
}

#[test]
#[should_panic(expected = "too many")]
fn applying_a_producer_too_many_is_a_broken_invariant() {
    let mut table = ProducerTable::new(1);
    table.apply(&stamp(1, 0, 0, 1), 0, receipt(1));
    table.apply(&stamp(2, 0, 0, 1), 0, receipt(2));
}

#[test]
#[should_panic(expected = "offsets of producer 1 go back")]
fn applying_a_receipt_with_an_older_offset_is_a_broken_invariant() {
    table_of(2).apply(&stamp(1, 0, 20, 1), 0, receipt(2));
}
