//! An extent: batches of one partition that follow each other, as a segment file holds them.
//!
//! A header, a table with one entry per batch, the batches back to back, zero bytes up to whole units. The header's
//! checksum binds journal, shard, file and position, so that an extent which stands elsewhere is not taken for one
//! of this place; the table's checksum binds offsets and append times, which no batch's own checksum covers. Both and
//! every batch's are checked by [`decode`].

use std::fmt;

use bytes::Bytes;
use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::batch::{BatchHeader, HeldBatch, LEADER_EPOCH, batch_crc};
use super::checksum::Seed;
use super::layout::{FORMAT_VERSION, unit_aligned};
use super::stored::Stored;
use crate::io::UNIT_BYTES;
use crate::model::{Id128, Offset, PartitionId, Position, Realtime, SegmentId, ShardId, TopicId};

mod examine;

pub use examine::{Check, ExaminedEntry, ExaminedExtent, examine};

/// Bytes of the header; the table begins behind it.
pub const EXTENT_HEADER_BYTES: usize = size_of::<ExtentLayout>();
/// Bytes of one entry of the table.
pub const EXTENT_ENTRY_BYTES: usize = size_of::<ExtentEntryLayout>();

const MAGIC: [u8; 8] = *b"FLRNEXTN";
const CHECKED_FROM: usize = 12;

/// Where an extent stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtentPlace {
    /// The shard's journal: its secret name keeps bytes that a client sent from being taken for an extent.
    pub journal_id: Id128,
    /// The shard.
    pub shard: ShardId,
    /// The file.
    pub segment: SegmentId,
    /// The first byte in it.
    pub position: Position,
}

/// What the header of an extent says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtentHead {
    /// Whose batches these are.
    pub partition: PartitionId,
    /// Offset of the first record.
    pub base_offset: Offset,
    /// Offset of the first record behind the extent.
    pub next_offset: Offset,
    /// Append time of the last batch.
    pub last_append_time: Realtime,
    /// The latest timestamp of a record of the partition's run in this file up to here, Unix milliseconds.
    pub max_timestamp_ms: i64,
    /// Batches in it, at least 1.
    pub entry_count: u32,
    /// Bytes of the batches.
    pub batches_bytes: u32,
    /// Bytes of the whole extent, a multiple of the unit.
    pub extent_bytes: u32,
    table_checksum: u32,
}

/// A batch of an extent that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedBatch {
    /// Offset of its first record.
    pub base_offset: Offset,
    /// Offset of the first record behind it.
    pub next_offset: Offset,
    /// What is wrong.
    pub why: String,
}

