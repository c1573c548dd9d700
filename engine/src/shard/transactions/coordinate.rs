//! Coordinating the transactions of this shard's transactional ids.

use super::super::request::{Reply, TransactionReply, TransactionRequest};
use super::super::{Refusal, Shard, TransactionRefusal};
use crate::format::control::{Participant, TransactionRecord};
use crate::limits::{
    LISTED_COUNT_MAX, TRANSACTION_RESEND_NS, TRANSACTION_TIMEOUT_MS_MAX, TRANSACTION_TIMEOUT_MS_MIN,
    TRANSACTIONAL_ID_IDLE_NS,
};
use crate::marks::{self, Mark};
use crate::model::{Monotonic, Now, RequestId, Sequence, ShardId, TransactionKey, TransactionOutcome, TransactionalId};
use crate::transaction::{EndRefusal, JoinRefusal, Verdict, coordinator_of, next_of};

const NS_PER_MS: u64 = 1_000_000;

impl Shard {
    /// Does what is asked of the coordinator.
    pub(in crate::shard) fn transaction_request(&mut self, id: RequestId, request: TransactionRequest, now: Now) {
        match request {
            TransactionRequest::Open { name, timeout_ms } => self.open_transactional_id(id, &name, timeout_ms, now),
            TransactionRequest::End { transaction, outcome } => self.end_transaction(id, transaction, outcome, now),
            TransactionRequest::List { after } => {
                let statuses = self.transactions.coordinator.statuses(after.as_ref());
                let reply = TransactionReply::List(statuses.take(LISTED_COUNT_MAX).collect());
                self.answer_when_all_durable(id, Reply::Transaction(reply));
            }
            TransactionRequest::Describe { name } => {
                let status = self.transactions.coordinator.status(&name).map(Box::new);
                self.answer_when_all_durable(id, Reply::Transaction(TransactionReply::Description(status)));
            }
        }
    }

    fn open_transactional_id(&mut self, id: RequestId, name: &TransactionalId, timeout_ms: u32, now: Now) {
        match self.take_over(name, timeout_ms, now) {
            Ok((next, sequence)) => {
                let last = self.transactions.coordinator.last(name);
                self.answer_when_durable(id, sequence, Reply::Transaction(TransactionReply::Opened { next, last }));
            }
            Err(refusal) => self.refuse(id, refusal),
        }
    }

    fn take_over(
        &mut self,
        name: &TransactionalId,
        timeout_ms: u32,
        now: Now,
    ) -> Result<(TransactionKey, Sequence), Refusal> {
        if !(TRANSACTION_TIMEOUT_MS_MIN..=TRANSACTION_TIMEOUT_MS_MAX).contains(&timeout_ms) {
            return Err(TransactionRefusal::Timeout(timeout_ms).into());
        }
        if coordinator_of(name, self.shard_count) != self.id {
            return Err(TransactionRefusal::UnknownId(name.clone()).into());
        }
        if let Some((current, true)) = self.transactions.coordinator.current(name) {
            marks::hit(Mark::TransactionTakenOver);
            self.decide(current, TransactionOutcome::Aborted, now)?;
        }
        // Whoever had it may have been told of the current one.
        let known = self.transactions.coordinator.current(name).and_then(|(current, _)| next_of(current));
        let bytes_max = self.transactions.coordinator_bytes_max;
        let plan = |shard: &Self, next| {
            let planned = shard.transactions.coordinator.plan_open(name, next, timeout_ms, now.realtime, bytes_max);
            planned.ok_or(TransactionRefusal::NoRoom(shard.id))
        };
        let next = match known {
            Some(next) => next,
            None => {
                // Room is looked for first: producer ids are not given back.
                plan(self, TransactionKey::default())?;
                self.first_of_a_new_producer()?
            }
        };
        let appended = self.note_transaction(plan(self, next)?)?;
        Ok((next, appended.sequence))
    }

    fn first_of_a_new_producer(&mut self) -> Result<TransactionKey, Refusal> {
        let (producer, _) = self.mint_producer()?;
        Ok(TransactionKey { producer, epoch: crate::model::ProducerEpoch(0) })
    }

