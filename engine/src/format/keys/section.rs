//! The head of a section: whose keys these are, the first key of each page, and a filter over all of them.

use zerocopy::little_endian::{U16, U32, U64, U128};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::page::PAGE_ENTRY_COUNT_MAX;
use super::{FilterError, KeyEntry, KeyFilter, KeyHash};
use crate::format::checksum::Seed;
use crate::format::extent::ExtentPlace;
use crate::format::layout::{FORMAT_VERSION, unit_aligned};
use crate::format::stored::{MEANINGLESS, Stored};
use crate::io::UNIT_BYTES;
use crate::model::{Id128, PartitionId, Position, SegmentId, ShardId, TopicId};

/// Bytes of the header.
pub const SECTION_HEADER_BYTES: usize = size_of::<SectionLayout>();
/// Entries of a section, at most: its head is what one read brings, and its filter is built in a few milliseconds.
pub const SECTION_ENTRY_COUNT_MAX: usize = 65_536;

const MAGIC: [u8; 8] = *b"FLRNKEYS";
const CHECKED_FROM: usize = 12;

/// What the header of a section says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SectionHead {
    /// Whose keys these are.
    pub partition: PartitionId,
    /// The lowest key.
    pub first_key: KeyHash,
    /// The highest key.
    pub last_key: KeyHash,
    /// Entries in its pages, at least 1.
    pub entry_count: u32,
    /// Bytes of the head, a multiple of the unit; the first page stands behind it.
    pub head_bytes: u32,
}

/// The head of a section in memory: enough to deny most keys, and to tell the page of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionMap {
    /// Its header.
    pub head: SectionHead,
    first_keys: Box<[KeyHash]>,
    filter: KeyFilter,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct SectionLayout {
    magic: [u8; 8],
    checksum: U32,
    version: U16,
    shard: U16,
    journal_id: [u8; 16],
    segment: U64,
    position: U64,
    topic: U64,
    partition: U32,
    entry_count: U32,
    first_key: U128,
    last_key: U128,
    seed: U64,
    segment_length: U32,
    fingerprint_count: U32,
    head_bytes: U32,
    map_checksum: U32,
    reserved: U64,
}

const FIRST_KEY_BYTES: usize = size_of::<U128>();
const FINGERPRINT_BYTES: usize = size_of::<u16>();

const _: () = assert!(size_of::<SectionLayout>() == 128);
const _: () = assert!(std::mem::offset_of!(SectionLayout, version) == CHECKED_FROM);

/// Pages of so many entries.
pub fn page_count(entry_count: usize) -> usize {
    entry_count.div_ceil(PAGE_ENTRY_COUNT_MAX)
}

/// Bytes of the head of a section of so many entries with so many fingerprints.
pub fn head_bytes(entry_count: usize, fingerprint_count: usize) -> usize {
    let map_bytes = page_count(entry_count) * FIRST_KEY_BYTES + fingerprint_count * FINGERPRINT_BYTES;
    unit_aligned(SECTION_HEADER_BYTES + map_bytes)
}

impl SectionHead {
    /// Its pages.
    pub fn page_count(&self) -> usize {
        page_count(self.entry_count as usize)
    }

    /// Bytes of the whole section, a multiple of the unit.
    pub fn section_bytes(&self) -> u64 {
        u64::from(self.head_bytes) + (self.page_count() * UNIT_BYTES) as u64
    }
}

