//! Latencies as percentiles, numbers of several rounds as a median with its range, and ratios with their confidence.

use std::time::Duration;

use hdrhistogram::Histogram;

/// What a latency is cut to: no run waits longer for an answer.
const LATENCY_NS_MAX: u64 = 120_000_000_000;
/// Percentiles are right to a thousandth.
const SIGNIFICANT_DIGITS: u8 = 3;

/// Quantiles at 0.975 of Student's t distribution for 1, 2, 3 ... degrees of freedom: 95 % lie between them and their
/// negatives.
const T_QUANTILES: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];
/// The same of the normal distribution, for more degrees of freedom than that.
const NORMAL_QUANTILE: f64 = 1.96;

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

/// A number against a floor that was measured in the same rounds: 1 is the floor itself.
///
/// Our number of a round is divided by the floor's number of the same round, so that what the machine did in this round
/// falls on both. The interval is Student's t interval, at 95 %, of the mean of the logarithms of these ratios, taken
/// back by the exponential function: it is that of their geometric mean, and rounds that lie askew may have their
/// median near its edge. It takes rounds as independent of each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// The middle one of the rounds' ratios.
    pub median: f64,
    /// The lower end of the interval; the median itself with one round, which says nothing about the next one.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// How many ratios there were.
    pub rounds: usize,
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

    /// Takes all of another round.
    pub fn merge(&mut self, other: &Self) {
        self.histogram.add(&other.histogram).expect("all histograms have the same bounds");
    }

    /// They themselves, in nanoseconds.
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
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

impl Ratio {
    /// Pairs the numbers of the same round. `None` without rounds, if one side has more of them than the other, or if a
    /// number is not positive: then no logarithm of every ratio exists.
    pub fn paired(ours: &[f64], floor: &[f64]) -> Option<Self> {
        let usable = |number: &f64| number.is_finite() && *number > 0.0;
        if ours.len() != floor.len() || !ours.iter().chain(floor).all(usable) {
            return None;
        }
        let ratios: Vec<f64> = ours.iter().zip(floor).map(|(ours, floor)| ours / floor).collect();
        let rounds = ratios.len();
        let median = Spread::of(ratios.iter().copied())?.median;
        if rounds == 1 {
            return Some(Self { median, low: median, high: median, rounds });
        }
        let logarithms: Vec<f64> = ratios.iter().map(|ratio| ratio.ln()).collect();
        let mean = logarithms.iter().sum::<f64>() / rounds as f64;
        let squares: f64 = logarithms.iter().map(|logarithm| (logarithm - mean).powi(2)).sum();
        let freedom = rounds - 1;
        let standard_error = (squares / freedom as f64 / rounds as f64).sqrt();
        let half_width = T_QUANTILES.get(freedom - 1).unwrap_or(&NORMAL_QUANTILE) * standard_error;
        Some(Self { median, low: (mean - half_width).exp(), high: (mean + half_width).exp(), rounds })
    }
}

#[cfg(test)]
mod tests;
