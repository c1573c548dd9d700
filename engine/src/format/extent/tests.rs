use proptest::prelude::*;

use super::*;
use crate::format::batch::{self, BatchBuilder};

/// Header, table and batches of the extent below; the rest of the unit is zero.
const GOLDEN: &str = "\
    464c524e4558544e8ee233db03000500101112131415161718191a1b1c1d1e1f07000000000000000020000000000000\
    030000000000000028000000000000002b000000000000006900000000000000e9030000000000000200000002000000\
    9b000000001000002538a29c000000000000000000000000000000000000000064000000000000000000000053000000\
    c0af1cb100000000690000000000000002000000480000005c4e47f00000000000000000000000280000004700000000\
    02b11cafc000000000000100000000000003e800000000000003e9ffffffffffffffffffffffffffff00000002140000\
    00026b067676760014000202026b0676767600000000000000002a0000003c0000000002f0474e5c0000000000000000\
    0000000003e800000000000003e8ffffffffffffffffffffffffffff0000000114000000026b0676767600";

fn place() -> ExtentPlace {
    ExtentPlace {
        journal_id: Id128(std::array::from_fn(|at| 0x10 + u8::try_from(at).unwrap())),
        shard: ShardId(5),
        segment: SegmentId(7),
        position: Position(8192),
    }
}

fn partition() -> PartitionId {
    PartitionId { topic: TopicId(3), index: 2 }
}

/// A batch of so many records at `base_offset`.
fn held(base_offset: u64, record_count: u64, append_time: u64, value_bytes: usize) -> HeldBatch {
    let mut builder = BatchBuilder::new();
    for index in 0..record_count {
        let timestamp_ms = i64::try_from(1_000 + index).unwrap();
        builder.push(timestamp_ms, Some(b"k"), Some(&vec![b'v'; value_bytes]), &[]).unwrap();
    }
    let mut bytes = builder.finish();
    batch::place(&mut bytes, Offset(base_offset));
    HeldBatch {
        base_offset: Offset(base_offset),
        last_offset: Offset(base_offset + record_count - 1),
        append_time: Realtime(append_time),
        undecided: 0,
        bytes: bytes.freeze(),
    }
}

fn batches() -> Vec<HeldBatch> {
    vec![held(40, 2, 100, 3), held(42, 1, 105, 3)]
}

fn encoded(batches: &[HeldBatch]) -> Vec<u8> {
    let bytes = batches.iter().map(|batch| batch.bytes.len()).sum();
    let mut out = vec![0; extent_bytes(batches.len(), bytes)];
    encode(&place(), partition(), batches, 1_001, &mut out);
    out
}

