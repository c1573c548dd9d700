//! The knobs of the simulated disk.

use std::ops::RangeInclusive;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// What one flush of the device makes durable, besides what it was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flush {
    /// A durable write and a sync both flush the whole device.
    #[default]
    All,
    /// A sync flushes the whole device, a durable write only itself.
    FuaOnly,
    /// A sync flushes one file, a durable write only itself: the least that the seam promises.
    FileOnly,
}

/// How long operations take, in virtual nanoseconds.
#[derive(Clone, Debug)]
pub struct Latencies {
    /// A read.
    pub read_ns: RangeInclusive<u64>,
    /// A durable or unsynced write.
    pub write_ns: RangeInclusive<u64>,
    /// A sync of a file or directory.
    pub sync_ns: RangeInclusive<u64>,
    /// Everything that deals with names.
    pub name_ns: RangeInclusive<u64>,
    /// How many of a million operations take `stall_ns` longer.
    pub stall_ppm: u32,
    /// How much longer.
    pub stall_ns: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            read_ns: 10_000..=150_000,
            write_ns: 20_000..=250_000,
            sync_ns: 50_000..=800_000,
            name_ns: 5_000..=100_000,
            stall_ppm: 500,
            stall_ns: 100_000_000,
        }
    }
}

/// A simulated disk.
#[derive(Clone, Debug, Default)]
pub struct DiskConfig {
    /// What a flush makes durable.
    pub flush: Flush,
    /// How long operations take.
    pub latencies: Latencies,
    /// Room for the files that have a name; unlimited without.
    pub capacity_bytes: Option<u64>,
    /// What goes wrong.
    pub faults: DiskFaults,
}

/// How many of a million operations go wrong in which way. All zero by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskFaults {
    /// Only on files and directories whose path contains this; everywhere if empty.
    pub path_contains: String,
    /// A read fails.
    pub read_fail_ppm: u32,
    /// A write fails; none, some or all of it has landed.
    pub write_fail_ppm: u32,
    /// A write finds no space; none, some or all of it has landed.
    pub write_no_space_ppm: u32,
    /// A write ends early.
    pub write_short_ppm: u32,
    /// A sync of a file fails; what it was to flush is durable, waiting, or lost for good though reads still see it.
    pub sync_fail_ppm: u32,
    /// A create fails; an empty or shorter file may stay behind.
    pub create_fail_ppm: u32,
    /// A create finds no space; an empty or shorter file may stay behind.
    pub create_no_space_ppm: u32,
    /// An open, list, rename, remove or sync of a directory fails; it may have had its effect.
    pub name_fail_ppm: u32,
    /// A durable write is reported before it is durable. No engine survives this: checkers must catch it.
    pub write_lie_ppm: u32,
    /// A write is reported and never happens. To be detected, not survived.
    pub write_lost_ppm: u32,
    /// A write is reported and lands elsewhere in its file. To be detected, not survived.
    pub write_misdirect_ppm: u32,
}

/// True for `ppm` of a million draws; draws nothing if it cannot be.
pub(super) fn happens(random: &mut ChaCha8Rng, ppm: u32) -> bool {
    ppm > 0 && random.random_range(0..1_000_000) < ppm
}
