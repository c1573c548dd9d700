use std::time::Duration;

use super::{Blocks, Report};
use crate::demo::capture::{Captured, InFlight, Stored};
use crate::demo::check::{Check, Findings, PartitionSum};
use crate::demo::payments::Cents;
use crate::latency::Latencies;

fn captured(typical: u64) -> Captured {
    let mut latencies = Latencies::new();
    latencies.record(Duration::from_millis(2));
    Captured {
        stored: vec![Stored::default(); 3000],
        latencies,
        duplicate_count: 0,
        elapsed: Duration::from_millis(1500),
        in_flight: InFlight { typical, max: 160 },
    }
}

const SUMS: [PartitionSum; 2] = [
    PartitionSum { payment_count: 1000, cents: Cents(1_000_005) },
    PartitionSum { payment_count: 2000, cents: Cents(2_000_000) },
];

fn report<'a>(captured: &'a Captured, findings: &'a Findings, cents: u64) -> Report<'a> {
    Report {
        captured,
        sums: &SUMS,
        findings,
        blocks: Blocks { block_count: 40, captured_count: 3000 },
        allocated_bytes: 64 << 20,
        read_elapsed: Duration::from_millis(100),
        expected: PartitionSum { payment_count: 3000, cents: Cents(cents) },
    }
}

#[test]
fn a_run_in_which_everything_holds_says_so() {
    let (captured, findings) = (captured(120), Findings::default());
    let report = report(&captured, &findings, 3_000_005);
    assert!(report.is_right());
    let text = report.in_words();
    for words in [
        "partition  payments    dollars\n        0     1,000  10,000.05\n        1     2,000  20,000.00\n",
        "    total     3,000  30,000.05\n",
        "3,000 payments in 1.500 s, 2,000 captures/s",
        "ack latency   p50 2.00 ms",
        "in flight     120 captures in the median of all looks, 160 at most",
        "blocks        40, each one write and one flush, with 75.0 records on average",
        "read back     in 0.100 s, 30,000 records/s",
        "on disk       64MiB (67,108,864 bytes)",
        "ok      3,000 payments of 30,000.05 dollars were sent and are there",
        "ok      offsets have no gap",
    ] {
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }
    assert!(!text.contains("FAILED"), "{text}");
}

#[test]
fn each_difference_fails_the_run_and_is_told() {
    let mut findings = Findings::default();
    (0..7).for_each(|id| findings.add(Check::Missing, || format!("payment {id}")));
    let right = captured(120);
    let text = report(&right, &findings, 3_000_005).in_words();
    assert!(text.contains("FAILED  no payment is missing: 7 differ\n          payment 0\n"), "{text}");
    assert!(!text.contains("payment 5\n"), "not all of them are told: {text}");
    assert!(!report(&right, &findings, 3_000_005).is_right());

    let none = Findings::default();
    assert!(!report(&right, &none, 3_000_004).is_right(), "a cent is missing");
    let few = captured(63);
    assert!(!report(&few, &none, 3_000_005).is_right(), "too few were in flight");
}
