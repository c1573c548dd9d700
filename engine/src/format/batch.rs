//! Record batches: Kafka's record batch v2 (magic 2), which travels unchanged from the client to the journal, the
//! consumer.
//!
//! Layout: <https://kafka.apache.org/documentation/#recordbatch>. All integers of the header are big-endian; the
//! records behind it are built of zigzag varints. The client computes the CRC-32C over everything from the
//! attributes to the end; Florin checks it once, in [`validate`], and afterwards only ever fills in the base offset
//! and the leader epoch, which lie before it ([`place`]). So the checksum is end to end.

mod builder;
mod decompress;
mod error;
mod header;
mod held;
mod marker;
mod producer_stamp;
mod record;
#[cfg(test)]
mod tests;
mod varint;

pub use builder::{BatchBuilder, HEADERS_NONE};
pub use decompress::{DecompressError, decompress};
pub use error::{BatchError, RecordFault};
pub use header::{BatchHeader, Compression, HEADER_BYTES, LEADER_EPOCH, MAGIC};
pub use held::{HeldBatch, Keep, UNDECIDED_MAX, undecided};
pub use marker::Marker;
pub use producer_stamp::{ProducerStamp, SEQUENCE_COUNT, sequence_distance, sequence_plus};
pub use record::{Header, HeaderWalk, Record, RecordWalk};

use crate::limits::{BATCH_BYTES_MAX, BATCH_RECORD_COUNT_MAX};
use crate::model::{Offset, TransactionKey};

/// What [`validate`] found in a batch, so that nobody reads it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchInfo {
    /// Records in the batch, at least 1.
    pub record_count: u32,
    /// Offset of the last record less that of the first: `record_count - 1`.
    pub last_offset_delta: u32,
    /// The client's CRC-32C, found right.
    pub crc: u32,
    /// The time to which the records' timestamps are relative, in Unix milliseconds of the client's clock.
    pub base_timestamp_ms: i64,
    /// The latest timestamp of a record, in Unix milliseconds of the client's clock. Of a compressed batch as the
    /// client claims it.
    pub max_timestamp_ms: i64,
    /// How the records are compressed.
    pub compression: Compression,
    /// Bytes of the largest record, its length field included. Of a compressed batch all its bytes: nobody looked into
    /// it.
    pub largest_record_bytes: u32,
    /// Who sent the batch, if the client wants it stored exactly once.
    pub producer: Option<ProducerStamp>,
    /// Whether it belongs to a transaction of that producer.
    pub is_transactional: bool,
}

impl BatchInfo {
    /// The transaction that it belongs to.
    pub fn transaction(&self) -> Option<TransactionKey> {
        let stamp = self.producer.filter(|_| self.is_transactional)?;
        Some(TransactionKey { producer: stamp.id, epoch: stamp.epoch })
    }
}

/// A batch as a journal or a segment file holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredBatch {
    /// Records of a client.
    Records(BatchInfo),
    /// A server's word that a transaction ended.
    Marker(Marker),
}

impl StoredBatch {
    /// Offsets that it takes.
    pub fn record_count(&self) -> u32 {
        match self {
            Self::Records(info) => info.record_count,
            Self::Marker(_) => 1,
        }
    }
}

/// The same check as [`validate`] of what was stored: markers are right as well.
///
/// # Errors
/// The first thing found wrong. Nothing about the batch may be used then.
pub fn validate_stored(bytes: &[u8]) -> Result<StoredBatch, BatchError> {
    match Marker::read(bytes)? {
        Some(marker) => Ok(StoredBatch::Marker(marker)),
        None => validate(bytes, bytes.len()).map(StoredBatch::Records),
    }
}

/// The one check of what a client sends: `bytes` is exactly one batch of at most `bytes_max` bytes (and never more
/// than [`BATCH_BYTES_MAX`]) that may be stored as it is.
///
/// One pass for the checksum, one over the records unless they are compressed, no allocation.
///
/// # Errors
/// The first thing found wrong. Nothing about the batch may be used then.
pub fn validate(bytes: &[u8], bytes_max: usize) -> Result<BatchInfo, BatchError> {
    let bytes_max = bytes_max.min(BATCH_BYTES_MAX);
    if bytes.len() > bytes_max {
        return Err(BatchError::TooLarge { bytes: bytes.len(), bytes_max });
    }
    let header = BatchHeader::read(bytes)?;
    let batch_bytes = header.size_bytes()?;
    if batch_bytes != bytes.len() {
        return Err(BatchError::Length { batch_bytes, found_bytes: bytes.len() });
    }
    let crc = crc32c::crc32c(&bytes[header::CRC_START..]);
    if crc != header.crc() {
        return Err(BatchError::Checksum { claimed: header.crc(), computed: crc });
    }
    let compression = header.client_compression()?;
    let record_count = header.record_count()?;
    if record_count > BATCH_RECORD_COUNT_MAX {
        return Err(BatchError::TooManyRecords { record_count, record_count_max: BATCH_RECORD_COUNT_MAX });
    }
    let producer = header.producer_stamp(record_count)?;
    let largest_record_bytes = match compression {
        Compression::None => check_records(bytes, header)?,
        Compression::Gzip | Compression::Snappy | Compression::Lz4 | Compression::Zstd => bytes.len(),
    };
    Ok(BatchInfo {
        record_count,
        last_offset_delta: record_count - 1,
        crc,
        base_timestamp_ms: header.base_timestamp_ms(),
        max_timestamp_ms: header.max_timestamp_ms(),
        compression,
        largest_record_bytes: u32::try_from(largest_record_bytes).expect("a batch is bounded"),
        producer,
        is_transactional: header.is_transactional(),
    })
}

