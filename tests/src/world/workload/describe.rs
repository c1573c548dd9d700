//! Ask a shard how its partitions of a topic are doing, and who has them.

use florin_engine::model::ShardId;
use florin_engine::shard::Request;
use rand::Rng;

use crate::world::checkers::{Checked, topics};
use crate::world::run::{Asked, World};

pub(super) fn play(world: &mut World) -> Checked {
    let Some((partition, owner)) = world.any_partition() else { return Ok(()) };
    let shard = ShardId(world.random.random_range(0..world.plan.shard_count));
    if let Some(driver) = world.cluster.driver(shard) {
        topics::is_placed_on(partition, owner, driver.owner(partition))?;
        if let Some(shown) = driver.topic(partition.topic) {
            topics::is_topic(partition.topic, &shown)?;
        }
    }
    let topic = partition.topic;
    world.submit(shard, Asked::Describe { topic }, Request::DescribePartitions { topic });
    Ok(())
}
