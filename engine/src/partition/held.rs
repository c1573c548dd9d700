//! The batches of a partition that are in memory.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::{HeldBatch, Placed, Slot};
use crate::format::batch;
use crate::model::{FileIndex, Offset, Realtime, Sequence};

#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) batch: HeldBatch,
    placed: Placed,
    /// The latest timestamp up to this batch, of all that were ever pushed.
    running_timestamp_ms: i64,
}

/// Batches without a gap, up to the end of the partition. Those below the flushed offset are at rest as well.
#[derive(Clone, Debug, Default)]
pub(super) struct HeldBatches {
    batches: VecDeque<Held>,
    bytes: usize,
    flushed_offset: Offset,
    unflushed_bytes: usize,
    /// Batches in each ring file that are nowhere else at rest.
    ring_files: BTreeMap<FileIndex, usize>,
}

impl HeldBatches {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn unflushed_bytes(&self) -> usize {
        self.unflushed_bytes
    }

    pub(super) fn flushed_offset(&self) -> Offset {
        self.flushed_offset
    }

    /// Nothing is held yet, and everything below is at rest or cut.
    pub(super) fn begin_at(&mut self, flushed_offset: Offset) {
        assert!(self.batches.is_empty(), "where memory begins is set before anything is held");
        self.flushed_offset = flushed_offset;
    }

    pub(super) fn start_offset(&self) -> Option<Offset> {
        self.batches.front().map(|held| held.batch.base_offset)
    }

    pub(super) fn end_offset(&self) -> Option<Offset> {
        self.batches.back().map(|held| held.batch.next_offset())
    }

    pub(super) fn last_append_time(&self) -> Option<Realtime> {
        self.batches.back().map(|held| held.batch.append_time)
    }

    /// The block of the batch that holds this offset.
    pub(super) fn sequence_at(&self, offset: Offset) -> Option<Sequence> {
        let at = self.batches.partition_point(|held| held.batch.last_offset < offset);
        self.batches.get(at).filter(|held| held.batch.base_offset <= offset).map(|held| held.placed.sequence)
    }

    pub(super) fn last_sequence(&self) -> Option<Sequence> {
        self.batches.back().map(|held| held.placed.sequence)
    }

    pub(super) fn ring_files(&self) -> impl Iterator<Item = &FileIndex> {
        self.ring_files.keys()
    }

    pub(super) fn needs_file(&self, file: FileIndex) -> bool {
        self.ring_files.contains_key(&file)
    }

    pub(super) fn push(&mut self, slot: Slot, bytes: Bytes, placed: Placed, max_timestamp_ms: i64, undecided: u32) {
        let last_offset = batch::last_offset(&bytes).expect("the batch was validated");
        let before = self.batches.back().map_or(i64::MIN, |held| held.running_timestamp_ms);
        self.bytes += bytes.len();
        self.unflushed_bytes += bytes.len();
        *self.ring_files.entry(placed.file).or_default() += 1;
        let Slot { base_offset, append_time } = slot;
        self.batches.push_back(Held {
            batch: HeldBatch { base_offset, last_offset, append_time, undecided, bytes },
            placed,
            running_timestamp_ms: before.max(max_timestamp_ms),
        });
    }

    pub(super) fn read(&self, from: Offset, end: Offset, bytes_max: usize) -> Vec<HeldBatch> {
        let first = self.batches.partition_point(|held| held.batch.last_offset < from);
        let visible = self.batches.range(first..).map(|held| &held.batch);
        take_bytes(visible.take_while(|batch| batch.last_offset < end), bytes_max)
    }

    /// The offset of the first batch that was appended when everything below `offset` was decided.
    pub(super) fn decided_at(&self, offset: Offset) -> Option<Offset> {
        // Transactions begin at the end, so what is decided only grows.
        let at = self.batches.partition_point(|held| held.batch.stable_offset() < offset);
        self.batches.get(at).map(|held| held.batch.base_offset)
    }

    /// The first batch of this append time or later.
    pub(super) fn first_at(&self, time: Realtime) -> Option<&HeldBatch> {
        let first = self.batches.partition_point(|held| held.batch.append_time < time);
        self.batches.get(first).map(|held| &held.batch)
    }

