//! Answers from segment files: requests that memory cannot answer wait for a read, one of each partition at a time and
//! so many of a shard, and what a reader will ask for next is read ahead.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use super::request::{Effect, FetchFrom, Fetched, OffsetAt, Reply};
use super::{Refusal, Shard};
use crate::io::DiskError;
use crate::limits::{
    COLD_PIECE_BYTES, COLD_READ_BYTES, COLD_READ_BYTES_CAPTURING, COLD_READS_MAX, COLD_WAITING_MAX, FETCH_BYTES_MAX,
};
use crate::marks::{self, Mark};
use crate::model::{Offset, PartitionId, RequestId, SegmentId};
use crate::partition::{HeldBatch, Isolation, Lookup};
use crate::segment::Run;
use crate::segment::read::{Chunk, ReadDone, ReadPlan, Target};
use crate::transaction::AbortedTransaction;

mod cache;
mod chunk;
mod committed;
mod waiting;

use cache::{ChunkCache, IndexCache};
use chunk::{first_in, from_chunk, report_of};
use committed::{AbortSearch, KeptSearches};
use waiting::Waiter;

/// What a waiting request wants.
#[derive(Clone, Copy, Debug)]
pub(super) enum Want {
    Fetch { from: FetchFrom, isolation: Isolation, bytes_max: usize },
    Offset { at: OffsetAt },
}

#[derive(Debug)]
struct Reading {
    partition: PartitionId,
    segment: SegmentId,
    /// The first who waits for the partition asked for it; nobody did for what is read ahead.
    is_asked: bool,
}

/// What can be said about a want now.
enum Answer {
    Ready(Reply),
    Read(Run, Target),
}

/// Reads of segment files and who waits for them.
#[derive(Debug)]
pub(super) struct Cold {
    reading: BTreeMap<u64, Reading>,
    next_read: u64,
    waiting: BTreeMap<PartitionId, VecDeque<Waiter>>,
    waiting_count: usize,
    /// Partitions with requests that wait and no read under way, in the order of their turns.
    turns: VecDeque<PartitionId>,
    chunks: ChunkCache,
    indexes: IndexCache,
    /// Where the last answer of a partition from segment files ended.
    ends: BTreeMap<PartitionId, Offset>,
    read_count: u64,
    /// What answers were learnt from, of aborted transactions: whoever reads on goes on with it.
    searches: KeptSearches,
    /// Aborted transactions that those who wait have found so far.
    waiting_aborted_count: usize,
}

impl Cold {
    pub(super) fn new() -> Self {
        Self {
            reading: BTreeMap::new(),
            next_read: 0,
            waiting: BTreeMap::new(),
            waiting_count: 0,
            turns: VecDeque::new(),
            chunks: ChunkCache::chunks(),
            indexes: IndexCache::indexes(),
            ends: BTreeMap::new(),
            read_count: 0,
            searches: KeptSearches::default(),
            waiting_aborted_count: 0,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.reading.is_empty() && self.waiting_count == 0
    }

    /// Requests that wait.
    pub(super) fn waiting_count(&self) -> usize {
        self.waiting_count
    }

    /// Reads made so far.
    pub(super) fn read_count(&self) -> u64 {
        self.read_count
    }

    /// These files are gone.
    pub(super) fn forget_segments(&mut self, segments: &[SegmentId]) {
        segments.iter().for_each(|segment| self.indexes.remove(segment));
    }

    /// This partition is gone.
    pub(super) fn forget_partition(&mut self, partition: PartitionId) {
        self.forget_read(partition);
        self.searches.forget(partition);
    }

    /// Forgets what was read of a partition.
    pub(super) fn forget_read(&mut self, partition: PartitionId) {
        self.chunks.forget(partition);
        self.ends.remove(&partition);
    }

    fn is_reading(&self, partition: PartitionId) -> bool {
        self.reading.values().any(|reading| reading.partition == partition)
    }
}

impl Shard {
    /// A request that memory may not be able to answer: now, or when a read has brought what is wanted.
    pub(super) fn answer_or_read(&mut self, id: RequestId, partition: PartitionId, want: Want) {
        let mut waiter = Waiter { id, want, from: Offset(0), search: None };
        if self.needs_search(partition, &want) {
            if self.cold.waiting_count >= COLD_WAITING_MAX {
                return self.refuse(id, Refusal::Busy(self.id));
            }
            if self.cold.waiting.contains_key(&partition) && !self.stopping {
                // What those before it find is found for it as well.
                self.cold.wait(partition, waiter);
                return;
            }
        }
        match self.cold_answer(partition, &mut waiter) {
            Answer::Ready(reply) => self.answer(id, reply),
            Answer::Read(..) if self.stopping => self.refuse(id, Refusal::Stopping(self.id)),
            Answer::Read(..) if self.cold.waiting_count >= COLD_WAITING_MAX => {
                self.refuse(id, Refusal::Busy(self.id));
            }
            Answer::Read(..) => {
                self.cold.wait(partition, waiter);
                self.cold.give_turn(partition);
                self.begin_reads();
            }
        }
    }

