//! A producer without identity sends a new batch.

use crate::world::run::{Expect, World};

pub(super) fn play(world: &mut World) {
    if let Some((partition, _)) = world.any_partition() {
        let (serial, _) = world.new_batch(partition, None, Expect::Stored);
        world.send(serial, None, Expect::Stored);
    }
}
