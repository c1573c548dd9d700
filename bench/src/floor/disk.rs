//! One durable overwrite of 4 KiB after the other, past the page cache.

#![allow(clippy::disallowed_methods, reason = "a bench measures with the host's clock")]

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use florin_engine::io::fitness::{BlockDevice, FileSystem, Overwrite, OverwriteFile, file_system_of};

use crate::machine::on_core;
use crate::statistics::Latencies;

/// A file whose every unit was written once, so that an overwrite changes nothing but data.
#[derive(Debug)]
pub struct DiskFloor {
    file: OverwriteFile,
    device: Option<BlockDevice>,
}

/// Writes of one round.
#[derive(Debug)]
pub struct DiskSample {
    /// Of each write.
    pub latencies: Latencies,
    /// How long all took.
    pub seconds: f64,
    /// Flushes of the device in the meantime, whoever asked for them.
    pub flushes_per_write: Option<f64>,
}

/// What a directory is on, which must not be memory.
pub fn refuse_memory(directory: &Path) -> Result<FileSystem> {
    let kind = file_system_of(directory)?;
    if matches!(kind, FileSystem::Tmpfs | FileSystem::Ramfs) {
        bail!(
            "{} is on {kind}, which is memory: nothing is durable there, name a directory on a disk",
            directory.display()
        );
    }
    Ok(kind)
}

impl DiskFloor {
    /// Makes the file in a directory; it has no name there afterwards.
    pub fn prepare(directory: &Path) -> Result<Self> {
        let kind = refuse_memory(directory)?;
        let file = OverwriteFile::prepare(directory, Overwrite::Direct);
        let file = file.with_context(|| format!("the floor's file, which needs O_DIRECT, cannot be made on {kind}"))?;
        Ok(Self { file, device: BlockDevice::of(directory) })
    }

    /// Writes for so long, one in flight, from a thread on `core`.
    pub fn run(&mut self, duration: Duration, core: Option<usize>) -> Result<DiskSample> {
        on_core(core, || self.overwrite_until_end(duration))
    }

    fn overwrite_until_end(&mut self, duration: Duration) -> Result<DiskSample> {
        let flushes_before = self.flush_count();
        let mut latencies = Latencies::new();
        let begun = Instant::now();
        while begun.elapsed() < duration {
            let asked = Instant::now();
            self.file.overwrite().context("a write of the floor failed")?;
            latencies.record(asked.elapsed());
        }
        let seconds = begun.elapsed().as_secs_f64();
        let flushes = self.flush_count().zip(flushes_before).map(|(after, before)| after.saturating_sub(before));
        let flushes_per_write = flushes.map(|flushes| flushes as f64 / latencies.count().max(1) as f64);
        Ok(DiskSample { latencies, seconds, flushes_per_write })
    }

    fn flush_count(&self) -> Option<u64> {
        self.device.as_ref().and_then(BlockDevice::flush_count)
    }
}
