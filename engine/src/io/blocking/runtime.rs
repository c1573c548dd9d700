//! What runs jobs on the calling thread, for programs that have no executor: repair.

use std::future::Future;
use std::time::Duration;

use super::{BlockingDisk, block_on};
use crate::io::{Runtime, host};
use crate::model::{Id128, Now};

/// The blocking disk, the host's clocks, and no other thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct BlockingRuntime;

impl Runtime for BlockingRuntime {
    type Disk = BlockingDisk;

    fn disk(&self) -> &BlockingDisk {
        &BlockingDisk
    }

    fn now(&self) -> Now {
        host::now()
    }

    /// Runs it to its end.
    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        block_on(task);
    }

    async fn sleep(&self, duration_ns: u64) {
        std::thread::sleep(Duration::from_nanos(duration_ns));
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        work()
    }

    fn random(&self) -> Id128 {
        host::random_id()
    }
}
