//! Everything that was changed on a disk, in order, each change with the instants at which it began and was reported.
//!
//! Beginnings and reports are events, and events are counted: the count is what clients note beside each answer. What a
//! client was told when `n` events had happened depends on nothing later than these `n`.

use std::sync::Arc;

use super::image::{Contents, Image, Node, Number, Place};
use crate::events::Events;

/// A change, or what makes changes durable.
#[derive(Clone, Debug)]
pub enum Change {
    /// Bytes are put into a file.
    Write {
        /// The file.
        file: Number,
        /// Where.
        at: usize,
        /// What.
        bytes: Arc<[u8]>,
        /// Whether it is on stable storage when it is reported (`O_DSYNC`).
        is_durable: bool,
    },
    /// A file gets another size.
    Resize {
        /// The file.
        file: Number,
        /// Its size.
        bytes: usize,
    },
    /// Everything that was reported before for a file becomes durable.
    Sync(Number),
    /// Every change of names that was reported before for a directory becomes durable.
    SyncDirectory(Number),
    /// A file is made.
    MakeFile(Place, Number),
    /// A directory is made.
    MakeDirectory(Place, Number),
    /// A name is taken away.
    Remove(Place, Number),
    /// A file gets another name.
    Rename {
        /// The old one.
        from: Place,
        /// The new one.
        to: Place,
        /// The file.
        file: Number,
    },
}

impl Change {
    /// The directory whose names it changes.
    pub fn directory(&self) -> Option<Number> {
        match self {
            Self::MakeFile(place, _) | Self::MakeDirectory(place, _) | Self::Remove(place, _) => Some(place.directory),
            Self::Rename { to, .. } => Some(to.directory),
            Self::Write { .. } | Self::Resize { .. } | Self::Sync(_) | Self::SyncDirectory(_) => None,
        }
    }

    /// The file whose bytes it changes.
    pub fn file(&self) -> Option<Number> {
        match self {
            Self::Write { file, .. } | Self::Resize { file, .. } => Some(*file),
            _ => None,
        }
    }

    /// Makes what has a number known, whether or not its name comes to be.
    pub fn introduce(&self, image: &mut Image) {
        match self {
            Self::MakeFile(_, number) => image.insert(*number, Node::File(Contents::default())),
            Self::MakeDirectory(_, number) => image.insert(*number, Node::Directory([].into())),
            _ => {}
        }
    }

    /// Makes the whole change.
    pub fn apply(&self, image: &mut Image) {
        self.introduce(image);
        match self {
            Self::Write { file, at, bytes, .. } => {
                if let Some(contents) = image.file_mut(*file) {
                    contents.write(*at, bytes);
                }
            }
            Self::Resize { file, bytes } => {
                if let Some(contents) = image.file_mut(*file) {
                    contents.resize(*bytes);
                }
            }
            Self::MakeFile(place, number) | Self::MakeDirectory(place, number) => image.enter(place, *number),
            Self::Remove(place, number) => image.leave(place, *number),
            Self::Rename { to, file, .. } => {
                image.leave_everywhere(*file);
                image.enter(to, *file);
            }
            Self::Sync(_) | Self::SyncDirectory(_) => {}
        }
    }
}

/// A change and its two events.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What.
    pub change: Change,
    /// The number of the event at which it reached the disk.
    pub begun: u64,
    /// The number of the event at which it was reported as done; none if it was not.
    pub reported: Option<u64>,
}

impl Entry {
    /// Whether it had begun when so many events had happened.
    pub fn is_begun(&self, events: u64) -> bool {
        self.begun < events
    }

    /// Whether it had been reported when so many events had happened.
    pub fn is_reported(&self, events: u64) -> bool {
        self.reported.is_some_and(|reported| reported < events)
    }
}

/// All changes since a disk was as it was before.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// What is durable without any of the changes.
    pub before: Image,
    /// In the order in which they began.
    pub entries: Vec<Entry>,
    /// Their events.
    pub events: Events,
}

impl Record {
    /// Nothing has happened on this disk yet.
    pub fn new(before: Image) -> Self {
        Self { before, entries: Vec::new(), events: Events::default() }
    }

    /// The disk after the process was killed when so many events had happened: its cache is still there, and whatever
    /// was under way is done, but nothing became durable by that.
    pub fn after_kill(&self, events: u64) -> Self {
        let mut killed = Self::new(self.before.clone());
        let begun = self.entries.iter().filter(|entry| entry.is_begun(events));
        killed.entries = begun.cloned().collect();
        while killed.events.count() < events {
            killed.events.happen();
        }
        for entry in killed.entries.iter_mut().filter(|entry| !entry.is_reported(events)) {
            entry.reported = Some(killed.events.happen());
        }
        killed
    }

    /// What processes see.
    pub fn current(&self) -> Image {
        let mut current = self.before.clone();
        self.entries.iter().for_each(|entry| entry.change.apply(&mut current));
        current.drop_unreachable();
        current
    }

    /// A change begins; returns its index.
    pub fn begin(&mut self, change: Change) -> usize {
        self.entries.push(Entry { change, begun: self.events.happen(), reported: None });
        self.entries.len() - 1
    }

    /// A change is about to be reported as done.
    pub fn report(&mut self, index: usize) {
        self.entries[index].reported = Some(self.events.happen());
    }
}
