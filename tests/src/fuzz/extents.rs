//! An extent or an index of a segment file: as reads take it, and as those look at it who look at damage.
//!
//! Input: flags, bytes. They are an extent with zeros up to whole units behind it, or with `INDEX` an index. With
//! [`REPAIR`] names, place, lengths and checksums are made right, of the batches too.
//!
//! Memory: 32 times the bytes and 64 KiB. An entry of a table has 20 bytes and says of a damaged batch what is wrong.

use bytes::Bytes;
use florin_engine::format::checksum::Seed;
use florin_engine::format::extent::{
    self, Check, EXTENT_ENTRY_BYTES, EXTENT_HEADER_BYTES, ExaminedExtent, Extent, ExtentPlace, extent_bytes,
};
use florin_engine::format::layout::FORMAT_VERSION;
use florin_engine::format::segment_index::{self, INDEX_ENTRY_BYTES, INDEX_HEADER_BYTES, IndexEntry, index_bytes};
use florin_engine::format::stored::Stored;
use florin_engine::limits::UNIT_BYTES;
use florin_engine::model::{Offset, PartitionId, Position, Realtime, SegmentId, TopicId};

use super::batches::{self, held_batch};
use super::{Memory, NAME, REPAIR, number, put, whole_units, without_padding};

/// The bytes are an index.
const INDEX: u8 = 1 << 1;

const PLACE: ExtentPlace = ExtentPlace {
    journal_id: NAME.journal_id,
    shard: NAME.shard,
    segment: SegmentId(3),
    position: Position(16 * UNIT_BYTES as u64),
};
const CHECKSUM_AT: usize = 8;
const CHECKED_FROM: usize = 12;
const ENTRY_COUNT_AT: usize = 92;
const BATCHES_BYTES_AT: usize = 96;
const TABLE_CHECKSUM_AT: usize = 104;
const INDEX_COUNT_AT: usize = 48;

/// See [`Target::run`](super::Target::run).
pub fn run(memory: Memory, input: &[u8]) -> usize {
    let Some((flags, bytes)) = input.split_first() else { return 0 };
    let memory_max = 32 * bytes.len() + 64 * 1024;
    let mut bytes = whole_units(bytes);
    match (flags & INDEX != 0, flags & REPAIR != 0) {
        (false, true) => repair_extent(&mut bytes),
        (true, true) => repair_index(&mut bytes),
        (_, false) => {}
    }
    let bytes = Bytes::from(bytes);
    let is_accepted = if flags & INDEX != 0 {
        index(memory, memory_max, &bytes)
    } else {
        let decoded = memory.within("an extent", memory_max, || extent::decode(&bytes, &PLACE));
        let examined = memory.within("an examined extent", memory_max, || extent::examine(&bytes, &PLACE));
        check_agreement(&decoded, &examined);
        decoded.present().is_some_and(|extent| check_extent(&bytes, extent))
    };
    usize::from(is_accepted)
}

/// Names and place, which are where the headers of extents and indexes have them.
fn repair_place(bytes: &mut [u8], magic: &[u8; 8]) {
    put(bytes, 0, magic);
    put(bytes, CHECKED_FROM, &FORMAT_VERSION.to_le_bytes());
    put(bytes, 14, &PLACE.shard.0.to_le_bytes());
    put(bytes, 16, &PLACE.journal_id.0);
    put(bytes, 32, &PLACE.segment.0.to_le_bytes());
    put(bytes, 40, &PLACE.position.0.to_le_bytes());
}

fn repair_extent(bytes: &mut [u8]) {
    let seed = Seed::of(PLACE.journal_id);
    repair_place(bytes, b"FLRNEXTN");
    let count_max = (bytes.len() - EXTENT_HEADER_BYTES) / EXTENT_ENTRY_BYTES;
    let count = (number(bytes, ENTRY_COUNT_AT) as usize).min(count_max);
    let table_end = EXTENT_HEADER_BYTES + count * EXTENT_ENTRY_BYTES;
    let batches_bytes = (number(bytes, BATCHES_BYTES_AT) as usize).min(bytes.len() - table_end);
    let mut batch_at = table_end;
    for entry_at in (EXTENT_HEADER_BYTES..table_end).step_by(EXTENT_ENTRY_BYTES) {
        let batch_end = batch_at + number(bytes, entry_at + 12) as usize;
        let Some(batch) = bytes.get_mut(batch_at..batch_end) else { break };
        batches::repair(batch);
        let crc = florin_engine::format::batch::batch_crc(batch);
        put(bytes, entry_at + 16, &crc.to_le_bytes());
        batch_at = batch_end;
    }
    let table_checksum = seed.checksum(&bytes[EXTENT_HEADER_BYTES..table_end]);
    put(bytes, ENTRY_COUNT_AT, &narrow(count).to_le_bytes());
    put(bytes, BATCHES_BYTES_AT, &narrow(batches_bytes).to_le_bytes());
    put(bytes, 100, &narrow(extent_bytes(count, batches_bytes)).to_le_bytes());
    put(bytes, TABLE_CHECKSUM_AT, &table_checksum.to_le_bytes());
    let checksum = seed.checksum(&bytes[CHECKED_FROM..EXTENT_HEADER_BYTES]);
    put(bytes, CHECKSUM_AT, &checksum.to_le_bytes());
}

