//! The block device below a directory: its cache, and how often it was flushed.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where the completed flushes stand in the statistics of a device, counted from 0.
const FLUSH_FIELD: usize = 15;
/// Devices that stand on one another, at most: a partition in a volume in an encrypted device.
const LAYERS_MAX: usize = 8;

/// What a device says about its cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteCache {
    /// What it has accepted can be lost with the power until it is flushed.
    Volatile,
    /// What it has accepted is safe, as it says.
    None,
}

/// A disk, whole: the kernel counts no flushes for partitions.
#[derive(Clone, Debug)]
pub struct BlockDevice {
    name: String,
    folder: PathBuf,
}

impl BlockDevice {
    /// The disk below a directory, if there is exactly one and the system shows it. Of devices that only pass on what
    /// they are given, the one below.
    pub fn of(directory: &Path) -> Option<Self> {
        let number = fs::metadata(directory).ok()?.dev();
        let link = format!("/sys/dev/block/{}:{}", rustix::fs::major(number), rustix::fs::minor(number));
        Self::of_folder(fs::canonicalize(link).ok()?)
    }

    /// The disk that a folder of `/sys` is about.
    pub(super) fn of_folder(mut folder: PathBuf) -> Option<Self> {
        for _ in 0..LAYERS_MAX {
            if folder.join("partition").exists() {
                folder = folder.parent()?.to_owned();
            }
            let Ok(below) = fs::read_dir(folder.join("slaves")) else { break };
            let below: Vec<PathBuf> = below.filter_map(|entry| Some(entry.ok()?.path())).collect();
            match below.as_slice() {
                [] => break,
                [one] => folder = fs::canonicalize(one).ok()?,
                // An array: no single counter tells of it.
                _ => return None,
            }
        }
        Some(Self { name: folder.file_name()?.to_str()?.to_owned(), folder })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it says that it has a cache that has to be flushed; none if it says nothing.
    pub fn write_cache(&self) -> Option<WriteCache> {
        match self.queue("write_cache")?.as_str() {
            "write back" => Some(WriteCache::Volatile),
            "write through" => Some(WriteCache::None),
            _ => None,
        }
    }

    /// Whether single writes can pass its cache by (FUA), so that a durable write need not flush all of it.
    pub fn has_fua(&self) -> Option<bool> {
        self.queue("fua").map(|fua| fua == "1")
    }

    /// Its name, and whether it has a cache that has to be flushed.
    pub fn description(&self) -> String {
        let cache = match self.write_cache() {
            None => return self.name.clone(),
            Some(WriteCache::Volatile) => "write back",
            Some(WriteCache::None) => "write through",
        };
        let forced = if self.has_fua() == Some(true) { ", FUA" } else { "" };
        format!("{} ({cache}{forced})", self.name)
    }

    /// Flushes that it has completed, whoever asked for them; none if nobody counts them.
    pub fn flush_count(&self) -> Option<u64> {
        flushes_of(&fs::read_to_string(self.folder.join("stat")).ok()?)
    }

    fn queue(&self, name: &str) -> Option<String> {
        Some(fs::read_to_string(self.folder.join("queue").join(name)).ok()?.trim().to_owned())
    }
}

/// The flushes in the text of a device's statistics; older kernels have none.
pub(super) fn flushes_of(statistics: &str) -> Option<u64> {
    statistics.split_whitespace().nth(FLUSH_FIELD)?.parse().ok()
}
