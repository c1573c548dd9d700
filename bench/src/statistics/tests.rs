use std::time::Duration;

use super::{Latencies, Percentiles, Spread};

#[test]
fn percentiles_are_those_of_the_single_latencies() {
    let mut latencies = Latencies::new();
    for microseconds in 1..=10_000 {
        latencies.record(Duration::from_micros(microseconds));
    }
    let percentiles = latencies.percentiles();
    let near = |value: f64, expected: f64| (value - expected).abs() <= expected / 500.0;
    assert_eq!(latencies.count(), 10_000);
    assert!(near(percentiles.p50_us, 5000.0), "{percentiles:?}");
    assert!(near(percentiles.p90_us, 9000.0), "{percentiles:?}");
    assert!(near(percentiles.p99_us, 9900.0), "{percentiles:?}");
    assert!(near(percentiles.p999_us, 9990.0), "{percentiles:?}");
    assert!(near(percentiles.p9999_us, 9999.0), "{percentiles:?}");
    assert!(near(percentiles.max_us, 10_000.0), "{percentiles:?}");
}

#[test]
fn one_slow_operation_is_the_maximum_and_not_the_median() {
    let mut latencies = Latencies::new();
    (0..999).for_each(|_| latencies.record(Duration::from_micros(100)));
    latencies.record(Duration::from_secs(1));
    let percentiles = latencies.percentiles();
    assert!(percentiles.p99_us < 101.0 && percentiles.max_us > 999_000.0, "{percentiles:?}");
}

#[test]
fn no_latency_gives_zeros_and_an_endless_one_is_cut() {
    assert_eq!(Latencies::new().percentiles(), Percentiles::default());
    let mut latencies = Latencies::new();
    latencies.record(Duration::MAX);
    latencies.record(Duration::ZERO);
    assert_eq!(latencies.count(), 2);
    assert!(latencies.percentiles().max_us <= 130_000_000.0);
}

#[test]
fn a_spread_has_the_middle_of_its_rounds_whatever_their_order() {
    assert_eq!(Spread::of([]), None);
    let spread = |values: &[f64]| Spread::of(values.iter().copied()).unwrap();
    assert_eq!(spread(&[5.0]), Spread { median: 5.0, minimum: 5.0, maximum: 5.0 });
    assert_eq!(spread(&[9.0, 1.0, 4.0]), Spread { median: 4.0, minimum: 1.0, maximum: 9.0 });
    assert_eq!(spread(&[9.0, 1.0, 4.0, 6.0]), Spread { median: 5.0, minimum: 1.0, maximum: 9.0 });
}
