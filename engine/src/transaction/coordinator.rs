//! The transactional ids of one shard: whose they are, what their transactions write to, how these ended.
//!
//! Pure state. Each change is a [`TransactionRecord`], which is planned against the state, appended to the journal and
//! applied; a replay applies the same records. What is told to anybody waits until the record is durable.

use std::collections::BTreeMap;

use crate::format::control::{Participant, TransactionRecord};
use crate::limits::TRANSACTION_PARTICIPANTS_MAX;
use crate::model::{ProducerEpoch, ProducerId, Realtime, ShardId, TransactionKey, TransactionOutcome, TransactionalId};

mod codec;
mod status;

pub use codec::CoordinatorDecodeError;
pub use status::{TransactionState, TransactionStatus, Unnoted};

/// Bytes of a transactional id in a manifest beside its name and its participants.
const ID_BYTES: usize = 56;
/// Bytes of a transaction beside its participants, from the first of these on until it is settled: a decision takes no room.
const UNSETTLED_BYTES: usize = 16;
/// Part of the room that is kept for what known transactional ids write to, as a divisor.
const JOIN_SHARE: usize = 4;

/// The shard and the order of participants.
type Participants = BTreeMap<Participant, ShardId>;

/// A transaction that is going on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ongoing {
    since: Realtime,
    participants: Participants,
}

/// One transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    /// The transaction that is going on, or the next one.
    current: TransactionKey,
    timeout_ms: u32,
    ongoing: Option<Ongoing>,
    last: Option<Ended>,
    touched: Realtime,
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which.
    pub transaction: TransactionKey,
    /// How.
    pub outcome: TransactionOutcome,
}

/// A transaction that is decided and that not all participants have noted.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Unsettled {
    outcome: TransactionOutcome,
    participants: Participants,
}

/// What a coordinator knows of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It goes on, or begins with the next batch.
    Current,
    /// It is over. One that is not known was aborted, or all its participants have noted its end.
    Over(TransactionOutcome),
}

/// Why a participant does not join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinRefusal {
    /// The transaction is over.
    Over(TransactionOutcome),
    /// The transaction, or the coordinator, has no room.
    NoRoom,
}

/// Why a transaction is not ended so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndRefusal {
    /// The transactional id is not known, or has another producer.
    Unknown,
    /// Another instance took over, or later transactions have ended: how this one ended is not known any more.
    Fenced,
    /// It ended before.
    Was {
        /// How it ended.
        outcome: TransactionOutcome,
        /// What its instance goes on with; none if another instance has the transactional id since.
        next: Option<TransactionKey>,
    },
}

/// A record that cannot follow what is known. The bytes were checksummed before: it is damage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a coordinator's record cannot follow those before it: {0:?}")]
pub struct ImpossibleRecord(pub TransactionRecord);

/// The transaction after this one, of the same producer; none if its epochs are used up.
pub fn next_of(transaction: TransactionKey) -> Option<TransactionKey> {
    let TransactionKey { producer, epoch } = transaction;
    let next = epoch.0.checked_add(1).filter(|next| i16::try_from(*next).is_ok())?;
    Some(TransactionKey { producer, epoch: ProducerEpoch(next) })
}

/// The coordinator of one shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionCoordinator {
    ids: BTreeMap<TransactionalId, State>,
    by_producer: BTreeMap<ProducerId, TransactionalId>,
    unsettled: BTreeMap<TransactionKey, Unsettled>,
    encoded_bytes: usize,
}

impl TransactionCoordinator {
    /// Bytes that it takes in a manifest, at most.
    pub fn encoded_bytes(&self) -> usize {
        self.encoded_bytes
    }

    /// The transaction that a transactional id is in or goes on with, and whether it has begun.
    pub fn current(&self, name: &TransactionalId) -> Option<(TransactionKey, bool)> {
        self.ids.get(name).map(|state| (state.current, state.ongoing.is_some()))
    }

    /// The last transaction of a transactional id that was decided, as far as it is known.
    pub fn last(&self, name: &TransactionalId) -> Option<Ended> {
        self.ids.get(name)?.last
    }

    /// How long a transaction of this producer may take, in milliseconds.
    pub fn timeout_ms(&self, producer: ProducerId) -> Option<u32> {
        Some(self.state(producer)?.timeout_ms)
    }

