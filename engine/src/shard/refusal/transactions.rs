//! Why something about transactions, groups or several partitions together was not done.

use super::Action;
use crate::limits::{TRANSACTION_TIMEOUT_MS_MAX, TRANSACTION_TIMEOUT_MS_MIN};
use crate::model::{GroupId, PartitionId, ShardId, TopicId, TransactionKey, TransactionalId};

/// A refused request about transactions, groups or several partitions together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionRefusal {
    /// The transaction was aborted, or nobody knows any more how it ended: nothing of the request counts.
    #[error(
        "transaction {0} was aborted, or is not known any more, nothing of the request counts: abort it and begin another one"
    )]
    Aborted(TransactionKey),
    /// The transaction counts.
    #[error("transaction {0} was committed: nothing can be added to it or taken back")]
    Committed(TransactionKey),
    /// No transactional id has this producer.
    #[error("no transactional id has the producer of transaction {0}: open the transactional id again")]
    UnknownTransaction(TransactionKey),
    /// Another instance has the transactional id.
    #[error("transaction {0} is of an instance whose transactional id another one took over: stop")]
    Fenced(TransactionKey),
    /// The shard with the coordinator did not answer.
    #[error("shard {0}, which coordinates the transaction, does not answer: retry later")]
    CoordinatorSilent(ShardId),
    /// There is no room for more transactional ids, transactions or participants.
    #[error(
        "shard {0} has no room for more transactions, or the transaction writes to too many partitions: retry later"
    )]
    NoRoom(ShardId),
    /// Keys are for ever, and a transaction could take its records back.
    #[error(
        "topic {0} has idempotency keys and takes no batches of transactions or of several partitions together: send them by themselves, its keys keep them from being stored twice"
    )]
    KeyedTopic(TopicId),
    /// A transaction would change the offsets that were asked for.
    #[error("a transaction with offsets of group {0} is not decided: retry")]
    OffsetsUndecided(GroupId),
    /// There is no room for more offsets.
    #[error("shard {0} has no room for more offsets of groups: delete groups that are not used any more")]
    GroupsFull(ShardId),
    /// Nothing is known of the group.
    #[error("group {0} is not known: no offset was committed for it")]
    UnknownGroup(GroupId),
    /// No transaction may take so long.
    #[error(
        "a transaction's time-out of {0} ms: choose {TRANSACTION_TIMEOUT_MS_MIN} to {TRANSACTION_TIMEOUT_MS_MAX} ms"
    )]
    Timeout(u32),
    /// Another shard coordinates the transactional id.
    #[error("transactional id {0} is coordinated by another shard: send it where its name leads")]
    UnknownId(TransactionalId),
    /// Of batches that belong together some are stored.
    #[error(
        "of the batches that are to be stored together some are stored already: send the same batches in the same request"
    )]
    StoredApart,
    /// Batches or offsets that belong together are not as they must be.
    #[error("batches or offsets to be stored together: {0}")]
    Together(&'static str),
    /// The producer of the batch has a transaction in the partition, to which the batch does not belong.
    #[error(
        "the batch for partition {0} is of a producer with an open transaction and is not part of it: send it as part of the transaction"
    )]
    OutsideTransaction(PartitionId),
}

impl TransactionRefusal {
    /// The number that stands for this refusal in every protocol.
    pub fn code(&self) -> u16 {
        match self {
            Self::Aborted(_) => 60,
            Self::Committed(_) => 61,
            Self::UnknownTransaction(_) => 62,
            Self::Fenced(_) => 63,
            Self::CoordinatorSilent(_) => 64,
            Self::NoRoom(_) => 65,
            Self::KeyedTopic(_) => 66,
            Self::OffsetsUndecided(_) => 67,
            Self::GroupsFull(_) => 68,
            Self::UnknownGroup(_) => 69,
            Self::Timeout(_) => 70,
            Self::UnknownId(_) => 71,
            Self::StoredApart => 72,
            Self::Together(_) => 73,
            Self::OutsideTransaction(_) => 74,
        }
    }

    /// What the client must do.
    pub fn action(&self) -> Action {
        match self {
            Self::Aborted(_) => Action::AbortTransaction,
            Self::Fenced(_) => Action::Fenced,
            Self::CoordinatorSilent(_) | Self::NoRoom(_) | Self::OffsetsUndecided(_) => Action::Retry,
            Self::Committed(_)
            | Self::UnknownTransaction(_)
            | Self::KeyedTopic(_)
            | Self::GroupsFull(_)
            | Self::UnknownGroup(_)
            | Self::Timeout(_)
            | Self::UnknownId(_)
            | Self::StoredApart
            | Self::Together(_)
            | Self::OutsideTransaction(_) => Action::FixRequest,
        }
    }
}
