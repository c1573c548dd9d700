use bytes::Bytes;

use super::{CHECKS_BEHIND_CUT, Check, Checker, Findings, PartitionSum, Read};
use crate::demo::capture::Stored;
use crate::demo::payments::{Cents, Payment, all};

/// The first four payments: one of customer 00001, two of 00002, one of 00003, in two partitions.
fn payments() -> Vec<Payment> {
    let payments = all().expect("the file is sound")[..4].to_vec();
    assert_eq!(payments[1].customer, payments[2].customer);
    payments
}

const STORED: [Stored; 4] = [
    Stored { partition: 0, offset: 0 },
    Stored { partition: 1, offset: 0 },
    Stored { partition: 1, offset: 1 },
    Stored { partition: 0, offset: 1 },
];

/// Reads payments, by their index, where they are said to be.
fn check(reads: &[(usize, Stored)], change: impl Fn(usize, Bytes) -> Bytes) -> (Findings, Vec<PartitionSum>) {
    let payments = payments();
    read(&payments, Checker::new(&payments, &STORED, 2), reads, change)
}

/// The same behind a cut of the first payment of partition 1.
fn check_behind_cut(
    reads: &[(usize, Stored)],
    change: impl Fn(usize, Bytes) -> Bytes,
) -> (Findings, Vec<PartitionSum>) {
    let payments = payments();
    read(&payments, Checker::behind_cut(&payments, &STORED, vec![0, 1]), reads, change)
}

fn read(
    payments: &[Payment],
    mut checker: Checker<'_>,
    reads: &[(usize, Stored)],
    change: impl Fn(usize, Bytes) -> Bytes,
) -> (Findings, Vec<PartitionSum>) {
    for (index, Stored { partition, offset }) in reads.iter().copied() {
        let payment = &payments[index];
        let value = change(index, payment.value());
        checker.read(Read {
            partition,
            offset,
            timestamp_ms: payment.timestamp_ms,
            key: Some(payment.customer.as_bytes()),
            value: Some(&value),
        });
    }
    checker.finish()
}

fn as_stored() -> Vec<(usize, Stored)> {
    STORED.into_iter().enumerate().collect()
}

/// The checks that found something, with their counts.
fn found(findings: &Findings) -> Vec<(Check, u64)> {
    let counts = CHECKS_BEHIND_CUT.map(|check| (check, findings.count(check)));
    counts.into_iter().filter(|(_, count)| *count > 0).collect()
}

#[test]
fn what_was_captured_is_found_right_and_summed_up() {
    let (findings, sums) = check(&as_stored(), |_, value| value);
    assert!(found(&findings).is_empty());
    let payments = payments();
    let sum = |first: usize, second: usize| PartitionSum {
        payment_count: 2,
        cents: Cents(payments[first].cents.0 + payments[second].cents.0),
    };
    assert_eq!(sums, [sum(0, 3), sum(1, 2)]);
}

#[test]
fn a_missing_payment_is_found_with_its_place() {
    let (findings, _) = check(&as_stored()[..3], |_, value| value);
    assert_eq!(found(&findings), [(Check::Missing, 1)]);
    assert_eq!(findings.told(Check::Missing), ["payment 5, acknowledged at partition 0, offset 1"]);
}

#[test]
fn a_doubled_payment_is_found_although_it_is_the_same() {
    let mut reads = as_stored();
    reads.push((3, Stored { partition: 0, offset: 2 }));
    let (findings, _) = check(&reads, |_, value| value);
    assert_eq!(found(&findings), [(Check::Doubled, 1), (Check::Order, 1), (Check::Place, 1)]);
}

#[test]
fn a_changed_payment_and_a_stranger_are_found() {
    let cheaper = |index: usize, value: Bytes| match index {
        0 => Bytes::from(String::from_utf8(value.to_vec()).expect("text").replace("11.77", "11.76")),
        _ => value,
    };
    assert_eq!(found(&check(&as_stored(), cheaper).0), [(Check::Changed, 1)]);
    let stranger = |index: usize, value: Bytes| if index == 0 { Bytes::from_static(b"hello") } else { value };
    assert_eq!(found(&check(&as_stored(), stranger).0), [(Check::Missing, 1), (Check::Changed, 1)]);
}

#[test]
fn payments_in_another_order_are_found() {
    let [first, second, third, fourth] = STORED;
    let (findings, _) = check(&[(0, first), (2, second), (1, third), (3, fourth)], |_, value| value);
    assert_eq!(found(&findings), [(Check::Order, 1), (Check::Place, 2)]);
}

#[test]
fn a_gap_is_found_once() {
    let mut reads = as_stored();
    reads[3].1.offset = 2;
    let (findings, _) = check(&reads, |_, value| value);
    assert_eq!(found(&findings), [(Check::Place, 1), (Check::Gap, 1)]);
    assert_eq!(findings.told(Check::Gap), ["partition 0, offset 2: offset 1 comes next"]);
}

/// What is left behind the cut: all but the payment with index 1.
fn as_left() -> Vec<(usize, Stored)> {
    as_stored().into_iter().filter(|(index, _)| *index != 1).collect()
}

#[test]
fn what_is_left_behind_a_cut_is_found_right_and_summed_up() {
    let (findings, sums) = check_behind_cut(&as_left(), |_, value| value);
    assert!(found(&findings).is_empty());
    assert_eq!(sums[1], PartitionSum { payment_count: 1, cents: payments()[2].cents });
}

#[test]
fn a_payment_that_is_missing_behind_the_cut_is_found() {
    let (findings, _) = check_behind_cut(&as_left()[..2], |_, value| value);
    assert_eq!(found(&findings), [(Check::Missing, 1)]);
    assert_eq!(findings.told(Check::Missing), ["payment 5, acknowledged at partition 0, offset 1"]);
    let all_of_it = [as_left()[0], as_left()[2]];
    let (findings, _) = check_behind_cut(&all_of_it, |_, value| value);
    assert_eq!(found(&findings), [(Check::Missing, 1)], "the whole of what is left of a partition");
}

#[test]
fn a_payment_that_was_cut_and_came_back_is_found() {
    let (findings, _) = check_behind_cut(&as_stored(), |_, value| value);
    let count = |check| findings.count(check);
    assert_eq!((count(Check::Returned), count(Check::Missing), count(Check::Gap)), (1, 0, 1));
    assert_eq!(findings.told(Check::Returned), ["partition 1, offset 0: payment 3 was cut from partition 1, offset 0"]);
    let mut elsewhere = as_left();
    elsewhere.push((1, Stored { partition: 1, offset: 2 }));
    let (findings, _) = check_behind_cut(&elsewhere, |_, value| value);
    assert_eq!(found(&findings), [(Check::Returned, 1), (Check::Order, 1), (Check::Place, 1)]);
}

#[test]
fn other_money_behind_the_cut_is_found() {
    let dearer = |index: usize, value: Bytes| match index {
        3 => Bytes::from(String::from_utf8(value.to_vec()).expect("text").replace("\"dollars\":\"", "\"dollars\":\"1")),
        _ => value,
    };
    assert_eq!(found(&check_behind_cut(&as_left(), dearer).0), [(Check::Changed, 1)]);
}

#[test]
fn offsets_that_begin_elsewhere_than_the_partition_are_found() {
    let mut reads = as_left();
    reads[1].1.offset = 5;
    let (findings, _) = check_behind_cut(&reads, |_, value| value);
    assert_eq!(found(&findings), [(Check::Place, 1), (Check::Gap, 1)]);
    assert_eq!(findings.told(Check::Gap), ["partition 1, offset 5: offset 1 comes next"]);
}
