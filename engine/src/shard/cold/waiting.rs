//! Who waits for a read, partition by partition, and whose turn is next.

use std::collections::btree_map::Entry;

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
        self.count(&waiter);
        self.waiting.entry(partition).or_default().push_back(waiter);
    }

    /// Waits in front of them.
    pub(super) fn wait_in_front(&mut self, partition: PartitionId, waiter: Waiter) {
        self.count(&waiter);
        self.waiting.entry(partition).or_default().push_front(waiter);
    }

    fn count(&mut self, waiter: &Waiter) {
        self.waiting_count += 1;
        self.waiting_aborted_count += waiter.aborted_count();
    }

    /// Takes the first who waits for a partition. Everybody else counts on meanwhile.
    pub(super) fn take_first(&mut self, partition: PartitionId) -> Option<Waiter> {
        let Entry::Occupied(mut queue) = self.waiting.entry(partition) else { return None };
        let first = queue.get_mut().pop_front().expect("a queue is not empty");
        if queue.get().is_empty() {
            queue.remove();
        }
        self.waiting_count -= 1;
        self.waiting_aborted_count -= first.aborted_count();
        Some(first)
    }

    /// A partition that somebody waits for has its turn once.
    pub(super) fn give_turn(&mut self, partition: PartitionId) {
        if self.waiting.contains_key(&partition) && !self.turns.contains(&partition) {
            self.turns.push_back(partition);
        }
    }

    /// Takes everybody who waits.
    pub(super) fn take_all(&mut self) -> Vec<RequestId> {
        (self.waiting_count, self.waiting_aborted_count) = (0, 0);
        self.turns.clear();
        std::mem::take(&mut self.waiting).into_values().flatten().map(|waiter| waiter.id).collect()
    }
}
