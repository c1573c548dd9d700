//! The index behind the last extent of a sealed segment file: where each extent stands, and up to which offset and
//! time it reaches. It can be made again from the extents' headers.

use bytes::Bytes;
use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::checksum::Seed;
use super::extent::{ExtentHead, ExtentPlace};
use super::layout::{FORMAT_VERSION, unit_aligned};
use super::stored::{MEANINGLESS, Stored};
use crate::limits::UNIT_BYTES;
use crate::model::{Offset, Position, Realtime};

/// Bytes of the header.
pub const INDEX_HEADER_BYTES: usize = size_of::<IndexLayout>();
/// Bytes of one entry.
pub const INDEX_ENTRY_BYTES: usize = size_of::<IndexEntryLayout>();

const MAGIC: [u8; 8] = *b"FLRNINDX";
const CHECKED_FROM: usize = 12;

/// One extent of a segment file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// Its first byte in the file.
    pub position: Position,
    /// Offset of its first record.
    pub base_offset: Offset,
    /// Append time of its last batch.
    pub last_append_time: Realtime,
    /// The latest timestamp of a record of the partition's run in this file up to its end, Unix milliseconds.
    pub max_timestamp_ms: i64,
    /// Its bytes, a multiple of the unit.
    pub extent_bytes: u32,
}

impl IndexEntry {
    /// The entry of the extent with this header.
    pub fn of(position: Position, head: &ExtentHead) -> Self {
        Self {
            position,
            base_offset: head.base_offset,
            last_append_time: head.last_append_time,
            max_timestamp_ms: head.max_timestamp_ms,
            extent_bytes: head.extent_bytes,
        }
    }

    /// The first byte behind the extent. An entry that is damaged may say that there is none: then it is the last of all.
    pub fn end(&self) -> Position {
        Position(self.position.0.saturating_add(u64::from(self.extent_bytes)))
    }

