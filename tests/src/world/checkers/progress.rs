//! A healthy server answers, starts and closes, and once faults stop every partition takes captures again.

use florin_engine::model::PartitionId;

use crate::sim::Stop;
use crate::world::checkers::{Checked, violation};
use crate::world::cluster::Cluster;
use crate::world::run::{Expect, World};

const PROMISE: &str = "progress";
/// Virtual time in which a healthy server answers everything.
const PATIENCE_NS: u64 = 60_000_000_000;
/// How often a capture is sent again when the journal is full, and how long it rests in between.
const TRY_COUNT_MAX: u32 = 200;
const TRY_REST_NS: u64 = 100_000_000;

impl World {
    /// Runs until the condition holds.
    pub fn wait(&mut self, condition: impl Fn(&Cluster) -> bool, what: &str) -> Checked {
        let deadline = self.executor.handle().now_ns() + PATIENCE_NS;
        let (cluster, handle) = (&self.cluster, self.executor.handle());
        let stop = self.executor.run_until(|| condition(cluster) || handle.now_ns() > deadline);
        if stop == Stop::Stalled || !condition(&self.cluster) {
            return violation(PROMISE, what.to_owned());
        }
        Ok(())
    }

    /// Waits until nothing is unanswered.
    pub fn answer_all(&mut self) -> Checked {
        let deadline = self.executor.handle().now_ns() + PATIENCE_NS;
        while !self.asked.is_empty() {
            let (cluster, handle) = (&self.cluster, self.executor.handle());
            let _ = self.executor.run_until(|| cluster.has_seen() || handle.now_ns() > deadline);
            if self.executor.handle().now_ns() > deadline {
                return violation(
                    PROMISE,
                    format!("{} requests are not answered: {:?}", self.asked.len(), self.asked.values().next()),
                );
            }
            self.take_seen()?;
        }
        Ok(())
    }

    /// Waits until every shard has closed.
    pub fn wait_for_close(&mut self) -> Checked {
        let shards = self.cluster.statuses().len();
        let mut stopped = 0;
        let deadline = self.executor.handle().now_ns() + PATIENCE_NS;
        while stopped < shards {
            let cluster = &self.cluster;
            let handle = self.executor.handle();
            let _ = self.executor.run_until(|| cluster.has_seen() || handle.now_ns() > deadline);
            if self.executor.handle().now_ns() > deadline {
                return violation(PROMISE, format!("{} of {shards} shards did not close", shards - stopped));
            }
            stopped += self.take_seen()?;
        }
        Ok(())
    }

    /// With a sound disk every partition takes a capture, if not at once then when there is room in the journal.
    pub fn everything_goes_on(&mut self) -> Checked {
        for partition in self.live_partitions() {
            self.goes_on(partition)?;
        }
        Ok(())
    }

    fn goes_on(&mut self, partition: PartitionId) -> Checked {
        let acked_count = self.summary.acked_count;
        for _ in 0..TRY_COUNT_MAX {
            let (serial, _) = self.new_batch(partition, None, Expect::Stored);
            self.send(serial, None, Expect::Stored);
            self.answer_all()?;
            let is_live = self.model.topics.get(&partition.topic).is_some_and(|topic| topic.is_surely_live());
            // More partitions than a manifest has room for is what nobody but an operator can help.
            let is_manifest_full = self.cluster.statuses().iter().any(|status| status.manifest_full);
            if self.summary.acked_count > acked_count || !is_live || is_manifest_full {
                return Ok(());
            }
            let _ = self.executor.run_for(TRY_REST_NS);
            self.take_seen()?;
        }
        let statuses = self.cluster.statuses();
        violation(PROMISE, format!("{partition} takes no capture although nothing fails any more: {statuses:#?}"))
    }
}
