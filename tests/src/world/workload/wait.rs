//! Let time pass: from a moment to more than a minute.

use rand::Rng;

use crate::world::run::World;

const WAIT_NS: [u64; 4] = [1_000_000, 12_000_000, 200_000_000, 61_000_000_000];

pub(super) fn play(world: &mut World) {
    let wait_ns = WAIT_NS[world.random.random_range(0..WAIT_NS.len())];
    let _ = world.executor.run_for(wait_ns);
}
