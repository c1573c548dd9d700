//! The job that takes batches to rest with their keys: key runs first, then segment files, then their names. A batch counts
//! as being at rest only if its keys are.

use crate::io::{Disk, DiskError, Runtime};
use crate::key_run::KeyRun;
use crate::key_run::write::{KeyPart, KeyWriting, write_runs};
use crate::model::{PartitionId, SegmentId};
use crate::segment::WritePlan;
use crate::segment::write::{FileWritten, Writing, write_files};

/// The keys of what goes to rest.
#[derive(Clone, Debug)]
pub struct KeyFilePlan {
    /// The new file.
    pub segment: SegmentId,
    /// Keys of the partitions that have some.
    pub parts: Vec<KeyPart>,
}

/// What goes to rest with one go.
#[derive(Clone, Debug)]
pub struct RestPlan {
    /// Its batches.
    pub write: WritePlan,
    /// Their keys, of those that have some.
    pub keys: Option<KeyFilePlan>,
    /// Keys of one section, at most.
    pub section_entry_count_max: usize,
}

/// How that ended.
#[derive(Clone, Debug)]
pub struct RestWritten {
    /// File by file.
    pub files: Vec<FileWritten>,
    /// The run of each part, if there are any.
    pub keys: Option<Result<Vec<KeyRun>, DiskError>>,
}

impl RestPlan {
    /// Whether keys of the partition are written.
    pub fn has_keys_of(&self, partition: PartitionId) -> bool {
        self.keys.iter().flat_map(|keys| &keys.parts).any(|part| part.partition == partition)
    }
}

/// Carries out a plan. A new file counts only when its name is durable as well.
pub async fn write<R: Runtime>(runtime: &R, writing: Writing<'_>, plan: &RestPlan) -> RestWritten {
    let mut keys = match &plan.keys {
        Some(file) => Some(write_keys(runtime, writing, plan, file).await),
        None => None,
    };
    let mut files = write_files(runtime, writing, &plan.write).await;
    let is_new = |at: usize| plan.write.files[at].is_new;
    if (keys.is_some() || (0..files.len()).any(is_new))
        && let Err(error) = runtime.disk().sync_directory(writing.directory).await
    {
        let new_files = files.iter_mut().enumerate().filter(|(at, file)| is_new(*at) && file.result.is_ok());
        new_files.for_each(|(_, file)| file.result = Err(error.clone()));
        keys = keys.map(|keys| keys.and(Err(error)));
    }
    RestWritten { files, keys }
}

async fn write_keys<R: Runtime>(
    runtime: &R,
    writing: Writing<'_>,
    plan: &RestPlan,
    file: &KeyFilePlan,
) -> Result<Vec<KeyRun>, DiskError> {
    let key_writing = KeyWriting {
        directory: writing.directory,
        journal_id: writing.journal_id,
        shard: writing.shard,
        section_entry_count_max: plan.section_entry_count_max,
        unsynced_bytes_max: writing.unsynced_bytes_max,
        rest_factor: plan.write.rest_factor,
    };
    write_runs(runtime, key_writing, file.segment, &file.parts).await
}
