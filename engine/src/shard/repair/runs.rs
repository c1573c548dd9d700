//! Damaged runs of a shard, and what of them still stands elsewhere.

use bytes::Bytes;

use crate::format::batch::{self, HeldBatch};
use crate::format::control::{Entry, EntryWalk};
use crate::io::Disk;
use crate::journal::recovery::RecoveredBlock;
use crate::model::PartitionId;
use crate::segment::salvage::{DamagedRun, RunState, check_run};
use crate::segment::write::Writing;
use crate::shard::replay::ShardState;

/// Reads everything that is at rest. An error says what the disk does not give.
pub(super) async fn damaged_runs<D: Disk>(
    disk: &D,
    writing: Writing<'_>,
    state: &ShardState,
) -> Result<Vec<(PartitionId, DamagedRun)>, String> {
    let mut damaged_runs = Vec::new();
    for (id, partition) in &state.partitions {
        for run in partition.runs() {
            let file = *state.segments.get(run.segment).expect("replay refuses a run without a file");
            match check_run(disk, writing, *id, *run, file).await {
                RunState::Whole => {}
                RunState::Damaged(damaged) => damaged_runs.push((*id, damaged)),
                RunState::Unreadable(what) => return Err(what),
            }
        }
    }
    Ok(damaged_runs)
}

/// Finds what cannot be read at rest in the journal, as far as it is still there.
pub(super) fn rescue(damaged_runs: &mut [(PartitionId, DamagedRun)], blocks: &[RecoveredBlock]) {
    if damaged_runs.is_empty() {
        return;
    }
    for entry in blocks.iter().flat_map(|block| EntryWalk::new(block.payload(), block.entry_count)) {
        let Ok(Entry::Batch { partition, append_time, undecided, batch: bytes }) = entry else { continue };
        let (Ok(base_offset), Ok(last_offset)) = (batch::base_offset(&bytes), batch::last_offset(&bytes)) else {
            continue;
        };
        let is_wanted = |damaged: &DamagedRun| damaged.wants(base_offset, last_offset);
        let runs = damaged_runs.iter_mut().filter(|(id, damaged)| *id == partition && is_wanted(damaged));
        for (_, damaged) in runs.filter(|_| batch::validate_stored(&bytes).is_ok()) {
            // A slice would keep the whole ring file that it was read with.
            let bytes = Bytes::copy_from_slice(&bytes);
            damaged.rescue(HeldBatch { base_offset, last_offset, append_time, undecided, bytes });
        }
    }
}