    fn is_whole_units(&self) -> bool {
        let unit_bytes = UNIT_BYTES as u64;
        let bytes = u64::from(self.extent_bytes);
        bytes > 0 && bytes.is_multiple_of(unit_bytes) && self.position.0.is_multiple_of(unit_bytes)
    }
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct IndexLayout {
    magic: [u8; 8],
    checksum: U32,
    version: U16,
    shard: U16,
    journal_id: [u8; 16],
    segment: U64,
    position: U64,
    entry_count: U32,
    index_bytes: U32,
    reserved: [u8; 8],
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct IndexEntryLayout {
    position: U64,
    base_offset: U64,
    last_append_time: U64,
    max_timestamp: I64,
    extent_bytes: U32,
    reserved: U32,
}

const _: () = assert!(size_of::<IndexLayout>() == 64);
const _: () = assert!(size_of::<IndexEntryLayout>() == 40);
const _: () = assert!(std::mem::offset_of!(IndexLayout, version) == CHECKED_FROM);

/// Bytes of an index of so many entries.
pub fn index_bytes(entry_count: usize) -> usize {
    unit_aligned(INDEX_HEADER_BYTES + entry_count * INDEX_ENTRY_BYTES)
}

/// Writes the index that stands at `place` into `out`, which is zeroed and has exactly [`index_bytes`].
///
/// # Panics
/// If `out` has another size.
pub fn encode(place: &ExtentPlace, entries: &[IndexEntry], out: &mut [u8]) {
    assert_eq!(out.len(), index_bytes(entries.len()), "an index fills its buffer");
    let mut at = INDEX_HEADER_BYTES;
    for entry in entries {
        let layout = IndexEntryLayout {
            position: U64::new(entry.position.0),
            base_offset: U64::new(entry.base_offset.0),
            last_append_time: U64::new(entry.last_append_time.0),
            max_timestamp: I64::new(entry.max_timestamp_ms),
            extent_bytes: U32::new(entry.extent_bytes),
            reserved: U32::ZERO,
        };
        out[at..at + INDEX_ENTRY_BYTES].copy_from_slice(layout.as_bytes());
        at += INDEX_ENTRY_BYTES;
    }
    let layout = IndexLayout {
        magic: MAGIC,
        checksum: U32::ZERO,
        version: U16::new(FORMAT_VERSION),
        shard: U16::new(place.shard.0),
        journal_id: place.journal_id.0,
        segment: U64::new(place.segment.0),
        position: U64::new(place.position.0),
        entry_count: U32::new(u32::try_from(entries.len()).expect("a segment file holds fewer extents")),
        index_bytes: U32::new(u32::try_from(out.len()).expect("an index is smaller than its file")),
        reserved: [0; 8],
    };
    out[..INDEX_HEADER_BYTES].copy_from_slice(layout.as_bytes());
    let checksum = Seed::of(place.journal_id).checksum(&out[CHECKED_FROM..]);
    out[8..CHECKED_FROM].copy_from_slice(&checksum.to_le_bytes());
}

/// Reads the index that stands at `place`; `bytes` is all of it.
pub fn decode(bytes: &Bytes, place: &ExtentPlace) -> Stored<Vec<IndexEntry>> {
    let Ok((layout, _)) = IndexLayout::ref_from_prefix(bytes) else {
        return Stored::Damaged(format!("only {} bytes", bytes.len()));
    };
    if bytes.iter().all(|byte| *byte == 0) {
        return Stored::Absent;
    }
    if layout.magic != MAGIC {
        return Stored::Damaged("not an index (magic)".to_owned());
    }
    if layout.checksum.get() != Seed::of(place.journal_id).checksum(&bytes[CHECKED_FROM..]) {
        return Stored::Damaged("checksum of the index does not match".to_owned());
    }
    if layout.version.get() != FORMAT_VERSION {
        return Stored::OtherVersion(layout.version.get());
    }
    match layout.entries(bytes, place) {
        Ok(entries) => Stored::Present(entries),
        Err(what) => Stored::Damaged(what),
    }
}

/// How many bytes the index that begins with `bytes` says it has, if one begins there at all. Nothing is checked.
pub fn claimed_bytes(bytes: &[u8]) -> Option<u32> {
    let (layout, _) = IndexLayout::ref_from_prefix(bytes).ok()?;
    (layout.magic == MAGIC).then(|| layout.index_bytes.get())
}

/// The entries of an index as they stand, right or wrong, as far as `bytes` has them: for those who look at damage.
pub fn standing_entries(bytes: &[u8]) -> Vec<IndexEntry> {
    let Ok((layout, rest)) = IndexLayout::ref_from_prefix(bytes) else { return Vec::new() };
    if layout.magic != MAGIC {
        return Vec::new();
    }
    let (entries, _) = rest.as_chunks::<INDEX_ENTRY_BYTES>();
    let entries = entries.iter().take(layout.entry_count.get() as usize);
    entries.filter_map(|entry| IndexEntryLayout::ref_from_bytes(entry).ok()).map(IndexEntryLayout::read).collect()
}

impl IndexLayout {
    fn entries(&self, bytes: &Bytes, place: &ExtentPlace) -> Result<Vec<IndexEntry>, String> {
        let is_here = self.journal_id == place.journal_id.0
            && self.shard.get() == place.shard.0
            && self.segment.get() == place.segment.0
            && self.position.get() == place.position.0;
        if !is_here {
            return Err("an index of another place".to_owned());
        }
        let count = self.entry_count.get() as usize;
        if self.index_bytes.get() as usize != bytes.len() || index_bytes(count) != bytes.len() {
            return Err("impossible sizes in the index's header".to_owned());
        }
        let table = &bytes[INDEX_HEADER_BYTES..INDEX_HEADER_BYTES + count * INDEX_ENTRY_BYTES];
        let entries = <[IndexEntryLayout]>::ref_from_bytes(table).map_err(|_| "the index's table".to_owned())?;
        let behind = &bytes[INDEX_HEADER_BYTES + table.len()..];
        let is_clean = entries.iter().all(|entry| entry.reserved == U32::ZERO) && behind.iter().all(|byte| *byte == 0);
        if self.reserved != [0; 8] || !is_clean {
            return Err(MEANINGLESS.to_owned());
        }
        let entries: Vec<IndexEntry> = entries.iter().map(IndexEntryLayout::read).collect();
        if !entries.iter().all(IndexEntry::is_whole_units) {
            return Err("extents of the index are not whole units".to_owned());
        }
        let follow = entries.windows(2).all(|pair| pair[0].end() <= pair[1].position);
        let inside = entries.last().is_none_or(|last| last.end() <= place.position);
        if follow && inside { Ok(entries) } else { Err("extents of the index overlap".to_owned()) }
    }
}

impl IndexEntryLayout {
    fn read(&self) -> IndexEntry {
        IndexEntry {
            position: Position(self.position.get()),
            base_offset: Offset(self.base_offset.get()),
            last_append_time: Realtime(self.last_append_time.get()),
            max_timestamp_ms: self.max_timestamp.get(),
            extent_bytes: self.extent_bytes.get(),
        }
    }
}

#[cfg(test)]
mod tests;
