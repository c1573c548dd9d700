//! Waiting for virtual time to pass.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::SimHandle;

/// Resumes when its time has come. Dropped before, its timer is gone.
#[must_use = "sleeping happens by awaiting"]
pub struct Sleep {
    executor: SimHandle,
    duration_ns: u64,
    /// When it is due, and its place among the timers of that instant; set at the first poll.
    timer: Option<(u64, u64)>,
}

impl Sleep {
    pub(super) fn new(executor: SimHandle, duration_ns: u64) -> Self {
        Self { executor, duration_ns, timer: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let core = std::rc::Rc::clone(&self.executor.core);
        let now_ns = core.now_ns.get();
        match self.timer {
            None => {
                let tie = core.timer_next.get();
                core.timer_next.set(tie + 1);
                let timer = (now_ns.saturating_add(self.duration_ns), tie);
                self.timer = Some(timer);
                core.timers.borrow_mut().insert(timer, context.waker().clone());
                Poll::Pending
            }
            Some((due_ns, _)) if due_ns <= now_ns => Poll::Ready(()),
            Some(timer) => {
                core.timers.borrow_mut().insert(timer, context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            let waker = self.executor.core.timers.borrow_mut().remove(&timer);
            drop(waker);
        }
    }
}
