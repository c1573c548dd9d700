//! What is asked and answered about idempotency keys.

use bytes::Bytes;

use crate::format::batch::BatchInfo;
use crate::key::Keying;
use crate::key_run::look_up::KeyPiece;
use crate::model::{Offset, PartitionId, Realtime};

/// Where a record with an idempotency key is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyReceipt {
    /// Its offset.
    pub offset: Offset,
    /// When it was appended.
    pub append_time: Realtime,
}

/// Whose keys are to be found, away from the shard's thread.
#[derive(Clone, Debug)]
pub struct DeriveKeys {
    /// The partition that the batch is for.
    pub partition: PartitionId,
    /// By what rule.
    pub keying: Keying,
    /// The batch.
    pub batch: Bytes,
    /// What is known of it.
    pub info: BatchInfo,
}

/// What is to be read of key runs.
#[derive(Clone, Debug)]
pub struct ReadKeys {
    /// The partition that waits for it.
    pub partition: PartitionId,
    /// What; nothing: it is over once others had their turn.
    pub pieces: Vec<KeyPiece>,
}
