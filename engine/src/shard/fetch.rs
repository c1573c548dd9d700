//! Reads of durable data, and requests that wait for some.

use std::collections::{BTreeMap, BTreeSet};

use super::cold::Want;
use super::request::{FetchFrom, OffsetAt, PartitionStatus, Reply};
use super::{Refusal, Shard};
use crate::limits::{FETCH_WAIT_NS_MAX, POLLS_WAITING_MAX};
use crate::marks::{self, Mark};
use crate::model::{Monotonic, Now, Offset, PartitionId, Realtime, RequestId, ShardId, TopicId};
use crate::partition::{Isolation, Partition};

/// Fetches that wait for data, found by partition and by deadline.
#[derive(Debug, Default)]
pub(super) struct LongPolls {
    /// Of each partition, by the append time that ends the wait: only those that end are looked at.
    by_partition: BTreeMap<(PartitionId, Isolation), BTreeMap<(Realtime, RequestId), Poll>>,
    /// Up to where polls of what is committed were looked at: an end that has not moved wakes nobody, however many blocks
    /// come.
    committed_ends: BTreeMap<PartitionId, Offset>,
    deadlines: BTreeSet<(Monotonic, RequestId)>,
    by_request: BTreeMap<RequestId, (PartitionId, Isolation, Realtime)>,
}

#[derive(Clone, Copy, Debug)]
struct Poll {
    id: RequestId,
    from: FetchFrom,
    isolation: Isolation,
    bytes_max: usize,
    deadline: Monotonic,
}

impl Poll {
    /// The least append time of a batch that ends the wait. A fetch by offset waits at the end of its partition, so
    /// any batch does.
    fn ends_at(&self) -> Realtime {
        match self.from {
            FetchFrom::Offset(_) => Realtime(0),
            FetchFrom::Time(time) => time,
        }
    }

    /// Whether there still is nothing to answer it with.
    fn is_at_end(&self, state: &Partition) -> bool {
        is_at_end(state, self.from, self.isolation)
    }
}

impl LongPolls {
    pub(super) fn len(&self) -> usize {
        self.deadlines.len()
    }

    pub(super) fn next_deadline(&self) -> Option<Monotonic> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    fn wait_for(&self, partition: PartitionId, isolation: Isolation) -> bool {
        self.by_partition.contains_key(&(partition, isolation))
    }

    /// All polls of what is committed were looked at with this end.
    fn note_committed_end(&mut self, partition: PartitionId, end: Offset) {
        if self.wait_for(partition, Isolation::Committed) {
            self.committed_ends.insert(partition, end);
        }
    }

    /// Forgets a partition that nobody waits for any longer.
    fn forget_empty(&mut self, key: (PartitionId, Isolation)) {
        if self.by_partition.get(&key).is_some_and(BTreeMap::is_empty) {
            self.by_partition.remove(&key);
            if key.1 == Isolation::Committed {
                self.committed_ends.remove(&key.0);
            }
        }
    }

    fn add(&mut self, partition: PartitionId, poll: Poll) {
        let (ends_at, isolation) = (poll.ends_at(), poll.isolation);
        self.deadlines.insert((poll.deadline, poll.id));
        self.by_request.insert(poll.id, (partition, isolation, ends_at));
        self.by_partition.entry((partition, isolation)).or_default().insert((ends_at, poll.id), poll);
    }

    /// Takes the polls of a partition that a batch appended at `append_time` ends.
    fn take(&mut self, partition: PartitionId, isolation: Isolation, append_time: Realtime) -> Vec<Poll> {
        let Some(polls) = self.by_partition.get_mut(&(partition, isolation)) else { return Vec::new() };
        let later = match append_time.0.checked_add(1) {
            Some(next) => polls.split_off(&(Realtime(next), RequestId(0))),
            None => BTreeMap::new(),
        };
        let ended = std::mem::replace(polls, later);
        self.forget_empty((partition, isolation));
        for poll in ended.values() {
            self.deadlines.remove(&(poll.deadline, poll.id));
            self.by_request.remove(&poll.id);
        }
        ended.into_values().collect()
    }

    fn take_one(&mut self, id: RequestId) -> Option<(PartitionId, Poll)> {
        let (partition, isolation, ends_at) = self.by_request.remove(&id)?;
        let polls = self.by_partition.get_mut(&(partition, isolation)).expect("every request has its poll");
        let poll = polls.remove(&(ends_at, id)).expect("every request has its poll");
        self.forget_empty((partition, isolation));
        self.deadlines.remove(&(poll.deadline, id));
        Some((partition, poll))
    }

    fn take_due(&mut self, now: Monotonic) -> Vec<(PartitionId, Poll)> {
        let mut due = Vec::new();
        while let Some((_, id)) = self.deadlines.first().filter(|(at, _)| *at <= now) {
            due.push(self.take_one(*id).expect("every deadline has its poll"));
        }
        due
    }

    fn partitions(&self) -> Vec<(PartitionId, Isolation)> {
        self.by_partition.keys().copied().collect()
    }
}

impl Shard {
    /// Reads durable batches, or waits for some.
    pub(super) fn fetch(
        &mut self,
        id: RequestId,
        partition: PartitionId,
        (from, isolation): (FetchFrom, Isolation),
        bytes_max: usize,
        wait_ns: u64,
        now: Now,
    ) {
        let Some(state) = self.visible_partition(partition) else {
            let refusal = self.unknown_partition(partition);
            return self.refuse(id, refusal);
        };
        if wait_ns > 0 && is_at_end(state, from, isolation) {
            if self.polls.len() >= POLLS_WAITING_MAX {
                return self.refuse(id, Refusal::Busy(self.id));
            }
            let deadline = now.monotonic.plus_ns(wait_ns.min(FETCH_WAIT_NS_MAX));
            return self.polls.add(partition, Poll { id, from, isolation, bytes_max, deadline });
        }
        self.answer_or_read(id, partition, Want::Fetch { from, isolation, bytes_max });
    }