/// A read extent whose header and table are right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Its header.
    pub head: ExtentHead,
    /// The batches that are right, in order.
    pub batches: Vec<HeldBatch>,
    /// The others.
    pub damaged: Vec<DamagedBatch>,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct ExtentLayout {
    magic: [u8; 8],
    checksum: U32,
    version: U16,
    shard: U16,
    journal_id: [u8; 16],
    segment: U64,
    position: U64,
    topic: U64,
    base_offset: U64,
    next_offset: U64,
    last_append_time: U64,
    max_timestamp: I64,
    partition: U32,
    entry_count: U32,
    batches_bytes: U32,
    extent_bytes: U32,
    table_checksum: U32,
    reserved: [u8; 20],
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct ExtentEntryLayout {
    append_time: U64,
    offset_delta: U32,
    batch_bytes: U32,
    crc: U32,
    undecided: U32,
}

const _: () = assert!(size_of::<ExtentLayout>() == 128);
const _: () = assert!(size_of::<ExtentEntryLayout>() == 24);
const _: () = assert!(std::mem::offset_of!(ExtentLayout, version) == CHECKED_FROM);
const _: () = assert!(EXTENT_HEADER_BYTES <= UNIT_BYTES);

/// Bytes of an extent of so many batches with so many bytes together.
pub fn extent_bytes(entry_count: usize, batches_bytes: usize) -> usize {
    unit_aligned(EXTENT_HEADER_BYTES + entry_count * EXTENT_ENTRY_BYTES + batches_bytes)
}

/// Writes an extent into `out`, which is zeroed and has exactly [`extent_bytes`]. `max_timestamp_ms` is the latest
/// timestamp up to and with these batches.
///
/// # Panics
/// If there are no batches, they do not follow each other, or `out` has another size.
pub fn encode(
    place: &ExtentPlace,
    partition: PartitionId,
    batches: &[HeldBatch],
    max_timestamp_ms: i64,
    out: &mut [u8],
) -> ExtentHead {
    let (first, last) = (batches.first().expect("an extent has batches"), batches.last().expect("it has a first"));
    let batches_bytes: usize = batches.iter().map(|batch| batch.bytes.len()).sum();
    assert_eq!(out.len(), extent_bytes(batches.len(), batches_bytes), "an extent fills its buffer");
    let table_end = EXTENT_HEADER_BYTES + batches.len() * EXTENT_ENTRY_BYTES;
    let (mut entry_at, mut batch_at, mut expected) = (EXTENT_HEADER_BYTES, table_end, first.base_offset);
    for batch in batches {
        assert_eq!(batch.base_offset, expected, "the batches of an extent follow each other");
        let header = BatchHeader::read(&batch.bytes).expect("a stored batch has a header");
        let entry = ExtentEntryLayout {
            append_time: U64::new(batch.append_time.0),
            offset_delta: U32::new(narrow(batch.base_offset.0 - first.base_offset.0)),
            batch_bytes: U32::new(narrow(batch.bytes.len() as u64)),
            crc: U32::new(header.crc()),
            undecided: U32::new(batch.undecided),
        };
        out[entry_at..entry_at + EXTENT_ENTRY_BYTES].copy_from_slice(entry.as_bytes());
        out[batch_at..batch_at + batch.bytes.len()].copy_from_slice(&batch.bytes);
        entry_at += EXTENT_ENTRY_BYTES;
        batch_at += batch.bytes.len();
        expected = batch.next_offset();
    }
    let seed = Seed::of(place.journal_id);
    let head = ExtentHead {
        partition,
        base_offset: first.base_offset,
        next_offset: expected,
        last_append_time: last.append_time,
        max_timestamp_ms,
        entry_count: narrow(batches.len() as u64),
        batches_bytes: narrow(batches_bytes as u64),
        extent_bytes: narrow(out.len() as u64),
        table_checksum: seed.checksum(&out[EXTENT_HEADER_BYTES..table_end]),
    };
    out[..EXTENT_HEADER_BYTES].copy_from_slice(ExtentLayout::of(place, &head).as_bytes());
    let checksum = seed.checksum(&out[CHECKED_FROM..EXTENT_HEADER_BYTES]);
    out[8..CHECKED_FROM].copy_from_slice(&checksum.to_le_bytes());
    head
}

fn narrow(count: u64) -> u32 {
    u32::try_from(count).expect("an extent is at most a few MiB and holds at most so many records")
}

/// Reads the header of the extent at `place` from its first bytes.
pub fn read_head(bytes: &[u8], place: &ExtentPlace) -> Stored<ExtentHead> {
    let Ok((layout, _)) = ExtentLayout::ref_from_prefix(bytes) else {
        return Stored::Damaged(format!("only {} bytes", bytes.len()));
    };
    let header = &bytes[..EXTENT_HEADER_BYTES];
    if header.iter().all(|byte| *byte == 0) {
        return Stored::Absent;
    }
    if layout.magic != MAGIC {
        return Stored::Damaged("not an extent (magic)".to_owned());
    }
    if layout.checksum.get() != Seed::of(place.journal_id).checksum(&header[CHECKED_FROM..]) {
        return Stored::Damaged("checksum of the extent's header does not match".to_owned());
    }
    if layout.version.get() != FORMAT_VERSION {
        return Stored::OtherVersion(layout.version.get());
    }
    layout.read(place)
}

/// Reads the extent at `place`; `bytes` may go on behind it. The batches are slices of `bytes`.
pub fn decode(bytes: &Bytes, place: &ExtentPlace) -> Stored<Extent> {
    let head = match read_head(bytes, place) {
        Stored::Present(head) => head,
        Stored::Absent => return Stored::Absent,
        Stored::Damaged(what) => return Stored::Damaged(what),
        Stored::OtherVersion(version) => return Stored::OtherVersion(version),
        Stored::Unreadable(error) => return Stored::Unreadable(error),
    };
    match read_batches(bytes, place, &head) {
        Ok((batches, damaged)) => Stored::Present(Extent { head, batches, damaged }),
        Err(what) => Stored::Damaged(what),
    }
}

/// The batches of an extent whose header is right.
fn read_batches(
    bytes: &Bytes,
    place: &ExtentPlace,
    head: &ExtentHead,
) -> Result<(Vec<HeldBatch>, Vec<DamagedBatch>), String> {
    let total = head.extent_bytes as usize;
    if bytes.len() < total {
        return Err(format!("{} of {total} bytes", bytes.len()));
    }
    let table_end = EXTENT_HEADER_BYTES + head.entry_count as usize * EXTENT_ENTRY_BYTES;
    let table = &bytes[EXTENT_HEADER_BYTES..table_end];
    if Seed::of(place.journal_id).checksum(table) != head.table_checksum {
        return Err("checksum of the extent's table does not match".to_owned());
    }
    let entries = <[ExtentEntryLayout]>::ref_from_bytes(table).map_err(|_| "the extent's table".to_owned())?;
    let starts = entries.iter().map(|entry| head.base_offset.plus(u64::from(entry.offset_delta.get())));
    let ends = starts.clone().skip(1).chain([head.next_offset]);
    if entries.first().is_some_and(|first| first.offset_delta != U32::ZERO) {
        return Err("the extent's table does not begin where its header does".to_owned());
    }
    let (mut batches, mut damaged) = (Vec::with_capacity(entries.len()), Vec::new());
    let (mut at, mut last_time) = (table_end, Realtime(0));
    for ((entry, base_offset), next_offset) in entries.iter().zip(starts).zip(ends) {
        let append_time = Realtime(entry.append_time.get());
        let end = at + entry.batch_bytes.get() as usize;
        if next_offset <= base_offset || append_time < last_time || end > total {
            return Err(format!("the extent's table contradicts itself at offset {base_offset}"));
        }
        let batch = bytes.slice(at..end);
        match check_batch(&batch, base_offset, next_offset, entry.crc.get()) {
            Ok(()) => {
                let last_offset = Offset(next_offset.0 - 1);
                let undecided = entry.undecided.get();
                batches.push(HeldBatch { base_offset, last_offset, append_time, undecided, bytes: batch });
            }
            Err(why) => damaged.push(DamagedBatch { base_offset, next_offset, why }),
        }
        (at, last_time) = (end, append_time);
    }
    let whole = at == table_end + head.batches_bytes as usize && last_time == head.last_append_time;
    if !whole {
        return Err("the extent's table does not fit its header".to_owned());
    }
    if bytes[at..total].iter().any(|byte| *byte != 0) {
        return Err("padding behind the extent's batches is not zero".to_owned());
    }
    Ok((batches, damaged))
}

/// A stored batch is what the table says, and its own checksum is right.
fn check_batch(batch: &[u8], base_offset: Offset, next_offset: Offset, crc: u32) -> Result<(), String> {
    let header = BatchHeader::read(batch).map_err(|error| error.to_string())?;
    let size_bytes = header.size_bytes().map_err(|error| error.to_string())?;
    let begins = header.base_offset().map_err(|error| error.to_string())?;
    let record_count = header.record_count().map_err(|error| error.to_string())?;
    let fits = size_bytes == batch.len()
        && begins == base_offset
        && base_offset.plus(u64::from(record_count)) == next_offset
        && header.leader_epoch() == LEADER_EPOCH
        && header.crc() == crc;
    if !fits {
        return Err("the batch's header is not what the extent's table says".to_owned());
    }
    if batch_crc(batch) != crc {
        return Err("the batch's checksum does not match".to_owned());
    }
    Ok(())
}

impl ExtentLayout {
    fn of(place: &ExtentPlace, head: &ExtentHead) -> Self {
        Self {
            magic: MAGIC,
            checksum: U32::ZERO,
            version: U16::new(FORMAT_VERSION),
            shard: U16::new(place.shard.0),
            journal_id: place.journal_id.0,
            segment: U64::new(place.segment.0),
            position: U64::new(place.position.0),
            topic: U64::new(head.partition.topic.0),
            base_offset: U64::new(head.base_offset.0),
            next_offset: U64::new(head.next_offset.0),
            last_append_time: U64::new(head.last_append_time.0),
            max_timestamp: I64::new(head.max_timestamp_ms),
            partition: U32::new(head.partition.index),
            entry_count: U32::new(head.entry_count),
            batches_bytes: U32::new(head.batches_bytes),
            extent_bytes: U32::new(head.extent_bytes),
            table_checksum: U32::new(head.table_checksum),
            reserved: [0; 20],
        }
    }

    /// The header's contents, of one whose checksum is right.
    fn read(&self, place: &ExtentPlace) -> Stored<ExtentHead> {
        let stands = ExtentPlace {
            journal_id: Id128(self.journal_id),
            shard: ShardId(self.shard.get()),
            segment: SegmentId(self.segment.get()),
            position: Position(self.position.get()),
        };
        if stands != *place {
            return Stored::Damaged(format!("an extent of another place: {stands}"));
        }
        let (count, bytes) = (self.entry_count.get() as usize, self.batches_bytes.get() as usize);
        let fits = count >= 1
            && self.base_offset < self.next_offset
            && i64::try_from(self.next_offset.get()).is_ok()
            && extent_bytes(count, bytes) == self.extent_bytes.get() as usize;
        if !fits || self.reserved != [0; 20] {
            return Stored::Damaged("impossible sizes or offsets in the extent's header".to_owned());
        }
        Stored::Present(self.head())
    }

    /// What the fields say, whether or not it can be believed.
    fn head(&self) -> ExtentHead {
        ExtentHead {
            partition: PartitionId { topic: TopicId(self.topic.get()), index: self.partition.get() },
            base_offset: Offset(self.base_offset.get()),
            next_offset: Offset(self.next_offset.get()),
            last_append_time: Realtime(self.last_append_time.get()),
            max_timestamp_ms: self.max_timestamp.get(),
            entry_count: self.entry_count.get(),
            batches_bytes: self.batches_bytes.get(),
            extent_bytes: self.extent_bytes.get(),
            table_checksum: self.table_checksum.get(),
        }
    }
}

impl fmt::Display for ExtentPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "segment {} at byte {} of shard {}", self.segment, self.position, self.shard)
    }
}

#[cfg(test)]
mod tests;
