//! A disk without free space: nothing comes to rest meanwhile, so a journal that is filled is needed to its last file.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Context, Result};
use florin_engine::io::UNIT_BYTES;
use florin_engine::io::fitness::FreeSpace;
use rustix::fs::{FallocateFlags, fallocate, syncfs};

/// All space that was free, in a file without a name: it is free again when this process ends, whatever ends it.
#[derive(Debug)]
pub(super) struct FullDisk {
    file: File,
}

impl FullDisk {
    /// Takes all space of the disk that a directory is on.
    pub(super) fn take(directory: &Path) -> Result<Self> {
        let take = || -> io::Result<File> {
            let file = tempfile::tempfile_in(directory)?;
            take_all(FreeSpace::of(directory)?.bytes, |position, bytes| {
                Ok(fallocate(file.as_fd(), FallocateFlags::empty(), position, bytes)?)
            })?;
            Ok(file)
        };
        let file = take().with_context(|| format!("the space of {} cannot be taken", directory.display()))?;
        Ok(Self { file })
    }

    /// Gives it back, so that it can be used when this returns.
    pub(super) fn give_back(self, directory: &Path) -> Result<()> {
        drop(self.file);
        let sync = || -> io::Result<()> { Ok(syncfs(tempfile::tempfile_in(directory)?.as_fd())?) };
        sync().with_context(|| format!("the space of {} cannot be given back", directory.display()))
    }
}

/// Allocates one piece behind the other, smaller ones where larger ones find no space, until a unit finds none. Returns
/// how many bytes that are.
fn take_all(free_bytes: u64, allocate: impl Fn(u64, u64) -> io::Result<()>) -> io::Result<u64> {
    const UNIT: u64 = UNIT_BYTES as u64;
    let (mut end, mut units) = (0, (free_bytes / UNIT).max(1));
    loop {
        match allocate(end, units * UNIT) {
            Ok(()) => end += units * UNIT,
            Err(error) if error.kind() == ErrorKind::StorageFull && units == 1 => return Ok(end),
            Err(error) if error.kind() == ErrorKind::StorageFull => units /= 2,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
