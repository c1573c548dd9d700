//! Idempotency keys at rest: sorted entries in pages, pages in sections, sections in runs.
//!
//! A *key run* is a sorted, immutable stretch of a segment file: sections one behind the other, then a table of them. A
//! section has a head (header, the first key of each page, a filter) and its pages, one unit each. Keys are hashes and
//! therefore spread evenly: whether a section can hold one its filter tells, and which page would, the first keys.
//! Header, table and every page know their place and have checksums of their own, which are checked on every read.

use zerocopy::little_endian::{U64, U128};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::model::{Offset, Realtime};

mod filter;
mod page;
mod section;
mod table;

pub use filter::{FilterError, KeyFilter};
pub use page::{PAGE_ENTRY_COUNT_MAX, PAGE_HEADER_BYTES, decode as decode_page, encode as encode_page};
pub use section::{
    SECTION_ENTRY_COUNT_MAX, SECTION_HEADER_BYTES, SectionHead, SectionMap, decode as decode_section,
    encode as encode_section, head_bytes as section_head_bytes, page_count,
};
pub use table::{
    TABLE_ENTRY_BYTES, TABLE_HEADER_BYTES, TableEntry, decode as decode_table, encode as encode_table, table_bytes,
};

/// Bytes of one entry.
pub const KEY_ENTRY_BYTES: usize = size_of::<KeyEntryLayout>();

/// What stands for an idempotency key: 128 bits of a keyed hash, see `crate::key`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(pub u128);

/// What stands for the body of a record: 128 bits of a keyed hash, see `crate::key`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BodyHash(pub u128);

/// What is remembered of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyEntry {
    /// The key.
    pub key: KeyHash,
    /// What came under it.
    pub body: BodyHash,
    /// Where its record is.
    pub offset: Offset,
    /// When it was appended.
    pub append_time: Realtime,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct KeyEntryLayout {
    key: U128,
    body: U128,
    offset: U64,
    append_time: U64,
}

const _: () = assert!(size_of::<KeyEntryLayout>() == 48);

impl KeyHash {
    /// The half that filters know.
    pub fn high(self) -> u64 {
        u64::try_from(self.0 >> 64).expect("half of the bits")
    }
}

impl KeyEntryLayout {
    fn of(entry: &KeyEntry) -> Self {
        Self {
            key: U128::new(entry.key.0),
            body: U128::new(entry.body.0),
            offset: U64::new(entry.offset.0),
            append_time: U64::new(entry.append_time.0),
        }
    }

    fn read(&self) -> KeyEntry {
        KeyEntry {
            key: KeyHash(self.key.get()),
            body: BodyHash(self.body.get()),
            offset: Offset(self.offset.get()),
            append_time: Realtime(self.append_time.get()),
        }
    }
}

#[cfg(test)]
mod tests;
