//! One test per rule.

use super::{seal, three_records, with_records};
use crate::format::batch::{
    BatchBuilder, BatchError, HEADERS_NONE, Header, RecordFault, RecordWalk, base_offset, last_offset, size_bytes,
    validate,
};
use crate::limits::{BATCH_BYTES_MAX, BATCH_RECORD_COUNT_MAX};

/// The error for `three_records` after `change`, with a right checksum.
fn refused(change: impl FnOnce(&mut [u8])) -> BatchError {
    let mut batch = three_records().finish();
    change(&mut batch);
    seal(&mut batch);
    validate(&batch, BATCH_BYTES_MAX).unwrap_err()
}

/// The fault of one record whose bytes behind its length are these.
fn fault_of(body: &[u8]) -> RecordFault {
    let mut records = vec![u8::try_from(body.len() * 2).unwrap()];
    records.extend_from_slice(body);
    match validate(&with_records(1, &records), BATCH_BYTES_MAX).unwrap_err() {
        BatchError::Record { index: 0, fault } => fault,
        other => panic!("{other}"),
    }
}

#[test]
fn bytes_shorter_than_a_header_are_refused() {
    let batch = three_records().finish();
    for bytes in 0..61 {
        assert_eq!(validate(&batch[..bytes], BATCH_BYTES_MAX), Err(BatchError::Short { bytes }));
    }
}

#[test]
fn batch_that_is_cut_off_or_followed_by_anything_is_refused() {
    let batch = three_records().finish();
    let length = |found_bytes| Err(BatchError::Length { batch_bytes: 197, found_bytes });
    assert_eq!(validate(&batch[..196], BATCH_BYTES_MAX), length(196));
    assert_eq!(validate(&[&batch[..], &[0]].concat(), BATCH_BYTES_MAX), length(198));
    assert_eq!(validate(&[&batch[..], &batch[..]].concat(), BATCH_BYTES_MAX), length(394));
}

#[test]
fn length_field_below_a_header_is_refused() {
    for batch_length in [48, 0, -1, i32::MIN] {
        let mut batch = three_records().finish();
        batch[8..12].copy_from_slice(&batch_length.to_be_bytes());
        assert_eq!(validate(&batch, BATCH_BYTES_MAX), Err(BatchError::LengthField { batch_length }));
        assert_eq!(size_bytes(&batch), Err(BatchError::LengthField { batch_length }));
    }
}

#[test]
fn batch_above_the_limit_is_refused_and_one_at_the_limit_is_not() {
    let batch = three_records().finish();
    assert!(validate(&batch, 197).is_ok());
    assert_eq!(validate(&batch, 196), Err(BatchError::TooLarge { bytes: 197, bytes_max: 196 }));
    let bytes = BATCH_BYTES_MAX + 1;
    let too_large = BatchError::TooLarge { bytes, bytes_max: BATCH_BYTES_MAX };
    assert_eq!(validate(&vec![0; bytes], usize::MAX), Err(too_large));
}

#[test]
fn other_magic_is_refused() {
    for magic in [0, 1, 3] {
        assert_eq!(refused(|batch| batch[16] = magic), BatchError::Magic { magic });
    }
}

#[test]
fn wrong_checksum_is_refused() {
    let mut batch = three_records().finish();
    batch[20] ^= 1;
    let error = validate(&batch, BATCH_BYTES_MAX).unwrap_err();
    assert_eq!(error, BatchError::Checksum { claimed: 0x4d3c_acc2, computed: 0x4d3c_acc3 });
}

#[test]
fn attribute_bits_that_are_not_for_clients_are_refused() {
    let with_low_bits = |bits: u8| refused(|batch| batch[22] = bits);
    assert_eq!(with_low_bits(0x05), BatchError::CompressionUnknown { code: 5 });
    assert_eq!(with_low_bits(0x07), BatchError::CompressionUnknown { code: 7 });
    assert_eq!(with_low_bits(0x08), BatchError::LogAppendTime);
    assert_eq!(with_low_bits(0x10), BatchError::Transactional);
    assert_eq!(with_low_bits(0x20), BatchError::Control);
    assert_eq!(with_low_bits(0x30), BatchError::Control);
    assert_eq!(with_low_bits(0x40), BatchError::DeleteHorizon);
    assert_eq!(with_low_bits(0x80), BatchError::Attributes { attributes: 0x0080 });
    for bit in 0..8 {
        let error = refused(|batch| batch[21] = 1 << bit);
        assert_eq!(error, BatchError::Attributes { attributes: 0x0100 << bit });
    }
}

