//! An operator repairs a shard and accepts what is lost, while the power goes now and then.

use std::path::Path;

use florin_engine::format::control::{Control, Entry, EntryWalk};
use florin_engine::io::Runtime;
use florin_engine::journal::recovery::RecoveredBlock;
use florin_engine::model::{Now, PartitionId, Realtime, ShardId};
use florin_engine::partition::Gap;
use florin_engine::shard::open::read_identity;
use florin_engine::shard::repair::{self, RepairError};
use rand::Rng;

use super::checkers::{Checked, Violation, repair as checker};
use super::cluster::DATA;
use super::formatting::on_the_side;
use super::run::World;
use crate::sim::SimRuntime;

/// Gaps by partition, as a repair announces them.
pub(super) type Losses = Vec<(PartitionId, Gap)>;

impl World {
    /// Repairs a shard if it is damaged; what is lost is not expected any more.
    pub(super) fn repair_and_lose(&mut self, shard: ShardId) -> Result<Losses, Violation> {
        let losses = self.repair(shard)?;
        self.note(|| format!("shard {shard} is repaired, lost: {losses:?}"));
        if losses.is_empty() {
            return Ok(losses);
        }
        self.summary.loss_count += losses.len() as u64;
        // Batches of theirs may be among what is lost.
        self.producers.iter_mut().for_each(|producer| producer.retired = true);
        losses.iter().for_each(|(partition, gap)| self.model.lose(*partition, gap));
        Ok(losses)
    }

    /// Files were swapped: whoever plans a repair hears of it.
    pub(super) fn notices_swap(&mut self, shard: ShardId) -> Checked {
        let planned = self.try_plan(shard, self.executor.handle().now().realtime);
        checker::is_noticed(shard, &planned)
    }

    /// Plans and carries out, cut short by power losses; what is announced stays the same until it is in force.
    fn repair(&mut self, shard: ShardId) -> Result<Losses, Violation> {
        let accepted = self.executor.handle().now().realtime;
        let mut announced: Option<Losses> = None;
        loop {
            match (&announced, self.plan_repair(shard, accepted)?) {
                (None, None) => return Ok(Losses::new()),
                (Some(losses), None) => {
                    // The power went behind its last write.
                    self.summary.repair_count += 1;
                    return Ok(losses.clone());
                }
                (Some(before), Some(losses)) => checker::is_as_announced(shard, before, &losses)?,
                (None, Some(losses)) => {
                    // What the disk did not give is copied by now.
                    let lost_keys = if self.plan.has_keys { self.lost_keys(shard, accepted) } else { Vec::new() };
                    if !lost_keys.is_empty() {
                        self.producers.iter_mut().for_each(|producer| producer.retired = true);
                    }
                    self.keys_lost.extend(lost_keys);
                    announced = Some(losses);
                }
            }
            let now = self.executor.handle().now();
            if self.faults.random_bool(0.5) {
                self.carry_out_partly(shard, accepted, now);
                continue;
            }
            self.carry_out(shard, accepted, now)?;
            // What was repaired is sound, also after a power loss.
            self.device.power_loss(&mut self.crash);
            self.summary.repair_count += 1;
            checker::is_sound(shard, self.plan_repair(shard, accepted)?)?;
            return Ok(announced.unwrap_or_default());
        }
    }

    /// Plans a repair; what the disk does not give is copied to a sound one first, as the refusal asks for.
    fn plan_repair(&self, shard: ShardId, accepted: Realtime) -> Result<Option<Losses>, Violation> {
        let planned = self.try_plan(shard, accepted);
        let asks_for_copy = planned.as_ref().is_err_and(checker::asks_for_copy);
        let planned =
            if asks_for_copy && self.device.copy_to_sound_device() { self.try_plan(shard, accepted) } else { planned };
        checker::succeeds(shard, planned)
    }