fn repair_index(bytes: &mut [u8]) {
    repair_place(bytes, b"FLRNINDX");
    put(bytes, INDEX_COUNT_AT + 4, &narrow(bytes.len()).to_le_bytes());
    let checksum = Seed::of(PLACE.journal_id).checksum(&bytes[CHECKED_FROM..]);
    put(bytes, CHECKSUM_AT, &checksum.to_le_bytes());
}

fn narrow(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("an input is short")
}

/// What must hold of an extent whose header and table are right; if all its batches are, it is written as it was read.
fn check_extent(bytes: &Bytes, extent: &Extent) -> bool {
    let head = &extent.head;
    let mut pieces: Vec<(Offset, Offset)> =
        extent.batches.iter().map(|batch| (batch.base_offset, batch.next_offset())).collect();
    pieces.extend(extent.damaged.iter().map(|batch| (batch.base_offset, batch.next_offset)));
    pieces.sort_unstable();
    assert_eq!(pieces.len(), head.entry_count as usize, "every batch is right or damaged");
    assert_eq!(pieces.first().map(|(first, _)| *first), Some(head.base_offset));
    assert_eq!(pieces.last().map(|(_, next)| *next), Some(head.next_offset));
    assert!(pieces.windows(2).all(|pair| pair[0].1 == pair[1].0), "no offset is left out");
    assert!(extent.batches.windows(2).all(|pair| pair[0].append_time <= pair[1].append_time));
    if extent.damaged.is_empty() {
        let mut again = vec![0; head.extent_bytes as usize];
        let written = extent::encode(&PLACE, head.partition, &extent.batches, head.max_timestamp_ms, &mut again);
        assert_eq!((&written, &again[..]), (head, &bytes[..again.len()]), "there is one encoding of an extent");
    }
    true
}

/// Whoever looks at damage sees what reads see.
fn check_agreement(decoded: &Stored<Extent>, examined: &ExaminedExtent) {
    let ExaminedExtent { head, header, table, padding, entries } = examined;
    let all_right = header.is_right() && table.is_right() && padding.is_right();
    match decoded {
        Stored::Present(extent) => {
            assert!(all_right, "what is served is right: {header:?} {table:?} {padding:?}");
            assert_eq!(head.as_ref(), Some(&extent.head));
            let of = |check: &Check| entries.iter().filter(|entry| entry.check.is_right() == check.is_right()).count();
            assert_eq!(of(&Check::Right), extent.batches.len());
            assert_eq!(entries.len() - of(&Check::Right), extent.damaged.len());
        }
        Stored::Absent | Stored::Damaged(_) | Stored::OtherVersion(_) => assert!(!all_right, "{decoded:?}"),
        Stored::Unreadable(error) => unreachable!("all of it was read: {error}"),
    }
}

fn index(memory: Memory, memory_max: usize, bytes: &Bytes) -> bool {
    let standing = memory.within("what stands in an index", memory_max, || segment_index::standing_entries(bytes));
    assert!(standing.len() <= (bytes.len() - INDEX_HEADER_BYTES) / INDEX_ENTRY_BYTES);
    let decoded = memory.within("an index", memory_max, || segment_index::decode(bytes, &PLACE));
    let Some(entries) = decoded.present() else {
        assert!(decoded.problem().is_some(), "what is refused is refused with words");
        return false;
    };
    assert_eq!(entries, &standing, "an index that is right is what stands there");
    assert_eq!(segment_index::claimed_bytes(bytes).map(|claimed| claimed as usize), Some(bytes.len()));
    assert!(entries.windows(2).all(|pair| pair[0].end() <= pair[1].position), "extents do not overlap");
    assert!(entries.iter().all(|entry| entry.end() <= PLACE.position), "extents lie before their index");
    let mut again = vec![0; index_bytes(entries.len())];
    segment_index::encode(&PLACE, entries, &mut again);
    assert_eq!(again, bytes[..], "there is one encoding of an index");
    true
}

/// See [`Target::seeds`](super::Target::seeds).
pub fn seeds() -> Vec<Vec<u8>> {
    let batches = [held_batch(41, &[b"one", b"two"]), held_batch(43, &[b"three"])];
    let bytes: usize = batches.iter().map(|batch| batch.bytes.len()).sum();
    let mut extent = vec![0; extent_bytes(batches.len(), bytes)];
    let partition = PartitionId { topic: TopicId(7), index: 0 };
    let head = extent::encode(&PLACE, partition, &batches, 1000, &mut extent);
    let first = IndexEntry {
        position: Position(0),
        base_offset: Offset(0),
        last_append_time: Realtime(4),
        max_timestamp_ms: 900,
        extent_bytes: u32::try_from(UNIT_BYTES).expect("a unit is small"),
    };
    let entries = [first, IndexEntry::of(Position(UNIT_BYTES as u64), &head)];
    let mut index = vec![0; index_bytes(entries.len())];
    segment_index::encode(&PLACE, &entries, &mut index);
    let (extent, index) = (without_padding(&extent), without_padding(&index));
    vec![input(0, extent), input(REPAIR, extent), input(INDEX, index), input(INDEX | REPAIR, index)]
}

fn input(flags: u8, bytes: &[u8]) -> Vec<u8> {
    [&[flags], bytes].concat()
}
