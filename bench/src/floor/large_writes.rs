//! What the disk takes of large durable writes, beside loads that are bound by it.

use std::time::Duration;

use anyhow::Result;

use super::LargeFile;
use crate::statistics::Ratio;

/// Bytes of the writes that are measured: no block of a journal is larger.
pub const LARGE_WRITE_BYTES: [usize; 2] = [1 << 20, 4 << 20];

/// What the disk gave without Florin, in MB (a million bytes) per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LargeWrites {
    /// Durable overwrites of 1 MiB.
    pub write_1m_mb_per_second: f64,
    /// The same of 4 MiB.
    pub write_4m_mb_per_second: f64,
}

impl LargeWrites {
    /// Measures both, each for so long, from a thread on `core`.
    pub fn measure(file: &LargeFile, seconds: Duration, core: Option<usize>) -> Result<Self> {
        let [small, large] = LARGE_WRITE_BYTES;
        Ok(Self {
            write_1m_mb_per_second: file.overwrite(small, seconds, core)?.mb_per_second(),
            write_4m_mb_per_second: file.overwrite(large, seconds, core)?.mb_per_second(),
        })
    }

    /// In the middle of two.
    pub fn mean(&self, other: &Self) -> Self {
        Self {
            write_1m_mb_per_second: f64::midpoint(self.write_1m_mb_per_second, other.write_1m_mb_per_second),
            write_4m_mb_per_second: f64::midpoint(self.write_4m_mb_per_second, other.write_4m_mb_per_second),
        }
    }

    /// By the names that they have in reports.
    pub fn numbers(&self) -> [(&'static str, Option<f64>); 2] {
        [
            ("floor_write_1m_mb_per_second", Some(self.write_1m_mb_per_second)),
            ("floor_write_4m_mb_per_second", Some(self.write_4m_mb_per_second)),
        ]
    }

    /// What was written in each round as a share of such a part of either floor of the same round.
    pub fn ratios(names: [&'static str; 2], written: &[f64], floors: &[Self], part: f64) -> Vec<(&'static str, Ratio)> {
        let of = |floor: fn(&Self) -> f64| floors.iter().map(|floors| floor(floors) * part).collect::<Vec<f64>>();
        let parts = [of(|floors| floors.write_1m_mb_per_second), of(|floors| floors.write_4m_mb_per_second)];
        let ratio = |(name, part): (&'static str, &Vec<f64>)| Some((name, Ratio::paired(written, part)?));
        names.into_iter().zip(&parts).filter_map(ratio).collect()
    }
}
