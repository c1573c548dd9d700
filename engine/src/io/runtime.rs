//! What runs jobs: tasks of one thread, a clock, sleep and randomness.

use std::future::Future;

use super::Disk;
use crate::model::{Id128, Monotonic, Now};

/// The executor that a shard lives on, with its disk and clock. Clones share it. Nothing here crosses threads.
pub trait Runtime: Clone + 'static {
    /// The disk of this executor.
    type Disk: Disk;

    /// The disk.
    fn disk(&self) -> &Self::Disk;

    /// Both clocks, now.
    fn now(&self) -> Now;

    /// The clock that never goes back, now. On the path of every capture: to read both costs twice as much.
    fn monotonic(&self) -> Monotonic {
        self.now().monotonic
    }

    /// Starts a task on this thread that is never cancelled, and lets it go.
    fn spawn(&self, task: impl Future<Output = ()> + 'static);

    /// Resumes after `duration_ns` nanoseconds.
    fn sleep(&self, duration_ns: u64) -> impl Future<Output = ()>;

    /// What takes long without waiting for anything, away from this thread: a few milliseconds at a time, because there is
    /// one thread for it.
    fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> impl Future<Output = T>;

    /// 128 bits nobody can guess.
    fn random(&self) -> Id128;
}
