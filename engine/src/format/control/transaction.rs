//! What a coordinator writes down of transactions. The kinds' numbers and header fields stand in [`super`].
//!
//! | kind | body |
//! | --- | --- |
//! | `TransactionalIdOpened` | producer u64, epoch u16, time-out ms u32, name |
//! | `TransactionJoined` | producer u64, epoch u16, shard u16, participant |
//! | `TransactionDecided` | producer u64, epoch u16, outcome u8, next producer u64, next epoch u16 |
//! | `TransactionSettled` | producer u64, epoch u16 |
//! | `TransactionalIdForgotten` | producer u64 |
//!
//! A name is its length u16 and so many bytes of UTF-8. A participant is 1, topic u64, partition u32; or 2 and a name. An
//! outcome is 0 aborted, 1 committed.

use bytes::{Buf, BufMut};

use crate::limits::{TRANSACTION_TIMEOUT_MS_MAX, TRANSACTION_TIMEOUT_MS_MIN};
use crate::model::{
    GroupId, PartitionId, ProducerEpoch, ProducerId, Realtime, ShardId, TopicId, TransactionKey, TransactionOutcome,
    TransactionalId,
};

const KEY_BYTES: usize = 10;
const PARTITION: u8 = 1;
const GROUP: u8 = 2;

/// Where a transaction has written something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Participant {
    /// Records of a partition.
    Partition(PartitionId),
    /// Offsets of a consumer group.
    Group(GroupId),
}

/// A durable fact of a coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionRecord {
    /// An instance took the transactional id over: its next transaction is this producer's in this epoch.
    Opened {
        /// The transactional id.
        name: TransactionalId,
        /// Its next transaction.
        next: TransactionKey,
        /// How long each of its transactions may take, in milliseconds.
        timeout_ms: u32,
        /// When, Unix nanoseconds.
        time: Realtime,
    },
    /// A transaction writes here; with the first participant it begins.
    Joined {
        /// The transaction.
        transaction: TransactionKey,
        /// Where.
        participant: Participant,
        /// On which shard that is.
        shard: ShardId,
        /// When, Unix nanoseconds.
        time: Realtime,
    },
    /// How a transaction ends is decided.
    Decided {
        /// The transaction.
        transaction: TransactionKey,
        /// How it ends.
        outcome: TransactionOutcome,
        /// The next transaction of the same transactional id.
        next: TransactionKey,
        /// When, Unix nanoseconds.
        time: Realtime,
    },
    /// All participants of a decided transaction know it, durably.
    Settled {
        /// The transaction.
        transaction: TransactionKey,
    },
    /// A transactional id that was idle for too long is forgotten.
    Forgotten {
        /// The producer that its next transaction would have been of.
        producer: ProducerId,
    },
}

/// Why bytes are not such a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    /// They end within it.
    #[error("cut off")]
    CutOff,
    /// They go on behind it.
    #[error("goes on behind its end")]
    Longer,
    /// A number or name that cannot be there.
    #[error("{0} cannot be")]
    Impossible(&'static str),
}

impl From<bytes::TryGetError> for RecordFault {
    fn from(_: bytes::TryGetError) -> Self {
        Self::CutOff
    }
}

impl Participant {
    /// Bytes that [`Participant::put`] writes.
    pub fn encoded_bytes(&self) -> usize {
        match self {
            Self::Partition(_) => 13,
            Self::Group(name) => 3 + name.as_str().len(),
        }
    }

    /// Writes it.
    pub fn put(&self, out: &mut impl BufMut) {
        match self {
            Self::Partition(partition) => {
                out.put_u8(PARTITION);
                put_partition(*partition, out);
            }
            Self::Group(name) => {
                out.put_u8(GROUP);
                put_name(name.as_str(), out);
            }
        }
    }

    /// Reads what [`Participant::put`] wrote.
    ///
    /// # Errors
    /// If it wrote something else.
    pub fn get(buf: &mut &[u8]) -> Result<Self, RecordFault> {
        match buf.try_get_u8()? {
            PARTITION => Ok(Self::Partition(get_partition(buf)?)),
            GROUP => get_group(buf).map(Self::Group),
            _ => Err(RecordFault::Impossible("participant")),
        }
    }
}

impl TransactionRecord {
    pub(super) fn body_bytes(&self) -> usize {
        match self {
            Self::Opened { name, .. } => KEY_BYTES + 6 + name.as_str().len(),
            Self::Joined { participant, .. } => KEY_BYTES + 2 + participant.encoded_bytes(),
            Self::Decided { .. } => 2 * KEY_BYTES + 1,
            Self::Settled { .. } => KEY_BYTES,
            Self::Forgotten { .. } => 8,
        }
    }

    pub(super) fn time(&self) -> Realtime {
        match self {
            Self::Opened { time, .. } | Self::Joined { time, .. } | Self::Decided { time, .. } => *time,
            Self::Settled { .. } | Self::Forgotten { .. } => Realtime(0),
        }
    }

    pub(super) fn put_body(&self, out: &mut impl BufMut) {
        match self {
            Self::Opened { name, next, timeout_ms, .. } => {
                put_key(*next, out);
                out.put_u32_le(*timeout_ms);
                put_name(name.as_str(), out);
            }
            Self::Joined { transaction, participant, shard, .. } => {
                put_key(*transaction, out);
                out.put_u16_le(shard.0);
                participant.put(out);
            }
            Self::Decided { transaction, outcome, next, .. } => {
                put_key(*transaction, out);
                put_outcome(*outcome, out);
                put_key(*next, out);
            }
            Self::Settled { transaction } => put_key(*transaction, out),
            Self::Forgotten { producer } => out.put_u64_le(producer.0),
        }
    }

