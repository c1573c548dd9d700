//! Whether a directory's file system can keep the promises, asked before anything is written to it.

#![allow(clippy::disallowed_methods, reason = "this is the seam")]

mod device;
mod direct;
mod lock;
mod mount;
mod overwrite;
mod scratch;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

pub use device::{BlockDevice, WriteCache};
pub use direct::DirectAlignment;
pub use lock::{DirectoryLock, LockError};
pub use overwrite::{FreeSpace, Overwrite, OverwriteFile, check_preallocation};
pub(in crate::io) use scratch::scratch_name;

use mount::MountOptions;

/// Whether files bypass the page cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DirectIo {
    /// They must (`O_DIRECT`).
    #[default]
    Required,
    /// They do not (`--no-direct`): the same durability, one more copy per write, and reads that a cache may answer.
    Off,
}

/// What is asked of the file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Accept file systems that write a block somewhere else each time (`--allow-cow`).
    pub allow_cow: bool,
    /// Whether files bypass the page cache.
    pub direct_io: DirectIo,
}

/// A file system, as far as it makes a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// ext4 (and ext2 and ext3, which the same driver mounts).
    Ext4,
    /// XFS.
    Xfs,
    /// Btrfs: copies on write.
    Btrfs,
    /// bcachefs: copies on write.
    Bcachefs,
    /// ZFS: copies on write.
    Zfs,
    /// A union of directories, as containers have it: its files may be copied at the first write.
    Overlay,
    /// Memory.
    Tmpfs,
    /// Memory.
    Ramfs,
    /// Anything else, by its magic number.
    Other(u32),
}

/// A file system that is fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fitness {
    /// Which one.
    pub file_system: FileSystem,
    /// What direct reads and writes have to be aligned to; `None` without direct I/O.
    pub direct: Option<DirectAlignment>,
    /// What an operator should know.
    pub warnings: Vec<Warning>,
}

/// Fit, but.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Warning {
    /// Nobody measured Florin on it.
    #[error("{0} is not a file system that Florin is tested on (ext4 and xfs are)")]
    Untested(FileSystem),
    /// Allowed by the operator.
    #[error(
        "{0} writes every block to a new place: captures are slower, and space that was preallocated can still run out"
    )]
    CopyOnWrite(FileSystem),
    /// Only without direct I/O.
    #[error("ext4 is mounted with data=journal: everything is written twice; data=ordered is faster and as safe")]
    DataJournal,
    /// Mount options matter and could not be read.
    #[error("the mount options cannot be read from /proc/self/mountinfo: barriers are assumed to be on")]
    MountUnknown,
}

/// Why a directory is not fit.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{} cannot hold the data: {reason}", path.display())]
pub struct FitnessError {
    /// The directory.
    pub path: PathBuf,
    /// The reason, and what to do.
    pub reason: Unfit,
}

/// The reason why a directory is not fit, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unfit {
    /// Copies on write.
    #[error(
        "{0} writes every block to a new place, so preallocated files can still run out of space and a capture takes \
         longer: use ext4 or xfs, or accept it with --allow-cow"
    )]
    CopyOnWrite(FileSystem),
    /// Memory.
    #[error("{0} is memory and loses everything at a restart: use ext4 or xfs on a disk")]
    Volatile(FileSystem),
    /// O_DIRECT is accepted and not done.
    #[error(
        "ext4 is mounted with data=journal, which accepts O_DIRECT and buffers all the same: mount it with \
         data=ordered, or start with --no-direct"
    )]
    DataJournal,
    /// Flushes do not reach the device.
    #[error("it is mounted without barriers, so a flush does not reach the device: mount it with `barrier=1`")]
    NoBarrier,
    /// No `O_DIRECT`.
    #[error("it does not offer O_DIRECT ({detail}): use ext4 or xfs on a disk, or start with --no-direct")]
    NoDirectIo {
        /// How that was found out.
        detail: String,
    },
    /// `O_DIRECT` in larger units than ours.
    #[error("O_DIRECT has to be aligned to {bytes} bytes there, and Florin writes 4096: start with --no-direct")]
    Alignment {
        /// The alignment that is asked for.
        bytes: u32,
    },
    /// The check itself failed.
    #[error("{doing} failed ({detail}): check that it is a directory that this process's user may write to")]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// The system's own words.
        detail: String,
    },
}

impl Unfit {
    fn failed(doing: &'static str, error: &io::Error) -> Self {
        Self::Failed { doing, detail: error.to_string() }
    }
}

