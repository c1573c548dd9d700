//! Asks the kernel for an io_uring, because glommio panics where it is refused.

#![allow(unsafe_code)]

use std::io;
use std::ptr;

use rustix::io::Errno;
use rustix::io_uring::{
    IoringEnterFlags, IoringFeatureFlags, IoringRegisterOp, io_uring_enter, io_uring_params, io_uring_register,
    io_uring_setup,
};

/// Sets up a ring of `entries`, makes each other call of io_uring on it once, and drops it: a filter may let some of
/// them through only. Gives the features that the kernel says it has.
pub(super) fn io_uring_features(entries: u32) -> io::Result<IoringFeatureFlags> {
    let mut parameters = io_uring_params::default();
    // SAFETY: the call's one demand is that `wq_fd` is open if ATTACH_WQ is set; no flag is set. The kernel writes
    // only to `parameters`, which outlives the call, and the descriptor it returns is owned by nobody else.
    let ring = unsafe { io_uring_setup(entries, &mut parameters) }?;
    // SAFETY: nothing is submitted, because the ring is new and empty, and nothing is waited for: no memory is touched.
    unsafe { io_uring_enter(&ring, 0, 0, IoringEnterFlags::empty()) }?;
    // SAFETY: this operation takes no argument, and the ring has no buffers that it could take off.
    let registered = unsafe { io_uring_register(&ring, IoringRegisterOp::UnregisterBuffers, ptr::null(), 0) };
    match registered {
        // A filter's answers. That there are no buffers is what the kernel says.
        Err(error @ (Errno::PERM | Errno::ACCESS | Errno::NOSYS)) => Err(error.into()),
        Ok(_) | Err(_) => Ok(parameters.features),
    }
}
