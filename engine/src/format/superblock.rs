//! The superblock: what a shard's journal looks like, in two files that are written one after the other.
//!
//! Every update writes one copy, waits until it is durable, then writes the other with the same contents; at a start
//! the copy that is not in force comes first. The update counts when both are durable. One damaged copy is therefore
//! always survived, and nothing that either copy still needs is ever overwritten.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::block::JournalName;
use super::checksum::{Chain, Seed};
use super::layout::{FORMAT_VERSION, Geometry};
use super::stored::{MEANINGLESS, Stored};
use crate::limits::{MANIFEST_SLOT_COUNT, RING_FILE_COUNT_MAX, UNIT_BYTES};
use crate::model::{Epoch, Id128, Lap, Sequence, ShardId};

/// Bytes of one copy.
pub const SUPERBLOCK_BYTES: usize = 8192;

const MAGIC: [u8; 8] = *b"FLRNSUPR";
const CHECKED_FROM: usize = 12;

/// What a ring file is used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum FileUse {
    /// Holds nothing that is needed; recovery does not read it.
    #[default]
    Free = 0,
    /// May be written; its end is not known beyond `confirmed_bytes`.
    Open = 1,
    /// Ends exactly at `confirmed_bytes`; whatever follows is stale.
    Sealed = 2,
}

/// One ring file as the superblock knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingFile {
    /// What it is used for.
    pub state: FileUse,
    /// How often it was taken into use.
    pub lap: Lap,
    /// Bytes from the start that are known to hold confirmed blocks, without a gap.
    pub confirmed_bytes: u64,
    /// Sequence of the first confirmed block, 0 if there is none.
    pub first_sequence: Sequence,
    /// Sequence of the last confirmed block, 0 if there is none.
    pub last_sequence: Sequence,
}

/// The manifest that a superblock names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManifestName {
    /// The slot file.
    pub slot: u8,
    /// The manifest's own number.
    pub generation: u64,
    /// Checksum of the manifest's first unit.
    pub checksum: u32,
}

/// The contents of a superblock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// The directory it belongs to.
    pub directory_id: Id128,
    /// The journal.
    pub name: JournalName,
    /// Sizes fixed at format.
    pub geometry: Geometry,
    /// Raised with every update.
    pub generation: u64,
    /// The journal's epoch.
    pub epoch: Epoch,
    /// First sequence of that epoch.
    pub epoch_first_sequence: Sequence,
    /// Highest sequence known durable, with all before it.
    pub confirmed_sequence: Sequence,
    /// Chain link of that block; 0 before the first.
    pub confirmed_chain: Chain,
    /// Whether the journal was closed in order: then it ends exactly at `confirmed_sequence`.
    pub clean: bool,
    /// The manifest in force.
    pub manifest: ManifestName,
    /// One per ring file.
    pub files: Vec<RingFile>,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy)]
