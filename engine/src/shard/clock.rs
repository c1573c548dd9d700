//! Watches the wall clock: after a jump, nothing is expired until an operator confirms it. A start counts as a jump
//! if the clock is behind what was written down, or so far ahead of it that everything would expire.

use crate::limits::{CLOCK_JUMP_NS_MAX, PRODUCER_IDLE_NS};
use crate::marks::{self, Mark};
use crate::model::{Now, Realtime};

/// Compares the wall clock with the monotonic one and with what was written down.
#[derive(Clone, Debug)]
pub struct ClockGuard {
    last: Option<Now>,
    latest_written: Realtime,
    confirmed: Realtime,
    suspended: bool,
}

impl ClockGuard {
    /// A guard that knows the latest append time in the journal, and what the clock showed when an operator last
    /// confirmed it; 0 if nobody ever did.
    pub fn new(latest_written: Realtime, confirmed: Realtime) -> Self {
        Self { last: None, latest_written, confirmed, suspended: false }
    }

    /// What the clock showed when it was last confirmed; 0 if it never was.
    pub fn confirmed(&self) -> Realtime {
        self.confirmed
    }

    /// Whether expiry is suspended.
    pub fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// Takes a reading.
    pub fn observe(&mut self, now: Now) {
        let jumped = match self.last {
            None => {
                let is_behind = |written: Realtime| written.since_ns(now.realtime) > CLOCK_JUMP_NS_MAX;
                let was_confirmed = self.confirmed > Realtime(0) && !is_behind(self.confirmed);
                let known = self.latest_written.max(self.confirmed);
                let is_far_ahead = known > Realtime(0) && now.realtime.since_ns(known) > PRODUCER_IDLE_NS;
                is_far_ahead || is_behind(self.latest_written) && !was_confirmed
            }
            Some(last) => {
                let passed_ns = now.monotonic.0.saturating_sub(last.monotonic.0);
                let expected = Realtime(last.realtime.0.saturating_add(passed_ns));
                expected.since_ns(now.realtime).max(now.realtime.since_ns(expected)) > CLOCK_JUMP_NS_MAX
            }
        };
        if jumped && !self.suspended {
            marks::hit(Mark::ClockSuspended);
        }
        self.suspended |= jumped;
        self.last = Some(now);
    }

    /// An operator says that the wall clock is right.
    pub fn confirm(&mut self, now: Realtime) {
        marks::hit(Mark::ClockConfirmed);
        self.confirmed = now;
        self.suspended = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Monotonic;

    const HOUR_NS: u64 = 3_600 * 1_000_000_000;

    fn at(monotonic_ns: u64, realtime_ns: u64) -> Now {
        Now { monotonic: Monotonic(monotonic_ns), realtime: Realtime(realtime_ns) }
    }

    #[test]
    fn a_steady_clock_is_trusted() {
        let mut guard = ClockGuard::new(Realtime(5 * HOUR_NS), Realtime(0));
        guard.observe(at(0, 6 * HOUR_NS));
        guard.observe(at(24 * HOUR_NS, 30 * HOUR_NS));
        assert!(!guard.is_suspended());
    }

    #[test]
    fn a_jump_either_way_suspends_until_it_is_confirmed() {
        for jumped in [8 * HOUR_NS, 3 * HOUR_NS] {
            let mut guard = ClockGuard::new(Realtime(0), Realtime(0));
            guard.observe(at(0, 6 * HOUR_NS));
            guard.observe(at(1, jumped));
            assert!(guard.is_suspended());
            guard.observe(at(2, jumped));
            assert!(guard.is_suspended(), "it does not heal by itself");
            guard.confirm(Realtime(jumped));
            guard.observe(at(3, jumped));
            assert!(!guard.is_suspended());
        }
    }

    #[test]
    fn a_clock_far_ahead_of_the_journal_suspends_at_start_unless_it_was_confirmed() {
        let ahead = 8 * 24 * HOUR_NS;
        for (written, confirmed, suspended) in [(HOUR_NS, 0, true), (HOUR_NS, ahead, false), (0, 0, false)] {
            let mut guard = ClockGuard::new(Realtime(written), Realtime(confirmed));
            guard.observe(at(0, ahead + 2 * HOUR_NS));
            assert_eq!(guard.is_suspended(), suspended, "written {written}, confirmed {confirmed}");
        }
    }

    #[test]
    fn a_clock_behind_the_journal_suspends_at_start_unless_it_was_confirmed() {
        for (confirmed, suspended) in
            [(Realtime(0), true), (Realtime(3 * HOUR_NS), false), (Realtime(6 * HOUR_NS), true)]
        {
            let mut guard = ClockGuard::new(Realtime(6 * HOUR_NS), confirmed);
            guard.observe(at(0, 4 * HOUR_NS));
            assert_eq!(guard.is_suspended(), suspended, "confirmed at {confirmed}");
        }
    }
}
