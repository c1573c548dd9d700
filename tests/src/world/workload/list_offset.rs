//! Ask where a partition begins, ends, or was at some time.

use florin_engine::model::{PartitionId, Realtime};
use florin_engine::shard::{OffsetAt, Request};
use rand::Rng;

use crate::world::clients::TIMESTAMP_MS_MAX;
use crate::world::run::{Asked, World};

pub(super) fn play(world: &mut World) {
    let Some((partition, owner)) = world.any_partition() else { return };
    let at = match world.random.random_range(0..10) {
        0 => OffsetAt::Start,
        1 | 2 => world.known_time(partition).map_or(OffsetAt::Start, OffsetAt::Time),
        3..6 => OffsetAt::Timestamp(world.random.random_range(-1..=TIMESTAMP_MS_MAX + 1)),
        _ => OffsetAt::End,
    };
    world.submit(owner, Asked::ListOffset { partition, at }, Request::ListOffset { partition, at });
}

impl World {
    /// The append time of some batch that is known, or the instant before.
    pub(super) fn known_time(&mut self, partition: PartitionId) -> Option<Realtime> {
        let facts = self.model.partitions.get(&partition).filter(|facts| !facts.batches.is_empty())?;
        let serial = facts.batches.values().nth(self.random.random_range(0..facts.batches.len()));
        let sent = &self.model.sent[serial.expect("it was drawn below the count")];
        let (_, time) = sent.receipt.expect("facts have a place");
        Some(Realtime(time.0 - self.random.random_range(0..2)))
    }
}
