//! Keys of payments that stand elsewhere, put into partitions that hold nothing yet while nobody uses the shard: whoever
//! moves from another system does not pay twice.
//!
//! The partition begins behind as many offsets as there are keys. Nothing can be read there, as of records that an
//! operator gave up, and every key has one of them as its receipt.

use std::cell::Cell;
use std::path::Path;

use super::keys::{key_writing, written};
use super::{RepairError, RepairPlan, examine_shard, writing};
use crate::format::identity::Identity;
use crate::format::keys::{BodyHash, KeyEntry, KeyHash};
use crate::io::{Disk, Runtime};
use crate::key::KeyHasher;
use crate::key_run::KeyRun;
use crate::key_run::write::KeyWriter;
use crate::model::{Now, Offset, PartitionId, Realtime, ShardId};
use crate::partition::keys::KeyRunSet;
use crate::segment::plan::SegmentSizes;
use crate::segment::write::Writing;

/// The keys of one partition.
#[derive(Debug)]
pub struct KeyImport<F> {
    /// The partition. Its topic has keys, and it holds nothing.
    pub partition: PartitionId,
    /// When all of them count as appended: their window begins there.
    pub append_time: Realtime,
    /// What stands for keys and bodies under the secret of the shard's journal, in the order of keys, none of them twice.
    pub keys: F,
}

/// Puts keys into the partitions of a shard; gives how many. Until the end an interruption changes nothing.
///
/// # Errors
/// If the shard is damaged, or a partition is not there, has no keys by its topic or holds something; or if the disk
/// fails.
pub async fn import_keys<R, F, I>(
    runtime: &R,
    directory: &Path,
    (identity, shard): (&Identity, ShardId),
    imports: Vec<KeyImport<F>>,
    now: Now,
) -> Result<u64, RepairError>
where
    R: Runtime,
    F: FnOnce(&KeyHasher) -> I,
    I: Iterator<Item = (KeyHash, BodyHash)>,
{
    let refused = |what: String| RepairError::Import { shard, what };
    let mut plan = examine_shard(runtime.disk(), directory, identity, shard, now.realtime).await?;
    if !plan.is_sound() {
        return Err(refused("it is damaged: repair it first".to_owned()));
    }
    let path = plan.directory.clone();
    let unsynced_bytes = Cell::new(0);
    let mut imported = 0;
    for KeyImport { partition: id, append_time, keys } in imports {
        let is_free = plan.state.partitions.get(&id).is_some_and(|partition| {
            let has_no_keys = |keys: &crate::partition::keys::PartitionKeys| keys.all_runs().next().is_none();
            partition.next_offset() == Offset(0) && partition.keys().is_some_and(has_no_keys)
        });
        if !is_free {
            return Err(refused(format!("partition {id} is not here, has no idempotency keys, or holds something")));
        }
        let writing = writing(&path, &plan.superblock, &unsynced_bytes);
        let entries = keys(&plan.state.hasher).zip(0..).map(|((key, body), at)| KeyEntry {
            key,
            body,
            offset: Offset(at),
            append_time,
        });
        if let Some(run) = plan.write_run(runtime, writing, id, entries).await? {
            imported += run.entry_count;
            plan.begin_behind(id, run, now.realtime)?;
        }
    }
    runtime.disk().sync_directory(&path).await?;
    plan.put_in_force(runtime.disk(), now).await?;
    Ok(imported)
}

impl RepairPlan {
    async fn write_run<R: Runtime>(
        &mut self,
        runtime: &R,
        writing: Writing<'_>,
        id: PartitionId,
        entries: impl Iterator<Item = KeyEntry>,
    ) -> Result<Option<KeyRun>, RepairError> {
        let mut entries = entries.peekable();
        if entries.peek().is_none() {
            return Ok(None);
        }
        let sizes = SegmentSizes::of(self.superblock.geometry.file_bytes);
        let segment = self.state.segments.allocate();
        let mut writer = KeyWriter::create(runtime, key_writing(writing, sizes), segment).await?;
        writer.begin(id);
        let mut next = Offset(0);
        while entries.peek().is_some() {
            let section: Vec<KeyEntry> = entries.by_ref().take(sizes.section_entry_count).collect();
            next = section.last().map_or(next, |last| last.offset.plus(1));
            writer.section(section).await?;
        }
        let run = writer.finish(Offset(0), next).await?;
        writer.sync().await?;
        writer.close().await;
        written(&mut self.state.segments, &run);
        Ok(Some(run))
    }

    /// The partition begins behind the offsets of its imported keys.
    fn begin_behind(&mut self, id: PartitionId, run: KeyRun, accepted: Realtime) -> Result<(), RepairError> {
        let shard = self.shard;
        let partition = self.state.partitions.get_mut(&id).expect("it was found before");
        let all_used = |_| RepairError::Import { shard, what: format!("partition {id} has no more offsets") };
        partition.finish_salvage(run.next_offset.0, accepted).map_err(all_used)?;
        partition.settle_salvage(Vec::new(), &[], accepted);
        let keys = partition.keys_mut().expect("it was found before");
        keys.settle(vec![KeyRunSet { run, spares: Vec::new() }], run.next_offset);
        self.state.segments.add_run(run.segment);
        Ok(())
    }
}
