use std::time::Duration;

use super::{Latencies, LatencySummary, milliseconds};

#[test]
fn percentiles_are_those_of_all_latencies() {
    let mut latencies = Latencies::new();
    (1..=1000).for_each(|count| latencies.record(Duration::from_micros(count)));
    let summary = latencies.summary();
    let close = |found: u64, expected: u64| found.abs_diff(expected) <= expected / 1000 + 1;
    assert!(close(summary.p50_ns, 500_000), "{summary:?}");
    assert!(close(summary.p99_ns, 990_000), "{summary:?}");
    assert!(close(summary.p999_ns, 999_000), "{summary:?}");
    assert!(close(summary.max_ns, 1_000_000), "{summary:?}");
}

#[test]
fn nothing_and_too_much_are_summed_up_as_well() {
    let mut latencies = Latencies::new();
    assert_eq!(latencies.summary(), LatencySummary::default());
    latencies.record(Duration::from_secs(1_000_000));
    assert!(latencies.summary().max_ns >= 3_600_000_000_000);
}

#[test]
fn milliseconds_have_two_decimals() {
    assert_eq!(
        [0, 4_999, 5_000, 1_234_567, 1_000_000_000].map(milliseconds),
        ["0.00", "0.00", "0.01", "1.23", "1000.00"]
    );
    let summary = LatencySummary { p50_ns: 1_000_000, p99_ns: 2_500_000, p999_ns: 3_000_000, max_ns: 40_000_000 };
    assert_eq!(summary.in_words(), "p50 1.00 ms, p99 2.50 ms, p99.9 3.00 ms, max 40.00 ms");
}