    /// A read ended.
    pub(super) fn segment_read(&mut self, read: u64, done: ReadDone) {
        let reading = self.cold.reading.remove(&read).expect("only reads under way end");
        let Reading { partition, segment, is_asked } = reading;
        self.segments.table.unpin(segment);
        if let Some(index) = done.index {
            let bytes = index.memory_bytes();
            self.cold.indexes.insert(segment, index, bytes);
        }
        if let Some(report) = report_of(partition, segment, &done.result) {
            self.report(report);
        }
        let chunk = done.result.map(Rc::new);
        if let Ok(chunk) = &chunk {
            self.cold.chunks.keep(partition, Rc::clone(chunk));
        }
        self.serve_waiting(partition, is_asked.then_some(chunk.as_deref()));
        if let Ok(chunk) = chunk
            && chunk.is_unreadable
        {
            // Whoever asks next has the disk asked again.
            self.cold.chunks.remove(&(partition, chunk.base_offset));
        }
        self.remove_unneeded_segments();
        self.begin_reads();
    }

    /// Answers whoever waits for this partition and can be answered now. `asked`: what came of the read that the first
    /// of them asked for.
    fn serve_waiting(&mut self, partition: PartitionId, asked: Option<Result<&Chunk, &DiskError>>) {
        if let Some(result) = asked
            && let Some(first) = self.cold.take_first(partition)
        {
            match result {
                Err(error) => self.refuse(first.id, Refusal::ReadFailed { partition, why: error.to_string() }),
                Ok(chunk) => {
                    let id = first.id;
                    match self.look_into(partition, first, chunk) {
                        Ok(reply) => self.answer(id, reply),
                        // Whoever has to look further does not keep the others from their reads.
                        Err(waiter) => self.cold.wait(partition, waiter),
                    }
                }
            }
        }
        while let Some(mut waiter) = self.cold.take_first(partition) {
            match self.cold_answer(partition, &mut waiter) {
                Answer::Ready(reply) => self.answer(waiter.id, reply),
                Answer::Read(..) => {
                    self.cold.wait_in_front(partition, waiter);
                    break;
                }
            }
        }
        self.cold.give_turn(partition);
    }

    /// What the chunk that was read for a waiter says. `Err`: it must look further.
    fn look_into(&mut self, partition: PartitionId, waiter: Waiter, chunk: &Chunk) -> Result<Reply, Waiter> {
        let by_time = match waiter.want {
            Want::Fetch { from: FetchFrom::Offset(_), .. } => None,
            Want::Fetch { from: FetchFrom::Time(time), .. } | Want::Offset { at: OffsetAt::Time(time) } => {
                Some(OffsetAt::Time(time))
            }
            Want::Offset { at } => Some(at),
        };
        let start = self.partitions.get(&partition).map_or(Offset(0), |state| state.start_offset());
        let from = waiter.from.max(start);
        let with_lost_before =
            |offset| self.partitions.get(&partition).map_or(offset, |state| state.with_lost_before(offset));
        let found = by_time.map(|at| first_in(chunk, at, from).map(|found| found.map(with_lost_before)));
        match (found, by_time, waiter.want) {
            (Some(Err((from, to))), ..) => Ok(Reply::Refused(Refusal::Damaged { partition, from, to })),
            (Some(Ok(None)), Some(OffsetAt::Timestamp(_)), _) => {
                self.resolve(partition, Waiter { from: from.max(chunk.next_offset), ..waiter })
            }
            (Some(Ok(offset)), _, Want::Offset { .. }) => Ok(Reply::Offset(offset.unwrap_or(from))),
            (Some(Ok(offset)), _, Want::Fetch { isolation, bytes_max, .. }) => {
                let want = Want::Fetch { from: FetchFrom::Offset(offset.unwrap_or(from)), isolation, bytes_max };
                self.resolve(partition, Waiter { want, ..waiter })
            }
            (None, ..) => self.resolve(partition, waiter),
        }
    }

