//! The header that every unit of a ring file carries until a block is written over it.
//!
//! Writing it once at format makes later overwrites change no file system metadata, and lets recovery tell "never
//! written" from "damaged".

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::checksum::Seed;
use super::layout::FORMAT_VERSION;
use crate::io::UNIT_BYTES;
use crate::model::{FileIndex, Id128, Position};

const MAGIC: [u8; 8] = *b"FLRNVIRG";
const CHECKED_FROM: usize = 12;

/// The layout; the rest of the unit is zero and covered by the checksum.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct VirginLayout {
    magic: [u8; 8],
    checksum: U32,
    version: U16,
    file: U16,
    journal_id: [u8; 16],
    position: U64,
}

const _: () = assert!(size_of::<VirginLayout>() == 40);

/// Fills `unit` with the virgin header of this place.
pub fn encode(unit: &mut [u8], journal_id: Id128, file: FileIndex, position: Position) {
    assert_eq!(unit.len(), UNIT_BYTES, "a virgin unit is one unit");
    unit.fill(0);
    let mut layout = VirginLayout {
        magic: MAGIC,
        checksum: U32::ZERO,
        version: U16::new(FORMAT_VERSION),
        file: U16::new(file.0),
        journal_id: journal_id.0,
        position: U64::new(position.0),
    };
    unit[..size_of::<VirginLayout>()].copy_from_slice(layout.as_bytes());
    layout.checksum = U32::new(Seed::of(journal_id).checksum(&unit[CHECKED_FROM..]));
    unit[..size_of::<VirginLayout>()].copy_from_slice(layout.as_bytes());
}

/// Whether `unit` is exactly the virgin unit of this place.
pub fn matches(unit: &[u8], journal_id: Id128, file: FileIndex, position: Position) -> bool {
    let Ok((layout, _)) = VirginLayout::ref_from_prefix(unit) else { return false };
    unit.len() == UNIT_BYTES
        && layout.magic == MAGIC
        && layout.version.get() == FORMAT_VERSION
        && layout.file.get() == file.0
        && layout.journal_id == journal_id.0
        && layout.position.get() == position.0
        && layout.checksum.get() == Seed::of(journal_id).checksum(&unit[CHECKED_FROM..])
}

#[cfg(test)]
mod tests;
