//! Puts key runs together as they grow many, and lets go of those that have expired: away from what takes batches to rest,
//! because a merge may take long.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::key_run::KeyRun;
use crate::key_run::merge::{KeyMerge, KeyMergeError};
use crate::limits::{KEY_MERGE_RETRY_NS, KEY_MERGE_RUN_COUNT_MIN};
use crate::marks::{self, Mark};
use crate::model::{Monotonic, Now, PartitionId};
use crate::shard::request::Effect;
use crate::shard::{Report, Shard};

/// What is being put together.
#[derive(Debug)]
pub(in crate::shard) struct KeyMerging {
    work: Option<Rc<KeyMerge>>,
    /// Runs were written since it was last looked for some to put together.
    may_merge: bool,
    /// After a failure nothing is tried before this; 0 if nothing failed.
    retry_at: Monotonic,
    /// Damage was found when they were read: they stay as they are.
    unmergeable: BTreeSet<PartitionId>,
}

impl Default for KeyMerging {
    fn default() -> Self {
        Self { work: None, may_merge: true, retry_at: Monotonic(0), unmergeable: BTreeSet::new() }
    }
}

impl KeyMerging {
    pub(in crate::shard) fn is_idle(&self) -> bool {
        self.work.is_none()
    }

    /// There are more runs.
    pub(in crate::shard) fn runs_were_written(&mut self) {
        self.may_merge = true;
    }

    /// When something that failed is tried again, if it did.
    pub(in crate::shard) fn next_deadline(&self) -> Option<Monotonic> {
        (self.is_idle() && self.retry_at > Monotonic(0)).then_some(self.retry_at)
    }

    /// The file that is being written.
    pub(in crate::shard) fn busy(&self) -> Option<crate::model::SegmentId> {
        self.work.as_ref().map(|plan| plan.segment)
    }
}

/// Which of the runs of a partition, given by how many keys they have, to put together: the latest, and as many before them
/// that none has more than all the others together; so a key is written again only when its run at least doubles.
fn choose(counts: &[u64]) -> Option<std::ops::Range<usize>> {
    let is_worth_it = |from: &usize| {
        let chosen = &counts[*from..];
        let largest = chosen.iter().max().copied().unwrap_or(0);
        chosen.len() >= KEY_MERGE_RUN_COUNT_MIN && 2 * largest <= chosen.iter().sum()
    };
    (0..counts.len()).find(is_worth_it).map(|from| from..counts.len())
}

impl Shard {
    /// Begins to put key runs together, if none are and it is worth it.
    pub(in crate::shard) fn begin_key_merge(&mut self, now: Now) {
        let merging = &self.keyed.merging;
        let is_ready = merging.is_idle() && merging.may_merge && merging.retry_at <= now.monotonic;
        if !is_ready || self.stopping || self.failed.is_some() || !self.epoch_started {
            return;
        }
        self.keyed.merging.may_merge = false;
        self.keyed.merging.retry_at = Monotonic(0);
        let Some((partition, runs)) = self.choose_key_runs() else { return };
        runs.iter().for_each(|run| self.segments.table.pin(run.segment));
        let keys = self.partitions[&partition].keys().expect("its runs were chosen");
        let expired_before = self.keys_expired_before(keys, now);
        let segment = self.segments.table.allocate();
        let plan = Rc::new(KeyMerge { partition, runs, segment, expired_before, leaves_out_damage: false });
        self.keyed.merging.work = Some(Rc::clone(&plan));
        self.effects.push(Effect::MergeKeys(plan));
    }

    fn choose_key_runs(&self) -> Option<(PartitionId, Vec<KeyRun>)> {
        let is_open = |id: PartitionId| self.owned.ahead().topic(id.topic).is_some();
        let mut partitions = self.partitions.iter().filter(|(id, _)| is_open(**id));
        partitions.find_map(|(id, partition)| {
            let sets = partition.keys()?.sets();
            if self.keyed.merging.unmergeable.contains(id) {
                return None;
            }
            let counts: Vec<u64> = sets.iter().map(|set| set.run.entry_count).collect();
            choose(&counts).map(|range| (*id, sets[range].iter().map(|set| set.run).collect()))
        })
    }

    /// A merge of key runs ended.
    pub(in crate::shard) fn keys_merged(&mut self, result: Result<Option<KeyRun>, KeyMergeError>, now: Now) {
        let plan = self.keyed.merging.work.take().expect("a merge of key runs that was under way");
        plan.runs.iter().for_each(|run| self.segments.table.unpin(run.segment));
        match result {
            Ok(new) => {
                marks::hit(Mark::KeyRunsMerged);
                if let Some(run) = &new {
                    self.segments.table.written(plan.segment, run.end(), 0);
                    self.segments.table.close(plan.segment);
                }
                let keys = self.partitions.get_mut(&plan.partition).and_then(|state| state.keys_mut());
                if let Some(gone) = keys.and_then(|keys| keys.merged(&plan.runs, new)) {
                    new.iter().for_each(|run| self.segments.table.add_run(run.segment));
                    gone.iter().for_each(|run| self.segments.table.drop_run(run.segment));
                }
                self.keyed.merging.may_merge = true;
            }
            Err(KeyMergeError::Stopped) => {}
            Err(error) => {
                marks::hit(Mark::KeyMergeFailed);
                if let KeyMergeError::Damaged { .. } = &error {
                    self.keyed.merging.unmergeable.insert(plan.partition);
                }
                self.keyed.merging.may_merge = true;
                self.keyed.merging.retry_at = now.monotonic.plus_ns(KEY_MERGE_RETRY_NS);
                self.report(Report::KeyMergeFailed { partition: plan.partition, why: error.to_string() });
            }
        }
        self.remove_unneeded_segments();
    }

    /// Lets go of key runs in which everything has expired.
    pub(in crate::shard) fn expire_keys(&mut self, now: Now) {
        let ids: Vec<PartitionId> = self.owned.durable().partitions().collect();
        for id in ids {
            let Some(keys) = self.partitions.get(&id).and_then(|state| state.keys()) else { continue };
            let Some(expired_before) = self.keys_expired_before(keys, now) else { continue };
            let keys = self.partitions.get_mut(&id).and_then(|state| state.keys_mut()).expect("just seen");
            for run in keys.expire(expired_before) {
                marks::hit(Mark::KeyRunExpired);
                self.segments.table.drop_run(run.segment);
            }
        }
    }
}

#[cfg(test)]
mod tests;
