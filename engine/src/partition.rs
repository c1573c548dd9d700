//! One partition: its offsets, its producers, the batches that are held in memory and the runs that are at rest.
//!
//! Batches are placed in order; only those behind which the journal is durable are ever shown. A partition is covered
//! as a whole: by runs, and gaps where an operator accepted a loss, up to the *flushed* offset, by batches in memory from
//! there on. Memory may reach further back, as a cache of what is at rest.

use bytes::Bytes;

use crate::format::batch::{BatchInfo, ProducerStamp};
use crate::format::control::TopicDescriptor;
use crate::key::{KeyHasher, Keying, RecordKey};
use crate::model::{FileIndex, Offset, PartitionId, Realtime, SegmentId, Sequence};
use crate::producer::{Admission, ProducerTable, Receipt};
use crate::segment::Run;
use crate::transaction::PartitionTransactions;

mod codec;
mod gap;
mod held;
pub mod keys;
mod lookup;
mod replay;
mod retention;
mod salvage;
mod stored;
mod transactions;

pub use crate::format::batch::HeldBatch;
pub use codec::PartitionDecodeError;
pub use gap::Gap;
pub(crate) use held::take_bytes;
pub use lookup::Lookup;
pub use replay::{PartitionDamage, ReplayedBatch};
pub use retention::{Cut, CutReason, CutTotals, Retention};
pub use transactions::Isolation;

use gap::Gaps;
use held::HeldBatches;
use keys::PartitionKeys;
use stored::StoredRuns;

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

/// One partition of a shard.
#[derive(Clone, Debug)]
pub struct Partition {
    id: PartitionId,
    start_offset: Offset,
    next_offset: Offset,
    durable_offset: Offset,
    last_append_time: Realtime,
    producers: ProducerTable,
    transactions: PartitionTransactions,
    stored: StoredRuns,
    gaps: Gaps,
    held: HeldBatches,
    cuts: CutTotals,
    /// Decided, and in force with the next checkpoint.
    cut_ahead: Option<Cut>,
    /// Of a topic with idempotency keys.
    keys: Option<Box<PartitionKeys>>,
}

impl Partition {
    /// An empty partition.
    pub fn new(id: PartitionId) -> Self {
        Self {
            id,
            start_offset: Offset(0),
            next_offset: Offset(0),
            durable_offset: Offset(0),
            last_append_time: Realtime(0),
            producers: ProducerTable::default(),
            transactions: PartitionTransactions::default(),
            stored: StoredRuns::default(),
            gaps: Gaps::default(),
            held: HeldBatches::default(),
            cuts: CutTotals::default(),
            cut_ahead: None,
            keys: None,
        }
    }

    /// An empty partition of this topic, on a shard whose journal has a hasher like this one.
    pub fn of(descriptor: &TopicDescriptor, id: PartitionId, hasher: &KeyHasher) -> Self {
        let mut partition = Self::new(id);
        partition.take_rule(descriptor, hasher);
        partition
    }

