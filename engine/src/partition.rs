//! One partition: its offsets, its producers, and the batches that are held in memory.
//!
//! Batches are placed in order; only those behind which the journal is durable are ever shown.

use std::collections::{BTreeSet, VecDeque};

use bytes::{Buf, BufMut, Bytes};

use crate::format::batch::{self, BatchInfo};
use crate::model::{FileIndex, Offset, PartitionId, Realtime, Sequence};
use crate::producer::{Admission, ProducerDecodeError, ProducerTable, Receipt};

/// A batch in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBatch {
    /// Offset of its first record.
    pub base_offset: Offset,
    /// Offset of its last record.
    pub last_offset: Offset,
    /// When it was appended.
    pub append_time: Realtime,
    /// The batch, with its base offset filled in.
    pub bytes: Bytes,
}

/// Where a batch was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The journal block.
    pub sequence: Sequence,
    /// The ring file.
    pub file: FileIndex,
}

/// The offsets and time that a new batch gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Offset of its first record.
    pub base_offset: Offset,
    /// Its append time.
    pub append_time: Realtime,
}

/// What a partition's journal entries or manifest cannot say together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartitionDamage {
    /// A batch that does not begin where the partition ends.
    #[error("a batch begins at offset {found}, the partition goes on at {expected}")]
    Gap {
        /// Where it must begin.
        expected: Offset,
        /// Where it begins.
        found: Offset,
    },
    /// Offsets below `next_offset` that no journal block holds.
    #[error("the manifest knows the partition up to offset {next_offset}, the journal holds it up to {held}")]
    Lost {
        /// Where the manifest says it goes on.
        next_offset: Offset,
        /// Where the journal's batches end.
        held: Offset,
    },
    /// An append time lower than the one before.
    #[error("a batch at offset {0} is older than the one before it")]
    TimeGoesBack(Offset),
    /// A batch that its own checks refuse.
    #[error("the batch at offset {offset} is not valid: {why}")]
    Batch {
        /// Where it is.
        offset: Offset,
        /// Why.
        why: String,
    },
    /// A producer's batch that cannot have been admitted.
    #[error("the batch at offset {0} cannot have been admitted from its producer")]
    Producer(Offset),
}

/// One partition of a shard.
#[derive(Clone, Debug)]
pub struct Partition {
    id: PartitionId,
    next_offset: Offset,
    durable_offset: Offset,
    last_append_time: Realtime,
    producers: ProducerTable,
    held: VecDeque<HeldBatch>,
    held_bytes: usize,
    ring_files: BTreeSet<FileIndex>,
}

impl Partition {
    /// An empty partition.
    pub fn new(id: PartitionId) -> Self {
        Self {
            id,
            next_offset: Offset(0),
            durable_offset: Offset(0),
            last_append_time: Realtime(0),
            producers: ProducerTable::default(),
            held: VecDeque::new(),
            held_bytes: 0,
            ring_files: BTreeSet::new(),
        }
    }

    /// Which partition.
    pub fn id(&self) -> PartitionId {
        self.id
    }

    /// Where the next batch will begin. Not shown to anyone before it is durable.
    pub fn next_offset(&self) -> Offset {
        self.next_offset
    }

    /// Everything below is durable and may be shown: the high watermark.
    pub fn durable_offset(&self) -> Offset {
        self.durable_offset
    }

    /// The first offset that can be read.
    pub fn start_offset(&self) -> Offset {
        self.held.front().map_or(self.next_offset, |batch| batch.base_offset)
    }

    /// Bytes of batches held in memory.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Ring files that hold batches of this partition.
    pub fn ring_files(&self) -> &BTreeSet<FileIndex> {
        &self.ring_files
    }

    /// Its producers.
    pub fn producers(&self) -> &ProducerTable {
        &self.producers
    }

    /// Its producers, to remove those that a journal entry names.
    pub fn producers_mut(&mut self) -> &mut ProducerTable {
        &mut self.producers
    }

    /// What becomes of a batch, by its producer's sequence.
    pub fn admit(&self, info: &BatchInfo) -> Admission {
        info.producer.map_or(Admission::New, |stamp| self.producers.check(&stamp, info.crc))
    }

    /// Where the next batch goes if it is appended now: append times never go back.
    pub fn next_slot(&self, now: Realtime) -> Slot {
        Slot { base_offset: self.next_offset, append_time: now.max(self.last_append_time) }
    }

    /// Appends a batch that was admitted as new, into the slot that [`Partition::next_slot`] gave, once its journal
    /// entry is placed.
    pub fn append(&mut self, slot: Slot, info: &BatchInfo, bytes: Bytes, placed: Placed) -> Receipt {
        assert_eq!(slot.base_offset, self.next_offset, "batches are placed where the partition ends");
        assert!(slot.append_time >= self.last_append_time, "append times do not go back");
        let receipt =
            Receipt { base_offset: slot.base_offset, append_time: slot.append_time, sequence: placed.sequence };
        if let Some(stamp) = &info.producer {
            self.producers.apply(stamp, info.crc, receipt);
        }
        self.next_offset = slot.base_offset.plus(u64::from(info.record_count));
        self.last_append_time = slot.append_time;
        self.hold(slot, bytes, placed.file);
        receipt
    }

