//! What a shard writes down of the offsets of consumer groups. The kinds' numbers and header fields stand in [`super`].
//!
//! | kind | body |
//! | --- | --- |
//! | `OffsetsCommitted` | group, producer u64, epoch u16 (both all ones: no transaction), count u16, and so many offsets |
//! | `OffsetsEnded` | group, producer u64, epoch u16, outcome u8 |
//! | `GroupForgotten` | group |
//!
//! A group is a name as in [`transaction`](super::transaction). An offset is topic u64, partition u32, offset u64, metadata
//! bytes u16, the metadata.

use bytes::{Buf, BufMut};

use super::transaction::{
    RecordFault, get_group, get_key, get_outcome, get_partition, get_text, put_key, put_name, put_outcome,
    put_partition,
};
use crate::limits::{OFFSET_METADATA_BYTES_MAX, OFFSETS_PER_COMMIT_MAX};
use crate::model::{
    GroupId, Offset, PartitionId, ProducerEpoch, ProducerId, Realtime, TransactionKey, TransactionOutcome,
};

const NO_TRANSACTION: TransactionKey =
    TransactionKey { producer: ProducerId(u64::MAX), epoch: ProducerEpoch(u16::MAX) };

/// How far a group has come in a partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupOffset {
    /// The partition.
    pub partition: PartitionId,
    /// The next offset to be read.
    pub offset: Offset,
    /// What the group notes beside it: at most [`OFFSET_METADATA_BYTES_MAX`] bytes.
    pub metadata: Box<str>,
}

/// A durable fact about the offsets of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OffsetRecord {
    /// The group has come so far; in a transaction, if that is committed.
    Committed {
        /// The group.
        group: GroupId,
        /// The transaction.
        transaction: Option<TransactionKey>,
        /// The offsets: at least one, at most [`OFFSETS_PER_COMMIT_MAX`].
        offsets: Vec<GroupOffset>,
        /// When, Unix nanoseconds.
        time: Realtime,
    },
    /// A transaction with offsets of the group ended.
    Ended {
        /// The group.
        group: GroupId,
        /// The transaction.
        transaction: TransactionKey,
        /// How it ended.
        outcome: TransactionOutcome,
        /// When, Unix nanoseconds.
        time: Realtime,
    },
    /// Nothing is kept of the group any more.
    Forgotten {
        /// The group.
        group: GroupId,
    },
}

impl GroupOffset {
    /// Bytes that [`GroupOffset::put`] writes.
    pub fn encoded_bytes(&self) -> usize {
        22 + self.metadata.len()
    }

    /// Writes it.
    pub fn put(&self, out: &mut impl BufMut) {
        put_partition(self.partition, out);
        out.put_u64_le(self.offset.0);
        put_name(&self.metadata, out);
    }

    /// Reads what [`GroupOffset::put`] wrote.
    ///
    /// # Errors
    /// If it wrote something else.
    pub fn get(buf: &mut &[u8]) -> Result<Self, RecordFault> {
        let (partition, offset) = (get_partition(buf)?, buf.try_get_u64_le()?);
        let metadata = get_text(buf)?;
        if i64::try_from(offset).is_err() || metadata.len() > OFFSET_METADATA_BYTES_MAX {
            return Err(RecordFault::Impossible("offset or metadata"));
        }
        Ok(Self { partition, offset: Offset(offset), metadata: metadata.into() })
    }
}

impl OffsetRecord {
    /// Bytes of the body of an entry with these offsets of a group.
    pub fn committed_bytes(group: &GroupId, offsets: &[GroupOffset]) -> usize {
        14 + group.as_str().len() + offsets.iter().map(GroupOffset::encoded_bytes).sum::<usize>()
    }

    pub(super) fn body_bytes(&self) -> usize {
        match self {
            Self::Committed { group, offsets, .. } => Self::committed_bytes(group, offsets),
            Self::Ended { group, .. } => 13 + group.as_str().len(),
            Self::Forgotten { group } => 2 + group.as_str().len(),
        }
    }

    pub(super) fn time(&self) -> Realtime {
        match self {
            Self::Committed { time, .. } | Self::Ended { time, .. } => *time,
            Self::Forgotten { .. } => Realtime(0),
        }
    }

    pub(super) fn put_body(&self, out: &mut impl BufMut) {
        match self {
            Self::Committed { group, transaction, offsets, .. } => {
                put_name(group.as_str(), out);
                put_key(transaction.unwrap_or(NO_TRANSACTION), out);
                out.put_u16_le(u16::try_from(offsets.len()).expect("bounded by the limits"));
                offsets.iter().for_each(|offset| offset.put(out));
            }
            Self::Ended { group, transaction, outcome, .. } => {
                put_name(group.as_str(), out);
                put_key(*transaction, out);
                put_outcome(*outcome, out);
            }
            Self::Forgotten { group } => put_name(group.as_str(), out),
        }
    }

    pub(super) fn committed(time: Realtime, buf: &mut &[u8]) -> Result<Self, RecordFault> {
        let group = get_group(buf)?;
        let has_none = buf.starts_with(&[u8::MAX; 10]);
        let transaction = if has_none { None } else { Some(get_key(buf)?) };
        buf.advance(if has_none { 10 } else { 0 });
        let count = usize::from(buf.try_get_u16_le()?);
        if count == 0 || count > OFFSETS_PER_COMMIT_MAX {
            return Err(RecordFault::Impossible("number of offsets"));
        }
        let offsets = (0..count).map(|_| GroupOffset::get(buf)).collect::<Result<_, _>>()?;
        Ok(Self::Committed { group, transaction, offsets, time })
    }

    pub(super) fn ended(time: Realtime, buf: &mut &[u8]) -> Result<Self, RecordFault> {
        let (group, transaction) = (get_group(buf)?, get_key(buf)?);
        Ok(Self::Ended { group, transaction, outcome: get_outcome(buf)?, time })
    }

    pub(super) fn forgotten(buf: &mut &[u8]) -> Result<Self, RecordFault> {
        Ok(Self::Forgotten { group: get_group(buf)? })
    }
}
