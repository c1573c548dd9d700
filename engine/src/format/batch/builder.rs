//! Builds uncompressed batches, for clients and tests. The twin of [`RecordWalk`](super::RecordWalk).

use bytes::{BufMut, BytesMut};
use zerocopy::IntoBytes;

use super::error::{BatchError, RecordFault};
use super::header::{BatchFields, BatchHeader, CRC_START, HEADER_BYTES, TRANSACTIONAL_BIT};
use super::producer_stamp::SEQUENCE_COUNT;
use super::record::Header;
use super::varint::{put_varint, varint_bytes};
use crate::limits::{BATCH_BYTES_MAX, BATCH_RECORD_COUNT_MAX};
use crate::model::{ProducerEpoch, ProducerId};

/// For records without headers.
pub const HEADERS_NONE: &[Header<'static>] = &[];

/// A batch being built, record by record.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    buffer: BytesMut,
    bytes_max: usize,
    record_count: u32,
    base_timestamp_ms: Option<i64>,
    max_timestamp_ms: i64,
    producer: Option<(ProducerId, ProducerEpoch, u32)>,
    is_transactional: bool,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchBuilder {
    /// An empty batch that may grow to [`BATCH_BYTES_MAX`] bytes.
    pub fn new() -> Self {
        Self::with_bytes_max(BATCH_BYTES_MAX)
    }

    /// An empty batch that may grow to `bytes_max` bytes, header included, but never above [`BATCH_BYTES_MAX`].
    pub fn with_bytes_max(bytes_max: usize) -> Self {
        Self {
            buffer: BytesMut::zeroed(HEADER_BYTES),
            bytes_max: bytes_max.min(BATCH_BYTES_MAX),
            record_count: 0,
            base_timestamp_ms: None,
            max_timestamp_ms: i64::MIN,
            producer: None,
            is_transactional: false,
        }
    }

    /// An empty batch for some of the records of another one, with its base timestamp: no record takes more bytes than
    /// it does there.
    pub fn for_part(base_timestamp_ms: i64) -> Self {
        Self { base_timestamp_ms: Some(base_timestamp_ms), ..Self::new() }
    }

    /// Stamps the batch; the last call before [`BatchBuilder::finish`] counts.
    ///
    /// # Panics
    /// If a number is above what the layout holds: id `i64::MAX`, epoch `i16::MAX`, sequence `i32::MAX`.
    pub fn stamp(&mut self, id: ProducerId, epoch: ProducerEpoch, base_sequence: u32) -> &mut Self {
        assert!(id.0 <= i64::MAX.cast_unsigned(), "producer id {id} does not fit a batch");
        assert!(epoch.0 <= i16::MAX.cast_unsigned(), "producer epoch {epoch} does not fit a batch");
        assert!(base_sequence < SEQUENCE_COUNT, "sequence {base_sequence} does not fit a batch");
        self.producer = Some((id, epoch, base_sequence));
        self
    }

    /// Makes the batch a part of its producer's transaction, or not; the last call before [`BatchBuilder::finish`] counts.
    pub fn transactional(&mut self, is_transactional: bool) -> &mut Self {
        self.is_transactional = is_transactional;
        self
    }

    /// Appends a record. The first one's timestamp becomes the batch's base timestamp, if there is none yet.
    ///
    /// # Errors
    /// If the batch would get too large or have too many records, or the timestamps lie further apart than 64 bits
    /// tell. The batch is as it was.
    pub fn push(
        &mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Result<(), BatchError> {
        if self.record_count == BATCH_RECORD_COUNT_MAX {
            return Err(BatchError::TooManyRecords {
                record_count: self.record_count + 1,
                record_count_max: BATCH_RECORD_COUNT_MAX,
            });
        }
        let base_timestamp_ms = self.base_timestamp_ms.unwrap_or(timestamp_ms);
        let timestamp_delta_ms = timestamp_ms
            .checked_sub(base_timestamp_ms)
            .ok_or(BatchError::Record { index: self.record_count, fault: RecordFault::TimestampOverflow })?;
        let body_bytes = body_bytes(timestamp_delta_ms, self.record_count, key, value, headers);
        let bytes = self.buffer.len() + varint_bytes(signed(body_bytes)) + body_bytes;
        if bytes > self.bytes_max {
            return Err(BatchError::TooLarge { bytes, bytes_max: self.bytes_max });
        }
        put_varint(&mut self.buffer, signed(body_bytes));
        self.buffer.put_u8(0);
        put_varint(&mut self.buffer, timestamp_delta_ms);
        put_varint(&mut self.buffer, i64::from(self.record_count));
        put_nullable(&mut self.buffer, key);
        put_nullable(&mut self.buffer, value);
        put_varint(&mut self.buffer, signed(headers.len()));
        for header in headers {
            put_nullable(&mut self.buffer, Some(header.key));
            put_nullable(&mut self.buffer, header.value);
        }
        assert_eq!(self.buffer.len(), bytes, "a record takes as many bytes as were counted");
        self.record_count += 1;
        self.base_timestamp_ms = Some(base_timestamp_ms);
        self.max_timestamp_ms = self.max_timestamp_ms.max(timestamp_ms);
        Ok(())
    }

    /// Bytes of the batch so far, header included.
    pub fn size_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Bytes the batch may have.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Records so far.
    pub fn record_count(&self) -> u32 {
        self.record_count
    }

    /// Whether there is no record yet.
    pub fn is_empty(&self) -> bool {
        self.record_count == 0
    }

    /// The whole batch, with its checksum, not placed yet.
    ///
    /// # Panics
    /// If there is no record.
    pub fn finish(self) -> BytesMut {
        let stamp = match self.producer {
            None => (-1, -1, -1),
            Some((id, epoch, sequence)) => (id.0.cast_signed(), epoch.0.cast_signed(), sequence.cast_signed()),
        };
        let attributes = if self.is_transactional { TRANSACTIONAL_BIT } else { 0 };
        self.finish_with(attributes, stamp)
    }

    /// The same with these attributes, producer id, epoch and first sequence.
    pub(super) fn finish_with(
        mut self,
        attributes: u16,
        (producer_id, producer_epoch, base_sequence): (i64, i16, i32),
    ) -> BytesMut {
        let Ok(record_bytes) = i32::try_from(self.buffer.len() - HEADER_BYTES) else {
            panic!("a batch is at most {BATCH_BYTES_MAX} bytes");
        };
        let mut header = BatchHeader::build(&BatchFields {
            attributes,
            record_bytes,
            record_count: self.record_count.cast_signed(),
            base_timestamp_ms: self.base_timestamp_ms.unwrap_or(0),
            max_timestamp_ms: self.max_timestamp_ms,
            producer_id,
            producer_epoch,
            base_sequence,
        });
        self.buffer[..HEADER_BYTES].copy_from_slice(header.as_bytes());
        header.seal(crc32c::crc32c(&self.buffer[CRC_START..]));
        self.buffer[..HEADER_BYTES].copy_from_slice(header.as_bytes());
        self.buffer
    }
}

/// Bytes of a record behind its length.
fn body_bytes(
    timestamp_delta_ms: i64,
    index: u32,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[Header<'_>],
) -> usize {
    let mut bytes = 1 + varint_bytes(timestamp_delta_ms) + varint_bytes(i64::from(index));
    bytes += nullable_bytes(key) + nullable_bytes(value) + varint_bytes(signed(headers.len()));
    for header in headers {
        bytes += nullable_bytes(Some(header.key)) + nullable_bytes(header.value);
    }
    bytes
}

fn nullable_bytes(field: Option<&[u8]>) -> usize {
    field.map_or(1, |bytes| varint_bytes(signed(bytes.len())) + bytes.len())
}

fn put_nullable(out: &mut BytesMut, field: Option<&[u8]>) {
    match field {
        None => put_varint(out, -1),
        Some(bytes) => {
            put_varint(out, signed(bytes.len()));
            out.put_slice(bytes);
        }
    }
}

/// A length in memory, which is never above `i64::MAX`.
fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