    pub(super) fn opened(time: Realtime, buf: &mut &[u8]) -> Result<Self, RecordFault> {
        let (next, timeout_ms) = (get_key(buf)?, get_timeout_ms(buf)?);
        Ok(Self::Opened { name: get_transactional_id(buf)?, next, timeout_ms, time })
    }

    pub(super) fn joined(time: Realtime, buf: &mut &[u8]) -> Result<Self, RecordFault> {
        let (transaction, shard) = (get_key(buf)?, ShardId(buf.try_get_u16_le()?));
        Ok(Self::Joined { transaction, participant: Participant::get(buf)?, shard, time })
    }

    pub(super) fn decided(time: Realtime, buf: &mut &[u8]) -> Result<Self, RecordFault> {
        let (transaction, outcome) = (get_key(buf)?, get_outcome(buf)?);
        Ok(Self::Decided { transaction, outcome, next: get_key(buf)?, time })
    }

    pub(super) fn settled(buf: &mut &[u8]) -> Result<Self, RecordFault> {
        Ok(Self::Settled { transaction: get_key(buf)? })
    }

    pub(super) fn forgotten(buf: &mut &[u8]) -> Result<Self, RecordFault> {
        Ok(Self::Forgotten { producer: ProducerId(buf.try_get_u64_le()?) })
    }
}

/// Writes producer and epoch.
pub fn put_key(key: TransactionKey, out: &mut impl BufMut) {
    out.put_u64_le(key.producer.0);
    out.put_u16_le(key.epoch.0);
}

/// Reads what [`put_key`] wrote.
///
/// # Errors
/// If no producer or epoch is so.
pub fn get_key(buf: &mut &[u8]) -> Result<TransactionKey, RecordFault> {
    let (producer, epoch) = (buf.try_get_u64_le()?, buf.try_get_u16_le()?);
    if i64::try_from(producer).is_err() || epoch > super::PRODUCER_EPOCH_MAX {
        return Err(RecordFault::Impossible("producer or epoch"));
    }
    Ok(TransactionKey { producer: ProducerId(producer), epoch: ProducerEpoch(epoch) })
}

/// Writes an outcome.
pub fn put_outcome(outcome: TransactionOutcome, out: &mut impl BufMut) {
    out.put_u8(match outcome {
        TransactionOutcome::Aborted => 0,
        TransactionOutcome::Committed => 1,
    });
}

/// Reads what [`put_outcome`] wrote.
///
/// # Errors
/// If no outcome is so.
pub fn get_outcome(buf: &mut &[u8]) -> Result<TransactionOutcome, RecordFault> {
    match buf.try_get_u8()? {
        0 => Ok(TransactionOutcome::Aborted),
        1 => Ok(TransactionOutcome::Committed),
        _ => Err(RecordFault::Impossible("outcome")),
    }
}

/// Reads a time-out in milliseconds.
///
/// # Errors
/// If no transaction may have it.
pub fn get_timeout_ms(buf: &mut &[u8]) -> Result<u32, RecordFault> {
    let timeout_ms = buf.try_get_u32_le()?;
    let is_allowed = (TRANSACTION_TIMEOUT_MS_MIN..=TRANSACTION_TIMEOUT_MS_MAX).contains(&timeout_ms);
    is_allowed.then_some(timeout_ms).ok_or(RecordFault::Impossible("time-out"))
}

/// Writes a name.
pub fn put_name(name: &str, out: &mut impl BufMut) {
    out.put_u16_le(u16::try_from(name.len()).expect("names are bounded"));
    out.put_slice(name.as_bytes());
}

/// Reads a transactional id that [`put_name`] wrote.
///
/// # Errors
/// If it wrote something else.
pub fn get_transactional_id(buf: &mut &[u8]) -> Result<TransactionalId, RecordFault> {
    TransactionalId::new(get_text(buf)?).map_err(|_| RecordFault::Impossible("transactional id"))
}

/// Reads a group that [`put_name`] wrote.
///
/// # Errors
/// If it wrote something else.
pub fn get_group(buf: &mut &[u8]) -> Result<GroupId, RecordFault> {
    GroupId::new(get_text(buf)?).map_err(|_| RecordFault::Impossible("group"))
}

/// Reads a text with its length u16.
pub(super) fn get_text<'a>(buf: &mut &'a [u8]) -> Result<&'a str, RecordFault> {
    let bytes = usize::from(buf.try_get_u16_le()?);
    let (text, rest) = buf.split_at_checked(bytes).ok_or(RecordFault::CutOff)?;
    *buf = rest;
    std::str::from_utf8(text).map_err(|_| RecordFault::Impossible("text that is not UTF-8"))
}

/// Writes a partition: topic, index.
pub(super) fn put_partition(partition: PartitionId, out: &mut impl BufMut) {
    out.put_u64_le(partition.topic.0);
    out.put_u32_le(partition.index);
}

/// Reads what [`put_partition`] wrote.
pub(super) fn get_partition(buf: &mut &[u8]) -> Result<PartitionId, RecordFault> {
    Ok(PartitionId { topic: TopicId(buf.try_get_u64_le()?), index: buf.try_get_u32_le()? })
}
