//! What the machine gives without Florin: no acknowledgement can be faster than a durable write and a round trip.

mod disk;
mod large;
mod large_writes;
mod loopback;
mod polling;
mod sequential;
mod stream;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use florin_engine::io::fitness::FreeSpace;
use tempfile::TempDir;

pub use disk::DiskFloor;
pub use large::{LargeFile, LargeSample, READ_BYTES, read_once};
pub use large_writes::{LARGE_WRITE_BYTES, LargeWrites};
pub use loopback::Loopback;
pub use polling::poll_round_trips;
pub use sequential::SequentialFloor;
pub use stream::{PIECE_BYTES, stream};

/// Disk that is left alone.
const SPARE_BYTES: u64 = 1 << 30;

/// Refuses to begin what has no room on a disk.
pub fn require_space(directory: &Path, bytes: u64) -> Result<()> {
    let wanted = bytes.saturating_add(SPARE_BYTES);
    let free = FreeSpace::of(directory);
    let free = free.with_context(|| format!("{} has no free space to be known", directory.display()))?;
    ensure!(
        free.bytes >= wanted,
        "{wanted} bytes are needed and {} are free in {}: name another directory with --data, or use smaller sizes",
        free.bytes,
        directory.display()
    );
    Ok(())
}

/// A new folder that is removed at the end, below a directory that exists; without one, below `target`.
pub fn folder(directory: Option<&Path>, name: &str) -> Result<TempDir> {
    let parent = match directory {
        Some(directory) => directory.to_owned(),
        None => {
            let target = PathBuf::from("target");
            if target.is_dir() { target } else { PathBuf::from(".") }
        }
    };
    ensure!(parent.is_dir(), "{} is no directory: name one on the disk that is to be measured", parent.display());
    let prefix = format!("florin-bench-{name}-");
    let made = tempfile::Builder::new().prefix(&prefix).tempdir_in(&parent);
    let made = made.with_context(|| format!("no folder can be made in {}", parent.display()))?;
    Ok(made)
}
