//! The segment files of a shard: how far each is written, who needs it, and which may be removed.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, BufMut};

use crate::model::{Position, SegmentId};

/// What may still happen to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SegmentState {
    /// Extents may be added behind its end.
    Growing = 1,
    /// Ends with an index; nothing is added.
    Sealed = 2,
    /// Nothing is added, and there is no index: a write to it failed.
    Closed = 3,
}

/// A segment file as the state knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentFile {
    /// The first byte behind its extents. What follows, but an index, means nothing.
    pub end: Position,
    /// Bytes of the index behind the extents; 0 without one.
    pub index_bytes: u32,
    /// What may still happen to it.
    pub state: SegmentState,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    file: SegmentFile,
    /// Runs of partitions that are in it.
    run_count: u32,
    /// Reads and merges under way that need it.
    pin_count: u32,
    /// A superblock copy may name a manifest that names it.
    named: bool,
}

/// All segment files of a shard.
#[derive(Clone, Debug)]
pub struct SegmentTable {
    next: SegmentId,
    files: BTreeMap<SegmentId, Entry>,
}

/// A table that cannot be, although its checksum is right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SegmentTableError {
    /// The bytes end within the table, or go on behind it.
    #[error("the table of segment files is cut off or too long")]
    Length,
    /// The id that the next file gets is above all.
    #[error("the next segment file cannot have id {0}")]
    Next(SegmentId),
    /// A file out of order, in no known state, or with an impossible end.
    #[error("segment file {0} cannot be like that")]
    File(SegmentId),
}

impl Default for SegmentTable {
    fn default() -> Self {
        Self { next: SegmentId(1), files: BTreeMap::new() }
    }
}

impl SegmentTable {
    /// Bytes of one file in [`SegmentTable::encode`].
    pub const FILE_BYTES: usize = 21;

