//! Committed reads of what memory let go: which transactions in a stretch were aborted is said by markers behind it, as far as
//! every transaction in it is decided. Each batch at rest says how far everything was decided with it, so the search ends
//! where that lies behind the offset that was asked for.

use super::Answer;
use super::chunk::following;
use crate::format::batch::{BatchHeader, HeldBatch, Marker};
use crate::marks::{self, Mark};
use crate::model::{Offset, PartitionId, TransactionOutcome};
use crate::partition::{Isolation, take_bytes};
use crate::segment::read::Chunk;
use crate::shard::request::Reply;
use crate::shard::{Refusal, Shard};
use crate::transaction::AbortedTransaction;

/// What was looked through of a partition to learn what was aborted. It is kept: whoever reads on from there, or asks again,
/// goes on with it.
#[derive(Debug)]
pub(super) struct AbortSearch {
    /// Where it began.
    from: Offset,
    /// It goes on here: everything in between was seen.
    next: Offset,
    /// Up to here everything is decided, by what was seen.
    stable_offset: Offset,
    /// In the order of their markers.
    aborted: Vec<AbortedTransaction>,
}

impl AbortSearch {
    fn beginning_at(from: Offset) -> Self {
        Self { from, next: from, stable_offset: Offset(0), aborted: Vec::new() }
    }

    /// Whether it tells what is behind this offset, or goes on to do so.
    fn covers(&self, asked: Offset) -> bool {
        self.from <= asked && asked <= self.next
    }

    /// Looks at batches that go on where it came to.
    fn see<'a>(&mut self, batches: impl Iterator<Item = &'a HeldBatch>) {
        for batch in batches {
            self.aborted.extend(aborted_by(batch));
            (self.next, self.stable_offset) = (batch.next_offset(), batch.stable_offset());
        }
    }

    /// Whether something behind this offset can be shown.
    fn is_done(&self, asked: Offset) -> bool {
        self.next > asked && self.stable_offset > asked
    }
}

/// The transaction that a batch says was aborted.
fn aborted_by(batch: &HeldBatch) -> Option<AbortedTransaction> {
    BatchHeader::read(&batch.bytes).ok().filter(|header| header.is_control())?;
    let Marker { transaction, outcome, first_offset } = Marker::read(&batch.bytes).ok()??;
    let is_aborted = outcome == TransactionOutcome::Aborted;
    is_aborted.then_some(AbortedTransaction { transaction, first_offset, marker: batch.base_offset })
}

impl Shard {
    /// Looks for what was aborted behind `asked`, as far as it must be known to show something. `Err`: what has to be read for
    /// it, or the answer if nothing can be shown.
    pub(super) fn search_on(&mut self, partition: PartitionId, asked: Offset) -> Result<(), Answer> {
        let known = self.cold.searches.remove(&partition).filter(|search| search.covers(asked));
        let mut search = known.unwrap_or_else(|| AbortSearch::beginning_at(asked));
        let found = self.look_further(partition, asked, &mut search);
        self.cold.keep_search(partition, search);
        found
    }

    fn look_further(&mut self, partition: PartitionId, asked: Offset, search: &mut AbortSearch) -> Result<(), Answer> {
        // The rest is known in memory.
        while !search.is_done(asked) && search.next < self.partitions[&partition].memory_offset() {
            if search.next > asked {
                marks::hit(Mark::CommittedLookedFurther);
            }
            let Some(chunk) = self.cold.chunks.covering(partition, search.next) else {
                return Err(self.read_for(partition, search.next));
            };
            search.see(following(&chunk, search.next).map_err(|damage| damaged(partition, damage))?);
        }
        Ok(())
    }

    /// What is decided of the chunk from the batch on that holds `asked`, and which transactions in it were aborted, once
    /// [`Shard::search_on`] has found that. `Err`: the answer if nothing can be shown.
    pub(super) fn committed_from(
        &self,
        partition: PartitionId,
        chunk: &Chunk,
        asked: Offset,
        bytes_max: usize,
    ) -> Result<(Vec<HeldBatch>, Vec<AbortedTransaction>), Answer> {
        let batches = following(chunk, asked).map_err(|damage| damaged(partition, damage))?;
        let search = self.cold.searches.get(&partition).expect("it was looked for what was aborted");
        let state = &self.partitions[&partition];
        let is_in_memory = !search.is_done(asked);
        let end = match is_in_memory {
            true => state.end_for(Isolation::Committed),
            false => search.stable_offset.min(search.next),
        };
        let shown = take_bytes(batches.take_while(|batch| batch.last_offset < end), bytes_max);
        let shown_end = shown.last().map_or(asked, HeldBatch::next_offset);
        let later = state.transactions().aborted_in(search.next, shown_end).filter(|_| is_in_memory);
        let seen = search.aborted.iter().copied();
        let is_shown = |aborted: &AbortedTransaction| aborted.marker >= asked && aborted.first_offset < shown_end;
        Ok((shown, seen.chain(later).filter(is_shown).collect()))
    }
}

fn damaged(partition: PartitionId, (from, to): (Offset, Offset)) -> Answer {
    Answer::Ready(Reply::Refused(Refusal::Damaged { partition, from, to }))
}
