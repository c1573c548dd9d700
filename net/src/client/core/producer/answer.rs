//! What an answer, or its absence, means for a batch and for those behind it.

use florin_engine::key::KeyVerdict;
use florin_engine::model::{ProducerEpoch, ProducerId};
use florin_engine::shard::Action;

use super::batch::Progress;
use super::lane::Restamp;
use super::{Attempt, BatchOutcome, ProducerCore, unknown};
use crate::client::SendError;
use crate::protocol::{Code, ErrorResponse, Response};

impl ProducerCore {
    /// An answer came. Answers to attempts whose batch has its outcome already change nothing.
    pub fn on_answer(&mut self, attempt: Attempt, response: Response, now_ns: u64) {
        let Some(index) = self.take_attempt(attempt) else { return };
        match response {
            Response::Produced { base_offset, append_time, duplicate } => {
                self.lanes[attempt.partition as usize].back_off.succeed();
                self.end_batch(attempt, index, BatchOutcome::Stored { base_offset, append_time, duplicate });
            }
            Response::Known(receipts) if receipts.len() == self.record_count(attempt, index) => {
                self.lanes[attempt.partition as usize].back_off.succeed();
                self.end_batch(attempt, index, BatchOutcome::known(&receipts));
            }
            Response::Error(error) => self.on_refusal(attempt, index, error, now_ns),
            // The connection decodes by the request: another answer is none.
            _ => self.lose(attempt, index, "the answer was not one to a produce request", now_ns),
        }
        self.settle(attempt.partition);
    }

    /// The connection ended before the answer came.
    pub fn on_lost(&mut self, attempt: Attempt, reason: &str, now_ns: u64) {
        let Some(index) = self.take_attempt(attempt) else { return };
        self.lose(attempt, index, reason, now_ns);
        self.settle(attempt.partition);
    }

    /// The batch of an attempt that has ended now.
    fn take_attempt(&mut self, attempt: Attempt) -> Option<usize> {
        let lane = self.lanes.get_mut(attempt.partition as usize)?;
        let sent = Progress::Sent(attempt.number);
        let index = lane.batches.iter().position(|batch| batch.number == attempt.batch && batch.progress == sent)?;
        lane.batches[index].progress = Progress::Waiting;
        Some(index)
    }

    fn record_count(&self, attempt: Attempt, index: usize) -> usize {
        self.lanes[attempt.partition as usize].batches[index].record_count as usize
    }

    fn end_batch(&mut self, attempt: Attempt, index: usize, outcome: BatchOutcome) {
        self.lanes[attempt.partition as usize].batches[index].end(outcome, &mut self.outcomes);
    }

    /// Whether it was stored is not known. The server recognises a stamped batch when it is sent again; another one
    /// never is, unless its records are recognised by their keys.
    fn lose(&mut self, attempt: Attempt, index: usize, reason: &str, now_ns: u64) {
        if !self.rules.idempotent && self.topic.keys.is_none() {
            return self.end_batch(attempt, index, BatchOutcome::Failed(unknown(reason)));
        }
        let lane = &mut self.lanes[attempt.partition as usize];
        lane.batches[index].maybe_stored = true;
        lane.rewinds = true;
        lane.back_off.fail(now_ns);
    }

    /// This attempt did not store it. An earlier one, whose answer was lost, still may have.
    fn on_refusal(&mut self, attempt: Attempt, index: usize, error: ErrorResponse, now_ns: u64) {
        let partition = attempt.partition;
        let idempotent = self.rules.idempotent;
        match error.code {
            // Its keys know what its sequence does not any more.
            Code::DUPLICATE_BEYOND_WINDOW if self.topic.keys.is_some() => {
                let lane = &mut self.lanes[partition as usize];
                lane.batches[index].refusal = Some(error);
                return lane.leave_gap(Restamp::RaiseEpoch);
            }
            Code::KEYS_KNOWN | Code::KEY_CONFLICT if divides(&error.records, self.record_count(attempt, index)) => {
                if let Some(rule) = &self.topic.keys {
                    let lane = &mut self.lanes[partition as usize];
                    lane.back_off.succeed();
                    return lane.divide(index, partition, &error.records, rule, &mut self.outcomes);
                }
            }
            Code::DUPLICATE_BEYOND_WINDOW => {
                let stored = SendError::StoredReceiptLost { partition };
                return self.end_batch(attempt, index, BatchOutcome::Failed(stored));
            }
            Code::OUT_OF_ORDER if idempotent => return self.rewind(attempt, index, error, now_ns),
            Code::UNKNOWN_PRODUCER if idempotent => return self.on_unknown_producer(attempt, index, error, now_ns),
            _ => {}
        }
        match error.action {
            Action::Retry => self.retry(attempt, index, error, now_ns),
            Action::Refresh => {
                self.wants_metadata = true;
                self.retry(attempt, index, error, now_ns);
            }
            Action::OutcomeUnknown => self.lose(attempt, index, &error.to_string(), now_ns),
            Action::Fenced => {
                self.refuse(attempt, index, error.clone());
                self.end(&SendError::Refused(error));
            }
            Action::FixRequest | Action::AbortTransaction | Action::Fatal => self.refuse(attempt, index, error),
        }
    }

