//! The ring of journal files: which one is written, which is next, which is free.
//!
//! A file may be written only after a superblock that calls it open, with its lap, is durable in both copies; it
//! may be used again only after a superblock that calls it free is.

use crate::format::block::Place;
use crate::format::layout::Geometry;
use crate::format::superblock::{FileUse, RingFile};
use crate::marks::{self, Mark};
use crate::model::{FileIndex, Position, Sequence};

/// The ring of one journal.
#[derive(Debug)]
pub struct Ring {
    geometry: Geometry,
    files: Vec<Slot>,
    active: Option<FileIndex>,
    cursor_bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    file: RingFile,
    /// A durable superblock calls it open with this lap.
    opened: bool,
    /// Nothing will be placed in it any more.
    passed: bool,
    /// Blocks placed in it that are not durable yet.
    pending_block_count: u32,
}

impl Ring {
    /// The ring as a durable superblock describes it. `active` is an open file to go on in, behind its confirmed
    /// bytes.
    pub fn restore(geometry: Geometry, files: &[RingFile], active: Option<FileIndex>) -> Self {
        let slots = files.iter().map(|file| Slot {
            file: *file,
            opened: file.state == FileUse::Open,
            passed: file.state == FileUse::Sealed,
            pending_block_count: 0,
        });
        let mut ring = Self { geometry, files: slots.collect(), active, cursor_bytes: 0 };
        if let Some(active) = active {
            assert!(ring.slot(active).opened, "the active file is open");
            ring.cursor_bytes = ring.slot(active).file.confirmed_bytes;
        }
        ring
    }

    /// Sizes of the ring.
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Where a new block of `block_bytes` goes, behind everything placed so far. `None`: the journal is full.
    pub fn place(&mut self, block_bytes: usize) -> Option<Place> {
        let block_bytes = block_bytes as u64;
        if self.active.is_none() || self.cursor_bytes + block_bytes > self.geometry.file_bytes {
            let next = self.next_file()?;
            self.pass_active();
            self.take_into_use(next);
            self.active = Some(next);
            self.cursor_bytes = 0;
        }
        let file = self.active.expect("a file was just chosen");
        let place = Place { file, lap: self.slot(file).file.lap, position: Position(self.cursor_bytes) };
        self.cursor_bytes += block_bytes;
        self.slot_mut(file).pending_block_count += 1;
        Some(place)
    }

    /// Nothing more is placed in the file that is being written: a next block begins another one.
    pub fn pass_active(&mut self) {
        if let Some(active) = self.active.take() {
            self.slot_mut(active).passed = true;
            self.cursor_bytes = 0;
        }
    }

    /// Makes the last placed block larger by `more_bytes`, if its file has the room.
    pub fn grow(&mut self, more_bytes: usize) -> bool {
        let fits = self.cursor_bytes + more_bytes as u64 <= self.geometry.file_bytes;
        if fits {
            self.cursor_bytes += more_bytes as u64;
        }
        fits
    }

    /// Whether `more_bytes` can be placed and still leave what only control entries may use.
    pub fn has_room_for_capture(&self, more_bytes: usize) -> bool {
        self.has_room_leaving(more_bytes, self.geometry.reserve_bytes())
    }

    /// Whether `more_bytes` can be placed and still leave `left_bytes`.
    pub fn has_room_leaving(&self, more_bytes: usize, left_bytes: u64) -> bool {
        let more_bytes = more_bytes as u64;
        let file_bytes = self.geometry.file_bytes;
        let active_room = if self.active.is_some() { file_bytes - self.cursor_bytes } else { 0 };
        let others = self.unused_files().count() as u64;
        let left = if more_bytes <= active_room {
            active_room - more_bytes + others * file_bytes
        } else if others > 0 {
            others * file_bytes - more_bytes
        } else {
            return false;
        };
        left >= left_bytes
    }

    /// Whether blocks may be written into `file` now.
    pub fn is_opened(&self, file: FileIndex) -> bool {
        self.slot(file).opened
    }

    /// A block of the file is durable, with all blocks before it.
    pub fn block_durable(&mut self, place: Place, block_bytes: usize, sequence: Sequence) {
        let slot = self.slot_mut(place.file);
        assert_eq!(slot.file.confirmed_bytes, place.position.0, "blocks of a file become durable in order");
        slot.file.confirmed_bytes += block_bytes as u64;
        if slot.file.first_sequence == Sequence(0) {
            slot.file.first_sequence = sequence;
        }
        slot.file.last_sequence = sequence;
        slot.pending_block_count -= 1;
    }

