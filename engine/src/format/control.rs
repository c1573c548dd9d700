//! The entries of a journal block's payload: record batches, and the control records beside them.
//!
//! A payload is a run of entries. Each is a 32-byte [`EntryHeader`], then `body_bytes` of body, then zero bytes up
//! to the next multiple of [`ENTRY_ALIGN_BYTES`]. All numbers are little-endian; a header field that a kind does
//! not use is zero, and so is everything reserved.
//!
//! | kind | header fields used | body |
//! | --- | --- | --- |
//! | 1 `Batch` | topic, partition, undecided, append time | one record batch, unchanged |
//! | 2 `EpochStart` | append time: wall clock at the start | epoch u64, last sequence u64, last chain u64 |
//! | 3 `TopicCreating` | topic | a topic's description, see [`topic`] |
//! | 4 `TopicLive` | topic | none |
//! | 5 `TopicDeleting` | topic | none |
//! | 6 `TopicDeleted` | topic | none |
//! | 7 `PartitionsOpened` | topic | a topic's description, see [`topic`] |
//! | 8 `PartitionsClosed` | topic | catalogue version u64 |
//! | 9 `ProducerIdsReserved` | none | up to u64 |
//! | 10 `ProducerExpired` | topic, partition | producer u64, producer epoch u16 |
//! | 11 `ClockConfirmed` | append time: the confirmed wall clock | none |
//! | 12 `TopicAltering` | topic | a topic's next description, see [`topic`] |
//! | 13 `BatchKnown` | topic, partition, append time: when it was answered | producer u64, producer epoch u16, first sequence u32, last sequence u32, CRC-32C of the batch u32 |
//! | 14 `TransactionalIdOpened` | append time: when | see [`transaction`] |
//! | 15 `TransactionJoined` | append time: when | see [`transaction`] |
//! | 16 `TransactionDecided` | append time: when | see [`transaction`] |
//! | 17 `TransactionSettled` | none | see [`transaction`] |
//! | 18 `TransactionalIdForgotten` | none | see [`transaction`] |
//! | 19 `OffsetsCommitted` | append time: when | see [`offsets`] |
//! | 20 `OffsetsEnded` | append time: when | see [`offsets`] |
//! | 21 `GroupForgotten` | none | see [`offsets`] |
//!
//! Kinds 3 to 6 and 12 are written by shard 0 only, 7 and 8 by the shards that own partitions of the topic. Checksums are
//! the block's: an entry has none of its own, and a batch keeps the one its client made.

use std::mem::{offset_of, size_of};

use bytes::{BufMut, Bytes};
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::batch::ProducerStamp;
use crate::limits::BATCH_BYTES_MAX;
use crate::model::{Epoch, PartitionId, ProducerEpoch, ProducerId, Realtime, Sequence, TopicId};

mod kind;
pub mod offsets;
pub mod topic;
pub mod transaction;
mod walk;

#[cfg(test)]
mod tests;

pub use kind::EntryKind;
pub use offsets::{GroupOffset, OffsetRecord};
pub use topic::{
    KeyRule, KeyRuleError, KeySource, Partitioner, Setting, SettingOutOfBounds, TopicDescriptor, TopicError,
    TopicNameError, TopicSettings,
};
pub use transaction::{Participant, RecordFault, TransactionRecord};
pub use walk::{EntryError, EntryFault, EntryWalk};

/// Size of an [`EntryHeader`].
pub const ENTRY_HEADER_BYTES: usize = size_of::<EntryHeader>();
/// Every entry starts at a multiple of this in its payload.
pub const ENTRY_ALIGN_BYTES: usize = 8;
/// The highest epoch of a producer: Kafka's are signed 16-bit numbers.
const PRODUCER_EPOCH_MAX: u16 = i16::MAX as u16;

/// What stands before the body of every entry.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct EntryHeader {
    /// An [`EntryKind`].
    pub kind: U16,
    /// Zero.
    pub reserved: U16,
    /// Length of the body, without the padding behind it.
    pub body_bytes: U32,
    /// The topic, where the kind names one.
    pub topic: U64,
    /// The partition's index in the topic, where the kind names one.
    pub partition: U32,
    /// Of a batch: offsets that were not stable with it, see [`HeldBatch::undecided`](super::batch::HeldBatch::undecided).
    pub undecided: U32,
    /// Unix nanoseconds, where the kind has a time.
    pub append_time: U64,
}

