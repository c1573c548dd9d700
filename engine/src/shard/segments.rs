//! Takes batches from memory to rest: what is in the oldest sealed ring file is written into segment files, so that a
//! checkpoint can free the file. One such write, or one merge of small runs, is under way at a time.

use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use super::Shard;
use super::report::Report;
use super::request::Effect;
use super::rest::{KeyFilePlan, RestPlan, RestWritten};
use crate::format::batch::HeldBatch;
use crate::format::layout::Geometry;
use crate::io::{DiskError, DiskErrorKind};
use crate::key_run::KeyRun;
use crate::limits::{
    PLAN_KEY_COUNT_MAX, SEGMENT_FAILURES_IN_A_ROW_MAX, SEGMENT_MANIFEST_SHARE, SEGMENT_REST_FACTOR, SEGMENT_RETRY_NS,
};
use crate::marks::{self, Mark};
use crate::model::{Monotonic, Now, Offset, PartitionId, Position, SegmentId, Sequence};
use crate::segment::merge::{MergePlan, Room};
use crate::segment::plan::SegmentSizes;
use crate::segment::{FilePlan, Run, SegmentState, SegmentTable, WritePlan};

mod merging;
mod room;

use room::Planned;

/// What is being written.
#[derive(Debug)]
enum Work {
    Idle,
    Writing(Rc<RestPlan>),
    Merging(Rc<MergePlan>),
}

/// The segment files of a shard and what is under way with them.
#[derive(Debug)]
pub(super) struct Segments {
    pub(super) table: SegmentTable,
    sizes: SegmentSizes,
    /// Bytes that runs and files may take in a manifest.
    manifest_bytes_max: u64,
    work: Work,
    failures_in_a_row: u32,
    /// After a failure nothing is tried before this; 0 if nothing failed.
    retry_at: Monotonic,
    disk_full: bool,
    manifest_full: bool,
    /// Runs were written since it was last looked for some to put together.
    may_merge: bool,
    /// Damage was found when they were read: they stay as they are.
    unmergeable: BTreeSet<PartitionId>,
    /// What memory can let go of, the oldest first.
    cached: VecDeque<(PartitionId, Offset)>,
    memory_bytes_max: usize,
}

impl Segments {
    pub(super) fn new(table: SegmentTable, geometry: Geometry, memory_bytes_max: u64) -> Self {
        Self {
            table,
            sizes: SegmentSizes::of(geometry.file_bytes),
            manifest_bytes_max: geometry.manifest_bytes / SEGMENT_MANIFEST_SHARE,
            work: Work::Idle,
            failures_in_a_row: 0,
            retry_at: Monotonic(0),
            disk_full: false,
            manifest_full: false,
            may_merge: true,
            unmergeable: BTreeSet::new(),
            cached: VecDeque::new(),
            memory_bytes_max: usize::try_from(memory_bytes_max).unwrap_or(usize::MAX),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(self.work, Work::Idle)
    }

    /// When something that failed is tried again, if it did.
    pub(super) fn next_deadline(&self) -> Option<Monotonic> {
        (self.is_idle() && self.retry_at > Monotonic(0)).then_some(self.retry_at)
    }

    /// Allows so much memory.
    #[cfg(test)]
    pub(super) fn limit_memory(&mut self, bytes: u64) {
        self.memory_bytes_max = usize::try_from(bytes).expect("it fits in memory");
    }

    /// Allows runs and files so many bytes of a manifest.
    #[cfg(test)]
    pub(super) fn limit_manifest(&mut self, bytes: u64) {
        self.manifest_bytes_max = bytes;
    }

    /// Files that are being written.
    fn busy(&self) -> BTreeSet<SegmentId> {
        match &self.work {
            Work::Idle => BTreeSet::new(),
            Work::Writing(plan) => {
                let of_keys = plan.keys.iter().map(|keys| keys.segment);
                plan.write.files.iter().map(|file| file.segment).chain(of_keys).collect()
            }
            Work::Merging(plan) => BTreeSet::from([plan.segment]),
        }
    }
}

impl Shard {
    /// Begins to write what the journal needs room for, or to put small runs together, if neither is under way.
    pub(super) fn begin_segment_work(&mut self, now: Now) {
        let ready = self.segments.is_idle() && self.epoch_started && self.segments.retry_at <= now.monotonic;
        if !ready || self.failed.is_some() {
            return;
        }
        self.segments.retry_at = Monotonic(0);
        let limit = self.checkpointing.asked_up_to().or_else(|| self.closing_up_to());
        let limit =
            limit.or_else(|| self.oldest_needed_file()).max(self.keys_up_to()).filter(|_| !self.is_rest_time_over(now));
        let planned = limit.map_or(Planned::Nothing, |limit| self.plan_write(limit, now));
        self.note_manifest_full(&planned);
        match planned {
            Planned::Write(plan) => return self.begin_write(plan),
            Planned::Merge(plan) => return self.begin_merge(plan),
            Planned::Nothing | Planned::NoRoom { .. } => {}
        }
        if !self.stopping
            && std::mem::take(&mut self.segments.may_merge)
            && let Some(plan) = self.plan_merge(self.segments.room(self.run_count()))
        {
            return self.begin_merge(plan);
        }
        if self.segments.manifest_full {
            // Not after every event: each look goes through all partitions.
            self.segments.retry_at = now.monotonic.plus_ns(SEGMENT_RETRY_NS);
        }
        // Whatever found no space is not wanted any more.
        self.note_disk_full(None);
    }

