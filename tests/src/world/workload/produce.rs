//! An idempotent producer sends its next batch, or what is not settled yet.

use rand::Rng;

use super::init_producer;
use crate::world::clients::{PIPELINE_MAX, Standing};
use crate::world::run::{Expect, World};

/// Sends what is not settled again, in order, before anything new.
pub(super) fn play(world: &mut World) {
    let Some(index) = world.any_producer() else { return init_producer::play(world) };
    let producer = &world.producers[index];
    if let Some(unknown) = producer.first_unknown() {
        world.producers[index].stands(unknown.serial, Standing::Open);
        return world.send(unknown.serial, Some(index), Expect::Stored);
    }
    if producer.unsettled_count() >= PIPELINE_MAX {
        return;
    }
    let stamp = (producer.id, producer.epoch, producer.next_sequence);
    let (serial, record_count) = world.new_batch(producer.partition, Some(stamp), Expect::Stored);
    world.producers[index].track(serial, record_count);
    world.send(serial, Some(index), Expect::Stored);
    if world.random.random_bool(0.1) {
        world.send(serial, Some(index), Expect::Stored);
    }
}
