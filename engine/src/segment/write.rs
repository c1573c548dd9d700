//! The job that writes segment files: extents in place, an index behind a sealed file, everything synced before it
//! counts.

use std::cell::Cell;
use std::path::Path;

use bytes::Bytes;

use super::index::{self, FileName};
use super::plan::{ExtentPlan, FilePlan, WritePlan};
use crate::format::extent;
use crate::format::layout::segment_path;
use crate::format::segment_index::{self, IndexEntry};
use crate::io::{Access, Disk, DiskError, DiskFile, Runtime};
use crate::limits::EXTENT_BYTES_TARGET;
use crate::model::{Id128, PartitionId, Position, SegmentId, ShardId};

/// Whose files are written, and how many unsynced bytes there may be at most.
#[derive(Clone, Copy, Debug)]
pub struct Writing<'a> {
    /// The shard's directory.
    pub directory: &'a Path,
    /// The journal's secret id.
    pub journal_id: Id128,
    /// The shard.
    pub shard: ShardId,
    /// A file is synced whenever so many bytes of it are not: a flush of the device takes them along.
    pub unsynced_bytes_max: usize,
    /// How many are not now, for whoever watches. One file is written at a time.
    pub unsynced_bytes: &'a Cell<usize>,
}

/// How the write of one file ended.
#[derive(Clone, Debug)]
pub struct FileWritten {
    /// The file.
    pub segment: SegmentId,
    /// Bytes of the index behind the extents, 0 if there is none; everything planned for the file is durable. After
    /// an error nothing of it counts.
    pub result: Result<u32, DiskError>,
}

impl Writing<'_> {
    /// The name by which extents of a file of this shard know their place.
    pub fn name(&self, segment: SegmentId) -> FileName {
        FileName { journal_id: self.journal_id, shard: self.shard, segment }
    }
}

/// Carries out a plan, file by file. A new file counts only when its name is durable as well: that is for the caller.
pub async fn write_files<R: Runtime>(runtime: &R, writing: Writing<'_>, plan: &WritePlan) -> Vec<FileWritten> {
    let mut written = Vec::with_capacity(plan.files.len());
    for file in &plan.files {
        let result = write_file(runtime, writing, file, plan.rest_factor).await;
        written.push(FileWritten { segment: file.segment, result });
    }
    written
}

/// The same, and makes the names of new files durable.
pub async fn write<R: Runtime>(runtime: &R, writing: Writing<'_>, plan: &WritePlan) -> Vec<FileWritten> {
    let mut written = write_files(runtime, writing, plan).await;
    if plan.files.iter().any(|file| file.is_new)
        && let Err(error) = runtime.disk().sync_directory(writing.directory).await
    {
        for (file, written) in plan.files.iter().zip(&mut written) {
            if file.is_new && written.result.is_ok() {
                written.result = Err(error.clone());
            }
        }
    }
    written
}

async fn write_file<R: Runtime>(
    runtime: &R,
    writing: Writing<'_>,
    plan: &FilePlan,
    rest_factor: u32,
) -> Result<u32, DiskError> {
    let path = segment_path(writing.directory, plan.segment);
    let disk = runtime.disk();
    let file = if plan.is_new { disk.create(&path, 0).await? } else { disk.open(&path, Access::Unsynced).await? };
    let result = write_extents(runtime, writing, &file, plan, rest_factor).await;
    file.close().await;
    writing.unsynced_bytes.set(0);
    result
}

