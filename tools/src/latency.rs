//! How long acknowledgements took, as percentiles of all of them: nothing is averaged.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

#[cfg(test)]
mod tests;

/// Three digits are exact; an hour is far above what a client waits for one acknowledgement, longer counts as that.
const SIGNIFICANT_DIGITS: u8 = 3;
const NANOSECONDS_MAX: u64 = 3_600_000_000_000;

/// All latencies so far.
#[derive(Clone, Debug)]
pub struct Latencies(Histogram<u64>);

/// What is said about them, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LatencySummary {
    /// Half took at most this.
    pub p50_ns: u64,
    /// 99 of 100 took at most this.
    pub p99_ns: u64,
    /// 999 of 1000 took at most this.
    pub p999_ns: u64,
    /// The slowest.
    pub max_ns: u64,
}

impl Latencies {
    /// None yet.
    pub fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, NANOSECONDS_MAX, SIGNIFICANT_DIGITS);
        Self(histogram.expect("the bounds are constants that a histogram takes"))
    }

    /// Counts one.
    pub fn record(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.0.saturating_record(nanoseconds.clamp(1, NANOSECONDS_MAX));
    }

    /// The percentiles; all zero while there is nothing.
    pub fn summary(&self) -> LatencySummary {
        if self.0.is_empty() {
            return LatencySummary::default();
        }
        LatencySummary {
            p50_ns: self.0.value_at_quantile(0.5),
            p99_ns: self.0.value_at_quantile(0.99),
            p999_ns: self.0.value_at_quantile(0.999),
            max_ns: self.0.max(),
        }
    }
}

impl LatencySummary {
    /// `p50 1.21 ms, p99 3.04 ms, p99.9 7.90 ms, max 9.12 ms`.
    pub fn in_words(&self) -> String {
        let Self { p50_ns, p99_ns, p999_ns, max_ns } = *self;
        let [p50, p99, p999, max] = [p50_ns, p99_ns, p999_ns, max_ns].map(milliseconds);
        format!("p50 {p50} ms, p99 {p99} ms, p99.9 {p999} ms, max {max} ms")
    }
}

/// Nanoseconds as milliseconds to the hundredth.
pub fn milliseconds(nanoseconds: u64) -> String {
    let hundredths = (nanoseconds + 5_000) / 10_000;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
