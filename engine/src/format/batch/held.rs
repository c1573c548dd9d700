//! A batch with its place.

use bytes::Bytes;

use super::{BatchError, BatchHeader};
use crate::model::{Offset, Realtime, TransactionKey};

/// A placed batch in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBatch {
    /// Offset of its first record.
    pub base_offset: Offset,
    /// Offset of its last record.
    pub last_offset: Offset,
    /// When it was appended.
    pub append_time: Realtime,
    /// How many offsets up to its end were not stable once it was appended: those from the first of the oldest transaction
    /// on that was not decided then; [`UNDECIDED_MAX`] stands for so many or more.
    pub undecided: u32,
    /// The batch, with its base offset filled in.
    pub bytes: Bytes,
}

/// The number of undecided offsets from which on they are not counted any more.
pub const UNDECIDED_MAX: u32 = u32::MAX;

/// The number of undecided offsets of a partition that ends at `next_offset` and is stable up to `stable_offset`.
pub fn undecided(stable_offset: Offset, next_offset: Offset) -> u32 {
    u32::try_from(next_offset.0 - stable_offset.0).unwrap_or(UNDECIDED_MAX)
}

impl HeldBatch {
    /// Offset of the first record behind it.
    pub fn next_offset(&self) -> Offset {
        self.last_offset.plus(1)
    }

    /// Up to here every transaction was decided once the batch was appended; never more than is so.
    pub fn stable_offset(&self) -> Offset {
        match self.undecided {
            UNDECIDED_MAX => Offset(0),
            count => Offset(self.next_offset().0.saturating_sub(u64::from(count))),
        }
    }

    /// Whether it belongs to a transaction, or tells the end of one.
    pub fn transaction(&self) -> Option<TransactionKey> {
        BatchHeader::read(&self.bytes).ok()?.transaction()
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
