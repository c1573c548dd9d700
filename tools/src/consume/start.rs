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
    /// At the first record appended then or later, by the server's clock.
    Time(Realtime),
    /// The same, so long before now.
    Ago(Span),
    /// At the first record whose own timestamp, in Unix milliseconds, is this or later.
    Timestamp(i64),
    /// The same, so long before now.
    TimestampAgo(Span),
}

/// What stands before a time that is compared with the records' own timestamps.
const TIMESTAMP: &str = "timestamp:";
const NANOSECONDS_PER_MILLISECOND: i128 = 1_000_000;

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
            Self::Timestamp(ms) => Start::Timestamp(ms),
            Self::TimestampAgo(span) => {
                let span_ns = i128::try_from(span.0.as_nanos()).unwrap_or(i128::MAX);
                Start::Timestamp(milliseconds(i128::from(now.0).saturating_sub(span_ns)))
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
        if let Some(text) = text.strip_prefix(TIMESTAMP) {
            return timestamp(text);
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
                 or @1767323045, how long ago, such as -10m, or a timestamp of records, such as \
                 {TIMESTAMP}2026-01-31T12:00:00Z"
            )
        })?;
        let nanoseconds =
            u64::try_from(time.as_nanosecond()).map_err(|_| format!("{text} is not from 1970 to 2554"))?;
        Ok(Self::Time(Realtime(nanoseconds)))
    }
}

/// What is written behind `timestamp:`.
fn timestamp(text: &str) -> Result<From, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let above = |_| format!("{text} is above the highest timestamp: write milliseconds since 1970");
        return text.parse().map(From::Timestamp).map_err(above);
    }
    if let Some(seconds) = text.strip_prefix('@') {
        let milliseconds = seconds.parse().ok().and_then(|seconds: i64| seconds.checked_mul(1000));
        let behind = "behind @ stand whole seconds since 1970, such as timestamp:@1767323045";
        return milliseconds.map(From::Timestamp).ok_or_else(|| behind.to_owned());
    }
    if let Some(span) = text.strip_prefix('-') {
        return span.parse().map(From::TimestampAgo);
    }
    let time: Timestamp = text.parse().map_err(|_| {
        format!(
            "{text:?} is no timestamp: write {TIMESTAMP}2026-01-31T12:00:00Z, {TIMESTAMP}@1767323045, milliseconds \
             since 1970 as in {TIMESTAMP}1767323045000, or how long ago, such as {TIMESTAMP}-10m"
        )
    })?;
    Ok(From::Timestamp(milliseconds(time.as_nanosecond())))
}

/// The first millisecond that is not before this time: what is compared with it is in whole ones.
fn milliseconds(nanoseconds: i128) -> i64 {
    let rounded_up = -(-nanoseconds).div_euclid(NANOSECONDS_PER_MILLISECOND);
    i64::try_from(rounded_up).unwrap_or(if nanoseconds < 0 { i64::MIN } else { i64::MAX })
}
