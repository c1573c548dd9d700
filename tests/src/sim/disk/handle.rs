//! The disk seam of the engine on the simulated device.

use std::cell::{RefCell, RefMut};
use std::future::{Future, pending};
use std::path::Path;
use std::rc::Rc;

use florin_engine::io::{Access, Disk, DiskError, DiskErrorKind, DiskOperation, UNIT_BYTES};
use florin_engine::model::Position;
use rand::Rng;

use super::content::Content;
use super::device::{Device, Ticket, failure};
use super::file::SimFile;
use super::names::{Node, SharedContent};
use crate::sim::executor::{Process, SimHandle};

/// The device as one incarnation of the process sees it. After its crash nothing it is asked for ever completes or
/// has an effect.
#[derive(Clone)]
pub struct SimDisk {
    executor: SimHandle,
    device: Rc<RefCell<Device>>,
    incarnation: u64,
}

impl SimDisk {
    pub(super) fn new(executor: SimHandle, device: Rc<RefCell<Device>>) -> Self {
        let incarnation = device.borrow().incarnation;
        Self { executor, device, incarnation }
    }

    /// Which incarnation this is, from 1.
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// The process of this incarnation.
    pub fn process(&self) -> Process {
        Process(self.incarnation)
    }

    /// Whether there was no crash since.
    pub fn is_alive(&self) -> bool {
        self.device.borrow().incarnation == self.incarnation
    }

    /// Completes at once, or never if there was a crash since.
    pub(in crate::sim) async fn until_alive(&self) {
        if !self.is_alive() {
            pending::<()>().await;
        }
    }

    pub(super) fn device(&self) -> RefMut<'_, Device> {
        self.device.borrow_mut()
    }

    /// Decides about an operation of a living incarnation.
    pub(super) async fn start(&self, operation: DiskOperation, path: &Path) -> Ticket {
        self.until_alive().await;
        self.device().start(operation, path)
    }

    /// Lets the operation take its time, which a crash makes endless.
    pub(super) async fn wait(&self, ticket: Ticket) {
        self.executor.sleep(ticket.latency_ns).await;
        self.until_alive().await;
    }

    /// One operation on names: the effect comes at its beginning or its end, and a failed one may have had it.
    async fn on_names<T>(
        &self,
        operation: DiskOperation,
        path: &Path,
        effect: impl FnOnce(&mut Device) -> Result<T, DiskErrorKind>,
    ) -> Result<T, DiskError> {
        let ticket = self.start(operation, path).await;
        self.finish_on_names(ticket, effect).await.map_err(|kind| error(operation, path, None, kind))
    }

    async fn finish_on_names<T>(
        &self,
        ticket: Ticket,
        effect: impl FnOnce(&mut Device) -> Result<T, DiskErrorKind>,
    ) -> Result<T, DiskErrorKind> {
        let failed = ticket.fault.map(|_| failure(ticket.fault));
        if ticket.early {
            let result = effect(&mut self.device());
            self.wait(ticket).await;
            failed.map_or(result, Err)
        } else {
            self.wait(ticket).await;
            failed.map_or_else(|| effect(&mut self.device()), Err)
        }
    }
}

impl Disk for SimDisk {
    type File = SimFile;

    async fn create(&self, path: &Path, size_bytes: u64) -> Result<SimFile, DiskError> {
        assert!(size_bytes.is_multiple_of(UNIT_BYTES as u64), "a file of {size_bytes} bytes is not whole units");
        let ticket = self.start(DiskOperation::Create, path).await;
        let created = self.finish_on_names(ticket, |device| match ticket.fault {
            None if device.has_room(size_bytes) => create_file(device, path, size_bytes),
            None => {
                leave_remains(device, path, size_bytes);
                Err(DiskErrorKind::NoSpace)
            }
            Some(_) => {
                leave_remains(device, path, size_bytes);
                Err(failure(ticket.fault))
            }
        });
        match created.await {
            Ok(content) => Ok(SimFile::new(self.clone(), path, content, Access::Unsynced)),
            Err(kind) => Err(error(DiskOperation::Create, path, None, kind)),
        }
    }

    async fn open(&self, path: &Path, access: Access) -> Result<SimFile, DiskError> {
        let content = self.on_names(DiskOperation::Open, path, |device| device.names.file(path)).await?;
        Ok(SimFile::new(self.clone(), path, content, access))
    }

    fn create_directory(&self, path: &Path) -> impl Future<Output = Result<(), DiskError>> {
        self.on_names(DiskOperation::Create, path, |device| device.names.create(path, Node::Directory))
    }

    fn list(&self, path: &Path) -> impl Future<Output = Result<Vec<String>, DiskError>> {
        self.on_names(DiskOperation::List, path, |device| device.names.list(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> impl Future<Output = Result<(), DiskError>> {
        self.on_names(DiskOperation::Rename, from, move |device| device.names.rename(from, to))
    }

    fn remove(&self, path: &Path) -> impl Future<Output = Result<(), DiskError>> {
        self.on_names(DiskOperation::Remove, path, |device| device.names.remove(path))
    }

    fn sync_directory(&self, path: &Path) -> impl Future<Output = Result<(), DiskError>> {
        self.on_names(DiskOperation::SyncDirectory, path, |device| device.names.sync_directory(path))
    }
}

fn create_file(device: &mut Device, path: &Path, size_bytes: u64) -> Result<SharedContent, DiskErrorKind> {
    let content = Rc::new(RefCell::new(Content::preallocated(size_bytes)));
    device.names.create(path, Node::File(Rc::clone(&content))).map(|()| content)
}

/// What a failed creation leaves behind: a file with some of its size, as far as there is room.
fn leave_remains(device: &mut Device, path: &Path, size_bytes: u64) {
    let unit_count = device.fault_random().random_range(0..=size_bytes / UNIT_BYTES as u64);
    let remains_bytes = unit_count * UNIT_BYTES as u64;
    let remains_bytes = if device.has_room(remains_bytes) { remains_bytes } else { 0 };
    // Where the name is taken, what is there stays.
    let _ = create_file(device, path, remains_bytes);
}

pub(super) fn error(
    operation: DiskOperation,
    path: &Path,
    position: Option<Position>,
    kind: DiskErrorKind,
) -> DiskError {
    DiskError { operation, path: path.to_path_buf(), position, kind, detail: "simulated".to_owned() }
}
