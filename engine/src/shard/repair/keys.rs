//! Idempotency keys of a damaged shard: a damaged key run gives way to those that it was made of, or is made anew of what
//! can be read of it and of the records that it is about.

use std::cell::Cell;
use std::sync::Arc;

use super::{RepairError, RepairPlan};
use crate::format::batch::{self, HeldBatch};
use crate::format::keys::KeyEntry;
use crate::io::{Disk, Runtime};
use crate::key_run::KeyRun;
use crate::key_run::check::{KeyRunState, check_run};
use crate::key_run::merge::{KeyMerge, KeyMergeError, merge};
use crate::key_run::write::{KeyPart, KeyWriting, write_runs};
use crate::limits::PLAN_KEY_COUNT_MAX;
use crate::model::{Offset, PartitionId};
use crate::partition::Partition;
use crate::partition::keys::KeyRunSet;
use crate::segment::SegmentTable;
use crate::segment::plan::SegmentSizes;
use crate::segment::read::RunReader;
use crate::segment::salvage::DamagedRun;
use crate::segment::write::Writing;
use crate::shard::replay::ShardState;

/// A damaged key run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedKeys {
    /// The run.
    pub run: KeyRun,
    /// It is a spare of another one.
    pub is_spare: bool,
    /// What is wrong with the first damaged part.
    pub why: String,
    /// Keys that may be lost for good, at most: a payment among them that is sent again is stored a second time.
    pub lost_count: u64,
}

/// Reads every key run. An error says what the disk does not give.
pub(super) async fn damaged_keys<D: Disk>(
    disk: &D,
    writing: Writing<'_>,
    state: &ShardState,
    damaged_runs: &[(PartitionId, DamagedRun)],
) -> Result<Vec<(PartitionId, DamagedKeys)>, String> {
    let mut damaged = Vec::new();
    for (id, partition) in &state.partitions {
        let Some(keys) = partition.keys() else { continue };
        for set in keys.sets() {
            let mut of_set = Vec::new();
            for (run, is_spare) in set.all().zip(std::iter::once(false).chain(std::iter::repeat(true))) {
                match check_run(disk, writing.directory, writing.name(run.segment), *id, run).await {
                    KeyRunState::Whole => {}
                    KeyRunState::Unreadable(what) => return Err(what),
                    KeyRunState::Damaged { why, readable_count } => {
                        let lost_count = run.entry_count.saturating_sub(readable_count);
                        of_set.push(DamagedKeys { run: *run, is_spare, why, lost_count });
                    }
                }
            }
            // One whole copy of the set, or the records themselves, have all its keys.
            let has_copy = of_set.iter().all(|damaged| damaged.is_spare) || !has_damaged_spares(set, &of_set);
            if has_copy || has_all_records(partition, *id, &set.run, damaged_runs) {
                of_set.iter_mut().for_each(|damaged| damaged.lost_count = 0);
            }
            damaged.extend(of_set.into_iter().map(|damaged| (*id, damaged)));
        }
    }
    Ok(damaged)
}

/// Whether the spares of a set do not hold all that it holds.
fn has_damaged_spares(set: &KeyRunSet, damaged: &[DamagedKeys]) -> bool {
    set.spares.is_empty() || damaged.iter().any(|damaged| damaged.is_spare)
}

/// Whether every record that a run is about can be read.
fn has_all_records(
    partition: &Partition,
    id: PartitionId,
    run: &KeyRun,
    damaged_runs: &[(PartitionId, DamagedRun)],
) -> bool {
    let meets = |from: Offset, to: Offset| from < run.next_offset && run.base_offset < to;
    let mut lost = damaged_runs.iter().filter(|(of, _)| *of == id).flat_map(|(_, damaged)| damaged.still_lost());
    partition.start_offset() <= run.base_offset
        && !lost.any(|(from, to)| meets(from, to))
        && !partition.gaps().any(|gap| meets(gap.base_offset, gap.next_offset))
}

