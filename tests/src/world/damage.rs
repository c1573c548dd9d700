//! Damage to the medium while nobody uses the directory, and the repair that accepts what it took.

use std::path::{Path, PathBuf};

use florin_engine::checkpoint::slot;
use florin_engine::format::control::{Control, Entry, EntryWalk};
use florin_engine::format::layout::{journal_path, segment_path, shard_path};
use florin_engine::io::Runtime;
use florin_engine::journal::recovery::{RecoveredBlock, Recovery, recover};
use florin_engine::journal::write::read_superblocks;
use florin_engine::model::{Now, Offset, PartitionId, Realtime, Sequence, ShardId};
use florin_engine::partition::Gap;
use florin_engine::shard::open::read_identity;
use florin_engine::shard::repair::{self, RepairError};
use florin_engine::shard::replay::replay;
use rand::Rng;

use super::cluster::DATA;
use super::model::{Checked, Model, violation};
use super::run::World;
use crate::sim::SimRuntime;

/// What is damaged.
#[derive(Clone, Debug)]
enum Damage {
    /// A bit of a file.
    Bit { path: PathBuf, position: u64, bit: u8 },
    /// A stretch of a file.
    Noise { path: PathBuf, position: u64, bytes: u64 },
    /// The file is cut off.
    Truncated { path: PathBuf, bytes: u64 },
    /// The file is gone.
    Deleted { path: PathBuf },
}

/// A shard as it was before it is damaged.
struct Sound {
    shard: ShardId,
    included: Sequence,
    confirmed: Sequence,
    recovery: Recovery,
    /// Segment files that are needed, and where their extents end.
    segments: Vec<(PathBuf, u64)>,
}

/// Gaps by partition, as a repair announces them.
type Losses = Vec<(PartitionId, Gap)>;

impl World {
    /// The power goes, something that is needed is damaged meanwhile, and an operator accepts what that took.
    pub(super) fn damage_and_repair(&mut self) -> Checked {
        self.take_seen()?;
        self.executor.crash_process(self.cluster.process());
        self.device.power_loss(&mut self.crash);
        self.summary.power_loss_count += 1;
        self.device.disarm();
        self.device.set_capacity_bytes(None);
        self.lose_requests();
        let shard = ShardId(self.faults.random_range(0..self.plan.shard_count));
        if let Some(sound) = self.look_at(shard)
            && let Some(damage) = self.choose_damage(&sound)
        {
            self.summary.damage_count += 1;
            self.strike(&damage);
            let losses = self.repair(shard)?;
            self.lose(&losses);
        }
        self.start_again()
    }

    /// What the shard needs; `None`: it would not open as it is, after a fault that was injected.
    fn look_at(&self, shard: ShardId) -> Option<Sound> {
        self.on_the_side(move |runtime| async move {
            let disk = runtime.disk();
            let identity = read_identity(disk, Path::new(DATA)).await.ok()?;
            let path = shard_path(Path::new(DATA), shard);
            let chosen = read_superblocks(disk, &path, identity.directory_id, shard).await.choose().ok()?;
            let manifest = slot::read(disk, &path, &chosen.superblock).await.ok()?.manifest;
            let recovery = recover(disk, &path, &chosen.superblock, manifest.sequence).await;
            let state = replay(shard, identity.shard_count, &manifest, &recovery.blocks).ok()?;
            let segments = state.segments.files().map(|(id, file)| (segment_path(&path, id), file.end.0));
            let segments = segments.collect();
            let (included, confirmed) = (manifest.sequence, chosen.superblock.confirmed_sequence);
            recovery.damage.is_empty().then_some(Sound { shard, included, confirmed, recovery, segments })
        })
    }

    /// Damage that is noticed for sure, and that takes no change of a topic with it.
    fn choose_damage(&mut self, sound: &Sound) -> Option<Damage> {
        if !sound.segments.is_empty() && self.faults.random_bool(0.5) {
            let (path, end) = sound.segments[self.faults.random_range(0..sound.segments.len())].clone();
            // What was cut off before, and nobody needed, is not there any more.
            let bytes = self.device.snapshot().size_bytes(&path)?.min(end);
            return (bytes > 0).then(|| self.damage_file(path, bytes));
        }
        let blocks = &sound.recovery.blocks;
        if blocks.is_empty() {
            return None;
        }
        let victim = &blocks[self.faults.random_range(0..blocks.len())];
        let path = journal_path(&shard_path(Path::new(DATA), sound.shard), victim.file);
        let whole_file = self.faults.random_bool(0.25);
        let is_hit = |block: &RecoveredBlock| {
            if whole_file { block.file == victim.file } else { block.sequence == victim.sequence }
        };
        let left = blocks.iter().filter(|block| !is_hit(block));
        let stated = left.map(|block| block.durable_sequence).fold(sound.confirmed, Sequence::max);
        let hit = || blocks.iter().filter(|block| is_hit(block));
        let is_noticed = whole_file || hit().all(|block| block.sequence <= stated);
        if !is_noticed || hit().any(|block| block.sequence > sound.included && changes_topics(block)) {
            return None;
        }
        if whole_file {
            let bytes = self.plan.geometry.file_bytes;
            let shorter = Damage::Truncated { path: path.clone(), bytes: bytes - 4096 };
            return Some(if self.faults.random_bool(0.5) { Damage::Deleted { path } } else { shorter });
        }
        let (position, bytes) = (victim.position.0, victim.bytes.len() as u64);
        let position = position + self.faults.random_range(0..bytes);
        Some(Damage::Bit { path, position, bit: self.faults.random_range(0..8) })
    }

