//! What is to be written into segment files, decided at once and carried out by a job: every extent's place and
//! every run are fixed here.

use super::Run;
use crate::format::batch::HeldBatch;
use crate::format::extent::{EXTENT_ENTRY_BYTES, EXTENT_HEADER_BYTES, extent_bytes};
use crate::format::keys::SECTION_ENTRY_COUNT_MAX;
use crate::format::layout::unit_aligned;
use crate::limits::{EXTENT_BYTES_TARGET, PLAN_BATCH_COUNT_MAX, SEGMENT_OWN_BYTES_MIN, UNIT_BYTES};
use crate::model::{PartitionId, Position, SegmentId};

/// Ring files of small rings hold few batches: one for so many of their bytes is planned at once.
const PLAN_BYTES_PER_BATCH: u64 = 4096;
/// The same of sections of idempotency keys.
const SECTION_BYTES_PER_ENTRY: u64 = 1024;

/// Sizes by which writes are planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentSizes {
    /// An extent gets no further batch from here on.
    pub extent_bytes_target: usize,
    /// A partition with less to write shares a file with others.
    pub own_bytes_min: usize,
    /// Batches that are planned at once: the shard does nothing else meanwhile.
    pub plan_batch_count: usize,
    /// Idempotency keys of a section, at most.
    pub section_entry_count: usize,
}

impl SegmentSizes {
    /// The sizes for ring files of so many bytes: small rings, as tests have, get small extents.
    pub fn of(file_bytes: u64) -> Self {
        let part = |divisor: u64| usize::try_from(file_bytes / divisor).unwrap_or(usize::MAX);
        Self {
            extent_bytes_target: EXTENT_BYTES_TARGET.min(unit_aligned(part(8)).max(UNIT_BYTES)),
            own_bytes_min: SEGMENT_OWN_BYTES_MIN.min(part(4)),
            plan_batch_count: PLAN_BATCH_COUNT_MAX.min(part(PLAN_BYTES_PER_BATCH)).max(1),
            section_entry_count: SECTION_ENTRY_COUNT_MAX.min(part(SECTION_BYTES_PER_ENTRY)).max(1),
        }
    }
}

/// An extent to write.
#[derive(Clone, Debug)]
pub struct ExtentPlan {
    /// Where.
    pub position: Position,
    /// Its bytes.
    pub bytes: usize,
    /// The latest timestamp of the run up to its end.
    pub max_timestamp_ms: i64,
    /// The batches.
    pub batches: Vec<HeldBatch>,
}

/// What one partition gets written in one file.
#[derive(Clone, Debug)]
pub struct Part {
    /// The partition.
    pub partition: PartitionId,
    /// The new run.
    pub run: Run,
    /// Its extents.
    pub extents: Vec<ExtentPlan>,
}

/// What is written into one file.
#[derive(Clone, Debug)]
pub struct FilePlan {
    /// The file.
    pub segment: SegmentId,
    /// It does not exist yet.
    pub is_new: bool,
    /// What is written, in the order of places.
    pub parts: Vec<Part>,
    /// The first byte behind it.
    pub end: Position,
    /// Nothing more follows: an index is written behind the extents.
    pub seal: bool,
}

/// What is written with one go.
#[derive(Clone, Debug)]
pub struct WritePlan {
    /// The files.
    pub files: Vec<FilePlan>,
    /// How long the writer rests after each write, as a multiple of the time that the write took.
    pub rest_factor: u32,
    /// More is to be written before a checkpoint lets anything go.
    pub is_partial: bool,
}

impl FilePlan {
    /// Nothing yet, to go behind `position`.
    pub fn new(segment: SegmentId, is_new: bool, position: Position) -> Self {
        Self { segment, is_new, parts: Vec::new(), end: position, seal: false }
    }

    /// Adds batches of one partition, which follow each other. `max_timestamp_ms` is the latest timestamp of a run
    /// in this file that these continue.
    pub fn add(&mut self, partition: PartitionId, batches: Vec<HeldBatch>, sizes: SegmentSizes, max_timestamp_ms: i64) {
        let (Some(first), Some(last)) = (batches.first(), batches.last()) else { return };
        let (position, base_offset, next_offset) = (self.end, first.base_offset, last.next_offset());
        let (first_append_time, last_append_time) = (first.append_time, last.append_time);
        let mut max_timestamp_ms = max_timestamp_ms;
        let mut extents = Vec::new();
        for batches in split(batches, sizes.extent_bytes_target) {
            let bytes = extent_bytes(batches.len(), batches.iter().map(|batch| batch.bytes.len()).sum());
            let latest = batches.iter().map(|batch| batch.max_timestamp_ms().expect("a held batch has a header"));
            max_timestamp_ms = latest.fold(max_timestamp_ms, i64::max);
            extents.push(ExtentPlan { position: self.end, bytes, max_timestamp_ms, batches });
            self.end = self.end.plus(bytes as u64);
        }
        let bytes = self.end.0 - position.0;
        let run = Run {
            segment: self.segment,
            position,
            bytes,
            base_offset,
            next_offset,
            first_append_time,
            last_append_time,
            max_timestamp_ms,
        };
        self.parts.push(Part { partition, run, extents });
    }
}

/// Groups of batches that make an extent each.
fn split(batches: Vec<HeldBatch>, bytes_target: usize) -> Vec<Vec<HeldBatch>> {
    let mut groups: Vec<Vec<HeldBatch>> = Vec::new();
    let mut bytes = usize::MAX;
    for batch in batches {
        let batch_bytes = EXTENT_ENTRY_BYTES + batch.bytes.len();
        if bytes.saturating_add(batch_bytes) > bytes_target {
            groups.push(Vec::new());
            bytes = EXTENT_HEADER_BYTES;
        }
        bytes += batch_bytes;
        groups.last_mut().expect("a group was begun").push(batch);
    }
    groups
}

#[cfg(test)]
mod tests;
