//! Large pieces, one behind the other, past the page cache: durable overwrites, and reads.

#![allow(clippy::disallowed_methods, reason = "a bench measures with the host's clock")]

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use florin_engine::io::UNIT_BYTES;
use florin_engine::io::fitness::BlockDevice;

use super::disk::refuse_memory;
use crate::machine::on_core;
use crate::statistics::Latencies;

/// The file, larger than what a controller keeps for itself.
const FILE_BYTES: usize = 256 << 20;
/// What reads are made in, and what a recovery reads with.
pub const READ_BYTES: usize = 1 << 20;
const FILE_NAME: &str = "large-floor";

/// A file that was written once in full, so that an overwrite changes nothing but data.
#[derive(Debug)]
pub struct LargeFile {
    path: PathBuf,
    device: Option<BlockDevice>,
}

/// What one round gave.
#[derive(Debug)]
pub struct LargeSample {
    /// Of each piece.
    pub latencies: Latencies,
    /// Bytes of all pieces.
    pub bytes: u64,
    /// How long they took.
    pub seconds: f64,
    /// Flushes of the device in the meantime, whoever asked for them.
    pub flushes_per_piece: Option<f64>,
}

/// Memory that direct input and output takes.
struct AlignedMemory {
    memory: Vec<u8>,
    start: usize,
    bytes: usize,
}

impl LargeFile {
    /// Makes the file in a directory.
    pub fn prepare(directory: &Path) -> Result<Self> {
        refuse_memory(directory)?;
        let path = directory.join(FILE_NAME);
        let make = || -> std::io::Result<()> {
            let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
            let mut piece = AlignedMemory::new(READ_BYTES);
            for position in (0..FILE_BYTES as u64).step_by(READ_BYTES) {
                piece.number_units(position);
                file.write_all_at(piece.bytes(), position)?;
            }
            file.sync_all()
        };
        make().with_context(|| format!("the floor's file {} cannot be made", path.display()))?;
        Ok(Self { path, device: BlockDevice::of(directory) })
    }

    /// Overwrites it in pieces for so long, each durable before the next begins, from a thread on `core`.
    pub fn overwrite(&self, piece_bytes: usize, duration: Duration, core: Option<usize>) -> Result<LargeSample> {
        let mut options = OpenOptions::new();
        options.write(true).custom_flags(libc::O_DIRECT | libc::O_DSYNC);
        let file = self.open(&options)?;
        let mut piece = AlignedMemory::new(piece_bytes);
        let mut number = 0;
        on_core(core, || {
            self.repeat(piece_bytes, duration, |position| {
                // Not the same bytes twice: some devices notice.
                number += 1;
                piece.number_units(number);
                let written = file.write_at(piece.bytes(), position).context("a write of the floor failed")?;
                ensure!(written == piece_bytes, "a write stopped after {written} of {piece_bytes} bytes");
                Ok(())
            })
        })
    }

    /// Reads it in pieces for so long, one at a time, from a thread on `core`.
    pub fn read(&self, duration: Duration, core: Option<usize>) -> Result<LargeSample> {
        let file = self.open(OpenOptions::new().read(true).custom_flags(libc::O_DIRECT))?;
        let mut piece = AlignedMemory::new(READ_BYTES);
        on_core(core, || {
            self.repeat(READ_BYTES, duration, |position| {
                let read = file.read_at(piece.bytes_mut(), position).context("a read of the floor failed")?;
                ensure!(read == READ_BYTES, "a read stopped after {read} of {READ_BYTES} bytes");
                Ok(())
            })
        })
    }

    fn open(&self, options: &OpenOptions) -> Result<File> {
        options.open(&self.path).with_context(|| format!("{} cannot be opened with O_DIRECT", self.path.display()))
    }

    /// Does one piece after the other, from the start again behind the end.
    fn repeat(
        &self,
        piece_bytes: usize,
        duration: Duration,
        mut one: impl FnMut(u64) -> Result<()>,
    ) -> Result<LargeSample> {
        let flushes_before = self.flush_count();
        let mut latencies = Latencies::new();
        let mut position = 0;
        let begun = Instant::now();
        while begun.elapsed() < duration {
            let asked = Instant::now();
            one(position)?;
            latencies.record(asked.elapsed());
            position = (position + piece_bytes as u64) % FILE_BYTES as u64;
        }
        let seconds = begun.elapsed().as_secs_f64();
        let flushes = self.flush_count().zip(flushes_before).map(|(after, before)| after.saturating_sub(before));
        let count = latencies.count();
        let flushes_per_piece = flushes.map(|flushes| flushes as f64 / count.max(1) as f64);
        Ok(LargeSample { latencies, bytes: count * piece_bytes as u64, seconds, flushes_per_piece })
    }

    fn flush_count(&self) -> Option<u64> {
        self.device.as_ref().and_then(BlockDevice::flush_count)
    }
}

impl LargeSample {
    /// Megabytes per second.
    pub fn mb_per_second(&self) -> f64 {
        self.bytes as f64 / self.seconds / 1e6
    }
}

/// Reads so many bytes of each file once from the front, one after the other, as a recovery must, and tells how long it
/// took.
pub fn read_once(files: &[(PathBuf, u64)]) -> Result<Duration> {
    let mut piece = AlignedMemory::new(READ_BYTES);
    let begun = Instant::now();
    for (path, bytes) in files {
        let opened = OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(path);
        let file = opened.with_context(|| format!("{} cannot be opened with O_DIRECT", path.display()))?;
        let mut position = 0;
        while position < *bytes {
            let piece_bytes = usize::try_from(bytes - position).map_or(READ_BYTES, |left| left.min(READ_BYTES));
            let read = file.read_at(&mut piece.bytes_mut()[..piece_bytes], position);
            let read = read.with_context(|| format!("{} cannot be read", path.display()))?;
            ensure!(read > 0, "{} ended at byte {position} of {bytes}", path.display());
            position += read as u64;
        }
    }
    Ok(begun.elapsed())
}

impl AlignedMemory {
    fn new(bytes: usize) -> Self {
        let memory = vec![0x5f; bytes + UNIT_BYTES];
        let start = memory.as_ptr().align_offset(UNIT_BYTES);
        Self { memory, start, bytes }
    }

    fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.bytes]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.bytes]
    }

    /// Makes every unit another one.
    fn number_units(&mut self, number: u64) {
        for (index, unit) in (0_u64..).zip(self.bytes_mut().chunks_mut(UNIT_BYTES)) {
            unit[..8].copy_from_slice(&number.to_le_bytes());
            unit[8..16].copy_from_slice(&index.to_le_bytes());
        }
    }
}
