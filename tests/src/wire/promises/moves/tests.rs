//! Each anomaly is found where it is.

use florin_engine::model::{ProducerEpoch, ProducerId};

use super::*;

const PARTITION: u32 = 0;
const OTHER: u32 = 1;

fn named(name: &str, epoch: u16) -> Manner {
    let key = TransactionKey { producer: ProducerId(1), epoch: ProducerEpoch(epoch) };
    Manner::Transaction(TransactionalId::new(name).expect("a name"), key)
}

/// A move of two values, one in each partition, that was asked to count and told so.
fn committed(moves: &mut Moves, number: u64, manner: Manner) -> [u64; 2] {
    let values = [Moves::value(number, 0), Moves::value(number, 1)];
    moves.begin(number, manner, vec![(PARTITION, values[0]), (OTHER, values[1])], false);
    moves.ask(number);
    moves.tell(number, TransactionOutcome::Committed).expect("it was asked for");
    values
}

/// What is visible of both partitions, from offset 0 on.
fn stored(records: [&[u64]; 2]) -> Stored {
    let of = |values: &[u64]| (0..).zip(values.iter().copied()).collect();
    Stored {
        visible: [(PARTITION, of(records[0])), (OTHER, of(records[1]))].into_iter().collect(),
        offsets: BTreeMap::new(),
    }
}

#[track_caller]
fn assert_found(checked: Checked, name: &str) {
    let found = checked.expect_err("it is found").to_string();
    assert!(found.contains(name), "{found}");
}

#[test]
fn what_is_as_it_should_be_is_no_anomaly() {
    let mut moves = Moves::default();
    let first = committed(&mut moves, 1, named("a", 0));
    let second = committed(&mut moves, 2, named("a", 1));
    moves.see_all(PARTITION, 0..1, &[(0, first[0])]).unwrap();
    let reader = moves.reader();
    moves.hand(reader, (PARTITION, 0), first[0]).unwrap();
    moves.hold(&stored([&[first[0], second[0]], &[first[1], second[1]]])).unwrap();
}

#[test]
fn a_transaction_that_is_gone_is_lost() {
    let mut moves = Moves::default();
    committed(&mut moves, 1, named("a", 0));
    assert_found(moves.hold(&stored([&[], &[]])), "lost");
}

#[test]
fn a_value_at_two_places_is_a_duplicate() {
    let mut moves = Moves::default();
    let values = committed(&mut moves, 1, named("a", 0));
    moves.place((PARTITION, 0), values[0]).unwrap();
    assert_found(moves.place((PARTITION, 5), values[0]), "duplicate");
}

#[test]
fn two_values_at_one_place_are_inconsistent_offsets() {
    let mut moves = Moves::default();
    let values = committed(&mut moves, 1, named("a", 0));
    moves.place((PARTITION, 0), values[0]).unwrap();
    assert_found(moves.place((PARTITION, 0), values[1]), "inconsistent offsets");
}

#[test]
fn a_value_that_nobody_asked_to_count_is_a_precommitted_read() {
    let mut moves = Moves::default();
    let value = Moves::value(1, 0);
    moves.begin(1, named("a", 0), vec![(PARTITION, value)], false);
    assert_found(moves.see((PARTITION, 0), value), "precommitted read");
}

#[test]
fn an_aborted_value_is_found_when_it_is_read_and_when_it_had_been_read_before() {
    for is_told_before in [false, true] {
        let mut moves = Moves::default();
        let value = Moves::value(1, 0);
        moves.begin(1, named("a", 0), vec![(PARTITION, value)], false);
        moves.ask(1);
        if is_told_before {
            moves.tell(1, TransactionOutcome::Aborted).unwrap();
            assert_found(moves.see((PARTITION, 0), value), "G1a");
        } else {
            moves.see((PARTITION, 0), value).unwrap();
            moves.tell(1, TransactionOutcome::Aborted).unwrap();
            assert_found(moves.hold(&stored([&[], &[]])), "G1a");
        }
    }
}

