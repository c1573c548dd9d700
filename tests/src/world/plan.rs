//! How a world is, drawn from its seed. Every run leaves out some operations and faults entirely.

use florin_engine::format::layout::Geometry;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::sim::{DiskConfig, DiskFaults, Flush, Latencies};

/// Something a world does at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// A producer without identity sends a new batch.
    Capture,
    /// An idempotent producer sends its next batch, or what is not settled yet.
    Produce,
    /// An idempotent producer sends a batch again that was sent before.
    Retry,
    /// Another batch under a sequence that is taken.
    Conflict,
    /// A batch behind a gap in the sequence.
    Gap,
    /// A batch of an older epoch.
    StaleEpoch,
    /// A producer asks for an identity.
    InitProducer,
    /// Read from some offset.
    Fetch,
    /// Read from some time.
    FetchByTime,
    /// Ask where a partition ends.
    ListEnd,
    /// Send a batch to a shard that does not have the partition.
    Misroute,
    /// Create a topic.
    CreateTopic,
    /// Delete a topic.
    DeleteTopic,
    /// Add partitions to a topic, or change its settings.
    AlterTopic,
    /// Ask for the topics.
    Metadata,
    /// Ask for a checkpoint, or confirm the clock.
    Checkpoint,
    /// Let time pass.
    Wait,
    /// Make the next disk operation of some kind fail.
    DiskFault,
    /// The disk gets full, or there is room again.
    DiskSpace,
    /// A file is damaged while the server is down, and an operator accepts what is lost.
    Damage,
    /// The wall clock jumps.
    ClockJump,
    /// Close in order and start again.
    Restart,
    /// End the process at this instant.
    Kill,
    /// Cut the power at this instant.
    PowerLoss,
}

impl Operation {
    /// All of them, with how often each is drawn when it is not left out.
    pub const WEIGHTS: [(Self, u32); 24] = [
        (Self::Capture, 180),
        (Self::Produce, 260),
        (Self::Retry, 120),
        (Self::Conflict, 20),
        (Self::Gap, 10),
        (Self::StaleEpoch, 10),
        (Self::InitProducer, 15),
        (Self::Fetch, 110),
        (Self::FetchByTime, 30),
        (Self::ListEnd, 50),
        (Self::Misroute, 6),
        (Self::CreateTopic, 14),
        (Self::DeleteTopic, 7),
        (Self::AlterTopic, 12),
        (Self::Metadata, 12),
        (Self::Checkpoint, 20),
        (Self::Wait, 60),
        (Self::DiskFault, 6),
        (Self::DiskSpace, 5),
        (Self::Damage, 3),
        (Self::ClockJump, 3),
        (Self::Restart, 4),
        (Self::Kill, 5),
        (Self::PowerLoss, 6),
    ];

    /// Whether a world may do without it: the main line and the crashes always happen.
    fn may_be_left_out(self) -> bool {
        !matches!(self, Self::Capture | Self::Produce | Self::PowerLoss | Self::Kill | Self::CreateTopic)
    }
}

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
    /// Topics may let records go.
    pub has_retention: bool,
    /// The disk acknowledges durable writes that are not: the checkers must notice.
    pub lying_disk: bool,
    /// Every end of the server is followed by another one, as soon as the next one serves.
    pub ends_twice: bool,
}

impl Plan {
    /// The world of a seed.
    pub fn of(seed: u64, random: &mut ChaCha8Rng) -> Self {
        let geometry = Geometry {
            file_count: random.random_range(4..=48),
            file_bytes: 4096 * [8, 8, 12, 16, 32][random.random_range(0..5)],
            manifest_bytes: 4096 * random.random_range(16..=32),
        };
        let weights = Operation::WEIGHTS
            .into_iter()
            .filter(|(operation, _)| !operation.may_be_left_out() || random.random_bool(0.75))
            .collect();
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
            has_retention: random.random_bool(0.5),
            lying_disk: false,
            ends_twice: false,
        }
    }
}

fn disk(random: &mut ChaCha8Rng) -> DiskConfig {
    let flush = [Flush::All, Flush::FuaOnly, Flush::FileOnly][random.random_range(0..3)];
    let latencies = Latencies { stall_ppm: if random.random_bool(0.2) { 2_000 } else { 0 }, ..Latencies::default() };
    DiskConfig { flush, latencies, capacity_bytes: None, faults: DiskFaults::default() }
}
