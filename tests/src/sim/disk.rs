//! A disk in memory that keeps the promises of the seam and no others.
//!
//! Every file has two images: what reads see and what is durable. Between them lie writes in flight and completed
//! writes that no flush has covered; a power loss leaves any combination of them, torn or whole. Names have their own
//! such state, synced by directory. Contents are shared pages, so a write is copied once and a snapshot is cheap.

mod config;
mod content;
mod corrupt;
mod counters;
mod device;
mod fault;
mod file;
mod handle;
mod image;
mod names;
mod snapshot;
#[cfg(test)]
mod tests;

use std::cell::{RefCell, RefMut};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use florin_engine::model::Position;
use rand_chacha::ChaCha8Rng;

pub use self::config::{DiskConfig, DiskFaults, Flush, Latencies};
pub use self::content::SECTOR_BYTES;
pub use self::counters::Counters;
use self::device::Device;
pub use self::fault::{Fault, Injection};
pub use self::file::{SimBuffer, SimFile};
pub use self::handle::SimDisk;
use self::names::Node;
pub use self::snapshot::Snapshot;
use super::executor::SimHandle;
use super::streams::streams;

/// A simulated device in the hands of a test: it outlives every process that uses it.
#[derive(Clone)]
pub struct SimDevice {
    executor: SimHandle,
    device: Rc<RefCell<Device>>,
}

impl SimDevice {
    /// An empty device. Only the root directories `/` and the empty path exist.
    pub fn new(executor: SimHandle, config: DiskConfig) -> Self {
        let streams = streams(executor.seed());
        let device = Device::new(config, streams.disk, streams.faults);
        Self { executor, device: Rc::new(RefCell::new(device)) }
    }

    /// The disk for the process that runs now; every clone of it dies with the next crash.
    pub fn mount(&self) -> SimDisk {
        SimDisk::new(self.executor.clone(), Rc::clone(&self.device))
    }

    /// Makes a directory with a durable name, in no time and without fault.
    ///
    /// # Panics
    /// If it exists already or its parent does not.
    pub fn make_directory(&self, path: &Path) {
        let mut device = self.device();
        device.names.create(path, Node::Directory).expect("a new directory in an existing one");
        device.names.sync_directory(path.parent().expect("a new directory has a parent")).expect("it exists");
    }

    /// The power goes: what is not durable may have landed, in whole or in part, and all handles are dead. End the
    /// tasks of the process first.
    pub fn power_loss(&self, random: &mut ChaCha8Rng) {
        self.device().power_loss(random);
    }

    /// The process is killed while the power stays: writes in flight land in whole, in part or not at all, nothing is
    /// flushed, and all handles are dead. End the tasks of the process first.
    pub fn kill(&self, random: &mut ChaCha8Rng) {
        self.device().kill(random);
    }

    /// From now on these faults occur by chance.
    pub fn set_faults(&self, faults: DiskFaults) {
        self.device().config.faults = faults;
    }

    /// From now on operations take this long.
    pub fn set_latencies(&self, latencies: Latencies) {
        self.device().config.latencies = latencies;
    }

    /// From now on there is room for so many bytes; files that are there stay.
    pub fn set_capacity_bytes(&self, capacity_bytes: Option<u64>) {
        self.device().config.capacity_bytes = capacity_bytes;
    }

    /// Arms a fault that strikes once.
    pub fn inject(&self, injection: Injection) {
        self.device().injections.push(injection);
    }

    /// Armed faults that have not struck; disarms them.
    pub fn disarm(&self) -> Vec<Injection> {
        std::mem::take(&mut self.device().injections)
    }

    /// Paths that injected faults struck since the last call; those that were only slow are left out.
    pub fn take_struck(&self) -> Vec<PathBuf> {
        std::mem::take(&mut self.device().struck)
    }

    /// How many faults are armed.
    pub fn injection_count(&self) -> usize {
        self.device().injections.len()
    }

    /// Where the last write on a path that contains this was to begin, and how many bytes it had.
    pub fn last_write(&self, path_contains: &str) -> Option<(Position, u64)> {
        let device = self.device();
        let last = device.last_writes.iter().rev().find(|(path, ..)| path.to_string_lossy().contains(path_contains));
        last.map(|(_, position, bytes)| (*position, *bytes))
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.device().counters.clone()
    }

    /// What is durable now; cheap.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.device().names)
    }

    /// Puts a snapshot in place of everything, as if this had been found after a power loss. All handles are dead.
    pub fn restore(&self, snapshot: &Snapshot) {
        self.device().replace(snapshot.to_names());
    }

    /// Completed writes that are not durable.
    pub fn volatile_write_count(&self) -> usize {
        self.device().volatile_count()
    }

    /// Submitted writes that have not completed.
    pub fn in_flight_write_count(&self) -> usize {
        self.device().in_flight_count()
    }

    /// Sum of the sizes of all files that have a name.
    pub fn used_bytes(&self) -> u64 {
        self.device().names.used_bytes()
    }

    fn device(&self) -> RefMut<'_, Device> {
        self.device.borrow_mut()
    }
}