    /// The journal is durable up to the block that holds everything below `offset`.
    pub fn make_durable(&mut self, offset: Offset) {
        assert!(offset >= self.durable_offset && offset <= self.next_offset, "appended >= durable");
        self.durable_offset = offset;
    }

    /// Durable batches from the one that contains `from`, up to `bytes_max`, but at least one if there is one.
    pub fn read(&self, from: Offset, bytes_max: usize) -> Vec<HeldBatch> {
        let first = self.held.partition_point(|batch| batch.last_offset < from);
        let mut bytes = 0;
        let visible = self.held.range(first..).take_while(|batch| batch.last_offset < self.durable_offset);
        visible
            .take_while(|batch| {
                let fits = bytes == 0 || bytes + batch.bytes.len() <= bytes_max;
                bytes += batch.bytes.len();
                fits
            })
            .cloned()
            .collect()
    }

    /// Offset of the first durable batch that was appended at `time` or later; the high watermark if there is none.
    pub fn offset_at(&self, time: Realtime) -> Offset {
        let first = self.held.partition_point(|batch| batch.append_time < time);
        self.held.get(first).map_or(self.durable_offset, |batch| batch.base_offset.min(self.durable_offset))
    }

    /// When the last durable batch was appended.
    pub fn last_durable_append_time(&self) -> Option<Realtime> {
        let end = self.held.partition_point(|batch| batch.last_offset < self.durable_offset);
        end.checked_sub(1).map(|last| self.held[last].append_time)
    }

    /// Takes back a batch from the journal. `known`: the manifest's state includes it already.
    pub fn replay(
        &mut self,
        append_time: Realtime,
        bytes: Bytes,
        placed: Placed,
        known: bool,
    ) -> Result<(), PartitionDamage> {
        let invalid = |offset, why: batch::BatchError| PartitionDamage::Batch { offset, why: why.to_string() };
        let base_offset = batch::base_offset(&bytes).map_err(|why| invalid(self.next_offset, why))?;
        let info = batch::validate(&bytes, bytes.len()).map_err(|why| invalid(base_offset, why))?;
        let slot = Slot { base_offset, append_time };
        let held_end = self.held.back().map(|batch| batch.last_offset.plus(1));
        let expected = if known { held_end } else { Some(self.next_offset) };
        if let Some(expected) = expected.filter(|expected| *expected != base_offset) {
            return Err(PartitionDamage::Gap { expected, found: base_offset });
        }
        if known {
            if self.held.back().is_some_and(|last| append_time < last.append_time) {
                return Err(PartitionDamage::TimeGoesBack(base_offset));
            }
            self.hold(slot, bytes, placed.file);
            return Ok(());
        }
        let held = held_end.unwrap_or_default();
        if held != self.next_offset {
            return Err(PartitionDamage::Lost { next_offset: self.next_offset, held });
        }
        if append_time < self.last_append_time {
            return Err(PartitionDamage::TimeGoesBack(base_offset));
        }
        if self.admit(&info) != Admission::New {
            return Err(PartitionDamage::Producer(base_offset));
        }
        self.append(slot, &info, bytes, placed);
        Ok(())
    }

    /// Ends replay: everything the state knows must be held, and all of it is durable.
    pub fn finish_replay(&mut self) -> Result<(), PartitionDamage> {
        let held = self.held.back().map_or(Offset(0), |batch| batch.last_offset.plus(1));
        if held != self.next_offset {
            return Err(PartitionDamage::Lost { next_offset: self.next_offset, held });
        }
        let first = self.start_offset();
        if first != Offset(0) && !self.held.is_empty() {
            return Err(PartitionDamage::Gap { expected: Offset(0), found: first });
        }
        self.durable_offset = self.next_offset;
        Ok(())
    }

    /// Writes offsets and times, little-endian: id, next offset, last append time.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_u64_le(self.id.topic.0);
        out.put_u32_le(self.id.index);
        out.put_u64_le(self.next_offset.0);
        out.put_u64_le(self.last_append_time.0);
    }

    /// Bytes that [`Partition::encode`] writes.
    pub const ENCODED_BYTES: usize = 28;

    /// Reads what [`Partition::encode`] wrote; its producers are read apart.
    pub fn decode(buf: &mut impl Buf) -> Result<Self, bytes::TryGetError> {
        let topic = crate::model::TopicId(buf.try_get_u64_le()?);
        let index = buf.try_get_u32_le()?;
        let mut partition = Self::new(PartitionId { topic, index });
        partition.next_offset = Offset(buf.try_get_u64_le()?);
        partition.last_append_time = Realtime(buf.try_get_u64_le()?);
        Ok(partition)
    }

    /// Reads the producers that [`ProducerTable::encode`] wrote.
    pub fn decode_producers(&mut self, buf: &mut impl Buf) -> Result<(), ProducerDecodeError> {
        self.producers = ProducerTable::decode(buf, self.producers.count_max())?;
        Ok(())
    }

    fn hold(&mut self, slot: Slot, bytes: Bytes, file: FileIndex) {
        let last_offset = batch::last_offset(&bytes).expect("the batch was validated");
        self.held_bytes += bytes.len();
        self.ring_files.insert(file);
        self.held.push_back(HeldBatch {
            base_offset: slot.base_offset,
            last_offset,
            append_time: slot.append_time,
            bytes,
        });
    }
}

#[cfg(test)]
mod tests;