pub(super) fn key_writing<'a>(writing: Writing<'a>, sizes: SegmentSizes) -> KeyWriting<'a> {
    KeyWriting {
        directory: writing.directory,
        journal_id: writing.journal_id,
        shard: writing.shard,
        section_entry_count_max: sizes.section_entry_count,
        unsynced_bytes_max: writing.unsynced_bytes_max,
        rest_factor: 0,
    }
}

/// Keys that are taken from batches, written when there are many.
struct Derived<'a, R: Runtime> {
    runtime: &'a R,
    writing: KeyWriting<'a>,
    partition: PartitionId,
    entries: Vec<KeyEntry>,
    base_offset: Offset,
    next_offset: Offset,
    runs: Vec<KeyRun>,
}

impl<'a, R: Runtime> Derived<'a, R> {
    fn new(runtime: &'a R, writing: KeyWriting<'a>, partition: PartitionId) -> Self {
        let (base_offset, next_offset) = (Offset(0), Offset(0));
        Self { runtime, writing, partition, entries: Vec::new(), base_offset, next_offset, runs: Vec::new() }
    }

    /// Takes the keys of batches, which follow each other, of those offsets below `to` and from `from` on.
    async fn add(
        &mut self,
        table: &mut SegmentTable,
        state: &Partition,
        batches: &[HeldBatch],
        (from, to): (Offset, Offset),
    ) -> Result<(), RepairError> {
        let keying = state.keys().expect("it has keys").keying();
        for held in batches.iter().filter(|held| held.base_offset < to && from < held.next_offset()) {
            // What was stored under the topic's rule has keys; of anything else there is nothing to tell.
            let Ok(info) = batch::validate(&held.bytes, held.bytes.len()) else { continue };
            let Ok(keys) = keying.keys_of(&held.bytes, &info) else { continue };
            if self.entries.is_empty() {
                self.base_offset = held.base_offset.max(from);
            }
            self.next_offset = held.next_offset().min(to);
            let entries = keys.iter().zip(0..).map(|(record, at)| KeyEntry {
                key: record.key,
                body: record.body,
                offset: held.base_offset.plus(at),
                append_time: held.append_time,
            });
            self.entries.extend(entries.filter(|entry| (from..to).contains(&entry.offset)));
            if self.entries.len() as u64 >= PLAN_KEY_COUNT_MAX {
                self.flush(table).await?;
            }
        }
        Ok(())
    }

    async fn flush(&mut self, table: &mut SegmentTable) -> Result<(), RepairError> {
        if self.entries.is_empty() {
            return Ok(());
        }
        let chunks = vec![Arc::new(std::mem::take(&mut self.entries))];
        let (base_offset, next_offset) = (self.base_offset, self.next_offset);
        let part = KeyPart { partition: self.partition, base_offset, next_offset, chunks };
        let segment = table.allocate();
        let runs = write_runs(self.runtime, self.writing, segment, &[part]).await?;
        self.runtime.disk().sync_directory(self.writing.directory).await?;
        written(table, &runs[0]);
        self.runs.extend(runs);
        Ok(())
    }
}

/// The file of a run is there in full.
pub(super) fn written(table: &mut SegmentTable, run: &KeyRun) {
    table.written(run.segment, run.end(), 0);
    table.close(run.segment);
}

impl RepairPlan {
    /// Keys that may be lost for good: of which partition, of records from which offset to below which, how many at most.
    pub fn lost_keys(&self) -> Vec<(PartitionId, Offset, Offset, u64)> {
        let lost = self.damaged_keys.iter().filter(|(_, damaged)| damaged.lost_count > 0);
        lost.map(|(id, damaged)| (*id, damaged.run.base_offset, damaged.run.next_offset, damaged.lost_count)).collect()
    }