    fn end_transaction(&mut self, id: RequestId, transaction: TransactionKey, outcome: TransactionOutcome, now: Now) {
        let refusal = match self.transactions.coordinator.may_end(transaction) {
            Ok(()) => match self.decide(transaction, outcome, now) {
                Ok((next, sequence)) => {
                    let reply = Reply::Transaction(TransactionReply::Ended { outcome, next });
                    return self.answer_when_durable(id, sequence, reply);
                }
                Err(refusal) => refusal,
            },
            Err(EndRefusal::Was { outcome: was, next: Some(next) }) if was == outcome => {
                marks::hit(Mark::TransactionEndedAgain);
                let reply = Reply::Transaction(TransactionReply::Ended { outcome, next });
                return self.answer_when_all_durable(id, reply);
            }
            Err(EndRefusal::Was { outcome: TransactionOutcome::Aborted, next: None })
                if outcome == TransactionOutcome::Aborted =>
            {
                TransactionRefusal::Fenced(transaction).into()
            }
            Err(EndRefusal::Was { outcome: TransactionOutcome::Aborted, .. }) => {
                TransactionRefusal::Aborted(transaction).into()
            }
            Err(EndRefusal::Was { outcome: TransactionOutcome::Committed, .. }) => {
                TransactionRefusal::Committed(transaction).into()
            }
            Err(EndRefusal::Fenced) => TransactionRefusal::Fenced(transaction).into(),
            Err(EndRefusal::Unknown) => TransactionRefusal::UnknownTransaction(transaction).into(),
        };
        // What it tells may not be durable yet.
        self.answer_when_all_durable(id, Reply::Refused(refusal));
    }

    /// Decides how the current transaction of a transactional id ends. Returns what that goes on with, and the block that
    /// holds the decision.
    fn decide(
        &mut self,
        transaction: TransactionKey,
        outcome: TransactionOutcome,
        now: Now,
    ) -> Result<(TransactionKey, Sequence), Refusal> {
        let next = match next_of(transaction) {
            Some(next) => next,
            None => {
                marks::hit(Mark::EpochsUsedUp);
                self.first_of_a_new_producer()?
            }
        };
        let had_to_resend = self.transactions.has_to_resend();
        let decided = TransactionRecord::Decided { transaction, outcome, next, time: now.realtime };
        let appended = self.note_transaction(decided)?;
        self.transactions.clear_deadline(transaction);
        for (participant, shard) in self.transactions.coordinator.untold_of(transaction) {
            self.tell_end(transaction, outcome, participant, shard, now);
        }
        self.settle(transaction);
        // What is to be sent again is not put off, however often transactions end.
        if !had_to_resend && self.transactions.coordinator.is_unsettled(transaction) {
            self.transactions.resend_at = now.monotonic.plus_ns(TRANSACTION_RESEND_NS);
        }
        Ok((next, appended.sequence))
    }

    /// Tells a participant how a transaction ended: another shard when that is durable, one of this shard by the order in
    /// the journal.
    fn tell_end(
        &mut self,
        transaction: TransactionKey,
        outcome: TransactionOutcome,
        participant: Participant,
        shard: ShardId,
        now: Now,
    ) {
        if shard != self.id {
            let told = Self::verdict(transaction, participant, Verdict::Over(outcome));
            return self.tell(shard, told);
        }
        if self.end_here(transaction, &participant, outcome, now) {
            self.transactions.coordinator.participant_ended(transaction, &participant);
        }
    }

    /// Notes that all participants know how a transaction ended, once they do.
    fn settle(&mut self, transaction: TransactionKey) {
        let is_known = self.transactions.coordinator.is_unsettled(transaction);
        if is_known && self.transactions.coordinator.untold_of(transaction).is_empty() {
            // Without room in the journal it is tried again.
            let _ = self.note_transaction(TransactionRecord::Settled { transaction });
        }
    }

    /// A participant has noted durably how a transaction ended.
    pub(super) fn participant_ended(&mut self, transaction: TransactionKey, participant: &Participant) {
        if self.transactions.coordinator.participant_ended(transaction, participant) {
            self.settle(transaction);
        }
    }

    /// A participant's shard asks whether a transaction may write there.
    pub(super) fn asked(
        &mut self,
        from: ShardId,
        question: u64,
        transaction: TransactionKey,
        participant: Participant,
        now: Now,
    ) {
        if self.stopping {
            return;
        }
        let verdict = match self.join(transaction, &participant, from, now) {
            Ok(()) => Verdict::Ongoing { question },
            Err(JoinFailure::Refused(JoinRefusal::Over(outcome))) => Verdict::Over(outcome),
            Err(JoinFailure::Refused(JoinRefusal::NoRoom)) => Verdict::NoRoom { question },
            // It asks again.
            Err(JoinFailure::Journal(_)) => return,
        };
        self.tell(from, Self::verdict(transaction, participant, verdict));
    }

