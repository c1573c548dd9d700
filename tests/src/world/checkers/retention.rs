//! A partition's start never goes back, lies between batches, and passes only what its topic need not keep.

use florin_engine::model::{Offset, PartitionId, Realtime};
use florin_engine::partition::HeldBatch;

use crate::world::checkers::{Checked, Violation, violation};
use crate::world::model::{Model, SentBatch};
use crate::world::run::World;

const PROMISE: &str = "retention";
/// Bytes of a segment file that are not a batch, for each batch, at most: an extent of its own.
const BYTES_AROUND_MAX: u64 = 2 * 4096;

/// What is shown is not cut.
pub fn is_not_cut(partition: PartitionId, held: &HeldBatch, start: Offset) -> Checked {
    if held.base_offset < start {
        return violation(PROMISE, format!("{partition}: offset {} is shown and cut", held.base_offset));
    }
    Ok(())
}

impl World {
    /// Takes where a partition begins.
    pub fn starts_at(&mut self, partition: PartitionId, start: Offset) -> Checked {
        self.summary.cut_front_count += u64::from(self.model.starts_at(partition, start, self.latest)?);
        Ok(())
    }
}

impl Model {
    /// Somebody was told where a partition begins: never further back than before, and only behind what its topic need
    /// not keep. `latest` is the latest that the wall clock ever showed. Returns whether it is news.
    pub fn starts_at(&mut self, partition: PartitionId, start: Offset, latest: Realtime) -> Result<bool, Violation> {
        let facts = self.partitions.entry(partition).or_default();
        if start.0 < facts.start {
            return violation(PROMISE, format!("{partition} begins at {start}, it began at {} before", facts.start));
        }
        let gone: Vec<u64> = facts.batches.range(facts.start..start.0).map(|(_, serial)| *serial).collect();
        let is_news = start.0 > facts.start;
        facts.start = start.0;
        let Some(topic) = self.topics.get(&partition.topic) else { return Ok(is_news) };
        let is_spare =
            !gone.is_empty() && topic.retention_bytes_min.is_some_and(|least| self.may_have(partition, least));
        for serial in gone {
            let (base, time) = self.sent[&serial].receipt.expect("facts have a place");
            let is_aged = topic.retention_ns_min.is_some_and(|ns| latest.since_ns(time) >= ns);
            if !is_aged && !is_spare {
                let what = format!("{partition}: batch {serial} at {base}, appended at {time}, is gone at {latest}");
                return violation(PROMISE, what);
            }
            if base.0 + self.sent[&serial].record_count > start.0 {
                return violation(PROMISE, format!("{partition} begins at {start}, inside batch {serial}"));
            }
        }
        Ok(is_news)
    }

    /// Whether a partition may have so many bytes from its start on, with whatever is stored around its batches.
    fn may_have(&self, partition: PartitionId, bytes: u64) -> bool {
        let of = |sent: &SentBatch| sent.bytes.len() as u64 + BYTES_AROUND_MAX;
        let facts = &self.partitions[&partition];
        if !facts.lost.is_empty() {
            // What was there when it was decided may be lost since.
            return true;
        }
        let known = facts.batches.range(facts.start..).map(|(_, serial)| of(&self.sent[serial]));
        let doubtful = |sent: &&SentBatch| sent.partition == partition && sent.receipt.is_none();
        let unknown =
            self.sent.values().filter(doubtful).filter(|sent| sent.may_be_stored || sent.open_count > 0).map(of);
        known.chain(unknown).sum::<u64>() >= bytes
    }
}
