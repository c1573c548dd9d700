//! What is fetched next, and what of an answer may be handed out.
//!
//! One request per partition is under way. Batches are checked before anything of them is handed out: their checksum
//! and records, and that each begins where the one before ended.

mod check;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use florin_engine::model::{Offset, PartitionId};
use florin_engine::partition::Isolation;
use florin_engine::shard::Action;

use check::Checked;

use super::back_off::BackOff;
use super::batch_view::ConsumedBatch;
use crate::client::{ClientError, Start};
use crate::protocol::{Code, ErrorResponse, FetchResponse, ListAt, RequestFrom, Response, TopicDescription};

/// How a consumer reads.
#[derive(Clone, Copy, Debug)]
pub struct ConsumerRules {
    /// Bytes of one answer, unless one batch alone is larger.
    pub fetch_bytes_max: u32,
    /// Bytes read ahead over all partitions.
    pub buffer_bytes_max: usize,
    /// How long the server waits for data before it answers with nothing, in milliseconds.
    pub wait_ms: u32,
    /// Whether partitions that are added to the topic later are read as well.
    pub reads_added: bool,
    /// What to see of transactions.
    pub isolation: Isolation,
}

/// One request for one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FetchAttempt {
    /// The partition.
    pub partition: u32,
    /// Counts over all requests of the consumer.
    pub number: u64,
}

/// Where requests go. Whatever is sent ends in an answer or a loss.
pub trait FetchOutlet {
    /// Whether a request to this shard can be sent now. If not, the shard is wanted: connect to it.
    fn has_room(&mut self, shard: u16) -> bool;
    /// Asks for batches from there on, with so much of transactions; only after `has_room` said so.
    fn fetch(
        &mut self,
        shard: u16,
        partition: PartitionId,
        from: (RequestFrom, Isolation),
        bytes_max: u32,
        wait_ms: u32,
        attempt: FetchAttempt,
    );
    /// Asks for an offset; only after `has_room` said so.
    fn list_offset(&mut self, shard: u16, partition: PartitionId, at: ListAt, attempt: FetchAttempt);
}

/// How far one partition was read.
#[derive(Debug)]
struct Assigned {
    start: Start,
    /// The offset to fetch next; none while only the start is known.
    next: Option<Offset>,
    /// The offset to hand out next.
    position: Option<Offset>,
    high_watermark: Option<Offset>,
    request: Option<u64>,
    ready: VecDeque<ConsumedBatch>,
    ready_bytes: usize,
    back_off: BackOff,
    /// Why it rests, and whether the caller was told.
    rests: Option<(ClientError, bool)>,
    /// It rests because what comes next is lost, and goes on here when the caller was told.
    goes_on_at: Option<Offset>,
}

impl Assigned {
    fn at(start: Start) -> Self {
        let next = if let Start::Offset(offset) = start { Some(offset) } else { None };
        Self {
            start,
            next,
            position: next,
            high_watermark: None,
            request: None,
            ready: VecDeque::new(),
            ready_bytes: 0,
            back_off: BackOff::default(),
            rests: None,
            goes_on_at: None,
        }
    }
}

/// The consumer of partitions of one topic.
#[derive(Debug)]
pub struct ConsumerCore {
    topic: TopicDescription,
    rules: ConsumerRules,
    start: Start,
    partitions: BTreeMap<u32, Assigned>,
    next_attempt: u64,
    wants_metadata: bool,
}

impl ConsumerCore {
    /// Reads these partitions.
    ///
    /// # Panics
    /// If there are none or the topic has not all of them: the caller's broken invariant.
    pub fn new(topic: TopicDescription, partitions: &[u32], start: Start, rules: ConsumerRules) -> Self {
        assert!(!partitions.is_empty(), "a consumer reads something");
        assert!(partitions.iter().all(|index| (*index as usize) < topic.placement.len()), "the partitions exist");
        let partitions = partitions.iter().map(|index| (*index, Assigned::at(start))).collect();
        Self { topic, rules, start, partitions, next_attempt: 0, wants_metadata: false }
    }