const _: () = assert!(size_of::<EntryHeader>() == 32);
const _: () = assert!(ENTRY_HEADER_BYTES.is_multiple_of(ENTRY_ALIGN_BYTES));
const _: () = assert!(offset_of!(EntryHeader, kind) == 0);
const _: () = assert!(offset_of!(EntryHeader, reserved) == 2);
const _: () = assert!(offset_of!(EntryHeader, body_bytes) == 4);
const _: () = assert!(offset_of!(EntryHeader, topic) == 8);
const _: () = assert!(offset_of!(EntryHeader, partition) == 16);
const _: () = assert!(offset_of!(EntryHeader, undecided) == 20);
const _: () = assert!(offset_of!(EntryHeader, append_time) == 24);
const _: () = assert!(BATCH_BYTES_MAX <= u32::MAX as usize);

/// One entry of a block's payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A record batch of one partition.
    Batch {
        /// The partition it was appended to.
        partition: PartitionId,
        /// When, in Unix nanoseconds; never lower than the batch before it in the partition.
        append_time: Realtime,
        /// Offsets of the partition that were not stable once it was appended, see
        /// [`HeldBatch::undecided`](super::batch::HeldBatch::undecided).
        undecided: u32,
        /// The batch's bytes: 1 to [`BATCH_BYTES_MAX`], not looked into here.
        batch: Bytes,
    },
    /// Anything else.
    Control(Control),
}

/// A durable fact that is not a record batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// An epoch begins; older blocks behind the named one are stale.
    EpochStart {
        /// The epoch that begins.
        epoch: Epoch,
        /// The last block of the epochs before that was accepted; 0 if there is none.
        last_sequence: Sequence,
        /// That block's checksum, as the chain carries it; 0 if there is none.
        last_chain: u64,
        /// The wall clock at the start, Unix nanoseconds.
        boot_time: Realtime,
    },
    /// Shard 0 minted a topic; its owners are being asked to open it.
    TopicCreating(TopicDescriptor),
    /// All owners opened the topic: its last description is in force.
    TopicLive(TopicId),
    /// The topic is not served any more; its owners are being asked to close it.
    TopicDeleting(TopicId),
    /// All owners closed the topic; its name is free, its id never is.
    TopicDeleted(TopicId),
    /// The writing shard opened the partitions that the placement gives it and that it did not have open yet. The
    /// description replaces the one before.
    PartitionsOpened(TopicDescriptor),
    /// The writing shard closed its partitions of the topic.
    PartitionsClosed {
        /// The topic.
        topic: TopicId,
        /// Shard 0's catalogue version when it asked: an older request to open cannot undo this.
        version: u64,
    },
    /// Producer ids are minted below this bound only.
    ProducerIdsReserved {
        /// The first counter value that is not reserved.
        up_to: u64,
    },
    /// A partition forgot a producer that was idle for too long.
    ProducerExpired {
        /// The partition.
        partition: PartitionId,
        /// The producer.
        producer: ProducerId,
        /// The epoch it had, 0 to 32767.
        epoch: ProducerEpoch,
    },
    /// An operator confirmed the wall clock.
    ClockConfirmed {
        /// What it showed, Unix nanoseconds.
        realtime: Realtime,
    },
    /// The topic is to have this description; its owners are being asked to take it over.
    TopicAltering(TopicDescriptor),
    /// A producer's batch was answered by its idempotency keys: its sequences are used, and nothing of it is stored.
    BatchKnown {
        /// The partition.
        partition: PartitionId,
        /// When, Unix nanoseconds; never lower than the append times before it in the partition.
        append_time: Realtime,
        /// Whose batch it was.
        stamp: ProducerStamp,
        /// The batch's checksum.
        crc: u32,
    },
    /// What a coordinator of transactions notes.
    Transaction(TransactionRecord),
    /// What is noted of a consumer group's offsets.
    Offsets(OffsetRecord),
}

/// The body of [`EntryKind::EpochStart`].
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct EpochStartBody {
    epoch: U64,
    last_sequence: U64,
    last_chain: U64,
}

/// The body of [`EntryKind::ProducerExpired`].
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct ProducerExpiredBody {
    producer: U64,
    epoch: U16,
}

