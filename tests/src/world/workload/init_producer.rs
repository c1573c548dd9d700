//! A producer asks for an identity, or goes on under its next epoch.

use florin_engine::model::ProducerEpoch;
use florin_engine::shard::Request;
use rand::Rng;

use crate::world::clients::Producer;
use crate::world::run::{Asked, World};

pub(super) fn play(world: &mut World) {
    let Some((partition, owner)) = world.any_partition() else { return };
    let settled = |producer: &Producer| !producer.retired && producer.unsettled_count() == 0;
    let bump = (0..world.producers.len())
        .find(|index| settled(&world.producers[*index]))
        .filter(|_| world.random.random_bool(0.4));
    match bump {
        Some(index) => {
            let producer = &mut world.producers[index];
            producer.retired = true;
            let epoch = ProducerEpoch(producer.epoch.0 + 1);
            let (id, partition) = (producer.id, producer.partition);
            world.producers.push(Producer::new(id, epoch, partition));
        }
        None => {
            world.submit(owner, Asked::InitProducer { partition }, Request::InitProducer);
        }
    }
}
