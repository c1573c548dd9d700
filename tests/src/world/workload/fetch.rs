//! Read from some offset, also from behind the end, at once or when there is something.

use florin_engine::model::Offset;
use florin_engine::partition::Isolation;
use florin_engine::shard::{FetchFrom, Request};
use rand::Rng;

use crate::world::run::{Asked, World};

pub(super) fn play(world: &mut World) {
    let Some((partition, owner)) = world.any_partition() else { return };
    let end = world.model.partitions.get(&partition).map_or(0, |facts| facts.end);
    let from = world.random.random_range(0..=end + 1);
    let wait_ns = [0, 3_000_000, 50_000_000][world.random.random_range(0..3)];
    let bytes_max = [1, 2_000, 1 << 20][world.random.random_range(0..3)];
    let request = Request::Fetch {
        partition,
        from: FetchFrom::Offset(Offset(from)),
        bytes_max,
        wait_ns,
        isolation: Isolation::Uncommitted,
    };
    world.submit(owner, Asked::Fetch { partition, from, bytes_max, verify: false }, request);
}