    /// Notes that a transaction writes to a participant.
    pub(super) fn join(
        &mut self,
        transaction: TransactionKey,
        participant: &Participant,
        shard: ShardId,
        now: Now,
    ) -> Result<(), JoinFailure> {
        let coordinator = &self.transactions.coordinator;
        let bytes_max = self.transactions.coordinator_bytes_max;
        let was_ongoing = coordinator.is_ongoing(transaction);
        let planned = coordinator.plan_join(transaction, participant, shard, now.realtime, bytes_max);
        let Some(record) = planned.map_err(JoinFailure::Refused)? else { return Ok(()) };
        self.note_transaction(record).map_err(JoinFailure::Journal)?;
        if !was_ongoing {
            self.begin_deadline(transaction, now.monotonic);
        }
        Ok(())
    }

    /// A transaction that is going on is aborted when its time is over.
    pub(super) fn begin_deadline(&mut self, transaction: TransactionKey, now: Monotonic) {
        let timeout_ms = self.transactions.coordinator.timeout_ms(transaction.producer);
        let timeout_ns = u64::from(timeout_ms.unwrap_or(TRANSACTION_TIMEOUT_MS_MAX)) * NS_PER_MS;
        self.transactions.set_deadline(transaction, now.plus_ns(timeout_ns));
    }

    /// Aborts what took too long.
    pub(super) fn abort_late(&mut self, now: Now) {
        while let Some((_, transaction)) =
            self.transactions.deadlines.first().copied().filter(|(at, _)| *at <= now.monotonic)
        {
            if self.decide(transaction, TransactionOutcome::Aborted, now).is_err() {
                // Without room in the journal it is tried again.
                let later = now.monotonic.plus_ns(TRANSACTION_RESEND_NS);
                return self.transactions.set_deadline(transaction, later);
            }
            marks::hit(Mark::TransactionTimedOut);
        }
    }

    /// Tells participants once more how transactions ended, and notes which are settled.
    pub(super) fn tell_again(&mut self, now: Now) {
        let untold: Vec<_> = self
            .transactions
            .coordinator
            .untold()
            .map(|(key, outcome, participant, shard)| (key, outcome, participant.clone(), shard))
            .collect();
        for (transaction, outcome, participant, shard) in untold {
            self.tell_end(transaction, outcome, participant, shard, now);
        }
        let settled: Vec<_> = self.transactions.coordinator.to_settle().collect();
        settled.into_iter().for_each(|transaction| self.settle(transaction));
    }

    /// Forgets transactional ids that have been idle for too long: a journal entry each, a bounded number at a time.
    pub(in crate::shard) fn expire_transactional_ids(&mut self, now: Now) {
        if self.clock.is_suspended() || !self.has_settled(now) {
            return;
        }
        let idle = self.transactions.coordinator.idle(now.realtime, TRANSACTIONAL_ID_IDLE_NS);
        let due: Vec<_> = idle.take(LISTED_COUNT_MAX).collect();
        for producer in due {
            if self.note_transaction(TransactionRecord::Forgotten { producer }).is_err() {
                return;
            }
            marks::hit(Mark::TransactionalIdForgotten);
        }
    }
}

/// Why a participant did not join.
pub(super) enum JoinFailure {
    /// The coordinator refuses it.
    Refused(JoinRefusal),
    /// The journal does not take the note.
    Journal(Refusal),
}

impl JoinFailure {
    /// The same, for the client.
    pub(super) fn refusal(self, transaction: TransactionKey, shard: ShardId) -> Refusal {
        match self {
            Self::Refused(JoinRefusal::Over(TransactionOutcome::Aborted)) => {
                TransactionRefusal::Aborted(transaction).into()
            }
            Self::Refused(JoinRefusal::Over(TransactionOutcome::Committed)) => {
                TransactionRefusal::Committed(transaction).into()
            }
            Self::Refused(JoinRefusal::NoRoom) => TransactionRefusal::NoRoom(shard).into(),
            Self::Journal(refusal) => refusal,
        }
    }
}
