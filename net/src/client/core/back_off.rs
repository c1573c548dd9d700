//! How long to wait before the next attempt.

/// The wait behind the first failure.
pub const BACK_OFF_NS_MIN: u64 = 20_000_000;
/// The wait behind many failures in a row.
pub const BACK_OFF_NS_MAX: u64 = 1_000_000_000;

/// Counts failures in a row and says when to try again: twice as late each time, up to a cap.
///
/// There is no jitter: the same events give the same bytes at the same times, and the server sheds load by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackOff {
    failure_count: u32,
    not_before_ns: u64,
}

impl BackOff {
    /// Notes a failure. One that is noted while the wait for an earlier one goes on belongs to that.
    pub fn fail(&mut self, now_ns: u64) {
        if now_ns < self.not_before_ns {
            return;
        }
        let doubled_ns = BACK_OFF_NS_MIN.checked_shl(self.failure_count.min(16)).unwrap_or(BACK_OFF_NS_MAX);
        self.failure_count = self.failure_count.saturating_add(1);
        self.not_before_ns = now_ns.saturating_add(doubled_ns.min(BACK_OFF_NS_MAX));
    }

    /// Notes a success: the next failure is the first again.
    pub fn succeed(&mut self) {
        *self = Self::default();
    }

    /// Whether an attempt is due.
    pub fn is_over(&self, now_ns: u64) -> bool {
        now_ns >= self.not_before_ns
    }

    /// When the next attempt is due; 0 if it always was.
    pub fn not_before_ns(&self) -> u64 {
        self.not_before_ns
    }
}
