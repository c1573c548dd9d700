//! The data directory as a process takes it: checked, locked, and formatted if there is none yet.
//!
//! Only an absent or empty directory is ever formatted. Whoever knows which directory it must be says so
//! ([`Settings::expect_id`]): a volume that is not mounted must not become an empty ledger.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::open::{OpenError, read_identity};
use crate::format::identity::Identity;
use crate::format::layout::Geometry;
use crate::io::blocking::{BlockingDisk, block_on};
use crate::io::fitness::{self, DirectIo, DirectoryLock, FitnessError, LockError, Warning};
use crate::io::{Disk, DiskError, DiskErrorKind, host};
use crate::journal::create::{FormatError, FormatSettings, LOCK_NAME, format};
use crate::limits::SHARD_COUNT_MAX;
use crate::model::Id128;

/// What a directory is taken with.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Shards of a directory that is formatted.
    pub shard_count: u16,
    /// Sizes of a directory that is formatted.
    pub geometry: Geometry,
    /// Accept file systems that copy on write.
    pub allow_cow: bool,
    /// Whether files bypass the page cache.
    pub direct_io: DirectIo,
    /// The id that the directory must have; then nothing is formatted.
    pub expect_id: Option<Id128>,
}

/// A directory that is ours.
#[derive(Debug)]
pub struct TakenDirectory {
    /// Held as long as the directory is used.
    pub lock: DirectoryLock,
    /// Which directory it is.
    pub identity: Identity,
    /// Whether it was formatted just now.
    pub formatted: bool,
    /// What an operator should know about its file system.
    pub warnings: Vec<Warning>,
}

/// A directory that was formatted.
#[derive(Debug)]
pub struct MadeDirectory {
    /// Held until it is dropped.
    pub lock: DirectoryLock,
    /// What was made.
    pub settings: FormatSettings,
    /// What an operator should know about its file system.
    pub warnings: Vec<Warning>,
}

/// Why a directory was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DirectoryError {
    /// The place for the directory is not there either.
    #[error("{0} is no directory: create it first, on the volume for the data")]
    NoParent(PathBuf),
    /// The file system cannot keep the promises.
    #[error(transparent)]
    Unfit(#[from] FitnessError),
    /// Somebody else has it.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// It could not be formatted.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Its identity cannot be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A directory with an id was expected, and there is none.
    #[error("{path} holds no data directory, and {expected} was expected: check that the right volume is mounted")]
    NothingThere {
        /// The directory.
        path: PathBuf,
        /// The id that it must have.
        expected: Id128,
    },
    /// Another directory was expected.
    #[error(
        "{path} is the data directory {found}, and {expected} was expected: check that the right volume is mounted"
    )]
    OtherDirectory {
        /// The directory.
        path: PathBuf,
        /// The id that it must have.
        expected: Id128,
        /// The id that it has.
        found: Id128,
    },
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// What stands at the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Absent,
    Empty,
    /// A directory of ours, or one that a format began.
    Ours,
}

/// Takes a directory to serve it; an absent or empty one is formatted first, unless an id is expected.
///
/// # Errors
/// Nothing was changed, except where a format failed half way: it says so.
pub fn take(directory: &Path, settings: &Settings) -> Result<TakenDirectory, DirectoryError> {
    if look_at(directory)? != Place::Ours {
        if let Some(expected) = settings.expect_id {
            return Err(DirectoryError::NothingThere { path: directory.to_owned(), expected });
        }
        let MadeDirectory { lock, warnings, .. } = make(directory, settings)?;
        let identity = block_on(read_identity(&BlockingDisk, directory))?;
        return Ok(TakenDirectory { lock, identity, formatted: true, warnings });
    }
    let warnings = check_fitness(directory, settings)?;
    let expected = |identity: &Identity| match settings.expect_id {
        Some(expected) if expected != identity.directory_id => {
            let found = identity.directory_id;
            Err(DirectoryError::OtherDirectory { path: directory.to_owned(), expected, found })
        }
        _ => Ok(()),
    };
    // Another directory than the expected one is left as it is, its lock included.
    expected(&block_on(read_identity(&BlockingDisk, directory))?)?;
    let lock = DirectoryLock::take(directory)?;
    let identity = block_on(read_identity(&BlockingDisk, directory))?;
    expected(&identity)?;
    // A format that was killed before its last sync has named the identity, and nothing keeps that name yet.
    block_on(BlockingDisk.sync_directory(directory))?;
    Ok(TakenDirectory { lock, identity, formatted: false, warnings })
}

/// Formats an absent or empty directory under new random names.
///
/// # Errors
/// Nothing was changed, except where the disk failed half way.
pub fn make(directory: &Path, settings: &Settings) -> Result<MadeDirectory, DirectoryError> {
    if !(1..=SHARD_COUNT_MAX).contains(&settings.shard_count) {
        return Err(FormatError::ShardCount(settings.shard_count.into()).into());
    }
    settings.geometry.check().map_err(FormatError::from)?;
    let place = look_at(directory)?;
    let warnings = match place {
        Place::Absent => {
            let parent = parent_of(directory);
            if !parent.is_dir() {
                return Err(DirectoryError::NoParent(parent.to_owned()));
            }
            check_fitness(parent, settings)?
        }
        Place::Empty | Place::Ours => check_fitness(directory, settings)?,
    };
    if place == Place::Absent {
        // Its name is synced by the format.
        block_on(BlockingDisk.create_directory(directory))?;
    }
    let lock = DirectoryLock::take(directory)?;
    let settings = FormatSettings {
        directory_id: host::random_id(),
        journal_ids: (0..settings.shard_count).map(|_| host::random_id()).collect(),
        geometry: settings.geometry,
        created: host::now().realtime,
    };
    block_on(format(&BlockingDisk, directory, &settings))?;
    Ok(MadeDirectory { lock, settings, warnings })
}

/// Refuses a directory of somebody else before a lock file is put into it. What a format left there, or is just
/// making, is for the format to refuse, once the lock is ours.
fn look_at(directory: &Path) -> Result<Place, DirectoryError> {
    let names = match block_on(BlockingDisk.list(directory)) {
        Ok(names) => names,
        Err(error) if error.kind == DiskErrorKind::NotFound => return Ok(Place::Absent),
        Err(error) => return Err(error.into()),
    };
    if names.iter().any(|name| name == "identity" || name == "identity.draft") {
        return Ok(Place::Ours);
    }
    match names.into_iter().find(|name| name != LOCK_NAME) {
        Some(name) => Err(FormatError::NotEmpty { path: directory.to_owned(), name }.into()),
        None => Ok(Place::Empty),
    }
}

fn check_fitness(directory: &Path, settings: &Settings) -> Result<Vec<Warning>, DirectoryError> {
    let options = fitness::Options { allow_cow: settings.allow_cow, direct_io: settings.direct_io };
    Ok(fitness::check(directory, options)?.warnings)
}

fn parent_of(directory: &Path) -> &Path {
    match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests;
