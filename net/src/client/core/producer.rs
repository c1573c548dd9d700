//! What becomes of records: gathered in batches, stamped, sent, repeated, and ended in exactly one outcome each.
//!
//! One `lane` per partition keeps its batches in order. A lane has at most so many batches unanswered as the server
//! keeps receipts of, so whatever is sent again gets the original answer. When an answer shows that a batch was not
//! stored, or a connection breaks, the lane sends nothing more until all its requests have come to an end, waits, and
//! sends again from the first batch without an outcome, the same bytes in the same order. What the server answers
//! to the batches behind a refused one (out of order, or unknown producer) is thereby expected.
//!
//! A transactional producer is given its identity with each transaction. Nothing of a transaction is ever stamped anew: if
//! something of it cannot be stored, all of it ends, and the transaction has to be aborted.
//!
//! In a topic with idempotency keys a batch of which some records are stored already is refused as a whole. Those have
//! their receipts then, and the others are sent as a batch of their own in its place.

mod answer;
mod append;
mod batch;
mod lane;
mod outcome;
mod stamp;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use bytes::Bytes;
use florin_engine::format::batch::BatchError;
use florin_engine::limits::BATCH_BYTES_MAX;
use florin_engine::model::{PartitionId, ProducerEpoch, ProducerId, TransactionKey};

use super::back_off::BackOff;
use crate::client::SendError;
use crate::protocol::{Code, ErrorResponse, TopicDescription};
pub(in crate::client) use append::chosen;
use lane::Lane;
use outcome::Outcomes;
pub use outcome::{BatchOutcome, RecordOutcome, StoredRecord};

/// How a producer gathers, sends and repeats; see [`ProducerSettings`](crate::client::ProducerSettings).
#[derive(Clone, Copy, Debug)]
pub struct ProducerRules {
    /// How long a batch waits for more records.
    pub linger_ns: u64,
    /// Bytes of one batch.
    pub batch_bytes_max: usize,
    /// Bytes of the batch of one record that is larger than that: what the server takes.
    pub server_batch_bytes_max: usize,
    /// Records of one batch.
    pub batch_records_max: u32,
    /// Batches of one partition without an outcome that may have been sent; the retry window at most.
    pub batches_in_flight_max: usize,
    /// Bytes of records without an outcome.
    pub buffer_bytes_max: usize,
    /// From `send` until a record is given up.
    pub delivery_ns: u64,
    /// Whether batches are stamped.
    pub idempotent: bool,
    /// Whether batches are parts of transactions: then they are stamped too.
    pub transactional: bool,
}

/// Where a record was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its batch; numbers are given out in order and never again.
    pub batch: u64,
    /// Its index in the batch.
    pub index: u32,
    /// Its partition.
    pub partition: u32,
    /// Whether there may be something to send or to wait for that there was not before.
    pub is_news: bool,
}

/// Why a record was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// There is no room for it now.
    Full,
    /// It never will be.
    Never(SendError),
}

/// One sending of one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt {
    /// The partition.
    pub partition: u32,
    /// The batch.
    pub batch: u64,
    /// Counts over all batches of the producer.
    pub number: u64,
}

/// Where requests go. Whatever is sent ends in an answer or a loss.
pub trait Outlet {
    /// Whether a request to this shard can be sent now. If not, the shard is wanted: connect to it.
    fn has_room(&mut self, shard: u16) -> bool;
    /// Sends a batch; only after `has_room` said so.
    fn produce(&mut self, shard: u16, partition: PartitionId, batch: &Bytes, attempt: Attempt);
    /// Asks for a producer identity; only after `has_room` said so.
    fn init_producer(&mut self, shard: u16);
}

/// The producer of one topic.
#[derive(Debug)]
pub struct ProducerCore {
    topic: TopicDescription,
    rules: ProducerRules,
    lanes: Vec<Lane>,
    /// Lanes with records that have no outcome.
    active: BTreeSet<u32>,
    /// Where records without a key and a partition go until that partition's batch is closed.
    sticky: u32,
    identity: Option<(ProducerId, ProducerEpoch)>,
    identity_is_asked: bool,
    /// The shard that did not give an identity the last time: another one is asked if there is a choice.
    identity_refused_by: Option<u16>,
    identity_back_off: BackOff,
    next_batch: u64,
    next_attempt: u64,
    buffered_bytes: usize,
    /// Why nothing is taken any longer.
    ended: Option<SendError>,
    wants_metadata: bool,
    outcomes: Outcomes,
}

