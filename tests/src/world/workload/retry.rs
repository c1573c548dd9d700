//! An idempotent producer sends one of its last batches once more, answered or not.

use rand::Rng;

use crate::world::clients::PIPELINE_MAX;
use crate::world::run::{Expect, World};

pub(super) fn play(world: &mut World) {
    let Some(index) = world.any_producer() else { return };
    let tracked = &world.producers[index].tracked;
    let recent = tracked.len().min(PIPELINE_MAX);
    if recent > 0 {
        let serial = tracked[tracked.len() - 1 - world.random.random_range(0..recent)].serial;
        world.send(serial, Some(index), Expect::Stored);
    }
}
