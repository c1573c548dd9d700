//! Whoever waits for data does not want it any more.

use crate::world::run::{Asked, World};

pub(super) fn play(world: &mut World) {
    let waits = |asked: &Asked| matches!(asked, Asked::Fetch { verify: false, .. });
    let last = world.asked.iter().rev().find(|(_, (_, asked))| waits(asked)).map(|(id, (shard, _))| (*id, *shard));
    if let Some((id, shard)) = last
        && let Some(driver) = world.cluster.driver(shard)
    {
        driver.cancel(id);
    }
}