    /// Sent again after a while.
    fn retry(&mut self, attempt: Attempt, index: usize, error: ErrorResponse, now_ns: u64) {
        let lane = &mut self.lanes[attempt.partition as usize];
        lane.batches[index].refusal = Some(error);
        lane.rewinds = true;
        lane.back_off.fail(now_ns);
    }

    /// A batch before this one was not stored, so this one was not either. If nothing is before it, and nothing was that
    /// left a gap, the server holds something else than this producer believes; time may tell, and the deadline ends it.
    fn rewind(&mut self, attempt: Attempt, index: usize, error: ErrorResponse, now_ns: u64) {
        let lane = &mut self.lanes[attempt.partition as usize];
        if index == 0 && lane.restamp.is_none() {
            return self.retry(attempt, index, error, now_ns);
        }
        // The refusal is about the one before: whoever sent this one is told nothing of it.
        lane.rewinds = true;
    }

    /// Expected of whatever was sent behind a refused first batch. Otherwise the server forgot the producer: nothing
    /// of it is on its way, or it would know it, so another identity stores nothing twice.
    fn on_unknown_producer(&mut self, attempt: Attempt, index: usize, error: ErrorResponse, now_ns: u64) {
        let lane = &mut self.lanes[attempt.partition as usize];
        let is_forgotten = index == 0 && lane.batches[index].base_sequence != Some(0);
        if !is_forgotten || lane.restamp.is_some() {
            return self.rewind(attempt, index, error, now_ns);
        }
        lane.batches[index].refusal = Some(error);
        let forgotten = lane.identity.map(|(id, _)| id);
        lane.leave_gap(Restamp::NewIdentity);
        if self.identity.map(|(id, _)| id) == forgotten {
            self.identity = None;
        }
    }

    /// It will never be stored, and neither will what was stamped behind it.
    fn refuse(&mut self, attempt: Attempt, index: usize, error: ErrorResponse) {
        let lane = &mut self.lanes[attempt.partition as usize];
        let batch = &mut lane.batches[index];
        let was_stamped = batch.base_sequence.is_some();
        let failed = if batch.maybe_stored {
            unknown(format!("its connection was lost, and sent again it was refused: {error}"))
        } else {
            SendError::Refused(error)
        };
        batch.end(BatchOutcome::Failed(failed), &mut self.outcomes);
        if was_stamped {
            lane.leave_gap(Restamp::RaiseEpoch);
        }
    }

    /// An identity was given.
    pub fn on_identity(&mut self, id: ProducerId, epoch: ProducerEpoch) {
        self.identity_is_asked = false;
        self.identity_refused_by = None;
        self.identity_back_off.succeed();
        self.identity = Some((id, epoch));
    }

    /// No identity was given by this shard.
    pub fn on_identity_refused(&mut self, shard: u16, now_ns: u64) {
        self.identity_is_asked = false;
        self.identity_refused_by = Some(shard);
        self.identity_back_off.fail(now_ns);
    }
}

/// Whether verdicts end or part a batch of so many records, so that there is an end to sending the rest.
fn divides(verdicts: &[KeyVerdict], record_count: usize) -> bool {
    let is_new = |verdict: &KeyVerdict| *verdict == KeyVerdict::New;
    let is_repeated = |verdict: &KeyVerdict| matches!(verdict, KeyVerdict::Repeated { .. });
    verdicts.len() == record_count && !verdicts.iter().all(is_new) && !verdicts.first().is_some_and(is_repeated)
}
