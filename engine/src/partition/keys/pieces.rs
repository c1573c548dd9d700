//! What was read of key runs and may be asked for again: bounded, what was used least lately goes first.

use std::cell::Cell;
use std::collections::BTreeMap;

use crate::format::keys::{KeyEntry, SectionMap, TableEntry};
use crate::format::stored::Stored;
use crate::key_run::KeyRun;
use crate::key_run::look_up::{KeyFound, KeyPiece};
use crate::model::{Position, SegmentId};

/// Tables, maps and pages by where they begin.
#[derive(Debug, Default)]
pub struct KeyPieces {
    kept: BTreeMap<(SegmentId, Position), Kept>,
    bytes: usize,
    clock: Cell<u64>,
}

#[derive(Debug)]
struct Kept {
    found: KeyFound,
    bytes: usize,
    used: Cell<u64>,
}

impl KeyPieces {
    /// Keeps what was read.
    pub fn keep(&mut self, piece: KeyPiece, found: KeyFound) {
        let place = (piece.segment(), piece.position());
        let bytes = size_of::<Kept>() + found.memory_bytes();
        self.bytes += bytes;
        if let Some(before) = self.kept.insert(place, Kept { found, bytes, used: Cell::new(self.now()) }) {
            self.bytes -= before.bytes;
        }
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lets go of what was used least lately until there are at most `bytes_max`.
    pub fn shrink(&mut self, bytes_max: usize) {
        while self.bytes > bytes_max {
            let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.used.get()).map(|(place, _)| *place);
            self.remove(oldest.expect("bytes are of something"));
        }
    }

    /// Lets go of what was read of a file, which is no longer there.
    pub fn forget(&mut self, segment: SegmentId) {
        let of_file = self.kept.range((segment, Position(0))..=(segment, Position(u64::MAX)));
        let places: Vec<_> = of_file.map(|(place, _)| *place).collect();
        places.into_iter().for_each(|place| self.remove(place));
    }

    pub(super) fn table(&self, run: &KeyRun) -> Option<&Stored<Vec<TableEntry>>> {
        match self.at(run.segment, run.table_position())? {
            KeyFound::Table(table) => Some(table),
            KeyFound::Section(_) | KeyFound::Page(_) => None,
        }
    }

    pub(super) fn section(&self, segment: SegmentId, position: Position) -> Option<&Stored<SectionMap>> {
        match self.at(segment, position)? {
            KeyFound::Section(map) => Some(map),
            KeyFound::Table(_) | KeyFound::Page(_) => None,
        }
    }

    pub(super) fn page(&self, segment: SegmentId, position: Position) -> Option<&Stored<Vec<KeyEntry>>> {
        match self.at(segment, position)? {
            KeyFound::Page(page) => Some(page),
            KeyFound::Table(_) | KeyFound::Section(_) => None,
        }
    }

    fn at(&self, segment: SegmentId, position: Position) -> Option<&KeyFound> {
        let kept = self.kept.get(&(segment, position))?;
        kept.used.set(self.now());
        Some(&kept.found)
    }

    fn remove(&mut self, place: (SegmentId, Position)) {
        if let Some(gone) = self.kept.remove(&place) {
            self.bytes -= gone.bytes;
        }
    }

    /// Counts uses.
    fn now(&self) -> u64 {
        self.clock.set(self.clock.get() + 1);
        self.clock.get()
    }
}
