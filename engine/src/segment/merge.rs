//! Puts small runs together: choosing them, and the job that reads them and writes one file in their place.

use super::plan::{FilePlan, SegmentSizes, WritePlan};
use super::read::RunReader;
use super::run::Run;
use super::table::SegmentFile;
use super::write::{FileWritten, Writing, write};
use crate::format::batch::HeldBatch;
use crate::io::{DiskError, Runtime};
use crate::limits::{MERGE_BYTES_MAX, MERGE_RUN_BYTES_MAX, MERGE_RUN_COUNT_MIN};
use crate::model::{Offset, PartitionId, Position, SegmentId};

/// The runs of one partition that become one.
#[derive(Clone, Debug)]
pub struct MergePart {
    /// The partition.
    pub partition: PartitionId,
    /// The runs, which follow each other in offsets, with their files.
    pub runs: Vec<(Run, SegmentFile)>,
    /// The rest that is still wanted begins here.
    pub start_offset: Offset,
}

/// What is put together into which file.
#[derive(Clone, Debug)]
pub struct MergePlan {
    /// The new file.
    pub segment: SegmentId,
    /// From where.
    pub parts: Vec<MergePart>,
    /// Sizes of extents.
    pub sizes: SegmentSizes,
    /// How long the writer rests after each write, as a multiple of the time that the write took.
    pub rest_factor: u32,
}

/// Why runs stay as they are.
#[derive(Clone, Debug)]
pub enum MergeError {
    /// The new file could not be written.
    Write(DiskError),
    /// A run cannot be read, or something in it is damaged: it is left where it is, for whoever can still read it.
    Read(PartitionId),
}

/// What a merge made.
#[derive(Clone, Debug)]
pub struct Merged {
    /// The new runs, in the order of the parts.
    pub runs: Vec<Run>,
    /// The first byte behind the extents.
    pub end: Position,
    /// Bytes of the index.
    pub index_bytes: u32,
}

/// How much room a manifest has for more runs. The less, the sooner those that there are become fewer, and the oftener
/// the same bytes are written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// More than half of it.
    Enough,
    /// Less.
    Short,
    /// Not enough for what is to be written now.
    None,
}

impl Room {
    /// Runs that follow each other and are worth putting together, at least.
    pub fn run_count_min(self) -> usize {
        match self {
            Self::Enough => MERGE_RUN_COUNT_MIN,
            Self::Short | Self::None => 2,
        }
    }
}

/// Which of the runs of a partition, given by their bytes, to put together: small ones that follow each other, of which
/// none is larger than all the others together, so that what was put together once is not written again with every
/// few bytes more; without room, any. `None`: nothing is worth it.
pub fn choose(run_bytes: &[u64], room: Room) -> Option<std::ops::Range<usize>> {
    (0..run_bytes.len()).find_map(|from| {
        let mut bytes = 0;
        let fits = |run: &&u64| {
            bytes = run.saturating_add(bytes);
            **run <= MERGE_RUN_BYTES_MAX && bytes <= MERGE_BYTES_MAX
        };
        let chosen = &run_bytes[from..];
        let chosen = &chosen[..chosen.iter().take_while(fits).count()];
        let largest = chosen.iter().max().copied().unwrap_or(0);
        let balances = room == Room::None || 2 * largest <= chosen.iter().sum();
        let is_worth_it = chosen.len() >= room.run_count_min() && balances;
        is_worth_it.then_some(from..from + chosen.len())
    })
}

/// Reads the runs and writes the new file. After an error nothing of it counts.
pub async fn merge<R: Runtime>(runtime: &R, writing: Writing<'_>, plan: &MergePlan) -> Result<Merged, MergeError> {
    let mut file = FilePlan::new(plan.segment, true, Position(0));
    file.seal = true;
    for part in &plan.parts {
        let batches = read_part(runtime, writing, part).await?;
        file.add(part.partition, batches, plan.sizes, i64::MIN);
    }
    let runs: Vec<Run> = file.parts.iter().map(|part| part.run).collect();
    let end = file.end;
    let plan = WritePlan { files: vec![file], rest_factor: plan.rest_factor, is_partial: false };
    let mut written = write(runtime, writing, &plan).await;
    let FileWritten { result, .. } = written.remove(0);
    let index_bytes = result.map_err(MergeError::Write)?;
    Ok(Merged { runs, end, index_bytes })
}

/// Every batch of the runs that is still wanted.
async fn read_part<R: Runtime>(
    runtime: &R,
    writing: Writing<'_>,
    part: &MergePart,
) -> Result<Vec<HeldBatch>, MergeError> {
    let mut batches = Vec::new();
    for (run, file) in &part.runs {
        let mut reader = RunReader::new(writing.journal_id, writing.shard, part.partition, *run, *file);
        while let Some(chunk) = reader.next(runtime.disk(), writing.directory).await {
            match chunk {
                Ok(chunk) if chunk.damaged.is_empty() => batches.extend(chunk.batches),
                Ok(_) | Err(_) => return Err(MergeError::Read(part.partition)),
            }
        }
    }
    batches.retain(|batch| batch.last_offset >= part.start_offset);
    Ok(batches)
}

#[cfg(test)]
mod tests;
