//! What can go wrong, in words that say what is known and what to do.

use std::time::Duration;

use florin_engine::format::batch::BatchError;
use florin_engine::format::control::KeySource;
use florin_engine::model::{NameError, Offset, ProducerEpoch, Realtime};
use thiserror::Error;

use crate::protocol::ErrorResponse;

/// Why a request of a client or a consumer has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ClientError {
    /// No server could be reached.
    #[error("no connection to {servers}: {reason}; check that florin runs there and that the address is its port")]
    Connect {
        /// The addresses tried.
        servers: String,
        /// Why the last attempt failed.
        reason: String,
    },
    /// The server said no.
    #[error("the server refused: {0}")]
    Refused(ErrorResponse),
    /// There was no answer in time, and nothing was changed.
    #[error("{what} was not answered within {after:?}: nothing was changed, ask again or allow more time")]
    TimedOut {
        /// What was asked for.
        what: String,
        /// The time allowed.
        after: Duration,
    },
    /// It may have happened or not.
    #[error("{what} may have happened or not ({reason}): look at what there is before it is repeated")]
    OutcomeUnknown {
        /// What was asked for.
        what: String,
        /// Why it is unknown.
        reason: String,
    },
    /// The connection broke and could not be made again in time; nothing was changed.
    #[error("{what} lost its connection ({reason}): nothing was changed, ask again")]
    Disconnected {
        /// What was asked for.
        what: String,
        /// Why the connection ended.
        reason: String,
    },
    /// What the server sent is not the protocol.
    #[error("{server} does not speak this client's protocol: {reason}; check the port and the versions of both")]
    Protocol {
        /// The server's address.
        server: String,
        /// What is wrong.
        reason: String,
    },
    /// No server would take this name.
    #[error("{0}")]
    Name(#[from] NameError),
    /// A batch that was fetched is not what its producer sent, or not what was asked for. It was not handed out.
    #[error("topic {topic}, partition {partition}, offset {offset}: {fault}; nothing from there on was handed out")]
    Batch {
        /// The topic's name.
        topic: String,
        /// The partition.
        partition: u32,
        /// The offset that was next.
        offset: Offset,
        /// What is wrong.
        fault: BatchFault,
    },
    /// The client's thread has ended.
    #[error("the client is closed: make a new one")]
    Closed,
}

/// Why a transaction does not go on. Each says whether it counts, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TransactionError {
    /// Nothing of it counts, and nothing ever will.
    #[error("nothing of the transaction counts ({reason}): abort it, then begin another one")]
    Abortable {
        /// Why.
        reason: String,
    },
    /// It counts or not, as a whole.
    #[error(
        "the transaction is committed or aborted, which of them is not known ({reason}): find out before you go on"
    )]
    OutcomeUnknown {
        /// Why it is unknown.
        reason: String,
    },
    /// This instance can do nothing more: another one has the transactional id, or the server has forgotten it.
    #[error(
        "this instance does not have its transactional id any more ({reason}): stop, or open it again if it is to have it"
    )]
    Fatal {
        /// Why.
        reason: String,
    },
}

/// What is wrong with a fetched batch.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BatchFault {
    /// Its bytes break a rule, its checksum for instance.
    #[error("the batch is damaged ({0}): read it again, and have the server's disk checked if that gives the same")]
    Damaged(#[from] BatchError),
    /// It is not the batch that follows.
    #[error("a batch of the offsets {first} to {last} came instead: the server is wrong, report it")]
    Misplaced {
        /// Offset of its first record.
        first: Offset,
        /// Offset of its last record.
        last: Offset,
    },
    /// Its records are compressed.
    #[error("the batch is compressed, which this client cannot read: seek behind it, or read with another client")]
    Compressed,
}

/// Why a record has no receipt. Each says whether it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// Not stored: the server said no.
    #[error("the record is not stored, the server refused it: {0}")]
    Refused(ErrorResponse),
    /// Not stored: its time was over before it could be sent.
    #[error("the record is not stored, it could not be sent in time: check the server, or allow more time or buffer")]
    TimedOut,
    /// Stored or not. It is never sent again by this client.
    #[error(
        "the record may be stored or not ({reason}): send it again if its topic has idempotency keys; otherwise read the partition before you send it again under another identity"
    )]
    OutcomeUnknown {
        /// Why it is unknown.
        reason: String,
    },
    /// Stored, but so long ago that the server no longer knows its offset.
    #[error(
        "the record is stored in partition {partition}, but its receipt is gone: read the partition for its offset"
    )]
    StoredReceiptLost {
        /// The partition.
        partition: u32,
    },
    /// Not stored: it cannot be part of any batch.
    #[error("the record is not stored: {0}")]
    Record(#[from] BatchError),
    /// Not stored: the topic has no such partition.
    #[error("the record is not stored: partition {partition} does not exist, the topic has {partition_count}")]
    Partition {
        /// The partition asked for.
        partition: u32,
        /// The partitions there are.
        partition_count: u32,
    },
    /// Not stored: its topic has idempotency keys, and it has none, or an empty one.
    #[error("the record is not stored: it has no idempotency key, which its topic takes from {place}")]
    KeyMissing {
        /// Where the key should be.
        place: KeySource,
    },
    /// Not stored: the header that holds the idempotency key is there twice.
    #[error("the record is not stored: it has its idempotency key twice, send one header {name:?}")]
    KeyTwice {
        /// The header.
        name: Box<str>,
    },
    /// Not stored: its idempotency key says which partition it belongs to, and another one was asked for.
    #[error(
        "the record is not stored: by its idempotency key it belongs to partition {belongs}, not {partition}: name no partition"
    )]
    KeyElsewhere {
        /// The partition asked for.
        partition: u32,
        /// The one that it belongs to.
        belongs: u32,
    },
    /// Not stored: another payment is stored under its idempotency key.
    #[error(
        "the record is not stored: another payment has its idempotency key, at offset {offset} of partition {partition}: give it a key of its own, or read what is stored there"
    )]
    KeyConflict {
        /// The partition.
        partition: u32,
        /// The offset of the other one.
        offset: Offset,
        /// When that was appended.
        append_time: Realtime,
    },
    /// Not stored: every epoch of the producer was used, one per unknown outcome.
    #[error("the record is not stored: the producer has no epoch behind {epoch}, make a new producer")]
    EpochsUsedUp {
        /// The last epoch.
        epoch: ProducerEpoch,
    },
    /// It does not count: its transaction can only be aborted.
    #[error("the record does not count, its transaction has to be aborted: {reason}")]
    TransactionBroken {
        /// Why.
        reason: String,
    },
    /// Not stored: there is no transaction that it could be part of.
    #[error("the record is not stored: no transaction is open that it could be part of, begin one")]
    NoTransaction,
    /// Not stored: the producer or its client was dropped before the record was sent.
    #[error("the record is not stored: its producer was closed before it was sent")]
    Closed,
}
