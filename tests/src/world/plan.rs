//! How a world is, drawn from its seed. Every run leaves out some operations and faults entirely.

use std::collections::BTreeSet;

use florin_engine::format::layout::Geometry;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::workload::Operation;
use crate::sim::streams::keys_stream;
use crate::sim::{DiskConfig, DiskFaults, Flush, Latencies, streams};

/// So many topics that their runs fill a manifest.
const TOPIC_COUNT_MANY: usize = 24;

/// How a world is.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// Shards of the directory.
    pub shard_count: u16,
    /// Sizes of every shard.
    pub geometry: Geometry,
    /// The disk.
    pub disk: DiskConfig,
    /// Journal blocks in flight.
    pub blocks_in_flight: usize,
    /// Memory for what is at rest already.
    pub cached_bytes: u64,
    /// Bytes of a segment file that are written before it is synced.
    pub segment_unsynced_bytes: usize,
    /// So long after a start nothing expires by the wall clock.
    pub clock_settle_ns: u64,
    /// Operations to do.
    pub operation_count: u32,
    /// How often each operation is drawn.
    pub weights: Vec<(Operation, u32)>,
    /// Events that pass between two operations, at most.
    pub events_between_max: u64,
    /// Messages between shards that are lost, and that come twice, in a million.
    pub message_loss_ppm: u32,
    /// Largest value of a record.
    pub value_bytes_max: usize,
    /// Topics alive at the same time.
    pub topic_count_max: usize,
    /// Partitions that a topic is created with, at most.
    pub partition_count_max: u32,
    /// Topics that are created first.
    pub first_topic_count: usize,
    /// Topics may let records go.
    pub has_retention: bool,
    /// Topics may have idempotency keys.
    pub has_keys: bool,
    /// The disk acknowledges durable writes that are not: the checkers must notice.
    pub lying_disk: bool,
    /// Every end of the server is followed by another one, as soon as the next one serves.
    pub ends_twice: bool,
    /// Only these steps are played, counted from 0; all without.
    pub steps: Option<BTreeSet<u32>>,
    /// What happens is noted.
    pub is_traced: bool,
}

impl Plan {
    /// The world of a seed.
    pub fn of(seed: u64) -> Self {
        let random = &mut streams(seed).workload;
        let geometry = Geometry {
            file_count: if random.random_bool(0.1) { random.random_range(2..4) } else { random.random_range(4..=48) },
            file_bytes: 4096 * [8, 8, 12, 16, 32][random.random_range(0..5)],
            manifest_bytes: 4096 * random.random_range(16..=32),
        };
        let weights = Operation::WEIGHTS
            .into_iter()
            .filter(|(operation, _)| !operation.may_be_left_out() || random.random_bool(0.75))
            .collect();
        let topic_count_max = [4, 4, 4, 4, 12, TOPIC_COUNT_MANY][random.random_range(0..6)];
        Self {
            seed,
            shard_count: random.random_range(1..=3),
            geometry,
            disk: disk(random),
            blocks_in_flight: random.random_range(1..=4),
            cached_bytes: 4096 * [0, 4, 64][random.random_range(0..3)],
            segment_unsynced_bytes: 4096 * [1, 4, 64][random.random_range(0..3)],
            operation_count: random.random_range(500..=700),
            weights,
            events_between_max: [4, 12, 40][random.random_range(0..3)],
            message_loss_ppm: [0, 0, 100_000, 400_000][random.random_range(0..4)],
            value_bytes_max: [64, 600, 6_000][random.random_range(0..3)],
            topic_count_max,
            partition_count_max: if topic_count_max == TOPIC_COUNT_MANY {
                [4, 16][random.random_range(0..2)]
            } else {
                4
            },
            first_topic_count: if topic_count_max == TOPIC_COUNT_MANY { TOPIC_COUNT_MANY * 3 / 4 } else { 1 },
            has_retention: random.random_bool(0.5),
            has_keys: keys_stream(seed).random_bool(0.4),
            clock_settle_ns: [0, 0, 1_000_000_000, 20_000_000_000][random.random_range(0..4)],
            lying_disk: false,
            ends_twice: false,
            steps: None,
            is_traced: false,
        }
    }
}

fn disk(random: &mut ChaCha8Rng) -> DiskConfig {
    let flush = [Flush::All, Flush::FuaOnly, Flush::FileOnly][random.random_range(0..3)];
    let latencies = Latencies { stall_ppm: if random.random_bool(0.2) { 2_000 } else { 0 }, ..Latencies::default() };
    DiskConfig { flush, latencies, capacity_bytes: None, faults: DiskFaults::default() }
}
