//! A journal block: a 128-byte header, entries, zero padding up to whole units. One durable write.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::checksum::{Chain, Seed};
use super::layout::{FORMAT_VERSION, unit_aligned};
use crate::limits::{BLOCK_BYTES_MAX, UNIT_BYTES};
use crate::model::{Epoch, FileIndex, Id128, Lap, Position, Sequence, ShardId};

/// Bytes of the header.
pub const BLOCK_HEADER_BYTES: usize = 128;

const MAGIC: [u8; 8] = *b"FLRNBLCK";
const CHECKED_FROM: usize = 12;

/// The journal that a block belongs to. The journal id is secret: it never leaves the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalName {
    /// Random name of the journal, in every header and in the seed of every checksum.
    pub journal_id: Id128,
    /// The shard.
    pub shard: ShardId,
}

/// Where a block stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The ring file.
    pub file: FileIndex,
    /// The file's lap.
    pub lap: Lap,
    /// The first byte.
    pub position: Position,
}

/// What a block's header says, checksums aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHead {
    /// Where it was written.
    pub place: Place,
    /// Epoch of the writer.
    pub epoch: Epoch,
    /// First sequence of that epoch: older epochs' blocks from here on are stale.
    pub epoch_first_sequence: Sequence,
    /// Number of this block.
    pub sequence: Sequence,
    /// Highest sequence known durable, with all before it, when this block was built.
    pub durable_sequence: Sequence,
    /// The chain link of the block before.
    pub previous: Chain,
    /// Entries in the payload.
    pub entry_count: u32,
    /// Bytes of the entries.
    pub payload_bytes: u32,
}

/// A header whose checksum is right, with the link to the next block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckedHead {
    /// The header.
    pub head: BlockHead,
    /// What the next block must name as `previous`.
    pub chain: Chain,
    body_checksum: u32,
}

/// The layout of the header.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct BlockLayout {
    magic: [u8; 8],
    header_checksum: U32,
    version: U16,
    shard: U16,
    journal_id: [u8; 16],
    epoch: U64,
    epoch_first_sequence: U64,
    sequence: U64,
    durable_sequence: U64,
    previous: U64,
    lap: U64,
    position: U64,
    file: U16,
    reserved: U16,
    entry_count: U32,
    payload_bytes: U32,
    block_bytes: U32,
    body_checksum: U32,
    reserved_tail: [u8; 20],
}

const _: () = assert!(size_of::<BlockLayout>() == BLOCK_HEADER_BYTES);
const _: () = assert!(std::mem::offset_of!(BlockLayout, version) == CHECKED_FROM);
const _: () = assert!(std::mem::offset_of!(BlockLayout, epoch) == 32);
const _: () = assert!(std::mem::offset_of!(BlockLayout, position) == 80);
const _: () = assert!(std::mem::offset_of!(BlockLayout, body_checksum) == 104);

/// Bytes of a block with `payload_bytes` of entries: header and payload, rounded up to whole units.
pub fn block_bytes(payload_bytes: usize) -> usize {
    unit_aligned(BLOCK_HEADER_BYTES + payload_bytes)
}

impl BlockHead {
    /// Bytes of the whole block.
    pub fn block_bytes(&self) -> usize {
        block_bytes(self.payload_bytes as usize)
    }

    /// Writes the header in front of a payload that stands in `block` already, and returns the chain link.
    ///
    /// `block` is the whole block; what follows the payload must be zero.
    pub fn seal(&self, name: JournalName, block: &mut [u8]) -> Chain {
        assert_eq!(block.len(), self.block_bytes(), "the buffer is exactly the block");
        let seed = Seed::of(name.journal_id);
        let body_checksum = seed.checksum(&block[BLOCK_HEADER_BYTES..]);
        let mut layout = BlockLayout {
            magic: MAGIC,
            header_checksum: U32::ZERO,
            version: U16::new(FORMAT_VERSION),
            shard: U16::new(name.shard.0),
            journal_id: name.journal_id.0,
            epoch: U64::new(self.epoch.0),
            epoch_first_sequence: U64::new(self.epoch_first_sequence.0),
            sequence: U64::new(self.sequence.0),
            durable_sequence: U64::new(self.durable_sequence.0),
            previous: U64::new(self.previous.0),
            lap: U64::new(self.place.lap.0),
            position: U64::new(self.place.position.0),
            file: U16::new(self.place.file.0),
            reserved: U16::ZERO,
            entry_count: U32::new(self.entry_count),
            payload_bytes: U32::new(self.payload_bytes),
            block_bytes: U32::new(u32::try_from(block.len()).expect("a block is at most 4 MiB")),
            body_checksum: U32::new(body_checksum),
            reserved_tail: [0; 20],
        };
        let header_checksum = seed.checksum(&layout.as_bytes()[CHECKED_FROM..]);
        layout.header_checksum = U32::new(header_checksum);
        block[..BLOCK_HEADER_BYTES].copy_from_slice(layout.as_bytes());
        Chain::of(header_checksum, body_checksum)
    }
}

/// Reads a header at the start of a unit. `None`: there is no header of this journal here.
pub fn read_head(unit: &[u8], name: JournalName) -> Option<CheckedHead> {
    let (layout, _) = BlockLayout::ref_from_prefix(unit).ok()?;
    if layout.magic != MAGIC || layout.journal_id != name.journal_id.0 || layout.shard.get() != name.shard.0 {
        return None;
    }
    let header_checksum = Seed::of(name.journal_id).checksum(&layout.as_bytes()[CHECKED_FROM..]);
    if layout.header_checksum.get() != header_checksum || layout.version.get() != FORMAT_VERSION {
        return None;
    }
    let head = BlockHead {
        place: Place {
            file: FileIndex(layout.file.get()),
            lap: Lap(layout.lap.get()),
            position: Position(layout.position.get()),
        },
        epoch: Epoch(layout.epoch.get()),
        epoch_first_sequence: Sequence(layout.epoch_first_sequence.get()),
        sequence: Sequence(layout.sequence.get()),
        durable_sequence: Sequence(layout.durable_sequence.get()),
        previous: Chain(layout.previous.get()),
        entry_count: layout.entry_count.get(),
        payload_bytes: layout.payload_bytes.get(),
    };
    let body_checksum = layout.body_checksum.get();
    let sound = head.block_bytes() == layout.block_bytes.get() as usize
        && head.place.position.0.is_multiple_of(UNIT_BYTES as u64)
        && head.block_bytes() <= BLOCK_BYTES_MAX
        && head.durable_sequence < head.sequence
        && layout.reserved == U16::ZERO
        && layout.reserved_tail == [0; 20];
    sound.then_some(CheckedHead { head, chain: Chain::of(header_checksum, body_checksum), body_checksum })
}

impl CheckedHead {
    /// Whether the body in `block` (the whole block) is the one the header was written for.
    pub fn body_matches(&self, name: JournalName, block: &[u8]) -> bool {
        block.len() == self.head.block_bytes()
            && Seed::of(name.journal_id).checksum(&block[BLOCK_HEADER_BYTES..]) == self.body_checksum
    }
}

#[cfg(test)]
mod tests;