    /// Says where a partition begins, ends or was at a time. Only durable offsets are shown.
    pub(super) fn list_offset(&mut self, id: RequestId, partition: PartitionId, at: OffsetAt) {
        self.answer_or_read(id, partition, Want::Offset { at });
    }

    /// Says how the topic's partitions on this shard are doing, as far as it is durable.
    pub(super) fn describe_partitions(&mut self, id: RequestId, topic: TopicId) {
        let Some(descriptor) = self.owned.durable().topic(topic) else {
            return self.refuse(id, Refusal::UnknownTopic(topic));
        };
        let partitions = descriptor.partitions_on(self.id).filter_map(|partition| self.partitions.get(&partition));
        let reply = Reply::Partitions(partitions.map(status).collect());
        self.answer(id, reply);
    }

    /// Nobody waits for this fetch any more: it is answered with what there is.
    pub(super) fn cancel_poll(&mut self, id: RequestId) {
        if let Some((partition, poll)) = self.polls.take_one(id) {
            self.end_poll(partition, &poll);
        }
    }

    /// The shard that has the partition, as far as this one knows.
    pub fn owner(&self, partition: PartitionId) -> Option<ShardId> {
        if self.partitions.contains_key(&partition) {
            return Some(self.id);
        }
        self.newest_topic(partition.topic)?.shard_of(partition.index)
    }

    /// More of a partition is durable or decided, or it is gone: whoever waited for that is answered. A fetch by time waits
    /// on until a batch is as late, one of what is committed until its end has moved.
    pub(super) fn wake_polls(&mut self, partition: PartitionId) {
        for isolation in [Isolation::Uncommitted, Isolation::Committed] {
            if !self.polls.wait_for(partition, isolation) {
                continue;
            }
            let seen = self.visible_partition(partition).map(|state| {
                let end = state.end_for(isolation);
                (end, state.last_append_time_below(end))
            });
            let is_committed = isolation == Isolation::Committed;
            let reached = match seen {
                None => Realtime(u64::MAX),
                Some((end, _)) if is_committed && self.polls.committed_ends.get(&partition) == Some(&end) => continue,
                Some((_, None)) => continue,
                Some((_, Some(append_time))) => append_time,
            };
            for poll in self.polls.take(partition, isolation, reached) {
                let state = self.visible_partition(partition);
                if is_committed && state.is_some_and(|state| poll.is_at_end(state)) {
                    self.polls.add(partition, poll);
                    continue;
                }
                marks::hit(Mark::PollWoken);
                self.end_poll(partition, &poll);
            }
            if let Some((end, _)) = seen.filter(|_| is_committed) {
                self.polls.note_committed_end(partition, end);
            }
        }
    }

    /// Answers the fetches that waited long enough with what there is.
    pub(super) fn end_due_polls(&mut self, now: Now) {
        for (partition, poll) in self.polls.take_due(now.monotonic) {
            marks::hit(Mark::PollEnded);
            self.end_poll(partition, &poll);
        }
    }

    /// Answers every fetch that waits with what there is.
    pub(super) fn end_all_polls(&mut self) {
        for (partition, isolation) in self.polls.partitions() {
            for poll in self.polls.take(partition, isolation, Realtime(u64::MAX)) {
                self.end_poll(partition, &poll);
            }
        }
    }

    /// Answers a fetch that waited with what there is.
    fn end_poll(&mut self, partition: PartitionId, poll: &Poll) {
        self.answer_or_read(
            poll.id,
            partition,
            Want::Fetch { from: poll.from, isolation: poll.isolation, bytes_max: poll.bytes_max },
        );
    }

    /// A partition whose opening is durable.
    pub(super) fn visible_partition(&self, partition: PartitionId) -> Option<&Partition> {
        let is_open = self.owned.durable().topic(partition.topic)?.shard_of(partition.index) == Some(self.id);
        self.partitions.get(&partition).filter(|_| is_open)
    }

    /// Why a partition is not served here.
    pub(super) fn unknown_partition(&self, partition: PartitionId) -> Refusal {
        let placed_on = |placement: &[crate::model::ShardId]| {
            usize::try_from(partition.index).ok().and_then(|index| placement.get(index)).copied()
        };
        match self.newest_topic(partition.topic).and_then(|topic| placed_on(topic.placement())) {
            Some(owner) if owner != self.id => Refusal::NotOwner { partition, owner },
            _ => Refusal::UnknownPartition(partition),
        }
    }
}

fn status(state: &Partition) -> PartitionStatus {
    PartitionStatus {
        partition: state.id(),
        start_offset: state.start_offset(),
        high_watermark: state.durable_offset(),
        stable_offset: state.stable_offset(),
        open_transaction_count: state.transactions().len(),
        oldest_transaction: state.transactions().iter().next(),
        held_bytes: state.held_bytes(),
        stored_bytes: state.stored_bytes(),
        cuts: *state.cuts(),
        producer_count: state.producers().len(),
        last_append_time: state.last_durable_append_time(),
    }
}

/// Whether there is nothing yet that a fetch from there can be answered with.
fn is_at_end(state: &Partition, from: FetchFrom, isolation: Isolation) -> bool {
    let end = state.end_for(isolation);
    match from {
        FetchFrom::Offset(offset) => offset >= end && offset <= state.durable_offset(),
        FetchFrom::Time(time) => state.last_append_time_below(end).is_none_or(|last| last < time),
    }
}
