//! Where to begin reading, as it is written on the command line.

use std::str::FromStr;

use anyhow::{Result, bail};
use florin_engine::model::{Offset, Realtime};
use florin_net::client::Start;
use jiff::Timestamp;

use crate::duration::Span;

#[cfg(test)]
mod tests;

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// At the first record that can be read.
    Beginning,
    /// Behind the last.
    End,
    /// At an offset, which means something in one partition only.
    Offset(u64),
    /// At the first record appended then or later.
    Time(Realtime),
    /// The same, so long before now.
    Ago(Span),
}

impl From {
    /// What the client is told.
    ///
    /// # Errors
    /// If an offset is given and not exactly one partition.
    pub fn start(self, now: Realtime, partition_count: usize) -> Result<Start> {
        Ok(match self {
            Self::Beginning => Start::Beginning,
            Self::End => Start::End,
            Self::Offset(_) if partition_count != 1 => {
                bail!("an offset belongs to one partition: give exactly one with --partition, or begin at a time")
            }
            Self::Offset(offset) => Start::Offset(Offset(offset)),
            Self::Time(time) => Start::Time(time),
            Self::Ago(span) => {
                let nanoseconds = u64::try_from(span.0.as_nanos()).unwrap_or(u64::MAX);
                Start::Time(Realtime(now.0.saturating_sub(nanoseconds)))
            }
        })
    }
}

impl FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "beginning" => return Ok(Self::Beginning),
            "end" => return Ok(Self::End),
            _ => {}
        }
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().map(Self::Offset).map_err(|_| format!("{text} is above the highest offset"));
        }
        if let Some(seconds) = text.strip_prefix('@') {
            let nanoseconds = seconds.parse().ok().and_then(|seconds: u64| seconds.checked_mul(1_000_000_000));
            let time = nanoseconds.ok_or("behind @ stand whole seconds since 1970, such as @1767323045")?;
            return Ok(Self::Time(Realtime(time)));
        }
        if let Some(span) = text.strip_prefix('-') {
            return span.parse().map(Self::Ago);
        }
        let time: Timestamp = text.parse().map_err(|_| {
            format!(
                "{text:?} is no place to begin: write beginning, end, an offset, a time such as 2026-01-31T12:00:00Z \
                 or @1767323045, or how long ago, such as -10m"
            )
        })?;
        let nanoseconds =
            u64::try_from(time.as_nanosecond()).map_err(|_| format!("{text} is not from 1970 to 2554"))?;
        Ok(Self::Time(Realtime(nanoseconds)))
    }
}
