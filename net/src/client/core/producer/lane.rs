//! The batches of one partition, in order.
//!
//! Every partition has an epoch of its own, which the server's tables, one per partition, allow. So an unknown outcome
//! in one partition raises the epoch there and nowhere else: the batches of other partitions that are under way keep
//! their stamps, and none of them has to be drained for it.

use std::collections::VecDeque;

use florin_engine::format::batch::{BatchBuilder, BatchError, Header, sequence_plus};
use florin_engine::format::control::KeyRule;
use florin_engine::key::KeyVerdict;
use florin_engine::model::{ProducerEpoch, ProducerId};

use super::batch::{Batch, Progress};
use super::outcome::Outcomes;
use super::{BatchOutcome, is_about_room, unknown};
use crate::client::SendError;
use crate::client::core::back_off::BackOff;
use crate::protocol::Code;

/// The last epoch that a batch can hold.
const EPOCH_MAX: u16 = i16::MAX.cast_unsigned();

/// A batch that takes records.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) number: u64,
    pub(super) linger_until_ns: u64,
    pub(super) builder: BatchBuilder,
    pub(super) deadline_ns: u64,
    pub(super) cost_bytes: usize,
}

/// What has to happen before more can be sent, because a sequence will never be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restamp {
    /// The next epoch, from sequence 0 on: it fences whatever of the old one still comes.
    RaiseEpoch,
    /// Another producer id, because the server forgot this one.
    NewIdentity,
    /// The same epoch, from this sequence on, for the batch of this number and all behind it: it was refused for its
    /// keys, so the server waits for this sequence still.
    Renumber {
        /// The batch.
        batch: u64,
        /// Its first sequence.
        sequence: u32,
    },
}

/// The batches of one partition.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) open: Option<Open>,
    /// In the order in which they are to be stored.
    pub(super) batches: VecDeque<Batch>,
    /// The id and epoch of what was stamped last.
    pub(super) identity: Option<(ProducerId, ProducerEpoch)>,
    next_sequence: u32,
    epoch_is_raised: bool,
    /// Something was not stored: send nothing until nothing is under way.
    pub(super) rewinds: bool,
    pub(super) restamp: Option<Restamp>,
    pub(super) back_off: BackOff,
    released_bytes: usize,
    /// Whether the topic has idempotency keys: then nothing is stored twice, whatever its stamp is.
    has_keys: bool,
    /// Whether its batches are parts of transactions.
    transactional: bool,
}

impl Open {
    pub(super) fn new(number: u64, bytes_max: usize, linger_until_ns: u64) -> Self {
        let builder = BatchBuilder::with_bytes_max(bytes_max);
        Self { number, linger_until_ns, builder, deadline_ns: u64::MAX, cost_bytes: 0 }
    }

