//! The table at the end of a key run: where each section stands, and with which key it begins.

use zerocopy::little_endian::{U16, U32, U64, U128};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{KeyHash, SectionHead};
use crate::format::checksum::Seed;
use crate::format::extent::ExtentPlace;
use crate::format::layout::{FORMAT_VERSION, unit_aligned};
use crate::format::stored::{MEANINGLESS, Stored};
use crate::io::UNIT_BYTES;
use crate::model::Position;

/// Bytes of the header.
pub const TABLE_HEADER_BYTES: usize = size_of::<TableLayout>();
/// Bytes of one entry.
pub const TABLE_ENTRY_BYTES: usize = size_of::<TableEntryLayout>();

const MAGIC: [u8; 8] = *b"FLRNKTAB";
const CHECKED_FROM: usize = 12;

/// One section of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableEntry {
    /// Its lowest key.
    pub first_key: KeyHash,
    /// Its first byte in the file.
    pub position: Position,
    /// Bytes of its head.
    pub head_bytes: u32,
    /// Its pages, a unit each.
    pub page_count: u32,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct TableLayout {
    magic: [u8; 8],
    checksum: U32,
    version: U16,
    shard: U16,
    journal_id: [u8; 16],
    segment: U64,
    position: U64,
    run_position: U64,
    section_count: U32,
    table_bytes: U32,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct TableEntryLayout {
    first_key: U128,
    position: U64,
    head_bytes: U32,
    page_count: U32,
}

const _: () = assert!(size_of::<TableLayout>() == 64);
const _: () = assert!(size_of::<TableEntryLayout>() == 32);
const _: () = assert!(std::mem::offset_of!(TableLayout, version) == CHECKED_FROM);

/// Bytes of a table of so many sections.
pub fn table_bytes(section_count: usize) -> usize {
    unit_aligned(TABLE_HEADER_BYTES + section_count * TABLE_ENTRY_BYTES)
}

impl TableEntry {
    /// The entry of the section with this head.
    pub fn of(position: Position, head: &SectionHead) -> Self {
        let page_count = u32::try_from(head.page_count()).expect("a section is bounded");
        Self { first_key: head.first_key, position, head_bytes: head.head_bytes, page_count }
    }

    /// The first byte behind the section. An entry that is damaged may say that there is none: then it is the last of all.
    pub fn end(&self) -> Position {
        let pages_bytes = u64::from(self.page_count) * UNIT_BYTES as u64;
        Position(self.position.0.saturating_add(u64::from(self.head_bytes)).saturating_add(pages_bytes))
    }
}

/// Writes the table at `place` of the run that begins at `run_position` into `out`, which is zeroed and has exactly
/// [`table_bytes`].
///
/// # Panics
/// If there are no sections, or `out` has another size.
pub fn encode(place: &ExtentPlace, run_position: Position, sections: &[TableEntry], out: &mut [u8]) {
    assert!(!sections.is_empty(), "a run has sections");
    assert_eq!(out.len(), table_bytes(sections.len()), "a table fills its buffer");
    let mut at = TABLE_HEADER_BYTES;
    for section in sections {
        let layout = TableEntryLayout {
            first_key: U128::new(section.first_key.0),
            position: U64::new(section.position.0),
            head_bytes: U32::new(section.head_bytes),
            page_count: U32::new(section.page_count),
        };
        out[at..at + TABLE_ENTRY_BYTES].copy_from_slice(layout.as_bytes());
        at += TABLE_ENTRY_BYTES;
    }
    let layout = TableLayout {
        magic: MAGIC,
        checksum: U32::ZERO,
        version: U16::new(FORMAT_VERSION),
        shard: U16::new(place.shard.0),
        journal_id: place.journal_id.0,
        segment: U64::new(place.segment.0),
        position: U64::new(place.position.0),
        run_position: U64::new(run_position.0),
        section_count: U32::new(u32::try_from(sections.len()).expect("a run is bounded")),
        table_bytes: U32::new(u32::try_from(out.len()).expect("a run is bounded")),
    };
    out[..TABLE_HEADER_BYTES].copy_from_slice(layout.as_bytes());
    let checksum = Seed::of(place.journal_id).checksum(&out[CHECKED_FROM..]);
    out[8..CHECKED_FROM].copy_from_slice(&checksum.to_le_bytes());
}

/// Reads the table at `place` of the run that begins at `run_position`; `bytes` is all of it. The sections stand one
/// behind the other from there up to the table, and their keys rise.
pub fn decode(bytes: &[u8], place: &ExtentPlace, run_position: Position) -> Stored<Vec<TableEntry>> {
    let Ok((layout, _)) = TableLayout::ref_from_prefix(bytes) else {
        return Stored::Damaged(format!("only {} bytes", bytes.len()));
    };
    if bytes.iter().all(|byte| *byte == 0) {
        return Stored::Absent;
    }
    if layout.magic != MAGIC {
        return Stored::Damaged("not a table of sections (magic)".to_owned());
    }
    if layout.checksum.get() != Seed::of(place.journal_id).checksum(&bytes[CHECKED_FROM..]) {
        return Stored::Damaged("checksum of the table does not match".to_owned());
    }
    if layout.version.get() != FORMAT_VERSION {
        return Stored::OtherVersion(layout.version.get());
    }
    match layout.sections(bytes, place, run_position) {
        Ok(sections) => Stored::Present(sections),
        Err(what) => Stored::Damaged(what),
    }
}

impl TableLayout {
    fn sections(&self, bytes: &[u8], place: &ExtentPlace, run_position: Position) -> Result<Vec<TableEntry>, String> {
        let is_here = self.journal_id == place.journal_id.0
            && self.shard.get() == place.shard.0
            && self.segment.get() == place.segment.0
            && self.position.get() == place.position.0
            && self.run_position.get() == run_position.0;
        if !is_here {
            return Err("a table of another place".to_owned());
        }
        let count = self.section_count.get() as usize;
        let is_whole = self.table_bytes.get() as usize == bytes.len() && table_bytes(count) == bytes.len();
        if count == 0 || !is_whole {
            return Err("impossible sizes in the table's header".to_owned());
        }
        let (entries, behind) = bytes[TABLE_HEADER_BYTES..].split_at(count * TABLE_ENTRY_BYTES);
        if behind.iter().any(|byte| *byte != 0) {
            return Err(MEANINGLESS.to_owned());
        }
        let entries = <[TableEntryLayout]>::ref_from_bytes(entries).expect("whole entries");
        let sections: Vec<TableEntry> = entries.iter().map(TableEntryLayout::read).collect();
        let starts = sections.iter().map(|section| section.position).chain([place.position]);
        let ends = [run_position].into_iter().chain(sections.iter().map(TableEntry::end));
        let follow = starts.eq(ends);
        let rise = sections.windows(2).all(|pair| pair[0].first_key < pair[1].first_key);
        let fit = sections.iter().all(|section| section.page_count > 0 && is_whole_units(section.head_bytes));
        if follow && rise && fit { Ok(sections) } else { Err("sections of the table are out of order".to_owned()) }
    }
}

impl TableEntryLayout {
    fn read(&self) -> TableEntry {
        TableEntry {
            first_key: KeyHash(self.first_key.get()),
            position: Position(self.position.get()),
            head_bytes: self.head_bytes.get(),
            page_count: self.page_count.get(),
        }
    }
}

fn is_whole_units(bytes: u32) -> bool {
    bytes > 0 && (bytes as usize).is_multiple_of(UNIT_BYTES)
}