async fn write_extents<R: Runtime, F: DiskFile>(
    runtime: &R,
    writing: Writing<'_>,
    file: &F,
    plan: &FilePlan,
    rest_factor: u32,
) -> Result<u32, DiskError> {
    let unsynced_bytes = writing.unsynced_bytes;
    unsynced_bytes.set(0);
    let mut entries = Vec::new();
    let extents: Vec<_> =
        plan.parts.iter().flat_map(|part| part.extents.iter().map(|extent| (part.partition, extent))).collect();
    let bytes_max = EXTENT_BYTES_TARGET.min(writing.unsynced_bytes_max / 2);
    let mut left = &extents[..];
    while !left.is_empty() {
        let (group, behind) = left.split_at(together(left, bytes_max));
        left = behind;
        let begun = runtime.monotonic();
        entries.extend(write_group(file, writing.name(plan.segment), group).await?);
        let bytes: usize = group.iter().map(|(_, extent)| extent.bytes).sum();
        unsynced_bytes.set(unsynced_bytes.get() + bytes);
        if unsynced_bytes.get() >= writing.unsynced_bytes_max {
            file.sync().await?;
            unsynced_bytes.set(0);
        }
        let took_ns = runtime.monotonic().0.saturating_sub(begun.0);
        let rest_ns = took_ns.saturating_mul(u64::from(rest_factor));
        if rest_ns > 0 {
            runtime.sleep(rest_ns).await;
        }
    }
    let index_bytes = if plan.seal { write_index(file, writing, plan, entries).await? } else { 0 };
    file.sync().await?;
    Ok(index_bytes)
}

/// How many extents from the first on are written at once: as many partitions have little each, their extents are small,
/// and each write costs the device and the shard as much as a large one.
fn together(extents: &[(PartitionId, &ExtentPlan)], bytes_max: usize) -> usize {
    let mut bytes = 0;
    let fits = |(_, extent): &&(PartitionId, &ExtentPlan)| {
        bytes += extent.bytes;
        bytes <= bytes_max
    };
    extents.iter().take_while(fits).count().max(1)
}

/// Writes one extent and returns its entry in the index.
pub(super) async fn write_extent<F: DiskFile>(
    file: &F,
    name: FileName,
    partition: PartitionId,
    plan: &ExtentPlan,
) -> Result<IndexEntry, DiskError> {
    Ok(write_group(file, name, &[(partition, plan)]).await?.remove(0))
}

/// Writes extents that stand one behind the other, and returns their entries in the index.
async fn write_group<F: DiskFile>(
    file: &F,
    name: FileName,
    extents: &[(PartitionId, &ExtentPlan)],
) -> Result<Vec<IndexEntry>, DiskError> {
    let begin = extents[0].1.position;
    let mut buffer = file.allocate(extents.iter().map(|(_, extent)| extent.bytes).sum());
    let mut entries = Vec::with_capacity(extents.len());
    let mut at = 0;
    for (partition, plan) in extents {
        assert_eq!(plan.position, begin.plus(at as u64), "extents of a file leave no gap");
        let place = name.at(plan.position);
        let out = &mut buffer[at..at + plan.bytes];
        let head = extent::encode(&place, *partition, &plan.batches, plan.max_timestamp_ms, out);
        entries.push(IndexEntry::of(plan.position, &head));
        at += plan.bytes;
    }
    file.write_unsynced(buffer, begin).await.result?;
    Ok(entries)
}

/// Writes the index of a file that ends here. Extents that were there before are found by their headers; if one of
/// them cannot be read there is no index, and whoever reads the file looks at the headers himself.
async fn write_index<F: DiskFile>(
    file: &F,
    writing: Writing<'_>,
    plan: &FilePlan,
    new: Vec<IndexEntry>,
) -> Result<u32, DiskError> {
    let name = writing.name(plan.segment);
    let begins = plan.parts.first().map_or(plan.end, |part| part.run.position);
    let walked = index::walk(file, name, Position(0), begins).await;
    if walked.entries.last().map_or(Position(0), IndexEntry::end) != begins || walked.has_gap {
        return Ok(0);
    }
    let mut entries = walked.entries;
    entries.extend(new);
    let mut buffer = file.allocate(segment_index::index_bytes(entries.len()));
    segment_index::encode(&name.at(plan.end), &entries, &mut buffer);
    let bytes = u32::try_from(buffer.len()).expect("an index is smaller than its file");
    file.write_unsynced(buffer, plan.end).await.result?;
    Ok(bytes)
}

/// A buffer's contents, to be sliced.
pub(super) fn to_bytes(buffer: &[u8]) -> Bytes {
    Bytes::copy_from_slice(buffer)
}

#[cfg(test)]
mod tests;
