//! Read from the append time of some batch that is known, or from a little later, at once or when there is something.

use florin_engine::model::Realtime;
use florin_engine::partition::Isolation;
use florin_engine::shard::{FetchFrom, Request};
use rand::Rng;

use crate::world::run::{Asked, World};

pub(super) fn play(world: &mut World) {
    let Some((partition, owner)) = world.any_partition() else { return };
    let Some(time) = world.known_time(partition) else { return };
    let time = Realtime(time.0 + [0, 0, 1, 2_000_000][world.random.random_range(0..4)]);
    let wait_ns = [0, 3_000_000, 50_000_000][world.random.random_range(0..3)];
    let bytes_max = [1, 2_000, 1 << 20][world.random.random_range(0..3)];
    let request = Request::Fetch {
        partition,
        from: FetchFrom::Time(time),
        bytes_max,
        wait_ns,
        isolation: Isolation::Uncommitted,
    };
    world.submit(owner, Asked::FetchByTime { partition, time }, request);
}