    fn try_plan(&self, shard: ShardId, accepted: Realtime) -> Result<Option<Losses>, RepairError> {
        self.on_the_side(move |runtime| async move {
            let identity = read_identity(runtime.disk(), Path::new(DATA)).await.expect("the identity is sound");
            let planned = repair::plan(runtime.disk(), Path::new(DATA), &identity, shard, accepted).await;
            planned.map(|plan| plan.map(|plan| plan.losses()))
        })
    }

    /// Partitions of which a repair gives up keys.
    fn lost_keys(&self, shard: ShardId, accepted: Realtime) -> Vec<PartitionId> {
        self.on_the_side(move |runtime| async move {
            let identity = read_identity(runtime.disk(), Path::new(DATA)).await.expect("the identity is sound");
            let planned = repair::plan(runtime.disk(), Path::new(DATA), &identity, shard, accepted).await;
            let plan = planned.ok().flatten();
            plan.iter().flat_map(|plan| plan.lost_keys()).map(|(partition, ..)| partition).collect()
        })
    }

    /// Whoever plans a repair is told of the file that was damaged; of a segment file if anything is lost, as it may hold
    /// what nobody needs.
    pub(super) fn names_file(&self, shard: ShardId, damaged: &Path) -> Checked {
        let accepted = self.executor.handle().now().realtime;
        let named = self.on_the_side(move |runtime| async move {
            let identity = read_identity(runtime.disk(), Path::new(DATA)).await.expect("the identity is sound");
            let planned = repair::plan(runtime.disk(), Path::new(DATA), &identity, shard, accepted).await;
            let plan = planned.ok().flatten()?;
            Some(([plan.damaged_files(), plan.missing_files()].concat(), plan.losses().is_empty()))
        });
        match named {
            Some((named, costs_nothing)) if !costs_nothing || !checker::is_segment(damaged) => {
                checker::is_named(shard, damaged, &named)
            }
            _ => Ok(()),
        }
    }

    fn carry_out(&self, shard: ShardId, accepted: Realtime, now: Now) -> Checked {
        let done =
            self.on_the_side(move |runtime| async move { plan_and_carry_out(runtime, shard, accepted, now).await });
        checker::succeeds(shard, done)
    }

    /// Begins to carry out, and cuts the power somewhere.
    fn carry_out_partly(&mut self, shard: ShardId, accepted: Realtime, now: Now) {
        let runtime = SimRuntime::new(self.executor.handle(), self.device.mount(), shard.0);
        let process = runtime.process();
        let task = runtime.clone();
        runtime.spawn(async move { drop(plan_and_carry_out(task, shard, accepted, now).await) });
        let events = self.faults.random_range(0..400);
        let _ = self.executor.run_until_event(self.executor.event_count() + events);
        self.executor.crash_process(process);
        self.device.power_loss(&mut self.crash);
    }

    /// Runs something in a process of its own.
    pub(super) fn on_the_side<T: 'static, F: Future<Output = T> + 'static>(
        &self,
        task: impl FnOnce(SimRuntime) -> F,
    ) -> T {
        on_the_side(&self.executor, &self.device, task)
    }
}

async fn plan_and_carry_out(
    runtime: SimRuntime,
    shard: ShardId,
    accepted: Realtime,
    now: Now,
) -> Result<(), RepairError> {
    let disk = runtime.disk();
    let identity = read_identity(disk, Path::new(DATA)).await.expect("the identity is sound");
    match repair::plan(disk, Path::new(DATA), &identity, shard, accepted).await? {
        Some(plan) => plan.carry_out(&runtime, now).await,
        None => Ok(()),
    }
}

/// Whether the block says anything of the table of topics: what is lost of that no client can know.
pub(super) fn changes_topics(block: &RecoveredBlock) -> bool {
    EntryWalk::new(block.payload(), block.entry_count).any(|entry| match entry.expect("the block was sound") {
        Entry::Batch { .. } => false,
        Entry::Control(control) => matches!(
            control,
            Control::TopicCreating(_)
                | Control::TopicLive(_)
                | Control::TopicDeleting(_)
                | Control::TopicDeleted(_)
                | Control::TopicAltering(_)
        ),
    })
}