#[test]
fn a_part_of_a_transaction_without_the_rest_of_it_beside_is_an_intermediate_read() {
    let mut moves = Moves::default();
    let values = [Moves::value(1, 0), Moves::value(1, 1)];
    moves.begin(1, named("a", 0), vec![(PARTITION, values[0]), (PARTITION, values[1])], false);
    moves.ask(1);
    moves.see_all(PARTITION, 0..3, &[(0, values[0])]).unwrap();
    moves.tell(1, TransactionOutcome::Committed).unwrap();
    assert_found(moves.hold(&stored([&values, &[]])), "G1b");
}

#[test]
fn half_of_a_transaction_is_torn_and_so_are_offsets_that_do_not_go_with_it() {
    let mut moves = Moves::default();
    let values = committed(&mut moves, 1, named("a", 0));
    assert_found(moves.hold(&stored([&[values[0]], &[]])), "torn transaction");

    let mut moves = Moves::default();
    let value = Moves::value(1, 0);
    moves.begin(1, named("a", 0), vec![(PARTITION, value)], true);
    moves.ask(1);
    let name = TransactionalId::new("a").expect("a name");
    let mut with = stored([&[value], &[]]);
    with.offsets.insert(name, None);
    assert_found(moves.hold(&with), "torn transaction");
}

#[test]
fn a_reader_that_was_not_handed_everything_has_skipped() {
    let mut moves = Moves::default();
    let first = committed(&mut moves, 1, named("a", 0));
    let second = committed(&mut moves, 2, named("a", 1));
    let reader = moves.reader();
    moves.hand(reader, (PARTITION, 1), second[0]).unwrap();
    let all = stored([&[first[0], second[0]], &[first[1], second[1]]]);
    assert_found(moves.hold(&all), "poll skip");
}

#[test]
fn a_reader_that_is_handed_what_lies_before_goes_back() {
    let mut moves = Moves::default();
    let first = committed(&mut moves, 1, named("a", 0));
    let second = committed(&mut moves, 2, named("a", 1));
    let reader = moves.reader();
    moves.hand(reader, (PARTITION, 1), second[0]).unwrap();
    assert_found(moves.hand(reader, (PARTITION, 0), first[0]), "nonmonotonic poll");
}

#[test]
fn values_out_of_their_order_are_a_nonmonotonic_send() {
    let mut moves = Moves::default();
    let first = committed(&mut moves, 1, named("a", 0));
    let second = committed(&mut moves, 2, named("a", 1));
    let all = stored([&[second[0], first[0]], &[second[1], first[1]]]);
    assert_found(moves.hold(&all), "nonmonotonic send");
}

#[test]
fn appends_in_another_order_in_each_partition_are_a_write_cycle() {
    let mut moves = Moves::default();
    let first = committed(&mut moves, 1, Manner::Together);
    let second = committed(&mut moves, 2, Manner::Together);
    let all = stored([&[first[0], second[0]], &[second[1], first[1]]]);
    assert_found(moves.hold(&all), "G0");
}

#[test]
fn transactions_that_have_read_from_each_other_are_a_cycle() {
    let mut moves = Moves::default();
    let numbers = [1, 2];
    for number in numbers {
        moves.begin(number, named(&number.to_string(), 0), vec![(PARTITION, Moves::value(number, 0))], false);
    }
    moves.read_in(1, Moves::value(2, 0));
    moves.read_in(2, Moves::value(1, 0));
    numbers.into_iter().for_each(|number| moves.ask(number));
    let all = stored([&[Moves::value(1, 0), Moves::value(2, 0)], &[]]);
    assert_found(moves.hold(&all), "G1c");
}

#[test]
fn an_outcome_that_changes_and_one_that_nobody_asked_for_are_found() {
    let mut moves = Moves::default();
    committed(&mut moves, 1, named("a", 0));
    assert_found(moves.tell(1, TransactionOutcome::Aborted), "one outcome");
    moves.begin(2, named("b", 0), vec![(PARTITION, Moves::value(2, 0))], false);
    assert_found(moves.tell(2, TransactionOutcome::Committed), "one outcome");
}
