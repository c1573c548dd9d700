//! A wake-up between two tasks of one executor.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// Something that happened or not; one task waits for it.
#[derive(Debug, Default)]
pub struct Event {
    happened: Cell<bool>,
    waiter: RefCell<Option<Waker>>,
}

impl Event {
    /// It happened: whoever waits goes on, or the next who waits does not.
    pub fn notify(&self) {
        self.happened.set(true);
        let waiter = self.waiter.borrow_mut().take();
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }

    /// Returns once it has happened since the last time.
    pub async fn happened(&self) {
        poll_fn(|context| {
            if self.happened.take() {
                return Poll::Ready(());
            }
            let mut waiter = self.waiter.borrow_mut();
            if waiter.as_ref().is_none_or(|waiter| !waiter.will_wake(context.waker())) {
                *waiter = Some(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}
