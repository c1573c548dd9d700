//! A manifest: the state of a shard at one block boundary, as versioned, checksummed sections, one per module.
//!
//! A slot file holds two equal copies of `Geometry::manifest_bytes` each; one damaged copy is survived.

use bytes::Bytes;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::checksum::Seed;
use super::layout::{FORMAT_VERSION, unit_aligned};
use super::stored::{MEANINGLESS, Stored};
use crate::io::UNIT_BYTES;
use crate::model::{Id128, Sequence, ShardId};

/// Sections of one manifest, at most.
pub const SECTION_COUNT_MAX: usize = 32;

const MAGIC: [u8; 8] = *b"FLRNMANI";
const CHECKED_FROM: usize = 12;
const TABLE_FROM: usize = 64;

/// The module that a section belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum Module {
    /// Names and placement of all topics: shard 0 only.
    Catalogue = 1,
    /// The partitions of this shard: what they are called and where they end.
    Partitions = 2,
    /// Producers of each partition and their retry windows.
    Producers = 3,
    /// Producer ids reserved by this shard.
    ProducerIds = 4,
    /// When an operator last confirmed the wall clock.
    Clock = 5,
    /// The segment files of this shard.
    Segments = 6,
    /// Where idempotency keys are at rest.
    Keys = 7,
    /// Transactions that are open in partitions.
    Transactions = 8,
    /// Transactional ids and their transactions.
    Coordinator = 9,
    /// Offsets of consumer groups.
    Groups = 10,
}

/// One module's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Whose.
    pub module: Module,
    /// Version of the module's own encoding.
    pub version: u16,
    /// The last block whose entries are included.
    pub sequence: Sequence,
    /// The encoded state.
    pub bytes: Bytes,
}

/// A whole manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The directory it belongs to.
    pub directory_id: Id128,
    /// The shard it belongs to.
    pub shard: ShardId,
    /// Raised with every manifest of the shard.
    pub generation: u64,
    /// The last block whose entries are included in every section.
    pub sequence: Sequence,
    /// One per module, in the order of [`Module`].
    pub sections: Vec<Section>,
}

/// An encoded manifest.
#[derive(Clone, Debug)]
pub struct EncodedManifest {
    /// One copy, a multiple of the unit.
    pub bytes: Vec<u8>,
    /// Checksum of the first unit, which the superblock names.
    pub checksum: u32,
}

