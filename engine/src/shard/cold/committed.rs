//! Committed reads of what memory let go: which transactions in a stretch were aborted is said by markers behind it, as far as
//! every transaction in it is decided. Each batch at rest says how far everything was decided with it, so the search ends
//! where that lies behind the offset that was asked for.

use super::chunk::following;
use super::{Answer, Cold};
use crate::format::batch::{BatchHeader, HeldBatch, Marker};
use crate::limits::{ABORTED_KEPT_MAX, COLD_SEARCHES_MAX};
use crate::marks::{self, Mark};
use crate::model::{Offset, PartitionId, TransactionOutcome};
use crate::partition::{Isolation, take_bytes};
use crate::segment::read::Chunk;
use crate::shard::request::Reply;
use crate::shard::{Refusal, Shard};
use crate::transaction::AbortedTransaction;

/// What was looked through of a partition to learn what was aborted.
#[derive(Debug)]
pub(super) struct AbortSearch {
    /// Where it began.
    from: Offset,
    /// It goes on here: everything in between was seen.
    next: Offset,
    /// Up to here everything is decided, by what was seen.
    stable_offset: Offset,
    /// Those that begin below `known_to`, in the order of their markers.
    aborted: Vec<AbortedTransaction>,
    /// From here on it is not known what was aborted: there was too much to keep.
    known_to: Offset,
}

impl AbortSearch {
    fn beginning_at(from: Offset) -> Self {
        Self { from, next: from, stable_offset: Offset(0), aborted: Vec::new(), known_to: Offset(u64::MAX) }
    }

    /// Whether it tells what is behind this offset, or goes on to do so.
    fn covers(&self, asked: Offset) -> bool {
        self.from <= asked && asked <= self.next && asked < self.known_to
    }

    fn is_further_than(&self, other: &Self) -> bool {
        self.next > other.next
    }

    /// Looks at batches that go on where it came to, for whoever asks for `asked`.
    fn see<'a>(&mut self, asked: Offset, batches: impl Iterator<Item = &'a HeldBatch>) {
        for batch in batches {
            self.aborted.extend(aborted_by(batch).filter(|aborted| aborted.first_offset < self.known_to));
            (self.next, self.stable_offset) = (batch.next_offset(), batch.stable_offset());
            if self.aborted.len() > ABORTED_KEPT_MAX {
                self.keep_less(asked);
            }
        }
    }

    /// Lets go of what ended before `asked`, then of what begins last. At `asked` itself there are fewer open than are kept.
    fn keep_less(&mut self, asked: Offset) {
        self.from = asked;
        self.aborted.retain(|aborted| aborted.marker >= asked);
        if self.aborted.len() <= ABORTED_KEPT_MAX / 2 {
            return;
        }
        let mut firsts: Vec<Offset> = self.aborted.iter().map(|aborted| aborted.first_offset).collect();
        let (_, known_to, _) = firsts.select_nth_unstable(ABORTED_KEPT_MAX / 2);
        self.known_to = *known_to;
        self.aborted.retain(|aborted| aborted.first_offset < self.known_to);
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

impl Cold {
    /// What is known of aborted transactions behind `asked`, of what was looked through for this waiter and of what is kept.
    fn best_search(&mut self, partition: PartitionId, asked: Offset, own: Option<AbortSearch>) -> AbortSearch {
        let own = own.filter(|search| search.covers(asked)).unwrap_or_else(|| AbortSearch::beginning_at(asked));
        match self.searches.get(&partition).is_some_and(|kept| kept.covers(asked) && kept.is_further_than(&own)) {
            true => self.searches.remove(&partition).expect("it was just seen"),
            false => own,
        }
    }

    /// Keeps what was learnt; another partition's has to go if there are too many.
    pub(super) fn keep_search(&mut self, partition: PartitionId, search: AbortSearch) {
        if self.searches.len() >= COLD_SEARCHES_MAX {
            self.searches.pop_first();
        }
        self.searches.insert(partition, search);
    }
}

impl Shard {
    /// Looks for what was aborted behind `asked`, as far as it must be known to show something, and leaves what it found in
    /// `search`. `Err`: what has to be read for it, or the answer if nothing can be shown.
    pub(super) fn search_on(
        &mut self,
        partition: PartitionId,
        asked: Offset,
        search: &mut Option<AbortSearch>,
    ) -> Result<(), Answer> {
        let best = self.cold.best_search(partition, asked, search.take());
        let search = search.insert(best);
        // The rest is known in memory.
        while !search.is_done(asked) && search.next < self.partitions[&partition].memory_offset() {
            if search.next > asked {
                marks::hit(Mark::CommittedLookedFurther);
            }
            let Some(chunk) = self.cold.chunks.covering(partition, search.next) else {
                return Err(self.read_for(partition, search.next));
            };
            search.see(asked, following(&chunk, search.next).map_err(|damage| damaged(partition, damage))?);
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
        search: &AbortSearch,
    ) -> Result<(Vec<HeldBatch>, Vec<AbortedTransaction>), Answer> {
        let batches = following(chunk, asked).map_err(|damage| damaged(partition, damage))?;
        let state = &self.partitions[&partition];
        let is_in_memory = !search.is_done(asked);
        let end = match is_in_memory {
            true => state.end_for(Isolation::Committed),
            false => search.stable_offset.min(search.next),
        };
        let end = end.min(search.known_to);
        let shown = take_bytes(batches.take_while(|batch| batch.last_offset < end), bytes_max);
        let shown_end = shown.last().map_or(asked, HeldBatch::next_offset);
        let later = state.aborted_between(search.next, shown_end).filter(|_| is_in_memory);
        let seen = search.aborted.iter().copied();
        let is_shown = |aborted: &AbortedTransaction| aborted.marker >= asked && aborted.first_offset < shown_end;
        Ok((shown, seen.chain(later).filter(is_shown).collect()))
    }
}

fn damaged(partition: PartitionId, (from, to): (Offset, Offset)) -> Answer {
    Answer::Ready(Reply::Refused(Refusal::Damaged { partition, from, to }))
}

#[cfg(test)]
mod tests;
