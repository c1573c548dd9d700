//! The disk has no room for more than a few units, or as much as anybody wants.

use rand::Rng;

use crate::world::run::World;

const UNIT: u64 = 4096;

pub(super) fn play(world: &mut World) {
    let spare = [None, Some(0), Some(4 * UNIT), Some(40 * UNIT)][world.faults.random_range(0..4)];
    world.summary.disk_full_count += u64::from(spare.is_some());
    world.device.set_capacity_bytes(spare.map(|spare| world.device.used_bytes() + spare));
}