/// The manifest does not fit into its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the manifest needs {needed_bytes} bytes, its slot has {slot_bytes}: format with larger manifests")]
pub struct ManifestTooLarge {
    /// Bytes needed.
    pub needed_bytes: u64,
    /// Bytes of one copy.
    pub slot_bytes: u64,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct ManifestLayout {
    magic: [u8; 8],
    checksum: U32,
    version: U16,
    shard: U16,
    directory_id: [u8; 16],
    generation: U64,
    sequence: U64,
    manifest_bytes: U64,
    section_count: U16,
    reserved: [u8; 6],
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct SectionLayout {
    module: U16,
    version: U16,
    checksum: U32,
    position: U64,
    section_bytes: U64,
    sequence: U64,
}

const _: () = assert!(size_of::<ManifestLayout>() == TABLE_FROM);
const _: () = assert!(size_of::<SectionLayout>() == 32);
const _: () = assert!(TABLE_FROM + SECTION_COUNT_MAX * size_of::<SectionLayout>() <= UNIT_BYTES);

impl Module {
    /// All modules, in the order of their sections.
    pub const ALL: [Self; 10] = [
        Self::Catalogue,
        Self::Partitions,
        Self::Producers,
        Self::ProducerIds,
        Self::Clock,
        Self::Segments,
        Self::Keys,
        Self::Transactions,
        Self::Coordinator,
        Self::Groups,
    ];

    fn of(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|module| *module as u16 == number)
    }
}

impl Manifest {
    /// One copy of the manifest, refused if it is larger than `slot_bytes`.
    pub fn encode(&self, slot_bytes: u64) -> Result<EncodedManifest, ManifestTooLarge> {
        assert!(self.sections.len() <= SECTION_COUNT_MAX, "a manifest has few sections");
        let body: usize = self.sections.iter().map(|section| section.bytes.len().next_multiple_of(8)).sum();
        let needed = unit_aligned(UNIT_BYTES + body);
        if needed as u64 > slot_bytes {
            return Err(ManifestTooLarge { needed_bytes: needed as u64, slot_bytes });
        }
        let seed = Seed::of(self.directory_id);
        let mut bytes = vec![0; needed];
        let layout = ManifestLayout {
            magic: MAGIC,
            checksum: U32::ZERO,
            version: U16::new(FORMAT_VERSION),
            shard: U16::new(self.shard.0),
            directory_id: self.directory_id.0,
            generation: U64::new(self.generation),
            sequence: U64::new(self.sequence.0),
            manifest_bytes: U64::new(needed as u64),
            section_count: U16::new(u16::try_from(self.sections.len()).expect("at most 32 sections")),
            reserved: [0; 6],
        };
        bytes[..TABLE_FROM].copy_from_slice(layout.as_bytes());
        let mut position = UNIT_BYTES;
        for (index, section) in self.sections.iter().enumerate() {
            let entry = SectionLayout {
                module: U16::new(section.module as u16),
                version: U16::new(section.version),
                checksum: U32::new(seed.checksum(&section.bytes)),
                position: U64::new(position as u64),
                section_bytes: U64::new(section.bytes.len() as u64),
                sequence: U64::new(section.sequence.0),
            };
            let at = TABLE_FROM + index * size_of::<SectionLayout>();
            bytes[at..at + size_of::<SectionLayout>()].copy_from_slice(entry.as_bytes());
            bytes[position..position + section.bytes.len()].copy_from_slice(&section.bytes);
            position += section.bytes.len().next_multiple_of(8);
        }
        let checksum = seed.checksum(&bytes[CHECKED_FROM..UNIT_BYTES]);
        bytes[8..CHECKED_FROM].copy_from_slice(&checksum.to_le_bytes());
        Ok(EncodedManifest { bytes, checksum })
    }

    /// Bytes of the whole manifest, read from its first unit; `None` if this is not the start of a manifest.
    pub fn encoded_bytes(first_unit: &[u8]) -> Option<u64> {
        let (layout, _) = ManifestLayout::ref_from_prefix(first_unit).ok()?;
        (layout.magic == MAGIC).then_some(layout.manifest_bytes.get())
    }

    /// Reads one copy. `bytes` is the copy as long as [`Manifest::encoded_bytes`] says, or any shorter piece, which
    /// is then damaged.
    pub fn decode(bytes: &Bytes, directory_id: Id128, shard: ShardId) -> Stored<Self> {
        match Self::checked_layout(bytes, directory_id, shard) {
            Err(problem) => problem,
            Ok(layout) => match layout.sections(bytes, directory_id) {
                Ok(sections) => Stored::Present(Self {
                    directory_id,
                    shard,
                    generation: layout.generation.get(),
                    sequence: Sequence(layout.sequence.get()),
                    sections,
                }),
                Err(problem) => Stored::Damaged(problem),
            },
        }
    }

    /// What the first unit alone says, of a manifest of this shard and version: its generation, and the last block that
    /// it includes, which was durable before the unit was written. `None`: it says nothing.
    pub fn head(first_unit: &[u8], directory_id: Id128, shard: ShardId) -> Option<(u64, Sequence)> {
        let (layout, _) = ManifestLayout::ref_from_prefix(first_unit).ok()?;
        let is_whole = first_unit.len() == UNIT_BYTES
            && layout.magic == MAGIC
            && layout.checksum.get() == Seed::of(directory_id).checksum(&first_unit[CHECKED_FROM..])
            && layout.version.get() == FORMAT_VERSION;
        let is_ours = layout.directory_id == directory_id.0 && layout.shard.get() == shard.0;
        (is_whole && is_ours).then(|| (layout.generation.get(), Sequence(layout.sequence.get())))
    }

    /// The checksum of the first unit, as it is stored there.
    pub fn stored_checksum(bytes: &[u8]) -> Option<u32> {
        ManifestLayout::ref_from_prefix(bytes).ok().map(|(layout, _)| layout.checksum.get())
    }

