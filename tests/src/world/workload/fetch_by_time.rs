//! Read from the append time of some batch that is known.

use florin_engine::model::Realtime;
use florin_engine::shard::{FetchFrom, Request};
use rand::Rng;

use crate::world::run::{Asked, World};

pub(super) fn play(world: &mut World) {
    let Some((partition, owner)) = world.any_partition() else { return };
    let Some(facts) = world.model.partitions.get(&partition).filter(|facts| !facts.batches.is_empty()) else {
        return;
    };
    let serial = facts.batches.values().nth(world.random.random_range(0..facts.batches.len()));
    let (_, time) =
        world.model.sent[serial.expect("it was drawn below the count")].receipt.expect("facts have a place");
    let time = Realtime(time.0 - world.random.random_range(0..2));
    let request = Request::Fetch { partition, from: FetchFrom::Time(time), bytes_max: 1, wait_ns: 0 };
    world.submit(owner, Asked::FetchByTime { partition, time }, request);
}
