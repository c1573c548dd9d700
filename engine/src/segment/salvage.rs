//! The job that writes what is left of damaged segment files, and of a damaged journal, into fresh ones.

use super::plan::{FilePlan, SegmentSizes};
use super::read::RunReader;
use super::run::Run;
use super::table::{SegmentFile, SegmentTable};
use super::write::{Writing, to_bytes, write_extent};
use crate::format::batch::HeldBatch;
use crate::format::layout::segment_path;
use crate::format::segment_index::{self, IndexEntry};
use crate::format::stored::Stored;
use crate::io::{Access, Disk, DiskError, DiskFile};
use crate::limits::SEGMENT_BYTES_MAX;
use crate::model::{Offset, PartitionId, Position, SegmentId};

/// Damage in a run, as it was found by reading all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedRun {
    /// The run.
    pub run: Run,
    /// The offsets that cannot be read, from and to below, in order.
    pub lost: Vec<(Offset, Offset)>,
    /// Batches of these that stand elsewhere, in order.
    pub rescued: Vec<HeldBatch>,
    /// Why the first of them cannot be read.
    pub why: String,
}

impl DamagedRun {
    /// Whether a batch is whole among what cannot be read here.
    pub fn wants(&self, base_offset: Offset, last_offset: Offset) -> bool {
        self.lost.iter().any(|(from, to)| *from <= base_offset && last_offset < *to)
    }

    /// Takes a batch that stands elsewhere as well, if it is wanted.
    pub fn rescue(&mut self, batch: HeldBatch) {
        if !self.wants(batch.base_offset, batch.last_offset) {
            return;
        }
        let at = self.rescued.partition_point(|rescued| rescued.base_offset < batch.base_offset);
        if self.rescued.get(at).is_none_or(|rescued| rescued.base_offset != batch.base_offset) {
            self.rescued.insert(at, batch);
        }
    }

    /// The offsets that stand nowhere, from and to below, in order.
    pub fn still_lost(&self) -> Vec<(Offset, Offset)> {
        let mut still_lost = Vec::new();
        for (from, to) in &self.lost {
            let inside = self.rescued.iter().filter(|batch| *from <= batch.base_offset && batch.base_offset < *to);
            let mut next = *from;
            for batch in inside {
                still_lost.push((next, batch.base_offset));
                next = batch.next_offset();
            }
            still_lost.push((next, *to));
        }
        still_lost.retain(|(from, to)| from < to);
        still_lost
    }
}

/// What reading a run from end to end found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Everything is there.
    Whole,
    /// Some of it is not.
    Damaged(DamagedRun),
    /// The disk does not give some of it, so nobody knows.
    Unreadable(String),
}

/// Reads a run from end to end, every checksum on the way.
pub async fn check_run<D: Disk>(
    disk: &D,
    writing: Writing<'_>,
    partition: PartitionId,
    run: Run,
    file: SegmentFile,
) -> RunState {
    let mut reader = RunReader::new(writing.journal_id, writing.shard, partition, run, file);
    let mut lost = Vec::new();
    let mut first_why = None;
    while let Some(chunk) = reader.next(disk, writing.directory).await {
        match chunk {
            Ok(chunk) if chunk.is_unreadable => {
                let why = chunk.damaged.first().map_or_else(String::new, |damaged| damaged.why.clone());
                return RunState::Unreadable(format!("segment file {}: {why}", run.segment));
            }
            Ok(chunk) => {
                for damaged in chunk.damaged {
                    lost.push((damaged.base_offset, damaged.next_offset));
                    first_why.get_or_insert(damaged.why);
                }
            }
            Err(error) => return RunState::Unreadable(error.to_string()),
        }
    }
    match first_why {
        Some(why) => RunState::Damaged(DamagedRun { run, lost, rescued: Vec::new(), why }),
        None => RunState::Whole,
    }
}

