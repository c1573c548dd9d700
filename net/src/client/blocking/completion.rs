//! Where the outcome of a batch is put, once, for all its records.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use florin_engine::model::{Offset, Realtime};

use crate::client::SendError;

/// A batch that is stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoredBatch {
    pub(super) base_offset: Offset,
    pub(super) append_time: Realtime,
    pub(super) duplicate: bool,
    /// When the answer had come.
    pub(super) answered_ns: u64,
}

pub(super) type BatchResult = Result<StoredBatch, SendError>;

#[derive(Debug, Default)]
struct State {
    result: Option<BatchResult>,
    /// Nobody is woken where nobody waits: that costs a system call per batch.
    waiter_count: usize,
}

/// Filled once, read by every delivery of the batch.
#[derive(Debug, Default)]
pub(super) struct Completion {
    state: Mutex<State>,
    filled: Condvar,
}

impl Completion {
    pub(super) fn fill(&self, result: BatchResult) {
        let mut state = lock(&self.state);
        assert!(state.result.is_none(), "a batch has one outcome");
        state.result = Some(result);
        let has_waiters = state.waiter_count > 0;
        drop(state);
        if has_waiters {
            self.filled.notify_all();
        }
    }

    pub(super) fn wait(&self) -> BatchResult {
        let mut state = lock(&self.state);
        loop {
            if let Some(result) = &state.result {
                return result.clone();
            }
            state.waiter_count += 1;
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiter_count -= 1;
        }
    }

    pub(super) fn peek(&self) -> Option<BatchResult> {
        lock(&self.state).result.clone()
    }
}

/// What a lock guards stays whole when a thread panics under it: every change is made by the cores, whose own
/// assertions are what panics.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
