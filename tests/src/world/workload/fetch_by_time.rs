//! Read from the append time of some batch that is known.

use florin_engine::shard::{FetchFrom, Request};

use crate::world::run::{Asked, World};

pub(super) fn play(world: &mut World) {
    let Some((partition, owner)) = world.any_partition() else { return };
    let Some(time) = world.known_time(partition) else { return };
    let request = Request::Fetch { partition, from: FetchFrom::Time(time), bytes_max: 1, wait_ns: 0 };
    world.submit(owner, Asked::FetchByTime { partition, time }, request);
}