impl ProducerCore {
    /// For a topic.
    ///
    /// # Panics
    /// If the topic has no partitions or the rules allow nothing: the caller's broken invariant.
    pub fn new(topic: TopicDescription, rules: ProducerRules) -> Self {
        assert!(!topic.placement.is_empty(), "a topic has partitions");
        assert!(rules.batches_in_flight_max > 0 && rules.batch_records_max > 0, "the rules allow something");
        assert!(rules.server_batch_bytes_max <= BATCH_BYTES_MAX, "batches are bounded");
        assert!(rules.idempotent || !rules.transactional, "what is part of a transaction is stamped");
        let has_keys = topic.keys.is_some();
        let lanes = topic.placement.iter().map(|_| Lane::new(has_keys, rules.transactional)).collect();
        let ended = rules.transactional.then_some(SendError::NoTransaction);
        Self {
            topic,
            rules,
            lanes,
            active: BTreeSet::new(),
            sticky: 0,
            identity: None,
            identity_is_asked: false,
            identity_refused_by: None,
            identity_back_off: BackOff::default(),
            next_batch: 0,
            next_attempt: 0,
            buffered_bytes: 0,
            ended,
            wants_metadata: false,
            outcomes: Outcomes::default(),
        }
    }

    /// What is taken from here on is part of this transaction. A producer that failed takes nothing more.
    ///
    /// # Panics
    /// If a record has no outcome yet, or the producer is not a transactional one: the caller's broken invariant.
    pub fn begin(&mut self, transaction: TransactionKey) {
        assert!(self.rules.transactional, "only a transactional producer has transactions");
        assert!(self.active.is_empty(), "a transaction begins when everything before it has its outcome");
        self.lanes.iter_mut().for_each(Lane::begin);
        self.identity = Some((transaction.producer, transaction.epoch));
        self.outcomes.failure = None;
        if self.ended == Some(SendError::NoTransaction) {
            self.ended = None;
        }
    }

    /// Nothing more is taken or sent for the transaction, and what has no outcome does not count.
    pub fn leave(&mut self) {
        self.end(&SendError::NoTransaction);
    }

    /// The topic as last heard.
    pub fn topic(&self) -> &TopicDescription {
        &self.topic
    }

    /// Partitions of the topic.
    pub fn partition_count(&self) -> u32 {
        u32::try_from(self.lanes.len()).expect("a topic has at most 4096 partitions")
    }

    /// Closes the batch that takes records in this lane, if there is one.
    fn seal(&mut self, partition: u32) {
        if self.lanes[partition as usize].seal() && partition == self.sticky {
            self.sticky = (self.sticky + 1) % self.partition_count();
        }
    }

    /// Nothing that is here lingers any longer.
    pub fn expedite(&mut self) {
        let active: Vec<u32> = self.active.iter().copied().collect();
        active.into_iter().for_each(|partition| self.seal(partition));
    }

    /// Sends whatever can be sent.
    pub fn pump(&mut self, now_ns: u64, outlet: &mut impl Outlet) {
        let active: Vec<u32> = self.active.iter().copied().collect();
        let mut identity_shard = None;
        for partition in active {
            let Some(&shard) = self.topic.placement.get(partition as usize) else { continue };
            if !self.prepare(partition, now_ns) || !outlet.has_room(shard) {
                continue;
            }
            if self.rules.idempotent && !self.has_identity(partition) {
                let is_better = identity_shard.is_none() || identity_shard == self.identity_refused_by;
                identity_shard = if is_better { Some(shard) } else { identity_shard };
                continue;
            }
            self.send_lane(partition, shard, outlet);
        }
        if let Some(shard) = identity_shard
            && !self.identity_is_asked
            && self.identity_back_off.is_over(now_ns)
        {
            self.identity_is_asked = true;
            outlet.init_producer(shard);
        }
    }

    /// Whether the lane has something to send now; closes what no longer lingers.
    fn prepare(&mut self, partition: u32, now_ns: u64) -> bool {
        let in_flight_max = self.rules.batches_in_flight_max;
        let lane = &mut self.lanes[partition as usize];
        if !lane.is_ready(now_ns) {
            return false;
        }
        let has_place = lane.batches.len() < in_flight_max;
        let is_due = lane.open.as_ref().is_some_and(|open| open.linger_until_ns <= now_ns);
        if has_place && is_due {
            self.seal(partition);
        }
        self.lanes[partition as usize].next_to_send(in_flight_max).is_some()
    }

    fn has_identity(&self, partition: u32) -> bool {
        self.identity.is_some() || self.lanes[partition as usize].identity.is_some()
    }

    fn send_lane(&mut self, partition: u32, shard: u16, outlet: &mut impl Outlet) {
        let id = PartitionId { topic: self.topic.id, index: partition };
        while outlet.has_room(shard) {
            let lane = &mut self.lanes[partition as usize];
            let Some(index) = lane.next_to_send(self.rules.batches_in_flight_max) else { break };
            if self.rules.idempotent
                && let Err(epoch) = lane.stamp(index, self.identity)
            {
                self.end(&SendError::EpochsUsedUp { epoch });
                return;
            }
            let attempt = Attempt { partition, batch: lane.batches[index].number, number: self.next_attempt };
            self.next_attempt += 1;
            let bytes = lane.batches[index].send(attempt.number);
            outlet.produce(shard, id, &bytes, attempt);
        }
    }

    /// Gives up what has no time left.
    pub fn tick(&mut self, now_ns: u64) {
        let active: Vec<u32> = self.active.iter().copied().collect();
        for partition in active {
            self.lanes[partition as usize].expire(now_ns, &mut self.outcomes);
            self.settle(partition);
        }
    }

