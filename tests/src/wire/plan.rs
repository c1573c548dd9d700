//! How a world is, drawn from its seed. Every run leaves out some clients and faults entirely.

use florin_engine::format::layout::Geometry;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::sim::streams::{keys_stream, moves_stream, plan_stream};
use crate::sim::{DiskConfig, DiskFaults, Flush, Latencies, NetworkConfig, NetworkFaults};

/// How a world is.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// Shards of the directory.
    pub shard_count: u16,
    /// Executors of the process.
    pub executor_count: usize,
    /// Sizes of every shard.
    pub geometry: Geometry,
    /// The disk.
    pub disk: DiskConfig,
    /// The network.
    pub network: NetworkConfig,
    /// Journal blocks in flight.
    pub blocks_in_flight: usize,
    /// Memory for what is at rest already.
    pub cached_bytes: u64,
    /// What a connection may hold. Small worlds reach it because it is smaller than a real server lets one choose.
    pub connection_bytes_max: usize,
    /// What all connections of an executor may hold.
    pub executor_bytes_max: usize,
    /// Connections of a port.
    pub connection_count_max: usize,
    /// Topics that are made at the start.
    pub topic_count: u32,
    /// Clients that do a little of everything.
    pub writer_count: u32,
    /// Idempotent producers that speak the protocol by hand.
    pub producer_count: u32,
    /// Clients that are the cores of the client library.
    pub library_count: u32,
    /// Clients that send payments to a topic with idempotency keys.
    pub payer_count: u32,
    /// Clients that write records that belong together.
    pub mover_count: u32,
    /// Clients that read what counts of that.
    pub watcher_count: u32,
    /// Clients that mean harm.
    pub hostile_count: u32,
    /// Whether these go on until everybody else has come to an end.
    pub hostile_to_the_end: bool,
    /// Requests of well-meaning clients before everything comes to rest.
    pub operation_count: u64,
    /// Ends of the server on the way there.
    pub end_count: u32,
    /// Largest value of a record.
    pub value_bytes_max: usize,
    /// Whether writes of the disk fail.
    pub has_disk_faults: bool,
    /// The disk acknowledges durable writes that are not: the checkers must notice.
    pub lying_disk: bool,
    /// What happens is said.
    pub is_traced: bool,
}

impl Plan {
    /// The world of a seed.
    pub fn of(seed: u64) -> Self {
        let random = &mut plan_stream(seed);
        let geometry = Geometry {
            file_count: random.random_range(6..=48),
            file_bytes: 4096 * [12, 16, 32][random.random_range(0..3)],
            manifest_bytes: 4096 * random.random_range(16..=32),
        };
        let shard_count = random.random_range(1..=3);
        let (mover_count, watcher_count) = mover_counts(seed);
        let connection_bytes_max = [16 << 10, 64 << 10, 1 << 20][random.random_range(0..3)];
        Self {
            seed,
            shard_count,
            executor_count: random.random_range(1..=usize::from(shard_count)),
            geometry,
            disk: disk(random),
            network: network(random),
            blocks_in_flight: random.random_range(1..=4),
            cached_bytes: 4096 * [0, 4, 64][random.random_range(0..3)],
            connection_bytes_max,
            executor_bytes_max: connection_bytes_max * [2, 8, 64][random.random_range(0..3)],
            connection_count_max: [12, 24, 200][random.random_range(0..3)],
            topic_count: random.random_range(1..=3),
            writer_count: random.random_range(1..=3),
            producer_count: random.random_range(1..=3),
            library_count: random.random_range(0..=2),
            payer_count: payer_count(seed),
            mover_count,
            watcher_count,
            hostile_count: if random.random_bool(0.7) { random.random_range(1..=3) } else { 0 },
            hostile_to_the_end: random.random_bool(0.5),
            operation_count: random.random_range(500..=700),
            end_count: random.random_range(1..=4),
            value_bytes_max: [64, 600, 4_000][random.random_range(0..3)],
            has_disk_faults: random.random_bool(0.2),
            lying_disk: false,
            is_traced: false,
        }
    }
}

/// By a stream of its own: worlds without payers are what they would be if there were none.
fn payer_count(seed: u64) -> u32 {
    let mut random = keys_stream(seed);
    if random.random_bool(0.4) { random.random_range(1..=3) } else { 0 }
}

/// By a stream of its own, as for payers.
fn mover_counts(seed: u64) -> (u32, u32) {
    let mut random = moves_stream(seed);
    if random.random_bool(0.8) { (random.random_range(1..=4), random.random_range(0..=2)) } else { (0, 0) }
}

fn disk(random: &mut ChaCha8Rng) -> DiskConfig {
    let flush = [Flush::All, Flush::FuaOnly, Flush::FileOnly][random.random_range(0..3)];
    let latencies = Latencies { stall_ppm: if random.random_bool(0.2) { 2_000 } else { 0 }, ..Latencies::default() };
    DiskConfig { flush, latencies, capacity_bytes: None, faults: DiskFaults::default() }
}

fn network(random: &mut ChaCha8Rng) -> NetworkConfig {
    let mut ppm = |choices: [u32; 3]| choices[random.random_range(0..3)];
    let faults = NetworkFaults {
        part_ppm: ppm([0, 100_000, 700_000]),
        stall_ppm: ppm([0, 1_000, 20_000]),
        reset_ppm: ppm([0, 50_000, 400_000]),
        end_ppm: ppm([0, 20_000, 200_000]),
        silence_ppm: ppm([0, 0, 50_000]),
        accept_fail_ppm: ppm([0, 0, 100_000]),
        connect_fail_ppm: ppm([0, 0, 100_000]),
        break_bytes_max: u64::from(ppm([500, 5_000, 50_000])),
        ..NetworkFaults::default()
    };
    let window_bytes = [1, 512, 8 << 10][random.random_range(0..3)]..=[8 << 10, 64 << 10][random.random_range(0..2)];
    NetworkConfig { window_bytes, faults, ..NetworkConfig::default() }
}
