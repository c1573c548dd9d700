//! Puts key runs together as they grow many, and lets go of those that have expired: away from what takes batches to rest,
//! because a merge may take long.

use std::collections::BTreeSet;
use std::ops::Range;
use std::rc::Rc;

use crate::key_run::KeyRun;
use crate::key_run::merge::{KeyMerge, KeyMergeError};
use crate::limits::{KEY_MERGE_RETRY_NS, KEY_MERGE_RUN_COUNT_MIN};
use crate::marks::{self, Mark};
use crate::model::{Monotonic, Now, PartitionId};
use crate::partition::keys::KeyRunSet;
use crate::segment::merge::Room;
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

    /// There are more runs, or less room for them.
    pub(in crate::shard) fn look_again(&mut self) {
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
/// that none has more than all the others together; so a key is written again only when its run at least doubles. Where a
/// manifest has little room, fewer are worth it.
fn choose(counts: &[u64], room: Room) -> Option<Range<usize>> {
    let count_min = if room == Room::Enough { KEY_MERGE_RUN_COUNT_MIN } else { room.run_count_min() };
    let is_worth_it = |from: &usize| {
        let chosen = &counts[*from..];
        let largest = chosen.iter().max().copied().unwrap_or(0);
        chosen.len() >= count_min && 2 * largest <= chosen.iter().sum()
    };
    (0..counts.len()).find(is_worth_it).map(|from| from..counts.len())
}

/// The spares of a set to put together, where a manifest has little room: of the set that has most of them, and at least two.
fn choose_spares(sets: &[KeyRunSet]) -> Option<&KeyRunSet> {
    sets.iter().filter(|set| set.spares.len() >= 2).max_by_key(|set| set.spares.len())
}

/// The two runs beside each other that have the fewest keys, which are put together where a manifest has no room.
fn choose_pair(counts: &[u64]) -> Option<(u64, Range<usize>)> {
    counts.windows(2).zip(0..).map(|(pair, at)| (pair[0] + pair[1], at..at + 2)).min_by_key(|(count, _)| *count)
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

    /// Sets that grow many become fewer. Where a manifest has little room so do spares, and where it has none whatever costs
    /// least: in the end a partition has one run, and one spare.
    fn choose_key_runs(&self) -> Option<(PartitionId, Vec<KeyRun>)> {
        let room = if self.segments.is_manifest_full() { Room::None } else { self.segments.room(self.run_count()) };
        let is_open = |id: PartitionId| self.owned.ahead().topic(id.topic).is_some();
        let is_mergeable = |id: PartitionId| is_open(id) && !self.keyed.merging.unmergeable.contains(&id);
        let partitions = self.partitions.iter().filter(|(id, _)| is_mergeable(**id));
        let all = partitions.filter_map(|(id, partition)| Some((*id, partition.keys()?.sets())));
        let counts = |sets: &[KeyRunSet]| sets.iter().map(|set| set.run.entry_count).collect::<Vec<_>>();
        let runs = |sets: &[KeyRunSet]| sets.iter().map(|set| set.run).collect::<Vec<_>>();
        let grown = all.clone().find_map(|(id, sets)| Some((id, runs(&sets[choose(&counts(sets), room)?]))));
        if grown.is_some() || room == Room::Enough {
            return grown;
        }
        let spares = all.clone().filter_map(|(id, sets)| Some((id, choose_spares(sets)?)));
        let spares = spares.max_by_key(|(_, set)| set.spares.len()).map(|(id, set)| (id, set.spares.clone()));
        if spares.is_some() || room == Room::Short {
            return spares;
        }
        let pairs =
            all.filter_map(|(id, sets)| choose_pair(&counts(sets)).map(|(count, at)| (count, id, runs(&sets[at]))));
        pairs.min_by_key(|(count, ..)| *count).map(|(_, id, runs)| (id, runs))
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