    /// The transactional id of a producer.
    pub fn name(&self, producer: ProducerId) -> Option<&TransactionalId> {
        self.by_producer.get(&producer)
    }

    /// Whether this transaction has begun and is not decided.
    pub fn is_ongoing(&self, transaction: TransactionKey) -> bool {
        self.state(transaction.producer).is_some_and(|state| state.current == transaction && state.ongoing.is_some())
    }

    /// All that have begun and are not decided.
    pub fn ongoing(&self) -> impl Iterator<Item = TransactionKey> {
        self.ids.values().filter(|state| state.ongoing.is_some()).map(|state| state.current)
    }

    /// What is known of a transaction.
    pub fn standing(&self, transaction: TransactionKey) -> Standing {
        if self.state(transaction.producer).is_some_and(|state| state.current == transaction) {
            return Standing::Current;
        }
        let unsettled = self.unsettled.get(&transaction).map(|unsettled| unsettled.outcome);
        let last = self.state(transaction.producer).and_then(|state| state.last);
        let last = last.filter(|last| last.transaction == transaction).map(|last| last.outcome);
        Standing::Over(unsettled.or(last).unwrap_or(TransactionOutcome::Aborted))
    }

    /// The record with which an instance takes a transactional id over, whose last transaction, if there was one, is
    /// decided. `None`: there is no room in `bytes_max` for a new one. One that is known takes no more.
    pub fn plan_open(
        &self,
        name: &TransactionalId,
        next: TransactionKey,
        timeout_ms: u32,
        time: Realtime,
        bytes_max: usize,
    ) -> Option<TransactionRecord> {
        let new_bytes = ID_BYTES + name.as_str().len();
        let fits = self.ids.contains_key(name) || self.encoded_bytes + new_bytes <= bytes_max - bytes_max / JOIN_SHARE;
        fits.then(|| TransactionRecord::Opened { name: name.clone(), next, timeout_ms, time })
    }

    /// The record with which a participant joins; `None`: it has.
    ///
    /// # Errors
    /// If the transaction is over, or there is no room in `bytes_max`.
    pub fn plan_join(
        &self,
        transaction: TransactionKey,
        participant: &Participant,
        shard: ShardId,
        time: Realtime,
        bytes_max: usize,
    ) -> Result<Option<TransactionRecord>, JoinRefusal> {
        if let Standing::Over(outcome) = self.standing(transaction) {
            return Err(JoinRefusal::Over(outcome));
        }
        let state = self.state(transaction.producer).expect("a current transaction has a transactional id");
        let participants = state.ongoing.as_ref().map(|ongoing| &ongoing.participants);
        if participants.is_some_and(|participants| participants.contains_key(participant)) {
            return Ok(None);
        }
        let more_bytes = participant_bytes(participant) + if participants.is_none() { UNSETTLED_BYTES } else { 0 };
        let count = participants.map_or(0, BTreeMap::len);
        if count >= TRANSACTION_PARTICIPANTS_MAX || self.encoded_bytes + more_bytes > bytes_max {
            return Err(JoinRefusal::NoRoom);
        }
        let participant = participant.clone();
        Ok(Some(TransactionRecord::Joined { transaction, participant, shard, time }))
    }

    /// Whether a transaction can be ended now by whoever it is of.
    ///
    /// # Errors
    /// If it is not the current one of its transactional id.
    pub fn may_end(&self, transaction: TransactionKey) -> Result<(), EndRefusal> {
        let Some(state) = self.state(transaction.producer) else {
            // The epochs of that producer were used up with this transaction.
            let renamed =
                self.ids.values().find(|state| state.last.is_some_and(|last| last.transaction == transaction));
            return Err(renamed.map_or(EndRefusal::Unknown, |state| state.was()));
        };
        if state.current == transaction {
            return Ok(());
        }
        match state.last.filter(|last| last.transaction == transaction) {
            Some(_) => Err(state.was()),
            None if transaction.epoch > state.current.epoch => Err(EndRefusal::Unknown),
            None => Err(EndRefusal::Fenced),
        }
    }