/// The body of [`EntryKind::BatchKnown`].
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct BatchKnownBody {
    producer: U64,
    epoch: U16,
    base_sequence: U32,
    last_sequence: U32,
    crc: U32,
}

const _: () = assert!(size_of::<EpochStartBody>() == 24);
const _: () = assert!(size_of::<BatchKnownBody>() == 22);
const _: () = assert!(size_of::<ProducerExpiredBody>() == 10);

impl Entry {
    /// The entry's kind.
    pub fn kind(&self) -> EntryKind {
        match self {
            Self::Batch { .. } => EntryKind::Batch,
            Self::Control(control) => control.kind(),
        }
    }

    /// Bytes the entry takes in a payload: header, body and padding. A multiple of [`ENTRY_ALIGN_BYTES`].
    pub fn encoded_bytes(&self) -> usize {
        (ENTRY_HEADER_BYTES + self.body_bytes()).next_multiple_of(ENTRY_ALIGN_BYTES)
    }

    /// Writes header, body and padding to the start of `out` and returns how many bytes that were:
    /// [`Entry::encoded_bytes`].
    ///
    /// # Panics
    /// If `out` is shorter, or the entry holds what no journal may (an empty or oversized batch, a producer epoch
    /// above 32767).
    pub fn encode(&self, out: &mut [u8]) -> usize {
        let body_bytes = self.body_bytes();
        let body_end = ENTRY_HEADER_BYTES + body_bytes;
        let entry_bytes = body_end.next_multiple_of(ENTRY_ALIGN_BYTES);
        assert!(out.len() >= entry_bytes, "entry of {entry_bytes} bytes does not fit {} bytes", out.len());
        out[..ENTRY_HEADER_BYTES].copy_from_slice(self.header(body_bytes).as_bytes());
        let mut body = &mut out[ENTRY_HEADER_BYTES..body_end];
        match self {
            Self::Batch { batch, .. } => {
                assert!((1..=BATCH_BYTES_MAX).contains(&batch.len()), "batch of {} bytes", batch.len());
                body.put_slice(batch);
            }
            Self::Control(control) => control.put_body(&mut body),
        }
        assert!(body.is_empty(), "body shorter than its header says by {} bytes", body.len());
        out[body_end..entry_bytes].fill(0);
        entry_bytes
    }

    fn body_bytes(&self) -> usize {
        match self {
            Self::Batch { batch, .. } => batch.len(),
            Self::Control(control) => control.body_bytes(),
        }
    }

    fn header(&self, body_bytes: usize) -> EntryHeader {
        let undecided = match self {
            Self::Batch { undecided, .. } => *undecided,
            Self::Control(_) => 0,
        };
        let (topic, partition, append_time) = match self {
            Self::Batch { partition, append_time, .. } => (partition.topic, partition.index, *append_time),
            Self::Control(control) => control.header_fields(),
        };
        EntryHeader {
            kind: self.kind().code().into(),
            reserved: 0.into(),
            body_bytes: u32::try_from(body_bytes).expect("bodies are bounded by the limits").into(),
            topic: topic.0.into(),
            partition: partition.into(),
            undecided: undecided.into(),
            append_time: append_time.0.into(),
        }
    }
}

impl Control {
    /// The record's kind.
    pub fn kind(&self) -> EntryKind {
        match self {
            Self::EpochStart { .. } => EntryKind::EpochStart,
            Self::TopicCreating(_) => EntryKind::TopicCreating,
            Self::TopicLive(_) => EntryKind::TopicLive,
            Self::TopicDeleting(_) => EntryKind::TopicDeleting,
            Self::TopicDeleted(_) => EntryKind::TopicDeleted,
            Self::PartitionsOpened(_) => EntryKind::PartitionsOpened,
            Self::PartitionsClosed { .. } => EntryKind::PartitionsClosed,
            Self::ProducerIdsReserved { .. } => EntryKind::ProducerIdsReserved,
            Self::ProducerExpired { .. } => EntryKind::ProducerExpired,
            Self::ClockConfirmed { .. } => EntryKind::ClockConfirmed,
            Self::TopicAltering(_) => EntryKind::TopicAltering,
            Self::BatchKnown { .. } => EntryKind::BatchKnown,
            Self::Transaction(TransactionRecord::Opened { .. }) => EntryKind::TransactionalIdOpened,
            Self::Transaction(TransactionRecord::Joined { .. }) => EntryKind::TransactionJoined,
            Self::Transaction(TransactionRecord::Decided { .. }) => EntryKind::TransactionDecided,
            Self::Transaction(TransactionRecord::Settled { .. }) => EntryKind::TransactionSettled,
            Self::Transaction(TransactionRecord::Forgotten { .. }) => EntryKind::TransactionalIdForgotten,
            Self::Offsets(OffsetRecord::Committed { .. }) => EntryKind::OffsetsCommitted,
            Self::Offsets(OffsetRecord::Ended { .. }) => EntryKind::OffsetsEnded,
            Self::Offsets(OffsetRecord::Forgotten { .. }) => EntryKind::GroupForgotten,
        }
    }

