//! Finding extents in a segment file: by the index at its end, or from header to header.

use crate::format::extent::{ExtentPlace, read_head};
use crate::format::segment_index::{self, IndexEntry};
use crate::format::stored::Stored;
use crate::io::{DiskFile, UNIT_BYTES};
use crate::marks::{self, Mark};
use crate::model::{Id128, Position, SegmentId, ShardId};

use super::table::SegmentFile;
use super::write::to_bytes;

/// A segment file by all that its extents know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileName {
    /// The shard's journal.
    pub journal_id: Id128,
    /// The shard.
    pub shard: ShardId,
    /// The file.
    pub segment: SegmentId,
}

impl FileName {
    /// A place in the file.
    pub fn at(&self, position: Position) -> ExtentPlace {
        let Self { journal_id, shard, segment } = *self;
        ExtentPlace { journal_id, shard, segment, position }
    }
}

/// The extents of a segment file up to some place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentIndex {
    /// The extents, in order.
    pub entries: Vec<IndexEntry>,
    /// How far the file is covered.
    pub end: Position,
    /// Some units before `end` belong to no extent that can be told: a header there is damaged.
    pub has_gap: bool,
    /// Some of them the disk did not give: it may the next time.
    pub is_unreadable: bool,
}

impl SegmentIndex {
    /// Bytes in memory.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.entries.len() * size_of::<IndexEntry>()
    }
}

/// The extents of `file` up to `state.end`: from its index if it has one that is right, otherwise from header to
/// header, beginning behind what `known` covers.
pub async fn load<F: DiskFile>(
    file: &F,
    name: FileName,
    state: &SegmentFile,
    known: Option<&SegmentIndex>,
) -> SegmentIndex {
    if known.is_none() && state.index_bytes > 0 {
        let read = file.read(state.end, state.index_bytes as usize).await;
        if let Ok(buffer) = read
            && let Stored::Present(entries) = segment_index::decode(&to_bytes(&buffer), &name.at(state.end))
        {
            return SegmentIndex { entries, end: state.end, has_gap: false, is_unreadable: false };
        }
        marks::hit(Mark::IndexRebuilt);
    }
    let from = known.map_or(Position(0), |known| known.end);
    let mut walked = walk(file, name, from, state.end).await;
    if let Some(known) = known {
        walked.entries.splice(0..0, known.entries.iter().copied());
        walked.has_gap |= known.has_gap;
    }
    walked
}

/// Goes from header to header. Where none can be read it looks at every unit until there is one again.
pub async fn walk<F: DiskFile>(file: &F, name: FileName, from: Position, end: Position) -> SegmentIndex {
    let mut index = SegmentIndex { entries: Vec::new(), end, has_gap: false, is_unreadable: false };
    let mut position = from;
    while position < end {
        let read = file.read(position, UNIT_BYTES).await;
        index.is_unreadable |= read.as_ref().is_err_and(|error| !error.is_absence());
        let head = read.ok().and_then(|unit| match read_head(&unit, &name.at(position)) {
            Stored::Present(head) => Some(head),
            _ => None,
        });
        let entry = head.map(|head| IndexEntry::of(position, &head)).filter(|entry| entry.end() <= end);
        match entry {
            Some(entry) => {
                index.entries.push(entry);
                position = entry.end();
            }
            None => {
                index.has_gap = true;
                position = position.plus(UNIT_BYTES as u64);
            }
        }
    }
    index
}
