//! A partition is rebuilt from what damage left of it: what is missing becomes a gap.

use bytes::Bytes;

use super::gap::Gap;
use super::transactions::timestamp_of;
use super::{HeldBatch, Partition, PartitionDamage, ReplayedBatch, Slot};
use crate::format::batch::{ProducerStamp, StoredBatch};
use crate::model::{Offset, Realtime, Sequence};
use crate::producer::Receipt;
use crate::segment::Run;

impl Partition {
    /// As [`Partition::replay`], but offsets that no block holds any more are lost from `accepted` on. Batches that
    /// contradict each other are damage still.
    pub fn salvage(
        &mut self,
        entry: &ReplayedBatch<'_>,
        known: bool,
        accepted: Realtime,
    ) -> Result<(), PartitionDamage> {
        let Some((base_offset, stored)) = self.wanted(entry.bytes, known)? else { return Ok(()) };
        let held_end = self.held_end();
        if base_offset < held_end || (!known && base_offset < self.next_offset) {
            return Err(PartitionDamage::Gap { expected: held_end.max(self.next_offset), found: base_offset });
        }
        let slot = Slot { base_offset, append_time: entry.append_time };
        if known {
            self.check_known(slot, stored.record_count())?;
        }
        self.lose(held_end, base_offset, accepted);
        let own = Bytes::copy_from_slice(entry.bytes);
        let max_timestamp_ms = timestamp_of(&own);
        if known {
            if let StoredBatch::Marker(marker) = &stored {
                self.transactions.note_marker(marker, base_offset);
            }
            self.held.push(slot, own, entry.placed, max_timestamp_ms, entry.undecided);
            return Ok(());
        }
        if entry.append_time < self.last_append_time {
            return Err(PartitionDamage::TimeGoesBack(base_offset));
        }
        self.salvage_effects(slot, &stored, entry.placed.sequence)?;
        self.next_offset = base_offset.plus(u64::from(stored.record_count()));
        self.last_append_time = entry.append_time;
        self.held.push(slot, own, entry.placed, max_timestamp_ms, entry.undecided);
        Ok(())
    }

    /// What a batch does beside standing there, of which something before may be lost.
    fn salvage_effects(&mut self, slot: Slot, stored: &StoredBatch, sequence: Sequence) -> Result<(), PartitionDamage> {
        let Slot { base_offset, append_time } = slot;
        match stored {
            StoredBatch::Records(info) => {
                let receipt = Receipt { base_offset, append_time, sequence };
                if let Some(stamp) = &info.producer
                    && !self.producers.apply_after_loss(stamp, info.crc, receipt)
                {
                    return Err(PartitionDamage::Producer(base_offset));
                }
                if let Some(transaction) = info.transaction() {
                    self.transactions.appended(transaction, base_offset, append_time);
                }
            }
            StoredBatch::Marker(marker) => {
                // Where its first batches are lost, it is not open, or seems to have begun later.
                if self.transactions.ended(marker, base_offset).is_err() {
                    self.transactions.close_after_loss(marker, base_offset);
                }
                self.forget_last_epoch(marker.transaction);
            }
        }
        Ok(())
    }

    /// As [`Partition::replay_known`], of a producer whose batches before may be lost.
    pub fn salvage_known(
        &mut self,
        stamp: &ProducerStamp,
        crc: u32,
        append_time: Realtime,
        sequence: Sequence,
    ) -> Result<(), PartitionDamage> {
        if append_time < self.last_append_time {
            return Err(PartitionDamage::TimeGoesBack(self.next_offset));
        }
        let receipt = Receipt { base_offset: self.next_offset, append_time, sequence };
        if !self.producers.apply_known_after_loss(stamp, crc, receipt) {
            return Err(PartitionDamage::Producer(self.next_offset));
        }
        self.last_append_time = append_time;
        Ok(())
    }

    /// The block of its last batch in the journal that is not at rest.
    pub fn last_held_sequence(&self) -> Option<Sequence> {
        self.held.last_sequence()
    }

    /// Ends a salvage: what the state knows and nothing holds is lost, and so are `more` offsets behind the end, which
    /// may have been given out. Everything that is left counts as durable.
    ///
    /// # Errors
    /// If no batch could have an offset behind them.
    pub fn finish_salvage(&mut self, more: u64, accepted: Realtime) -> Result<(), PartitionDamage> {
        let end = self.held_end();
        let exhausted = PartitionDamage::Exhausted(self.next_offset);
        let next_offset = self.next_offset.checked_plus(more).ok_or(exhausted)?;
        self.lose(end, next_offset, accepted);
        self.next_offset = next_offset;
        self.make_durable(next_offset);
        Ok(())
    }

    /// The batches that only the journal holds, in stretches without a gap.
    pub fn salvaged(&self) -> Vec<Vec<HeldBatch>> {
        let mut stretches: Vec<Vec<HeldBatch>> = Vec::new();
        for batch in self.unflushed(Sequence(u64::MAX), usize::MAX, 0, u64::MAX).0 {
            match stretches.last_mut() {
                Some(stretch) if stretch.last().is_some_and(|last| last.next_offset() == batch.base_offset) => {
                    stretch.push(batch);
                }
                _ => stretches.push(vec![batch]),
            }
        }
        stretches
    }

    /// Takes the runs that hold everything there is, with what was lost of its runs before.
    ///
    /// # Panics
    /// If runs and gaps together leave offsets out: the caller's broken invariant.
    pub fn settle_salvage(&mut self, runs: Vec<Run>, lost: &[(Offset, Offset)], accepted: Realtime) {
        lost.iter().for_each(|(from, to)| self.lose(*from, *to, accepted));
        self.stored = super::stored::StoredRuns::default();
        self.held = super::held::HeldBatches::default();
        self.transactions.forget_below(self.next_offset);
        for run in runs.into_iter().filter(|run| run.next_offset > self.start_offset) {
            self.stored.push(run);
        }
        self.held.begin_at(self.next_offset);
        assert!(self.is_covered(), "partition {} is covered by runs and gaps", self.id);
    }

    /// Whether runs and gaps follow each other from the start up to where memory begins.
    pub(super) fn is_covered(&self) -> bool {
        let mut pieces: Vec<(Offset, Offset)> =
            self.stored.iter().map(|run| (run.base_offset, run.next_offset)).collect();
        pieces.extend(self.gaps.iter().map(|gap| (gap.base_offset, gap.next_offset)));
        pieces.sort_unstable();
        let begins = pieces.first().is_none_or(|(base, _)| *base <= self.start_offset);
        let follow = pieces.windows(2).all(|pair| pair[0].1 == pair[1].0);
        let end = pieces.last().map_or(self.start_offset, |(_, next)| *next);
        begins && follow && end.max(self.start_offset) == self.held.flushed_offset()
    }

    fn lose(&mut self, from: Offset, to: Offset, accepted: Realtime) {
        let from = from.max(self.start_offset);
        if from < to {
            self.gaps.insert(Gap { base_offset: from, next_offset: to, accepted });
        }
    }
}

#[cfg(test)]
mod tests;
