//! What the host gives every runtime alike: clocks and randomness.

use rustix::rand::{GetRandomFlags, getrandom};
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::model::{Id128, Monotonic, Now, Realtime};

const SECOND_NS: u64 = 1_000_000_000;

/// Both clocks, now.
pub fn now() -> Now {
    Now { monotonic: monotonic(), realtime: Realtime(nanoseconds(clock_gettime(ClockId::Realtime))) }
}

/// The clock that never goes back, now.
pub fn monotonic() -> Monotonic {
    Monotonic(nanoseconds(clock_gettime(ClockId::Monotonic)))
}

/// 128 bits nobody can guess.
pub fn random_id() -> Id128 {
    let mut bytes = [0_u8; 16];
    // Up to 256 bytes come in one piece, and only a kernel without the call can refuse them.
    let done = getrandom(&mut bytes[..], GetRandomFlags::empty()).expect("the kernel gives random bytes");
    assert_eq!(done, bytes.len(), "random bytes came short");
    Id128(bytes)
}

/// A clock's time in nanoseconds; a wall clock before 1970 counts as 1970.
pub(super) fn nanoseconds(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(SECOND_NS).saturating_add(nanoseconds)
}
