//! Measures durable writes, one in flight, and counts the device's flushes meanwhile.

use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use florin_engine::io::fitness::{BlockDevice, Overwrite, OverwriteFile};
use serde::Serialize;

use crate::host;
use crate::interrupt::Interrupt;
use crate::latency::{Latencies, LatencySummary};

/// Writes of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Measured {
    /// `direct`, `durable` or `synced`.
    pub(super) measurement: &'static str,
    /// Writes that were made.
    pub(super) write_count: u64,
    /// Flushes that the device completed meanwhile, whoever asked for them; none if nobody counts them.
    pub(super) flush_count: Option<u64>,
    /// How long each took.
    pub(super) latency: LatencySummary,
}

impl Measured {
    /// Overwrites 4 KiB after 4 KiB of a file in `home` for so long, and at least once. The inner error is the disk's.
    ///
    /// # Errors
    /// If it was interrupted.
    pub(super) fn of(
        home: &Path,
        how: Overwrite,
        duration: Duration,
        device: Option<&BlockDevice>,
        interrupt: &Interrupt,
    ) -> Result<io::Result<Self>> {
        let mut file = match OverwriteFile::prepare(home, how) {
            Ok(file) => file,
            Err(error) => return Ok(Err(error)),
        };
        let flush_count = || device.and_then(BlockDevice::flush_count);
        let before = flush_count();
        let mut latencies = Latencies::new();
        let mut write_count = 0;
        let end = host::monotonic() + duration;
        let mut asked = host::monotonic();
        while write_count == 0 || asked < end {
            ensure!(!interrupt.is_asked(), "interrupted: nothing was found out");
            if let Err(error) = file.overwrite() {
                return Ok(Err(error));
            }
            let done = host::monotonic();
            latencies.record(done.saturating_sub(asked));
            (asked, write_count) = (done, write_count + 1);
        }
        let flush_count = flush_count().zip(before).map(|(after, before)| after.saturating_sub(before));
        let measurement = match how {
            Overwrite::Direct => "direct",
            Overwrite::Durable => "durable",
            Overwrite::Synced => "synced",
        };
        Ok(Ok(Self { measurement, write_count, flush_count, latency: latencies.summary() }))
    }

    /// Flushes for each write.
    pub(super) fn flushes_per_write(&self) -> Option<f64> {
        // A measurement has nowhere near 2^52 of either.
        self.flush_count.map(|count| count as f64 / self.write_count.max(1) as f64)
    }
}
