//! The clocks of the blocking adapter: the only place of the client that asks for the time.
#![allow(clippy::disallowed_methods, reason = "the blocking adapter is where time enters the client")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Counts nanoseconds since the client began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// Nanoseconds of a clock that never goes back.
    pub(super) fn now_ns(&self) -> u64 {
        duration_ns(self.origin.elapsed())
    }

    /// Unix milliseconds of the wall clock; 0 if it is set before 1970.
    pub(super) fn realtime_ms() -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

/// A duration in nanoseconds, at most 584 years.
pub(super) fn duration_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// How long it is until an instant.
pub(super) fn until(at_ns: u64, now_ns: u64) -> Duration {
    Duration::from_nanos(at_ns.saturating_sub(now_ns))
}