/// Walks every record and header of an uncompressed batch, and holds their timestamps against the header's. Returns
/// the bytes of the largest record.
fn check_records(bytes: &[u8], header: &BatchHeader) -> Result<usize, BatchError> {
    let base_timestamp_ms = header.base_timestamp_ms();
    let mut max_timestamp_ms = i64::MIN;
    let mut largest_bytes = 0;
    for record in RecordWalk::new(bytes)? {
        let record = record?;
        let index = record.offset_delta;
        let timestamp_ms = base_timestamp_ms
            .checked_add(record.timestamp_delta_ms)
            .ok_or(BatchError::Record { index, fault: RecordFault::TimestampOverflow })?;
        max_timestamp_ms = max_timestamp_ms.max(timestamp_ms);
        largest_bytes = largest_bytes.max(record.size_bytes);
        for record_header in record.headers {
            record_header?;
        }
    }
    if max_timestamp_ms != header.max_timestamp_ms() {
        return Err(BatchError::MaxTimestamp { claimed_ms: header.max_timestamp_ms(), computed_ms: max_timestamp_ms });
    }
    Ok(largest_bytes)
}

/// Gives a validated batch its place: writes the offset of its first record, and leader epoch [`LEADER_EPOCH`].
/// Neither is covered by the checksum.
///
/// # Panics
/// If the batch is shorter than a header or the offset is above `i64::MAX`: both are the caller's broken invariant.
pub fn place(batch: &mut [u8], base_offset: Offset) {
    BatchHeader::of_placed(batch).place(base_offset);
}

/// The offset of the first record of a placed batch. Of `bytes` only the header is read.
///
/// # Errors
/// If there is no whole header, or it holds a negative offset.
pub fn base_offset(bytes: &[u8]) -> Result<Offset, BatchError> {
    BatchHeader::read(bytes)?.base_offset()
}

/// The offset of the last record of a placed batch. Of `bytes` only the header is read.
///
/// # Errors
/// If there is no whole header, or its offsets or its count make no sense.
pub fn last_offset(bytes: &[u8]) -> Result<Offset, BatchError> {
    let header = BatchHeader::read(bytes)?;
    let base_offset = header.base_offset()?;
    let last_offset_delta = header.record_count()? - 1;
    Ok(base_offset.plus(u64::from(last_offset_delta)))
}

/// The CRC-32C that the batch's own checksum must be: of everything from the attributes to the end. 0 if there is no
/// whole header.
pub fn batch_crc(batch: &[u8]) -> u32 {
    batch.get(header::CRC_START..).map_or(0, crc32c::crc32c)
}

/// The offset of the first record of a placed batch whose timestamp is `timestamp_ms` or later, if there is one. Of a
/// compressed batch, whose records are not looked at, the first record stands for all.
pub fn offset_of_timestamp(batch: &[u8], timestamp_ms: i64) -> Option<Offset> {
    let header = BatchHeader::read(batch).ok()?;
    let base_offset = header.base_offset().ok()?;
    if header.max_timestamp_ms() < timestamp_ms {
        return None;
    }
    let Ok(records) = RecordWalk::new(batch) else { return Some(base_offset) };
    let base_ms = header.base_timestamp_ms();
    let is_late = |record: &Record<'_>| base_ms.saturating_add(record.timestamp_delta_ms) >= timestamp_ms;
    let found = records.map_while(Result::ok).find(is_late)?;
    Some(base_offset.plus(u64::from(found.offset_delta)))
}

/// How many bytes the batch at the start of `bytes` has, header included; `bytes` may go on behind it.
///
/// # Errors
/// If there is no whole header, or the length in it is less than a header. The batch itself may be cut off.
pub fn size_bytes(bytes: &[u8]) -> Result<usize, BatchError> {
    BatchHeader::read(bytes)?.size_bytes()
}