    /// The section of a module.
    pub fn section(&self, module: Module) -> Option<&Section> {
        self.sections.iter().find(|section| section.module == module)
    }

    fn checked_layout(bytes: &Bytes, directory_id: Id128, shard: ShardId) -> Result<&ManifestLayout, Stored<Self>> {
        let damaged = |what: String| Err(Stored::Damaged(what));
        let Ok((layout, _)) = ManifestLayout::ref_from_prefix(bytes) else {
            return damaged(format!("only {} bytes", bytes.len()));
        };
        if bytes.len() < UNIT_BYTES {
            return damaged(format!("only {} bytes", bytes.len()));
        }
        if bytes[..UNIT_BYTES].iter().all(|byte| *byte == 0) {
            return Err(Stored::Absent);
        }
        if layout.magic != MAGIC {
            return damaged("not a manifest (magic)".to_owned());
        }
        if layout.checksum.get() != Seed::of(directory_id).checksum(&bytes[CHECKED_FROM..UNIT_BYTES]) {
            return damaged("checksum of the first unit does not match".to_owned());
        }
        if layout.version.get() != FORMAT_VERSION {
            return Err(Stored::OtherVersion(layout.version.get()));
        }
        if layout.directory_id != directory_id.0 || layout.shard.get() != shard.0 {
            return damaged(format!(
                "belongs to shard {} of directory {}",
                layout.shard.get(),
                Id128(layout.directory_id)
            ));
        }
        if layout.manifest_bytes.get() != bytes.len() as u64 {
            return damaged(format!("{} bytes instead of {}", bytes.len(), layout.manifest_bytes.get()));
        }
        if usize::from(layout.section_count.get()) > SECTION_COUNT_MAX {
            return damaged(format!("{} sections", layout.section_count.get()));
        }
        let table_end = TABLE_FROM + usize::from(layout.section_count.get()) * size_of::<SectionLayout>();
        if layout.reserved != [0; 6] || bytes[table_end..UNIT_BYTES].iter().any(|byte| *byte != 0) {
            return damaged(MEANINGLESS.to_owned());
        }
        Ok(layout)
    }
}

impl ManifestLayout {
    /// The sections, which must follow each other without a gap and end the manifest.
    fn sections(&self, bytes: &Bytes, directory_id: Id128) -> Result<Vec<Section>, String> {
        let seed = Seed::of(directory_id);
        let mut sections = Vec::new();
        let mut expected = UNIT_BYTES;
        for index in 0..usize::from(self.section_count.get()) {
            let at = TABLE_FROM + index * size_of::<SectionLayout>();
            let Ok((entry, _)) = SectionLayout::ref_from_prefix(&bytes[at..]) else {
                return Err(format!("section table ends at entry {index}"));
            };
            let Some(module) = Module::of(entry.module.get()) else {
                return Err(format!("section {index} belongs to unknown module {}", entry.module.get()));
            };
            if sections.last().is_some_and(|last: &Section| last.module >= module) {
                return Err(format!("section {module:?} is not in order"));
            }
            let length = usize::try_from(entry.section_bytes.get()).unwrap_or(usize::MAX);
            let end = expected.checked_add(length).filter(|end| *end <= bytes.len());
            let (true, Some(end)) = (entry.position.get() == expected as u64, end) else {
                return Err(format!("section {module:?} lies at byte {} outside its place", entry.position.get()));
            };
            if seed.checksum(&bytes[expected..end]) != entry.checksum.get() {
                return Err(format!("checksum of section {module:?} does not match"));
            }
            let sequence = Sequence(entry.sequence.get());
            sections.push(Section {
                module,
                version: entry.version.get(),
                sequence,
                bytes: bytes.slice(expected..end),
            });
            let next = end.next_multiple_of(8);
            if next > bytes.len() || bytes[end..next].iter().any(|byte| *byte != 0) {
                return Err(format!("padding after section {module:?} is not zero"));
            }
            expected = next;
        }
        let rest_is_zero = bytes[expected..].iter().all(|byte| *byte == 0);
        if rest_is_zero { Ok(sections) } else { Err("bytes after the last section are not zero".to_owned()) }
    }
}

#[cfg(test)]
mod tests;