    /// A participant has noted the end of a transaction. Returns whether it was the last one: then the transaction is
    /// settled.
    pub fn participant_ended(&mut self, transaction: TransactionKey, participant: &Participant) -> bool {
        let Some(unsettled) = self.unsettled.get_mut(&transaction) else { return false };
        let was_there = unsettled.participants.remove(participant).is_some();
        self.encoded_bytes -= if was_there { participant_bytes(participant) } else { 0 };
        unsettled.participants.is_empty()
    }

    /// Whether a decided transaction has participants that have not noted its end.
    pub fn is_unsettled(&self, transaction: TransactionKey) -> bool {
        self.unsettled.contains_key(&transaction)
    }

    /// Who must still be told how transactions ended, on which shard.
    pub fn untold(&self) -> impl Iterator<Item = (TransactionKey, TransactionOutcome, &Participant, ShardId)> {
        self.unsettled.iter().flat_map(|(transaction, unsettled)| {
            let outcome = unsettled.outcome;
            unsettled.participants.iter().map(move |(participant, shard)| (*transaction, outcome, participant, *shard))
        })
    }

    /// Who must still be told how this one ended.
    pub fn untold_of(&self, transaction: TransactionKey) -> Vec<(Participant, ShardId)> {
        let participants = self.unsettled.get(&transaction).map(|unsettled| &unsettled.participants);
        let all = participants.into_iter().flatten();
        all.map(|(participant, shard)| (participant.clone(), *shard)).collect()
    }

    /// Decided transactions of which all participants have noted the end, without a record of that.
    pub fn to_settle(&self) -> impl Iterator<Item = TransactionKey> {
        let empty = self.unsettled.iter().filter(|(_, unsettled)| unsettled.participants.is_empty());
        empty.map(|(transaction, _)| *transaction)
    }

    /// Producers of transactional ids that have been idle for longer than this, without a transaction going on.
    pub fn idle(&self, now: Realtime, idle_ns: u64) -> impl Iterator<Item = ProducerId> {
        let is_idle = move |state: &&State| state.ongoing.is_none() && now.since_ns(state.touched) > idle_ns;
        self.ids.values().filter(is_idle).map(|state| state.current.producer)
    }

    /// Takes a record that was planned, or that a replay found.
    ///
    /// # Errors
    /// If it cannot follow what is known. Nothing was changed.
    pub fn apply(&mut self, record: &TransactionRecord) -> Result<(), ImpossibleRecord> {
        let done = match record {
            TransactionRecord::Opened { name, next, timeout_ms, time } => {
                self.apply_opened(name, *next, *timeout_ms, *time)
            }
            TransactionRecord::Joined { transaction, participant, shard, time } => {
                self.apply_joined(*transaction, participant, *shard, *time)
            }
            TransactionRecord::Decided { transaction, outcome, next, time } => {
                self.apply_decided(Ended { transaction: *transaction, outcome: *outcome }, *next, *time)
            }
            TransactionRecord::Settled { transaction } => self.apply_settled(*transaction),
            TransactionRecord::Forgotten { producer } => self.apply_forgotten(*producer),
        };
        done.ok_or_else(|| ImpossibleRecord(record.clone()))
    }

    fn apply_opened(
        &mut self,
        name: &TransactionalId,
        next: TransactionKey,
        timeout_ms: u32,
        time: Realtime,
    ) -> Option<()> {
        let known = self.ids.get(name);
        let goes_on = known.is_none_or(|state| state.ongoing.is_none() && state.is_followed_by(next));
        let is_taken = self.by_producer.get(&next.producer).is_some_and(|owner| owner != name);
        if !goes_on || is_taken {
            return None;
        }
        let last = known.and_then(|state| state.last);
        match known {
            Some(state) => _ = self.by_producer.remove(&state.current.producer),
            None => self.encoded_bytes += ID_BYTES + name.as_str().len(),
        }
        self.by_producer.insert(next.producer, name.clone());
        let state = State { current: next, timeout_ms, ongoing: None, last, touched: time };
        self.ids.insert(name.clone(), state);
        Some(())
    }

