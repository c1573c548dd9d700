use std::collections::BTreeSet;
use std::time::Duration;

use super::{AtRest, Blocks, Report, Verified};
use crate::demo::capture::{Captured, InFlight, Stored};
use crate::demo::check::{Check, Findings, PartitionSum};
use crate::demo::journals::Journal;
use crate::demo::ledger::{Bounds, Ledger};
use crate::demo::payments::Cents;
use crate::demo::retention::{Kept, Retained};
use crate::latency::Latencies;

const fn sum(payment_count: u64, cents: u64) -> PartitionSum {
    PartitionSum { payment_count, cents: Cents(cents) }
}

/// Everything that a report is about.
struct Run {
    is_all: bool,
    captured: Captured,
    cents: u64,
    at_rest: [AtRest; 2],
    journals: [Journal; 2],
    cold_read_count: u64,
    retained: Retained,
    ledger: Ledger,
    findings: [Findings; 2],
    moved: Vec<String>,
    verified: Verified,
}

impl Run {
    /// Everything holds.
    fn right() -> Self {
        let mut latencies = Latencies::new();
        latencies.record(Duration::from_millis(2));
        let captured = Captured {
            stored: vec![Stored::default(); 3000],
            latencies,
            duplicate_count: 0,
            elapsed: Duration::from_millis(1500),
            in_flight: InFlight { typical: 120, max: 160 },
        };
        let journal = |shard, lap_count| Journal { shard, ring_bytes: 1 << 20, lap_count, checkpoint_count: 20 };
        let at_rest = |shard| AtRest { shard, segment_count: 3, stored_bytes: 5 << 20 };
        Self {
            is_all: true,
            captured,
            cents: 3_000_005,
            at_rest: [at_rest(0), at_rest(1)],
            journals: [journal(0, 3), journal(1, 4)],
            cold_read_count: 17,
            retained: Retained {
                kept: Kept::Bytes(64 << 10),
                elapsed: Duration::from_millis(3200),
                idle_shards: BTreeSet::new(),
                cut_bytes: 8 << 20,
            },
            ledger: Ledger {
                held: vec![sum(1000, 1_000_005), sum(2000, 2_000_000)],
                bounds: vec![Bounds { start: 900, end: 1000 }, Bounds { start: 1900, end: 2000 }],
                cut: vec![sum(900, 900_005), sum(1900, 1_900_000)],
                left: vec![sum(100, 100_000), sum(100, 100_000)],
            },
            findings: [Findings::default(), Findings::default()],
            moved: Vec::new(),
            verified: Verified { is_clean: true, words: String::new() },
        }
    }

    fn report(&self) -> Report<'_> {
        Report {
            captured: &self.captured,
            is_all: self.is_all,
            expected: sum(3000, self.cents),
            blocks: Blocks { block_count: 40, captured_count: 3000 },
            at_rest: &self.at_rest,
            journals: &self.journals,
            findings: &self.findings[0],
            read_elapsed: Duration::from_millis(100),
            cold_read_count: self.cold_read_count,
            retained: &self.retained,
            ledger: &self.ledger,
            findings_left: &self.findings[1],
            moved: &self.moved,
            verified: &self.verified,
            allocated_bytes: 64 << 20,
        }
    }
}

/// Runs with this change, and expects the report to fail with these words.
fn assert_fails(words: &str, change: impl FnOnce(&mut Run)) {
    let mut run = Run::right();
    change(&mut run);
    let (report, text) = (run.report(), run.report().in_words());
    assert!(!report.is_right(), "{words}");
    let failed: Vec<_> = text.split("FAILED  ").skip(1).collect();
    assert!(failed.iter().any(|failure| failure.contains(words)), "no {words:?} in\n{text}");
}

