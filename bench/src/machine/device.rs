//! The block device below a directory, and how often it was flushed.

#![allow(clippy::disallowed_methods, reason = "a bench reads the host's own files")]

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use florin_engine::io::fitness::FileSystem;

/// Where the completed flushes stand in the statistics of a device, counted from 0.
const FLUSH_FIELD: usize = 15;

/// A disk, whole: the kernel counts no flushes for partitions.
#[derive(Clone, Debug)]
pub struct BlockDevice {
    name: String,
    folder: PathBuf,
}

impl BlockDevice {
    /// The disk below a directory, if there is exactly one and the system shows it.
    pub fn of(directory: &Path) -> Option<Self> {
        let number = std::fs::metadata(directory).ok()?.dev();
        let link = format!("/sys/dev/block/{}:{}", rustix::fs::major(number), rustix::fs::minor(number));
        let mut folder = std::fs::canonicalize(link).ok()?;
        if folder.join("partition").exists() {
            folder = folder.parent()?.to_owned();
        }
        Some(Self { name: folder.file_name()?.to_str()?.to_owned(), folder })
    }

    /// Its name, and whether it has a cache that has to be flushed.
    pub fn description(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.folder.join("queue").join(name)).unwrap_or_default();
        let (cache, forced) = (read("write_cache"), read("fua"));
        let forced = if forced.trim() == "1" { ", FUA" } else { "" };
        if cache.trim().is_empty() {
            return self.name.clone();
        }
        format!("{} ({}{forced})", self.name, cache.trim())
    }

    /// Flushes that it has completed, whoever asked for them.
    pub fn flush_count(&self) -> Option<u64> {
        flushes_of(&std::fs::read_to_string(self.folder.join("stat")).ok()?)
    }
}

/// The file system of a directory.
pub fn file_system_of(directory: &Path) -> Result<FileSystem> {
    let statistics = rustix::fs::statfs(directory)
        .with_context(|| format!("the file system of {} cannot be told", directory.display()))?;
    // The kernel's magic numbers have 32 bits, whatever width and sign the field has on this architecture.
    let magic = u32::try_from(statistics.f_type as u64 & u64::from(u32::MAX))?;
    Ok(FileSystem::from_magic(magic))
}

/// The flushes in the text of a device's statistics; older kernels have none.
pub(super) fn flushes_of(statistics: &str) -> Option<u64> {
    statistics.split_whitespace().nth(FLUSH_FIELD)?.parse().ok()
}
