//! Ask a shard for a checkpoint.

use florin_engine::model::ShardId;
use florin_engine::shard::Request;
use rand::Rng;

use crate::world::run::{Asked, World};

pub(super) fn play(world: &mut World) {
    let shard = ShardId(world.random.random_range(0..world.plan.shard_count));
    world.submit(shard, Asked::Other, Request::Checkpoint);
}
