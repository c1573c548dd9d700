//! Taking part in transactions: batches that wait for a coordinator, and ends of transactions in partitions and groups.

use std::collections::VecDeque;

use bytes::BytesMut;

use super::super::{Refusal, Shard, TransactionRefusal};
use super::questions::Waiting;
use crate::format::batch::{self, BatchInfo};
use crate::format::control::{Entry, OffsetRecord, Participant};
use crate::journal::append::Purpose;
use crate::limits::{PARTITION_TRANSACTIONS_MAX, TRANSACTION_INQUIRY_NS};
use crate::marks::{self, Mark};
use crate::model::{Monotonic, Now, PartitionId, RequestId, ShardId, TransactionKey, TransactionOutcome};
use crate::partition::Placed;
use crate::producer::Admission;
use crate::shard::keyed::beyond_window;
use crate::transaction::{Standing, TransactionMessage, Verdict, shard_of};

impl Shard {
    /// Takes one batch of a transaction for a partition that is open here.
    pub(in crate::shard) fn capture_in_transaction(
        &mut self,
        id: RequestId,
        partition: PartitionId,
        (bytes, info): (BytesMut, BatchInfo),
        transaction: TransactionKey,
        now: Now,
    ) {
        let state = &self.partitions[&partition];
        if state.keys().is_some() {
            return self.refuse(id, TransactionRefusal::KeyedTopic(partition.topic).into());
        }
        let participant = Participant::Partition(partition);
        let is_asked = self.transactions.questions.is_open(transaction, &participant);
        if !is_asked {
            let admission = state.admit(&info);
            if let Some((depends_on, reply)) = Self::answer_of_producer(&admission) {
                return self.answer_after(id, depends_on, reply);
            }
            if admission != Admission::New {
                return self.refuse(id, beyond_window(&info));
            }
            if state.transactions().is_open(transaction) {
                return self.place(id, partition, bytes, &info, &[], now);
            }
        }
        let waiting = Waiting::Capture { id, bytes, info };
        self.join_or_ask(transaction, participant, waiting, now);
    }

    /// Goes on at once if the coordinator is here; otherwise asks it.
    pub(super) fn join_or_ask(
        &mut self,
        transaction: TransactionKey,
        participant: Participant,
        waiting: Waiting,
        now: Now,
    ) {
        let coordinator = shard_of(transaction.producer);
        let id = waiting.id();
        if coordinator.0 >= self.shard_count {
            return self.refuse(id, TransactionRefusal::UnknownTransaction(transaction).into());
        }
        if coordinator == self.id {
            return match self.join(transaction, &participant, self.id, now) {
                Ok(()) => self.go_on(transaction, &participant, VecDeque::from([waiting]), now),
                Err(failure) => {
                    let refusal = failure.refusal(transaction, self.id);
                    // What is over may not be durable yet.
                    self.answer_when_all_durable(id, super::super::Reply::Refused(refusal));
                }
            };
        }
        if !self.transactions.questions.has_room_for(coordinator, &waiting) {
            return self.refuse(id, Refusal::Busy(self.id));
        }
        let question = self.transactions.questions.wait(transaction, &participant, waiting, now.monotonic);
        if let Some(question) = question {
            marks::hit(Mark::CoordinatorAsked);
            self.send_question(coordinator, question, transaction, participant);
        }
    }

    fn send_question(
        &mut self,
        coordinator: ShardId,
        question: u64,
        transaction: TransactionKey,
        participant: Participant,
    ) {
        let message = TransactionMessage::Ask { question, transaction, participant };
        self.effects.push(super::super::request::Effect::Send { to: coordinator, message: message.into() });
    }

    /// The coordinator has noted that the transaction writes here: whoever waited for that goes on, in order.
    fn go_on(&mut self, transaction: TransactionKey, participant: &Participant, waiting: VecDeque<Waiting>, now: Now) {
        for waiting in waiting {
            match (waiting, participant) {
                (Waiting::Capture { id, bytes, info }, Participant::Partition(partition)) => {
                    self.capture_joined(id, *partition, (bytes, info), transaction, now);
                }
                (Waiting::Offsets { id, offsets }, Participant::Group(group)) => {
                    self.commit_joined(id, group.clone(), transaction, offsets, now);
                }
                (waiting, _) => unreachable!("{waiting:?} waits for {participant:?}"),
            }
        }
    }

    fn capture_joined(
        &mut self,
        id: RequestId,
        partition: PartitionId,
        (bytes, info): (BytesMut, BatchInfo),
        transaction: TransactionKey,
        now: Now,
    ) {
        let is_open = self.owned.ahead().topic(partition.topic).is_some();
        let Some(state) = self.partitions.get(&partition).filter(|_| is_open) else {
            let refusal = self.unknown_partition(partition);
            return self.refuse(id, refusal);
        };
        let admission = state.admit(&info);
        if let Some((depends_on, reply)) = Self::answer_of_producer(&admission) {
            return self.answer_after(id, depends_on, reply);
        }
        if admission != Admission::New {
            return self.refuse(id, beyond_window(&info));
        }
        let is_new = !state.transactions().is_open(transaction);
        let is_full = state.transactions().len() >= PARTITION_TRANSACTIONS_MAX
            || self.transactions.open_count >= self.transactions.open_count_max;
        if is_new && is_full {
            return self.refuse(id, TransactionRefusal::NoRoom(self.id).into());
        }
        self.place(id, partition, bytes, &info, &[], now);
        let is_open = self.partitions[&partition].transactions().is_open(transaction);
        self.transactions.open_count += usize::from(is_new && is_open);
    }

