//! A batch with its place.

use bytes::Bytes;

use super::{BatchError, BatchHeader};
use crate::model::{Offset, Realtime};

/// A placed batch in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBatch {
    /// Offset of its first record.
    pub base_offset: Offset,
    /// Offset of its last record.
    pub last_offset: Offset,
    /// When it was appended.
    pub append_time: Realtime,
    /// The batch, with its base offset filled in.
    pub bytes: Bytes,
}

impl HeldBatch {
    /// Offset of the first record behind it.
    pub fn next_offset(&self) -> Offset {
        self.last_offset.plus(1)
    }

    /// The latest timestamp of a record, in Unix milliseconds of the client's clock, as the header says.
    ///
    /// # Errors
    /// If there is no whole header.
    pub fn max_timestamp_ms(&self) -> Result<i64, BatchError> {
        Ok(BatchHeader::read(&self.bytes)?.max_timestamp_ms())
    }
}
