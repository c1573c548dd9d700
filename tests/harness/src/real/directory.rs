//! Data directories on a real disk, formatted and verified with blocking system calls.

use std::collections::BTreeSet;
use std::path::Path;

use florin_engine::checkpoint::slot;
use florin_engine::format::layout::{Geometry, shard_path};
use florin_engine::format::superblock::Superblock;
use florin_engine::io::blocking::{BlockingDisk, block_on};
use florin_engine::io::fitness::{self, DirectIo, Options, Unfit};
use florin_engine::io::glommio::{ExecutorSettings, ShardExecutor, StartError};
use florin_engine::journal::create::{FormatSettings, format};
use florin_engine::journal::recovery::{Told, recover};
use florin_engine::journal::write::read_superblocks;
use florin_engine::model::{Id128, Realtime, ShardId, TopicId};
use florin_engine::partition::{HeldBatch, Partition};
use florin_engine::segment::SegmentTable;
use florin_engine::segment::read::RunReader;
use florin_engine::shard::open::read_identity;
use florin_engine::shard::replay::replay;

use super::line::Placed;
use super::payload;

/// What the journals of a directory hold, read without a runtime.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// Every batch, by partition and offset.
    pub batches: Vec<Placed>,
    /// Journal blocks.
    pub block_count: usize,
    /// Units that recovery would cut.
    pub cut_count: usize,
    /// Whether every shard was closed in order.
    pub clean: bool,
}

/// Why a test cannot run here, if that is the machine's doing: no io_uring, no direct I/O.
///
/// # Panics
/// If the check itself fails.
pub fn reason_to_skip(directory: &Path) -> Option<String> {
    if let Err(error) = fitness::check(directory, Options { allow_cow: true, direct_io: DirectIo::Required }) {
        return match error.reason {
            Unfit::Failed { .. } | Unfit::CopyOnWrite(_) => panic!("{error}"),
            Unfit::Volatile(_)
            | Unfit::DataJournal
            | Unfit::NoBarrier
            | Unfit::NoDirectIo { .. }
            | Unfit::Alignment { .. } => Some(error.to_string()),
        };
    }
    match ShardExecutor::new(executor_settings(directory, "probe", None, 1)).spawn(|_| async {}) {
        Ok(thread) => {
            thread.join();
            None
        }
        Err(
            error @ (StartError::IoUringDisabled { .. }
            | StartError::IoUringBlocked { .. }
            | StartError::KernelTooOld
            | StartError::IoUringMissing { .. }
            | StartError::LockedMemory { .. }
            | StartError::DeviceUnreadable { .. }),
        ) => Some(error.to_string()),
        Err(error) => panic!("{error}"),
    }
}

/// Settings of an executor for the data in `directory`.
pub fn executor_settings(directory: &Path, name: &str, core: Option<usize>, executor_count: usize) -> ExecutorSettings {
    ExecutorSettings {
        name: name.to_owned(),
        core,
        direct_io: DirectIo::Required,
        directory: directory.to_owned(),
        executor_count,
    }
}

/// Formats an absent directory. Its names are not random: nothing here is a secret.
pub fn create(directory: &Path, shard_count: u16, geometry: Geometry) -> Result<(), String> {
    let journal_ids = (0..shard_count).map(|shard| Id128([shard.to_le_bytes()[0] + 1; 16])).collect();
    let settings = FormatSettings { directory_id: Id128([0xf1; 16]), journal_ids, geometry, created: Realtime(1) };
    block_on(format(&BlockingDisk, directory, &settings)).map_err(|error| error.to_string())
}

/// Reads all shards as recovery would, without changing anything. What is left of topics that are not live does not
/// count. Damage is an error.
pub fn verify(directory: &Path) -> Result<Contents, String> {
    let identity = block_on(read_identity(&BlockingDisk, directory)).map_err(|error| error.to_string())?;
    let mut contents = Contents { clean: true, ..Contents::default() };
    let mut live: BTreeSet<TopicId> = BTreeSet::new();
    for shard in (0..identity.shard_count).map(ShardId) {
        let at = |what: String| format!("shard {shard}: {what}");
        let path = shard_path(directory, shard);
        let copies = block_on(read_superblocks(&BlockingDisk, &path, identity.directory_id, shard));
        let superblock = copies.choose().map_err(|error| at(error.to_string()))?.superblock;
        let manifest = block_on(slot::read(&BlockingDisk, &path, &superblock));
        let manifest = manifest.map_err(|error| at(error.to_string()))?.manifest;
        let recovery = block_on(recover(&BlockingDisk, &path, &superblock, Told::by(manifest.sequence)));
        if let Some(damage) = recovery.damage.first() {
            return Err(at(format!("{} findings, the first: {damage}", recovery.damage.len())));
        }
        let state = replay(superblock.name, identity.shard_count, &manifest, &recovery.blocks);
        let state = state.map_err(|error| at(error.to_string()))?;
        live.extend(state.owner.iter().flat_map(|owner| owner.live_topics(TopicId(0))).map(|topic| topic.id()));
        for (id, partition) in &state.partitions {
            for batch in batches_of(&path, &superblock, shard, partition, &state.segments).map_err(at)? {
                contents.batches.push(Placed {
                    partition: *id,
                    base_offset: batch.base_offset.0,
                    last_offset: batch.last_offset.0,
                    append_time: batch.append_time.0,
                    crc: payload::crc(&batch.bytes),
                    tag: payload::prove(&batch.bytes).map_err(at)?,
                });
            }
        }
        contents.block_count += recovery.blocks.len();
        contents.cut_count += recovery.cuts.len();
        contents.clean &= superblock.clean;
    }
    contents.batches.retain(|batch| live.contains(&batch.partition.topic));
    contents.batches.sort_unstable_by_key(|batch| (batch.partition, batch.base_offset));
    Ok(contents)
}

/// Every batch of a partition: at rest, then in the journal. Damage is an error.
fn batches_of(
    path: &Path,
    superblock: &Superblock,
    shard: ShardId,
    partition: &Partition,
    segments: &SegmentTable,
) -> Result<Vec<HeldBatch>, String> {
    let mut batches = Vec::new();
    for run in partition.runs() {
        let file = *segments.get(run.segment).ok_or("a run without a file")?;
        let mut reader = RunReader::new(superblock.name.journal_id, shard, partition.id(), *run, file);
        while let Some(chunk) = block_on(reader.next(&BlockingDisk, path)) {
            let chunk = chunk.map_err(|error| error.to_string())?;
            if let Some(damaged) = chunk.damaged.first() {
                return Err(format!("partition {}: offset {}: {}", partition.id(), damaged.base_offset, damaged.why));
            }
            batches.extend(chunk.batches);
        }
    }
    batches
        .extend(partition.read(partition.flushed_offset(), partition.durable_offset(), usize::MAX).unwrap_or_default());
    Ok(batches)
}
