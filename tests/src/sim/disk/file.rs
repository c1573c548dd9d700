//! An open file of the simulated disk.

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::rc::Rc;

use florin_engine::io::{Access, Buffer, DiskError, DiskErrorKind, DiskFile, DiskOperation, UNIT_BYTES, Written};
use florin_engine::model::Position;

use super::content::Write;
use super::device::failure;
use super::fault::Fault;
use super::handle::{SimDisk, error};
use super::names::SharedContent;

/// Memory for simulated reads and writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimBuffer(Box<[u8]>);

impl Deref for SimBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for SimBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Buffer for SimBuffer {}

/// An open file; it stays usable when its name is gone, and is dead after a crash.
///
/// A write whose future is dropped stays in flight until a crash decides what becomes of it.
#[derive(Clone)]
pub struct SimFile {
    disk: SimDisk,
    path: Rc<Path>,
    content: SharedContent,
    access: Access,
    size_bytes: u64,
}

impl SimFile {
    pub(super) fn new(disk: SimDisk, path: &Path, content: SharedContent, access: Access) -> Self {
        let size_bytes = content.borrow().current.size_bytes();
        Self { disk, path: Rc::from(path), content, access, size_bytes }
    }

    async fn write(&self, buffer: SimBuffer, position: Position, durable: bool) -> Written<SimBuffer> {
        assert_aligned(position, buffer.len());
        let ticket = self.disk.start(DiskOperation::Write, &self.path).await;
        let write = Write::new(Rc::clone(&self.content), position.0, &buffer);
        let id = self.disk.device().submit_write(&self.path, write);
        self.disk.wait(ticket).await;
        let result = self.disk.device().complete_write(id, durable, ticket.fault);
        Written { buffer, result: result.map_err(|kind| self.error(DiskOperation::Write, Some(position), kind)) }
    }

    fn read_now(&self, position: Position, bytes: usize, fault: Option<Fault>) -> Result<SimBuffer, DiskErrorKind> {
        let file = self.content.borrow();
        let (start, end) = (position.0, position.0 + bytes as u64);
        if fault.is_some() || file.unreadable.iter().any(|bad| bad.start < end && start < bad.end) {
            return Err(failure(fault));
        }
        let size_bytes = file.current.size_bytes();
        if size_bytes < end {
            let done_bytes = size_bytes.saturating_sub(start);
            return Err(DiskErrorKind::Short { asked_bytes: bytes as u64, done_bytes });
        }
        let mut buffer = self.allocate(bytes);
        file.current.read(start, &mut buffer);
        Ok(buffer)
    }

    fn error(&self, operation: DiskOperation, position: Option<Position>, kind: DiskErrorKind) -> DiskError {
        error(operation, &self.path, position, kind)
    }
}

impl DiskFile for SimFile {
    type Buffer = SimBuffer;

    fn allocate(&self, bytes: usize) -> SimBuffer {
        assert!(bytes.is_multiple_of(UNIT_BYTES), "a buffer of {bytes} bytes is not whole units");
        SimBuffer(vec![0; bytes].into_boxed_slice())
    }

    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    async fn read(&self, position: Position, bytes: usize) -> Result<SimBuffer, DiskError> {
        assert_aligned(position, bytes);
        let ticket = self.disk.start(DiskOperation::Read, &self.path).await;
        self.disk.wait(ticket).await;
        let result = self.read_now(position, bytes, ticket.fault);
        if result.is_ok() {
            self.disk.device().counters.read_bytes += bytes as u64;
        }
        result.map_err(|kind| self.error(DiskOperation::Read, Some(position), kind))
    }

    async fn write_durable(&self, buffer: SimBuffer, position: Position) -> Written<SimBuffer> {
        assert_eq!(self.access, Access::Durable, "{} is not open for durable writes", self.path.display());
        self.write(buffer, position, true).await
    }

    async fn write_unsynced(&self, buffer: SimBuffer, position: Position) -> Written<SimBuffer> {
        assert_eq!(self.access, Access::Unsynced, "{} is not open for unsynced writes", self.path.display());
        self.write(buffer, position, false).await
    }

    async fn sync(&self) -> Result<(), DiskError> {
        let ticket = self.disk.start(DiskOperation::Sync, &self.path).await;
        let sync = self.disk.device().submit_sync(&self.content);
        self.disk.wait(ticket).await;
        if ticket.fault.is_some() {
            self.disk.device().fail_sync(&self.content, sync);
            return Err(self.error(DiskOperation::Sync, None, failure(ticket.fault)));
        }
        self.disk.device().complete_sync(&self.content, sync);
        Ok(())
    }

    async fn close(self) {}
}

fn assert_aligned(position: Position, bytes: usize) {
    assert!(bytes > 0, "reads and writes are never empty");
    assert!(
        position.0.is_multiple_of(UNIT_BYTES as u64) && bytes.is_multiple_of(UNIT_BYTES),
        "position {position} or length {bytes} is not whole units"
    );
}