    /// A coordinator answered, or says how a transaction ended.
    pub(super) fn told(
        &mut self,
        from: ShardId,
        transaction: TransactionKey,
        participant: Participant,
        verdict: Verdict,
        now: Now,
    ) {
        match verdict {
            Verdict::Ongoing { question } => {
                let waiting = self.transactions.questions.take(transaction, &participant, Some(question));
                self.go_on(transaction, &participant, waiting, now);
            }
            Verdict::NoRoom { question } => {
                let waiting = self.transactions.questions.take(transaction, &participant, Some(question));
                for waiting in waiting {
                    self.refuse(waiting.id(), TransactionRefusal::NoRoom(from).into());
                }
            }
            Verdict::Over(outcome) => {
                // An answer to an earlier question may still come: nothing of this transaction waits for it any more.
                for waiting in self.transactions.questions.take(transaction, &participant, None) {
                    let refusal = match outcome {
                        TransactionOutcome::Aborted => TransactionRefusal::Aborted(transaction),
                        TransactionOutcome::Committed => TransactionRefusal::Committed(transaction),
                    };
                    self.refuse(waiting.id(), refusal.into());
                }
                if self.end_here(transaction, &participant, outcome, now) {
                    self.tell(from, TransactionMessage::Ended { transaction, participant });
                }
            }
        }
    }

    /// Notes how a transaction ended in a partition or a group of this shard, if there is something of it. Returns whether it
    /// is noted, as far as the journal's order goes.
    pub(super) fn end_here(
        &mut self,
        transaction: TransactionKey,
        participant: &Participant,
        outcome: TransactionOutcome,
        now: Now,
    ) -> bool {
        match participant {
            Participant::Partition(partition) => self.end_in_partition(transaction, *partition, outcome, now),
            Participant::Group(group) if self.transactions.groups.is_open(group, transaction) => {
                let (group, time) = (group.clone(), now.realtime);
                self.note_offsets(OffsetRecord::Ended { group, transaction, outcome, time }).is_ok()
            }
            Participant::Group(_) => true,
        }
    }

    fn end_in_partition(
        &mut self,
        transaction: TransactionKey,
        partition: PartitionId,
        outcome: TransactionOutcome,
        now: Now,
    ) -> bool {
        let is_open = self.owned.ahead().topic(partition.topic).is_some();
        let state = self.partitions.get_mut(&partition).filter(|_| is_open);
        let Some((marker, state)) =
            state.and_then(|state| Some((state.transactions().marker(transaction, outcome)?, state)))
        else {
            return true;
        };
        let slot = state.next_slot(now.realtime);
        let mut bytes = marker.build(i64::try_from(slot.append_time.0 / 1_000_000).unwrap_or(i64::MAX));
        batch::place(&mut bytes, slot.base_offset);
        let bytes = bytes.freeze();
        let undecided = state.undecided_after_marker(slot, transaction);
        let entry = Entry::Batch { partition, append_time: slot.append_time, undecided, batch: bytes.clone() };
        let Ok(appended) = self.journal.append(entry, Purpose::Capture) else { return false };
        self.held_bytes += bytes.len();
        let placed = Placed { sequence: appended.sequence, file: appended.file };
        let has_forgotten = state.append_marker(slot, &marker, bytes, placed);
        self.producer_count -= usize::from(has_forgotten);
        self.placed.push_back((appended.sequence, partition, state.next_offset()));
        self.transactions.open_count -= 1;
        marks::hit(match outcome {
            TransactionOutcome::Aborted => Mark::AbortMarker,
            TransactionOutcome::Committed => Mark::CommitMarker,
        });
        self.evict_memory();
        true
    }

    /// Asks once more what was not answered.
    pub(super) fn ask_again(&mut self) {
        for (question, transaction, participant) in self.transactions.questions.all() {
            self.send_question(shard_of(transaction.producer), question, transaction, participant);
        }
    }

    /// Tells those who waited for long that their coordinator does not answer.
    pub(super) fn give_up_questions(&mut self, now: Monotonic) {
        while let Some((transaction, waiting)) = self.transactions.questions.take_late(now) {
            marks::hit(Mark::CoordinatorSilent);
            for waiting in waiting {
                let refusal = TransactionRefusal::CoordinatorSilent(shard_of(transaction.producer));
                self.refuse(waiting.id(), refusal.into());
            }
        }
    }

    /// Asks what became of transactions that have been open for longer than any may: whoever knew may have forgotten.
    pub(super) fn inquire(&mut self, now: Now) {
        let is_old = |since| now.realtime.since_ns(since) > TRANSACTION_INQUIRY_NS;
        let in_partitions = self.partitions.iter().flat_map(|(id, state)| {
            let old = state.transactions().iter().filter(|open| is_old(open.since));
            old.map(|open| (open.transaction, Participant::Partition(*id)))
        });
        let in_groups = self.transactions.groups.open().filter(|(_, _, since)| is_old(*since));
        let in_groups = in_groups.map(|(group, key, _)| (key, Participant::Group(group.clone())));
        let old: Vec<_> = in_partitions.chain(in_groups).collect();
        for (transaction, participant) in old {
            marks::hit(Mark::TransactionInquiry);
            let coordinator = shard_of(transaction.producer);
            if coordinator != self.id {
                // No question has this number: an answer that it goes on means nothing.
                self.send_question(coordinator, 0, transaction, participant);
            } else if let Standing::Over(outcome) = self.transactions.coordinator.standing(transaction) {
                self.end_here(transaction, &participant, outcome, now);
            }
        }
    }
}