#[test]
fn a_run_in_which_everything_holds_says_so() {
    let run = Run::right();
    assert!(run.report().is_right());
    let text = run.report().in_words();
    for words in [
        "        0     1,000  10,000.05    900     9,000.05   100      1,000.00\n",
        "    total     3,000  30,000.05  2,800    28,000.05   200      2,000.00\n",
        "3,000 payments in 1.500 s, 2,000 captures/s",
        "ack latency   p50 2.00 ms",
        "in flight     120 captures in the median of all looks, 160 at most",
        "blocks        40, each one write and one flush, with 75.0 records on average",
        "journal 0     1MiB, went round 3 times, 20 checkpoints",
        "at rest       6 segment files with 10MiB (10,485,760 bytes), when the last payment was captured",
        "read back     in 0.100 s, 30,000 records/s, with 17 cold reads of segment files",
        "retention     of 64KiB for each partition; 8MiB were cut after 3.200 s",
        "cut           2,800 payments of 28,000.05 dollars",
        "left          200 payments of 2,000.00 dollars",
        "on disk       64MiB (67,108,864 bytes)",
        "ok      3,000 payments of 30,000.05 dollars were sent and are there",
        "ok      offsets have no gap",
        "ok      every journal went round 3 times or more",
        "ok      payments were read from segment files",
        "ok      retention cut on every shard",
        "ok      2,800 payments of 28,000.05 dollars were cut and 200 payments of 2,000.00 dollars are left",
        "ok      after one more restart every partition begins and ends where it did",
        "ok      `florin verify` finds the directory clean",
    ] {
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }
    assert!(!text.contains("FAILED") && !text.contains("note"), "{text}");
}

#[test]
fn each_difference_in_what_was_captured_fails_the_run_and_is_told() {
    let seven = |findings: &mut Findings| {
        (0..7).for_each(|id| findings.add(Check::Missing, || format!("payment {id}")));
    };
    assert_fails("no payment is missing: 7 differ\n          payment 0\n", |run| seven(&mut run.findings[0]));
    let mut run = Run::right();
    seven(&mut run.findings[0]);
    let text = run.report().in_words();
    assert!(!text.contains("payment 5\n"), "not all of them are told: {text}");
    assert_fails("were sent and are there", |run| run.cents -= 1);
    assert_fails("at least 64 captures were in flight: 63 were", |run| run.captured.in_flight.typical = 63);
}

#[test]
fn a_run_that_did_not_use_segment_files_fails() {
    assert_fails("with checkpoints that freed it: that of shard 1 2", |run| run.journals[1].lap_count = 2);
    assert_fails("while others were captured: not shard 0", |run| run.at_rest[0].stored_bytes = 0);
    assert_fails("all of them were in memory", |run| run.cold_read_count = 0);
}

#[test]
fn each_difference_behind_the_cut_fails_the_run_and_is_told() {
    assert_fails("retention cut on every shard: not shard 1", |run| run.retained.idle_shards = BTreeSet::from([1]));
    for check in [Check::Missing, Check::Returned, Check::Changed] {
        assert_fails("1 differ\n          payment 7\n", |run| run.findings[1].add(check, || "payment 7".to_owned()));
    }
    assert_fails("partition 0 is from 901 to 1000: 900 cut, 100 left", |run| run.ledger.bounds[0].start = 901);
    assert_fails("partition 1: had 2,000 payments of 20,000.00 dollars", |run| {
        run.ledger.left[1].cents = Cents(99_999)
    });
    assert_fails("partition 3 was elsewhere", |run| run.moved.push("partition 3 was elsewhere".to_owned()));
    let damage = Verified { is_clean: false, words: "verdict: damage".to_owned() };
    assert_fails("verdict: damage", |run| run.verified = damage);
}

#[test]
fn few_payments_need_not_go_round_and_are_checked_all_the_same() {
    let few = |run: &mut Run| {
        run.is_all = false;
        run.journals[0].lap_count = 0;
        run.at_rest[0] = AtRest::default();
        run.cold_read_count = 0;
        run.retained.idle_shards = BTreeSet::from([0]);
    };
    let mut run = Run::right();
    few(&mut run);
    let text = run.report().in_words();
    assert!(run.report().is_right(), "{text}");
    assert_eq!(text.matches("note    not with so few payments: ").count(), 4, "{text}");
    assert_fails("all there were", |run| {
        few(run);
        run.ledger.left[0].payment_count -= 1;
    });
}
