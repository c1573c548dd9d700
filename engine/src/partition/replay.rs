//! A partition is rebuilt: what the manifest knows, then what the journal holds.

use bytes::Bytes;

use super::transactions::timestamp_of;
use super::{Partition, Placed, Slot};
use crate::format::batch::{self, BatchInfo, Keep, ProducerStamp, StoredBatch};
use crate::key::RecordKey;
use crate::model::{Offset, Realtime, Sequence};
use crate::producer::Admission;

/// What a partition's journal entries or manifest cannot say together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartitionDamage {
    /// A batch that does not begin where the partition ends.
    #[error("a batch begins at offset {found}, the partition goes on at {expected}")]
    Gap {
        /// Where it must begin.
        expected: Offset,
        /// Where it begins.
        found: Offset,
    },
    /// Offsets below `next_offset` that neither a segment nor a journal block holds.
    #[error("the manifest knows the partition up to offset {next_offset}, it is held up to {held}")]
    Lost {
        /// Where the manifest says it goes on.
        next_offset: Offset,
        /// Where the batches at rest and in the journal end.
        held: Offset,
    },
    /// An append time lower than the one before.
    #[error("a batch at offset {0} is older than the one before it")]
    TimeGoesBack(Offset),
    /// A batch that its own checks refuse.
    #[error("the batch at offset {offset} is not valid: {why}")]
    Batch {
        /// Where it is.
        offset: Offset,
        /// Why.
        why: String,
    },
    /// A batch of a block that the manifest includes, behind the end that the manifest knows or later than its time.
    #[error("the batch at offset {found} is ahead of the manifest, which knows the partition up to {next_offset}")]
    Ahead {
        /// Where the manifest says the partition goes on.
        next_offset: Offset,
        /// Where the batch begins.
        found: Offset,
    },
    /// Offsets that no batch can have.
    #[error("offsets behind {0} are above all that a batch can have")]
    Exhausted(Offset),
    /// A batch whose records have no keys of their own, or none of this partition.
    #[error("the batch at offset {offset} cannot have been admitted: {why}")]
    Keys {
        /// Where it is.
        offset: Offset,
        /// Why.
        why: String,
    },
    /// A batch of a transaction, or the end of one, that cannot be there; or it was not undecided which the batch's entry says.
    #[error("the batch at offset {0} cannot have been admitted to its transaction, or to one that is over")]
    Transaction(Offset),
    /// A producer's batch that cannot have been admitted.
    #[error("the batch at offset {0} cannot have been admitted from its producer")]
    Producer(Offset),
}

/// A batch as its journal entry has it.
#[derive(Clone, Copy, Debug)]
pub struct ReplayedBatch<'a> {
    /// When it was appended.
    pub append_time: Realtime,
    /// How many offsets were not stable with it.
    pub undecided: u32,
    /// The batch.
    pub bytes: &'a Bytes,
    /// Where the entry stands.
    pub placed: Placed,
}

impl Partition {
    /// Takes back a batch from the journal. `known`: the manifest's state includes it already, and a segment may hold
    /// it, or it may be cut.
    pub fn replay(&mut self, entry: &ReplayedBatch<'_>, known: bool, keep: Keep) -> Result<(), PartitionDamage> {
        let Some((base_offset, stored)) = self.wanted(entry.bytes, known)? else { return Ok(()) };
        let slot = Slot { base_offset, append_time: entry.append_time };
        let held_end = self.held_end();
        let expected = if known { held_end } else { self.next_offset };
        if expected != base_offset {
            return Err(PartitionDamage::Gap { expected, found: base_offset });
        }
        let own = keep.take(entry.bytes);
        if known {
            self.check_known(slot, stored.record_count())?;
            return self.hold_known(slot, &stored, own, entry);
        }
        if held_end != self.next_offset {
            return Err(PartitionDamage::Lost { next_offset: self.next_offset, held: held_end });
        }
        if entry.append_time < self.last_append_time {
            return Err(PartitionDamage::TimeGoesBack(base_offset));
        }
        if self.undecided_after_stored(slot, &stored) != entry.undecided {
            return Err(PartitionDamage::Transaction(base_offset));
        }
        match stored {
            StoredBatch::Records(info) => {
                let keys = self.keys_of(base_offset, entry.bytes, &info)?;
                if self.admit(&info) != Admission::New {
                    return Err(PartitionDamage::Producer(base_offset));
                }
                self.append(slot, &info, own, entry.placed, &keys);
            }
            StoredBatch::Marker(marker) => {
                if self.transactions.marker(marker.transaction, marker.outcome) != Some(marker) {
                    return Err(PartitionDamage::Transaction(base_offset));
                }
                self.append_marker(slot, &marker, own, entry.placed);
            }
        }
        Ok(())
    }