    fn damage_file(&mut self, path: PathBuf, bytes: u64) -> Damage {
        let position = self.faults.random_range(0..bytes);
        match self.faults.random_range(0..6) {
            0 => Damage::Deleted { path },
            1 => Damage::Truncated { path, bytes: position / 4096 * 4096 },
            2 => Damage::Noise { path, position, bytes: self.faults.random_range(1..=(bytes - position).min(9000)) },
            _ => Damage::Bit { path, position, bit: self.faults.random_range(0..8) },
        }
    }

    fn strike(&mut self, damage: &Damage) {
        match damage {
            Damage::Bit { path, position, bit } => self.device.flip_bit(path, *position, *bit),
            Damage::Noise { path, position, bytes } => {
                self.device.corrupt_range(path, *position, *bytes, &mut self.faults);
            }
            Damage::Truncated { path, bytes } => self.device.truncate(path, *bytes),
            Damage::Deleted { path } => self.device.delete(path),
        }
    }

    /// Plans and carries out, cut short by power losses; what is announced stays the same until it is in force.
    fn repair(&mut self, shard: ShardId) -> Result<Losses, super::Violation> {
        let accepted = self.executor.handle().now().realtime;
        let mut announced: Option<Losses> = None;
        loop {
            let planned = self.plan_repair(shard, accepted)?;
            match (&announced, planned) {
                (None, None) => return Ok(Losses::new()),
                (Some(losses), None) => return Ok(losses.clone()),
                (Some(before), Some(losses)) if *before != losses => {
                    let what = format!("shard {shard}: {losses:?} would be lost, {before:?} was announced");
                    return violation("repair", what);
                }
                (_, Some(losses)) => announced = Some(losses),
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
            if let Some(losses) = self.plan_repair(shard, accepted)? {
                return violation("repair", format!("shard {shard} is damaged after its repair: {losses:?}"));
            }
            return Ok(announced.unwrap_or_default());
        }
    }

    fn plan_repair(&self, shard: ShardId, accepted: Realtime) -> Result<Option<Losses>, super::Violation> {
        let planned = self.on_the_side(move |runtime| async move {
            let identity = read_identity(runtime.disk(), Path::new(DATA)).await.expect("the identity is sound");
            let planned = repair::plan(runtime.disk(), Path::new(DATA), &identity, shard, accepted).await;
            planned.map(|plan| plan.map(|plan| plan.losses()))
        });
        planned.or_else(|error| violation("repair", format!("shard {shard} cannot be repaired: {error}")))
    }

    fn carry_out(&self, shard: ShardId, accepted: Realtime, now: Now) -> Checked {
        let done =
            self.on_the_side(move |runtime| async move { plan_and_carry_out(runtime, shard, accepted, now).await });
        done.or_else(|error| violation("repair", format!("shard {shard} was not repaired: {error}")))
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
    fn on_the_side<T: 'static, F: Future<Output = T> + 'static>(&self, task: impl FnOnce(SimRuntime) -> F) -> T {
        let runtime = SimRuntime::new(self.executor.handle(), self.device.mount(), 0);
        let process = runtime.process();
        let done = self.executor.block_on(task(runtime));
        self.executor.crash_process(process);
        done
    }

    /// What is announced to be lost is not expected any more.
    fn lose(&mut self, losses: &Losses) {
        if losses.is_empty() {
            return;
        }
        self.summary.loss_count += losses.len() as u64;
        // Batches of theirs may be among what is lost.
        self.producers.iter_mut().for_each(|producer| producer.retired = true);
        for (partition, gap) in losses {
            self.model.lose(*partition, gap);
        }
    }
}

impl Model {
    /// These offsets are lost.
    fn lose(&mut self, partition: PartitionId, gap: &Gap) {
        let facts = self.partitions.entry(partition).or_default();
        let mut joined = (gap.base_offset.0, gap.next_offset.0);
        let touching = facts.lost.extract_if(.., |base, next| *base <= gap.next_offset.0 && *next >= gap.base_offset.0);
        touching.for_each(|(base, next)| joined = (joined.0.min(base), joined.1.max(next)));
        facts.lost.insert(joined.0, joined.1);
        facts.batches.retain(|base, _| !(gap.base_offset.0..gap.next_offset.0).contains(base));
        facts.end = facts.end.max(gap.next_offset.0);
    }

    /// The end of the gap that holds this offset.
    pub(super) fn lost_at(&self, partition: PartitionId, offset: u64) -> Option<Offset> {
        let facts = self.partitions.get(&partition)?;
        let (_, next) = facts.lost.range(..=offset).next_back()?;
        (offset < *next).then_some(Offset(*next))
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
        Some(plan) => plan.carry_out(disk, now).await,
        None => Ok(()),
    }
}

/// Whether the block says anything of the table of topics: what is lost of that no client can know.
fn changes_topics(block: &RecoveredBlock) -> bool {
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
