//! Account of what was acknowledged, held against what the server says that it has.

use anyhow::{Result, ensure};
use florin_engine::model::{Offset, PartitionId, TopicId};

use crate::client::control::Control;
use crate::client::load::Stored;

/// Records that were acknowledged, partition by partition.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Topics with the place of their first partition in `partitions`.
    topics: Vec<(TopicId, usize)>,
    partitions: Vec<Acknowledged>,
    batch_records: u64,
}

/// What was acknowledged of one partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Acknowledged {
    records: u64,
    /// One behind the last offset that was acknowledged.
    end: u64,
}

/// Bytes of all partitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Records in front of which there is nothing any more.
    pub cut_records: u64,
    /// Bytes that retention cut.
    pub cut_bytes: u64,
    /// Records beyond what was acknowledged: stored, and the answer did not come to us.
    pub unacknowledged_records: u64,
}

impl Tally {
    /// Nothing yet, of topics with so many partitions each, in batches of so many records.
    pub fn new(topics: &[(TopicId, u32)], batch_records: u32) -> Self {
        let mut tally = Self { topics: Vec::new(), partitions: Vec::new(), batch_records: u64::from(batch_records) };
        for (topic, partition_count) in topics {
            let first = tally.partitions.len();
            tally.topics.push((*topic, first));
            tally.partitions.resize(first + *partition_count as usize, Acknowledged::default());
        }
        tally
    }

    /// Takes an acknowledged batch.
    pub fn take(&mut self, stored: &Stored) {
        self.take_records(stored.partition, stored.base_offset, self.batch_records);
    }

    /// Takes an acknowledged batch of so many records.
    pub fn take_records(&mut self, partition: PartitionId, base_offset: Offset, records: u64) {
        let acknowledged = self.of(partition);
        acknowledged.records += records;
        acknowledged.end = acknowledged.end.max(base_offset.0 + records);
    }

    /// Takes an acknowledged batch of a partition whose answers come in the order of its offsets: it must begin where
    /// the one before ended.
    pub fn take_next(&mut self, stored: &Stored) -> Result<()> {
        let (partition, base_offset, end) = (stored.partition, stored.base_offset, self.of(stored.partition).end);
        ensure!(
            base_offset.0 == end,
            "a batch of partition {partition} was acknowledged at offset {base_offset} and not at {end}: the server is \
             wrong, or others write to the topic"
        );
        self.take(stored);
        Ok(())
    }

    /// Acknowledged records of a partition.
    pub fn records(&self, partition: PartitionId) -> u64 {
        self.topics
            .iter()
            .find(|(topic, _)| *topic == partition.topic)
            .map_or(0, |(_, first)| self.partitions[first + partition.index as usize].records)
    }

    /// Acknowledged records of all partitions.
    pub fn total(&self) -> u64 {
        self.partitions.iter().map(|partition| partition.records).sum()
    }

    /// Partitions that nothing was acknowledged of.
    pub fn silent_count(&self) -> usize {
        self.partitions.iter().filter(|partition| partition.records == 0).count()
    }

    /// Asks the server for every partition: each must end behind what was acknowledged. With `exactly`, it must end
    /// there, and everything in it was acknowledged to us.
    pub fn check(&self, control: &mut Control, exactly: bool) -> Result<Kept> {
        let mut kept = Kept::default();
        for (topic, first) in &self.topics {
            for (described, acknowledged) in control.partitions(*topic)?.iter().zip(&self.partitions[*first..]) {
                let Acknowledged { records, end } = *acknowledged;
                let watermark = described.high_watermark;
                let place = PartitionId { topic: *topic, index: described.index };
                ensure!(
                    watermark >= end && watermark >= records,
                    "partition {place} ends at offset {watermark}, and {records} records up to offset {end} were \
                     acknowledged: what was acknowledged is gone"
                );
                ensure!(
                    !exactly || (watermark == end && watermark == records),
                    "partition {place} ends at offset {watermark}, and {records} records up to offset {end} were \
                     acknowledged: others write to it, or the server is wrong"
                );
                kept.cut_records += described.start_offset;
                kept.cut_bytes += described.cut_bytes;
                kept.unacknowledged_records += watermark - records;
            }
        }
        Ok(kept)
    }

    fn of(&mut self, partition: PartitionId) -> &mut Acknowledged {
        let known = self.topics.iter().find(|(topic, _)| *topic == partition.topic);
        let (_, first) = known.expect("only our topics are written to");
        &mut self.partitions[first + partition.index as usize]
    }
}

#[cfg(test)]
mod tests;
