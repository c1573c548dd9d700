//! The disk as plain blocking system calls, for programs that have no executor: format, inspect, verify.
//!
//! Every future is ready at its first poll, so [`block_on`] is all the runtime they need. Reads and writes go
//! through the page cache; durability is the same as in production (`O_DSYNC`, `fdatasync`, `fsync` of directories).

#![allow(clippy::disallowed_methods, reason = "this is the seam")]

#[cfg(test)]
pub(crate) mod conformance;
pub(in crate::io) mod failure;
pub(in crate::io) mod names;
mod runtime;
#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions};
use std::future::Future;
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

pub use runtime::BlockingRuntime;

use super::{Access, Buffer, Disk, DiskError, DiskFile, DiskOperation, UNIT_BYTES, Written};
use crate::model::Position;

/// Runs a future of this module to its end on the calling thread.
///
/// # Panics
/// If the future is pending twice in a row: nothing here would ever wake it.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..2 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("block_on runs only futures of the blocking disk, which never wait; this one waits for something else");
}

/// Panics unless `position` and `bytes` are whole units: a caller that asks for anything else is broken.
pub(in crate::io) fn assert_whole_units(position: Position, bytes: usize) {
    assert!(bytes > 0 && bytes.is_multiple_of(UNIT_BYTES), "{bytes} bytes are not a whole number of units");
    assert!(position.0.is_multiple_of(UNIT_BYTES as u64), "byte {position} is not the start of a unit");
}

/// The disk by blocking system calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct BlockingDisk;

/// An open file of [`BlockingDisk`].
#[derive(Clone, Debug)]
pub struct BlockingFile {
    inner: Rc<OpenFile>,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    path: PathBuf,
    size_bytes: u64,
    access: Access,
}

/// Memory of [`BlockingFile`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockingBuffer(Box<[u8]>);

impl BlockingBuffer {
    fn zeroed(bytes: usize) -> Self {
        Self(vec![0; bytes].into_boxed_slice())
    }
}

impl Deref for BlockingBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for BlockingBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Buffer for BlockingBuffer {}

impl BlockingDisk {
    fn open_now(path: &Path, access: Access) -> Result<BlockingFile, DiskError> {
        let failed = |error: io::Error| failure::disk_error(DiskOperation::Open, path, None, &error);
        let mut options = OpenOptions::new();
        match access {
            Access::Read => options.read(true),
            Access::Durable => options.read(true).write(true).custom_flags(libc::O_DSYNC),
            Access::Unsynced => options.read(true).write(true),
        };
        let file = options.open(path).map_err(failed)?;
        let size_bytes = file.metadata().map_err(failed)?.len();
        Ok(BlockingFile { inner: Rc::new(OpenFile { file, path: path.to_owned(), size_bytes, access }) })
    }
}

impl Disk for BlockingDisk {
    type File = BlockingFile;

    async fn create(&self, path: &Path, size_bytes: u64) -> Result<BlockingFile, DiskError> {
        names::create_file(path, size_bytes)?;
        Self::open_now(path, Access::Unsynced)
    }

    async fn open(&self, path: &Path, access: Access) -> Result<BlockingFile, DiskError> {
        Self::open_now(path, access)
    }

    async fn create_directory(&self, path: &Path) -> Result<(), DiskError> {
        names::create_directory(path)
    }

    async fn list(&self, path: &Path) -> Result<Vec<String>, DiskError> {
        names::list(path)
    }

    async fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        names::rename(from, to)
    }

    async fn remove(&self, path: &Path) -> Result<(), DiskError> {
        names::remove(path)
    }

    async fn sync_directory(&self, path: &Path) -> Result<(), DiskError> {
        names::sync_directory(path)
    }
}

impl BlockingFile {
    fn write(&self, buffer: BlockingBuffer, position: Position) -> Written<BlockingBuffer> {
        assert_whole_units(position, buffer.len());
        let OpenFile { file, path, .. } = &*self.inner;
        let result = match uninterrupted(|| file.write_at(&buffer, position.0)) {
            Ok(done) if done == buffer.len() => Ok(()),
            Ok(done) => Err(failure::short(DiskOperation::Write, path, position, buffer.len(), done)),
            Err(error) => Err(failure::disk_error(DiskOperation::Write, path, Some(position), &error)),
        };
        Written { buffer, result }
    }
}

impl DiskFile for BlockingFile {
    type Buffer = BlockingBuffer;

    fn allocate(&self, bytes: usize) -> BlockingBuffer {
        assert_whole_units(Position(0), bytes);
        BlockingBuffer::zeroed(bytes)
    }

    fn size_bytes(&self) -> u64 {
        self.inner.size_bytes
    }

    async fn read(&self, position: Position, bytes: usize) -> Result<BlockingBuffer, DiskError> {
        assert_whole_units(position, bytes);
        let OpenFile { file, path, .. } = &*self.inner;
        let mut buffer = BlockingBuffer::zeroed(bytes);
        let mut done = 0;
        while done < bytes {
            // One call may return less than there is, an error in the middle among the reasons: only 0 is the end.
            match uninterrupted(|| file.read_at(&mut buffer[done..], position.0 + done as u64)) {
                Ok(0) => return Err(failure::short(DiskOperation::Read, path, position, bytes, done)),
                Ok(more) => done += more,
                Err(error) => return Err(failure::disk_error(DiskOperation::Read, path, Some(position), &error)),
            }
        }
        Ok(buffer)
    }

    async fn write_durable(&self, buffer: BlockingBuffer, position: Position) -> Written<BlockingBuffer> {
        assert_eq!(self.inner.access, Access::Durable, "{} was not opened for it", self.inner.path.display());
        self.write(buffer, position)
    }

    async fn write_unsynced(&self, buffer: BlockingBuffer, position: Position) -> Written<BlockingBuffer> {
        assert_eq!(self.inner.access, Access::Unsynced, "{} was not opened for it", self.inner.path.display());
        self.write(buffer, position)
    }

    async fn sync(&self) -> Result<(), DiskError> {
        // fdatasync leaves out only times and modes: the size and the allocation that reads need are included.
        let OpenFile { file, path, .. } = &*self.inner;
        file.sync_data().map_err(|error| failure::disk_error(DiskOperation::Sync, path, None, &error))
    }

    async fn close(self) {}
}

/// Repeats a call that a signal interrupted before it did anything.
fn uninterrupted(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}
