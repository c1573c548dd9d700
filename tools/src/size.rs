//! Sizes as people write them: `67108864`, `64MiB`; and numbers of things.

use std::fmt;
use std::str::FromStr;

#[cfg(test)]
mod tests;

const SUFFIXES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// A number of things, in words.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A number with its thousands apart: `69,659`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes, read and shown with the largest unit that fits without a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl Size {
    /// The size in the largest unit that it reaches, to a tenth where it is not exact: `704.1MiB`.
    pub fn rounded(self) -> String {
        let (name, factor) = SUFFIXES.iter().find(|(_, factor)| self.0 >= *factor).unwrap_or(&("B", 1));
        if self.0.is_multiple_of(*factor) {
            return self.to_string();
        }
        let tenths = (u128::from(self.0) * 10 + u128::from(factor / 2)) / u128::from(*factor);
        format!("{}.{}{name}", tenths / 10, tenths % 10)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is not a size: write bytes (67108864) or a number with KiB, MiB or GiB (64MiB)");
        let digits_end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, suffix) = text.split_at(digits_end);
        let suffix = suffix.trim_start();
        let named = SUFFIXES.iter().find(|(name, _)| name.eq_ignore_ascii_case(suffix));
        let factor = if suffix.is_empty() { 1 } else { named.ok_or_else(wrong)?.1 };
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        number.checked_mul(factor).map(Self).ok_or_else(|| format!("{text:?} is more than 64 bits can count"))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, factor): &&(&str, u64)| self.0 >= *factor && self.0.is_multiple_of(*factor);
        let (name, factor) = SUFFIXES.iter().find(fits).unwrap_or(&("B", 1));
        f.pad(&format!("{}{name}", self.0 / factor))
    }
}