/// Whether the index that a file must have is there and right; no answer if the disk does not give it.
pub async fn has_index<D: Disk>(
    disk: &D,
    writing: Writing<'_>,
    segment: SegmentId,
    file: SegmentFile,
) -> Result<bool, DiskError> {
    let read = match disk.open(&segment_path(writing.directory, segment), Access::Read).await {
        Ok(handle) => {
            let read = handle.read(file.end, file.index_bytes as usize).await;
            handle.close().await;
            read
        }
        Err(error) => Err(error),
    };
    match read {
        Ok(bytes) => {
            let index = segment_index::decode(&to_bytes(&bytes), &writing.name(segment).at(file.end));
            Ok(matches!(index, Stored::Present(_)))
        }
        Err(error) if error.is_absence() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes batches of any partitions behind each other into fresh segment files.
pub struct SalvageWriter<'a, D: Disk> {
    disk: &'a D,
    writing: Writing<'a>,
    sizes: SegmentSizes,
    open: Option<OpenSegment<D::File>>,
}

struct OpenSegment<F> {
    segment: SegmentId,
    file: F,
    entries: Vec<IndexEntry>,
    /// The run that goes on if the next batches continue it.
    last: Option<(PartitionId, Run)>,
    end: Position,
}

impl<'a, D: Disk> SalvageWriter<'a, D> {
    /// Nothing is written before there is a batch.
    pub fn new(disk: &'a D, writing: Writing<'a>, sizes: SegmentSizes) -> Self {
        Self { disk, writing, sizes, open: None }
    }

    /// Writes batches that follow each other. Returns their run, which may continue the one before.
    pub async fn add(
        &mut self,
        table: &mut SegmentTable,
        partition: PartitionId,
        batches: Vec<HeldBatch>,
    ) -> Result<Run, DiskError> {
        if self.open.as_ref().is_some_and(|open| open.end.0 >= SEGMENT_BYTES_MAX) {
            self.seal(table).await?;
        }
        if self.open.is_none() {
            let segment = table.allocate();
            let file = self.disk.create(&segment_path(self.writing.directory, segment), 0).await?;
            self.open = Some(OpenSegment { segment, file, entries: Vec::new(), last: None, end: Position(0) });
        }
        let open = self.open.as_mut().expect("opened above");
        let base_offset = batches.first().map(|batch| batch.base_offset);
        let continued = open.last.filter(|(id, run)| *id == partition && base_offset == Some(run.next_offset));
        let mut plan = FilePlan::new(open.segment, true, open.end);
        plan.add(partition, batches, self.sizes, continued.map_or(i64::MIN, |(_, run)| run.max_timestamp_ms));
        let unsynced_bytes = self.writing.unsynced_bytes;
        let part = plan.parts.pop().expect("there is a batch");
        for extent in &part.extents {
            open.entries.push(write_extent(&open.file, self.writing.name(open.segment), partition, extent).await?);
            unsynced_bytes.set(unsynced_bytes.get() + extent.bytes);
            if unsynced_bytes.get() >= self.writing.unsynced_bytes_max {
                open.file.sync().await?;
                unsynced_bytes.set(0);
            }
        }
        open.end = plan.end;
        open.last = Some((partition, part.run));
        Ok(part.run)
    }

    /// Ends the last file and makes the names of all durable: only now may a manifest name them.
    pub async fn finish(mut self, table: &mut SegmentTable) -> Result<(), DiskError> {
        self.seal(table).await?;
        self.disk.sync_directory(self.writing.directory).await
    }

    async fn seal(&mut self, table: &mut SegmentTable) -> Result<(), DiskError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let mut buffer = open.file.allocate(segment_index::index_bytes(open.entries.len()));
        segment_index::encode(&self.writing.name(open.segment).at(open.end), &open.entries, &mut buffer);
        let index_bytes = u32::try_from(buffer.len()).expect("an index is smaller than its file");
        open.file.write_unsynced(buffer, open.end).await.result?;
        open.file.sync().await?;
        open.file.close().await;
        self.writing.unsynced_bytes.set(0);
        table.written(open.segment, open.end, index_bytes);
        table.close(open.segment);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
