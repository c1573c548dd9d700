//! The table as bytes.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{accept, receipt, stamp, table_at, table_of};
use crate::model::ProducerId;
use crate::producer::{PRODUCER_BYTES_MAX, ProducerDecodeError, ProducerTable};

fn encoded(table: &ProducerTable) -> Vec<u8> {
    let mut bytes = Vec::new();
    table.encode(&mut bytes);
    assert_eq!(bytes.len(), table.encoded_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Result<ProducerTable, ProducerDecodeError> {
    ProducerTable::decode(&mut &*bytes, 4)
}

/// Two producers with one batch each.
fn two_producers() -> Vec<u8> {
    let mut table = ProducerTable::new(4);
    accept(&mut table, stamp(5, 0, 0, 1), 1, receipt(1));
    accept(&mut table, stamp(9, 3, 0, 2), 2, receipt(2));
    encoded(&table)
}

#[test]
fn table_has_these_bytes() {
    let mut table = ProducerTable::new(4);
    accept(&mut table, stamp(0x0001_0000_0000_002a, 7, 0, 3), 0xdead_beef, receipt(1));
    let golden = [
        &[1, 0, 0, 0][..],
        &[0x2a, 0, 0, 0, 0, 0, 1, 0],
        &[7, 0],
        &[1, 0],
        &[3, 0, 0, 0, 0, 0, 0, 0],
        &[0, 0, 0, 0],
        &[2, 0, 0, 0],
        &[0xef, 0xbe, 0xad, 0xde],
        &[10, 0, 0, 0, 0, 0, 0, 0],
        &[0xe8, 3, 0, 0, 0, 0, 0, 0],
        &[8, 0, 0, 0, 0, 0, 0, 0],
    ];
    assert_eq!(encoded(&table), golden.concat());
    assert_eq!(decode(&golden.concat()), Ok(table));
}

#[test]
fn a_batch_that_keys_answered_has_the_highest_bit_of_its_last_sequence_and_takes_no_offset() {
    let mut table = ProducerTable::new(4);
    table.apply_known(&stamp(5, 0, 0, 2), 1, receipt(1));
    table.apply_known(&stamp(5, 0, 2, 2), 2, receipt(1));
    accept(&mut table, stamp(5, 0, 4, 1), 3, receipt(1));
    let bytes = encoded(&table);
    assert_eq!(bytes[28..32], [1, 0, 0, 0x80]);
    assert_eq!(bytes[100..104], [4, 0, 0, 0]);
    assert_eq!(decode(&bytes), Ok(table));
    // Two that are stored cannot have the same offset.
    let mut both_stored = bytes;
    both_stored[67] = 0;
    assert!(matches!(decode(&both_stored), Err(ProducerDecodeError::Window { .. })));
}

#[test]
fn decoded_table_is_the_same_and_leaves_what_follows() {
    for table in [ProducerTable::new(4), table_of(1), table_of(8), table_at(i32::MAX.cast_unsigned())] {
        let mut bytes = encoded(&table);
        bytes.extend([1, 2, 3]);
        let mut buf = &bytes[..];
        assert_eq!(ProducerTable::decode(&mut buf, 4), Ok(table));
        assert_eq!(buf, [1, 2, 3]);
    }
}

#[test]
fn full_producer_takes_the_most_bytes() {
    assert_eq!(encoded(&table_of(5)).len(), 4 + PRODUCER_BYTES_MAX);
    assert_eq!(encoded(&table_of(20)).len(), 4 + PRODUCER_BYTES_MAX);
}

#[test]
fn table_cut_off_anywhere_is_refused() {
    let bytes = encoded(&table_of(3));
    for cut in 0..bytes.len() {
        assert!(matches!(decode(&bytes[..cut]), Err(ProducerDecodeError::CutOff { .. })), "{cut}");
    }
}

#[test]
fn more_producers_than_the_limit_are_refused() {
    let bytes = two_producers();
    let error = ProducerTable::decode(&mut &bytes[..], 1).unwrap_err();
    assert_eq!(error, ProducerDecodeError::Count { count: 2, count_max: 1 });
    assert!(matches!(decode(&[0xff; 4]), Err(ProducerDecodeError::Count { count: u32::MAX, .. })));
}

#[test]
fn ids_that_do_not_rise_or_are_negative_are_refused() {
    for second in [5, 4, 1 << 63] {
        let mut bytes = two_producers();
        bytes[60..68].copy_from_slice(&u64::to_le_bytes(second));
        let error = decode(&bytes).unwrap_err();
        assert!(matches!(error, ProducerDecodeError::Identity { previous: Some(ProducerId(5)), .. }), "{error}");
    }
    let mut bytes = two_producers();
    bytes[13] = 0x80;
    assert!(matches!(decode(&bytes), Err(ProducerDecodeError::Identity { previous: None, .. })));
}

#[test]
fn window_without_batches_or_with_too_many_is_refused() {
    for batch_count in [0, 6, 0xffff] {
        let mut bytes = encoded(&table_of(5));
        bytes.resize(1000, 0);
        bytes[14..16].copy_from_slice(&u16::to_le_bytes(batch_count));
        assert_eq!(decode(&bytes), Err(ProducerDecodeError::BatchCount { id: ProducerId(1), batch_count }));
    }
}

#[test]
fn window_that_does_not_fit_together_is_refused() {
    // The first batch begins at byte 24, the second at 60: sequences 0, 4; offset 12, append time 20, block 28.
    let cases: [(usize, &[u8]); 8] = [
        (16, &[79]),
        (16, &[49]),
        (28, &[38]),
        (27, &[0x80]),
        (60, &[41]),
        (60 + 12, &[40]),
        (60 + 20, &[0, 0]),
        (60 + 28, &[1]),
    ];
    assert!(decode(&encoded(&table_of(8))).is_ok());
    for (at, change) in cases {
        let mut bytes = encoded(&table_of(8));
        bytes[at..at + change.len()].copy_from_slice(change);
        assert!(matches!(decode(&bytes), Err(ProducerDecodeError::Window { .. })), "byte {at}");
    }
    // A window that is not full holds everything since sequence 0.
    let mut bytes = encoded(&table_of(3));
    bytes[16] = 31;
    assert!(matches!(decode(&bytes), Err(ProducerDecodeError::Window { .. })));
}

/// Up to four producers with some batches each.
fn any_table() -> impl Strategy<Value = ProducerTable> {
    let batches = vec((1..=1_u32 << 20, any::<u32>(), 0..1000_u64), 1..12);
    let producer = (1..=1_u64 << 60, 0..=i16::MAX.cast_unsigned(), batches);
    vec(producer, 0..=4).prop_map(|producers| {
        let mut table = ProducerTable::new(4);
        let mut id = 0;
        for (step, epoch, batches) in producers {
            id += step;
            let (mut next, mut number) = (0, 0);
            for (record_count, crc, more) in batches {
                number += 1 + more;
                accept(&mut table, stamp(id, epoch, next, record_count), crc, receipt(number));
                next += record_count;
            }
        }
        table
    })
}

proptest! {
    #[test]
    fn any_table_survives_its_encoding(table in any_table()) {
        prop_assert_eq!(decode(&encoded(&table)), Ok(table));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..400)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn changed_bytes_are_refused_or_give_a_table_that_encodes_to_them(
        changes in vec((0..400_usize, any::<u8>()), 1..4),
    ) {
        let mut bytes = encoded(&table_of(8));
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let mut buf = &bytes[..];
        if let Ok(table) = ProducerTable::decode(&mut buf, 4) {
            let read_bytes = bytes.len() - buf.len();
            prop_assert_eq!(encoded(&table), &bytes[..read_bytes]);
        }
    }
}
