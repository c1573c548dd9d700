//! One durable overwrite of 4 KiB after the other, past the page cache.

#![allow(clippy::disallowed_methods, reason = "a bench measures with the host's clock and files")]

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use florin_engine::io::fitness::FileSystem;
use rustix::fs::FallocateFlags;

use crate::machine::{BlockDevice, file_system_of, on_core};
use crate::statistics::Latencies;

const UNIT_BYTES: usize = 4096;
/// The file that is overwritten again and again: 16 MiB.
const UNIT_COUNT: u64 = 4096;

/// A file whose every unit was written once, so that an overwrite changes nothing but data.
#[derive(Debug)]
pub struct DiskFloor {
    file: File,
    device: Option<BlockDevice>,
    next: u64,
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

impl DiskFloor {
    /// Makes the file in a directory; it has no name there afterwards.
    pub fn prepare(directory: &Path) -> Result<Self> {
        let kind = file_system_of(directory)?;
        if matches!(kind, FileSystem::Tmpfs | FileSystem::Ramfs) {
            bail!(
                "{} is on {kind}, which is memory: nothing is durable there, name a directory on a disk",
                directory.display()
            );
        }
        let path = directory.join("floor");
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.with_context(|| format!("{} cannot be created", path.display()))?;
        rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, UNIT_COUNT * UNIT_BYTES as u64)
            .context("the floor's file cannot be allocated")?;
        for unit in 0..UNIT_COUNT {
            file.write_all_at(&[0x5f; UNIT_BYTES], unit * UNIT_BYTES as u64)
                .context("the floor's file cannot be written")?;
        }
        file.sync_all().context("the floor's file cannot be made durable")?;
        let direct = OpenOptions::new().write(true).custom_flags(libc::O_DIRECT | libc::O_DSYNC).open(&path);
        let file = direct.with_context(|| format!("{kind} does not offer O_DIRECT: the floor needs it"))?;
        std::fs::remove_file(&path).context("the floor's file cannot be removed")?;
        Ok(Self { file, device: BlockDevice::of(directory), next: 0 })
    }

    /// Writes for so long, one in flight, from a thread on `core`.
    pub fn run(&mut self, duration: Duration, core: Option<usize>) -> Result<DiskSample> {
        on_core(core, || self.overwrite_until_end(duration))
    }

    fn overwrite_until_end(&mut self, duration: Duration) -> Result<DiskSample> {
        let mut memory = vec![0x35; 2 * UNIT_BYTES];
        let start = memory.as_ptr().align_offset(UNIT_BYTES);
        let unit = &mut memory[start..start + UNIT_BYTES];
        let flushes_before = self.flush_count();
        let mut latencies = Latencies::new();
        let begun = Instant::now();
        while begun.elapsed() < duration {
            unit[..size_of::<u64>()].copy_from_slice(&self.next.to_le_bytes());
            let position = self.next % UNIT_COUNT * UNIT_BYTES as u64;
            self.next += 1;
            let asked = Instant::now();
            let written = self.file.write_at(unit, position).context("a write of the floor failed")?;
            latencies.record(asked.elapsed());
            if written != UNIT_BYTES {
                bail!("a write of the floor stopped after {written} of {UNIT_BYTES} bytes");
            }
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
