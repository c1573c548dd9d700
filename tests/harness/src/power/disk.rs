//! A disk in memory that keeps a record of everything, can be full, and can stop answering for a while.

#![allow(clippy::disallowed_methods, reason = "a harness of real processes has real threads and a real clock")]

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::image::{Contents, Image, Node, Number, PAGE_BYTES, Place};
use super::record::{Change, Record};
use crate::events::Events;

/// Why a disk does not do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no such name or number.
    NotFound,
    /// The name is taken.
    Exists,
    /// It is a directory.
    IsDirectory,
    /// It is no directory.
    NotDirectory,
    /// Something is in it.
    NotEmpty,
    /// The disk is full.
    NoSpace,
    /// It cannot be done here.
    Unsupported,
}

/// The disk. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct Disk {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    thawed: Condvar,
    events: Events,
}

#[derive(Debug)]
struct State {
    /// What processes see.
    current: Image,
    record: Record,
    capacity_bytes: usize,
    is_frozen: bool,
    /// Open handles of each file.
    open: BTreeMap<Number, u32>,
    refused_for_space: u64,
}

impl Disk {
    /// A disk with this on it, all of it durable.
    pub fn new(image: Image) -> Self {
        Self::after(Record::new(image))
    }

    /// A disk to which this was done before; its record goes on.
    pub fn after(record: Record) -> Self {
        let events = record.events.clone();
        let state = State {
            current: record.current(),
            record,
            capacity_bytes: usize::MAX,
            is_frozen: false,
            open: BTreeMap::new(),
            refused_for_space: 0,
        };
        Self { shared: Arc::new(Shared { state: Mutex::new(state), thawed: Condvar::new(), events }) }
    }

    /// Files may take so much from now on.
    pub fn set_capacity(&self, bytes: usize) {
        self.state().capacity_bytes = bytes;
    }

    /// What files take.
    pub fn used_bytes(&self) -> usize {
        self.state().current.used_bytes()
    }

    /// How often there was no space.
    pub fn refused_for_space(&self) -> u64 {
        self.state().refused_for_space
    }

    /// Stops answering: whatever is asked waits.
    pub fn freeze(&self) {
        self.state().is_frozen = true;
    }

    /// Answers again.
    pub fn thaw(&self) {
        self.state().is_frozen = false;
        self.shared.thawed.notify_all();
    }

    /// What happens on it, counted.
    pub fn events(&self) -> Events {
        self.shared.events.clone()
    }

    /// Everything that was changed so far.
    pub fn record(&self) -> Record {
        self.state().record.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, once the disk is not frozen.
    fn answering(&self) -> MutexGuard<'_, State> {
        let thawed = self.shared.thawed.wait_while(self.state(), |state| state.is_frozen);
        thawed.unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at what processes see.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Image) -> T) -> T {
        look(&self.answering().current)
    }

    /// A change begins, and processes see it; returns its index in the record.
    pub(super) fn begin(&self, change: Change) -> Result<usize, Refused> {
        let mut state = self.answering();
        state.check_space(&change)?;
        change.apply(&mut state.current);
        let index = state.record.begin(change);
        Ok(index)
    }

    /// A change is about to be reported as done.
    pub(super) fn report(&self, index: usize) {
        self.answering().record.report(index);
    }

    /// Gives a name to a new file or directory.
    pub(super) fn make(&self, place: Place, is_directory: bool) -> Result<(usize, Number), Refused> {
        let mut state = self.answering();
        state.current.directory(place.directory).ok_or(Refused::NotDirectory)?;
        if state.current.lookup(&place).is_some() {
            return Err(Refused::Exists);
        }
        let number = state.current.fresh_number();
        let change = if is_directory { Change::MakeDirectory(place, number) } else { Change::MakeFile(place, number) };
        change.apply(&mut state.current);
        Ok((state.record.begin(change), number))
    }

    /// Takes a name away.
    pub(super) fn remove(&self, place: Place, is_directory: bool) -> Result<usize, Refused> {
        let mut state = self.answering();
        let number = state.current.lookup(&place).ok_or(Refused::NotFound)?;
        match (state.current.node(number), is_directory) {
            (Some(Node::Directory(_)), false) => return Err(Refused::IsDirectory),
            (Some(Node::File(_)), true) => return Err(Refused::NotDirectory),
            (Some(Node::Directory(names)), true) if !names.is_empty() => return Err(Refused::NotEmpty),
            _ => {}
        }
        let change = Change::Remove(place, number);
        change.apply(&mut state.current);
        state.forget_if_unused(number);
        Ok(state.record.begin(change))
    }

    /// Gives a file another name.
    pub(super) fn rename(&self, from: Place, to: Place) -> Result<usize, Refused> {
        let mut state = self.answering();
        let file = state.current.lookup(&from).ok_or(Refused::NotFound)?;
        state.current.file(file).ok_or(Refused::Unsupported)?;
        let replaced = state.current.lookup(&to);
        if replaced.is_some_and(|replaced| state.current.directory(replaced).is_some()) {
            return Err(Refused::IsDirectory);
        }
        let change = Change::Rename { from, to, file };
        change.apply(&mut state.current);
        if let Some(replaced) = replaced.filter(|replaced| *replaced != file) {
            state.forget_if_unused(replaced);
        }
        Ok(state.record.begin(change))
    }

    /// A handle of a file is opened.
    pub(super) fn opened(&self, number: Number) {
        *self.answering().open.entry(number).or_default() += 1;
    }

    /// A handle of a file is closed.
    pub(super) fn closed(&self, number: Number) {
        let mut state = self.answering();
        if let Some(count) = state.open.get_mut(&number) {
            *count -= 1;
            if *count == 0 {
                state.open.remove(&number);
                state.forget_if_unused(number);
            }
        }
    }

    /// Pages that the files may take, and that they do not take yet.
    pub(super) fn pages(&self) -> (u64, u64) {
        let state = self.answering();
        let used = state.current.used_bytes();
        let capacity = state.capacity_bytes.min(1 << 40);
        ((capacity / PAGE_BYTES) as u64, (capacity.saturating_sub(used) / PAGE_BYTES) as u64)
    }
}

impl State {
    fn check_space(&mut self, change: &Change) -> Result<(), Refused> {
        let end = match change {
            Change::Write { at, bytes, .. } => at + bytes.len(),
            Change::Resize { bytes, .. } => *bytes,
            _ => return Ok(()),
        };
        let size = change.file().and_then(|file| self.current.file(file)).map(Contents::used_bytes);
        let growth = end.next_multiple_of(PAGE_BYTES).saturating_sub(size.ok_or(Refused::NotFound)?);
        if growth > 0 && self.current.used_bytes().saturating_add(growth) > self.capacity_bytes {
            self.refused_for_space += 1;
            return Err(Refused::NoSpace);
        }
        Ok(())
    }

    /// A file without names and handles is gone.
    fn forget_if_unused(&mut self, number: Number) {
        if !self.open.contains_key(&number) && !self.current.is_named(number) {
            self.current.forget(number);
        }
    }
}
