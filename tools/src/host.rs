//! What the tools ask of the operating system beside the disk: randomness, the wall clock, the number of cores.

use std::thread::available_parallelism;

use anyhow::{Context, Result, ensure};
use florin_engine::limits::SHARD_COUNT_MAX;
use florin_engine::model::{Id128, Realtime};
use rustix::rand::{GetRandomFlags, getrandom};
use rustix::time::{ClockId, clock_gettime};

/// 128 bits nobody can guess.
pub fn random_id() -> Result<Id128> {
    let mut bytes = [0_u8; 16];
    let done = getrandom(&mut bytes[..], GetRandomFlags::empty()).context("the kernel gives no random bytes")?;
    ensure!(done == bytes.len(), "the kernel gave {done} of {} random bytes: try again", bytes.len());
    Ok(Id128(bytes))
}

/// The wall clock; before 1970 it counts as 1970.
pub fn realtime() -> Realtime {
    let now = clock_gettime(ClockId::Realtime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(now.tv_nsec).unwrap_or(0);
    Realtime(seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds))
}

/// Cores that this process may use, as a number of shards.
pub fn usable_core_count() -> Result<u16> {
    let count = available_parallelism().context("the number of usable cores is not known: give --shards")?;
    Ok(u16::try_from(count.get()).unwrap_or(SHARD_COUNT_MAX).min(SHARD_COUNT_MAX))
}
