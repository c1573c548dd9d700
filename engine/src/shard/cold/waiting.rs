//! Who waits for a read, partition by partition, and whose turn is next.

use std::collections::VecDeque;

use super::committed::AbortSearch;
use super::{Cold, Want};
use crate::model::{Offset, PartitionId, RequestId};

#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) id: RequestId,
    pub(super) want: Want,
    /// A look-up goes on here: nothing before is what it looks for.
    pub(super) from: Offset,
    /// What was looked through for it of aborted transactions.
    pub(super) search: Option<AbortSearch>,
}

impl Waiter {
    fn aborted_count(&self) -> usize {
        self.search.as_ref().map_or(0, AbortSearch::aborted_count)
    }
}

impl Cold {
    /// Waits behind those who wait for the same partition.
    pub(super) fn wait(&mut self, partition: PartitionId, waiter: Waiter) {
        self.waiting_aborted_count += waiter.aborted_count();
        let queue = self.waiting.entry(partition).or_default();
        queue.push_back(waiter);
        self.waiting_count += 1;
        if queue.len() == 1 {
            self.turns.push_back(partition);
        }
    }

    /// Takes those who wait for a partition.
    pub(super) fn take_waiting(&mut self, partition: PartitionId) -> VecDeque<Waiter> {
        let queue = self.waiting.remove(&partition).unwrap_or_default();
        self.waiting_count -= queue.len();
        self.waiting_aborted_count -= queue.iter().map(Waiter::aborted_count).sum::<usize>();
        queue
    }

    /// Takes everybody who waits.
    pub(super) fn take_all(&mut self) -> Vec<RequestId> {
        (self.waiting_count, self.waiting_aborted_count) = (0, 0);
        self.turns.clear();
        std::mem::take(&mut self.waiting).into_values().flatten().map(|waiter| waiter.id).collect()
    }
}
