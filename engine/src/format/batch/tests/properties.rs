//! What holds for any batch, and for any bytes.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{seal, three_records};
use crate::format::batch::varint::{Cursor, put_varint, varint_bytes};
use crate::format::batch::{
    BatchBuilder, HEADER_BYTES, Header, RecordWalk, base_offset, last_offset, size_bytes, validate,
};
use crate::limits::BATCH_BYTES_MAX;
use crate::model::{ProducerEpoch, ProducerId};

type Bytes = Vec<u8>;
type OwnedHeader = (Bytes, Option<Bytes>);
type OwnedRecord = (i64, Option<Bytes>, Option<Bytes>, Vec<OwnedHeader>);

fn any_record() -> impl Strategy<Value = OwnedRecord> {
    let bytes = || vec(any::<u8>(), 0..200);
    let timestamp_ms = prop_oneof![-100_i64..100, i64::MIN / 2..i64::MAX / 2];
    (timestamp_ms, option::of(bytes()), option::of(bytes()), vec((bytes(), option::of(bytes())), 0..4))
}

fn build(records: &[OwnedRecord]) -> BatchBuilder {
    let mut builder = BatchBuilder::new();
    for (timestamp_ms, key, value, headers) in records {
        let headers: Vec<_> = headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
        builder.push(*timestamp_ms, key.as_deref(), value.as_deref(), &headers).unwrap();
    }
    builder
}

/// Everything that reads bytes of others; the results do not matter.
fn read_all_ways(bytes: &[u8]) {
    let _ = validate(bytes, BATCH_BYTES_MAX);
    let _ = (base_offset(bytes), last_offset(bytes), size_bytes(bytes));
    if let Ok(walk) = RecordWalk::new(bytes) {
        for record in walk.flatten() {
            record.headers.for_each(drop);
        }
    }
}

proptest! {
    #[test]
    fn what_was_built_is_accepted_and_walked_back(records in vec(any_record(), 1..20)) {
        let builder = build(&records);
        let size_bytes = builder.size_bytes();
        let batch = builder.finish();
        prop_assert_eq!(batch.len(), size_bytes);
        let info = validate(&batch, BATCH_BYTES_MAX).unwrap();
        prop_assert_eq!(info.record_count as usize, records.len());
        prop_assert_eq!(Some(info.max_timestamp_ms), records.iter().map(|record| record.0).max());
        let sizes = RecordWalk::new(&batch).unwrap().map(|record| record.unwrap().size_bytes).collect::<Vec<_>>();
        prop_assert_eq!(sizes.iter().sum::<usize>(), size_bytes - HEADER_BYTES);
        prop_assert_eq!(Some(info.largest_record_bytes as usize), sizes.into_iter().max());
        let walked: Vec<OwnedRecord> = RecordWalk::new(&batch)
            .unwrap()
            .map(|record| {
                let record = record.unwrap();
                let headers = record.headers.map(|header| {
                    let header = header.unwrap();
                    (header.key.to_vec(), header.value.map(<[u8]>::to_vec))
                });
                let timestamp_ms = info.base_timestamp_ms + record.timestamp_delta_ms;
                let headers = headers.collect();
                (timestamp_ms, record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec), headers)
            })
            .collect();
        prop_assert_eq!(walked, records);
    }

    #[test]
    fn stamp_comes_back(id in 0..=i64::MAX, epoch in 0..=i16::MAX, sequence in 0..=i32::MAX) {
        let mut builder = three_records();
        let (id, epoch) = (ProducerId(id.cast_unsigned()), ProducerEpoch(epoch.cast_unsigned()));
        builder.stamp(id, epoch, sequence.cast_unsigned());
        let stamp = validate(&builder.finish(), BATCH_BYTES_MAX).unwrap().producer.unwrap();
        prop_assert_eq!((stamp.id, stamp.epoch, stamp.base_sequence), (id, epoch, sequence.cast_unsigned()));
        let last = (i64::from(sequence) + 2) % (i64::from(i32::MAX) + 1);
        prop_assert_eq!(i64::from(stamp.last_sequence), last);
    }

    #[test]
    fn varints_of_any_value_come_back(value: i64, small: i32) {
        for value in [value, i64::from(small)] {
            let mut out = bytes::BytesMut::new();
            put_varint(&mut out, value);
            prop_assert_eq!(out.len(), varint_bytes(value));
            let mut cursor = Cursor::new(&out, 0);
            prop_assert_eq!(cursor.varint64(), Ok(value));
            prop_assert_eq!(cursor.left_bytes(), 0);
            let narrow = i32::try_from(value).ok();
            prop_assert_eq!(Cursor::new(&out, 0).varint32().ok(), narrow);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        read_all_ways(&bytes);
    }

    #[test]
    fn arbitrary_records_under_a_right_checksum_never_panic(
        record_count in 1..5_u32,
        records in vec(prop_oneof![0..12_u8, any::<u8>()], 0..120),
    ) {
        read_all_ways(&super::with_records(record_count, &records));
    }

    #[test]
    fn changed_bytes_under_a_right_checksum_never_panic(changes in vec((8..197_usize, any::<u8>()), 1..6)) {
        let mut batch = three_records().finish();
        for (at, byte) in changes {
            batch[at] = byte;
        }
        seal(&mut batch);
        read_all_ways(&batch);
    }
}

#[test]
fn any_single_flipped_bit_under_the_checksum_is_refused() {
    let batch = three_records().finish();
    for bit in 17 * 8..batch.len() * 8 {
        let mut flipped = batch.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(validate(&flipped, BATCH_BYTES_MAX).is_err(), "bit {bit}");
    }
}
