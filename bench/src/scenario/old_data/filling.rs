//! Keeps account of what is written, for those who read it later.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use florin_engine::model::Offset;

use super::Filled;
use crate::client::load::{Observer, Stored, Window};
use crate::client::payload::Payloads;
use crate::client::reader::{Delivered, Deliveries};
use crate::client::routes::Route;
use crate::report;

/// Progress is told so often.
const STEP_COUNT: u64 = 20;

/// What was stored so far, of connections that each send to a fresh partition of their own.
#[derive(Debug)]
pub struct Filling<'a> {
    payloads: &'a Payloads,
    partitions: Vec<Filled>,
    bytes: u64,
    bytes_wanted: u64,
}

impl<'a> Filling<'a> {
    /// Nothing yet, of about `bytes_wanted` bytes.
    pub fn new(payloads: &'a Payloads, routes: &[Route], bytes_wanted: u64) -> Self {
        let empty = |route: &Route| Filled { partition: route.partition, end: Offset(0), batch_bytes: 0, crc_sum: 0 };
        Self { payloads, partitions: routes.iter().map(empty).collect(), bytes: 0, bytes_wanted }
    }

    /// What is in each partition: something.
    pub fn finish(self) -> Result<Vec<Filled>> {
        let is_empty = |filled: &Filled| filled.end == Offset(0);
        ensure!(!self.partitions.iter().any(is_empty), "a partition stayed empty: write more, with a larger --bytes");
        Ok(self.partitions)
    }
}

impl Deliveries for Filling<'_> {
    fn delivered(&mut self, _: &Delivered) -> Result<()> {
        Ok(())
    }

    fn fetched(&mut self, _: Instant, _: Instant) {}
}

impl Observer for Filling<'_> {
    fn begins(&mut self, _: Window) {}

    fn stored(&mut self, stored: &Stored) -> Result<()> {
        let filled = self.partitions.iter_mut().find(|filled| filled.partition == stored.partition);
        let filled = filled.with_context(|| format!("nothing is sent to partition {}", stored.partition))?;
        let (found, expected) = (stored.base_offset, filled.end);
        ensure!(found == expected, "partition {}: a batch is at {found}, not at {expected}", filled.partition);
        let bytes = self.payloads.batch(stored.batch).len() as u64;
        filled.end = found.plus(u64::from(self.payloads.record_count()));
        filled.batch_bytes += bytes;
        filled.crc_sum += u64::from(self.payloads.crc(stored.batch));
        let step_of = |bytes: u64| bytes * STEP_COUNT / self.bytes_wanted.max(1);
        let before = step_of(self.bytes);
        self.bytes += bytes;
        if step_of(self.bytes) > before {
            report::progress(&format!("writing {} MiB: {} MiB", self.bytes_wanted >> 20, self.bytes >> 20));
        }
        Ok(())
    }

    fn awaited_count(&self) -> usize {
        0
    }
}
