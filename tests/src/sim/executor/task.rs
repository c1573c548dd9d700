//! A task, its waker, and the queue of those that are ready.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

use super::Process;

/// A task; never reused within a simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TaskId(pub(super) u64);

pub(super) type TaskFuture = Pin<Box<dyn Future<Output = ()>>>;

pub(super) struct Task {
    /// Away while it is being polled.
    future: Option<TaskFuture>,
    waker: Waker,
    pub(super) wake: Arc<TaskWake>,
    pub(super) process: Process,
}

/// The tasks that can go on, in the order they were woken. Wakers must be `Send`, hence the lock.
#[derive(Default)]
pub(super) struct Ready(Mutex<Vec<Arc<TaskWake>>>);

pub(super) struct TaskWake {
    id: TaskId,
    queued: AtomicBool,
    ready: Arc<Ready>,
}

impl Task {
    pub(super) fn new(id: TaskId, process: Process, future: TaskFuture, ready: &Arc<Ready>) -> Self {
        let wake = Arc::new(TaskWake { id, queued: AtomicBool::new(false), ready: Arc::clone(ready) });
        Self { future: Some(future), waker: Waker::from(Arc::clone(&wake)), wake, process }
    }

    pub(super) fn take(&mut self) -> Option<(TaskFuture, Waker)> {
        self.future.take().map(|future| (future, self.waker.clone()))
    }

    pub(super) fn put_back(&mut self, future: TaskFuture) {
        assert!(self.future.is_none(), "a task has one future");
        self.future = Some(future);
    }
}

impl Ready {
    /// Takes the ready task that `random`, a 32-bit number, points at.
    pub(super) fn take_any(&self, random: u64) -> Option<TaskId> {
        let mut ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ready.is_empty() {
            return None;
        }
        let index = usize::try_from((random * ready.len() as u64) >> 32).expect("below the length");
        let wake = ready.swap_remove(index);
        wake.queued.store(false, Ordering::Relaxed);
        Some(wake.id)
    }
}

impl TaskWake {
    /// Makes the task ready, once until it is next polled.
    pub(super) fn schedule(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.ready.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(self));
        }
    }
}

impl Wake for TaskWake {
    fn wake(self: Arc<Self>) {
        self.schedule();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.schedule();
    }
}
