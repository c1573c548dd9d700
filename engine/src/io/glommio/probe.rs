//! Asks the kernel for an io_uring, because glommio panics where it is refused.

#![allow(unsafe_code)]

use std::io;

use rustix::io_uring::{IoringFeatureFlags, io_uring_params, io_uring_setup};

/// Sets up a ring of `entries` and drops it. Gives the features that the kernel says it has.
pub(super) fn io_uring_features(entries: u32) -> io::Result<IoringFeatureFlags> {
    let mut parameters = io_uring_params::default();
    // SAFETY: the call's one demand is that `wq_fd` is open if ATTACH_WQ is set; no flag is set. The kernel writes
    // only to `parameters`, which outlives the call, and the descriptor it returns is owned by nobody else.
    let ring = unsafe { io_uring_setup(entries, &mut parameters) }?;
    drop(ring);
    Ok(parameters.features)
}