    /// Takes a spare file into use ahead of need, so that the writer does not wait for a superblock when the active
    /// file is full. Returns whether a superblock is wanted, for this or for a file that is needed already.
    pub fn open_spare(&mut self) -> bool {
        let has_spare = self.unused_files().any(|file| self.slot(file).file.state == FileUse::Open);
        let free = self.next_file().filter(|file| self.slot(*file).file.state == FileUse::Free);
        if let (false, Some(free)) = (has_spare, free) {
            self.take_into_use(free);
        }
        self.files().any(|file| self.slot(file).file.state == FileUse::Open && !self.slot(file).opened)
    }

    /// The ring as the next superblock describes it: passed files whose blocks are all durable are sealed, files
    /// for which `may_free` holds are free.
    pub fn describe(&self, may_free: impl Fn(FileIndex, &RingFile) -> bool) -> Vec<RingFile> {
        self.files()
            .map(|index| {
                let slot = self.slot(index);
                let mut file = slot.file;
                if file.state == FileUse::Open && slot.passed && slot.pending_block_count == 0 {
                    file.state = FileUse::Sealed;
                }
                if file.state == FileUse::Sealed && may_free(index, &file) {
                    file = RingFile { state: FileUse::Free, lap: file.lap, ..RingFile::default() };
                }
                file
            })
            .collect()
    }

    /// A superblock with these files, made by [`Ring::describe`], is durable in both copies.
    pub fn superblock_durable(&mut self, files: &[RingFile]) {
        for (slot, stored) in self.files.iter_mut().zip(files) {
            match stored.state {
                FileUse::Free => {
                    if slot.passed && slot.file.lap == stored.lap {
                        *slot = Slot { file: *stored, opened: false, passed: false, pending_block_count: 0 };
                    }
                }
                FileUse::Open => slot.opened |= slot.file.state == FileUse::Open && slot.file.lap == stored.lap,
                FileUse::Sealed => {
                    assert!(slot.passed, "only passed files are sealed");
                    slot.file.state = FileUse::Sealed;
                }
            }
        }
    }

    /// Files that will not be written any more in this lap and whose blocks are all durable.
    pub fn sealed_files(&self) -> impl Iterator<Item = FileIndex> + '_ {
        self.files().filter(|file| self.is_sealed(*file))
    }

    /// Whether the file takes no more blocks, and all that it has are durable.
    pub fn is_sealed(&self, file: FileIndex) -> bool {
        self.slot(file).passed && self.slot(file).pending_block_count == 0
    }

    /// A file as it is now.
    pub fn file(&self, file: FileIndex) -> &RingFile {
        &self.slot(file).file
    }

    /// Whether a block of `block_bytes` can be placed at all.
    pub fn has_room(&self, block_bytes: usize) -> bool {
        let fits_active = self.active.is_some() && self.cursor_bytes + block_bytes as u64 <= self.geometry.file_bytes;
        fits_active || self.unused_count() > 0
    }

    /// Bytes that new blocks cannot have: all of each file that was filled, and of the active one what is in front of the
    /// next block.
    pub fn used_bytes(&self) -> u64 {
        let passed_count = self.files().filter(|file| self.slot(*file).passed).count() as u64;
        passed_count * self.geometry.file_bytes + if self.active.is_some() { self.cursor_bytes } else { 0 }
    }

    /// Files that nothing was placed in yet.
    pub fn unused_count(&self) -> usize {
        self.unused_files().count()
    }

    fn files(&self) -> impl Iterator<Item = FileIndex> + use<> {
        self.geometry.files()
    }

    fn unused_files(&self) -> impl Iterator<Item = FileIndex> + '_ {
        self.files().filter(|file| Some(*file) != self.active && !self.slot(*file).passed)
    }

    /// The next file to write: an open spare, otherwise the free file with the fewest laps.
    fn next_file(&self) -> Option<FileIndex> {
        let is_free = |file: &FileIndex| self.slot(*file).file.state == FileUse::Free;
        self.unused_files().min_by_key(|file| (is_free(file), self.slot(*file).file.lap, *file))
    }

    fn take_into_use(&mut self, file: FileIndex) {
        let slot = self.slot_mut(file);
        if slot.file.state == FileUse::Free {
            slot.file = RingFile { state: FileUse::Open, lap: slot.file.lap.next(), ..RingFile::default() };
            slot.opened = false;
            if slot.file.lap.0 > 1 {
                marks::hit(Mark::RingFileReused);
            }
        }
    }

    fn slot(&self, file: FileIndex) -> &Slot {
        &self.files[usize::from(file.0)]
    }

    fn slot_mut(&mut self, file: FileIndex) -> &mut Slot {
        &mut self.files[usize::from(file.0)]
    }
}

#[cfg(test)]
mod tests;
