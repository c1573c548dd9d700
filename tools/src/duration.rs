//! Durations as people write them: `250us`, `5ms`, `10s`, `10m`, `2h`, `7d`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use florin_engine::model::Realtime;

#[cfg(test)]
mod tests;

/// Every unit with its nanoseconds, the largest first.
const UNITS: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// A length of time, read as a whole number with a unit; 0 needs none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl Span {
    /// From one time to another one, or nothing if that was earlier.
    pub fn between(from: Realtime, to: Realtime) -> Self {
        Self(Duration::from_nanos(to.0.saturating_sub(from.0)))
    }

    /// For people, cut off behind two units or a tenth of a second: `850ms`, `12.3s`, `4m10s`, `2d4h`.
    pub fn rounded(self) -> String {
        let milliseconds = self.0.as_millis();
        let seconds = milliseconds / 1000;
        let (minutes, hours) = (seconds / 60, seconds / 3_600);
        match (hours / 24, hours, minutes, seconds) {
            (0, 0, 0, 0) => format!("{milliseconds}ms"),
            (0, 0, 0, _) => format!("{seconds}.{}s", milliseconds / 100 % 10),
            (0, 0, ..) => format!("{minutes}m{}s", seconds % 60),
            (0, ..) => format!("{hours}h{}m", minutes % 60),
            (days, ..) => format!("{days}d{}h", hours % 24),
        }
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is no duration: write a whole number with ns, us, ms, s, m, h or d, such as 5ms");
        let digits_end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, unit) = text.split_at(digits_end);
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        if number == 0 && unit.is_empty() {
            return Ok(Self(Duration::ZERO));
        }
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let nanoseconds = number.checked_mul(*factor);
        nanoseconds.map(Duration::from_nanos).map(Self).ok_or_else(|| format!("{text:?} is more than 584 years"))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = self.0.as_nanos();
        let fits = |(_, factor): &&(&str, u64)| nanoseconds.is_multiple_of(u128::from(*factor));
        match UNITS.iter().find(fits) {
            Some((unit, factor)) if nanoseconds > 0 => f.pad(&format!("{}{unit}", nanoseconds / u128::from(*factor))),
            _ => f.pad("0"),
        }
    }
}
