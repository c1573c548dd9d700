//! A file read from its start to its end past the page cache, a MiB at a time, so many reads at a time.

#![allow(clippy::disallowed_methods, reason = "a bench measures with the host's clock")]

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use florin_engine::io::UNIT_BYTES;

use crate::machine::on_core;

/// Bytes of one read, as many as the server reads at a time.
const PIECE_BYTES: usize = 1 << 20;
const FILE_NAME: &str = "floor-sequential";

/// The file.
#[derive(Debug)]
pub struct SequentialFloor {
    path: PathBuf,
    bytes: u64,
}

/// Memory at a place that a direct read takes.
struct Piece {
    memory: Vec<u8>,
    start: usize,
}

impl SequentialFloor {
    /// Writes the file into a directory: whole pieces, at least so many bytes.
    pub fn prepare(directory: &Path, bytes: u64) -> Result<Self> {
        let floor = Self { path: directory.join(FILE_NAME), bytes: bytes.next_multiple_of(PIECE_BYTES as u64) };
        let make = || -> std::io::Result<()> {
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create_new(true).custom_flags(libc::O_DIRECT).open(&floor.path)?;
            let mut piece = Piece::new();
            piece.bytes_mut().fill(0x5f);
            for _ in 0..floor.bytes / PIECE_BYTES as u64 {
                file.write_all(piece.bytes_mut())?;
            }
            file.sync_all()
        };
        make().with_context(|| {
            format!("the floor's file {}, which needs O_DIRECT, cannot be made", floor.path.display())
        })?;
        Ok(floor)
    }

    /// Reads all of it, with `depth` threads on `core` that each have one read under way. In MB (a million bytes) per
    /// second.
    pub fn mb_per_second(&self, depth: usize, core: Option<usize>) -> Result<f64> {
        let next = AtomicU64::new(0);
        let seconds = on_core(core, || {
            let begun = Instant::now();
            std::thread::scope(|scope| {
                let readers: Vec<_> = (0..depth).map(|_| scope.spawn(|| self.read_pieces(&next))).collect();
                let read = |reader: std::thread::ScopedJoinHandle<'_, Result<()>>| match reader.join() {
                    Ok(outcome) => outcome,
                    Err(panic) => std::panic::resume_unwind(panic),
                };
                readers.into_iter().try_for_each(read)
            })?;
            Ok(begun.elapsed().as_secs_f64())
        })?;
        Ok(self.bytes as f64 / 1e6 / seconds)
    }

    fn read_pieces(&self, next: &AtomicU64) -> Result<()> {
        let file = self.open()?;
        let mut piece = Piece::new();
        loop {
            let position = next.fetch_add(PIECE_BYTES as u64, Ordering::Relaxed);
            if position >= self.bytes {
                return Ok(());
            }
            let bytes = file.read_at(piece.bytes_mut(), position).context("a read of the floor failed")?;
            ensure!(bytes == PIECE_BYTES, "a read of the floor stopped after {bytes} of {PIECE_BYTES} bytes");
        }
    }

    fn open(&self) -> Result<File> {
        let opened = OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(&self.path);
        opened.with_context(|| format!("{} cannot be opened with O_DIRECT", self.path.display()))
    }
}

impl Piece {
    fn new() -> Self {
        let memory = vec![0; PIECE_BYTES + UNIT_BYTES];
        let start = memory.as_ptr().align_offset(UNIT_BYTES);
        Self { memory, start }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + PIECE_BYTES]
    }
}

#[cfg(test)]
mod tests;
