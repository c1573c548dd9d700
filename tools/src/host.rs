//! What the tools ask of the operating system beside the disk: clocks and the number of cores.

use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::{Context, Result};
use florin_engine::io::host;
use florin_engine::limits::SHARD_COUNT_MAX;
use florin_engine::model::Realtime;

/// Time that only goes forward, for measuring.
pub fn monotonic() -> Duration {
    Duration::from_nanos(host::now().monotonic.0)
}

/// The wall clock.
pub fn realtime() -> Realtime {
    host::now().realtime
}

/// Cores that this process may use, as a number of shards.
pub fn usable_core_count() -> Result<u16> {
    let count = available_parallelism().context("the number of usable cores is not known: give --shards")?;
    Ok(u16::try_from(count.get()).unwrap_or(SHARD_COUNT_MAX).min(SHARD_COUNT_MAX))
}
