use std::time::Duration;

use super::{Latencies, Percentiles, Ratio, Spread};

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

#[test]
fn merged_rounds_have_the_percentiles_of_all_their_latencies() {
    let mut merged = Latencies::new();
    merged.merge(&Latencies::new());
    assert_eq!(merged.percentiles(), Percentiles::default());
    for microseconds in [100, 300] {
        let mut round = Latencies::new();
        (0..50).for_each(|_| round.record(Duration::from_micros(microseconds)));
        merged.merge(&round);
    }
    let mut endless = Latencies::new();
    endless.record(Duration::MAX);
    merged.merge(&endless);
    assert_eq!((merged.count(), merged.histogram().len()), (101, 101));
    let percentiles = merged.percentiles();
    assert!(percentiles.p50_us > 299.0 && percentiles.p50_us < 301.0, "{percentiles:?}");
    assert!(percentiles.max_us > 119_000_000.0, "{percentiles:?}");
}

fn ratio(ours: &[f64], floor: &[f64]) -> (f64, f64, f64, usize) {
    let Ratio { median, low, high, rounds } = Ratio::paired(ours, floor).unwrap();
    let digits = |value: f64| (value * 1e6).round() / 1e6;
    (digits(median), digits(low), digits(high), rounds)
}

#[test]
fn a_ratio_over_seven_rounds_has_the_interval_of_students_t() {
    // 0.93, 0.979592, 0.916667, 0.903846, 0.949495, 0.969072 and 0.980198: the logarithms have the mean -0.054934 and the
    // standard deviation 0.032740; 2.447 is the quantile for 6 degrees of freedom: -0.054934 ± 2.447 · 0.032740 / √7.
    let ours = [93.0, 96.0, 88.0, 94.0, 94.0, 94.0, 99.0];
    let floor = [100.0, 98.0, 96.0, 104.0, 99.0, 97.0, 101.0];
    assert_eq!(ratio(&ours, &floor), (0.949495, 0.918315, 0.975648, 7));
}

#[test]
fn ratios_of_two_rounds_and_of_more_than_thirty_one() {
    // ln 0.5 and ln 2 have the mean 0 and the standard error ln 2: the interval is exp(±12.706 ln 2).
    assert_eq!(ratio(&[1.0, 4.0], &[2.0, 2.0]), (1.25, 0.00015, 6681.702345, 2));
    // Of 32 rounds, half at e and half at 1/e: a variance of 32/31, divided by 32, and the normal quantile.
    let ours: Vec<f64> = (0..32).map(|round| if round % 2 == 0 { 1_f64.exp() } else { (-1_f64).exp() }).collect();
    let half_width = 1.96 / 31_f64.sqrt();
    let found = Ratio::paired(&ours, &[1.0; 32]).unwrap();
    assert!((found.low - (-half_width).exp()).abs() < 1e-12 && (found.high - half_width.exp()).abs() < 1e-12);
    let found = Ratio::paired(&ours[..31], &[1.0; 31]).unwrap();
    let mean = 1.0 / 31.0;
    let deviation = ((16.0 * (1.0 - mean) * (1.0 - mean) + 15.0 * (1.0 + mean) * (1.0 + mean)) / 30.0_f64).sqrt();
    assert!((found.high - (mean + 2.042 * deviation / 31_f64.sqrt()).exp()).abs() < 1e-12, "{found:?}");
}

#[test]
fn one_round_is_its_own_interval_and_what_cannot_be_paired_is_no_ratio() {
    let one = Ratio { median: 0.75, low: 0.75, high: 0.75, rounds: 1 };
    assert_eq!(Ratio::paired(&[3.0], &[4.0]), Some(one));
    assert_eq!(Ratio::paired(&[], &[]), None);
    assert_eq!(Ratio::paired(&[1.0, 2.0], &[1.0]), None);
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(Ratio::paired(&[1.0, bad], &[1.0, 1.0]), None);
        assert_eq!(Ratio::paired(&[1.0, 1.0], &[bad, 1.0]), None);
    }
}