#[test]
fn batch_without_records_is_refused() {
    for count in [0, -1, i32::MIN] {
        let error = refused(|batch| batch[57..61].copy_from_slice(&count.to_be_bytes()));
        assert_eq!(error, BatchError::RecordCount { record_count: count });
    }
}

#[test]
fn record_count_that_is_not_one_above_the_last_offset_delta_is_refused() {
    for last_offset_delta in [1, 3, -1, i32::MAX, i32::MIN] {
        let error = refused(|batch| batch[23..27].copy_from_slice(&last_offset_delta.to_be_bytes()));
        assert_eq!(error, BatchError::LastOffsetDelta { last_offset_delta, record_count: 3 });
    }
}

#[test]
fn more_records_than_allowed_are_refused_by_reader_and_builder() {
    let mut builder = BatchBuilder::new();
    for _ in 0..BATCH_RECORD_COUNT_MAX {
        builder.push(0, None, None, HEADERS_NONE).unwrap();
    }
    let record_count = BATCH_RECORD_COUNT_MAX + 1;
    let too_many = BatchError::TooManyRecords { record_count, record_count_max: BATCH_RECORD_COUNT_MAX };
    assert_eq!(builder.push(0, None, None, HEADERS_NONE), Err(too_many));
    assert!(validate(&builder.finish(), BATCH_BYTES_MAX).is_ok());
    assert_eq!(validate(&with_records(record_count, &[]), BATCH_BYTES_MAX), Err(too_many));
}

#[test]
fn count_that_disagrees_with_the_records_is_refused() {
    let record = [0x0c, 0, 0, 0, 1, 1, 0];
    assert!(validate(&with_records(1, &record), BATCH_BYTES_MAX).is_ok());
    let cut_off = BatchError::Record { index: 1, fault: RecordFault::CutOff { position: 68 } };
    assert_eq!(validate(&with_records(2, &record), BATCH_BYTES_MAX), Err(cut_off));
    let two = [0x0c, 0, 0, 0, 1, 1, 0, 0x0c, 0, 0, 2, 1, 1, 0];
    assert!(validate(&with_records(2, &two), BATCH_BYTES_MAX).is_ok());
    assert_eq!(validate(&with_records(1, &two), BATCH_BYTES_MAX), Err(BatchError::TrailingBytes { trailing_bytes: 7 }));
}

#[test]
fn producer_fields_that_are_partly_absent_or_negative_are_refused() {
    let cases = [(-1, 0, 0), (-1, -1, 0), (-1, 0, -1), (0, -1, -1), (0, 0, -1), (0, -1, 0), (-2, -1, -1), (-2, 0, 0)];
    for (id, epoch, base_sequence) in cases {
        let error = refused(|batch| {
            batch[43..51].copy_from_slice(&i64::to_be_bytes(id));
            batch[51..53].copy_from_slice(&i16::to_be_bytes(epoch));
            batch[53..57].copy_from_slice(&i32::to_be_bytes(base_sequence));
        });
        assert_eq!(error, BatchError::Producer { id, epoch, base_sequence });
    }
}

#[test]
fn max_timestamp_that_is_not_the_maximum_is_refused() {
    for claimed_ms in [1_700_000_000_004_i64, 1_700_000_000_006, -1] {
        let error = refused(|batch| batch[35..43].copy_from_slice(&claimed_ms.to_be_bytes()));
        assert_eq!(error, BatchError::MaxTimestamp { claimed_ms, computed_ms: 1_700_000_000_005 });
    }
}

#[test]
fn timestamps_that_overflow_are_refused_by_reader_and_builder() {
    let error = refused(|batch| batch[27..35].copy_from_slice(&i64::MAX.to_be_bytes()));
    assert_eq!(error, BatchError::Record { index: 1, fault: RecordFault::TimestampOverflow });
    let mut builder = BatchBuilder::new();
    builder.push(i64::MIN, None, None, HEADERS_NONE).unwrap();
    assert!(builder.push(0, None, None, HEADERS_NONE).is_err());
    assert_eq!(builder.record_count(), 1);
    assert!(validate(&builder.finish(), BATCH_BYTES_MAX).is_ok());
}

