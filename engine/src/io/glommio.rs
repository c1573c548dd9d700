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

pub use buffer::GlommioBuffer;
pub use disk::GlommioDisk;
pub use executor::{ExecutorSettings, ShardExecutor, ShardThread, StartError};
pub use file::GlommioFile;
pub use host::{LockedMemory, check_io_uring, check_locked_memory, usable_cpus};

use super::Runtime;
use crate::model::{Id128, Monotonic, Now};

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
        super::host::now()
    }

    fn monotonic(&self) -> Monotonic {
        super::host::monotonic()
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        ::glommio::spawn_local(task).detach();
    }

    async fn sleep(&self, duration_ns: u64) {
        ::glommio::timer::sleep(Duration::from_nanos(duration_ns)).await;
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        ::glommio::executor().spawn_blocking(work).await
    }

    fn random(&self) -> Id128 {
        super::host::random_id()
    }
}
