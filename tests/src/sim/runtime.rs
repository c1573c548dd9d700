//! The runtime seam of the engine on the seeded executor.

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use florin_engine::io::Runtime;
use florin_engine::model::{Id128, Now};
use rand::RngCore;
use rand_chacha::ChaCha8Rng;

use super::disk::SimDisk;
use super::executor::{Process, SimHandle};
use super::streams::runtime_stream;

/// How long what is computed aside takes, at most.
const COMPUTE_NS_MAX: u64 = 2_000_000;

/// What one shard of one incarnation runs on. After a crash it is inert, and the next incarnation gets a new one.
#[derive(Clone)]
pub struct SimRuntime {
    executor: SimHandle,
    disk: SimDisk,
    random: Rc<RefCell<ChaCha8Rng>>,
}

impl SimRuntime {
    /// The runtime of shard number `shard` in the incarnation that `disk` belongs to.
    pub fn new(executor: SimHandle, disk: SimDisk, shard: u16) -> Self {
        let random = runtime_stream(executor.seed(), disk.incarnation(), shard);
        Self { executor, disk, random: Rc::new(RefCell::new(random)) }
    }

    /// The process whose tasks end together with this runtime's.
    pub fn process(&self) -> Process {
        self.disk.process()
    }
}

impl Runtime for SimRuntime {
    type Disk = SimDisk;

    fn disk(&self) -> &SimDisk {
        &self.disk
    }

    fn now(&self) -> Now {
        self.executor.now()
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        if self.disk.is_alive() {
            self.executor.spawn_in(self.process(), task);
        }
    }

    async fn sleep(&self, duration_ns: u64) {
        self.executor.sleep(duration_ns).await;
        self.disk.until_alive().await;
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let delay_ns = u64::from(self.random.borrow_mut().next_u32()) % COMPUTE_NS_MAX;
        self.sleep(delay_ns).await;
        work()
    }

    fn random(&self) -> Id128 {
        let mut bytes = [0; 16];
        self.random.borrow_mut().fill_bytes(&mut bytes);
        Id128(bytes)
    }
}
