//! Latencies of the stages of a capture over the last minutes.
//!
//! Two windows follow each other: what is told is the older and the younger one together, so that it covers between one
//! and two lengths of a window, and what was long ago does not hide what is now.

use std::collections::BTreeMap;

use florin_engine::model::{Monotonic, ShardId};
use hdrhistogram::Histogram;

use crate::metrics::StageHistograms;

/// Length of a window.
const WINDOW_NS: u64 = 60_000_000_000;

/// What was measured of one shard.
#[derive(Debug, Default)]
struct ShardStages {
    older: StageHistograms,
    younger: StageHistograms,
    counts: [u64; 3],
}

/// What was measured, by shard.
#[derive(Debug, Default)]
pub struct Stages {
    shards: BTreeMap<ShardId, ShardStages>,
    younger_since: Monotonic,
}

/// One stage of one shard.
#[derive(Debug)]
pub struct Stage {
    /// The shard.
    pub shard: ShardId,
    /// `queue`, `write` or `ack`.
    pub name: &'static str,
    /// Latencies of the last one to two minutes, in nanoseconds.
    pub recent: Histogram<u64>,
    /// Measurements since the start.
    pub count: u64,
}

impl Stages {
    /// Takes in what an executor measured since it was last asked.
    pub fn take_in(&mut self, histograms: Vec<(ShardId, StageHistograms)>, now: Monotonic) {
        if now.0.saturating_sub(self.younger_since.0) >= WINDOW_NS {
            self.younger_since = now;
            for stages in self.shards.values_mut() {
                stages.older = std::mem::take(&mut stages.younger);
            }
        }
        for (shard, measured) in histograms {
            let stages = self.shards.entry(shard).or_default();
            stages.younger.merge(&measured);
            let added = [measured.queue.len(), measured.write.len(), measured.ack.len()];
            stages.counts.iter_mut().zip(added).for_each(|(count, added)| *count += added);
        }
    }

    /// Every stage of every shard.
    pub fn all(&self) -> Vec<Stage> {
        let mut all = Vec::new();
        for (shard, stages) in &self.shards {
            let mut recent = stages.older.clone();
            recent.merge(&stages.younger);
            let StageHistograms { queue, write, ack } = recent;
            let named = [("queue", queue), ("write", write), ("ack", ack)];
            for ((name, recent), count) in named.into_iter().zip(stages.counts) {
                all.push(Stage { shard: *shard, name, recent, count });
            }
        }
        all
    }
}

#[cfg(test)]
mod tests;