    /// Holds a batch whose effects the manifest includes.
    pub(super) fn hold_known(
        &mut self,
        slot: Slot,
        stored: &StoredBatch,
        own: Bytes,
        entry: &ReplayedBatch<'_>,
    ) -> Result<(), PartitionDamage> {
        match stored {
            StoredBatch::Records(info) => {
                let keys = self.keys_of(slot.base_offset, entry.bytes, info)?;
                self.note_keys(slot, info, &keys);
            }
            StoredBatch::Marker(marker) => self.transactions.note_marker(marker, slot.base_offset),
        }
        let max_timestamp_ms = timestamp_of(&own);
        self.held.push(slot, own, entry.placed, max_timestamp_ms, entry.undecided);
        Ok(())
    }

    /// Takes back from the journal that a producer's batch was answered by its keys.
    pub fn replay_known(
        &mut self,
        stamp: &ProducerStamp,
        crc: u32,
        append_time: Realtime,
        sequence: Sequence,
    ) -> Result<(), PartitionDamage> {
        let next_offset = self.next_offset;
        if append_time < self.last_append_time {
            return Err(PartitionDamage::TimeGoesBack(next_offset));
        }
        if self.producers.check(stamp, crc) != Admission::New {
            return Err(PartitionDamage::Producer(next_offset));
        }
        self.note_known(stamp, crc, append_time, sequence);
        Ok(())
    }

    /// The keys of a batch from the journal; none if its topic has none.
    fn keys_of(&self, offset: Offset, batch: &[u8], info: &BatchInfo) -> Result<Vec<RecordKey>, PartitionDamage> {
        let Some(keys) = &self.keys else { return Ok(Vec::new()) };
        let found = keys.keying().keys_of(batch, info);
        found.map_err(|why| PartitionDamage::Keys { offset, why: why.to_string() })
    }

    /// Ends replay: everything the state knows must be held or at rest, and all of it is durable.
    pub fn finish_replay(&mut self) -> Result<(), PartitionDamage> {
        let held = self.held_end();
        if held != self.next_offset {
            return Err(PartitionDamage::Lost { next_offset: self.next_offset, held });
        }
        self.make_durable(self.next_offset);
        Ok(())
    }

    /// Where a batch from the journal stands and what it says; `None`: it is known, and at rest or cut.
    pub(super) fn wanted(&self, bytes: &Bytes, known: bool) -> Result<Option<(Offset, StoredBatch)>, PartitionDamage> {
        let invalid = |offset, why: batch::BatchError| PartitionDamage::Batch { offset, why: why.to_string() };
        let base_offset = batch::base_offset(bytes).map_err(|why| invalid(self.next_offset, why))?;
        if known && base_offset < self.flushed_offset() {
            return Ok(None);
        }
        let stored = batch::validate_stored(bytes).map_err(|why| invalid(base_offset, why))?;
        match base_offset.checked_plus(u64::from(stored.record_count())) {
            Some(_) => Ok(Some((base_offset, stored))),
            None => Err(PartitionDamage::Exhausted(base_offset)),
        }
    }

    /// Holds a batch of a block that the manifest includes against what the manifest says of the partition.
    pub(super) fn check_known(&self, slot: Slot, record_count: u32) -> Result<(), PartitionDamage> {
        let found = slot.base_offset;
        if self.held.last_append_time().is_some_and(|last| slot.append_time < last) {
            return Err(PartitionDamage::TimeGoesBack(found));
        }
        let next_offset = self.next_offset;
        if found.plus(u64::from(record_count)) > next_offset || slot.append_time > self.last_append_time {
            return Err(PartitionDamage::Ahead { next_offset, found });
        }
        Ok(())
    }

    /// Where what is at rest, in memory or lost ends.
    pub(super) fn held_end(&self) -> Offset {
        self.held.end_offset().unwrap_or(self.flushed_offset())
    }
}

#[cfg(test)]
mod tests;
