//! Where the outcome of a batch is put, once, for all its records.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use florin_engine::model::{Offset, Realtime};

use crate::client::SendError;
use crate::client::core::producer::{RecordOutcome, StoredRecord};

/// A batch that is stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoredBatch {
    pub(super) base_offset: Offset,
    pub(super) append_time: Realtime,
    pub(super) duplicate: bool,
    /// When the answer had come.
    pub(super) answered_ns: u64,
}

/// The outcome of a batch.
#[derive(Clone, Debug)]
pub(super) enum BatchResult {
    Stored(StoredBatch),
    /// Record by record, and when the last of their answers had come.
    Records(Arc<[RecordOutcome]>, u64),
    Failed(SendError),
}

impl BatchResult {
    /// That of the record with this index, and when its answer had come.
    pub(super) fn of(&self, index: u32) -> Result<(StoredRecord, u64), SendError> {
        match self {
            Self::Stored(batch) => {
                let offset = batch.base_offset.plus(u64::from(index));
                let record = StoredRecord { offset, append_time: batch.append_time, duplicate: batch.duplicate };
                Ok((record, batch.answered_ns))
            }
            Self::Records(records, answered_ns) => records[index as usize].clone().map(|record| (record, *answered_ns)),
            Self::Failed(error) => Err(error.clone()),
        }
    }

    /// The first outcome that is no receipt.
    pub(super) fn error(&self) -> Option<&SendError> {
        match self {
            Self::Stored(_) => None,
            Self::Records(records, _) => records.iter().find_map(|record| record.as_ref().err()),
            Self::Failed(error) => Some(error),
        }
    }
}

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