impl SectionMap {
    /// The map of these entries, which are sorted.
    ///
    /// # Errors
    /// If no filter is found for them.
    ///
    /// # Panics
    /// If there are none, or more than [`SECTION_ENTRY_COUNT_MAX`].
    pub fn build(partition: PartitionId, entries: &[KeyEntry]) -> Result<Self, FilterError> {
        assert!((1..=SECTION_ENTRY_COUNT_MAX).contains(&entries.len()), "a section has entries, and not too many");
        debug_assert!(entries.windows(2).all(|pair| pair[0].key < pair[1].key), "entries are sorted");
        let filter = KeyFilter::build(entries.iter().map(|entry| entry.key))?;
        let first_keys: Box<[_]> = entries.chunks(PAGE_ENTRY_COUNT_MAX).map(|page| page[0].key).collect();
        let bytes = head_bytes(entries.len(), filter.fingerprints().len());
        let head = SectionHead {
            partition,
            first_key: entries[0].key,
            last_key: entries[entries.len() - 1].key,
            entry_count: narrow(entries.len()),
            head_bytes: narrow(bytes),
        };
        Ok(Self { head, first_keys, filter })
    }

    /// Whether the section may have the key. If not, it does not.
    pub fn may_hold(&self, key: KeyHash) -> bool {
        (self.head.first_key..=self.head.last_key).contains(&key) && self.filter.may_hold(key)
    }

    /// The page that has the key, if the section has it; none if it is below all keys.
    pub fn page_of(&self, key: KeyHash) -> Option<usize> {
        self.first_keys.partition_point(|first| *first <= key).checked_sub(1)
    }

    /// Where a page of the section that stands at `section` is.
    pub fn page_position(&self, section: Position, page: usize) -> Position {
        section.plus(u64::from(self.head.head_bytes) + (page * UNIT_BYTES) as u64)
    }

    /// Bytes in memory.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.first_keys) + self.filter.memory_bytes()
    }
}

/// Writes the head of the section that stands at `place` into `out`, which is zeroed and has exactly its bytes.
///
/// # Panics
/// If `out` has another size.
pub fn encode(place: &ExtentPlace, map: &SectionMap, out: &mut [u8]) {
    assert_eq!(out.len(), map.head.head_bytes as usize, "a head fills its buffer");
    let mut at = SECTION_HEADER_BYTES;
    for key in &map.first_keys {
        out[at..at + FIRST_KEY_BYTES].copy_from_slice(&key.0.to_le_bytes());
        at += FIRST_KEY_BYTES;
    }
    for fingerprint in map.filter.fingerprints() {
        out[at..at + FINGERPRINT_BYTES].copy_from_slice(&fingerprint.to_le_bytes());
        at += FINGERPRINT_BYTES;
    }
    let seed = Seed::of(place.journal_id);
    let layout = SectionLayout {
        magic: MAGIC,
        checksum: U32::ZERO,
        version: U16::new(FORMAT_VERSION),
        shard: U16::new(place.shard.0),
        journal_id: place.journal_id.0,
        segment: U64::new(place.segment.0),
        position: U64::new(place.position.0),
        topic: U64::new(map.head.partition.topic.0),
        partition: U32::new(map.head.partition.index),
        entry_count: U32::new(map.head.entry_count),
        first_key: U128::new(map.head.first_key.0),
        last_key: U128::new(map.head.last_key.0),
        seed: U64::new(map.filter.seed()),
        segment_length: U32::new(map.filter.segment_length()),
        fingerprint_count: U32::new(narrow(map.filter.fingerprints().len())),
        head_bytes: U32::new(map.head.head_bytes),
        map_checksum: U32::new(seed.checksum(&out[SECTION_HEADER_BYTES..])),
        reserved: U64::ZERO,
    };
    out[..SECTION_HEADER_BYTES].copy_from_slice(layout.as_bytes());
    let checksum = seed.checksum(&out[CHECKED_FROM..SECTION_HEADER_BYTES]);
    out[8..CHECKED_FROM].copy_from_slice(&checksum.to_le_bytes());
}