    /// Gives a partition key runs that are whole, also of what only the journal has. `partition` is as it was before its
    /// batches were written anew.
    pub(super) async fn rewrite_keys<R: Runtime>(
        &mut self,
        runtime: &R,
        writing: Writing<'_>,
        sizes: SegmentSizes,
        (id, partition): (PartitionId, &Partition),
    ) -> Result<Vec<KeyRunSet>, RepairError> {
        let Some(keys) = partition.keys() else { return Ok(Vec::new()) };
        let writing_keys = key_writing(writing, sizes);
        let damaged: Vec<DamagedKeys> =
            self.damaged_keys.iter().filter(|(of, _)| *of == id).map(|(_, damaged)| damaged.clone()).collect();
        let mut sets = Vec::new();
        for set in keys.sets() {
            let of_set: Vec<DamagedKeys> =
                damaged.iter().filter(|damaged| set.all().any(|run| *run == damaged.run)).cloned().collect();
            let is_damaged = of_set.iter().any(|damaged| !damaged.is_spare);
            let has_lost_spares = has_damaged_spares(set, &of_set);
            if !is_damaged {
                let spares = if of_set.is_empty() { set.spares.clone() } else { Vec::new() };
                sets.push(KeyRunSet { run: set.run, spares });
            } else if !has_lost_spares {
                sets.extend(set.spares.iter().map(|run| KeyRunSet { run: *run, spares: Vec::new() }));
            } else {
                let made = self.make_anew(runtime, writing, writing_keys, (id, partition), set).await?;
                sets.extend(made.map(|run| KeyRunSet { run, spares: Vec::new() }));
            }
        }
        let mut derived = Derived::new(runtime, writing_keys, id);
        for stretch in partition.salvaged() {
            derived.add(&mut self.state.segments, partition, &stretch, (Offset(0), Offset(u64::MAX))).await?;
            derived.flush(&mut self.state.segments).await?;
        }
        sets.extend(derived.runs.into_iter().map(|run| KeyRunSet { run, spares: Vec::new() }));
        Ok(sets)
    }

    /// Makes a run of what can be read of one that is damaged, of its spares, and of the records that it is about.
    async fn make_anew<R: Runtime>(
        &mut self,
        runtime: &R,
        writing: Writing<'_>,
        writing_keys: KeyWriting<'_>,
        (id, partition): (PartitionId, &Partition),
        set: &KeyRunSet,
    ) -> Result<Option<KeyRun>, RepairError> {
        let bounds = (set.run.base_offset, set.run.next_offset);
        let mut derived = Derived::new(runtime, writing_keys, id);
        for run in partition.runs().filter(|run| run.base_offset < bounds.1 && bounds.0 < run.next_offset) {
            let file = *self.state.segments.get(run.segment).expect("replay refuses a run without a file");
            let mut reader = RunReader::new(writing.journal_id, writing.shard, id, *run, file);
            while let Some(chunk) = reader.next(runtime.disk(), writing.directory).await {
                derived.add(&mut self.state.segments, partition, &chunk?.batches, bounds).await?;
            }
        }
        let rescued = self.damaged_runs.iter().filter(|(of, _)| *of == id);
        let rescued: Vec<HeldBatch> = rescued.flat_map(|(_, damaged)| damaged.rescued.clone()).collect();
        derived.flush(&mut self.state.segments).await?;
        derived.add(&mut self.state.segments, partition, &rescued, bounds).await?;
        derived.flush(&mut self.state.segments).await?;
        // Stretches of records need not follow each other: what counts is where the run stood.
        let mut runs: Vec<KeyRun> = set.all().copied().collect();
        runs.extend(&derived.runs);
        let segment = self.state.segments.allocate();
        let plan = KeyMerge { partition: id, runs, segment, expired_before: None, leaves_out_damage: true };
        match merge(runtime, writing_keys, &plan, &Cell::new(false)).await {
            Ok(None) => Ok(None),
            Ok(Some(run)) => {
                let run = KeyRun { base_offset: bounds.0, next_offset: bounds.1, ..run };
                written(&mut self.state.segments, &run);
                Ok(Some(run))
            }
            Err(KeyMergeError::Write(error)) => Err(RepairError::Disk(error)),
            Err(KeyMergeError::Damaged { .. } | KeyMergeError::Stopped) => Err(RepairError::Changed(self.shard)),
        }
    }
}
