use bytes::Bytes;

use super::{CHECKS, Check, Checker, Findings, PartitionSum, Read};
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
    let mut checker = Checker::new(&payments, &STORED, 2);
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
    let counts = CHECKS.map(|check| (check, findings.count(check)));
    counts.into_iter().filter(|(_, count)| *count > 0).collect()
}

#[test]
fn what_was_captured_is_found_right_and_summed_up() {
    let (findings, sums) = check(&as_stored(), |_, value| value);
    assert!(findings.is_empty());
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
