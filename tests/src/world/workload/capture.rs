//! A producer without identity sends a new batch; of a topic with idempotency keys perhaps one again, or payments under keys
//! that are taken.

use florin_engine::model::PartitionId;
use rand::Rng;

use crate::world::run::{Expect, World};

/// Batches that are sent again are among the last of their partition.
const RECENT_COUNT: usize = 40;

pub(super) fn play(world: &mut World) {
    let Some((partition, _)) = world.any_partition() else { return };
    if world.keys_are_known(partition) && world.random.random_bool(0.5) && known_payments(world, partition) {
        return;
    }
    let (serial, _) = world.new_batch(partition, None, Expect::Stored);
    world.send(serial, None, Expect::Stored);
}

/// Sends payments whose keys may be known; whether there are some.
fn known_payments(world: &mut World, partition: PartitionId) -> bool {
    let of_partition = world.model.sent.iter().rev().filter(|(_, sent)| sent.partition == partition);
    let plain = of_partition.filter(|(_, sent)| sent.stamp.is_none() && !sent.forbidden);
    let recent: Vec<u64> = plain.take(RECENT_COUNT).map(|(serial, _)| *serial).collect();
    if recent.is_empty() {
        return false;
    }
    let serial = recent[world.random.random_range(0..recent.len())];
    let is_stored = world.model.sent[&serial].receipt.is_some();
    if is_stored && world.random.random_bool(0.3) {
        let is_mixed = world.random.random_bool(0.5);
        let Some(strange) = world.strange_batch(serial, is_mixed) else { return false };
        world.send(strange, None, Expect::Refused);
    } else {
        world.send(serial, None, Expect::Stored);
    }
    true
}