/// Reads the head of the section at `place`; `bytes` is all of it, and may go on behind it.
pub fn decode(bytes: &[u8], place: &ExtentPlace) -> Stored<SectionMap> {
    let Ok((layout, _)) = SectionLayout::ref_from_prefix(bytes) else {
        return Stored::Damaged(format!("only {} bytes", bytes.len()));
    };
    let header = &bytes[..SECTION_HEADER_BYTES];
    if header.iter().all(|byte| *byte == 0) {
        return Stored::Absent;
    }
    if layout.magic != MAGIC {
        return Stored::Damaged("not a section of keys (magic)".to_owned());
    }
    if layout.checksum.get() != Seed::of(place.journal_id).checksum(&header[CHECKED_FROM..]) {
        return Stored::Damaged("checksum of the section's header does not match".to_owned());
    }
    if layout.version.get() != FORMAT_VERSION {
        return Stored::OtherVersion(layout.version.get());
    }
    match layout.read(bytes, place) {
        Ok(map) => Stored::Present(map),
        Err(what) => Stored::Damaged(what),
    }
}

impl SectionLayout {
    /// The map, of a header whose checksum is right.
    fn read(&self, bytes: &[u8], place: &ExtentPlace) -> Result<SectionMap, String> {
        let stands = ExtentPlace {
            journal_id: Id128(self.journal_id),
            shard: ShardId(self.shard.get()),
            segment: SegmentId(self.segment.get()),
            position: Position(self.position.get()),
        };
        if stands != *place {
            return Err(format!("a section of another place: {stands}"));
        }
        let head = self.head()?;
        let map = bytes.get(SECTION_HEADER_BYTES..head.head_bytes as usize);
        let map = map.ok_or_else(|| format!("{} of {} bytes", bytes.len(), head.head_bytes))?;
        if Seed::of(place.journal_id).checksum(map) != self.map_checksum.get() {
            return Err("checksum of the section's map does not match".to_owned());
        }
        let (first_keys, rest) = map.split_at(head.page_count() * FIRST_KEY_BYTES);
        let (fingerprints, behind) = rest.split_at(self.fingerprint_count.get() as usize * FINGERPRINT_BYTES);
        if behind.iter().any(|byte| *byte != 0) {
            return Err(MEANINGLESS.to_owned());
        }
        let (first_keys, _) = first_keys.as_chunks::<FIRST_KEY_BYTES>();
        let first_keys: Box<[_]> = first_keys.iter().map(|key| KeyHash(u128::from_le_bytes(*key))).collect();
        let rise = first_keys.windows(2).all(|pair| pair[0] < pair[1]);
        let inside = first_keys.first() == Some(&head.first_key) && first_keys.last() <= Some(&head.last_key);
        if !rise || !inside {
            return Err("first keys of the section's pages are out of order".to_owned());
        }
        let (fingerprints, _) = fingerprints.as_chunks::<FINGERPRINT_BYTES>();
        let fingerprints = fingerprints.iter().map(|bytes| u16::from_le_bytes(*bytes)).collect();
        let filter = KeyFilter::of_parts(self.seed.get(), self.segment_length.get(), fingerprints);
        Ok(SectionMap { head, first_keys, filter: filter.map_err(|error| error.to_string())? })
    }

    fn head(&self) -> Result<SectionHead, String> {
        let entry_count = self.entry_count.get() as usize;
        let head = SectionHead {
            partition: PartitionId { topic: TopicId(self.topic.get()), index: self.partition.get() },
            first_key: KeyHash(self.first_key.get()),
            last_key: KeyHash(self.last_key.get()),
            entry_count: self.entry_count.get(),
            head_bytes: self.head_bytes.get(),
        };
        let fits = (1..=SECTION_ENTRY_COUNT_MAX).contains(&entry_count)
            && head.first_key <= head.last_key
            && self.reserved == U64::ZERO
            && head_bytes(entry_count, self.fingerprint_count.get() as usize) == head.head_bytes as usize;
        if fits { Ok(head) } else { Err("impossible sizes or keys in the section's header".to_owned()) }
    }
}

fn narrow(count: usize) -> u32 {
    u32::try_from(count).expect("a section is bounded")
}
