//! Holds what is read against what was written, and counts it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use florin_engine::model::Offset;

use super::Filled;
use crate::client::load::{Observer, Stored, Window};
use crate::client::reader::{Delivered, Deliveries};
use crate::statistics::Latencies;

/// What has been read in all: to be looked at by another thread while it is read.
#[derive(Debug, Default)]
pub struct ReadingTotals {
    /// Records.
    pub records: AtomicU64,
    /// Bytes of their values.
    pub value_bytes: AtomicU64,
    /// Bytes of batches.
    pub batch_bytes: AtomicU64,
    /// Readers that go over everything again and again end when this is set.
    pub ends: AtomicBool,
}

/// Readers of old data under way.
#[derive(Debug)]
pub struct Reading<'a> {
    written: &'a [Filled],
    totals: &'a ReadingTotals,
    /// Of each partition, what was read of it since it was begun from the start.
    read: Vec<Filled>,
    /// Partitions that are not read to their end; `None`: they are read until the totals say that it ends.
    left: Option<usize>,
    begun: Option<Instant>,
    ended: Option<Instant>,
    fetches: Latencies,
}

impl<'a> Reading<'a> {
    /// From the start to the end, once.
    pub fn once(written: &'a [Filled], totals: &'a ReadingTotals) -> Self {
        Self { left: Some(written.len()), ..Self::endless(written, totals) }
    }

    /// Until the totals say that it ends.
    pub fn endless(written: &'a [Filled], totals: &'a ReadingTotals) -> Self {
        let read = written.iter().map(Filled::unread).collect();
        Self { written, totals, read, left: None, begun: None, ended: None, fetches: Latencies::new() }
    }

    /// How long it took to read everything once, and how long each fetch took until all its batches were decoded.
    pub fn finish(self) -> Result<(f64, Latencies)> {
        let (begun, ended) = self.begun.zip(self.ended).context("nothing was read")?;
        Ok((ended.duration_since(begun).as_secs_f64(), self.fetches))
    }
}

impl Filled {
    fn unread(&self) -> Self {
        Self { end: Offset(0), batch_bytes: 0, crc_sum: 0, ..*self }
    }
}

impl Deliveries for Reading<'_> {
    fn delivered(&mut self, delivered: &Delivered) -> Result<()> {
        let partition = delivered.partition;
        let index = self.written.iter().position(|written| written.partition == partition);
        let index = index.with_context(|| format!("partition {partition} was read, and nothing was written to it"))?;
        let (read, written) = (&mut self.read[index], &self.written[index]);
        read.end = delivered.base_offset.plus(u64::from(delivered.record_count));
        read.batch_bytes += delivered.batch_bytes as u64;
        read.crc_sum += u64::from(delivered.crc);
        if read.end == written.end {
            let (found, expected) = (*read, *written);
            ensure!(found == expected, "partition {partition}: {found:?} was read, and {expected:?} was written");
            *read = written.unread();
            self.left = self.left.map(|left| left.saturating_sub(1));
            self.ended = Some(delivered.at);
        }
        let totals = self.totals;
        totals.records.fetch_add(u64::from(delivered.record_count), Ordering::Relaxed);
        totals.value_bytes.fetch_add(delivered.value_bytes as u64, Ordering::Relaxed);
        totals.batch_bytes.fetch_add(delivered.batch_bytes as u64, Ordering::Relaxed);
        Ok(())
    }

    fn fetched(&mut self, asked: Instant, at: Instant) {
        self.fetches.record(at.saturating_duration_since(asked));
    }
}

impl Observer for Reading<'_> {
    fn begins(&mut self, window: Window) {
        self.begun = Some(window.from);
    }

    fn stored(&mut self, _: &Stored) -> Result<()> {
        Ok(())
    }

    fn awaited_count(&self) -> usize {
        self.left.unwrap_or_else(|| usize::from(!self.totals.ends.load(Ordering::Relaxed)))
    }
}
