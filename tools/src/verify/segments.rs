//! What is at rest: every batch of every run, the indexes, and files that nobody needs.

use florin_engine::format::layout::segment_path;
use florin_engine::format::segment_index;
use florin_engine::format::stored::Stored;
use florin_engine::format::superblock::Superblock;
use florin_engine::io::{Access, Disk, DiskFile};
use florin_engine::key_run::check::{KeyRunState, check_run};
use florin_engine::model::{PartitionId, SegmentId};
use florin_engine::partition::Partition;
use florin_engine::partition::keys::PartitionKeys;
use florin_engine::segment::index::FileName;
use florin_engine::segment::read::RunReader;
use florin_engine::segment::remove;
use florin_engine::segment::table::SegmentFile;
use florin_engine::shard::replay::ShardState;

use super::finding::{Finding, Severity, severity_of};
use super::shard::ShardReport;
use crate::directory::Directory;

/// Reads everything that is at rest, and names what is wrong with it.
pub async fn check<D: Disk>(
    disk: &D,
    directory: &Directory,
    superblock: &Superblock,
    state: &ShardState,
    report: &mut ShardReport,
) {
    let shard_path = directory.shard_path(superblock.name.shard);
    match remove::list(disk, &shard_path).await {
        Ok(found) => {
            for segment in remove::orphans(&found, &state.segments) {
                let what = "no superblock needs this file: the next start removes it";
                let file = directory.relative(&segment_path(&shard_path, segment));
                report.find(Finding::new(Severity::Note, what).in_file(&file));
            }
        }
        Err(error) => report.find(Finding::new(severity_of(&error), error.to_string())),
    }
    for (id, partition) in &state.partitions {
        check_partition(disk, directory, superblock, state, (*id, partition), report).await;
        check_keys(disk, directory, superblock, (*id, partition), report).await;
    }
    for (segment, file) in state.segments.files() {
        report.checked.segment_count += 1;
        check_index(disk, directory, superblock, (segment, file), report).await;
    }
}

async fn check_partition<D: Disk>(
    disk: &D,
    directory: &Directory,
    superblock: &Superblock,
    state: &ShardState,
    (id, partition): (PartitionId, &Partition),
    report: &mut ShardReport,
) {
    let shard = superblock.name.shard;
    let shard_path = directory.shard_path(shard);
    for run in partition.runs() {
        let name = directory.relative(&segment_path(&shard_path, run.segment));
        let file = *state.segments.get(run.segment).expect("replay refuses a run without a file");
        let mut reader = RunReader::new(superblock.name.journal_id, shard, id, *run, file);
        while let Some(chunk) = reader.next(disk, &shard_path).await {
            match chunk {
                Err(error) => {
                    let what = format!("partition {id}: {error}");
                    report.find(Finding::new(severity_of(&error), what).in_file(&name));
                }
                Ok(chunk) => {
                    report.checked.stored_batch_count += chunk.batches.len() as u64;
                    report.checked.stored_batch_bytes += chunk.bytes() as u64;
                    for damaged in &chunk.damaged {
                        let (from, to, why) = (damaged.base_offset, damaged.next_offset, &damaged.why);
                        let what = format!("partition {id}: offsets {from} to below {to}: {why}");
                        report.find(Finding::new(Severity::Damage, what).in_file(&name).at(run.position.0, run.bytes));
                    }
                }
            }
        }
    }
}

/// The key runs of a partition whose topic has idempotency keys.
async fn check_keys<D: Disk>(
    disk: &D,
    directory: &Directory,
    superblock: &Superblock,
    (id, partition): (PartitionId, &Partition),
    report: &mut ShardReport,
) {
    let shard = superblock.name.shard;
    let shard_path = directory.shard_path(shard);
    for run in partition.keys().into_iter().flat_map(PartitionKeys::all_runs) {
        let name = FileName { journal_id: superblock.name.journal_id, shard, segment: run.segment };
        let (severity, count, why) = match check_run(disk, &shard_path, name, id, run).await {
            KeyRunState::Whole => {
                report.checked.stored_key_count += run.entry_count;
                continue;
            }
            KeyRunState::Damaged { why, readable_count } => (Severity::Damage, readable_count, why),
            KeyRunState::Unreadable(why) => (Severity::CannotTell, 0, why),
        };
        report.checked.stored_key_count += count;
        let what = format!("idempotency keys of partition {id}: {why}");
        let file = directory.relative(&segment_path(&shard_path, run.segment));
        report.find(Finding::new(severity, what).in_file(&file).at(run.position.0, run.bytes));
    }
}

/// The index of a sealed file. Reads do without one that is damaged, and are slower for it.
async fn check_index<D: Disk>(
    disk: &D,
    directory: &Directory,
    superblock: &Superblock,
    (segment, file): (SegmentId, &SegmentFile),
    report: &mut ShardReport,
) {
    if file.index_bytes == 0 {
        return;
    }
    let shard = superblock.name.shard;
    let path = segment_path(&directory.shard_path(shard), segment);
    // A file that cannot be opened was named with its runs.
    let Ok(handle) = disk.open(&path, Access::Read).await else { return };
    let read = handle.read(file.end, file.index_bytes as usize).await;
    handle.close().await;
    let name = FileName { journal_id: superblock.name.journal_id, shard, segment };
    let problem = match read {
        Ok(buffer) => match segment_index::decode(&bytes::Bytes::copy_from_slice(&buffer), &name.at(file.end)) {
            Stored::Present(_) => None,
            other => other.problem().map(|problem| (Severity::Damage, problem)),
        },
        Err(error) => Some((severity_of(&error), error.to_string())),
    };
    if let Some((severity, problem)) = problem {
        let what = format!("the index of the segment file: {problem}; reads go from extent to extent instead");
        let place = Finding::new(severity, what).in_file(&directory.relative(&path));
        report.find(place.at(file.end.0, u64::from(file.index_bytes)));
    }
}
