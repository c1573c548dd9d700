//! Committed reads of what memory let go: which transactions in a stretch were aborted is said by markers behind it, as far as
//! every transaction in it is decided. Each batch at rest says how far everything was decided with it, so the search ends
//! where that lies behind the offset that was asked for.

use std::collections::BTreeMap;

use super::chunk::following;
use super::{Answer, Cold, Want};
use crate::format::batch::{BatchHeader, HeldBatch, Marker};
use crate::limits::{ABORTED_KEPT_MAX, COLD_ABORTED_MAX, COLD_SEARCHES_MAX};
use crate::marks::{self, Mark};
use crate::model::{Offset, PartitionId, TransactionOutcome};
use crate::partition::{Isolation, Lookup, take_bytes};
use crate::segment::read::Chunk;
use crate::shard::request::{FetchFrom, Reply};
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
        self.aborted.shrink_to_fit();
        if self.aborted.len() <= ABORTED_KEPT_MAX / 2 {
            return;
        }
        let mut firsts: Vec<Offset> = self.aborted.iter().map(|aborted| aborted.first_offset).collect();
        let (_, known_to, _) = firsts.select_nth_unstable(ABORTED_KEPT_MAX / 2);
        self.known_to = *known_to;
        self.aborted.retain(|aborted| aborted.first_offset < self.known_to);
        self.aborted.shrink_to_fit();
    }

    /// Aborted transactions that are kept.
    pub(super) fn aborted_count(&self) -> usize {
        self.aborted.len()
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

/// What was learnt of aborted transactions behind some place, by partition and by that place.
#[derive(Debug, Default)]
pub(super) struct KeptSearches {
    searches: BTreeMap<(PartitionId, Offset), (u64, AbortSearch)>,
    use_count: u64,
}

impl KeptSearches {
    /// Takes the one that tells most of what is behind `asked`, if one does.
    fn take(&mut self, partition: PartitionId, asked: Offset) -> Option<AbortSearch> {
        let of_partition = self.searches.range((partition, Offset(0))..=(partition, asked));
        let covering = of_partition.filter(|(_, (_, search))| search.covers(asked));
        let (key, _) = covering.max_by_key(|(_, (_, search))| search.next)?;
        let key = *key;
        self.searches.remove(&key).map(|(_, search)| search)
    }

    /// Whether one of them tells enough to show what is behind `asked`.
    fn tells(&self, partition: PartitionId, asked: Offset) -> bool {
        let of_partition = self.searches.range((partition, Offset(0))..=(partition, asked));
        of_partition.into_iter().any(|(_, (_, search))| search.covers(asked) && search.is_done(asked))
    }

    /// Keeps what was learnt; the one that was used least lately has to go if there are too many.
    pub(super) fn keep(&mut self, partition: PartitionId, search: AbortSearch) {
        self.use_count += 1;
        self.searches.insert((partition, search.from), (self.use_count, search));
        if self.searches.len() > COLD_SEARCHES_MAX {
            self.let_go();
        }
    }

    fn let_go(&mut self) -> bool {
        let least = self.searches.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| *key);
        least.is_some_and(|key| self.searches.remove(&key).is_some())
    }

    pub(super) fn forget(&mut self, partition: PartitionId) {
        self.searches.retain(|(of, _), _| *of != partition);
    }

    fn aborted_count(&self) -> usize {
        self.searches.values().map(|(_, search)| search.aborted.len()).sum()
    }
}

impl Cold {
    /// What is known of aborted transactions behind `asked`, of what was looked through for this waiter and of what is kept.
    fn best_search(&mut self, partition: PartitionId, asked: Offset, own: Option<AbortSearch>) -> AbortSearch {
        let own = own.filter(|search| search.covers(asked)).unwrap_or_else(|| AbortSearch::beginning_at(asked));
        match self.searches.take(partition, asked) {
            Some(kept) if kept.is_further_than(&own) => kept,
            Some(kept) => {
                self.searches.keep(partition, kept);
                own
            }
            None => own,
        }
    }

    /// Whoever waits with what it has learnt counts it; what is kept for nobody gives way.
    fn has_room_for(&mut self, search: &AbortSearch) -> bool {
        let waiting = self.waiting_aborted_count + search.aborted.len();
        while waiting + self.searches.aborted_count() > COLD_ABORTED_MAX && self.searches.let_go() {}
        waiting <= COLD_ABORTED_MAX
    }
}

impl Shard {
    /// Whether it has to be looked for what was aborted before this can be answered.
    pub(super) fn needs_search(&self, partition: PartitionId, want: &Want) -> bool {
        let Want::Fetch { from, isolation: Isolation::Committed, .. } = *want else { return false };
        let Some(state) = self.partitions.get(&partition) else { return false };
        let asked = match from {
            FetchFrom::Offset(offset) => offset,
            FetchFrom::Time(time) => match state.offset_at(time) {
                Lookup::Offset(offset) => offset,
                Lookup::InRun(_) => return true,
            },
        };
        asked >= state.start_offset() && asked < state.memory_offset() && !self.cold.searches.tells(partition, asked)
    }

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
                if !self.cold.has_room_for(search) {
                    return Err(Answer::Ready(Reply::Refused(Refusal::Busy(self.id))));
                }
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
        let decided =
            if is_in_memory { state.end_for(Isolation::Committed) } else { search.stable_offset.min(search.next) };
        let end = decided.min(search.known_to);
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
