//! A read by time begins at the first batch of that time or later.

use florin_engine::model::{PartitionId, Realtime};
use florin_engine::shard::Fetched;

use crate::world::checkers::{Checked, violation};
use crate::world::run::World;

const PROMISE: &str = "by time";

impl World {
    /// Takes what a read from `time` on brought.
    pub fn fetched_by_time(&mut self, partition: PartitionId, time: Realtime, fetched: &Fetched) -> Checked {
        let facts = self.model.partitions.entry(partition).or_default();
        let first = fetched.batches.first();
        let end = first.map_or(u64::MAX, |first| first.base_offset.0);
        let is_late = |serial: &u64| self.model.sent[serial].receipt.is_some_and(|(_, at)| at >= time);
        let mut earlier = facts.batches.range(facts.start..end.max(facts.start));
        if let Some((at, _)) = earlier.find(|(_, serial)| is_late(serial)) {
            return violation(
                PROMISE,
                format!("{partition}: the batch at {at} is as late as {time}, and not the first"),
            );
        }
        let Some(first) = first else { return Ok(()) };
        if first.append_time < time {
            return violation(PROMISE, format!("{partition}: a batch of {} was read from {time}", first.append_time));
        }
        self.fetched(partition, first.base_offset.0, fetched)
    }
}
