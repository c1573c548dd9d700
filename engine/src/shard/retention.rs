//! Lets topics keep no more than they must: a cut is decided by the clock, is in force with the checkpoint that
//! states it, and lets go of memory, runs and files.

use super::Shard;
use super::request::{CutReport, Effect};
use crate::limits::{RETENTION_INTERVAL_NS, RETENTION_SEGMENT_SHARE};
use crate::marks::{self, Mark};
use crate::model::{Now, PartitionId, Realtime, TopicId};
use crate::partition::{Cut, CutReason, Retention};

impl Shard {
    /// Decides what to cut when it is time to. Nothing is decided while the wall clock is not trusted.
    pub(super) fn tick_retention(&mut self, now: Now) {
        if now.monotonic < self.retention_at {
            return;
        }
        self.retention_at = now.monotonic.plus_ns(RETENTION_INTERVAL_NS);
        if self.clock.is_suspended() || self.failed.is_some() || !self.epoch_started {
            return;
        }
        self.expire_keys(now);
        let ids: Vec<PartitionId> = self.owned.durable().partitions().collect();
        for id in ids {
            let mut retention = self.retention_of(id.topic);
            if !self.has_settled(now) {
                retention.ns = None;
            }
            let Some(partition) = self.partitions.get_mut(&id) else { continue };
            self.has_cuts |= partition.plan_cut(&retention, now.realtime).is_some();
        }
    }

    /// Whether the wall clock had the time to be set right since the start.
    pub(super) fn has_settled(&self, now: Now) -> bool {
        now.monotonic >= self.clock_settles_at
    }

    /// Decides again what was decided and is in no snapshot yet: meanwhile a topic may have to keep more, or the clock may
    /// not be trusted any longer.
    pub(super) fn reconsider_cuts(&mut self) {
        for (id, cut) in self.cuts_ahead() {
            let retention = if self.clock.is_suspended() { Retention::default() } else { self.retention_of(id.topic) };
            let partition = self.partitions.get_mut(&id).expect("it has a decision");
            partition.drop_cut_ahead();
            if partition.plan_cut(&retention, cut.time) != Some(cut) {
                marks::hit(Mark::CutReconsidered);
            }
        }
        self.has_cuts = self.partitions.values().any(|partition| partition.cut_ahead().is_some());
    }

    /// The decisions that a snapshot taken now states.
    pub(super) fn cuts_ahead(&self) -> Vec<(PartitionId, Cut)> {
        let cuts = self.partitions.iter().filter_map(|(id, partition)| partition.cut_ahead().map(|cut| (*id, *cut)));
        cuts.collect()
    }

    /// The checkpoint that states these cuts is in force.
    pub(super) fn settle_cuts(&mut self, cuts: Vec<(PartitionId, Cut)>) {
        self.needed.forget();
        for (id, cut) in cuts {
            let Some(partition) = self.partitions.get_mut(&id) else { continue };
            marks::hit(if cut.reason == CutReason::Age { Mark::CutByAge } else { Mark::CutBySize });
            let from = partition.start_offset();
            let (runs, bytes) = partition.settle_cut(&cut);
            self.held_bytes -= bytes;
            runs.iter().for_each(|run| self.segments.table.drop_run(run.segment));
            self.effects.push(Effect::Cut(CutReport {
                partition: id,
                from,
                to: cut.to,
                bytes: cut.bytes,
                reason: cut.reason,
            }));
        }
        self.has_cuts = self.partitions.values().any(|partition| partition.cut_ahead().is_some());
    }

    /// How long the topic keeps its records.
    fn retention_of(&self, topic: TopicId) -> Retention {
        let settings = self.owned.durable().topic(topic).map(|descriptor| *descriptor.settings());
        settings.map_or(Retention::default(), |settings| Retention {
            bytes: settings.retention_bytes,
            ns: settings.retention_ns,
        })
    }

    /// At which size a segment file of the topic is sealed.
    pub(super) fn segment_bytes_of(&self, topic: TopicId) -> u64 {
        let descriptor = self.owned.durable().topic(topic).or_else(|| self.owned.ahead().topic(topic));
        descriptor.map_or(u64::MAX, |descriptor| descriptor.settings().segment_bytes)
    }

    /// Whether a segment file that begins at this time must be sealed, because only whole runs are cut by age.
    pub(super) fn is_old_segment(&self, topic: TopicId, first_time: Realtime, now: Now) -> bool {
        let retention = self.retention_of(topic);
        retention.ns.is_some_and(|ns| now.realtime.since_ns(first_time) >= ns / RETENTION_SEGMENT_SHARE)
    }
}