#[repr(C)]
struct FileLayout {
    lap: U64,
    confirmed_bytes: U64,
    first_sequence: U64,
    last_sequence: U64,
    state: u8,
    reserved: [u8; 7],
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct SuperblockLayout {
    magic: [u8; 8],
    checksum: U32,
    version: U16,
    shard: U16,
    directory_id: [u8; 16],
    journal_id: [u8; 16],
    generation: U64,
    epoch: U64,
    epoch_first_sequence: U64,
    confirmed_sequence: U64,
    confirmed_chain: U64,
    file_bytes: U64,
    manifest_bytes: U64,
    manifest_generation: U64,
    manifest_checksum: U32,
    file_count: U16,
    manifest_slot: u8,
    clean: u8,
    reserved: [u8; 136],
    files: [FileLayout; RING_FILE_COUNT_MAX as usize],
}

const FILES_FROM: usize = 256;
const _: () = assert!(size_of::<FileLayout>() == 40);
const _: () = assert!(std::mem::offset_of!(SuperblockLayout, version) == CHECKED_FROM);
const _: () = assert!(std::mem::offset_of!(SuperblockLayout, generation) == 48);
const _: () = assert!(std::mem::offset_of!(SuperblockLayout, files) == FILES_FROM);
const _: () = assert!(size_of::<SuperblockLayout>() <= SUPERBLOCK_BYTES);

impl Superblock {
    /// Writes one copy into `out`, which is [`SUPERBLOCK_BYTES`] long.
    pub fn encode(&self, out: &mut [u8]) {
        assert_eq!(out.len(), SUPERBLOCK_BYTES, "a superblock copy has a fixed size");
        assert_eq!(self.files.len(), usize::from(self.geometry.file_count), "one entry per ring file");
        out.fill(0);
        let mut layout = SuperblockLayout {
            magic: MAGIC,
            checksum: U32::ZERO,
            version: U16::new(FORMAT_VERSION),
            shard: U16::new(self.name.shard.0),
            directory_id: self.directory_id.0,
            journal_id: self.name.journal_id.0,
            generation: U64::new(self.generation),
            epoch: U64::new(self.epoch.0),
            epoch_first_sequence: U64::new(self.epoch_first_sequence.0),
            confirmed_sequence: U64::new(self.confirmed_sequence.0),
            confirmed_chain: U64::new(self.confirmed_chain.0),
            file_bytes: U64::new(self.geometry.file_bytes),
            manifest_bytes: U64::new(self.geometry.manifest_bytes),
            manifest_generation: U64::new(self.manifest.generation),
            manifest_checksum: U32::new(self.manifest.checksum),
            file_count: U16::new(self.geometry.file_count),
            manifest_slot: self.manifest.slot,
            clean: u8::from(self.clean),
            reserved: [0; 136],
            files: [FileLayout::of(&RingFile::default()); RING_FILE_COUNT_MAX as usize],
        };
        for (target, file) in layout.files.iter_mut().zip(&self.files) {
            *target = FileLayout::of(file);
        }
        let bytes = size_of::<SuperblockLayout>();
        out[..bytes].copy_from_slice(layout.as_bytes());
        let checksum = Seed::of(self.directory_id).checksum(&out[CHECKED_FROM..]);
        out[8..CHECKED_FROM].copy_from_slice(&checksum.to_le_bytes());
    }

    /// Reads one copy of the superblock of `shard` in the directory `directory_id`.
    pub fn decode(bytes: &[u8], directory_id: Id128, shard: ShardId) -> Stored<Self> {
        let Ok((layout, _)) = SuperblockLayout::ref_from_prefix(bytes) else {
            return Stored::Damaged(format!("only {} bytes", bytes.len()));
        };
        if bytes.len() != SUPERBLOCK_BYTES {
            return Stored::Damaged(format!("{} bytes instead of {SUPERBLOCK_BYTES}", bytes.len()));
        }
        if bytes.iter().all(|byte| *byte == 0) {
            return Stored::Absent;
        }
        if layout.magic != MAGIC {
            return Stored::Damaged("not a superblock (magic)".to_owned());
        }
        if layout.checksum.get() != Seed::of(Id128(layout.directory_id)).checksum(&bytes[CHECKED_FROM..]) {
            return Stored::Damaged("checksum does not match".to_owned());
        }
        if layout.version.get() != FORMAT_VERSION {
            return Stored::OtherVersion(layout.version.get());
        }
        if layout.directory_id != directory_id.0 {
            return Stored::Damaged(format!("belongs to directory {}", Id128(layout.directory_id)));
        }
        if layout.shard.get() != shard.0 {
            return Stored::Damaged(format!("belongs to shard {}", layout.shard.get()));
        }
        match layout.read() {
            Stored::Present(superblock) if !superblock.is_exactly(bytes) => Stored::Damaged(MEANINGLESS.to_owned()),
            read => read,
        }
    }

