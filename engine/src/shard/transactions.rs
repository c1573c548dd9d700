//! The shard's part in transactions: it coordinates those of its transactional ids, its partitions and groups take part in
//! those of any shard.
//!
//! A batch of a transaction that is not open in its partition waits until the transaction's coordinator has noted, durably,
//! that the transaction writes there. If that is this shard, the note and the batch go into the journal in this order, which
//! is as good. A decision is told when it is durable; participants on this shard are told through the journal's order too.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::request::Effect;
use super::{Refusal, Shard};
use crate::format::control::{Control, Entry, OffsetRecord, Participant, TransactionRecord};
use crate::format::layout::Geometry;
use crate::group::GroupOffsets;
use crate::journal::append::{Appended, Purpose};
use crate::limits::{
    GROUP_MANIFEST_SHARE, TELLS_WAITING_MAX, TRANSACTION_INQUIRY_NS, TRANSACTION_MANIFEST_SHARE, TRANSACTION_RESEND_NS,
};
use crate::model::{Monotonic, Now, RequestId, Sequence, ShardId, TransactionKey};
use crate::transaction::{PartitionTransactions, TransactionCoordinator, TransactionMessage, Verdict};

mod coordinate;
mod groups;
mod participate;
mod questions;

use questions::Questions;

/// Bytes of a partition with open transactions in a manifest beside these.
const PARTITION_BYTES: usize = 12 + PartitionTransactions::HEAD_BYTES;

/// Transactions of a shard.
#[derive(Debug)]
pub(super) struct Transactions {
    pub(super) coordinator: TransactionCoordinator,
    pub(super) groups: GroupOffsets,
    /// When transactions that are going on are aborted.
    deadlines: BTreeSet<(Monotonic, TransactionKey)>,
    deadline_of: BTreeMap<TransactionKey, Monotonic>,
    /// Messages that leave when their block is durable.
    to_tell: VecDeque<(Sequence, ShardId, TransactionMessage)>,
    /// Who waits for an answer of a coordinator.
    questions: Questions,
    /// Transactions that are open in partitions of this shard.
    open_count: usize,
    open_count_max: usize,
    coordinator_bytes_max: usize,
    group_bytes_max: usize,
    resend_at: Monotonic,
    inquire_at: Monotonic,
}

impl Transactions {
    pub(super) fn new(
        (coordinator, groups): (TransactionCoordinator, GroupOffsets),
        open_count: usize,
        limits: TransactionLimits,
        now: Monotonic,
    ) -> Self {
        Self {
            coordinator,
            groups,
            deadlines: BTreeSet::new(),
            deadline_of: BTreeMap::new(),
            to_tell: VecDeque::new(),
            questions: Questions::default(),
            open_count,
            open_count_max: limits.open_count_max,
            coordinator_bytes_max: limits.coordinator_bytes_max,
            group_bytes_max: limits.group_bytes_max,
            resend_at: now,
            inquire_at: now.plus_ns(TRANSACTION_INQUIRY_NS),
        }
    }

    /// Requests that wait for a coordinator.
    pub(super) fn waiting_count(&self) -> usize {
        self.questions.waiting_count()
    }

    /// Transactions that are open in partitions of this shard.
    pub(super) fn open_count(&self) -> usize {
        self.open_count
    }

    /// So many of a partition are gone with it.
    pub(super) fn forget_open(&mut self, count: usize) {
        self.open_count -= count;
    }

    /// Whether something is sent again until it is answered.
    fn has_to_resend(&self) -> bool {
        self.coordinator.unsettled_count() > 0 || !self.questions.is_empty()
    }

    /// When something is due next.
    pub(super) fn next_deadline(&self) -> Monotonic {
        let resend = self.has_to_resend().then_some(self.resend_at);
        let aborts = self.deadlines.first().map(|(at, _)| *at);
        let due = [resend, aborts, self.questions.next_deadline()];
        due.into_iter().flatten().fold(self.inquire_at, Monotonic::min)
    }

    fn set_deadline(&mut self, transaction: TransactionKey, at: Monotonic) {
        self.clear_deadline(transaction);
        self.deadlines.insert((at, transaction));
        self.deadline_of.insert(transaction, at);
    }

    fn clear_deadline(&mut self, transaction: TransactionKey) {
        if let Some(at) = self.deadline_of.remove(&transaction) {
            self.deadlines.remove(&(at, transaction));
        }
    }
}

/// How much there may be of transactions, by the room in a manifest.
#[derive(Clone, Copy, Debug)]
pub(super) struct TransactionLimits {
    pub(super) open_count_max: usize,
    pub(super) coordinator_bytes_max: usize,
    pub(super) group_bytes_max: usize,
}

