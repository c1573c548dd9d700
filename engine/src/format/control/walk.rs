//! Reading a block's payload, entry by entry, without copying batches and without trusting a byte.

use bytes::Bytes;
use thiserror::Error;
use zerocopy::FromBytes;
use zerocopy::little_endian::U64;

use super::{
    BatchKnownBody, Control, ENTRY_ALIGN_BYTES, ENTRY_HEADER_BYTES, Entry, EntryHeader, EntryKind, EpochStartBody,
    OffsetRecord, PRODUCER_EPOCH_MAX, ProducerExpiredBody, RecordFault, TopicDescriptor, TopicError, TransactionRecord,
};
use crate::format::batch::{ProducerStamp, SEQUENCE_COUNT};
use crate::limits::BATCH_BYTES_MAX;
use crate::model::{Epoch, PartitionId, ProducerEpoch, ProducerId, Realtime, Sequence, TopicId};

/// A payload that is not a run of entries: where, and what is wrong there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("entry at byte {position} of the payload: {fault}")]
pub struct EntryError {
    /// The byte of the payload at which the refused entry starts.
    pub position: usize,
    /// What is wrong with it.
    pub fault: EntryFault,
}

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EntryFault {
    /// Header, body or padding would end behind the payload.
    #[error("needs {needed_bytes} bytes, the payload has {left_bytes}")]
    Truncated {
        /// Bytes the entry needs, as far as it could be read.
        needed_bytes: u64,
        /// Bytes left in the payload.
        left_bytes: usize,
    },
    /// No kind has this number.
    #[error("unknown kind {kind}")]
    UnknownKind {
        /// The number found.
        kind: u16,
    },
    /// A reserved field of the header is not zero.
    #[error("reserved fields are not zero")]
    Reserved,
    /// A header field that the kind does not use is not zero.
    #[error("{field} is not zero, which {kind:?} does not use")]
    UnusedField {
        /// The entry's kind.
        kind: EntryKind,
        /// The field's name.
        field: &'static str,
    },
    /// The body cannot have this length.
    #[error("body of {body_bytes} bytes cannot be a {kind:?}")]
    BodyBytes {
        /// The entry's kind.
        kind: EntryKind,
        /// The length found.
        body_bytes: usize,
    },
    /// The bytes behind the body are not zero.
    #[error("padding is not zero")]
    Padding,
    /// The body is not a topic's description.
    #[error("topic: {0}")]
    Topic(#[from] TopicError),
    /// Producer epochs end at 32767.
    #[error("producer epoch {epoch} cannot be")]
    ProducerEpoch {
        /// The number found.
        epoch: u16,
    },
    /// Sequences of a producer fit 31 bits.
    #[error("sequences {base} to {last} of a producer cannot be")]
    ProducerSequence {
        /// The first number found.
        base: u32,
        /// The last number found.
        last: u32,
    },
    /// The body is not a record of transactions or of groups.
    #[error("{kind:?}: {fault}")]
    Record {
        /// The entry's kind.
        kind: EntryKind,
        /// What is wrong.
        fault: RecordFault,
    },
    /// All entries were read, and there are bytes left.
    #[error("{left_bytes} bytes are left behind the last entry")]
    Leftover {
        /// How many.
        left_bytes: usize,
    },
}

/// The entries of one block's payload, in order. Ends after the first error.
///
/// Batches are slices of the payload and keep it in memory.
#[derive(Clone, Debug)]
pub struct EntryWalk {
    payload: Bytes,
    position: usize,
    entry_count_left: u32,
    ended: bool,
}

impl EntryWalk {
    /// Walks `payload`, which must hold exactly `entry_count` entries and nothing else.
    pub fn new(payload: Bytes, entry_count: u32) -> Self {
        Self { payload, position: 0, entry_count_left: entry_count, ended: false }
    }

    fn read_entry(&mut self) -> Result<Entry, EntryFault> {
        let left = &self.payload[self.position..];
        let cut = |needed_bytes| EntryFault::Truncated { needed_bytes, left_bytes: left.len() };
        let (header, _) = EntryHeader::read_from_prefix(left).map_err(|_| cut(ENTRY_HEADER_BYTES as u64))?;
        let kind =
            EntryKind::from_code(header.kind.get()).ok_or(EntryFault::UnknownKind { kind: header.kind.get() })?;
        if header.reserved.get() != 0 {
            return Err(EntryFault::Reserved);
        }
        check_unused_fields(kind, &header)?;
        let body_end = ENTRY_HEADER_BYTES as u64 + u64::from(header.body_bytes.get());
        let entry_end = body_end.next_multiple_of(ENTRY_ALIGN_BYTES as u64);
        let (body_end, entry_end) = match (usize::try_from(body_end), usize::try_from(entry_end)) {
            (Ok(body_end), Ok(entry_end)) if entry_end <= left.len() => (body_end, entry_end),
            _ => return Err(cut(entry_end)),
        };
        if left[body_end..entry_end].iter().any(|byte| *byte != 0) {
            return Err(EntryFault::Padding);
        }
        let body = self.payload.slice(self.position + ENTRY_HEADER_BYTES..self.position + body_end);
        self.position += entry_end;
        decode(kind, &header, body)
    }
}

impl Iterator for EntryWalk {
    type Item = Result<Entry, EntryError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let position = self.position;
        let item = if self.entry_count_left > 0 {
            self.entry_count_left -= 1;
            self.read_entry().map_err(|fault| EntryError { position, fault })
        } else if position < self.payload.len() {
            let left_bytes = self.payload.len() - position;
            Err(EntryError { position, fault: EntryFault::Leftover { left_bytes } })
        } else {
            self.ended = true;
            return None;
        };
        self.ended = item.is_err();
        Some(item)
    }
}