    /// Adds a record and gives its index; none if the batch cannot take it.
    pub(super) fn push(
        &mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Option<u32> {
        self.try_push(timestamp_ms, key, value, headers).ok()
    }

    pub(super) fn try_push(
        &mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Result<u32, BatchError> {
        let index = self.builder.record_count();
        self.builder.push(timestamp_ms, key, value, headers).inspect_err(|error| assert!(is_about_room(error)))?;
        Ok(index)
    }

    /// Counts a record that was added.
    pub(super) fn note(&mut self, cost_bytes: usize, deadline_ns: u64) {
        self.cost_bytes += cost_bytes;
        self.deadline_ns = self.deadline_ns.min(deadline_ns);
    }

    pub(super) fn record_count(&self) -> u32 {
        self.builder.record_count()
    }
}

impl Lane {
    /// A lane of a topic that has idempotency keys, or none.
    pub(super) fn new(has_keys: bool, transactional: bool) -> Self {
        Self { has_keys, transactional, ..Self::default() }
    }

    /// The next transaction has an identity of its own, and its sequences begin with 0.
    pub(super) fn begin(&mut self) {
        assert!(self.is_empty(), "what was sent before has its outcome");
        *self = Self { back_off: self.back_off, ..Self::new(self.has_keys, self.transactional) };
    }

    /// Closes the batch that takes records; tells whether there was one.
    pub(super) fn seal(&mut self) -> bool {
        let Some(open) = self.open.take() else { return false };
        assert!(open.record_count() > 0, "a batch is opened by its first record");
        self.batches.push_back(Batch::of(open));
        true
    }

    /// The batch to send next, if there is one within the first `in_flight_max` places.
    pub(super) fn next_to_send(&self, in_flight_max: usize) -> Option<usize> {
        self.batches.iter().take(in_flight_max).position(|batch| batch.progress == Progress::Waiting)
    }

    /// Whether batches may be sent now.
    pub(super) fn is_ready(&self, now_ns: u64) -> bool {
        !self.rewinds && self.back_off.is_over(now_ns)
    }

    /// Gives a batch the next sequence, unless it has one.
    ///
    /// # Errors
    /// The epoch, if the next one is needed and there is none.
    pub(super) fn stamp(
        &mut self,
        index: usize,
        producer: Option<(ProducerId, ProducerEpoch)>,
    ) -> Result<(), ProducerEpoch> {
        if self.batches[index].base_sequence.is_some() {
            return Ok(());
        }
        let (id, epoch) = match self.identity {
            Some((id, epoch)) if self.epoch_is_raised => {
                if epoch.0 >= EPOCH_MAX {
                    return Err(epoch);
                }
                self.next_sequence = 0;
                (id, ProducerEpoch(epoch.0 + 1))
            }
            Some(identity) => identity,
            None => {
                self.next_sequence = 0;
                producer.expect("batches are sent once there is an identity")
            }
        };
        self.identity = Some((id, epoch));
        self.epoch_is_raised = false;
        let batch = &mut self.batches[index];
        batch.stamp(id, epoch, self.next_sequence, self.transactional);
        self.next_sequence = sequence_plus(self.next_sequence, batch.record_count);
        Ok(())
    }

    /// Notes that a sequence will never be stored: what follows it gets another stamp, once nothing is under way.
    pub(super) fn leave_gap(&mut self, restamp: Restamp) {
        // A raised epoch is always right, and what asked for it must not be forgotten; other numbers are the least.
        let is_less = matches!(restamp, Restamp::Renumber { .. }) && self.restamp.is_some();
        if self.restamp != Some(Restamp::RaiseEpoch) && !is_less {
            self.restamp = Some(restamp);
        }
        self.rewinds = true;
    }

    /// Gives up what has no time left. Only the first batch is looked at: those behind it were sent later, and none of
    /// them may be stored before it has its outcome.
    pub(super) fn expire(&mut self, now_ns: u64, outcomes: &mut Outcomes) {
        if self.batches.is_empty() && self.open.as_ref().is_some_and(|open| open.deadline_ns <= now_ns) {
            self.seal();
        }
        while let Some(batch) = self.batches.front_mut() {
            if batch.progress != Progress::Ended {
                if batch.deadline_ns > now_ns {
                    break;
                }
                let was_stamped = batch.base_sequence.is_some();
                batch.end(BatchOutcome::Failed(late(batch)), outcomes);
                if was_stamped {
                    self.leave_gap(Restamp::RaiseEpoch);
                }
            }
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some(batch) = self.batches.pop_front() {
            self.released_bytes += batch.cost_bytes;
        }
    }

    /// Forgets ended batches at the front, and begins anew once nothing is under way. Gives the bytes released.
    pub(super) fn settle(&mut self, outcomes: &mut Outcomes) -> usize {
        let is_under_way = self.batches.iter().any(|batch| matches!(batch.progress, Progress::Sent(_)));
        if self.rewinds && !is_under_way {
            self.rewinds = false;
            if let Some(restamp) = self.restamp.take() {
                self.begin_anew(restamp, outcomes);
            }
        }
        while self.batches.front().is_some_and(|batch| batch.progress == Progress::Ended) {
            self.pop();
        }
        std::mem::take(&mut self.released_bytes)
    }

    /// The server says what is known of a batch's records by their keys: those that are still to be stored take its
    /// place.
    pub(super) fn divide(
        &mut self,
        index: usize,
        partition: u32,
        verdicts: &[KeyVerdict],
        rule: &KeyRule,
        outcomes: &mut Outcomes,
    ) {
        let batch = &mut self.batches[index];
        let (number, base_sequence, cost_bytes) = (batch.number, batch.base_sequence, batch.cost_bytes);
        let may_come = batch.maybe_stored;
        let mut parts = batch.divide(partition, verdicts, rule, outcomes);
        if let Some(last) = parts.last_mut() {
            last.cost_bytes = cost_bytes;
            self.batches.remove(index);
            parts.into_iter().rev().for_each(|part| self.batches.insert(index, part));
        }
        if let Some(sequence) = base_sequence {
            // What was lost on its way may still come, also when the parts have their outcomes.
            self.leave_gap(if may_come { Restamp::RaiseEpoch } else { Restamp::Renumber { batch: number, sequence } });
        }
    }

    /// What is certainly not stored will get another stamp. What may be stored cannot, unless it has keys: it might be
    /// stored twice.
    fn begin_anew(&mut self, restamp: Restamp, outcomes: &mut Outcomes) {
        let open = || |batch: &&mut Batch| batch.progress != Progress::Ended;
        // What was lost on its way may still come, and would be taken for what has its number now.
        let may_come = self.batches.iter_mut().filter(open()).any(|batch| batch.maybe_stored);
        if let Restamp::Renumber { batch: from, sequence } = restamp
            && !may_come
        {
            self.next_sequence = sequence;
            let behind = self.batches.iter_mut().filter(open()).filter(|batch| batch.number >= from);
            return behind.for_each(|batch| batch.base_sequence = None);
        }
        for batch in self.batches.iter_mut().filter(open()) {
            if batch.maybe_stored && !self.has_keys {
                let error = unknown("its connection was lost, and a batch before it cannot be sent again");
                batch.end(BatchOutcome::Failed(error), outcomes);
            } else {
                batch.base_sequence = None;
            }
        }
        match restamp {
            Restamp::RaiseEpoch | Restamp::Renumber { .. } => self.epoch_is_raised = true,
            Restamp::NewIdentity => {
                self.identity = None;
                self.epoch_is_raised = false;
            }
        }
    }

    /// Ends every batch: `not_stored` for what was certainly not stored.
    pub(super) fn end(&mut self, not_stored: &SendError, outcomes: &mut Outcomes) {
        self.seal();
        for batch in self.batches.iter_mut().filter(|batch| batch.progress != Progress::Ended) {
            let error = match &batch.refusal {
                _ if batch.is_in_doubt() => unknown("its producer ended before the answer came"),
                Some(refusal) if refusal.code == Code::KEYS_UNANSWERABLE => unknown(refusal.to_string()),
                _ => not_stored.clone(),
            };
            batch.end(BatchOutcome::Failed(error), outcomes);
        }
    }

    /// When something is to be done if nothing happens before.
    pub(super) fn wake_at_ns(&self, now_ns: u64) -> u64 {
        let front_ns = self.batches.front().map(|batch| batch.deadline_ns);
        let mut wake_at_ns = front_ns.or(self.open.as_ref().map(|open| open.deadline_ns)).unwrap_or(u64::MAX);
        let linger_ns = self.open.as_ref().map(|open| open.linger_until_ns);
        for at_ns in [linger_ns, Some(self.back_off.not_before_ns())].into_iter().flatten() {
            if at_ns > now_ns {
                wake_at_ns = wake_at_ns.min(at_ns);
            }
        }
        wake_at_ns
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_none() && self.batches.is_empty()
    }

    pub(super) fn in_flight_count(&self) -> usize {
        self.batches.iter().filter(|batch| batch.progress != Progress::Ended && batch.is_in_doubt()).count()
    }
}

/// What is said of a batch whose time is over.
fn late(batch: &Batch) -> SendError {
    match &batch.refusal {
        _ if batch.is_in_doubt() => unknown("no answer came within the delivery timeout"),
        // It may be stored: what is known of its key cannot be read.
        Some(refusal) if refusal.code == Code::KEYS_UNANSWERABLE => unknown(refusal.to_string()),
        Some(refusal) => SendError::Refused(refusal.clone()),
        None => SendError::TimedOut,
    }
}