    fn resolve(&mut self, partition: PartitionId, mut waiter: Waiter) -> Result<Reply, Waiter> {
        match self.cold_answer(partition, &mut waiter) {
            Answer::Ready(reply) => Ok(reply),
            Answer::Read(..) => Err(waiter),
        }
    }

    /// The answer from memory and from what was read, or what has to be read.
    fn cold_answer(&mut self, partition: PartitionId, waiter: &mut Waiter) -> Answer {
        let Some(state) = self.visible_partition(partition) else {
            return Answer::Ready(Reply::Refused(self.unknown_partition(partition)));
        };
        match waiter.want {
            Want::Fetch { from: FetchFrom::Offset(offset), isolation, bytes_max } => {
                self.fetch_answer(partition, offset, (isolation, bytes_max), &mut waiter.search)
            }
            Want::Fetch { from: FetchFrom::Time(time), isolation, bytes_max } => match state.offset_at(time) {
                Lookup::Offset(offset) => {
                    self.fetch_answer(partition, offset, (isolation, bytes_max), &mut waiter.search)
                }
                Lookup::InRun(run) => Answer::Read(run, Target::AppendTime(time)),
            },
            Want::Offset { at } => {
                let (lookup, target) = match at {
                    OffsetAt::Start => (Lookup::Offset(state.start_offset()), Target::Offset(Offset(0))),
                    OffsetAt::End => (Lookup::Offset(state.durable_offset()), Target::Offset(Offset(0))),
                    OffsetAt::Stable => (Lookup::Offset(state.stable_offset()), Target::Offset(Offset(0))),
                    OffsetAt::Time(time) => (state.offset_at(time), Target::AppendTime(time)),
                    OffsetAt::Timestamp(ms) => (state.offset_of_timestamp(ms, waiter.from), Target::Timestamp(ms)),
                };
                match lookup {
                    Lookup::Offset(offset) => Answer::Ready(Reply::Offset(offset)),
                    // It was looked for in the front part of the run already.
                    Lookup::InRun(run) if run.base_offset < waiter.from => {
                        Answer::Read(run, Target::Offset(waiter.from))
                    }
                    Lookup::InRun(run) => Answer::Read(run, target),
                }
            }
        }
    }

    fn fetch_answer(
        &mut self,
        partition: PartitionId,
        asked: Offset,
        (isolation, bytes_max): (Isolation, usize),
        search: &mut Option<AbortSearch>,
    ) -> Answer {
        let state = &self.partitions[&partition];
        let (start_offset, high_watermark) = (state.start_offset(), state.durable_offset());
        if asked < start_offset || asked > high_watermark {
            let refusal = Refusal::OffsetOutOfRange { asked, start: start_offset, end: high_watermark };
            return Answer::Ready(Reply::Refused(refusal));
        }
        let bytes_max = bytes_max.min(FETCH_BYTES_MAX);
        let is_committed = isolation == Isolation::Committed;
        if let Some(batches) = state.read(asked, state.end_for(isolation), bytes_max) {
            let aborted = if is_committed { state.aborted_in(&batches) } else { Vec::new() };
            return self.fetched(partition, batches, aborted);
        }
        if is_committed && let Err(answer) = self.search_on(partition, asked, search) {
            return answer;
        }
        if let Some(chunk) = self.cold.chunks.covering(partition, asked) {
            let found = if let Some(search) = search.take_if(|_| is_committed) {
                let found = self.committed_from(partition, &chunk, asked, bytes_max, &search);
                self.cold.searches.keep(partition, search);
                found
            } else {
                from_chunk(&chunk, asked, bytes_max)
                    .map(|batches| (batches, Vec::new()))
                    .map_err(|(from, to)| Answer::Ready(Reply::Refused(Refusal::Damaged { partition, from, to })))
            };
            return match found {
                Ok((batches, aborted)) => {
                    self.read_ahead(partition, asked, &batches, &chunk);
                    self.fetched(partition, batches, aborted)
                }
                Err(answer) => answer,
            };
        }
        self.read_for(partition, asked)
    }

