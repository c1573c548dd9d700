//! Markers: control batches that say in a partition how a transaction ended there.
//!
//! Kafka's layout, <https://kafka.apache.org/documentation/#controlbatch>: attributes transactional and control, the
//! transaction's producer and epoch, base sequence -1, one record. Its key is version i16 and type i16 (0 abort, 1
//! commit), its value version i16, coordinator epoch i32, both 0, and behind what Kafka's clients read the offset of the
//! transaction's first record in the partition, u64. All big-endian.

use super::builder::{BatchBuilder, HEADERS_NONE};
use super::error::BatchError;
use super::header::{BatchHeader, CONTROL_BIT, CRC_START, TRANSACTIONAL_BIT};
use super::record::RecordWalk;
use crate::model::{Offset, TransactionKey, TransactionOutcome};
use bytes::BytesMut;

const KEY_BYTES: usize = 4;
const VALUE_BYTES: usize = 14;
const ATTRIBUTES: u16 = TRANSACTIONAL_BIT | CONTROL_BIT;
const ABORT: u8 = 0;
const COMMIT: u8 = 1;

/// The end of a transaction in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Which transaction.
    pub transaction: TransactionKey,
    /// How it ended.
    pub outcome: TransactionOutcome,
    /// Offset of its first record in the partition.
    pub first_offset: Offset,
}

impl Marker {
    /// Offsets that a marker takes.
    pub const RECORD_COUNT: u32 = 1;

    /// The batch, not placed yet.
    ///
    /// # Panics
    /// If producer or epoch are above what the layout holds.
    pub fn build(&self, timestamp_ms: i64) -> BytesMut {
        let kind = match self.outcome {
            TransactionOutcome::Aborted => ABORT,
            TransactionOutcome::Committed => COMMIT,
        };
        let mut value = [0; VALUE_BYTES];
        value[6..].copy_from_slice(&self.first_offset.0.to_be_bytes());
        let mut builder = BatchBuilder::new();
        let pushed = builder.push(timestamp_ms, Some(&[0, 0, 0, kind]), Some(&value), HEADERS_NONE);
        pushed.expect("a marker fits into a batch");
        let TransactionKey { producer, epoch } = self.transaction;
        let id = i64::try_from(producer.0).expect("producer ids fit a batch");
        let epoch = i16::try_from(epoch.0).expect("producer epochs fit a batch");
        builder.finish_with(ATTRIBUTES, (id, epoch, -1))
    }

    /// The marker that `batch`, one whole batch, is; none if it is no control batch.
    ///
    /// # Errors
    /// If it is a control batch and not such a one, or its checksum or length is wrong.
    pub fn read(batch: &[u8]) -> Result<Option<Self>, BatchError> {
        let header = BatchHeader::read(batch)?;
        if !header.is_control() {
            return Ok(None);
        }
        let wrong = |what| Err(BatchError::Marker { what });
        let (batch_bytes, found_bytes) = (header.size_bytes()?, batch.len());
        if batch_bytes != found_bytes {
            return Err(BatchError::Length { batch_bytes, found_bytes });
        }
        let computed = crc32c::crc32c(&batch[CRC_START..]);
        if computed != header.crc() {
            return Err(BatchError::Checksum { claimed: header.crc(), computed });
        }
        if header.attributes() != ATTRIBUTES || header.record_count()? != Self::RECORD_COUNT {
            return wrong("attributes or number of records");
        }
        let Some(transaction) = header.transaction().filter(|_| header.stamp_fields().2 == -1) else {
            return wrong("producer, epoch or sequence");
        };
        let mut records = RecordWalk::new(batch)?;
        let record = records.next().expect("a batch has a record")?;
        let none_follows = records.next().transpose()?.is_none();
        let is_at = header.max_timestamp_ms() == header.base_timestamp_ms() && record.timestamp_delta_ms == 0;
        if !none_follows || !is_at || record.headers.clone().next().is_some() {
            return wrong("record");
        }
        let (Some(key), Some(value)) = (record.key, record.value) else { return wrong("key or value") };
        let outcome = match <[u8; KEY_BYTES]>::try_from(key) {
            Ok([0, 0, 0, ABORT]) => TransactionOutcome::Aborted,
            Ok([0, 0, 0, COMMIT]) => TransactionOutcome::Committed,
            _ => return wrong("key"),
        };
        match value.split_first_chunk::<6>() {
            Some(([0, 0, 0, 0, 0, 0], offset)) => match <[u8; 8]>::try_from(offset) {
                Ok(offset) => {
                    let first_offset = Offset(u64::from_be_bytes(offset));
                    Ok(Some(Self { transaction, outcome, first_offset }))
                }
                Err(_) => wrong("value"),
            },
            _ => wrong("value"),
        }
    }
}

#[cfg(test)]
mod tests;
