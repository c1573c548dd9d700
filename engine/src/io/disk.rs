//! Files as the engine needs them: aligned reads, durable writes, and directory changes that are synced by name.

use std::fmt;
use std::future::Future;
use std::ops::DerefMut;
use std::path::{Path, PathBuf};

use crate::model::Position;

pub use crate::limits::UNIT_BYTES;

/// How a file is opened; fixed for the life of the handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads only.
    Read,
    /// Reads, and writes that are on stable storage when they complete (`O_DSYNC`).
    Durable,
    /// Reads, and writes that need [`DiskFile::sync`] before they count.
    Unsynced,
}

/// What was being done when the disk failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskOperation {
    /// Creating a file or directory, with preallocation.
    Create,
    /// Opening a file.
    Open,
    /// Reading bytes.
    Read,
    /// Writing bytes.
    Write,
    /// Flushing a file to stable storage.
    Sync,
    /// Listing a directory.
    List,
    /// Renaming a file.
    Rename,
    /// Removing a file.
    Remove,
    /// Flushing a directory to stable storage.
    SyncDirectory,
}

/// Why the disk failed, as far as the engine acts differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskErrorKind {
    /// No such file.
    NotFound,
    /// The name is taken.
    AlreadyExists,
    /// No space or quota left.
    NoSpace,
    /// Fewer bytes than asked for were read or written, or a file has another size than it must.
    Short {
        /// Bytes asked for.
        asked_bytes: u64,
        /// Bytes done, or found.
        done_bytes: u64,
    },
    /// The device or file system reported a failure (`EIO` and whatever else has no kind of its own here).
    Failed,
    /// The file or file system does not allow it (permissions, read-only, no `O_DIRECT`).
    Refused,
}

/// A failed disk operation: what, where and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskError {
    /// What was being done.
    pub operation: DiskOperation,
    /// On which file or directory.
    pub path: PathBuf,
    /// Where in the file, for reads and writes.
    pub position: Option<Position>,
    /// Why.
    pub kind: DiskErrorKind,
    /// The system's own words.
    pub detail: String,
}

impl DiskError {
    /// Whether the file does not have what was asked for: the disk will not give it the next time either.
    pub fn is_absence(&self) -> bool {
        matches!(self.kind, DiskErrorKind::NotFound | DiskErrorKind::Short { .. })
    }

    /// Whether only room is missing, so that the same may be tried again on this file. Behind a sync that failed, for
    /// whatever reason, nobody knows which writes the disk has: a second one that succeeds says nothing of them.
    pub fn is_only_room(&self) -> bool {
        self.kind == DiskErrorKind::NoSpace && self.operation != DiskOperation::Sync
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.operation {
            DiskOperation::Create => "create",
            DiskOperation::Open => "open",
            DiskOperation::Read => "read",
            DiskOperation::Write => "write",
            DiskOperation::Sync => "sync",
            DiskOperation::List => "list",
            DiskOperation::Rename => "rename",
            DiskOperation::Remove => "remove",
            DiskOperation::SyncDirectory => "sync directory",
        };
        write!(f, "{verb} {}", self.path.display())?;
        if let Some(position) = self.position {
            write!(f, " at byte {position}")?;
        }
        match self.kind {
            DiskErrorKind::Short { asked_bytes, done_bytes } => {
                write!(f, ": {done_bytes} instead of {asked_bytes} bytes")?;
            }
            DiskErrorKind::NoSpace => write!(f, ": no space left")?,
            DiskErrorKind::NotFound => write!(f, ": does not exist")?,
            DiskErrorKind::AlreadyExists => write!(f, ": exists already")?,
            DiskErrorKind::Failed | DiskErrorKind::Refused => {}
        }
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", self.detail) }
    }
}

impl std::error::Error for DiskError {}

/// Memory that the disk can read from and write to directly: aligned, of a length that is a multiple of
/// [`UNIT_BYTES`], and zero when it is handed out.
pub trait Buffer: DerefMut<Target = [u8]> + 'static {}

/// A finished write: the buffer comes back whatever happened.
#[derive(Debug)]
pub struct Written<B> {
    /// The buffer that was written.
    pub buffer: B,
    /// Whether it was.
    pub result: Result<(), DiskError>,
}

/// Opens and names files. Paths are used as given; the engine only ever passes paths below the data directory.
pub trait Disk: Clone + 'static {
    /// An open file.
    type File: DiskFile;

    /// Creates a file that must not exist, preallocated to `size_bytes` (its contents read as zero), and opens it
    /// for [`Access::Unsynced`] writes. Its name is durable only after [`Disk::sync_directory`] on its parent.
    fn create(&self, path: &Path, size_bytes: u64) -> impl Future<Output = Result<Self::File, DiskError>>;

    /// Opens an existing file.
    fn open(&self, path: &Path, access: Access) -> impl Future<Output = Result<Self::File, DiskError>>;

    /// Creates a directory that must not exist.
    fn create_directory(&self, path: &Path) -> impl Future<Output = Result<(), DiskError>>;

    /// The names in a directory, sorted, without `.` and `..`.
    fn list(&self, path: &Path) -> impl Future<Output = Result<Vec<String>, DiskError>>;

    /// Renames a file, replacing `to` if it exists. Durable after [`Disk::sync_directory`].
    fn rename(&self, from: &Path, to: &Path) -> impl Future<Output = Result<(), DiskError>>;

    /// Removes a file. Durable after [`Disk::sync_directory`].
    fn remove(&self, path: &Path) -> impl Future<Output = Result<(), DiskError>>;

    /// Makes the names in a directory durable.
    fn sync_directory(&self, path: &Path) -> impl Future<Output = Result<(), DiskError>>;
}

/// An open file. Clones share the handle.
///
/// Positions and lengths are multiples of [`UNIT_BYTES`]; anything else is a broken invariant and panics.
pub trait DiskFile: Clone + 'static {
    /// Memory for reads and writes on this file.
    type Buffer: Buffer;

    /// A zeroed buffer of `bytes`, a multiple of [`UNIT_BYTES`].
    fn allocate(&self, bytes: usize) -> Self::Buffer;

    /// The file's size when it was opened or created.
    fn size_bytes(&self) -> u64;

    /// Reads exactly `bytes` from `position`; less is [`DiskErrorKind::Short`].
    fn read(&self, position: Position, bytes: usize) -> impl Future<Output = Result<Self::Buffer, DiskError>>;

    /// Writes the whole buffer; `Ok` means it is on stable storage. Only on [`Access::Durable`] files. A short
    /// write is an error: what is on disk is then unknown.
    fn write_durable(&self, buffer: Self::Buffer, position: Position) -> impl Future<Output = Written<Self::Buffer>>;

    /// Writes the whole buffer; durable only after [`DiskFile::sync`]. Only on [`Access::Unsynced`] files.
    fn write_unsynced(&self, buffer: Self::Buffer, position: Position) -> impl Future<Output = Written<Self::Buffer>>;

    /// Makes everything that was written to the file so far durable, by whatever handle, its size included.
    fn sync(&self) -> impl Future<Output = Result<(), DiskError>>;

    /// Closes the handle. Errors of a close say nothing about durability and are not reported.
    fn close(self) -> impl Future<Output = ()>;
}
