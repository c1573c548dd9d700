//! What the data directory of a server tells while it serves: its checkpoints, and how much of the disk it takes.
//!
//! The server is not asked, so it does not work for it. A thread looks at the names, sizes and times of files a few
//! hundred times a second, and reads a superblock when it was written.

#![allow(clippy::disallowed_methods, reason = "a bench waits by the host's clock")]

pub mod ring;
mod shard;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use florin_engine::format::identity::Identity;
use florin_engine::format::layout::shard_path;
use florin_engine::io::blocking::{BlockingDisk, block_on};
use florin_engine::model::ShardId;
use florin_engine::shard::open::read_identity;

use shard::ShardWatch;

/// Between two looks: what is told is right to within this.
pub const PAUSE: Duration = Duration::from_millis(4);

/// A stretch of time in which something went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The last look before.
    pub begun: Instant,
    /// The first look behind it.
    pub ended: Instant,
}

/// What was seen, of all shards.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// Checkpoints, in the order in which they ended: from the first byte of a manifest until the superblocks name it.
    pub checkpoints: Vec<Span>,
    /// When segment files grew, in the order of time: batches were taken to rest, or runs were put together.
    pub segment_writes: Vec<Span>,
    /// The most bytes that all files took together.
    pub disk_bytes_max: u64,
}

/// A thread that watches a directory.
#[derive(Debug)]
pub struct DirectoryWatch {
    stops: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Watched>>>,
}

impl Watched {
    /// Checkpoints that came into force in a stretch of time.
    pub fn checkpoint_count(&self, from: Instant, to: Instant) -> usize {
        self.checkpoints.iter().filter(|checkpoint| (from..=to).contains(&checkpoint.ended)).count()
    }
}

impl DirectoryWatch {
    /// Begins to watch the data directory of a server that is ready.
    pub fn start(data: &Path) -> Result<Self> {
        let identity = identity_of(data)?;
        let mut shards: Vec<ShardWatch> = (0..identity.shard_count)
            .map(|shard| ShardWatch::new(shard_path(data, ShardId(shard)), identity.directory_id, ShardId(shard)))
            .collect();
        let stops = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stops);
        // Only what comes from now on counts.
        let mut last = Instant::now();
        shards.iter_mut().try_for_each(|shard| shard.begin(last))?;
        let watch = move || {
            let mut watched = Watched::default();
            // What was written before the end is looked at once more.
            let mut is_last = false;
            while !is_last {
                is_last = told.load(Ordering::Acquire);
                let now = Instant::now();
                let mut bytes = 0;
                for shard in &mut shards {
                    let found = shard.look(last, now)?;
                    bytes += found.disk_bytes;
                    watched.checkpoints.extend(found.checkpoints);
                    watched.segment_writes.extend(found.segment_write);
                }
                watched.disk_bytes_max = watched.disk_bytes_max.max(bytes);
                last = now;
                if !is_last {
                    std::thread::sleep(PAUSE);
                }
            }
            Ok(watched)
        };
        let thread = std::thread::Builder::new().name("watch".to_owned()).spawn(watch);
        Ok(Self { stops, thread: Some(thread.context("no thread can be started")?) })
    }

    /// Ends it and tells what was seen.
    pub fn stop(mut self) -> Result<Watched> {
        self.stops.store(true, Ordering::Release);
        let thread = self.thread.take().context("a watch ends once")?;
        thread.join().map_err(|_| anyhow!("the thread that watched the server's directory is gone"))?
    }
}

impl Drop for DirectoryWatch {
    fn drop(&mut self) {
        self.stops.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // Whoever drops it has another failure to tell of.
            let _ = thread.join();
        }
    }
}

/// Which directory this is.
fn identity_of(data: &Path) -> Result<Identity> {
    let identity = block_on(read_identity(&BlockingDisk, data));
    identity.with_context(|| format!("{} cannot be looked into", data.display()))
}

/// The files of a folder with their sizes and the bytes that they take on disk. A file that goes meanwhile is none.
fn files_of(folder: &Path) -> Result<Vec<FoundFile>> {
    use std::os::unix::fs::MetadataExt;
    let read = || -> std::io::Result<Vec<FoundFile>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            match entry.metadata() {
                Ok(data) => found.push(FoundFile {
                    path: entry.path(),
                    size_bytes: data.len(),
                    disk_bytes: data.blocks() * STAT_BLOCK_BYTES,
                    written: (data.mtime(), data.mtime_nsec()),
                }),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    };
    read().with_context(|| format!("{} cannot be looked into", folder.display()))
}

/// The unit in which the kernel counts what a file takes.
const STAT_BLOCK_BYTES: u64 = 512;

/// When a file was last written, in seconds and nanoseconds.
type WriteTime = (i64, i64);

/// A file as its folder shows it.
struct FoundFile {
    path: PathBuf,
    size_bytes: u64,
    disk_bytes: u64,
    written: WriteTime,
}