    fn body_bytes(&self) -> usize {
        match self {
            Self::EpochStart { .. } => size_of::<EpochStartBody>(),
            Self::TopicCreating(descriptor) | Self::PartitionsOpened(descriptor) | Self::TopicAltering(descriptor) => {
                descriptor.encoded_bytes()
            }
            Self::TopicLive(_) | Self::TopicDeleting(_) | Self::TopicDeleted(_) | Self::ClockConfirmed { .. } => 0,
            Self::PartitionsClosed { .. } | Self::ProducerIdsReserved { .. } => size_of::<U64>(),
            Self::ProducerExpired { .. } => size_of::<ProducerExpiredBody>(),
            Self::BatchKnown { .. } => size_of::<BatchKnownBody>(),
            Self::Transaction(record) => record.body_bytes(),
            Self::Offsets(record) => record.body_bytes(),
        }
    }

    fn header_fields(&self) -> (TopicId, u32, Realtime) {
        let nothing = (TopicId(0), 0, Realtime(0));
        match self {
            Self::EpochStart { boot_time: time, .. } | Self::ClockConfirmed { realtime: time } => {
                (TopicId(0), 0, *time)
            }
            Self::TopicCreating(descriptor) | Self::PartitionsOpened(descriptor) | Self::TopicAltering(descriptor) => {
                (descriptor.id(), 0, Realtime(0))
            }
            Self::TopicLive(topic)
            | Self::TopicDeleting(topic)
            | Self::TopicDeleted(topic)
            | Self::PartitionsClosed { topic, .. } => (*topic, 0, Realtime(0)),
            Self::ProducerIdsReserved { .. } => nothing,
            Self::ProducerExpired { partition, .. } => (partition.topic, partition.index, Realtime(0)),
            Self::BatchKnown { partition, append_time, .. } => (partition.topic, partition.index, *append_time),
            Self::Transaction(record) => (TopicId(0), 0, record.time()),
            Self::Offsets(record) => (TopicId(0), 0, record.time()),
        }
    }

    fn put_body(&self, out: &mut impl BufMut) {
        match self {
            Self::EpochStart { epoch, last_sequence, last_chain, .. } => {
                let body = EpochStartBody {
                    epoch: epoch.0.into(),
                    last_sequence: last_sequence.0.into(),
                    last_chain: (*last_chain).into(),
                };
                out.put_slice(body.as_bytes());
            }
            Self::TopicCreating(descriptor) | Self::PartitionsOpened(descriptor) | Self::TopicAltering(descriptor) => {
                descriptor.put(out);
            }
            Self::TopicLive(_) | Self::TopicDeleting(_) | Self::TopicDeleted(_) | Self::ClockConfirmed { .. } => {}
            Self::PartitionsClosed { version: number, .. } | Self::ProducerIdsReserved { up_to: number } => {
                out.put_u64_le(*number);
            }
            Self::ProducerExpired { producer, epoch, .. } => {
                assert!(epoch.0 <= PRODUCER_EPOCH_MAX, "producer epoch {epoch}");
                let body = ProducerExpiredBody { producer: producer.0.into(), epoch: epoch.0.into() };
                out.put_slice(body.as_bytes());
            }
            Self::BatchKnown { stamp, crc, .. } => {
                let body = BatchKnownBody {
                    producer: stamp.id.0.into(),
                    epoch: stamp.epoch.0.into(),
                    base_sequence: stamp.base_sequence.into(),
                    last_sequence: stamp.last_sequence.into(),
                    crc: (*crc).into(),
                };
                out.put_slice(body.as_bytes());
            }
            Self::Transaction(record) => record.put_body(out),
            Self::Offsets(record) => record.put_body(out),
        }
    }
}
