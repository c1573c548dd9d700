//! The knobs of the simulated network.

use std::ops::RangeInclusive;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A simulated network.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// How long a segment is on its way, in virtual nanoseconds.
    pub delay_ns: RangeInclusive<u64>,
    /// Bytes that one side may send before the other reads; drawn for each direction of each connection.
    pub window_bytes: RangeInclusive<usize>,
    /// Connections that may wait to be accepted.
    pub backlog_max: usize,
    /// What goes wrong.
    pub faults: NetworkFaults,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            delay_ns: 5_000..=60_000,
            window_bytes: 64 * 1024..=64 * 1024,
            backlog_max: 128,
            faults: NetworkFaults::default(),
        }
    }
}

/// How many of a million operations or connections meet which fault. All zero by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkFaults {
    /// A read or write takes only a part, of any size.
    pub part_ppm: u32,
    /// A segment, and with it all behind it, is late by `stall_ns`.
    pub stall_ppm: u32,
    /// How late.
    pub stall_ns: RangeInclusive<u64>,
    /// A connection breaks at some byte below `break_bytes_max`: both sides are told that it is gone.
    pub reset_ppm: u32,
    /// A connection ends in order at some byte, as if whoever stands in between had closed it.
    pub end_ppm: u32,
    /// A connection falls silent at some byte: nothing arrives any more and nobody is told.
    pub silence_ppm: u32,
    /// Where connections break.
    pub break_bytes_max: u64,
    /// An accept fails, for want of descriptors.
    pub accept_fail_ppm: u32,
    /// A connection is refused although somebody listens.
    pub connect_fail_ppm: u32,
}

impl Default for NetworkFaults {
    fn default() -> Self {
        Self {
            part_ppm: 0,
            stall_ppm: 0,
            stall_ns: 1_000_000..=2_000_000_000,
            reset_ppm: 0,
            end_ppm: 0,
            silence_ppm: 0,
            break_bytes_max: 20_000,
            accept_fail_ppm: 0,
            connect_fail_ppm: 0,
        }
    }
}

/// How a connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Break {
    Reset,
    End,
    Silence,
}

/// Where a direction of a connection breaks, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) at_byte: u64,
    pub(super) how: Break,
}

impl NetworkFaults {
    /// What becomes of one direction of a new connection; draws nothing if nothing can go wrong.
    pub(super) fn fate(&self, random: &mut ChaCha8Rng) -> Option<Fate> {
        let kinds = [(Break::Reset, self.reset_ppm), (Break::End, self.end_ppm), (Break::Silence, self.silence_ppm)];
        if kinds.iter().all(|(_, ppm)| *ppm == 0) {
            return None;
        }
        let mut drawn = random.random_range(0..1_000_000);
        let at_byte = random.random_range(0..=self.break_bytes_max);
        for (how, ppm) in kinds {
            if drawn < ppm {
                return Some(Fate { at_byte, how });
            }
            drawn -= ppm;
        }
        None
    }
}
