//! What the tests of segments share: segment files in a directory of a test's own.

use std::cell::Cell;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::format::batch::{self, BatchBuilder, HeldBatch};
use crate::format::layout::segment_path;
use crate::io::Runtime;
use crate::io::blocking::{BlockingDisk, block_on};
use crate::model::{Id128, Now, Offset, PartitionId, Position, Realtime, SegmentId, ShardId, TopicId};

use super::plan::SegmentSizes;
use super::read::{Chunk, ReadDone, ReadPlan, Target, read};
use super::write::{FileWritten, Writing, write};
use super::{FilePlan, Run, SegmentState, WritePlan};
use crate::segment::table::SegmentFile;

pub(crate) const JOURNAL_ID: Id128 = Id128([4; 16]);
pub(crate) const SHARD: ShardId = ShardId(3);
pub(crate) const PARTITION: PartitionId = PartitionId { topic: TopicId(2), index: 1 };
/// Extents of one unit, more or less.
pub(super) const SIZES: SegmentSizes =
    SegmentSizes { extent_bytes_target: 4096, own_bytes_min: 8192, plan_batch_count: 64, section_entry_count: 64 };

/// Nothing waits and no time passes.
#[derive(Clone)]
pub(crate) struct StillRuntime;

impl Runtime for StillRuntime {
    type Disk = BlockingDisk;

    fn disk(&self) -> &BlockingDisk {
        &BlockingDisk
    }

    fn now(&self) -> Now {
        Now::default()
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        block_on(task);
    }

    async fn sleep(&self, _duration_ns: u64) {}

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        work()
    }

    fn random(&self) -> Id128 {
        Id128::default()
    }
}

pub(super) fn writing<'a>(directory: &'a Path, unsynced_bytes: &'a Cell<usize>) -> Writing<'a> {
    Writing { directory, journal_id: JOURNAL_ID, shard: SHARD, unsynced_bytes_max: 8192, unsynced_bytes }
}

/// So many batches of one record from `base` on, at append times equal to their offsets and timestamps ten times
/// that.
pub(super) fn batches(base: u64, count: u64, value_bytes: usize) -> Vec<HeldBatch> {
    let batch = |offset: u64| {
        let mut builder = BatchBuilder::new();
        let timestamp_ms = i64::try_from(offset * 10).unwrap();
        builder.push(timestamp_ms, None, Some(&vec![7; value_bytes]), &[]).unwrap();
        let mut bytes = builder.finish();
        batch::place(&mut bytes, Offset(offset));
        let bytes = bytes.freeze();
        HeldBatch {
            base_offset: Offset(offset),
            last_offset: Offset(offset),
            append_time: Realtime(offset),
            undecided: 0,
            bytes,
        }
    };
    (base..base + count).map(batch).collect()
}

/// A new file with these batches of one partition.
pub(super) fn new_file(segment: u64, batches: Vec<HeldBatch>, seal: bool) -> FilePlan {
    let mut file = FilePlan::new(SegmentId(segment), true, Position(0));
    file.seal = seal;
    file.add(PARTITION, batches, SIZES, i64::MIN);
    file
}

pub(super) fn write_all(directory: &Path, files: Vec<FilePlan>) -> Vec<FileWritten> {
    block_on(write(
        &StillRuntime,
        writing(directory, &Cell::new(0)),
        &WritePlan { files, rest_factor: 1, is_partial: false },
    ))
}

/// Writes a file and returns its run and what the table would know of it.
pub(super) fn written(directory: &Path, file: FilePlan) -> (Run, SegmentFile) {
    let (run, end, seal) = (file.parts[0].run, file.end, file.seal);
    let index_bytes = write_all(directory, vec![file]).remove(0).result.unwrap();
    assert_eq!(index_bytes > 0, seal);
    let state = if seal { SegmentState::Sealed } else { SegmentState::Growing };
    (run, SegmentFile { end, index_bytes, state })
}

pub(super) fn read_plan(run: Run, file: SegmentFile, target: Target) -> ReadPlan {
    let (journal_id, shard, partition) = (JOURNAL_ID, SHARD, PARTITION);
    ReadPlan { journal_id, shard, partition, run, file, target, bytes_max: 3 * 4096, piece_bytes: None, index: None }
}

pub(super) fn read_from(directory: &Path, run: Run, file: SegmentFile, target: Target) -> ReadDone {
    block_on(read(&BlockingDisk, directory, &read_plan(run, file, target), &async || {}))
}

pub(super) fn chunk(directory: &Path, run: Run, file: SegmentFile, target: Target) -> Chunk {
    read_from(directory, run, file, target).result.unwrap()
}

/// Writes over bytes of a file that is there.
pub(crate) fn overwrite(directory: &Path, segment: SegmentId, position: u64, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).open(segment_path(directory, segment)).unwrap();
    file.write_all_at(bytes, position).unwrap();
}

pub(super) fn bases(batches: &[HeldBatch]) -> Vec<u64> {
    batches.iter().map(|batch| batch.base_offset.0).collect()
}
