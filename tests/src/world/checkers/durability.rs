//! Nothing acknowledged or shown is gone, no end goes back, nothing that was refused each time is stored.

use std::collections::BTreeSet;

use florin_engine::model::{Offset, PartitionId, ShardId};
use florin_engine::partition::HeldBatch;
use florin_engine::shard::Refusal;

use crate::world::checkers::{Checked, violation};
use crate::world::model::{Model, SentBatch};
use crate::world::run::World;

const PROMISE: &str = "durability";

/// What a client was refused each time is not there.
pub fn was_not_refused_each_time(serial: u64, sent: &SentBatch) -> Checked {
    if sent.open_count == 0 && !sent.may_be_stored && sent.receipt.is_none() {
        return violation(PROMISE, format!("batch {serial} was refused every time and is stored"));
    }
    Ok(())
}

/// What is shown lies before the end that is told with it.
pub fn is_before_end(partition: PartitionId, held: &HeldBatch, end: Offset) -> Checked {
    if held.last_offset >= end {
        return violation(PROMISE, format!("{partition}: offset {} shown beyond the end", held.last_offset));
    }
    Ok(())
}

/// Reads that were met by faults come to an end.
pub fn cannot_be_read(partition: PartitionId, from: Offset) -> Checked {
    violation(PROMISE, format!("{partition} cannot be read from {from} on"))
}

impl Model {
    /// Somebody was told where a partition ends.
    pub fn ends_at(&mut self, partition: PartitionId, end: Offset) -> Checked {
        let facts = self.partitions.entry(partition).or_default();
        if end.0 < facts.end {
            return violation(PROMISE, format!("{partition} ends at {end}, it ended at {} before", facts.end));
        }
        facts.end = end.0;
        Ok(())
    }

    /// Of a partition that was read whole from `start` on: everything that anybody knows of is there, but for what is
    /// known to be `damaged`, from offset to offset.
    pub fn nothing_is_gone(
        &self,
        partition: PartitionId,
        start: u64,
        serials: &BTreeSet<u64>,
        damaged: &[(Offset, Offset)],
    ) -> Checked {
        let is_damaged = |base: u64| damaged.iter().any(|(from, to)| (from.0..to.0).contains(&base));
        let facts = self.partitions.get(&partition);
        let lost = facts.and_then(|facts| {
            facts.batches.range(start..).find(|(base, serial)| !serials.contains(serial) && !is_damaged(**base))
        });
        match lost {
            Some((at, serial)) => violation(PROMISE, format!("{partition}: batch {serial} at {at} is gone")),
            None => Ok(()),
        }
    }
}

impl World {
    /// Durable data is read whenever the shard is up, also after it has failed. `at`: the offset that was asked for,
    /// and whether everything must be read.
    pub fn read_refused(
        &mut self,
        shard: ShardId,
        partition: PartitionId,
        at: Option<(u64, bool)>,
        refusal: &Refusal,
    ) -> Checked {
        let known_end = self.model.partitions.get(&partition).map_or(0, |facts| facts.end);
        if let Refusal::OffsetOutOfRange { start, .. } = refusal {
            self.starts_at(partition, *start)?;
        }
        let start = self.model.partitions.get(&partition).map_or(0, |facts| facts.start);
        let topic = self.model.topics.get(&partition.topic);
        let excused = match refusal {
            Refusal::Starting(_) | Refusal::Stopping(_) => true,
            Refusal::ShardUnavailable(_) => !self.has_begun(shard),
            Refusal::Damaged { from, to, .. } if self.damaged == Some(shard) => {
                self.damage_seen.push((partition, *from, *to));
                self.read_lost = at.filter(|(_, verify)| *verify).map(|_| *to);
                return Ok(());
            }
            // A fault that was injected strikes once: whoever asks again is answered.
            Refusal::ReadFailed { .. } | Refusal::Damaged { .. } => self.faulty,
            Refusal::Lost { gap, .. } => {
                let known = self.model.lost_at(partition, gap.base_offset.0);
                self.read_lost = known.filter(|_| at.is_some_and(|(_, verify)| verify));
                return match known {
                    Some(end) if end >= gap.next_offset => Ok(()),
                    _ => violation(PROMISE, format!("{partition}: nobody gave up {gap:?}")),
                };
            }
            Refusal::UnknownPartition(_) => topic.is_none_or(|topic| topic.may_be_deleted),
            Refusal::OffsetOutOfRange { .. } => at.is_some_and(|(from, _)| from > known_end || from < start),
            _ => false,
        };
        let must_be_read = at.is_some_and(|(_, verify)| verify) && self.has_begun(shard);
        let comes_again = comes_again(refusal);
        if excused && (!must_be_read || comes_again) {
            return Ok(());
        }
        violation(PROMISE, format!("{partition} cannot be read: {refusal}"))
    }

    /// Whether the first block of the shard's epoch is durable: from then on it serves.
    fn has_begun(&self, shard: ShardId) -> bool {
        let last =
            self.cluster.reports().iter().find(|report| report.shard == shard).map(|report| report.last_sequence);
        let status = self.cluster.statuses().into_iter().find(|status| status.shard == shard);
        status.zip(last).is_some_and(|(status, last)| status.durable_sequence > last)
    }
}

/// Whether who asks for everything asks once more: an injected fault has struck, or retention has cut meanwhile.
pub fn comes_again(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::ReadFailed { .. } | Refusal::Damaged { .. } | Refusal::OffsetOutOfRange { .. })
}