    /// Its records have keys if the topic has a rule for them.
    pub(crate) fn take_rule(&mut self, descriptor: &TopicDescriptor, hasher: &KeyHasher) {
        self.keys = descriptor.keys_shared().map(|rule| {
            let place = (self.id.index, descriptor.partition_count());
            let mut keys = PartitionKeys::new(Keying::new(rule, hasher.clone(), place));
            keys.begin_at(self.flushed_offset());
            Box::new(keys)
        });
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

    /// When its last batch was appended, or answered by its keys; 0 if there never was one.
    pub fn last_append_time(&self) -> Realtime {
        self.last_append_time
    }

    /// The first offset that can be read; it moves when retention cuts.
    pub fn start_offset(&self) -> Offset {
        self.start_offset
    }

    /// Everything below is at rest in runs, or cut.
    pub fn flushed_offset(&self) -> Offset {
        self.held.flushed_offset()
    }

    /// What can be read from memory begins here.
    pub fn memory_offset(&self) -> Offset {
        self.held.start_offset().unwrap_or(self.next_offset)
    }

    /// Bytes of batches held in memory.
    pub fn held_bytes(&self) -> usize {
        self.held.bytes()
    }

    /// Bytes of batches that are in the journal and in memory only.
    pub fn unflushed_bytes(&self) -> usize {
        self.held.unflushed_bytes()
    }

    /// Bytes of its runs.
    pub fn stored_bytes(&self) -> u64 {
        self.stored.bytes()
    }

    /// Its runs, in the order of offsets.
    pub fn runs(&self) -> impl DoubleEndedIterator<Item = &Run> {
        self.stored.iter()
    }

    /// The segment file of each run and each key run, as often as there are.
    pub fn segments(&self) -> impl Iterator<Item = SegmentId> {
        let of_keys = self.keys.iter().flat_map(|keys| keys.all_runs());
        self.stored.iter().map(|run| run.segment).chain(of_keys.map(|run| run.segment))
    }

    /// How many runs it has.
    pub fn run_count(&self) -> usize {
        self.stored.len()
    }

    /// What retention cut so far.
    pub fn cuts(&self) -> &CutTotals {
        &self.cuts
    }

    /// Ring files that hold batches which are nowhere else at rest.
    pub fn ring_files(&self) -> impl Iterator<Item = &FileIndex> {
        self.held.ring_files()
    }

    /// Whether the ring file holds batches which are nowhere else at rest.
    pub fn needs_file(&self, file: FileIndex) -> bool {
        self.held.needs_file(file)
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
    /// entry is placed. `keys` are those of its records, if they have some.
    pub fn append(
        &mut self,
        slot: Slot,
        info: &BatchInfo,
        bytes: Bytes,
        placed: Placed,
        keys: &[RecordKey],
    ) -> Receipt {
        assert_eq!(slot.base_offset, self.next_offset, "batches are placed where the partition ends");
        assert!(slot.append_time >= self.last_append_time, "append times do not go back");
        let receipt =
            Receipt { base_offset: slot.base_offset, append_time: slot.append_time, sequence: placed.sequence };
        if let Some(stamp) = &info.producer {
            self.producers.apply(stamp, info.crc, receipt);
        }
        self.next_offset = slot.base_offset.plus(u64::from(info.record_count));
        self.last_append_time = slot.append_time;
        self.note_keys(slot, info, keys);
        let undecided = self.undecided_after(slot, info);
        if let Some(transaction) = info.transaction() {
            self.transactions.appended(transaction, slot.base_offset, slot.append_time);
        }
        self.held.push(slot, bytes, placed, info.max_timestamp_ms, undecided);
        receipt
    }

    /// Notes a producer's batch that its idempotency keys answered, at this time and with this journal block.
    pub fn note_known(&mut self, stamp: &ProducerStamp, crc: u32, append_time: Realtime, sequence: Sequence) {
        assert!(append_time >= self.last_append_time, "append times do not go back");
        let receipt = Receipt { base_offset: self.next_offset, append_time, sequence };
        self.producers.apply_known(stamp, crc, receipt);
        self.last_append_time = append_time;
    }

    fn note_keys(&mut self, slot: Slot, info: &BatchInfo, records: &[RecordKey]) {
        let Some(keys) = &mut self.keys else { return };
        assert_eq!(records.len(), info.record_count as usize, "every record of the topic has a key");
        keys.append(slot.base_offset, slot.append_time, records);
    }

    /// What is known of its idempotency keys, if its topic has some.
    pub fn keys(&self) -> Option<&PartitionKeys> {
        self.keys.as_deref()
    }

    /// The same, to be changed.
    pub fn keys_mut(&mut self) -> Option<&mut PartitionKeys> {
        self.keys.as_deref_mut()
    }

    /// The journal block that holds the batch with this offset, which is in memory.
    pub fn sequence_at(&self, offset: Offset) -> Option<Sequence> {
        self.held.sequence_at(offset)
    }

    /// The journal is durable up to the block that holds everything below `offset`.
    pub fn make_durable(&mut self, offset: Offset) {
        assert!(offset >= self.durable_offset && offset <= self.next_offset, "appended >= durable");
        self.durable_offset = offset;
        self.transactions.make_durable(offset);
    }

    /// Batches below `end`, up to which everything is durable, from the one that contains `from`, up to `bytes_max`, but at
    /// least one if there is one. `None`: they are not in memory.
    pub fn read(&self, from: Offset, end: Offset, bytes_max: usize) -> Option<Vec<HeldBatch>> {
        let in_memory = from >= self.memory_offset() || from >= end;
        in_memory.then(|| self.held.read(from, end, bytes_max))
    }

    /// The run that holds `offset`.
    pub fn run_at(&self, offset: Offset) -> Option<&Run> {
        self.stored.at(offset)
    }

    /// When the last durable batch was appended; none if there never was one.
    pub fn last_durable_append_time(&self) -> Option<Realtime> {
        self.last_append_time_below(self.durable_offset)
    }

    /// When the last batch below `end` was appended, up to which everything is durable; of what is not in memory any more
    /// that of the last at rest. None if there never was one.
    pub fn last_append_time_below(&self, end: Offset) -> Option<Realtime> {
        let stored = self.stored.iter().rev().find(|run| run.base_offset < end).map(|run| run.last_append_time);
        self.held.last_append_time_below(end).or(stored)
    }

    /// Durable batches that are not at rest yet and are in blocks up to `sequence`: the first `count_max`, and all if
    /// less than `left_bytes_min` would be left; of a topic with keys never many more than `key_count_max` records. Whether
    /// there are more.
    pub fn unflushed(
        &self,
        sequence: Sequence,
        count_max: usize,
        left_bytes_min: usize,
        key_count_max: u64,
    ) -> (Vec<HeldBatch>, bool) {
        let record_count_max = if self.keys.is_some() { key_count_max } else { u64::MAX };
        self.held.unflushed(sequence, self.durable_offset, count_max, left_bytes_min, record_count_max)
    }

    /// A run was written that goes on where the flushed part ends; what retention cut meanwhile may not be wanted any
    /// more. Returns whether the run is: then its file must be kept.
    pub fn run_written(&mut self, run: Run) -> bool {
        if run.next_offset <= self.start_offset {
            return false;
        }
        assert!(run.base_offset <= self.flushed_offset(), "runs go on where the flushed part ends");
        self.held.flush_to(run.next_offset);
        self.stored.push(run)
    }

    /// The runs of `old`, all still there, were put together as `new`. Returns whether they were.
    pub fn runs_merged(&mut self, old: &[Run], new: Run) -> bool {
        self.stored.replace(old, new)
    }

    /// Lets go of memory that is a cache of what is at rest, below `offset` and until so many bytes are let go. Returns
    /// the bytes.
    pub fn evict(&mut self, offset: Offset, bytes_wanted: usize) -> usize {
        let bytes = self.held.evict(offset.min(self.flushed_offset()), bytes_wanted);
        self.transactions.forget_below(self.memory_offset());
        bytes
    }
}

#[cfg(test)]
mod tests;
