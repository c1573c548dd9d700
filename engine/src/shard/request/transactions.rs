//! What is asked and answered about transactions and about the offsets of consumer groups.

use crate::format::control::GroupOffset;
use crate::model::{GroupId, Offset, PartitionId, Realtime, TransactionKey, TransactionOutcome, TransactionalId};
use crate::transaction::{Ended, TransactionStatus};

/// What is asked of the shard that coordinates a transactional id.
#[derive(Clone, Debug)]
pub enum TransactionRequest {
    /// An instance takes the transactional id over: a transaction of it that is going on is aborted, and whoever had it
    /// before is fenced.
    Open {
        /// The transactional id.
        name: TransactionalId,
        /// How long each of its transactions may take, in milliseconds.
        timeout_ms: u32,
    },
    /// End a transaction.
    End {
        /// The transaction.
        transaction: TransactionKey,
        /// How.
        outcome: TransactionOutcome,
    },
    /// The transactional ids that this shard coordinates.
    List {
        /// Those behind this name.
        after: Option<TransactionalId>,
    },
    /// One transactional id.
    Describe {
        /// Which.
        name: TransactionalId,
    },
}

/// What is asked of the shard that keeps a consumer group's offsets.
#[derive(Clone, Debug)]
pub enum GroupRequest {
    /// Note how far the group has come.
    Commit {
        /// The group.
        group: GroupId,
        /// As part of this transaction: it counts if that is committed.
        transaction: Option<TransactionKey>,
        /// The offsets, each partition once.
        offsets: Vec<GroupOffset>,
    },
    /// How far the group has come.
    Offsets {
        /// The group.
        group: GroupId,
        /// In partitions behind this one.
        after: Option<PartitionId>,
    },
    /// The groups that this shard keeps offsets of.
    List {
        /// Those behind this name.
        after: Option<GroupId>,
    },
    /// Keep nothing of the group any more.
    Forget {
        /// The group.
        group: GroupId,
    },
}

/// The answer to a [`TransactionRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionReply {
    /// The transactional id is the asker's.
    Opened {
        /// Its next transaction.
        next: TransactionKey,
        /// The last one that was decided, as far as it is known.
        last: Option<Ended>,
    },
    /// The transaction is over.
    Ended {
        /// How it ended.
        outcome: TransactionOutcome,
        /// The next transaction of its transactional id.
        next: TransactionKey,
    },
    /// Transactional ids, in the order of their names; there may be more behind the last one.
    List(Vec<TransactionStatus>),
    /// One of them, if it is known.
    Description(Option<Box<TransactionStatus>>),
}

/// The answer to a [`GroupRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupReply {
    /// The offsets are noted; those of a transaction count when it is committed.
    Committed,
    /// Offsets in the order of partitions, and when each was committed; there may be more behind the last one.
    Offsets(Vec<(GroupOffset, Realtime)>),
    /// Groups in the order of their names; there may be more behind the last one.
    List(Vec<GroupId>),
    /// The group is forgotten.
    Forgotten,
}

/// Where the batch of a request with several was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchReceipt {
    /// Offset of its first record.
    pub base_offset: Offset,
    /// When it was appended, the first time.
    pub append_time: Realtime,
}
