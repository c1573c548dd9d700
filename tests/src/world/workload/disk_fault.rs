//! Make the next disk operation of some kind on some file of a shard fail, or take long.

use florin_engine::io::DiskOperation;
use florin_engine::model::ShardId;
use rand::Rng;

use crate::sim::{Fault, Injection};
use crate::world::run::World;

const FILES: [&str; 7] = ["journal", "journal", "journal", "superblock", "manifest", "segment", "segment"];
/// Operations, and what may go wrong with each.
const FAULTS: [(DiskOperation, &[Fault]); 10] = [
    (DiskOperation::Write, WRITE_FAULTS),
    (DiskOperation::Write, WRITE_FAULTS),
    (DiskOperation::Write, WRITE_FAULTS),
    (DiskOperation::Sync, &[Fault::Fail, Fault::NoSpace, Fault::Slow { by_ns: SLOW_NS }]),
    (DiskOperation::Read, &[Fault::Fail, Fault::Fail, Fault::Slow { by_ns: SLOW_NS }]),
    (DiskOperation::Create, &[Fault::Fail, Fault::NoSpace]),
    (DiskOperation::Open, &[Fault::Fail]),
    (DiskOperation::Remove, &[Fault::Fail]),
    (DiskOperation::List, &[Fault::Fail]),
    (DiskOperation::SyncDirectory, &[Fault::Fail, Fault::NoSpace, Fault::Slow { by_ns: SLOW_NS }]),
];
const WRITE_FAULTS: &[Fault] =
    &[Fault::Fail, Fault::Fail, Fault::NoSpace, Fault::Short, Fault::Slow { by_ns: SLOW_NS }];
/// Longer than anything that a healthy disk does.
const SLOW_NS: u64 = 2_000_000_000;

pub(super) fn play(world: &mut World) {
    let random = &mut world.faults;
    let shard = ShardId(random.random_range(0..world.plan.shard_count));
    let file = FILES[random.random_range(0..FILES.len())];
    let (operation, faults) = FAULTS[random.random_range(0..FAULTS.len())];
    let fault = faults[random.random_range(0..faults.len())];
    let skip_count = random.random_range(0..4);
    // Directories are listed and synced as a whole.
    let is_of_directory = matches!(operation, DiskOperation::List | DiskOperation::SyncDirectory);
    let path = if is_of_directory { format!("shard-{shard}") } else { format!("shard-{shard}/{file}") };
    let is_slow = matches!(fault, Fault::Slow { .. });
    let ends_acks = operation == DiskOperation::Write && !is_slow && !matches!(file, "manifest" | "segment");
    if ends_acks {
        world.watched.push((shard, path.clone()));
    }
    world.note(|| format!("{fault:?} on a {operation:?} of {path}, {skip_count} before it pass"));
    world.device.inject(Injection { operation, path_contains: path, skip_count, fault });
}