fn decoded(bytes: &[u8]) -> Stored<Extent> {
    decode(&Bytes::copy_from_slice(bytes), &place())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes the header's checksum right again after a test has changed bytes.
fn seal(bytes: &mut [u8]) {
    let checksum = Seed::of(place().journal_id).checksum(&bytes[CHECKED_FROM..EXTENT_HEADER_BYTES]);
    bytes[8..CHECKED_FROM].copy_from_slice(&checksum.to_le_bytes());
}

#[test]
fn an_extent_has_these_bytes_and_no_others() {
    let bytes = encoded(&batches());
    assert_eq!(bytes.len(), UNIT_BYTES);
    let used = EXTENT_HEADER_BYTES + 2 * EXTENT_ENTRY_BYTES + batches().iter().map(|b| b.bytes.len()).sum::<usize>();
    assert_eq!(hex(&bytes[..used]), GOLDEN);
    assert!(bytes[used..].iter().all(|byte| *byte == 0));
}

#[test]
fn what_was_written_is_read_again() {
    let bytes = encoded(&batches());
    let Stored::Present(extent) = decoded(&bytes) else { panic!("{:?}", decoded(&bytes)) };
    assert_eq!((extent.batches, extent.damaged), (batches(), Vec::new()));
    let head = extent.head;
    assert_eq!((head.base_offset, head.next_offset, head.entry_count), (Offset(40), Offset(43), 2));
    assert_eq!((head.last_append_time, head.max_timestamp_ms), (Realtime(105), 1_001));
    assert_eq!(read_head(&bytes[..EXTENT_HEADER_BYTES], &place()), Stored::Present(head));
}

#[test]
fn an_extent_of_another_place_is_not_taken_for_this_one() {
    let bytes = Bytes::from(encoded(&batches()));
    let elsewhere = [
        ExtentPlace { journal_id: Id128([1; 16]), ..place() },
        ExtentPlace { shard: ShardId(6), ..place() },
        ExtentPlace { segment: SegmentId(8), ..place() },
        ExtentPlace { position: Position(4096), ..place() },
    ];
    for other in elsewhere {
        assert!(matches!(decode(&bytes, &other), Stored::Damaged(_)), "{other:?}");
    }
}

#[test]
fn nothing_written_differs_from_damage_and_from_another_version() {
    assert_eq!(decoded(&[0; UNIT_BYTES]), Stored::Absent);
    assert!(matches!(decoded(&[7; UNIT_BYTES]), Stored::Damaged(_)));
    assert!(matches!(decoded(&[0; 10]), Stored::Damaged(_)));
    let mut bytes = encoded(&batches());
    bytes[12..14].copy_from_slice(&(FORMAT_VERSION + 1).to_le_bytes());
    seal(&mut bytes);
    assert_eq!(decoded(&bytes), Stored::OtherVersion(FORMAT_VERSION + 1));
}

#[test]
fn a_damaged_batch_is_named_and_the_others_are_served() {
    let mut bytes = encoded(&batches());
    let second = EXTENT_HEADER_BYTES + 2 * EXTENT_ENTRY_BYTES + batches()[0].bytes.len();
    bytes[second + 70] ^= 1;
    let Stored::Present(extent) = decoded(&bytes) else { panic!("{:?}", decoded(&bytes)) };
    assert_eq!(extent.batches, batches()[..1]);
    assert_eq!(extent.damaged.len(), 1);
    assert_eq!((extent.damaged[0].base_offset, extent.damaged[0].next_offset), (Offset(42), Offset(43)));
}

#[test]
fn bytes_in_the_padding_are_damage_and_are_never_served() {
    let mut bytes = encoded(&batches());
    *bytes.last_mut().unwrap() = 1;
    assert!(matches!(decoded(&bytes), Stored::Damaged(what) if what.contains("padding")));
}

#[test]
fn a_header_whose_sizes_cannot_be_is_damage_although_its_checksum_is_right() {
    // entry_count, batches_bytes, extent_bytes, next_offset
    for (at, value) in [(92, 0u64), (92, u64::from(u32::MAX)), (96, 1), (100, 4096 * 2), (64, 40), (64, 1 << 63)] {
        let mut bytes = encoded(&batches());
        let width = if at == 64 { 8 } else { 4 };
        bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        seal(&mut bytes);
        assert!(matches!(decoded(&bytes), Stored::Damaged(_)), "byte {at}");
    }
}

#[test]
fn a_table_that_begins_behind_its_header_is_damage_so_no_offset_is_passed_over_in_silence() {
    let mut bytes = encoded(&batches());
    bytes[EXTENT_HEADER_BYTES + 8] = 1;
    let table = &bytes[EXTENT_HEADER_BYTES..EXTENT_HEADER_BYTES + 2 * EXTENT_ENTRY_BYTES];
    let checksum = Seed::of(place().journal_id).checksum(table);
    bytes[104..108].copy_from_slice(&checksum.to_le_bytes());
    seal(&mut bytes);
    let why = "the extent's table does not begin where its header does".to_owned();
    assert_eq!(decoded(&bytes), Stored::Damaged(why.clone()));
    assert_eq!(examine(&bytes.into(), &place()).table, Check::Wrong(why));
}

proptest! {
    #[test]
    fn any_flipped_bit_is_noticed(bit in 0..UNIT_BYTES * 8) {
        let mut bytes = encoded(&batches());
        bytes[bit / 8] ^= 1 << (bit % 8);
        match decoded(&bytes) {
            Stored::Present(extent) => prop_assert!(!extent.damaged.is_empty()),
            Stored::Damaged(_) => {}
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn garbage_is_never_an_extent(bytes in prop::collection::vec(any::<u8>(), 0..5000)) {
        prop_assert!(!matches!(decoded(&bytes), Stored::Present(_)));
    }

    #[test]
    fn extents_of_any_shape_are_read_again(shape in prop::collection::vec((1..6u64, 0..400usize), 1..40)) {
        let mut next = 7;
        let batches: Vec<_> = shape.iter().map(|(records, value_bytes)| {
            let batch = held(next, *records, next, *value_bytes);
            next += records;
            batch
        }).collect();
        let Stored::Present(extent) = decoded(&encoded(&batches)) else { panic!("not read again") };
        prop_assert_eq!(extent.batches, batches);
        prop_assert_eq!(extent.head.next_offset, Offset(next));
    }
}
