use super::super::{encode, read_head};
use super::*;
use crate::format::batch::{self, BatchBuilder, HeldBatch};
use crate::format::extent::decode;
use crate::format::stored::Stored;
use crate::model::{Id128, PartitionId, Position, SegmentId, ShardId, TopicId};

fn place() -> ExtentPlace {
    ExtentPlace { journal_id: Id128([7; 16]), shard: ShardId(1), segment: SegmentId(2), position: Position(8192) }
}

fn held(base_offset: u64, append_time: u64) -> HeldBatch {
    let mut builder = BatchBuilder::new();
    builder.push(1_000, None, Some(b"value"), &[]).unwrap();
    builder.push(1_000, None, Some(b"other"), &[]).unwrap();
    let mut bytes = builder.finish();
    batch::place(&mut bytes, Offset(base_offset));
    let (base_offset, last_offset) = (Offset(base_offset), Offset(base_offset + 1));
    HeldBatch { base_offset, last_offset, append_time: Realtime(append_time), undecided: 0, bytes: bytes.freeze() }
}

/// Two batches, and how many bytes are not padding.
fn encoded() -> (Vec<u8>, usize) {
    let batches = [held(40, 100), held(42, 105)];
    let bytes = batches.iter().map(|batch| batch.bytes.len()).sum();
    let mut out = vec![0; extent_bytes(2, bytes)];
    let partition = PartitionId { topic: TopicId(3), index: 2 };
    encode(&place(), partition, &batches, 1_000, &mut out);
    (out, EXTENT_HEADER_BYTES + 2 * EXTENT_ENTRY_BYTES + bytes)
}

fn examined(bytes: &[u8]) -> ExaminedExtent {
    examine(&Bytes::copy_from_slice(bytes), &place())
}

#[test]
fn everything_of_an_extent_as_it_was_written_is_right() {
    let (bytes, _) = encoded();
    let found = examined(&bytes);
    assert!(found.header.is_right() && found.table.is_right() && found.padding.is_right());
    assert_eq!(found.head, read_head(&bytes, &place()).present().copied());
    let offsets: Vec<_> = found.entries.iter().map(|entry| (entry.base_offset, entry.next_offset)).collect();
    assert_eq!(offsets, [(Offset(40), Offset(42)), (Offset(42), Offset(44))]);
    assert!(found.entries.iter().all(|entry| entry.check.is_right()));
    assert_eq!(found.entries[1].batch, held(42, 105).bytes);
}

#[test]
fn whatever_bit_is_flipped_is_found_in_its_own_part_and_wherever_a_read_finds_it() {
    let (bytes, used) = encoded();
    let table_end = EXTENT_HEADER_BYTES + 2 * EXTENT_ENTRY_BYTES;
    let batch_bytes = held(40, 100).bytes.len();
    for bit in 0..used * 8 + 64 {
        let (at, mut flipped) = (bit / 8, bytes.clone());
        flipped[at] ^= 1 << (bit % 8);
        let found = examined(&flipped);
        let wrong_batches: Vec<_> = found.entries.iter().map(|entry| !entry.check.is_right()).collect();
        if at < EXTENT_HEADER_BYTES {
            assert!(!found.header.is_right(), "bit {bit}: {found:?}");
        } else if at < table_end {
            assert_eq!((found.header.is_right(), found.table.is_right()), (true, false), "bit {bit}");
        } else if at < used {
            assert!(found.header.is_right() && found.table.is_right() && found.padding.is_right(), "bit {bit}");
            // The leader epoch and the offset are compared, everything else is covered by the batch's checksum.
            let second = at >= table_end + batch_bytes;
            assert_eq!(wrong_batches, [!second, second], "bit {bit}");
        } else {
            assert!(!found.padding.is_right(), "bit {bit}");
        }
        let parts = [&found.header, &found.table, &found.padding];
        let is_refused = !matches!(decode(&Bytes::from(flipped), &place()), Stored::Present(_));
        assert_eq!(parts.iter().any(|check| !check.is_right()), is_refused, "bit {bit}: {found:?}");
    }
}

#[test]
fn what_cannot_be_told_is_neither_right_nor_wrong() {
    let (bytes, _) = encoded();
    let other = [0x20; 4096];
    let found = examined(&other);
    assert_eq!((found.head, found.entries.len()), (None, 0));
    assert!(matches!((&found.header, &found.table), (Check::Wrong(_), Check::Unknown(_))), "{found:?}");
    let mut too_many = bytes.clone();
    too_many[92..96].copy_from_slice(&u32::MAX.to_le_bytes());
    let found = examined(&too_many);
    assert!(found.head.is_some() && found.entries.is_empty());
    assert!(matches!(&found.table, Check::Unknown(why) if why.contains("contradict")), "{found:?}");
    let found = examined(&bytes[..1024]);
    assert!(found.header.is_right() && matches!(&found.table, Check::Unknown(why) if why.contains("longer")));
    assert_eq!(examined(&[]).head, None);
}

#[test]
fn a_table_that_places_batches_outside_is_wrong_and_its_batches_are_not_known() {
    let (mut bytes, _) = encoded();
    bytes[EXTENT_HEADER_BYTES + 12..EXTENT_HEADER_BYTES + 16].copy_from_slice(&u32::MAX.to_le_bytes());
    let found = examined(&bytes);
    assert!(!found.table.is_right());
    assert!(found.entries.iter().all(|entry| matches!(entry.check, Check::Unknown(_)) && entry.batch.is_empty()));
}
