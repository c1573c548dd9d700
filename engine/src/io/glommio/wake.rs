//! Keeps the number of a task's waker clones bounded.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// Passes a wake-up on and remembers that it came.
struct Relay {
    woken: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.task.wake();
    }
}

/// Polls `future` only when it asked for it.
///
/// glommio stores one more clone of the waker each time a pending file operation is polled, and aborts at the
/// 32 768th. A task that waits for a slow write and for messages at once would poll it once per message.
pub(super) async fn polled_when_woken<F: Future>(future: F) -> F::Output {
    let relay = Arc::new(Relay { woken: AtomicBool::new(true), task: AtomicWaker::new() });
    let waker = Waker::from(Arc::clone(&relay));
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        relay.task.register(context.waker());
        if !relay.woken.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        future.as_mut().poll(&mut Context::from_waker(&waker))
    })
    .await
}