    /// How many files there are, those included that are about to be removed.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Bytes of all extents and indexes.
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|entry| entry.file.end.0 + u64::from(entry.file.index_bytes)).sum()
    }

    /// The id that the next file gets.
    pub fn next_id(&self) -> SegmentId {
        self.next
    }

    /// No file gets this id or a lower one: a file of that name was found.
    pub fn skip_past(&mut self, segment: SegmentId) {
        self.next = self.next.max(segment.next());
    }

    /// An id for a new file, of which nothing is known to be written.
    pub fn allocate(&mut self) -> SegmentId {
        let segment = self.next;
        self.next = segment.next();
        let file = SegmentFile { end: Position(0), index_bytes: 0, state: SegmentState::Growing };
        self.files.insert(segment, Entry { file, run_count: 0, pin_count: 0, named: false });
        segment
    }

    /// A file.
    pub fn get(&self, segment: SegmentId) -> Option<&SegmentFile> {
        self.files.get(&segment).map(|entry| &entry.file)
    }

    /// Every file, in order.
    pub fn all(&self) -> impl Iterator<Item = (SegmentId, &SegmentFile)> {
        self.files.iter().map(|(id, entry)| (*id, &entry.file))
    }

    /// Every file that holds a run, in order.
    pub fn files(&self) -> impl Iterator<Item = (SegmentId, &SegmentFile)> {
        self.files.iter().filter(|(_, entry)| entry.run_count > 0).map(|(id, entry)| (*id, &entry.file))
    }

    /// More of a file is durable: its extents up to `end`, and an index if `index_bytes` is not 0.
    pub fn written(&mut self, segment: SegmentId, end: Position, index_bytes: u32) {
        let file = &mut self.entry(segment).file;
        assert!(file.state == SegmentState::Growing && end >= file.end, "segment files only grow");
        file.end = end;
        if index_bytes > 0 {
            (file.index_bytes, file.state) = (index_bytes, SegmentState::Sealed);
        }
    }

    /// Nothing is added to the file any more.
    pub fn close(&mut self, segment: SegmentId) {
        let file = &mut self.entry(segment).file;
        if file.state == SegmentState::Growing {
            file.state = SegmentState::Closed;
        }
    }

    /// The index of the file is damaged: the headers of its extents say the same.
    pub fn drop_index(&mut self, segment: SegmentId) {
        let file = &mut self.entry(segment).file;
        (file.index_bytes, file.state) = (0, SegmentState::Closed);
    }

    /// A run in the file belongs to a partition.
    pub fn add_run(&mut self, segment: SegmentId) {
        self.entry(segment).run_count += 1;
    }

    /// A run in the file belongs to nobody any more.
    pub fn drop_run(&mut self, segment: SegmentId) {
        let entry = self.entry(segment);
        entry.run_count = entry.run_count.checked_sub(1).expect("every run was added once");
    }

    /// A read or merge needs the file.
    pub fn pin(&mut self, segment: SegmentId) {
        self.entry(segment).pin_count += 1;
    }

    /// It does not any more.
    pub fn unpin(&mut self, segment: SegmentId) {
        let entry = self.entry(segment);
        entry.pin_count = entry.pin_count.checked_sub(1).expect("every pin was set once");
    }

    /// A manifest that names these files is about to be written: from now on a superblock copy may name it.
    pub fn naming(&mut self, named: &BTreeSet<SegmentId>) {
        for segment in named {
            self.entry(*segment).named = true;
        }
    }

    /// Both superblock copies name a manifest that names exactly these files, of those that had an id below `next`.
    pub fn named(&mut self, named: &BTreeSet<SegmentId>, next: SegmentId) {
        for (segment, entry) in self.files.range_mut(..next) {
            entry.named = named.contains(segment);
        }
    }

    /// Whether a checkpoint would let a file go: nobody needs it, and a superblock copy may still name it.
    pub fn wants_checkpoint(&self) -> bool {
        self.files.values().any(|entry| entry.run_count == 0 && entry.named)
    }

    /// Takes out the files that nobody needs and no superblock copy names: they may be removed. One that is being
    /// written, `busy`, stays.
    pub fn take_unneeded(&mut self, busy: &BTreeSet<SegmentId>) -> Vec<SegmentId> {
        let unneeded = |id: &SegmentId, entry: &mut Entry| {
            entry.run_count == 0 && entry.pin_count == 0 && !entry.named && !busy.contains(id)
        };
        self.files.extract_if(.., unneeded).map(|(id, _)| id).collect()
    }

    /// Writes next id and the files with ids in `named`, little-endian: next u64, count u32, then each file: id u64,
    /// end u64, index bytes u32, state u8.
    pub fn encode(&self, named: &BTreeSet<SegmentId>, out: &mut impl BufMut) {
        out.put_u64_le(self.next.0);
        out.put_u32_le(u32::try_from(named.len()).expect("bounded by the manifest"));
        for segment in named {
            let file = &self.files[segment].file;
            out.put_u64_le(segment.0);
            out.put_u64_le(file.end.0);
            out.put_u32_le(file.index_bytes);
            out.put_u8(file.state as u8);
        }
    }

    /// Reads a whole section.
    pub fn decode(mut section: &[u8]) -> Result<Self, SegmentTableError> {
        let cut = |_| SegmentTableError::Length;
        let mut table = Self { next: SegmentId(section.try_get_u64_le().map_err(cut)?), files: BTreeMap::new() };
        if table.next > SegmentId::MAX {
            return Err(SegmentTableError::Next(table.next));
        }
        let count = section.try_get_u32_le().map_err(cut)?;
        let mut bytes: u64 = 0;
        for _ in 0..count {
            let segment = SegmentId(section.try_get_u64_le().map_err(cut)?);
            let end = Position(section.try_get_u64_le().map_err(cut)?);
            let index_bytes = section.try_get_u32_le().map_err(cut)?;
            let state = match section.try_get_u8().map_err(cut)? {
                1 => SegmentState::Growing,
                2 => SegmentState::Sealed,
                3 => SegmentState::Closed,
                _ => return Err(SegmentTableError::File(segment)),
            };
            let in_order = table.files.last_key_value().is_none_or(|(last, _)| *last < segment);
            bytes = bytes.saturating_add(end.0).saturating_add(index_bytes.into());
            let is_counted = i64::try_from(bytes).is_ok();
            let fits =
                in_order && is_counted && segment < table.next && (state == SegmentState::Sealed) == (index_bytes > 0);
            if !fits {
                return Err(SegmentTableError::File(segment));
            }
            let file = SegmentFile { end, index_bytes, state };
            table.files.insert(segment, Entry { file, run_count: 0, pin_count: 0, named: true });
        }
        if section.is_empty() { Ok(table) } else { Err(SegmentTableError::Length) }
    }

    fn entry(&mut self, segment: SegmentId) -> &mut Entry {
        self.files.get_mut(&segment).expect("a segment file that is in the table")
    }
}

#[cfg(test)]
mod tests;
