//! What was read of key runs and may be asked for again: bounded, what was not used for long goes first.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

use hashbrown::HashTable;

use crate::format::keys::{KeyEntry, SectionMap, TableEntry};
use crate::format::stored::Stored;
use crate::key_run::KeyRun;
use crate::key_run::look_up::{KeyFound, KeyPiece};
use crate::model::{Position, SegmentId};

type Place = (SegmentId, Position);

/// Tables, maps and pages by where they begin.
///
/// Whoever holds on to a piece that was kept, keeps it here. The others go in turn, those that were used since their last
/// turn a turn later: the clock of Corbató, "A paging experiment with the Multics system", 1968.
#[derive(Debug, Default)]
pub struct KeyPieces {
    /// Nothing goes through it in its order.
    kept: HashTable<Kept>,
    turns: VecDeque<Place>,
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    place: Place,
    found: Rc<KeyFound>,
    bytes: usize,
    was_used: Cell<bool>,
}

/// Positions are multiples of a unit, and ids rise by one: a multiplication mixes both into the bits that tables look at.
fn hash((segment, position): &Place) -> u64 {
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = (segment.0.wrapping_mul(MIX) ^ position.0).wrapping_mul(MIX);
    mixed ^ (mixed >> 32)
}

impl KeyPieces {
    /// Keeps what was read. Whoever must not lose it holds on to what is returned.
    pub fn keep(&mut self, piece: KeyPiece, found: KeyFound) -> Rc<KeyFound> {
        let place = (piece.segment(), piece.position());
        let bytes = size_of::<Kept>() + found.memory_bytes();
        let found = Rc::new(found);
        self.remove(place);
        self.bytes += bytes;
        let kept = Kept { place, found: Rc::clone(&found), bytes, was_used: Cell::new(true) };
        self.kept.insert_unique(hash(&place), kept, |kept| hash(&kept.place));
        self.turns.push_back(place);
        found
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lets go of what was not used for long until there are at most `bytes_max`, or nothing that nobody holds on to.
    pub fn shrink(&mut self, bytes_max: usize) {
        // Everything has had its turn twice then.
        let mut turns_left = 2 * self.turns.len();
        while self.bytes > bytes_max && turns_left > 0 {
            turns_left -= 1;
            let Some(place) = self.turns.pop_front() else { return };
            let Some(kept) = self.find(&place) else { continue };
            if kept.was_used.replace(false) || Rc::strong_count(&kept.found) > 1 {
                self.turns.push_back(place);
            } else {
                self.take(place);
            }
        }
    }

    /// Lets go of what was read of a file, which is no longer there.
    pub fn forget(&mut self, segment: SegmentId) {
        let bytes = &mut self.bytes;
        self.kept.retain(|kept| {
            let stays = kept.place.0 != segment;
            *bytes -= if stays { 0 } else { kept.bytes };
            stays
        });
        self.turns.retain(|(of, _)| *of != segment);
    }

    /// Lets go of what could not be read: whoever asks next has the disk asked again.
    pub fn forget_unreadable(&mut self, piece: KeyPiece) {
        self.remove((piece.segment(), piece.position()));
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
        let kept = self.find(&(segment, position))?;
        kept.was_used.set(true);
        Some(&kept.found)
    }

    fn find(&self, place: &Place) -> Option<&Kept> {
        self.kept.find(hash(place), |kept| kept.place == *place)
    }

    fn remove(&mut self, place: Place) {
        if self.take(place) {
            self.turns.retain(|other| *other != place);
        }
    }

    fn take(&mut self, place: Place) -> bool {
        let gone = self.kept.find_entry(hash(&place), |kept| kept.place == place);
        let gone = gone.map(|gone| gone.remove().0.bytes);
        self.bytes -= gone.as_ref().copied().unwrap_or(0);
        gone.is_ok()
    }
}