    fn begin_write(&mut self, plan: RestPlan) {
        let plan = Rc::new(plan);
        self.segments.work = Work::Writing(Rc::clone(&plan));
        self.effects.push(Effect::WriteSegments(plan));
    }

    fn begin_merge(&mut self, plan: MergePlan) {
        let plan = Rc::new(plan);
        self.segments.work = Work::Merging(Rc::clone(&plan));
        self.effects.push(Effect::MergeSegments(plan));
    }

    /// Runs that a write adds for a partition: keys have one of their own.
    fn runs_of(&self, partition: PartitionId) -> usize {
        1 + usize::from(self.partitions[&partition].keys().is_some())
    }

    /// What to write so that everything in blocks up to `limit` is at rest, or a part of it. Where a manifest has no
    /// room for the runs, some that there are become fewer first; if none can, as many are written as there is room for.
    fn plan_write(&mut self, limit: Sequence, now: Now) -> Planned {
        let (mut batches, mut is_partial) = self.choose_unflushed(limit);
        if batches.is_empty() {
            return Planned::Nothing;
        }
        let wanted_run_count = batches.iter().map(|(id, _)| self.runs_of(*id)).sum();
        let run_count = self.run_count();
        let room_run_count = self.segments.room_run_count(run_count);
        if room_run_count < wanted_run_count {
            // A disk without space for a merge may have some for a few runs.
            if !self.stopping
                && !self.segments.disk_full
                && let Some(plan) = self.plan_merge(Room::Short).or_else(|| self.plan_merge(Room::None))
            {
                marks::hit(Mark::RunsMergedForRoom);
                return Planned::Merge(plan);
            }
            let mut sum = 0;
            let fits = |(id, _): &&(PartitionId, Vec<HeldBatch>)| {
                sum += self.runs_of(*id);
                sum <= room_run_count
            };
            let fitting = batches.iter().take_while(fits).count();
            if fitting == 0 {
                return Planned::NoRoom { run_count, wanted_run_count };
            }
            marks::hit(Mark::PartialWrite);
            batches.truncate(fitting);
            is_partial = true;
        }
        let mut files = Vec::new();
        let mut small = Vec::new();
        let keys = self.plan_keys(&batches);
        for (id, batches) in batches {
            if self.partitions[&id].unflushed_bytes() >= self.segments.sizes.own_bytes_min {
                files.push(self.plan_own_file(id, batches, now));
            } else {
                small.push((id, batches));
            }
        }
        if !small.is_empty() {
            let mut file = FilePlan::new(self.segments.table.allocate(), true, Position(0));
            file.seal = true;
            for (id, batches) in small {
                file.add(id, batches, self.segments.sizes, i64::MIN);
            }
            files.push(file);
        }
        let write = WritePlan { files, rest_factor: self.segment_rest_factor(), is_partial };
        Planned::Write(RestPlan { write, keys, section_entry_count_max: self.segments.sizes.section_entry_count })
    }

