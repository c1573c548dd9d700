//! Transactions: writes to several partitions, and to offsets of consumer groups, that count all together or not at all.
//!
//! Every transactional id has one coordinator, on the shard that [`coordinator_of`] names, which also is the shard in its
//! producer ids: so whoever sees a batch knows whom to ask. The coordinator writes down where a transaction writes to
//! before anything of it is stored there, and how it ends before anybody hears of it; then it tells the participants until
//! each has noted that durably.
//!
//! A transaction is a producer *and its epoch*. The epoch moves on with every transaction: whatever comes late, an attempt to
//! end it or a batch of it, is about a transaction that is over, and cannot touch a later one.

use crate::format::control::Partitioner;
use crate::model::{ProducerId, ShardId, TransactionalId};

mod coordinator;
mod message;
mod open;

pub use coordinator::{
    CoordinatorDecodeError, EndRefusal, Ended, ImpossibleRecord, JoinRefusal, Standing, TransactionCoordinator,
    TransactionState, TransactionStatus, Unnoted, next_of,
};
pub use message::{TransactionMessage, Verdict};
pub use open::{
    AbortedTransaction, ImpossibleTransaction, OpenTransaction, PartitionTransactions, TransactionsDecodeError,
};

/// The shard whose coordinator a transactional id has, in a directory of so many shards, which never changes.
pub fn coordinator_of(name: &TransactionalId, shard_count: u16) -> ShardId {
    let shard = Partitioner::Murmur2.partition_of(name.as_str().as_bytes(), u32::from(shard_count));
    ShardId(u16::try_from(shard).expect("below the number of shards"))
}

/// The shard whose coordinator a transaction of this producer has.
pub fn shard_of(producer: ProducerId) -> ShardId {
    ShardId(u16::try_from(producer.0 >> 48).expect("16 bits"))
}

#[cfg(test)]
mod tests;
