//! The disk reports a write as done that it loses, or puts elsewhere in its file, and nobody can tell at the time.
//!
//! It must be noticed as soon as anything behind it says that it was durable, and cost what an operator is told and
//! nothing else. Of superblocks and manifests there are two copies, and nothing is lost.

use florin_engine::io::DiskOperation;
use florin_engine::model::{PartitionId, ShardId};
use florin_engine::shard::Request;
use rand::Rng;

use crate::sim::{Fault, Injection};
use crate::world::checkers::{Checked, Violation, repair};
use crate::world::run::{Asked, Expect, World};

/// Virtual time in which shards have told each other everything, lost messages included.
const SETTLE_NS: u64 = 5_000_000_000;
const UNIT: u64 = 4096;
/// Captures behind a copy that is not what it should be, and events between two of them, at most.
const CAPTURES_BEHIND_MAX: u32 = 80;
const EVENTS_BEHIND_MAX: u64 = 12;
/// Units of the largest block of a world.
const BLOCK_UNITS_MAX: u64 = 12;

pub(super) fn play(world: &mut World) -> Checked {
    let Some((partition, shard)) = world.any_partition() else { return Ok(()) };
    world.answer_all()?;
    let _ = world.executor.run_for(SETTLE_NS);
    world.take_seen()?;
    let is_well = world.cluster.statuses().iter().all(|status| status.serving && status.failed.is_none());
    if !is_well || world.device.injection_count() > 0 {
        return Ok(());
    }
    match world.faults.random_range(0..5) {
        0 => in_copies(world, partition, shard, "superblock"),
        1 => in_copies(world, partition, shard, "manifest"),
        2 => in_segment(world, shard),
        _ => in_journal(world, partition, shard),
    }
}

/// A block is acknowledged that is not there. Two blocks behind it say that it was durable.
fn in_journal(world: &mut World, partition: PartitionId, shard: ShardId) -> Checked {
    if !is_stored(world, partition)? {
        return Ok(());
    }
    let path = format!("shard-{shard}/journal");
    let last = world.device.last_write(&path);
    let fault = match last {
        Some((position, bytes)) if position.0 + bytes + BLOCK_UNITS_MAX * UNIT <= world.plan.geometry.file_bytes => {
            [Fault::Lost, Fault::MisdirectTo(position)][world.faults.random_range(0..2)]
        }
        _ => Fault::Lost,
    };
    inject(world, path, fault);
    let is_acked = is_stored(world, partition)?;
    if !struck(world) {
        return Ok(());
    }
    world.summary.silent_count += 1;
    let is_stated = is_acked && is_stored(world, partition)? && is_stored(world, partition)?;
    if !is_stated {
        // Nothing on the disk says that the block was durable: that is what a disk is trusted with.
        world.is_over = true;
        return Ok(());
    }
    end(world, shard)
}

/// What goes to rest is lost or put elsewhere.
fn in_segment(world: &mut World, shard: ShardId) -> Checked {
    let fault = [Fault::Lost, Fault::Misdirect][world.faults.random_range(0..2)];
    inject(world, format!("shard-{shard}/segment"), fault);
    world.submit(shard, Asked::Other, Request::Checkpoint);
    world.answer_all()?;
    if !struck(world) {
        return Ok(());
    }
    world.summary.silent_count += 1;
    end(world, shard)
}

/// One of two copies is not written, or is written elsewhere in its file. Captures go on, and the power goes at any time
/// from then on, also while the other copy is being written: what is lost is nothing.
fn in_copies(world: &mut World, partition: PartitionId, shard: ShardId, file: &str) -> Checked {
    let fault = [Fault::Lost, Fault::Misdirect][world.faults.random_range(0..2)];
    let skip_count = world.faults.random_range(0..2);
    inject_behind(world, format!("shard-{shard}/{file}"), fault, skip_count);
    world.submit(shard, Asked::Other, Request::Checkpoint);
    world.answer_all()?;
    if !struck(world) {
        return Ok(());
    }
    world.summary.silent_count += 1;
    for _ in 0..world.faults.random_range(0..CAPTURES_BEHIND_MAX) {
        let (serial, _) = world.new_batch(partition, None, Expect::Stored);
        world.send(serial, None, Expect::Stored);
        let events = world.faults.random_range(0..EVENTS_BEHIND_MAX);
        let _ = world.executor.run_until_event(world.executor.event_count() + events);
        world.take_seen()?;
    }
    world.lose_power()?;
    let losses = world.repair_and_lose(shard)?;
    repair::costs_nothing(shard, &losses)?;
    world.start_again()
}

/// The power goes; what the shard does not find then is what an operator accepts.
fn end(world: &mut World, shard: ShardId) -> Checked {
    world.lose_power()?;
    world.repair_and_lose(shard)?;
    world.start_again()
}

fn inject(world: &mut World, path: String, fault: Fault) {
    inject_behind(world, path, fault, 0);
}

fn inject_behind(world: &mut World, path: String, fault: Fault, skip_count: u64) {
    world.note(|| format!("{fault:?} on a write of {path}, {skip_count} before it pass"));
    world.device.inject(Injection { operation: DiskOperation::Write, path_contains: path, skip_count, fault });
}

/// Whether the fault has struck; if not, it will not.
fn struck(world: &World) -> bool {
    world.device.disarm().is_empty()
}

/// Whether a capture is acknowledged, alone.
fn is_stored(world: &mut World, partition: PartitionId) -> Result<bool, Violation> {
    let acked_count = world.summary.acked_count;
    let (serial, _) = world.new_batch(partition, None, Expect::Stored);
    world.send(serial, None, Expect::Stored);
    world.answer_all()?;
    Ok(world.summary.acked_count > acked_count)
}