    /// The keys of these batches, of those that have some.
    fn plan_keys(&mut self, batches: &[(PartitionId, Vec<HeldBatch>)]) -> Option<KeyFilePlan> {
        let part = |(id, batches): &(PartitionId, Vec<HeldBatch>)| {
            self.partitions[id].keys()?.unflushed(*id, batches.last()?.next_offset())
        };
        let parts: Vec<_> = batches.iter().filter_map(part).collect();
        (!parts.is_empty()).then(|| KeyFilePlan { segment: self.segments.table.allocate(), parts })
    }

    /// How long a writer of segment files rests: not at all while somebody waits for it.
    fn segment_rest_factor(&self) -> u32 {
        if self.stopping || self.journal.ring().unused_count() == 0 { 0 } else { SEGMENT_REST_FACTOR }
    }

    /// Batches in blocks up to `limit` that are nowhere else at rest, so many that it takes no noticeable time; whether
    /// there may be more.
    fn choose_unflushed(&self, limit: Sequence) -> (Vec<(PartitionId, Vec<HeldBatch>)>, bool) {
        let SegmentSizes { own_bytes_min, plan_batch_count, .. } = self.segments.sizes;
        let (mut chosen, mut count, mut key_count_max) = (Vec::new(), 0, PLAN_KEY_COUNT_MAX);
        for (id, partition) in &self.partitions {
            if partition.unflushed_bytes() == 0 || self.owned.ahead().topic(id.topic).is_none() {
                continue;
            }
            if count >= plan_batch_count {
                return (chosen, true);
            }
            if key_count_max == 0 && partition.keys().is_some() {
                return (chosen, true);
            }
            let (batches, has_more) =
                partition.unflushed(limit, plan_batch_count - count, own_bytes_min, key_count_max);
            if let Some(last) = batches.last() {
                count += batches.len();
                let keys = partition.keys().map_or(0, |keys| last.next_offset().0 - keys.rest_offset().0);
                key_count_max = key_count_max.saturating_sub(keys);
                chosen.push((*id, batches));
            }
            if has_more {
                return (chosen, true);
            }
        }
        (chosen, false)
    }

    /// A file of the partition's own: the one that is growing, or a new one.
    fn plan_own_file(&mut self, id: PartitionId, batches: Vec<HeldBatch>, now: Now) -> FilePlan {
        let partition = &self.partitions[&id];
        let table = &self.segments.table;
        let is_growing = |run: &&Run| table.get(run.segment).is_some_and(|file| file.state == SegmentState::Growing);
        let growing = partition.runs().rev().find(is_growing).map(|run| run.segment);
        let last = partition.runs().next_back().copied();
        let mut file = match growing {
            Some(segment) => FilePlan::new(segment, false, self.segments.table.get(segment).expect("seen").end),
            None => FilePlan::new(self.segments.table.allocate(), true, Position(0)),
        };
        let continues = last.filter(|last| last.segment == file.segment && last.end() == file.end);
        file.add(id, batches, self.segments.sizes, continues.map_or(i64::MIN, |last| last.max_timestamp_ms));
        let first_time = growing.and_then(|segment| {
            let mut runs = self.partitions[&id].runs();
            runs.find(|run| run.segment == segment).map(|run| run.first_append_time)
        });
        let first_time = first_time.unwrap_or(file.parts[0].run.first_append_time);
        file.seal = file.end.0 >= self.segment_bytes_of(id.topic) || self.is_old_segment(id.topic, first_time, now);
        file
    }

    /// A write of segment files ended.
    pub(super) fn segments_written(&mut self, written: &RestWritten, now: Now) {
        let Work::Writing(plan) = std::mem::replace(&mut self.segments.work, Work::Idle) else {
            panic!("a write of segment files ended that was not under way");
        };
        let files = &plan.write.files;
        assert_eq!(files.len(), written.files.len(), "every file is reported");
        let key_error = written.keys.as_ref().and_then(|keys| keys.as_ref().err());
        let mut errors = Vec::new();
        for (file, written) in files.iter().zip(&written.files) {
            // Without its keys nothing of a partition counts as being at rest.
            let has_keys = file.parts.iter().any(|part| plan.has_keys_of(part.partition));
            match written
                .result
                .as_ref()
                .map_or_else(Err, |bytes| key_error.filter(|_| has_keys).map_or(Ok(bytes), Err))
            {
                Ok(index_bytes) => self.file_written(file, *index_bytes),
                Err(error) => {
                    if !error.is_only_room() {
                        self.segments.table.close(file.segment);
                    }
                    errors.push(error.clone());
                }
            }
        }
        if let (Some(file), Some(Ok(runs))) = (&plan.keys, &written.keys) {
            self.keys_written(file, runs);
        }
        self.needed.forget();
        self.segments.may_merge = true;
        let goes_on = plan.write.is_partial && errors.is_empty();
        self.segment_work_ended(errors, now);
        self.evict_memory();
        self.remove_unneeded_segments();
        // A shard that closes takes its last checkpoint when all is quiet.
        if self.failed.is_none() && !goes_on && !self.stopping {
            self.begin_checkpoint();
        }
    }

