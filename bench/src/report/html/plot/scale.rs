//! The latency axis: which latencies fit, where they are, which are named.

/// From this ratio of the slowest to the fastest on, the axis is logarithmic: a linear one would show only the slowest.
const LINEAR_RATIO_MAX: f64 = 30.0;
/// Powers of ten of a microsecond that an axis may begin and end at; a histogram holds nanoseconds to minutes.
const POWERS: std::ops::RangeInclusive<i32> = -4..=9;
/// Beyond so many names, only powers of ten have theirs.
const TICK_COUNT_MAX: usize = 10;
/// A linear axis has as many steps at most.
const LINEAR_STEP_COUNT_MAX: f64 = 6.0;

/// A latency axis, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    /// The distance of two names; a logarithmic axis has none.
    linear_step: Option<f64>,
}

impl Scale {
    /// An axis for latencies from `minimum` to `maximum`: linear from 0, or logarithmic if they are far apart.
    pub fn over(minimum: f64, maximum: f64) -> Self {
        if maximum > minimum * LINEAR_RATIO_MAX {
            return Self {
                low: round_numbers().take_while(|number| *number <= minimum).last().unwrap_or(first_round_number()),
                high: round_number_from(maximum),
                linear_step: None,
            };
        }
        let step = round_number_from(maximum / LINEAR_STEP_COUNT_MAX);
        Self { low: 0.0, high: (maximum / step).ceil().max(1.0) * step, linear_step: Some(step) }
    }

    /// Where a latency is: 0 at the lower end, 1 at the upper.
    pub fn height_of(&self, latency_us: f64) -> f64 {
        let height = if self.linear_step.is_some() {
            (latency_us - self.low) / (self.high - self.low)
        } else {
            (latency_us / self.low).log10() / (self.high / self.low).log10()
        };
        height.clamp(0.0, 1.0)
    }

    /// The latencies that are named, from the lowest.
    pub fn ticks(&self) -> Vec<f64> {
        if let Some(step) = self.linear_step {
            let ticks = (0_u32..).map(|index| f64::from(index) * step);
            return ticks.take_while(|tick| *tick <= self.high + step / 2.0).collect();
        }
        let within = |number: &f64| (self.low..=self.high).contains(number);
        let all: Vec<f64> = round_numbers().filter(within).collect();
        if all.len() <= TICK_COUNT_MAX { all } else { POWERS.map(|power| 10_f64.powi(power)).filter(within).collect() }
    }
}

/// 1, 2 and 5 of every power of ten, ascending.
fn round_numbers() -> impl Iterator<Item = f64> {
    POWERS.flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)))
}

fn first_round_number() -> f64 {
    10_f64.powi(*POWERS.start())
}

/// The first round number that is not less.
fn round_number_from(value: f64) -> f64 {
    round_numbers().find(|number| *number >= value).unwrap_or(value)
}

#[cfg(test)]
mod tests;
