//! Batches that kafka-python 3.0.12 wrote (`DefaultRecordBatchBuilder`), their CRC-32C computed a second time bit by
//! bit: reader and builder are both held against them.

use super::three_records;
use crate::format::batch::{
    BatchHeader, Compression, Header, ProducerStamp, RecordWalk, base_offset, last_offset, place, size_bytes, validate,
};
use crate::model::{Offset, ProducerEpoch, ProducerId};

const BYTES_MAX: usize = 1024;

/// Behind the header: the three records of `three_records`.
const RECORDS: &str = "\
    5c0000000e6f726465722d3122636170747572652031322e353020455552040a74726163650401020a656d707479019a0100\
    0a02018c01767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676\
    767676767676767676767676767676767676767676767676760012000504026b01020000";

/// Without a producer.
const PLAIN_HEADER: &str = "\
    0000000000000000000000b900000000024d3cacc30000000000020000018bcfe568000000018bcfe56805\
    ffffffffffffffffffffffffffff00000003";

/// Producer 42 of shard 1, epoch 7, sequences 2147483646, 2147483647 and 0.
const STAMPED_HEADER: &str = "\
    0000000000000000000000b90000000002a50eccbd0000000000020000018bcfe568000000018bcfe56805\
    000100000000002a00077ffffffe00000003";

/// The same records but for a value of 300 bytes, gzip.
const GZIP: &str = "\
    00000000000000000000008b000000000277fe851d0001000000020000018bcfe568000000018bcfe56805\
    ffffffffffffffffffffffffffff00000003\
    1f8b08005ad2026b02ff8b616060e0cb2f4a492dd235544a4e2c28292d4a553034d2333550700d0d62e12a294a4c4e656164\
    e24acd2d28a9647cc6c2c0c5c47883a56c14100d188418585998b219991818003cba51b66e010000";

fn bytes(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2));
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn golden(header: &str) -> Vec<u8> {
    bytes(&format!("{header}{RECORDS}"))
}

#[test]
fn builder_writes_the_bytes_of_kafka() {
    assert_eq!(&three_records().finish()[..], golden(PLAIN_HEADER));
    let mut stamped = three_records();
    stamped.stamp(ProducerId(1 << 48 | 42), ProducerEpoch(7), 2_147_483_646);
    assert_eq!(&stamped.finish()[..], golden(STAMPED_HEADER));
}

#[test]
fn builder_counts_bytes_and_records_as_they_are() {
    let builder = three_records();
    assert_eq!((builder.size_bytes(), builder.record_count(), builder.is_empty()), (197, 3, false));
    assert_eq!(builder.finish().len(), 197);
}

#[test]
fn batch_of_kafka_without_a_producer_is_accepted() {
    let info = validate(&golden(PLAIN_HEADER), BYTES_MAX).unwrap();
    assert_eq!((info.record_count, info.last_offset_delta, info.crc), (3, 2, 0x4d3c_acc3));
    assert_eq!((info.base_timestamp_ms, info.max_timestamp_ms), (1_700_000_000_000, 1_700_000_000_005));
    assert_eq!((info.compression, info.producer), (Compression::None, None));
    assert_eq!(info.largest_record_bytes, 79, "a length of two bytes and 77 bytes behind it");
}

#[test]
fn producer_stamp_of_kafka_is_read_and_its_last_sequence_wraps_to_zero() {
    let info = validate(&golden(STAMPED_HEADER), BYTES_MAX).unwrap();
    let stamp = info.producer.unwrap();
    assert_eq!(
        stamp,
        ProducerStamp {
            id: ProducerId(1 << 48 | 42),
            epoch: ProducerEpoch(7),
            base_sequence: 2_147_483_646,
            last_sequence: 0
        }
    );
    assert_eq!((stamp.record_count(), stamp.next_sequence()), (3, 1));
}

#[test]
fn compressed_batch_of_kafka_is_accepted_by_its_header_and_not_walked() {
    let batch = bytes(GZIP);
    let info = validate(&batch, BYTES_MAX).unwrap();
    assert_eq!((info.record_count, info.compression), (3, Compression::Gzip));
    assert_eq!(info.largest_record_bytes, 151, "the whole batch");
    assert!(RecordWalk::new(&batch).is_err());
}

#[test]
fn records_of_kafka_are_walked_with_null_keys_null_values_and_headers() {
    let batch = golden(PLAIN_HEADER);
    let records: Vec<_> = RecordWalk::new(&batch).unwrap().map(Result::unwrap).collect();
    assert_eq!(records.len(), 3);
    assert_eq!((records[0].offset_delta, records[0].timestamp_delta_ms), (0, 0));
    assert_eq!(records[0].key, Some(&b"order-1"[..]));
    assert_eq!(records[0].value, Some(&b"capture 12.50 EUR"[..]));
    let headers: Vec<_> = records[0].headers.clone().map(Result::unwrap).collect();
    assert_eq!(headers, [Header { key: b"trace", value: Some(&[1, 2]) }, Header { key: b"empty", value: None }]);
    assert_eq!((records[1].offset_delta, records[1].timestamp_delta_ms), (1, 5));
    assert_eq!(records.iter().map(|record| record.size_bytes).collect::<Vec<_>>(), [47, 79, 10]);
    assert_eq!((records[1].key, records[1].value), (None, Some(&[b'v'; 70][..])));
    assert_eq!(records[1].headers.clone().count(), 0);
    assert_eq!((records[2].offset_delta, records[2].timestamp_delta_ms), (2, -3));
    assert_eq!((records[2].key, records[2].value), (Some(&b"k"[..]), None));
    let headers: Vec<_> = records[2].headers.clone().map(Result::unwrap).collect();
    assert_eq!(headers, [Header { key: b"", value: Some(b"") }]);
}

#[test]
fn placing_a_batch_changes_only_base_offset_and_leader_epoch() {
    let client = golden(PLAIN_HEADER);
    let mut batch = client.clone();
    batch[12..16].copy_from_slice(&(-1_i32).to_be_bytes());
    place(&mut batch, Offset(0x0102_0304_0506_0708));
    assert_eq!(batch[..8], [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(batch[8..], client[8..]);
    assert_eq!(base_offset(&batch), Ok(Offset(0x0102_0304_0506_0708)));
    assert_eq!(last_offset(&batch), Ok(Offset(0x0102_0304_0506_070a)));
    assert_eq!(BatchHeader::read(&batch).unwrap().leader_epoch(), 0);
    assert!(validate(&batch, BYTES_MAX).is_ok());
}

#[test]
fn size_is_read_also_when_other_batches_follow() {
    let mut two = golden(PLAIN_HEADER);
    two.extend(bytes(GZIP));
    assert_eq!(size_bytes(&two), Ok(197));
    assert_eq!(size_bytes(&two[197..]), Ok(151));
}
