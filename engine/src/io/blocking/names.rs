//! What is done to names and directories, by blocking calls. The executor's disk runs these on a helper thread.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::FallocateFlags;

use super::super::{DiskError, DiskOperation};
use super::failure::disk_error;

/// Payments are nobody else's business: the owner writes, its group may inspect.
const FILE_MODE: u32 = 0o640;
const DIRECTORY_MODE: u32 = 0o750;

/// Creates a file that must not exist, with all its space allocated and reading as zero, and closes it. What
/// could not be finished is removed again.
pub(in crate::io) fn create_file(path: &Path, size_bytes: u64) -> Result<(), DiskError> {
    let failed = |error: io::Error| disk_error(DiskOperation::Create, path, None, &error);
    let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path).map_err(failed)?;
    // fallocate itself, never an emulation by sparse size: what has no space must be known now.
    let allocated = match size_bytes {
        0 => Ok(()),
        _ => rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, size_bytes).map_err(io::Error::from),
    };
    allocated.map_err(|error| {
        // The first failure is the one to tell; a name that stays behind is found by whoever lists the directory.
        let _ = fs::remove_file(path);
        failed(error)
    })
}

/// Creates a directory that must not exist.
pub(in crate::io) fn create_directory(path: &Path) -> Result<(), DiskError> {
    let created = DirBuilder::new().mode(DIRECTORY_MODE).create(path);
    created.map_err(|error| disk_error(DiskOperation::Create, path, None, &error))
}

/// The names in a directory, sorted. A name that is not UTF-8 is shown with replacement characters, which no
/// name of the engine contains.
pub(in crate::io) fn list(path: &Path) -> Result<Vec<String>, DiskError> {
    let failed = |error: io::Error| disk_error(DiskOperation::List, path, None, &error);
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Renames a file, replacing `to`.
pub(in crate::io) fn rename(from: &Path, to: &Path) -> Result<(), DiskError> {
    fs::rename(from, to).map_err(|error| disk_error(DiskOperation::Rename, from, None, &error))
}

/// Removes a file.
pub(in crate::io) fn remove(path: &Path) -> Result<(), DiskError> {
    fs::remove_file(path).map_err(|error| disk_error(DiskOperation::Remove, path, None, &error))
}

/// Makes the names in a directory durable: by fsync, because fdatasync need not count a changed name as data.
pub(in crate::io) fn sync_directory(path: &Path) -> Result<(), DiskError> {
    let synced = File::open(path).and_then(|directory| directory.sync_all());
    synced.map_err(|error| disk_error(DiskOperation::SyncDirectory, path, None, &error))
}
