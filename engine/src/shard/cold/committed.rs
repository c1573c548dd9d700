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

/// How far it was looked for what was aborted of a stretch.
#[derive(Clone, Debug)]
pub(super) struct AbortSearch {
    /// Where the stretch begins.
    asked: Offset,
    /// Where it ends: nothing is known of what is behind.
    limit: Offset,
    /// The search goes on here.
    next: Offset,
    /// Up to here everything is decided, by what was seen so far.
    stable_offset: Offset,
    aborted: Vec<AbortedTransaction>,
}

impl AbortSearch {
    /// The stretch of these batches, which is searched first.
    fn of<'a>(asked: Offset, batches: impl Iterator<Item = &'a HeldBatch> + Clone) -> Self {
        let limit = batches.clone().last().map_or(asked, HeldBatch::next_offset);
        let mut search = Self { asked, limit, next: asked, stable_offset: Offset(0), aborted: Vec::new() };
        search.see(batches);
        search
    }

    /// Looks at batches that go on where it came to.
    fn see<'a>(&mut self, batches: impl Iterator<Item = &'a HeldBatch>) {
        for batch in batches {
            self.aborted.extend(aborted_by(batch).filter(|aborted| aborted.first_offset < self.limit));
            (self.next, self.stable_offset) = (batch.next_offset(), batch.stable_offset());
        }
    }

    /// Whether something of the stretch can be shown.
    fn is_done(&self) -> bool {
        self.stable_offset > self.asked
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
    /// Goes on with a search for what was aborted behind `asked`, if one was begun. `Err`: what has to be read for it, or the
    /// answer if nothing can be shown.
    pub(super) fn search_on(
        &mut self,
        partition: PartitionId,
        asked: Offset,
        search: &mut Option<AbortSearch>,
    ) -> Result<(), Answer> {
        let Some(found) = search.as_mut().filter(|search| search.asked == asked) else {
            *search = None;
            return Ok(());
        };
        while !found.is_done() {
            marks::hit(Mark::CommittedLookedFurther);
            let state = &self.partitions[&partition];
            if found.next >= state.memory_offset() {
                found.aborted.extend(state.transactions().aborted_in(found.next, found.limit));
                found.stable_offset = state.end_for(Isolation::Committed);
                return Ok(());
            }
            let Some(later) = self.cold.chunks.covering(partition, found.next) else {
                return Err(self.read_for(partition, found.next));
            };
            found.see(following(&later, found.next).map_err(|damage| damaged(partition, damage))?);
        }
        Ok(())
    }

    /// What is decided of the chunk from the batch on that holds `asked`, and which transactions in it were aborted. `Err`: the
    /// answer if nothing can be shown, or what has to be read to learn more.
    pub(super) fn committed_from(
        &mut self,
        partition: PartitionId,
        chunk: &Chunk,
        asked: Offset,
        bytes_max: usize,
        search: &mut Option<AbortSearch>,
    ) -> Result<(Vec<HeldBatch>, Vec<AbortedTransaction>), Answer> {
        let batches = following(chunk, asked).map_err(|damage| damaged(partition, damage))?;
        if search.is_none() {
            *search = Some(AbortSearch::of(asked, batches.clone()));
            self.search_on(partition, asked, search)?;
        }
        let found = search.as_ref().expect("it was just begun");
        let end = self.partitions[&partition].end_for(Isolation::Committed);
        let end = end.min(found.stable_offset).min(found.limit);
        let shown = take_bytes(batches.take_while(|batch| batch.last_offset < end), bytes_max);
        let shown_end = shown.last().map_or(asked, HeldBatch::next_offset);
        let aborted = found.aborted.iter().filter(|aborted| aborted.first_offset < shown_end).copied().collect();
        Ok((shown, aborted))
    }
}

fn damaged(partition: PartitionId, (from, to): (Offset, Offset)) -> Answer {
    Answer::Ready(Reply::Refused(Refusal::Damaged { partition, from, to }))
}