    fn fetched(&self, partition: PartitionId, batches: Vec<HeldBatch>, aborted: Vec<AbortedTransaction>) -> Answer {
        let state = &self.partitions[&partition];
        Answer::Ready(Reply::Fetched(Fetched {
            batches,
            start_offset: state.start_offset(),
            high_watermark: state.durable_offset(),
            stable_offset: state.stable_offset(),
            aborted,
        }))
    }

    /// Where something stands that is neither in memory nor was read lately.
    fn read_for(&self, partition: PartitionId, offset: Offset) -> Answer {
        let state = &self.partitions[&partition];
        match (state.run_at(offset), state.gap_at(offset)) {
            (Some(run), _) => Answer::Read(*run, Target::Offset(offset)),
            (None, Some(gap)) => {
                marks::hit(Mark::ReadLost);
                Answer::Ready(Reply::Refused(Refusal::Lost { partition, gap: *gap }))
            }
            (None, None) => unreachable!("partition {partition} is covered, and not at offset {offset}"),
        }
    }

    /// Starts reads for whoever waits, in turn, as many as may be under way.
    fn begin_reads(&mut self) {
        while self.cold.reading.len() < self.cold_reads_max()
            && let Some(partition) = self.cold.turns.pop_front()
        {
            if self.cold.is_reading(partition) {
                // It gets its turn when that read ends.
                continue;
            }
            let Some(mut first) = self.cold.take_first(partition) else { continue };
            match self.cold_answer(partition, &mut first) {
                Answer::Read(run, target) => {
                    self.begin_read(partition, run, target, true);
                    self.cold.wait_in_front(partition, first);
                }
                Answer::Ready(reply) => {
                    self.answer(first.id, reply);
                    self.cold.give_turn(partition);
                }
            }
        }
    }

    /// Reads at the same time: one, while captures come.
    fn cold_reads_max(&self) -> usize {
        if self.is_capturing() { 1 } else { COLD_READS_MAX }
    }

    fn begin_read(&mut self, partition: PartitionId, run: Run, target: Target, is_asked: bool) {
        let read = self.cold.next_read;
        self.cold.next_read += 1;
        self.cold.read_count += 1;
        marks::hit(if is_asked { Mark::ColdRead } else { Mark::ReadAhead });
        self.cold.reading.insert(read, Reading { partition, segment: run.segment, is_asked });
        self.segments.table.pin(run.segment);
        let stored = self.superblock.stored();
        let is_capturing = self.is_capturing();
        let plan = ReadPlan {
            journal_id: stored.name.journal_id,
            shard: self.id,
            partition,
            run,
            file: *self.segments.table.get(run.segment).expect("a run has a file"),
            target,
            bytes_max: if is_capturing { COLD_READ_BYTES_CAPTURING } else { COLD_READ_BYTES },
            piece_bytes: is_capturing.then_some(COLD_PIECE_BYTES),
            index: self.cold.indexes.get(&run.segment),
        };
        self.effects.push(Effect::ReadSegment { read, plan });
    }

    /// Whoever reads on where the last answer ended will ask for what follows.
    fn read_ahead(&mut self, partition: PartitionId, asked: Offset, batches: &[HeldBatch], chunk: &Chunk) {
        let Some(last) = batches.last() else { return };
        let goes_on = self.cold.ends.insert(partition, last.next_offset()) == Some(asked);
        let next = chunk.next_offset;
        let has_room = self.cold.reading.len() + 1 < self.cold_reads_max() && self.cold.turns.is_empty();
        if !goes_on || !has_room || self.stopping || self.cold.is_reading(partition) {
            return;
        }
        let state = &self.partitions[&partition];
        if next >= state.memory_offset() || self.cold.chunks.covering(partition, next).is_some() {
            return;
        }
        if let Some(run) = self.partitions[&partition].run_at(next).copied() {
            self.begin_read(partition, run, Target::Offset(next), false);
        }
    }

    /// The shard ends: nobody waits any longer.
    pub(super) fn end_cold_waits(&mut self) {
        for id in self.cold.take_all() {
            self.refuse(id, Refusal::Stopping(self.id));
        }
    }
}
