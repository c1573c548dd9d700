//! The production runtime: one glommio executor per core, its disk through io_uring.
//!
//! The crate `glommio` is named in this folder and nowhere else in the engine. [`ShardExecutor`] checks what
//! glommio would answer with a panic, starts the executor, and hands out a [`GlommioRuntime`].

#![allow(clippy::disallowed_methods, reason = "this is the seam")]

mod buffer;
mod disk;
mod executor;
mod file;
mod host;
#[cfg(test)]
mod measure_tests;
mod probe;
#[cfg(test)]
mod tests;
mod wake;
mod warm_up;

use std::future::Future;
use std::time::Duration;

use rustix::rand::{GetRandomFlags, getrandom};
use rustix::time::{ClockId, Timespec, clock_gettime};

pub use buffer::GlommioBuffer;
pub use disk::GlommioDisk;
pub use executor::{ExecutorSettings, ShardExecutor, ShardThread, StartError};
pub use file::GlommioFile;
pub use host::usable_cpus;

use super::Runtime;
use crate::model::{Id128, Monotonic, Now, Realtime};

const SECOND_NS: u64 = 1_000_000_000;

/// The executor that runs on this thread, as the engine sees it.
#[derive(Clone, Debug)]
pub struct GlommioRuntime {
    disk: GlommioDisk,
}

impl GlommioRuntime {
    fn new(disk: GlommioDisk) -> Self {
        Self { disk }
    }
}

impl Runtime for GlommioRuntime {
    type Disk = GlommioDisk;

    fn disk(&self) -> &GlommioDisk {
        &self.disk
    }

    fn now(&self) -> Now {
        Now {
            monotonic: Monotonic(nanoseconds(clock_gettime(ClockId::Monotonic))),
            realtime: Realtime(nanoseconds(clock_gettime(ClockId::Realtime))),
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        ::glommio::spawn_local(task).detach();
    }

    async fn sleep(&self, duration_ns: u64) {
        ::glommio::timer::sleep(Duration::from_nanos(duration_ns)).await;
    }

    fn random(&self) -> Id128 {
        let mut bytes = [0_u8; 16];
        // Up to 256 bytes come in one piece, and only a kernel without the call can refuse them.
        let done = getrandom(&mut bytes[..], GetRandomFlags::empty()).expect("the kernel gives random bytes");
        assert_eq!(done, bytes.len(), "random bytes came short");
        Id128(bytes)
    }
}

/// A clock's time in nanoseconds; a wall clock before 1970 counts as 1970.
fn nanoseconds(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(SECOND_NS).saturating_add(nanoseconds)
}
