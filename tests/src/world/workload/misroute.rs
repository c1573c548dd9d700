//! Send a batch to a shard that does not have the partition, and must refuse it.

use florin_engine::model::ShardId;
use florin_engine::shard::Request;

use crate::world::run::{Asked, Expect, World};

pub(super) fn play(world: &mut World) {
    let Some((partition, owner)) = world.any_partition() else { return };
    let other = ShardId((owner.0 + 1) % world.plan.shard_count);
    if other == owner {
        return;
    }
    let (serial, _) = world.new_batch(partition, None, Expect::Refused);
    world.model.send(serial, world.executor.handle().now().realtime);
    let batch = bytes::BytesMut::from(&world.model.sent[&serial].bytes[..]);
    let asked = Asked::Capture { serial, producer: None, expect: Expect::Refused, limit: None };
    if !world.submit(other, asked, Request::Capture { partition, batch }) {
        world.model.refused(serial);
    }
}
