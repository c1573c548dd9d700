//! What is told of transactional ids and their transactions.

use super::TransactionCoordinator;
use crate::format::control::Participant;
use crate::limits::STATUS_PARTICIPANTS_MAX;
use crate::model::{Realtime, ShardId, TransactionKey, TransactionOutcome, TransactionalId};

use super::Ended;

/// What a transactional id is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionState {
    /// Nothing: its next transaction has not begun.
    Ready,
    /// A transaction is going on since then.
    Ongoing {
        /// When it wrote something first, Unix nanoseconds.
        since: Realtime,
    },
}

/// A transactional id as its coordinator knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionStatus {
    /// Its name.
    pub name: TransactionalId,
    /// The transaction that is going on, or the next one.
    pub current: TransactionKey,
    /// Whether it has begun.
    pub state: TransactionState,
    /// How long each of its transactions may take, in milliseconds.
    pub timeout_ms: u32,
    /// Where the one that is going on has written something, and on which shard that is; the first
    /// [`STATUS_PARTICIPANTS_MAX`].
    pub participants: Vec<(Participant, ShardId)>,
    /// How many these are.
    pub participant_count: usize,
    /// The last one that ended.
    pub last: Option<Ended>,
    /// Who has not noted yet how transactions of its producer ended; the first [`STATUS_PARTICIPANTS_MAX`].
    pub unnoted: Vec<Unnoted>,
    /// How many these are.
    pub unnoted_count: usize,
}

/// A participant that has not noted yet how a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unnoted {
    /// The transaction.
    pub transaction: TransactionKey,
    /// How it ended.
    pub outcome: TransactionOutcome,
    /// Who has not noted it.
    pub participant: Participant,
    /// On which shard that is.
    pub shard: ShardId,
}

impl From<(TransactionKey, TransactionOutcome, &Participant, ShardId)> for Unnoted {
    fn from(
        (transaction, outcome, participant, shard): (TransactionKey, TransactionOutcome, &Participant, ShardId),
    ) -> Self {
        Self { transaction, outcome, participant: participant.clone(), shard }
    }
}

impl TransactionCoordinator {
    /// Transactional ids, in the order of their names, behind `after`.
    pub fn statuses<'a>(&'a self, after: Option<&'a TransactionalId>) -> impl Iterator<Item = TransactionStatus> + 'a {
        let later = self.ids.iter().filter(move |(name, _)| after.is_none_or(|after| *name > after));
        later.map(|(name, _)| self.status(name).expect("it was just listed"))
    }

    /// One transactional id.
    pub fn status(&self, name: &TransactionalId) -> Option<TransactionStatus> {
        let state = self.ids.get(name)?;
        let participants = || state.ongoing.iter().flat_map(|ongoing| &ongoing.participants);
        let producers = [Some(state.current.producer), state.last.map(|last| last.transaction.producer)];
        let unnoted = || self.untold().filter(|(key, ..)| producers.contains(&Some(key.producer)));
        let first = STATUS_PARTICIPANTS_MAX;
        Some(TransactionStatus {
            name: name.clone(),
            current: state.current,
            state: match &state.ongoing {
                Some(ongoing) => TransactionState::Ongoing { since: ongoing.since },
                None => TransactionState::Ready,
            },
            timeout_ms: state.timeout_ms,
            participants: participants().take(first).map(|(of, shard)| (of.clone(), *shard)).collect(),
            participant_count: participants().count(),
            last: state.last,
            unnoted: unnoted().take(first).map(Unnoted::from).collect(),
            unnoted_count: unnoted().count(),
        })
    }

    /// Transactional ids known.
    pub fn id_count(&self) -> usize {
        self.ids.len()
    }

    /// Transactions that are decided and not settled.
    pub fn unsettled_count(&self) -> usize {
        self.unsettled.len()
    }
}