impl std::iter::FusedIterator for EntryWalk {}

/// Which header fields a kind gives a meaning to; the others must be zero.
fn check_unused_fields(kind: EntryKind, header: &EntryHeader) -> Result<(), EntryFault> {
    let (topic_used, partition_used, time_used) = match kind {
        EntryKind::Batch | EntryKind::BatchKnown => (true, true, true),
        EntryKind::EpochStart
        | EntryKind::ClockConfirmed
        | EntryKind::TransactionalIdOpened
        | EntryKind::TransactionJoined
        | EntryKind::TransactionDecided
        | EntryKind::OffsetsCommitted
        | EntryKind::OffsetsEnded => (false, false, true),
        EntryKind::TopicCreating
        | EntryKind::TopicLive
        | EntryKind::TopicDeleting
        | EntryKind::TopicDeleted
        | EntryKind::PartitionsOpened
        | EntryKind::PartitionsClosed
        | EntryKind::TopicAltering => (true, false, false),
        EntryKind::ProducerIdsReserved
        | EntryKind::TransactionSettled
        | EntryKind::TransactionalIdForgotten
        | EntryKind::GroupForgotten => (false, false, false),
        EntryKind::ProducerExpired => (true, true, false),
    };
    let refuse = |field| Err(EntryFault::UnusedField { kind, field });
    if !topic_used && header.topic.get() != 0 {
        refuse("topic")
    } else if !partition_used && header.partition.get() != 0 {
        refuse("partition")
    } else if kind != EntryKind::Batch && header.undecided.get() != 0 {
        refuse("undecided")
    } else if !time_used && header.append_time.get() != 0 {
        refuse("append_time")
    } else {
        Ok(())
    }
}

