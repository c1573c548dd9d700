//! Holds what was stored against what was read: every batch is read once by each consumer, with the bytes that were
//! sent, and its delivery took from when its latency began until its records were decoded.
//!
//! Each partition has one connection that sends to it, so its batches lie behind each other from offset 0 on.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use florin_engine::model::{Offset, PartitionId};

use super::load::{Observer, Stored, Window};
use super::payload::Payloads;
use super::reader::{Delivered, Deliveries};
use crate::statistics::Latencies;

/// What is known of the batches of a topic that is written and read at the same time.
#[derive(Debug)]
pub struct Matching<'a> {
    payloads: &'a Payloads,
    consumer_count: usize,
    window: Option<Window>,
    /// By their indices.
    partitions: Vec<Partition>,
    /// Batches that are not settled.
    open_count: usize,
    latencies: Latencies,
    delivered_batches: u64,
}

#[derive(Debug, Default)]
struct Partition {
    /// Where the next batch is to be stored.
    next: Offset,
    /// Batches that are not stored yet, or not read by all consumers.
    open: BTreeMap<Offset, Open>,
}

/// A batch until it is known to be stored and was read by all. Reading it can be noticed first.
#[derive(Debug)]
struct Open {
    /// When its latency began, once it is known to be stored.
    since: Option<Instant>,
    crc: u32,
    /// When it was read before it was known to be stored.
    early: Vec<Instant>,
    /// Consumers that have not read it.
    left: usize,
}

/// What was found.
#[derive(Debug)]
pub struct Matched {
    /// Of each delivery that counts, to each consumer.
    pub latencies: Latencies,
    /// All deliveries of batches, those that do not count included.
    pub delivered_batches: u64,
}

impl<'a> Matching<'a> {
    /// For connections that send these payloads to a fresh partition each, and so many readers of each partition.
    pub fn new(payloads: &'a Payloads, partition_count: usize, consumer_count: usize) -> Self {
        let partitions = (0..partition_count).map(|_| Partition::default()).collect();
        let latencies = Latencies::new();
        Self { payloads, consumer_count, window: None, partitions, open_count: 0, latencies, delivered_batches: 0 }
    }

    /// The result, once the load has ended.
    pub fn finish(self) -> Matched {
        Matched { latencies: self.latencies, delivered_batches: self.delivered_batches }
    }

    fn index_of(&self, partition: PartitionId) -> Result<usize> {
        let index = usize::try_from(partition.index)?;
        ensure!(index < self.partitions.len(), "partition {partition} is none that anything is sent to");
        Ok(index)
    }

    fn open(&mut self, partition: usize, offset: Offset, crc: u32) -> &mut Open {
        let (open_count, left) = (&mut self.open_count, self.consumer_count);
        self.partitions[partition].open.entry(offset).or_insert_with(|| {
            *open_count += 1;
            Open { since: None, crc, early: Vec::new(), left }
        })
    }

    fn record(&mut self, since: Instant, at: Instant) {
        if self.window.is_some_and(|window| window.counts(since, at)) {
            self.latencies.record(at.saturating_duration_since(since));
        }
    }

    fn settle(&mut self, partition: usize, offset: Offset) {
        self.partitions[partition].open.remove(&offset);
        self.open_count -= 1;
    }
}

impl Deliveries for Matching<'_> {
    fn delivered(&mut self, delivered: &Delivered) -> Result<()> {
        let (partition, offset) = (delivered.partition, delivered.base_offset);
        let index = self.index_of(partition)?;
        ensure!(
            delivered.record_count == self.payloads.record_count(),
            "partition {partition}, offset {offset}: a batch of {} records was read, all that are sent have {}",
            delivered.record_count,
            self.payloads.record_count()
        );
        self.delivered_batches += 1;
        let open = self.open(index, offset, delivered.crc);
        if open.crc != delivered.crc {
            bail!("partition {partition}, offset {offset}: a consumer read other bytes than were stored there");
        }
        let too_often = || format!("partition {partition}, offset {offset}: a consumer read it a second time");
        open.left = open.left.checked_sub(1).with_context(too_often)?;
        match open.since {
            Some(since) => {
                let is_settled = open.left == 0;
                self.record(since, delivered.at);
                if is_settled {
                    self.settle(index, offset);
                }
            }
            None => open.early.push(delivered.at),
        }
        Ok(())
    }

    fn fetched(&mut self, _: Instant, _: Instant) {}
}

impl Observer for Matching<'_> {
    fn begins(&mut self, window: Window) {
        self.window = Some(window);
    }

    fn stored(&mut self, stored: &Stored) -> Result<()> {
        let (partition, offset) = (stored.partition, stored.base_offset);
        let index = self.index_of(partition)?;
        let next = self.partitions[index].next;
        ensure!(
            offset == next,
            "partition {partition}: a batch was stored at offset {offset} and not at {next}, where the one before it \
             ended"
        );
        self.partitions[index].next = offset.plus(u64::from(self.payloads.record_count()));
        let crc = self.payloads.crc(stored.batch);
        let open = self.open(index, offset, crc);
        if open.crc != crc {
            bail!("partition {partition}, offset {offset}: other bytes were read there than were stored");
        }
        open.since = Some(stored.since);
        let (early, is_settled) = (std::mem::take(&mut open.early), open.left == 0);
        early.into_iter().for_each(|at| self.record(stored.since, at));
        if is_settled {
            self.settle(index, offset);
        }
        Ok(())
    }

    fn awaited_count(&self) -> usize {
        self.open_count
    }
}
