//! An idempotent producer sends its next batch, or what is not settled yet.

use florin_engine::model::PartitionId;
use rand::Rng;

use super::init_producer;
use crate::world::clients::{PIPELINE_MAX, Standing};
use crate::world::model::SentBatch;
use crate::world::run::{Expect, World};
use crate::world::sending::Stamp;

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
    let partition = producer.partition;
    let (serial, record_count) = match stored_payments(world, partition, stamp) {
        Some(batch) => batch,
        None => world.new_batch(partition, Some(stamp), Expect::Stored),
    };
    world.producers[index].track(serial, record_count);
    world.send(serial, Some(index), Expect::Stored);
    if world.random.random_bool(0.1) {
        world.send(serial, Some(index), Expect::Stored);
    }
}

/// A batch of payments that are stored already, in a partition whose keys are known.
fn stored_payments(world: &mut World, partition: PartitionId, stamp: Stamp) -> Option<(u64, u32)> {
    if !world.keys_are_known(partition) || !world.random.random_bool(0.15) {
        return None;
    }
    let is_stored = |sent: &SentBatch| {
        sent.partition == partition && sent.stamp.is_none() && !sent.forbidden && sent.receipt.is_some()
    };
    let of = world.model.sent.iter().rev().find(|(_, sent)| is_stored(sent)).map(|(serial, _)| *serial)?;
    world.stored_batch(of, stamp)
}