fn decode(kind: EntryKind, header: &EntryHeader, body: Bytes) -> Result<Entry, EntryFault> {
    let topic = TopicId(header.topic.get());
    let partition = PartitionId { topic, index: header.partition.get() };
    let time = Realtime(header.append_time.get());
    let control = match kind {
        EntryKind::Batch => {
            if body.is_empty() || body.len() > BATCH_BYTES_MAX {
                return Err(EntryFault::BodyBytes { kind, body_bytes: body.len() });
            }
            let undecided = header.undecided.get();
            return Ok(Entry::Batch { partition, append_time: time, undecided, batch: body });
        }
        EntryKind::EpochStart => {
            let start: EpochStartBody = exactly(kind, &body)?;
            Control::EpochStart {
                epoch: Epoch(start.epoch.get()),
                last_sequence: Sequence(start.last_sequence.get()),
                last_chain: start.last_chain.get(),
                boot_time: time,
            }
        }
        EntryKind::TopicCreating => Control::TopicCreating(descriptor(kind, topic, &body)?),
        EntryKind::TopicLive => exactly::<[u8; 0]>(kind, &body).map(|_| Control::TopicLive(topic))?,
        EntryKind::TopicDeleting => exactly::<[u8; 0]>(kind, &body).map(|_| Control::TopicDeleting(topic))?,
        EntryKind::TopicDeleted => exactly::<[u8; 0]>(kind, &body).map(|_| Control::TopicDeleted(topic))?,
        EntryKind::PartitionsOpened => Control::PartitionsOpened(descriptor(kind, topic, &body)?),
        EntryKind::PartitionsClosed => Control::PartitionsClosed { topic, version: exactly::<U64>(kind, &body)?.get() },
        EntryKind::ProducerIdsReserved => Control::ProducerIdsReserved { up_to: exactly::<U64>(kind, &body)?.get() },
        EntryKind::ProducerExpired => {
            let expired: ProducerExpiredBody = exactly(kind, &body)?;
            let producer = ProducerId(expired.producer.get());
            Control::ProducerExpired { partition, producer, epoch: epoch(expired.epoch.get())? }
        }
        EntryKind::ClockConfirmed => {
            exactly::<[u8; 0]>(kind, &body).map(|_| Control::ClockConfirmed { realtime: time })?
        }
        EntryKind::TopicAltering => Control::TopicAltering(descriptor(kind, topic, &body)?),
        EntryKind::BatchKnown => batch_known(partition, time, &exactly(kind, &body)?)?,
        EntryKind::TransactionalIdOpened
        | EntryKind::TransactionJoined
        | EntryKind::TransactionDecided
        | EntryKind::TransactionSettled
        | EntryKind::TransactionalIdForgotten
        | EntryKind::OffsetsCommitted
        | EntryKind::OffsetsEnded
        | EntryKind::GroupForgotten => {
            let record = record(kind, time, &body);
            record.map_err(|fault| EntryFault::Record { kind, fault })?
        }
    };
    Ok(Entry::Control(control))
}

fn batch_known(partition: PartitionId, append_time: Realtime, body: &BatchKnownBody) -> Result<Control, EntryFault> {
    let (base, last) = (body.base_sequence.get(), body.last_sequence.get());
    if base >= SEQUENCE_COUNT || last >= SEQUENCE_COUNT {
        return Err(EntryFault::ProducerSequence { base, last });
    }
    let (id, epoch) = (ProducerId(body.producer.get()), epoch(body.epoch.get())?);
    let stamp = ProducerStamp { id, epoch, base_sequence: base, last_sequence: last };
    Ok(Control::BatchKnown { partition, append_time, stamp, crc: body.crc.get() })
}

/// A record of transactions or of groups.
fn record(kind: EntryKind, time: Realtime, body: &[u8]) -> Result<Control, RecordFault> {
    let mut rest = body;
    let buf = &mut rest;
    let control = match kind {
        EntryKind::TransactionalIdOpened => Control::Transaction(TransactionRecord::opened(time, buf)?),
        EntryKind::TransactionJoined => Control::Transaction(TransactionRecord::joined(time, buf)?),
        EntryKind::TransactionDecided => Control::Transaction(TransactionRecord::decided(time, buf)?),
        EntryKind::TransactionSettled => Control::Transaction(TransactionRecord::settled(buf)?),
        EntryKind::TransactionalIdForgotten => Control::Transaction(TransactionRecord::forgotten(buf)?),
        EntryKind::OffsetsCommitted => Control::Offsets(OffsetRecord::committed(time, buf)?),
        EntryKind::OffsetsEnded => Control::Offsets(OffsetRecord::ended(time, buf)?),
        EntryKind::GroupForgotten => Control::Offsets(OffsetRecord::forgotten(buf)?),
        other => unreachable!("{other:?} is no record of transactions or groups"),
    };
    if rest.is_empty() { Ok(control) } else { Err(RecordFault::Longer) }
}

fn epoch(epoch: u16) -> Result<ProducerEpoch, EntryFault> {
    if epoch > PRODUCER_EPOCH_MAX { Err(EntryFault::ProducerEpoch { epoch }) } else { Ok(ProducerEpoch(epoch)) }
}

fn exactly<T: FromBytes>(kind: EntryKind, body: &[u8]) -> Result<T, EntryFault> {
    T::read_from_bytes(body).map_err(|_| EntryFault::BodyBytes { kind, body_bytes: body.len() })
}

fn descriptor(kind: EntryKind, topic: TopicId, body: &[u8]) -> Result<TopicDescriptor, EntryFault> {
    let mut rest = body;
    let descriptor = TopicDescriptor::get(topic, &mut rest)?;
    if rest.is_empty() { Ok(descriptor) } else { Err(EntryFault::BodyBytes { kind, body_bytes: body.len() }) }
}
