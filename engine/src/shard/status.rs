//! How a shard is doing.

use std::collections::BinaryHeap;

use super::{Shard, ShardStatus};
use crate::model::{PartitionId, Realtime};
use crate::transaction::OpenTransaction;

/// A partition in which a transaction is open: readers of what is committed wait for its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldBack {
    /// Which.
    pub partition: PartitionId,
    /// The transaction that began first, and since when it is open there.
    pub oldest: OpenTransaction,
}

impl Shard {
    /// The partitions that have been held back for longest, at most so many, the longest first.
    pub fn held_back(&self, count_max: usize) -> Vec<HeldBack> {
        let mut longest: BinaryHeap<(Realtime, PartitionId)> = BinaryHeap::new();
        for (partition, state) in &self.partitions {
            let Some(oldest) = state.transactions().iter().next() else { continue };
            longest.push((oldest.since, *partition));
            if longest.len() > count_max {
                longest.pop();
            }
        }
        let partitions = longest.into_sorted_vec().into_iter().map(|(_, partition)| partition);
        let oldest = |partition| self.partitions[&partition].transactions().iter().next();
        partitions.filter_map(|partition| Some(HeldBack { partition, oldest: oldest(partition)? })).collect()
    }

    /// How the shard is doing.
    pub fn status(&self) -> ShardStatus {
        let marks = self.journal.marks();
        ShardStatus {
            shard: self.id,
            epoch: self.journal.start().epoch,
            serving: self.epoch_started && self.failed.is_none() && !self.stopping,
            failed: self.failed.clone(),
            durable_sequence: marks.durable(),
            appended_sequence: marks.appended(),
            waiting_count: self.requests_waiting(),
            held_bytes: self.held_bytes,
            held_bytes_max: self.segments.memory_bytes_max(),
            segment_count: self.segments.table.len(),
            stored_bytes: self.segments.table.bytes(),
            cold_read_count: self.cold.read_count(),
            cold_waiting_count: self.cold.waiting_count(),
            keys_recent_count: self.keyed.recent_count(),
            keys_cached_bytes: self.keyed.pieces_bytes(),
            keys_read_count: self.keyed.read_count(),
            keys_waiting_count: self.keyed.waiting_count(),
            unsynced_bytes: 0,
            disk_full: self.segments.is_disk_full(),
            manifest_full: self.segments.is_manifest_full(),
            manifest_run_bytes: self.segments.manifest_run_bytes(self.run_count()),
            manifest_run_bytes_max: self.segments.manifest_run_bytes_max(),
            transactional_id_count: self.transactions.coordinator.id_count(),
            unsettled_transaction_count: self.transactions.coordinator.unsettled_count(),
            open_transaction_count: self.transactions.open_count(),
            group_count: self.transactions.groups.group_count(),
            coordinator_waiting_count: self.transactions.waiting_count(),
            partition_count: self.partitions.len(),
            unused_ring_file_count: self.journal.ring().unused_count(),
            journal_used_bytes: self.journal.ring().used_bytes(),
            journal_bytes: self.journal.ring().geometry().ring_bytes(),
            clock_suspended: self.clock.is_suspended(),
        }
    }
}
