//! A look-up by time finds the first batch of that time or later; one by timestamp the first record.

use florin_engine::model::{Offset, PartitionId, Realtime};
use florin_engine::shard::{Fetched, OffsetAt};

use crate::world::checkers::{Checked, violation};
use crate::world::clients::timestamp_ms;
use crate::world::run::World;

const PROMISE: &str = "by time";

impl World {
    /// Takes what a read from `time` on brought.
    pub fn fetched_by_time(&mut self, partition: PartitionId, time: Realtime, fetched: &Fetched) -> Checked {
        let first = fetched.batches.first();
        let end = first.map_or(Offset(u64::MAX), |first| first.base_offset);
        self.is_first_since(partition, time, end)?;
        let Some(first) = first else { return Ok(()) };
        if first.append_time < time {
            return violation(PROMISE, format!("{partition}: a batch of {} was read from {time}", first.append_time));
        }
        self.fetched(partition, first.base_offset.0, fetched)
    }

    /// Takes the offset that was asked for.
    pub fn offset_listed(&mut self, partition: PartitionId, at: OffsetAt, offset: Offset) -> Checked {
        match at {
            OffsetAt::End | OffsetAt::Stable => self.model.ends_at(partition, offset),
            OffsetAt::Start => self.starts_at(partition, offset),
            OffsetAt::Time(time) => {
                // What retention cut meanwhile, and nobody was told of, lies before any answer.
                if !self.plan.has_retention {
                    self.is_first_since(partition, time, offset)?;
                }
                match self.batch_at(partition, offset) {
                    Some((base, serial)) if base == offset.0 && self.is_since(serial, time) => Ok(()),
                    Some((base, _)) => {
                        violation(PROMISE, format!("{partition}: {time} was found at {offset}, in the batch at {base}"))
                    }
                    None => Ok(()),
                }
            }
            OffsetAt::Timestamp(ms) => self.timestamp_listed(partition, ms, offset),
        }
    }

    fn timestamp_listed(&self, partition: PartitionId, ms: i64, offset: Offset) -> Checked {
        let Some(facts) = self.model.partitions.get(&partition) else { return Ok(()) };
        let is_late = |base: u64, serial: u64, at: u64| timestamp_ms(serial, at - base) >= ms;
        if let Some((base, serial)) = self.batch_at(partition, offset)
            && !is_late(base, serial, offset.0)
        {
            return violation(PROMISE, format!("{partition}: the record at {offset} is older than {ms} ms"));
        }
        let before = facts.batches.range(facts.start..offset.0.max(facts.start)).filter(|_| !self.plan.has_retention);
        for (base, serial) in before {
            let end = (base + self.model.sent[serial].record_count).min(offset.0);
            if let Some(at) = (*base..end).find(|at| is_late(*base, *serial, *at)) {
                return violation(PROMISE, format!("{partition}: {ms} ms was found at {offset}, and stands at {at}"));
            }
        }
        Ok(())
    }

    /// No batch that is known and lies before `end` is of this time or later.
    fn is_first_since(&self, partition: PartitionId, time: Realtime, end: Offset) -> Checked {
        let Some(facts) = self.model.partitions.get(&partition) else { return Ok(()) };
        let mut earlier = facts.batches.range(facts.start..end.0.max(facts.start));
        match earlier.find(|(_, serial)| self.is_since(**serial, time)) {
            None => Ok(()),
            Some((at, _)) => {
                violation(PROMISE, format!("{partition}: the batch at {at} is as late as {time}, and not the first"))
            }
        }
    }

    fn is_since(&self, serial: u64, time: Realtime) -> bool {
        self.model.sent[&serial].receipt.is_some_and(|(_, at)| at >= time)
    }

    /// The known batch that has an offset: where it begins, and its serial.
    fn batch_at(&self, partition: PartitionId, offset: Offset) -> Option<(u64, u64)> {
        let facts = self.model.partitions.get(&partition)?;
        let (base, serial) = facts.batches.range(..=offset.0).next_back()?;
        (offset.0 < base + self.model.sent[serial].record_count).then_some((*base, *serial))
    }
}
