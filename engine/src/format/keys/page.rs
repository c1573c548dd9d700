//! A page: a unit of entries in the order of their keys.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{KEY_ENTRY_BYTES, KeyEntry, KeyEntryLayout};
use crate::format::checksum::Seed;
use crate::format::extent::ExtentPlace;
use crate::format::stored::{MEANINGLESS, Stored};
use crate::io::UNIT_BYTES;
use crate::model::{Id128, Position};

/// Bytes before the entries.
pub const PAGE_HEADER_BYTES: usize = size_of::<PageLayout>();
/// Entries that a page has room for.
pub const PAGE_ENTRY_COUNT_MAX: usize = (UNIT_BYTES - PAGE_HEADER_BYTES) / KEY_ENTRY_BYTES;

const CHECKED_FROM: usize = 4;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct PageLayout {
    checksum: U32,
    entry_count: U16,
    reserved: U16,
    position: U64,
}

const _: () = assert!(size_of::<PageLayout>() == 16);
const _: () = assert!(PAGE_ENTRY_COUNT_MAX == 85);

/// A page has no room for the name of its file, so its checksum begins with it: with the journal's id, whose last eight
/// bytes are combined with the file's id.
fn seed(place: &ExtentPlace) -> Seed {
    let mut id = place.journal_id.0;
    let (_, last) = id.split_at_mut(8);
    for (byte, of_file) in last.iter_mut().zip(place.segment.0.to_le_bytes()) {
        *byte ^= of_file;
    }
    Seed::of(Id128(id))
}

/// Writes a page into `out`, which is a zeroed unit.
///
/// # Panics
/// If there are no entries, more than fit, or `out` is no unit: the caller's broken invariant.
pub fn encode(place: &ExtentPlace, entries: &[KeyEntry], out: &mut [u8]) {
    assert!((1..=PAGE_ENTRY_COUNT_MAX).contains(&entries.len()), "a page has entries, and room for them");
    assert_eq!(out.len(), UNIT_BYTES, "a page is a unit");
    for (entry, place) in entries.iter().zip(out[PAGE_HEADER_BYTES..].chunks_exact_mut(KEY_ENTRY_BYTES)) {
        place.copy_from_slice(KeyEntryLayout::of(entry).as_bytes());
    }
    let layout = PageLayout {
        checksum: U32::ZERO,
        entry_count: U16::new(u16::try_from(entries.len()).expect("asserted above")),
        reserved: U16::ZERO,
        position: U64::new(place.position.0),
    };
    out[..PAGE_HEADER_BYTES].copy_from_slice(layout.as_bytes());
    let checksum = seed(place).checksum(&out[CHECKED_FROM..]);
    out[..CHECKED_FROM].copy_from_slice(&checksum.to_le_bytes());
}

/// Reads the page at `place`: its entries, their keys strictly rising.
pub fn decode(bytes: &[u8], place: &ExtentPlace) -> Stored<Vec<KeyEntry>> {
    let Ok((layout, rest)) = PageLayout::ref_from_prefix(bytes) else {
        return Stored::Damaged(format!("only {} bytes", bytes.len()));
    };
    if bytes.len() != UNIT_BYTES {
        return Stored::Damaged(format!("{} bytes are no page", bytes.len()));
    }
    if bytes.iter().all(|byte| *byte == 0) {
        return Stored::Absent;
    }
    if layout.checksum.get() != seed(place).checksum(&bytes[CHECKED_FROM..]) {
        return Stored::Damaged("checksum of the page does not match".to_owned());
    }
    if Position(layout.position.get()) != place.position {
        return Stored::Damaged(format!("a page of byte {}", layout.position));
    }
    let count = usize::from(layout.entry_count.get());
    if !(1..=PAGE_ENTRY_COUNT_MAX).contains(&count) {
        return Stored::Damaged(format!("a page of {count} entries"));
    }
    let (entries, behind) = rest.split_at(count * KEY_ENTRY_BYTES);
    if layout.reserved != U16::ZERO || behind.iter().any(|byte| *byte != 0) {
        return Stored::Damaged(MEANINGLESS.to_owned());
    }
    let entries = <[KeyEntryLayout]>::ref_from_bytes(entries).expect("whole entries");
    let entries: Vec<KeyEntry> = entries.iter().map(KeyEntryLayout::read).collect();
    if entries.windows(2).all(|pair| pair[0].key < pair[1].key) {
        Stored::Present(entries)
    } else {
        Stored::Damaged("keys of the page are out of order".to_owned())
    }
}
