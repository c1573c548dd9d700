//! Ask where a partition ends.

use florin_engine::shard::{OffsetAt, Request};

use crate::world::run::{Asked, World};

pub(super) fn play(world: &mut World) {
    if let Some((partition, owner)) = world.any_partition() {
        world.submit(owner, Asked::ListEnd { partition }, Request::ListOffset { partition, at: OffsetAt::End });
    }
}