    /// Asks for whatever there is room for.
    pub fn pump(&mut self, now_ns: u64, outlet: &mut impl FetchOutlet) {
        let share_bytes = self.rules.buffer_bytes_max / self.partitions.len();
        let share_u32 = u32::try_from(share_bytes).unwrap_or(u32::MAX).max(1);
        let bytes_max = self.rules.fetch_bytes_max.min(share_u32);
        for (index, assigned) in &mut self.partitions {
            let is_full = assigned.ready_bytes > 0 && assigned.ready_bytes + bytes_max as usize > share_bytes;
            if assigned.request.is_some() || assigned.rests.is_some() || is_full || !assigned.back_off.is_over(now_ns) {
                continue;
            }
            let Some(&shard) = self.topic.placement.get(*index as usize) else { continue };
            if !outlet.has_room(shard) {
                continue;
            }
            let attempt = FetchAttempt { partition: *index, number: self.next_attempt };
            self.next_attempt += 1;
            assigned.request = Some(attempt.number);
            let partition = PartitionId { topic: self.topic.id, index: *index };
            let from = match (assigned.next, assigned.start) {
                (Some(offset), _) | (None, Start::Offset(offset)) => RequestFrom::Offset(offset),
                (None, Start::Time(time)) => RequestFrom::Time(time),
                (None, Start::Beginning) => {
                    outlet.list_offset(shard, partition, ListAt::Start, attempt);
                    continue;
                }
                (None, Start::End) => {
                    outlet.list_offset(shard, partition, end_of(self.rules.isolation), attempt);
                    continue;
                }
                (None, Start::Timestamp(ms)) => {
                    outlet.list_offset(shard, partition, ListAt::Timestamp(ms), attempt);
                    continue;
                }
            };
            let from = (from, self.rules.isolation);
            outlet.fetch(shard, partition, from, bytes_max, self.rules.wait_ms, attempt);
        }
    }

    /// An answer came. Answers to what is no longer asked change nothing.
    pub fn on_answer(&mut self, attempt: FetchAttempt, response: Response, now_ns: u64) {
        let Some(assigned) = asked(&mut self.partitions, attempt) else { return };
        match response {
            Response::Fetched(fetched) => {
                assigned.back_off.succeed();
                take_in(&self.topic.name, attempt.partition, assigned, fetched);
            }
            Response::Offset(offset) => {
                assigned.back_off.succeed();
                (assigned.next, assigned.position) = (Some(offset), Some(offset));
            }
            Response::Error(error) => match error.action {
                Action::Retry | Action::OutcomeUnknown => assigned.back_off.fail(now_ns),
                Action::Refresh => {
                    assigned.back_off.fail(now_ns);
                    self.wants_metadata = true;
                }
                Action::Fenced | Action::FixRequest | Action::Fatal | Action::AbortTransaction => {
                    assigned.goes_on_at = (error.code == Code::LOST).then_some(Offset(error.details[1]));
                    assigned.rests = Some((ClientError::Refused(error), false));
                }
            },
            // The connection decodes by the request: another answer is none.
            _ => assigned.back_off.fail(now_ns),
        }
    }

    /// The connection ended before the answer came.
    pub fn on_lost(&mut self, attempt: FetchAttempt, now_ns: u64) {
        if let Some(assigned) = asked(&mut self.partitions, attempt) {
            assigned.back_off.fail(now_ns);
        }
    }

    /// The topic as some shard knows it. Partitions that were added are read from their beginning, or from the time or
    /// timestamp that was asked for: whatever is in them came later than the consumer. What is older than what is known
    /// changes nothing.
    pub fn learn(&mut self, topic: &TopicDescription) {
        let (known, told) = (self.topic.placement.len(), topic.placement.len());
        if topic.id != self.topic.id || topic.revision < self.topic.revision || told < known {
            return;
        }
        self.topic = topic.clone();
        if self.rules.reads_added {
            let start = match self.start {
                Start::Time(_) | Start::Timestamp(_) => self.start,
                Start::Beginning | Start::End | Start::Offset(_) => Start::Beginning,
            };
            self.partitions.extend((0..).take(told).skip(known).map(|index| (index, Assigned::at(start))));
        }
    }

    /// The topic as it is now; none if it certainly does not exist any longer.
    pub fn on_topic(&mut self, topic: Option<&TopicDescription>) {
        self.wants_metadata = false;
        match topic {
            Some(topic) if topic.id == self.topic.id => self.learn(topic),
            _ => {
                let gone = format!("topic {} ({}) was deleted: make a new consumer", self.topic.name, self.topic.id);
                let error = ErrorResponse::new(Code::UNKNOWN_TOPIC, gone);
                for assigned in self.partitions.values_mut().filter(|assigned| assigned.rests.is_none()) {
                    assigned.request = None;
                    assigned.rests = Some((ClientError::Refused(error.clone()), false));
                }
            }
        }
    }

    /// Whether an answer said that partitions are elsewhere.
    pub fn wants_metadata(&self) -> bool {
        self.wants_metadata
    }