impl TransactionLimits {
    /// Transactional ids and open transactions have the half each of what transactions may fill.
    pub(super) fn of(geometry: Geometry) -> Self {
        let share = |divisor: u64| usize::try_from(geometry.manifest_bytes / divisor).unwrap_or(usize::MAX);
        let half = share(2 * TRANSACTION_MANIFEST_SHARE);
        Self {
            open_count_max: half / (PARTITION_BYTES + PartitionTransactions::OPEN_BYTES),
            coordinator_bytes_max: half,
            group_bytes_max: share(GROUP_MANIFEST_SHARE),
        }
    }
}

impl Shard {
    /// Goes on with what was under way before the restart.
    pub(super) fn resume_transactions(&mut self, now: Now) {
        let ongoing: Vec<_> = self.transactions.coordinator.ongoing().collect();
        for transaction in ongoing {
            self.begin_deadline(transaction, now.monotonic);
        }
        self.transactions.resend_at = now.monotonic;
    }

    /// Takes a message about transactions.
    pub(super) fn transaction_message(&mut self, from: ShardId, message: TransactionMessage, now: Now) {
        if self.failed.is_some() || !self.epoch_started {
            return;
        }
        match message {
            TransactionMessage::Ask { question, transaction, participant } => {
                self.asked(from, question, transaction, participant, now);
            }
            TransactionMessage::Tell { transaction, participant, verdict } => {
                self.told(from, transaction, participant, verdict, now);
            }
            TransactionMessage::Ended { transaction, participant } => {
                self.participant_ended(transaction, &participant);
            }
        }
    }

    /// Whether anything about transactions can be due.
    pub(super) fn has_transaction_ticks(&self) -> bool {
        self.failed.is_none() && !self.stopping && self.epoch_started
    }

    /// Does what is due about transactions.
    pub(super) fn tick_transactions(&mut self, now: Now) {
        if !self.has_transaction_ticks() {
            return;
        }
        self.abort_late(now);
        self.give_up_questions(now.monotonic);
        if self.transactions.resend_at <= now.monotonic {
            self.transactions.resend_at = now.monotonic.plus_ns(TRANSACTION_RESEND_NS);
            self.tell_again(now);
            self.ask_again();
        }
        if self.transactions.inquire_at <= now.monotonic {
            self.transactions.inquire_at = now.monotonic.plus_ns(TRANSACTION_INQUIRY_NS / 4);
            self.inquire(now);
        }
    }

    /// Everything up to `durable` may be told.
    pub(super) fn tell_durable(&mut self, durable: Sequence) {
        while let Some((_, to, message)) = self.transactions.to_tell.pop_front_if(|(sequence, ..)| *sequence <= durable)
        {
            self.effects.push(Effect::Send { to, message: message.into() });
        }
    }

    /// Nobody waits any longer: the shard ends, or takes nothing new.
    pub(super) fn end_transaction_waits(&mut self, refusal: &Refusal) {
        self.transactions.to_tell.clear();
        for id in self.transactions.questions.take_all() {
            self.refuse(id, refusal.clone());
        }
    }

    /// Tells a shard when everything appended so far is durable: what is told depends on nothing later. While the disk takes
    /// very long some of it is left out, and told again later as any message that is lost.
    fn tell(&mut self, to: ShardId, message: TransactionMessage) {
        let (appended, durable) = (self.journal.marks().appended(), self.journal.marks().durable());
        if appended <= durable {
            self.effects.push(Effect::Send { to, message: message.into() });
        } else if self.transactions.to_tell.len() < TELLS_WAITING_MAX {
            self.transactions.to_tell.push_back((appended, to, message));
        }
    }

    /// Answers when everything appended so far is durable.
    fn answer_when_all_durable(&mut self, id: RequestId, reply: super::Reply) {
        self.answer_when_durable(id, self.journal.marks().appended(), reply);
    }

    /// Notes a coordinator's fact, which was planned.
    fn note_transaction(&mut self, record: TransactionRecord) -> Result<Appended, Refusal> {
        let entry = Entry::Control(Control::Transaction(record.clone()));
        let appended = self.journal.append(entry, Purpose::Capture).map_err(|error| self.append_refusal(error))?;
        let applied = self.transactions.coordinator.apply(&record);
        applied.expect("planned against what was noted before");
        Ok(appended)
    }

    /// Notes a fact about offsets, which was planned.
    fn note_offsets(&mut self, record: OffsetRecord) -> Result<Appended, Refusal> {
        let entry = Entry::Control(Control::Offsets(record.clone()));
        let appended = self.journal.append(entry, Purpose::Capture).map_err(|error| self.append_refusal(error))?;
        self.transactions.groups.apply(&record).expect("planned against what was noted before");
        Ok(appended)
    }

    fn verdict(transaction: TransactionKey, participant: Participant, verdict: Verdict) -> TransactionMessage {
        TransactionMessage::Tell { transaction, participant, verdict }
    }
}
