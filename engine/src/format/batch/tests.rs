//! Batches against known bytes, rule by rule, and against arbitrary bytes.

mod golden;
mod properties;
mod refusals;

use bytes::BytesMut;

use super::header::CRC_START;
use super::{BatchBuilder, Header};

/// A batch of three records that has everything: headers, a null header value, a null key, a null value, a negative
/// timestamp delta and a value whose length takes two bytes.
fn three_records() -> BatchBuilder {
    let time_ms = 1_700_000_000_000;
    let headers = [Header { key: b"trace", value: Some(&[1, 2]) }, Header { key: b"empty", value: None }];
    let mut builder = BatchBuilder::new();
    builder.push(time_ms, Some(b"order-1"), Some(b"capture 12.50 EUR"), &headers).unwrap();
    builder.push(time_ms + 5, None, Some(&[b'v'; 70]), &[]).unwrap();
    builder.push(time_ms - 3, Some(b"k"), None, &[Header { key: b"", value: Some(b"") }]).unwrap();
    builder
}

/// Makes the checksum right again after a test has changed bytes.
fn seal(batch: &mut [u8]) {
    let crc = crc32c::crc32c(&batch[CRC_START..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

/// A batch with the header of `record_count` records, and these bytes as records; length and checksum are right.
fn with_records(record_count: u32, records: &[u8]) -> BytesMut {
    let mut builder = BatchBuilder::new();
    builder.push(0, None, None, &[]).unwrap();
    let mut batch = builder.finish();
    batch.truncate(super::HEADER_BYTES);
    batch.extend_from_slice(records);
    let batch_length = u32::try_from(batch.len() - 12).unwrap();
    batch[8..12].copy_from_slice(&batch_length.to_be_bytes());
    batch[23..27].copy_from_slice(&(record_count - 1).to_be_bytes());
    batch[57..61].copy_from_slice(&record_count.to_be_bytes());
    seal(&mut batch);
    batch
}