    fn apply_joined(
        &mut self,
        transaction: TransactionKey,
        participant: &Participant,
        shard: ShardId,
        time: Realtime,
    ) -> Option<()> {
        let state = self.state_mut(transaction.producer).filter(|state| state.current == transaction)?;
        if state.ongoing.as_ref().is_some_and(|ongoing| ongoing.participants.contains_key(participant)) {
            return None;
        }
        let more_bytes = participant_bytes(participant) + if state.ongoing.is_none() { UNSETTLED_BYTES } else { 0 };
        let ongoing = state.ongoing.get_or_insert_with(|| Ongoing { since: time, participants: BTreeMap::new() });
        ongoing.participants.insert(participant.clone(), shard);
        state.touched = time;
        self.encoded_bytes += more_bytes;
        Some(())
    }

    fn apply_decided(&mut self, ended: Ended, next: TransactionKey, time: Realtime) -> Option<()> {
        let name = self.by_producer.get(&ended.transaction.producer)?.clone();
        let is_taken = self.by_producer.get(&next.producer).is_some_and(|owner| *owner != name);
        let state = self.ids.get_mut(&name).filter(|state| state.current == ended.transaction)?;
        if is_taken || !state.is_followed_by(next) {
            return None;
        }
        let participants = state.ongoing.take().map(|ongoing| ongoing.participants).unwrap_or_default();
        (state.current, state.last, state.touched) = (next, Some(ended), time);
        self.by_producer.remove(&ended.transaction.producer);
        self.by_producer.insert(next.producer, name);
        if !participants.is_empty() {
            let before = self.unsettled.insert(ended.transaction, Unsettled { outcome: ended.outcome, participants });
            assert!(before.is_none(), "transaction {} was decided twice", ended.transaction);
        }
        Some(())
    }

    fn apply_settled(&mut self, transaction: TransactionKey) -> Option<()> {
        let unsettled = self.unsettled.remove(&transaction)?;
        let participants = unsettled.participants.keys().map(participant_bytes).sum::<usize>();
        self.encoded_bytes -= UNSETTLED_BYTES + participants;
        Some(())
    }

    fn apply_forgotten(&mut self, producer: ProducerId) -> Option<()> {
        self.state(producer).filter(|state| state.ongoing.is_none())?;
        let name = self.by_producer.remove(&producer)?;
        self.ids.remove(&name);
        self.encoded_bytes -= ID_BYTES + name.as_str().len();
        Some(())
    }

    /// Records are lost: nobody can tell which epochs were used, so whoever has a transactional id opens it again and gets
    /// another producer. What was going on is aborted.
    pub fn after_loss(&mut self) {
        for state in std::mem::take(&mut self.ids).into_values() {
            if let Some(Ongoing { participants, .. }) = state.ongoing {
                let aborted = Unsettled { outcome: TransactionOutcome::Aborted, participants };
                self.unsettled.insert(state.current, aborted);
            }
        }
        self.by_producer.clear();
        let unsettled = self.unsettled.values();
        let bytes = unsettled.map(|of| UNSETTLED_BYTES + of.participants.keys().map(participant_bytes).sum::<usize>());
        self.encoded_bytes = bytes.sum();
    }

    fn state(&self, producer: ProducerId) -> Option<&State> {
        self.ids.get(self.by_producer.get(&producer)?)
    }

    fn state_mut(&mut self, producer: ProducerId) -> Option<&mut State> {
        self.ids.get_mut(self.by_producer.get(&producer)?)
    }
}

impl State {
    /// Whether the transactional id can go on with this transaction: in a later epoch, or with another producer.
    fn is_followed_by(&self, next: TransactionKey) -> bool {
        next.producer != self.current.producer || next.epoch > self.current.epoch
    }

    /// Whether the transactional id was opened since its last transaction ended: whoever had it then does not know what it
    /// goes on with.
    fn is_taken_over(&self) -> bool {
        match self.last.map(|last| next_of(last.transaction)) {
            Some(Some(next)) => self.current != next,
            // The end of the last epoch of a producer gave the first of another one.
            Some(None) => self.current.epoch != ProducerEpoch(0),
            None => false,
        }
    }

    /// That the last transaction is over.
    fn was(&self) -> EndRefusal {
        let outcome = self.last.map_or(TransactionOutcome::Aborted, |last| last.outcome);
        EndRefusal::Was { outcome, next: (!self.is_taken_over()).then_some(self.current) }
    }
}

fn participant_bytes(participant: &Participant) -> usize {
    2 + participant.encoded_bytes()
}

#[cfg(test)]
mod tests;