    /// Keys were written: they are at rest where their batches are.
    fn keys_written(&mut self, file: &KeyFilePlan, runs: &[KeyRun]) {
        assert_eq!(file.parts.len(), runs.len(), "every part has a run");
        let end = runs.last().expect("there are parts").end();
        self.segments.table.written(file.segment, end, 0);
        self.segments.table.close(file.segment);
        for (part, run) in file.parts.iter().zip(runs) {
            // The topic may be closed by now.
            let Some(partition) = self.partitions.get_mut(&part.partition) else { continue };
            let are_at_rest = partition.flushed_offset() >= part.next_offset;
            if let Some(keys) = partition.keys_mut().filter(|_| are_at_rest) {
                keys.at_rest(Some(*run), part.next_offset);
                self.segments.table.add_run(file.segment);
                self.keyed.has_rested(part.partition);
                self.keyed.merging.look_again();
            }
        }
    }

    fn file_written(&mut self, file: &FilePlan, index_bytes: u32) {
        self.segments.table.written(file.segment, file.end, index_bytes);
        if file.seal {
            self.segments.table.close(file.segment);
        }
        for part in &file.parts {
            // The topic may be closed by now.
            let Some(partition) = self.partitions.get_mut(&part.partition) else { continue };
            if partition.run_written(part.run) {
                self.segments.table.add_run(file.segment);
            }
            self.segments.cached.push_back((part.partition, part.run.next_offset));
        }
        while let Some((id, offset)) = self.segments.cached.front()
            && self.partitions.get(id).is_none_or(|partition| partition.memory_offset() >= *offset)
        {
            self.segments.cached.pop_front();
        }
    }

    /// What becomes of the errors of a write: no space is waited for, anything else may happen once.
    fn segment_work_ended(&mut self, errors: Vec<DiskError>, now: Now) {
        self.note_disk_full(errors.iter().find(|error| error.kind == DiskErrorKind::NoSpace).cloned());
        if !errors.is_empty() {
            self.segments.retry_at = now.monotonic.plus_ns(SEGMENT_RETRY_NS);
        }
        match errors.into_iter().find(|error| error.kind != DiskErrorKind::NoSpace) {
            None if !self.segments.disk_full => self.segments.failures_in_a_row = 0,
            None => {}
            Some(error) => {
                marks::hit(Mark::SegmentWriteFailed);
                self.report(Report::SegmentWriteFailed(error.clone()));
                self.segments.failures_in_a_row += 1;
                if self.segments.failures_in_a_row >= SEGMENT_FAILURES_IN_A_ROW_MAX {
                    self.fail(error);
                }
            }
        }
    }

    /// Removes the files that nobody needs and no superblock copy names.
    pub(super) fn remove_unneeded_segments(&mut self) {
        let mut busy = self.segments.busy();
        busy.extend(self.keyed.merging.busy());
        let unneeded = self.segments.table.take_unneeded(&busy);
        if !unneeded.is_empty() {
            marks::hit(Mark::SegmentRemoved);
            self.cold.forget_segments(&unneeded);
            self.keyed.forget_segments(&unneeded);
            self.effects.push(Effect::RemoveSegments(unneeded));
        }
    }

    /// Lets go of memory that is a cache of what is at rest, as far as there is more than allowed.
    pub(super) fn evict_memory(&mut self) {
        while self.held_bytes > self.segments.memory_bytes_max
            && let Some((id, offset)) = self.segments.cached.front().copied()
        {
            let excess = self.held_bytes - self.segments.memory_bytes_max;
            let evicted = self.partitions.get_mut(&id).map_or(0, |partition| partition.evict(offset, excess));
            self.held_bytes -= evicted;
            if evicted > 0 {
                marks::hit(Mark::MemoryEvicted);
            }
            if evicted < excess {
                self.segments.cached.pop_front();
            }
        }
    }
}
