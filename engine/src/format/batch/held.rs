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

/// How something that is kept for long is taken from a file that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// As a slice: nearly all of the file is kept, and its memory is given back with the last of it.
    Slice,
    /// As a copy: a slice would keep the memory of the whole file.
    Copy,
}

impl Keep {
    /// A part of a file that was read.
    pub fn take(self, bytes: &Bytes) -> Bytes {
        match self {
            Self::Slice => bytes.clone(),
            Self::Copy => Bytes::copy_from_slice(bytes),
        }
    }
}