    fn is_exactly(&self, bytes: &[u8]) -> bool {
        let mut again = vec![0; SUPERBLOCK_BYTES];
        self.encode(&mut again);
        again == bytes
    }

    /// Which of two is newer: the one of the higher epoch, then of the higher generation.
    pub fn age(&self) -> (Epoch, u64) {
        (self.epoch, self.generation)
    }

    /// The contents of the next update.
    pub fn next_generation(&self) -> Self {
        Self { generation: self.generation + 1, ..self.clone() }
    }
}

impl RingFile {
    /// Whether a writer can have left the file like this.
    fn is_possible(&self, geometry: Geometry, confirmed_sequence: u64) -> bool {
        let has_blocks = self.confirmed_bytes > 0;
        let first_last = self.first_sequence <= self.last_sequence && self.last_sequence.0 <= confirmed_sequence;
        self.confirmed_bytes <= geometry.file_bytes
            && self.confirmed_bytes.is_multiple_of(UNIT_BYTES as u64)
            && has_blocks == (self.first_sequence > Sequence(0))
            && first_last
    }
}

impl FileLayout {
    fn of(file: &RingFile) -> Self {
        Self {
            lap: U64::new(file.lap.0),
            confirmed_bytes: U64::new(file.confirmed_bytes),
            first_sequence: U64::new(file.first_sequence.0),
            last_sequence: U64::new(file.last_sequence.0),
            state: file.state as u8,
            reserved: [0; 7],
        }
    }

    fn read(&self) -> Option<RingFile> {
        let state = match self.state {
            0 => FileUse::Free,
            1 => FileUse::Open,
            2 => FileUse::Sealed,
            _ => return None,
        };
        Some(RingFile {
            state,
            lap: Lap(self.lap.get()),
            confirmed_bytes: self.confirmed_bytes.get(),
            first_sequence: Sequence(self.first_sequence.get()),
            last_sequence: Sequence(self.last_sequence.get()),
        })
    }
}

impl SuperblockLayout {
    /// The contents, of a layout whose checksum is right. What the writer can never have written is damage.
    fn read(&self) -> Stored<Superblock> {
        let geometry = Geometry {
            file_count: self.file_count.get(),
            file_bytes: self.file_bytes.get(),
            manifest_bytes: self.manifest_bytes.get(),
        };
        if let Err(error) = geometry.check() {
            return Stored::Damaged(format!("impossible sizes: {error}"));
        }
        if self.manifest_slot >= MANIFEST_SLOT_COUNT || self.clean > 1 {
            return Stored::Damaged("impossible manifest slot or flag".to_owned());
        }
        let entries = &self.files[..usize::from(geometry.file_count)];
        let Some(files) = entries.iter().map(FileLayout::read).collect::<Option<Vec<_>>>() else {
            return Stored::Damaged("unknown state of a ring file".to_owned());
        };
        let confirmed = self.confirmed_sequence.get();
        if files.iter().any(|file| !file.is_possible(geometry, confirmed)) {
            return Stored::Damaged("a ring file whose end or sequences cannot be".to_owned());
        }
        if self.epoch_first_sequence.get() > confirmed.saturating_add(1) {
            return Stored::Damaged("an epoch that begins behind the next block".to_owned());
        }
        Stored::Present(Superblock {
            directory_id: Id128(self.directory_id),
            name: JournalName { journal_id: Id128(self.journal_id), shard: ShardId(self.shard.get()) },
            geometry,
            generation: self.generation.get(),
            epoch: Epoch(self.epoch.get()),
            epoch_first_sequence: Sequence(self.epoch_first_sequence.get()),
            confirmed_sequence: Sequence(self.confirmed_sequence.get()),
            confirmed_chain: Chain(self.confirmed_chain.get()),
            clean: self.clean == 1,
            manifest: ManifestName {
                slot: self.manifest_slot,
                generation: self.manifest_generation.get(),
                checksum: self.manifest_checksum.get(),
            },
            files,
        })
    }
}

#[cfg(test)]
mod tests;