    /// The topic as last heard.
    pub fn topic(&self) -> &TopicDescription {
        &self.topic
    }

    /// Everything that may be handed out: in order within each partition.
    pub fn take_ready(&mut self) -> Vec<ConsumedBatch> {
        let mut taken = Vec::new();
        for assigned in self.partitions.values_mut() {
            if !assigned.ready.is_empty() {
                assigned.position = assigned.next;
            }
            assigned.ready_bytes = 0;
            taken.extend(assigned.ready.drain(..));
        }
        taken
    }

    /// The next error to tell: of each partition once, when everything before it was handed out; again if all rest. A
    /// partition of which offsets are lost goes on behind them when that was told.
    pub fn take_error(&mut self) -> Option<ClientError> {
        let all_rest = self.partitions.values().all(|assigned| assigned.rests.is_some() && assigned.ready.is_empty());
        for assigned in self.partitions.values_mut().filter(|assigned| assigned.ready.is_empty()) {
            if let Some((error, told)) = &mut assigned.rests
                && (!*told || all_rest)
            {
                *told = true;
                let error = error.clone();
                if let Some(offset) = assigned.goes_on_at.take() {
                    (assigned.next, assigned.position, assigned.rests) = (Some(offset), Some(offset), None);
                }
                return Some(error);
            }
        }
        None
    }

    /// Whether there is something for the caller.
    pub fn has_news(&self) -> bool {
        self.partitions
            .values()
            .any(|assigned| !assigned.ready.is_empty() || assigned.rests.as_ref().is_some_and(|(_, told)| !*told))
    }

    /// Reads on from elsewhere.
    ///
    /// # Panics
    /// If the partition is not one that is read.
    pub fn seek(&mut self, partition: u32, to: Start) {
        let assigned = self.partitions.get_mut(&partition);
        *assigned.expect("only partitions of the consumer are sought") = Assigned::at(to);
    }

    /// The offset to hand out next, once it is known.
    pub fn position(&self, partition: u32) -> Option<Offset> {
        self.partitions.get(&partition)?.position
    }

    /// One behind the last offset that can be read, as last heard.
    pub fn high_watermark(&self, partition: u32) -> Option<Offset> {
        self.partitions.get(&partition)?.high_watermark
    }

    /// The partitions that are read.
    pub fn partitions(&self) -> impl Iterator<Item = u32> {
        self.partitions.keys().copied()
    }

    /// When to call [`ConsumerCore::pump`] if nothing happens before; `u64::MAX` if there is nothing to wait for.
    pub fn wake_at_ns(&self, now_ns: u64) -> u64 {
        let waits = self.partitions.values().map(|assigned| assigned.back_off.not_before_ns());
        waits.filter(|at_ns| *at_ns > now_ns).min().unwrap_or(u64::MAX)
    }
}

fn asked(partitions: &mut BTreeMap<u32, Assigned>, attempt: FetchAttempt) -> Option<&mut Assigned> {
    let assigned = partitions.get_mut(&attempt.partition)?;
    (assigned.request == Some(attempt.number)).then(|| {
        assigned.request = None;
        assigned
    })
}

/// Where whoever begins at the end begins.
fn end_of(isolation: Isolation) -> ListAt {
    match isolation {
        Isolation::Uncommitted => ListAt::End,
        Isolation::Committed => ListAt::Stable,
    }
}

/// Takes what was fetched up to the first thing that is wrong. What does not count, because its transaction was aborted or
/// because it only tells the end of one, is passed over.
fn take_in(topic: &str, partition: u32, assigned: &mut Assigned, fetched: FetchResponse) {
    assigned.high_watermark = Some(fetched.high_watermark);
    let mut may_begin_before = true;
    for batch in fetched.batches {
        let bytes = batch.bytes.len();
        match check::checked(partition, assigned.next, may_begin_before, &fetched.aborted, batch) {
            Ok(Checked::Batch(batch)) => {
                if assigned.position.is_none() {
                    assigned.position = Some(batch.first_offset);
                }
                assigned.next = Some(batch.last_offset.plus(1));
                assigned.ready_bytes += bytes;
                assigned.ready.push_back(batch);
            }
            Ok(Checked::PassedOver { next }) => {
                assigned.next = Some(next);
                if assigned.ready.is_empty() {
                    assigned.position = Some(next);
                }
            }
            Err(fault) => {
                let offset = assigned.next.unwrap_or_default();
                let error = ClientError::Batch { topic: topic.to_owned(), partition, offset, fault };
                assigned.rests = Some((error, false));
                return;
            }
        }
        may_begin_before = false;
    }
}