    /// The batches that may hold the first record of this timestamp or later.
    pub(super) fn since_timestamp(&self, timestamp_ms: i64) -> impl Iterator<Item = &HeldBatch> {
        let first = self.batches.partition_point(|held| held.running_timestamp_ms < timestamp_ms);
        self.batches.range(first..).map(|held| &held.batch)
    }

    pub(super) fn last_append_time_below(&self, durable: Offset) -> Option<Realtime> {
        let end = self.batches.partition_point(|held| held.batch.last_offset < durable);
        end.checked_sub(1).map(|last| self.batches[last].batch.append_time)
    }

    /// Durable batches that are not at rest, in blocks up to `sequence`: the first `count_max`, and all if less than
    /// `left_bytes_min` would be left, but never more than `record_count_max` records unless the first batch has. Whether
    /// there are more.
    pub(super) fn unflushed(
        &self,
        sequence: Sequence,
        durable: Offset,
        count_max: usize,
        left_bytes_min: usize,
        record_count_max: u64,
    ) -> (Vec<HeldBatch>, bool) {
        let wanted = |held: &&Held| held.placed.sequence <= sequence && held.batch.last_offset < durable;
        let records_end = self.flushed_offset.0.saturating_add(record_count_max);
        let mut chosen = Vec::new();
        let mut left_bytes = self.unflushed_bytes;
        for held in self.unflushed_range().take_while(wanted) {
            let is_enough = chosen.len() >= count_max && left_bytes >= left_bytes_min;
            let has_too_many = !chosen.is_empty() && held.batch.next_offset().0 > records_end;
            if is_enough || has_too_many {
                return (chosen, true);
            }
            left_bytes -= held.batch.bytes.len();
            chosen.push(held.batch.clone());
        }
        (chosen, false)
    }

    pub(super) fn unflushed_range(&self) -> impl Iterator<Item = &Held> {
        let first = self.batches.partition_point(|held| held.batch.base_offset < self.flushed_offset);
        self.batches.range(first..)
    }

    /// Everything below `offset`, which is where a batch begins, is at rest or cut.
    pub(super) fn flush_to(&mut self, offset: Offset) {
        let first = self.batches.partition_point(|held| held.batch.base_offset < self.flushed_offset);
        for index in first..self.batches.len() {
            let held = &self.batches[index];
            if held.batch.base_offset >= offset {
                break;
            }
            let (file, bytes) = (held.placed.file, held.batch.bytes.len());
            self.unflushed_bytes -= bytes;
            let count = self.ring_files.get_mut(&file).expect("every batch that is not at rest is counted");
            *count -= 1;
            if *count == 0 {
                self.ring_files.remove(&file);
            }
        }
        self.flushed_offset = self.flushed_offset.max(offset);
    }

    /// Lets go of what is at rest or cut, below `offset`. Returns the bytes.
    pub(super) fn drop_to(&mut self, offset: Offset) -> usize {
        self.evict(offset, usize::MAX)
    }

    /// The same, until so many bytes are let go.
    pub(super) fn evict(&mut self, offset: Offset, bytes_wanted: usize) -> usize {
        assert!(offset <= self.flushed_offset, "what is nowhere else at rest stays in memory");
        let mut bytes = 0;
        while bytes < bytes_wanted
            && let Some(held) = self.batches.pop_front_if(|held| held.batch.last_offset < offset)
        {
            bytes += held.batch.bytes.len();
        }
        self.bytes -= bytes;
        bytes
    }
}

/// Batches up to so many bytes, but at least one.
pub(crate) fn take_bytes<'a>(batches: impl Iterator<Item = &'a HeldBatch>, bytes_max: usize) -> Vec<HeldBatch> {
    let mut bytes = 0;
    let fits = |batch: &&HeldBatch| {
        let fits = bytes == 0 || bytes + batch.bytes.len() <= bytes_max;
        bytes += batch.bytes.len();
        fits
    };
    batches.take_while(fits).cloned().collect()
}
