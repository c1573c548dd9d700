//! An open file of the executor's disk.

use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use ::glommio::GlommioError;
use ::glommio::io::{BufferedFile, DmaBuffer, DmaFile, ReadResult};

use super::super::blocking::{assert_whole_units, failure};
use super::super::{Access, DiskError, DiskFile, DiskOperation, UNIT_BYTES, Written};
use super::buffer::GlommioBuffer;
use super::wake::polled_when_woken;
use crate::model::Position;

/// An open file of [`GlommioDisk`](super::GlommioDisk).
///
/// Dropping the future of a write is memory-safe: the kernel's memory lives until the kernel is done with it. But
/// the write may still land, later than anything that is started after the drop. Whoever writes a file that is
/// read back therefore awaits every write, in a task that nobody cancels.
///
/// The last clone has to be dropped or closed while its executor runs; later, its descriptor is never closed.
#[derive(Clone, Debug)]
pub struct GlommioFile {
    inner: Rc<OpenFile>,
}

#[derive(Debug)]
struct OpenFile {
    handle: Handle,
    path: PathBuf,
    size_bytes: u64,
    access: Access,
}

/// The two ways to the same bytes.
#[derive(Debug)]
pub(super) enum Handle {
    /// Past the page cache (`O_DIRECT`).
    Direct(DmaFile),
    /// Through the page cache.
    Buffered(BufferedFile),
}

/// glommio's error as the system's, code included.
pub(super) fn io_error(error: &GlommioError<()>) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::other(error.to_string()),
    }
}

impl Handle {
    /// The file's size now.
    pub(super) async fn size_bytes(&self) -> io::Result<u64> {
        let size_bytes = match self {
            Self::Direct(file) => polled_when_woken(file.file_size()).await,
            Self::Buffered(file) => polled_when_woken(file.file_size()).await,
        };
        size_bytes.map_err(|error| io_error(&error))
    }

    async fn read_once(&self, position: u64, bytes: usize) -> io::Result<ReadResult> {
        let read = match self {
            Self::Direct(file) => polled_when_woken(file.read_at_aligned(position, bytes)).await,
            Self::Buffered(file) => polled_when_woken(file.read_at(position, bytes)).await,
        };
        read.map_err(|error| io_error(&error))
    }

    async fn write_once(&self, memory: &Rc<DmaBuffer>, position: u64) -> io::Result<usize> {
        let done = match self {
            Self::Direct(file) => polled_when_woken(file.write_rc_at(Rc::clone(memory), position)).await,
            // glommio keeps the vector it is given, hence the copy.
            Self::Buffered(file) => polled_when_woken(file.write_at(memory.as_bytes().to_vec(), position)).await,
        };
        done.map_err(|error| io_error(&error))
    }
}

impl GlommioFile {
    pub(super) fn new(handle: Handle, path: PathBuf, size_bytes: u64, access: Access) -> Self {
        Self { inner: Rc::new(OpenFile { handle, path, size_bytes, access }) }
    }

    async fn write(&self, buffer: GlommioBuffer, position: Position) -> Written<GlommioBuffer> {
        assert_whole_units(position, buffer.len());
        let OpenFile { handle, path, .. } = &*self.inner;
        let memory = buffer.into_shared();
        let asked_bytes = memory.len();
        let result = match handle.write_once(&memory, position.0).await {
            Ok(done_bytes) if done_bytes == asked_bytes => Ok(()),
            Ok(done_bytes) => Err(failure::short(DiskOperation::Write, path, position, asked_bytes, done_bytes)),
            Err(error) => Err(failure::disk_error(DiskOperation::Write, path, Some(position), &error)),
        };
        Written { buffer: GlommioBuffer::shared(memory), result }
    }

    fn read_failed(&self, position: Position, error: &io::Error) -> DiskError {
        failure::disk_error(DiskOperation::Read, &self.inner.path, Some(position), error)
    }

    /// Goes on where a read stopped early, an error in the middle among the reasons: only a read of nothing, or of
    /// less than a unit, is the end of the file.
    async fn read_on(&self, start: &[u8], position: Position, bytes: usize) -> Result<GlommioBuffer, DiskError> {
        let mut buffer = GlommioBuffer::zeroed(bytes);
        buffer[..start.len()].copy_from_slice(start);
        let mut done = start.len();
        while done > 0 && done.is_multiple_of(UNIT_BYTES) && done < bytes {
            let more = self.inner.handle.read_once(position.0 + done as u64, bytes - done).await;
            let more = more.map_err(|error| self.read_failed(position, &error))?;
            if more.is_empty() {
                break;
            }
            buffer[done..done + more.len()].copy_from_slice(&more);
            done += more.len();
        }
        if done == bytes {
            Ok(buffer)
        } else {
            Err(failure::short(DiskOperation::Read, &self.inner.path, position, bytes, done))
        }
    }
}

impl DiskFile for GlommioFile {
    type Buffer = GlommioBuffer;

    fn allocate(&self, bytes: usize) -> GlommioBuffer {
        assert_whole_units(Position(0), bytes);
        GlommioBuffer::zeroed(bytes)
    }

    fn size_bytes(&self) -> u64 {
        self.inner.size_bytes
    }

    async fn read(&self, position: Position, bytes: usize) -> Result<GlommioBuffer, DiskError> {
        assert_whole_units(position, bytes);
        let read = self.inner.handle.read_once(position.0, bytes).await;
        let read = read.map_err(|error| self.read_failed(position, &error))?;
        if read.len() == bytes {
            Ok(GlommioBuffer::from_read(read))
        } else {
            self.read_on(&read, position, bytes).await
        }
    }

    async fn write_durable(&self, buffer: GlommioBuffer, position: Position) -> Written<GlommioBuffer> {
        assert_eq!(self.inner.access, Access::Durable, "{} was not opened for it", self.inner.path.display());
        self.write(buffer, position).await
    }

    async fn write_unsynced(&self, buffer: GlommioBuffer, position: Position) -> Written<GlommioBuffer> {
        assert_eq!(self.inner.access, Access::Unsynced, "{} was not opened for it", self.inner.path.display());
        self.write(buffer, position).await
    }

    async fn sync(&self) -> Result<(), DiskError> {
        // fdatasync leaves out only times and modes: the size and the allocation that reads need are included.
        let OpenFile { handle, path, .. } = &*self.inner;
        let synced = match handle {
            Handle::Direct(file) => polled_when_woken(file.fdatasync()).await,
            Handle::Buffered(file) => polled_when_woken(file.fdatasync()).await,
        };
        synced.map_err(|error| failure::disk_error(DiskOperation::Sync, path, None, &io_error(&error)))
    }

    async fn close(self) {
        let Ok(OpenFile { handle, .. }) = Rc::try_unwrap(self.inner) else {
            return;
        };
        // The trait says so: what counts was synced before.
        let _ = match handle {
            Handle::Direct(file) => file.close().await,
            Handle::Buffered(file) => file.close().await,
        };
    }
}
