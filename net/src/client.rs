//! The client library: a blocking [`Client`], its [`Producer`] and its [`Consumer`].
//!
//! [`core`] decides everything and knows neither sockets nor clocks: time is an argument, frames are bytes.
//! [`blocking`] puts one thread with sockets around it. What a caller may rely on:
//!
//! - Every record that [`Producer::send`] took ends in exactly one outcome, at the latest about one request timeout
//!   after its delivery timeout: stored with a [`Receipt`], certainly not stored, or [`SendError::OutcomeUnknown`].
//! - An idempotent producer, which is the default, stores no record twice and keeps the order of each partition.
//! - In a topic with idempotency keys no payment is stored twice, whoever sends it: what is stored already gets its
//!   original receipt, and another payment under its key is refused with [`SendError::KeyConflict`]. A record
//!   that repeats a payment of its batch has the outcome of that one.
//! - Partitions that are added to a topic are used by its producers, and read by consumers of all partitions, once the
//!   client has heard of them: at the latest when what it knows of the topics is
//!   [`metadata_age_max`](ClientSettings::metadata_age_max) old. From then on the records of a key may go to another
//!   partition than before.
//! - What a [`Transaction`] sends, to any topics, and the offsets of groups that it commits count together or not at all.
//!   Every error of it says which: [`TransactionError::Abortable`] (nothing counts), [`TransactionError::Fatal`] (another
//!   instance has the transactional id), or [`TransactionError::OutcomeUnknown`], after which
//!   [`TransactionalProducer::find_out`] tells.
//! - Nothing is flushed when a handle is dropped: what had not been sent is not stored, what had been is of unknown
//!   outcome. Call [`Producer::flush`] or wait for the deliveries first.

pub mod blocking;
pub mod core;
mod error;
mod settings;

pub use blocking::{Client, Consumer, Delivery, Listed, Producer, Transaction, TransactionalProducer};
pub use core::batch_view::{ConsumedBatch, ConsumedRecord};
pub use error::{BatchFault, ClientError, SendError, TransactionError};
pub use florin_engine::catalogue::{TopicChange, TopicSettings};
pub use florin_engine::format::control::{GroupOffset, KeyRule, KeyRuleError, KeySource, Partitioner};
pub use florin_engine::model::{GroupId, NameError, TransactionKey, TransactionOutcome, TransactionalId};
pub use florin_engine::partition::Isolation;
pub use florin_engine::shard::KeyReceipt;
pub use florin_engine::transaction::{Ended, TransactionState, TransactionStatus, Unnoted};
pub use settings::{
    AlteredTopic, ClientSettings, ConsumerSettings, DescribedTopic, FoundKey, ProducerSettings, Receipt, Record, Start,
    TransactionSettings,
};