impl FileSystem {
    /// The file system with this magic number (statfs `f_type`).
    pub fn from_magic(magic: u32) -> Self {
        match magic {
            0x0000_ef53 => Self::Ext4,
            0x5846_5342 => Self::Xfs,
            0x9123_683e => Self::Btrfs,
            0xca45_1a4e => Self::Bcachefs,
            0x2fc1_2fc1 => Self::Zfs,
            0x794c_7630 => Self::Overlay,
            0x0102_1994 => Self::Tmpfs,
            0x8584_58f6 => Self::Ramfs,
            other => Self::Other(other),
        }
    }

    fn copies_on_write(self) -> bool {
        match self {
            Self::Btrfs | Self::Bcachefs | Self::Zfs | Self::Overlay => true,
            Self::Ext4 | Self::Xfs | Self::Tmpfs | Self::Ramfs | Self::Other(_) => false,
        }
    }

    fn is_volatile(self) -> bool {
        matches!(self, Self::Tmpfs | Self::Ramfs)
    }
}

impl fmt::Display for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ext4 => f.write_str("ext4"),
            Self::Xfs => f.write_str("xfs"),
            Self::Btrfs => f.write_str("btrfs"),
            Self::Bcachefs => f.write_str("bcachefs"),
            Self::Zfs => f.write_str("ZFS"),
            Self::Overlay => f.write_str("overlayfs"),
            Self::Tmpfs => f.write_str("tmpfs"),
            Self::Ramfs => f.write_str("ramfs"),
            Self::Other(magic) => write!(f, "the file system with magic number {magic:#x}"),
        }
    }
}

/// Checks whether the file system of an existing directory is fit. Leaves nothing behind.
pub fn check(path: &Path, options: Options) -> Result<Fitness, FitnessError> {
    examine(path, options).map_err(|reason| FitnessError { path: path.to_owned(), reason })
}

fn examine(path: &Path, options: Options) -> Result<Fitness, Unfit> {
    let file_system = file_system_of(path)?;
    let mut warnings = judge_kind(file_system, options)?;
    if file_system == FileSystem::Ext4 {
        warnings.extend(judge_mount(mount_options_of(path)?, options)?);
    }
    let direct = match options.direct_io {
        DirectIo::Required => Some(direct::examine(path)?),
        DirectIo::Off => {
            // Whether it can be written to at all must be known as well.
            scratch::open(path, false).map_err(|error| Unfit::failed("writing a scratch file", &error))?;
            None
        }
    };
    Ok(Fitness { file_system, direct, warnings })
}

/// The file system of a directory.
pub fn file_system_of(path: &Path) -> Result<FileSystem, Unfit> {
    let statistics = rustix::fs::statfs(path).map_err(|error| Unfit::failed("statfs", &error.into()))?;
    // The kernel's magic numbers have 32 bits, whatever width and sign the field has on this architecture.
    let magic = u32::try_from(statistics.f_type as u64 & u64::from(u32::MAX)).expect("masked");
    Ok(FileSystem::from_magic(magic))
}

/// What the kind of file system alone decides.
fn judge_kind(file_system: FileSystem, options: Options) -> Result<Vec<Warning>, Unfit> {
    if file_system.is_volatile() {
        Err(Unfit::Volatile(file_system))
    } else if file_system.copies_on_write() {
        if options.allow_cow {
            Ok(vec![Warning::CopyOnWrite(file_system)])
        } else {
            Err(Unfit::CopyOnWrite(file_system))
        }
    } else if matches!(file_system, FileSystem::Other(_)) {
        Ok(vec![Warning::Untested(file_system)])
    } else {
        Ok(Vec::new())
    }
}

fn mount_options_of(path: &Path) -> Result<Option<MountOptions>, Unfit> {
    let metadata = std::fs::metadata(path).map_err(|error| Unfit::failed("stat", &error))?;
    let (major, minor) = (rustix::fs::major(metadata.dev()), rustix::fs::minor(metadata.dev()));
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    Ok(mount::options_of_device(&mounts, major, minor))
}

/// What the way an ext4 is mounted decides.
fn judge_mount(mount: Option<MountOptions>, options: Options) -> Result<Option<Warning>, Unfit> {
    match (mount, options.direct_io) {
        (None, _) => Ok(Some(Warning::MountUnknown)),
        (Some(mount), _) if mount.no_barrier => Err(Unfit::NoBarrier),
        (Some(mount), DirectIo::Required) if mount.data_journal => Err(Unfit::DataJournal),
        (Some(mount), DirectIo::Off) if mount.data_journal => Ok(Some(Warning::DataJournal)),
        (Some(_), _) => Ok(None),
    }
}
