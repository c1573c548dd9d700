//! The transactions of a partition: their batches, their markers, and what is shown of them.

use bytes::Bytes;

use super::{Partition, Placed, Slot};
use crate::format::batch::{BatchInfo, HeldBatch, Marker, StoredBatch};
use crate::model::{Offset, TransactionKey};
use crate::transaction::{AbortedTransaction, PartitionTransactions};

/// What a reader wants to see of transactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isolation {
    /// Everything durable, also of transactions that are open or aborted.
    #[default]
    Uncommitted,
    /// What lies below the last stable offset, and which transactions in it were aborted.
    Committed,
}

/// The highest epoch of a producer: with its last transaction a partition forgets it.
const EPOCH_LAST: u16 = i16::MAX.cast_unsigned();

impl Partition {
    /// Its transactions.
    pub fn transactions(&self) -> &PartitionTransactions {
        &self.transactions
    }

    /// Up to here every transaction is decided, durably.
    pub fn stable_offset(&self) -> Offset {
        self.transactions.stable_offset(self.durable_offset).max(self.start_offset)
    }

    /// Where what such a reader is shown ends.
    pub fn end_for(&self, isolation: Isolation) -> Offset {
        match isolation {
            Isolation::Uncommitted => self.durable_offset,
            Isolation::Committed => self.stable_offset(),
        }
    }

    /// The aborted transactions of which there may be something in these batches, of markers that are in memory.
    pub fn aborted_in(&self, batches: &[HeldBatch]) -> Vec<AbortedTransaction> {
        let (Some(first), Some(last)) = (batches.first(), batches.last()) else { return Vec::new() };
        self.aborted_between(first.base_offset, last.next_offset()).collect()
    }

    /// Those that begin below `to` and end at `from` or behind it, of markers that are in memory.
    pub fn aborted_between(&self, from: Offset, to: Offset) -> impl Iterator<Item = AbortedTransaction> {
        let last = self.held.decided_at(to).unwrap_or(self.next_offset);
        self.transactions.aborted_between(from, last).filter(move |aborted| aborted.first_offset < to)
    }

    /// Offsets that are not stable once this batch was appended into the slot.
    pub fn undecided_after(&self, slot: Slot, info: &BatchInfo) -> u32 {
        let next_offset = slot.base_offset.plus(u64::from(info.record_count));
        self.transactions.undecided_after(info.transaction(), slot.base_offset, next_offset)
    }

    /// The same of the marker of an open transaction.
    pub fn undecided_after_marker(&self, slot: Slot, transaction: TransactionKey) -> u32 {
        let next_offset = slot.base_offset.plus(u64::from(Marker::RECORD_COUNT));
        self.transactions.undecided_after_marker(transaction, next_offset)
    }

    /// Appends the marker of an open transaction into the slot that [`Partition::next_slot`] gave, once its journal entry is
    /// placed. Returns whether the partition forgot the producer with it.
    ///
    /// # Panics
    /// If the transaction is not open: the caller's broken invariant.
    pub fn append_marker(&mut self, slot: Slot, marker: &Marker, bytes: Bytes, placed: Placed) -> bool {
        assert_eq!(slot.base_offset, self.next_offset, "batches are placed where the partition ends");
        assert!(slot.append_time >= self.last_append_time, "append times do not go back");
        let undecided = self.undecided_after_marker(slot, marker.transaction);
        let ended = self.transactions.ended(marker, slot.base_offset);
        ended.expect("the marker of a transaction that is open");
        self.next_offset = slot.base_offset.plus(u64::from(Marker::RECORD_COUNT));
        self.last_append_time = slot.append_time;
        let max_timestamp_ms = timestamp_of(&bytes);
        self.held.push(slot, bytes, placed, max_timestamp_ms, undecided);
        self.forget_last_epoch(marker.transaction)
    }

    /// A producer whose epochs are used up never comes back: its transactional id goes on with another one.
    pub(super) fn forget_last_epoch(&mut self, transaction: TransactionKey) -> bool {
        transaction.epoch.0 == EPOCH_LAST && self.producers.remove(transaction.producer, transaction.epoch)
    }

    /// Offsets that are not stable once what was stored was appended into the slot.
    pub(super) fn undecided_after_stored(&self, slot: Slot, stored: &StoredBatch) -> u32 {
        match stored {
            StoredBatch::Records(info) => self.undecided_after(slot, info),
            StoredBatch::Marker(marker) => self.undecided_after_marker(slot, marker.transaction),
        }
    }
}

/// The latest timestamp of a batch that was validated.
pub(super) fn timestamp_of(batch: &[u8]) -> i64 {
    crate::format::batch::BatchHeader::read(batch).expect("it was validated").max_timestamp_ms()
}
