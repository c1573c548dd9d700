//! Puts small runs of partitions together, so that a manifest has room for those that come: the less room is left, the
//! fewer are worth it.

use super::super::Shard;
use super::super::report::Report;
use super::Work;
use crate::limits::MERGE_BYTES_MAX;
use crate::marks::{self, Mark};
use crate::model::Now;
use crate::partition::Partition;
use crate::segment::merge::{self, MergeError, MergePart, MergePlan, Merged, Room};
use crate::segment::table::SegmentFile;
use crate::segment::{Run, SegmentState};

impl Shard {
    /// Small runs to put together, of one or more partitions. Their files stay until it is done.
    pub(super) fn plan_merge(&mut self, room: Room) -> Option<MergePlan> {
        let mut parts = Vec::new();
        let mut bytes = 0;
        for (id, partition) in &self.partitions {
            let is_open = self.owned.ahead().topic(id.topic).is_some();
            if !is_open || partition.run_count() < room.run_count_min() || self.segments.unmergeable.contains(id) {
                continue;
            }
            let Some(runs) = self.choose_runs(partition, room) else { continue };
            bytes += runs.iter().map(|(run, _)| run.bytes).sum::<u64>();
            if bytes > MERGE_BYTES_MAX {
                break;
            }
            parts.push(MergePart { partition: *id, runs, start_offset: partition.start_offset() });
        }
        if parts.is_empty() {
            return None;
        }
        for (run, _) in parts.iter().flat_map(|part| &part.runs) {
            self.segments.table.pin(run.segment);
        }
        let segment = self.segments.table.allocate();
        Some(MergePlan { segment, parts, sizes: self.segments.sizes, rest_factor: self.segment_rest_factor() })
    }

    /// Runs of the partition that are worth putting together, with their files.
    fn choose_runs(&self, partition: &Partition, room: Room) -> Option<Vec<(Run, SegmentFile)>> {
        let file = |run: &Run| *self.segments.table.get(run.segment).expect("a run has a file");
        // Bytes are still added to a growing file: it is no candidate.
        let is_growing = |run: &Run| file(run).state == SegmentState::Growing;
        let size = |run: &Run| if is_growing(run) { u64::MAX } else { run.bytes };
        let runs: Vec<Run> = partition.runs().copied().collect();
        // Runs on both sides of a gap do not become one.
        let mut stretches = runs.chunk_by(|run, next| run.next_offset == next.base_offset);
        let chosen = stretches.find_map(|runs| {
            let sizes: Vec<u64> = runs.iter().map(size).collect();
            merge::choose(&sizes, room).map(|range| &runs[range])
        });
        chosen.map(|runs| runs.iter().map(|run| (*run, file(run))).collect())
    }

    /// A merge ended.
    pub(in crate::shard) fn segments_merged(&mut self, result: Result<Merged, MergeError>, now: Now) {
        let Work::Merging(plan) = std::mem::replace(&mut self.segments.work, Work::Idle) else {
            panic!("a merge ended that was not under way");
        };
        for (run, _) in plan.parts.iter().flat_map(|part| &part.runs) {
            self.segments.table.unpin(run.segment);
        }
        match result {
            Ok(merged) => {
                marks::hit(Mark::RunsMerged);
                self.take_merged(&plan, &merged);
                self.segments.may_merge = true;
                self.segment_work_ended(Vec::new(), now);
            }
            Err(MergeError::Read(partition)) => {
                marks::hit(Mark::MergeGivenUp);
                self.segments.unmergeable.insert(partition);
                self.report(Report::MergeGivenUp(partition));
                self.segments.may_merge = true;
            }
            Err(MergeError::Write(error)) => {
                self.segments.may_merge = true;
                self.segment_work_ended(vec![error], now);
            }
        }
        self.remove_unneeded_segments();
    }

    fn take_merged(&mut self, plan: &MergePlan, merged: &Merged) {
        self.segments.table.written(plan.segment, merged.end, merged.index_bytes);
        for (part, new) in plan.parts.iter().zip(&merged.runs) {
            let old: Vec<Run> = part.runs.iter().map(|(run, _)| *run).collect();
            let replaced = self.partitions.get_mut(&part.partition).is_some_and(|state| state.runs_merged(&old, *new));
            if replaced {
                self.segments.table.add_run(plan.segment);
                old.iter().for_each(|run| self.segments.table.drop_run(run.segment));
            }
        }
    }
}