#[test]
fn record_fields_that_make_no_sense_are_refused() {
    assert_eq!(fault_of(&[1, 0, 0, 1, 1, 0]), RecordFault::Attributes { attributes: 1, position: 63 });
    assert_eq!(fault_of(&[0, 0, 2, 1, 1, 0]), RecordFault::OffsetDelta { offset_delta: 1 });
    assert_eq!(fault_of(&[0, 0, 1, 1, 1, 0]), RecordFault::OffsetDelta { offset_delta: -1 });
    assert_eq!(fault_of(&[0, 0, 0, 3, 1, 0]), RecordFault::Length { length: -2, position: 66 });
    assert_eq!(fault_of(&[0, 0, 0, 1, 3, 0]), RecordFault::Length { length: -2, position: 67 });
    assert_eq!(fault_of(&[0, 0, 0, 1, 1, 1]), RecordFault::Length { length: -1, position: 68 });
    assert_eq!(fault_of(&[0, 0, 0, 1, 1, 2, 1, 1]), RecordFault::Length { length: -1, position: 69 });
    assert_eq!(fault_of(&[0, 0, 0, 1, 1, 2, 0, 3]), RecordFault::Length { length: -2, position: 70 });
}

#[test]
fn record_length_that_disagrees_with_its_fields_is_refused() {
    assert_eq!(fault_of(&[]), RecordFault::CutOff { position: 62 });
    assert_eq!(fault_of(&[0, 0, 0, 1, 1]), RecordFault::CutOff { position: 67 });
    assert_eq!(fault_of(&[0, 0, 0, 4, 9, 1, 0]), RecordFault::CutOff { position: 69 });
    assert_eq!(fault_of(&[0, 0, 0, 8, 1, 0]), RecordFault::CutOff { position: 66 });
    assert_eq!(fault_of(&[0, 0, 0, 1, 1, 4, 0, 1]), RecordFault::CutOff { position: 70 });
    assert_eq!(fault_of(&[0, 0, 0, 1, 1, 0, 9]), RecordFault::LeftOver { left_bytes: 1, position: 68 });
    assert_eq!(fault_of(&[0, 0, 0, 1, 1, 2, 0, 1, 9]), RecordFault::LeftOver { left_bytes: 1, position: 70 });
}

#[test]
fn varints_that_do_not_fit_their_fields_are_refused() {
    let too_large_32 = [0, 0, 0xff, 0xff, 0xff, 0xff, 0x10, 1, 1, 0];
    assert_eq!(fault_of(&too_large_32), RecordFault::Varint { position: 64 });
    let six_bytes = [0, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 1, 1, 0];
    assert_eq!(fault_of(&six_bytes), RecordFault::Varint { position: 64 });
    let too_large_64 = [0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 1, 1, 0];
    assert_eq!(fault_of(&too_large_64), RecordFault::Varint { position: 63 });
    let eleven_bytes = [0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0, 1, 1, 0];
    assert_eq!(fault_of(&eleven_bytes), RecordFault::Varint { position: 63 });
    let never_ends = [0, 0x80, 0x80];
    assert_eq!(fault_of(&never_ends), RecordFault::CutOff { position: 63 });
}

#[test]
fn walk_ends_after_its_first_error() {
    let batch = with_records(3, &[0x0c, 0, 0, 0, 1, 1, 0, 0x0c, 1]);
    let mut walk = RecordWalk::new(&batch).unwrap();
    assert!(walk.next().unwrap().is_ok());
    assert!(walk.next().unwrap().is_err());
    assert!(walk.next().is_none() && walk.next().is_none());
}

#[test]
fn builder_refuses_what_does_not_fit_and_stays_as_it_was() {
    let mut builder = BatchBuilder::with_bytes_max(100);
    builder.push(7, Some(b"key"), None, HEADERS_NONE).unwrap();
    let before = builder.clone().finish();
    let header = [Header { key: b"name", value: Some(&[0; 24]) }];
    assert_eq!(builder.push(9, None, None, &header), Err(BatchError::TooLarge { bytes: 108, bytes_max: 100 }));
    assert_eq!((builder.size_bytes(), builder.bytes_max()), (71, 100));
    assert_eq!(builder.finish(), before);
}

#[test]
#[should_panic(expected = "at least one record")]
fn builder_does_not_finish_an_empty_batch() {
    BatchBuilder::new().finish();
}

#[test]
fn negative_base_offset_is_found_when_a_placed_batch_is_read() {
    let mut batch = three_records().finish();
    batch[..8].copy_from_slice(&(-5_i64).to_be_bytes());
    assert_eq!(base_offset(&batch), Err(BatchError::BaseOffset { base_offset: -5 }));
    assert_eq!(last_offset(&batch), Err(BatchError::BaseOffset { base_offset: -5 }));
}
