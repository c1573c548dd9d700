//! Independent random streams of one seed, so that drawing more from one never shifts another.

#[cfg(test)]
mod tests;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const SCHEDULING: u64 = 1;
const DISK: u64 = 2;
const FAULTS: u64 = 3;
const WORKLOAD: u64 = 4;
const CRASH: u64 = 5;
/// The streams of steps: one for each step and purpose.
const STEP: u64 = 1 << 61;
const NETWORK: u64 = 6;
const PLAN: u64 = 7;
const KEYS: u64 = 8;
const MOVES: u64 = 9;
/// The streams of clients lie below those of runtimes and above all others.
const CLIENT: u64 = 1 << 62;
/// The streams of runtimes lie above all others: one for each incarnation and shard.
const RUNTIME: u64 = 1 << 63;

/// The streams of one simulation.
#[derive(Clone, Debug)]
pub struct Streams {
    /// Which ready task is next, and how long it takes.
    pub scheduling: ChaCha8Rng,
    /// How long the disk takes.
    pub disk: ChaCha8Rng,
    /// What the disk gets wrong.
    pub faults: ChaCha8Rng,
    /// What is asked of the engine.
    pub workload: ChaCha8Rng,
    /// When the power goes and what it leaves behind.
    pub crash: ChaCha8Rng,
    /// How long the network takes, and what it breaks.
    pub network: ChaCha8Rng,
}

/// The streams of one step of a world: what one step draws changes no other.
#[derive(Clone, Debug)]
pub struct StepStreams {
    /// What is asked of the engine.
    pub workload: ChaCha8Rng,
    /// What goes wrong.
    pub faults: ChaCha8Rng,
    /// What a power loss or a kill leaves behind.
    pub crash: ChaCha8Rng,
}

/// The streams of a step of `seed`.
pub fn step_streams(seed: u64, step: u32) -> StepStreams {
    let of = |purpose: u64| stream(seed, STEP | u64::from(step) << 8 | purpose);
    StepStreams { workload: of(0), faults: of(1), crash: of(2) }
}

/// All streams of `seed`.
pub fn streams(seed: u64) -> Streams {
    Streams {
        scheduling: stream(seed, SCHEDULING),
        disk: stream(seed, DISK),
        faults: stream(seed, FAULTS),
        workload: stream(seed, WORKLOAD),
        crash: stream(seed, CRASH),
        network: stream(seed, NETWORK),
    }
}

/// The stream that the plan of a world of clients is drawn from.
pub fn plan_stream(seed: u64) -> ChaCha8Rng {
    stream(seed, PLAN)
}

/// The stream that says whether topics of a world have idempotency keys.
pub fn keys_stream(seed: u64) -> ChaCha8Rng {
    stream(seed, KEYS)
}

/// The stream that says whether clients of a world write records that belong together.
pub fn moves_stream(seed: u64) -> ChaCha8Rng {
    stream(seed, MOVES)
}

/// The stream that a runtime's `random` draws from: never the same for two incarnations or two shards.
pub fn runtime_stream(seed: u64, incarnation: u64, shard: u16) -> ChaCha8Rng {
    assert!(incarnation < 1 << 46, "incarnation {incarnation} has no stream of its own");
    stream(seed, RUNTIME | incarnation << 16 | u64::from(shard))
}

/// The stream of a client that decides by itself.
pub fn client_stream(seed: u64, client: u32) -> ChaCha8Rng {
    stream(seed, CLIENT | u64::from(client))
}

fn stream(seed: u64, number: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(number);
    random
}