    /// Takes an ended batch's bytes off the buffer, and a lane without records off the list.
    fn settle(&mut self, partition: u32) {
        if self.rules.transactional {
            self.break_transaction(partition);
        }
        let released_bytes = self.lanes[partition as usize].settle(&mut self.outcomes);
        assert!(released_bytes <= self.buffered_bytes, "what leaves the buffer was in it");
        self.buffered_bytes -= released_bytes;
        if self.lanes[partition as usize].is_empty() {
            self.active.remove(&partition);
        }
    }

    /// Ends everything if the transaction cannot become whole any more: nothing of it is stamped anew.
    fn break_transaction(&mut self, partition: u32) {
        let has_gap = self.lanes[partition as usize].restamp.take().is_some();
        let reason = match &self.outcomes.failure {
            Some(error) => error.to_string(),
            None if has_gap => format!("what was sent to partition {partition} can never be stored"),
            None => return,
        };
        if self.ended.is_none() {
            self.end(&SendError::TransactionBroken { reason });
        }
    }

    /// Why the open transaction can only be aborted, if that is so; or why nothing is taken any longer.
    pub fn failure(&self) -> Option<&SendError> {
        self.ended.as_ref().filter(|error| **error != SendError::NoTransaction)
    }

    /// When to call [`ProducerCore::tick`] and [`ProducerCore::pump`] if nothing happens before; `u64::MAX` if then
    /// nothing is to be done either.
    pub fn wake_at_ns(&self, now_ns: u64) -> u64 {
        let lanes = self.active.iter().map(|partition| self.lanes[*partition as usize].wake_at_ns(now_ns));
        let mut wake_at_ns = lanes.min().unwrap_or(u64::MAX);
        let identity_at_ns = self.identity_back_off.not_before_ns();
        if identity_at_ns > now_ns && !self.active.is_empty() {
            wake_at_ns = wake_at_ns.min(identity_at_ns);
        }
        wake_at_ns
    }

    /// The topic as some shard knows it. Partitions that were added take records from now on, by key too: a key may then
    /// go to another partition than before. What is older than what is known changes nothing.
    pub fn learn(&mut self, topic: &TopicDescription) {
        let is_older = topic.revision < self.topic.revision || topic.placement.len() < self.lanes.len();
        if topic.id == self.topic.id && !is_older {
            let transactional = self.rules.transactional;
            self.lanes.resize_with(topic.placement.len(), || Lane::new(topic.keys.is_some(), transactional));
            self.topic = topic.clone();
        }
    }

    /// The topic as it is now; none if it certainly does not exist any longer.
    pub fn on_topic(&mut self, topic: Option<&TopicDescription>) {
        self.wants_metadata = false;
        match topic {
            Some(topic) if topic.id == self.topic.id => self.learn(topic),
            _ => {
                let gone = format!("topic {} ({}) was deleted: make a new producer", self.topic.name, self.topic.id);
                self.end(&SendError::Refused(ErrorResponse::new(Code::UNKNOWN_TOPIC, gone)));
            }
        }
    }

    /// Whether an answer said that partitions are elsewhere.
    pub fn wants_metadata(&self) -> bool {
        self.wants_metadata
    }

    /// Nothing is sent any longer: what was sent and has no outcome is unknown, the rest not stored.
    pub fn close(&mut self) {
        self.end(&SendError::Closed);
    }

    /// Ends every batch: `not_stored` for what was certainly not stored, and for all that would come later.
    fn end(&mut self, not_stored: &SendError) {
        if self.ended.is_none() {
            self.ended = Some(not_stored.clone());
        }
        for partition in std::mem::take(&mut self.active) {
            self.lanes[partition as usize].end(not_stored, &mut self.outcomes);
            self.settle(partition);
            assert!(self.lanes[partition as usize].is_empty(), "a lane that was ended is empty");
        }
        assert_eq!(self.buffered_bytes, 0, "nothing is buffered without a batch");
    }

    /// The outcomes since the last call.
    pub fn take_outcomes(&mut self) -> Vec<(u64, BatchOutcome)> {
        let mut outcomes = self.outcomes.take();
        if self.rules.transactional {
            outcomes.iter_mut().for_each(|(_, outcome)| outcome.break_transaction());
        }
        outcomes
    }

    /// Whether there are outcomes to take.
    pub fn has_outcomes(&self) -> bool {
        !self.outcomes.is_empty()
    }

    /// Batches that were sent and have no outcome.
    pub fn in_flight_count(&self) -> usize {
        self.active.iter().map(|partition| self.lanes[*partition as usize].in_flight_count()).sum()
    }

    /// Bytes of records without an outcome, as far as the buffer counts them.
    pub fn buffered_bytes(&self) -> usize {
        self.buffered_bytes
    }
}

/// A batch error that another batch would not have.
fn is_about_room(error: &BatchError) -> bool {
    matches!(error, BatchError::TooLarge { .. } | BatchError::TooManyRecords { .. } | BatchError::Record { .. })
}

/// The words of an outcome that nobody knows.
fn unknown(reason: impl Into<String>) -> SendError {
    SendError::OutcomeUnknown { reason: reason.into() }
}
