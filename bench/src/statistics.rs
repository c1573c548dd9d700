//! Latencies of one round as percentiles, and numbers of several rounds as a median with its range.

use std::time::Duration;

use hdrhistogram::Histogram;

/// What a latency is cut to: no run waits longer for an answer.
const LATENCY_NS_MAX: u64 = 120_000_000_000;
/// Percentiles are right to a thousandth.
const SIGNIFICANT_DIGITS: u8 = 3;

/// Latencies of single operations.
#[derive(Clone, Debug)]
pub struct Latencies {
    histogram: Histogram<u64>,
}

/// Percentiles of single operations, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Percentiles {
    /// Half were at most this.
    pub p50_us: f64,
    /// 90 % were at most this.
    pub p90_us: f64,
    /// 99 %.
    pub p99_us: f64,
    /// 99.9 %.
    pub p999_us: f64,
    /// 99.99 %.
    pub p9999_us: f64,
    /// All.
    pub max_us: f64,
}

/// A number over several rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The middle one; of an even number the mean of the two in the middle.
    pub median: f64,
    /// The least.
    pub minimum: f64,
    /// The most.
    pub maximum: f64,
}

impl Latencies {
    /// None yet.
    pub fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LATENCY_NS_MAX, SIGNIFICANT_DIGITS);
        Self { histogram: histogram.expect("the bounds are constants in range") }
    }

    /// Takes one.
    pub fn record(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(LATENCY_NS_MAX);
        self.histogram.saturating_record(nanoseconds.max(1));
    }

    /// How many were taken.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// Their percentiles; all 0 without any.
    pub fn percentiles(&self) -> Percentiles {
        if self.histogram.is_empty() {
            return Percentiles::default();
        }
        let at = |percentile| self.histogram.value_at_percentile(percentile) as f64 / 1000.0;
        Percentiles {
            p50_us: at(50.0),
            p90_us: at(90.0),
            p99_us: at(99.0),
            p999_us: at(99.9),
            p9999_us: at(99.99),
            max_us: self.histogram.max() as f64 / 1000.0,
        }
    }
}

impl Spread {
    /// Over the values of the rounds; `None` without any.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (minimum, maximum) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len().is_multiple_of(2) {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        } else {
            sorted[middle]
        };
        Some(Self { median, minimum, maximum })
    }
}

#[cfg(test)]
mod tests;
