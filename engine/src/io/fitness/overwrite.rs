//! Durable writes over blocks that are there already: the least that an acknowledgement costs on a disk.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::FallocateFlags;

use super::super::UNIT_BYTES;

/// The file that is overwritten again and again: 16 MiB.
const UNIT_COUNT: u64 = 4096;
const FILE_NAME: &str = "overwritten";

/// How a write is made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwrite {
    /// By one write past the page cache (`O_DIRECT`, `O_DSYNC`), as a journal is written.
    Direct,
    /// By one write through the page cache (`O_DSYNC`), as with `--no-direct`.
    Durable,
    /// By a write and `fdatasync`.
    Synced,
}

/// A file whose every unit was written once, so that an overwrite changes nothing but data. It has no name any more.
#[derive(Debug)]
pub struct OverwriteFile {
    file: File,
    how: Overwrite,
    memory: Vec<u8>,
    next: u64,
}

impl OverwriteFile {
    /// Makes the file in a directory, which must not hold a file of that name.
    ///
    /// # Errors
    /// `EINVAL` where the file system does not offer `O_DIRECT`; otherwise whatever stops it from being made.
    pub fn prepare(directory: &Path, how: Overwrite) -> io::Result<Self> {
        let path = directory.join(FILE_NAME);
        let made = Self::make(&path, how);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(Self { file: made?, how, memory: vec![0x35; 2 * UNIT_BYTES], next: 0 }),
        }
    }

    fn make(path: &Path, how: Overwrite) -> io::Result<File> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        preallocate(&file, UNIT_COUNT * UNIT_BYTES as u64)?;
        for unit in 0..UNIT_COUNT {
            file.write_all_at(&[0x5f; UNIT_BYTES], unit * UNIT_BYTES as u64)?;
        }
        file.sync_all()?;
        let flags = match how {
            Overwrite::Direct => libc::O_DIRECT | libc::O_DSYNC,
            Overwrite::Durable => libc::O_DSYNC,
            Overwrite::Synced => 0,
        };
        OpenOptions::new().write(true).custom_flags(flags).open(path)
    }

    /// Overwrites the next unit; `Ok` means that the device says it is on stable storage.
    pub fn overwrite(&mut self) -> io::Result<()> {
        let start = self.memory.as_ptr().align_offset(UNIT_BYTES);
        let unit = &mut self.memory[start..start + UNIT_BYTES];
        unit[..size_of::<u64>()].copy_from_slice(&self.next.to_le_bytes());
        let position = self.next % UNIT_COUNT * UNIT_BYTES as u64;
        self.next += 1;
        let written = self.file.write_at(unit, position)?;
        if written != UNIT_BYTES {
            return Err(io::Error::other(format!("a write stopped after {written} of {UNIT_BYTES} bytes")));
        }
        if self.how == Overwrite::Synced { self.file.sync_data() } else { Ok(()) }
    }
}

/// Whether space can be allocated before it is written, asked with a file of so many bytes that is gone afterwards.
///
/// # Errors
/// Whatever stops it: `EOPNOTSUPP` where the file system cannot.
pub fn check_preallocation(directory: &Path, bytes: u64) -> io::Result<()> {
    let path = directory.join(FILE_NAME);
    let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
    let allocated = preallocate(&file, bytes);
    std::fs::remove_file(&path)?;
    allocated
}

fn preallocate(file: &File, bytes: u64) -> io::Result<()> {
    Ok(rustix::fs::fallocate(file, FallocateFlags::empty(), 0, bytes)?)
}

/// What a file system has left for this process's user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeSpace {
    /// Bytes.
    pub bytes: u64,
    /// Files; none where nothing bounds them.
    pub files: Option<u64>,
}

impl FreeSpace {
    /// Of the file system of a directory.
    pub fn of(directory: &Path) -> io::Result<Self> {
        let found = rustix::fs::statvfs(directory)?;
        let files = (found.f_files > 0).then_some(found.f_favail);
        Ok(Self { bytes: found.f_bavail.saturating_mul(found.f_frsize), files })
    }
}
