//! Batches and offsets of transactions that wait until a coordinator on another shard has noted where they go.

use std::collections::{BTreeMap, VecDeque};

use bytes::BytesMut;

use crate::format::batch::BatchInfo;
use crate::format::control::{GroupOffset, Participant};
use crate::limits::{COORDINATOR_WAIT_NS, COORDINATOR_WAITING_BYTES_MAX, COORDINATOR_WAITING_COUNT_MAX};
use crate::model::{Monotonic, RequestId, ShardId, TransactionKey};
use crate::transaction::shard_of;

/// What waits.
#[derive(Debug)]
pub(super) enum Waiting {
    /// A batch for a partition.
    Capture { id: RequestId, bytes: BytesMut, info: BatchInfo },
    /// Offsets of a group.
    Offsets { id: RequestId, offsets: Vec<GroupOffset> },
}

/// A question to a coordinator.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) number: u64,
    pub(super) waiting: VecDeque<Waiting>,
    gives_up_at: Monotonic,
}

/// The questions of a shard.
#[derive(Debug, Default)]
pub(super) struct Questions {
    open: BTreeMap<(TransactionKey, Participant), Question>,
    /// The open ones, in the order in which they were asked.
    by_time: BTreeMap<(Monotonic, u64), (TransactionKey, Participant)>,
    waiting_count: usize,
    waiting_bytes: usize,
    /// The same by coordinator.
    by_coordinator: BTreeMap<ShardId, (usize, usize)>,
    last_number: u64,
}

impl Waiting {
    pub(super) fn id(&self) -> RequestId {
        match self {
            Self::Capture { id, .. } | Self::Offsets { id, .. } => *id,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Capture { bytes, .. } => bytes.len(),
            Self::Offsets { offsets, .. } => offsets.iter().map(GroupOffset::encoded_bytes).sum(),
        }
    }
}

impl Questions {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn waiting_count(&self) -> usize {
        self.waiting_count
    }

    /// When the first one is given up.
    pub(super) fn next_deadline(&self) -> Option<Monotonic> {
        self.by_time.first_key_value().map(|((at, _), _)| *at)
    }

    /// Whether somebody waits for this participant's answer.
    pub(super) fn is_open(&self, transaction: TransactionKey, participant: &Participant) -> bool {
        self.open.contains_key(&(transaction, participant.clone()))
    }

    /// Whether one more may wait for this coordinator. One that does not answer leaves half of the room.
    pub(super) fn has_room_for(&self, coordinator: ShardId, waiting: &Waiting) -> bool {
        let (count, bytes) = self.by_coordinator.get(&coordinator).copied().unwrap_or_default();
        let fits = |count: usize, bytes: usize, share: usize| {
            count < COORDINATOR_WAITING_COUNT_MAX / share
                && bytes.saturating_add(waiting.bytes()) <= COORDINATOR_WAITING_BYTES_MAX / share
        };
        fits(self.waiting_count, self.waiting_bytes, 1) && fits(count, bytes, 2)
    }

    fn count(&mut self, coordinator: ShardId, waiting: &Waiting) {
        let (count, bytes) = self.by_coordinator.entry(coordinator).or_default();
        (*count, *bytes) = (*count + 1, *bytes + waiting.bytes());
        self.waiting_count += 1;
        self.waiting_bytes += waiting.bytes();
    }

    fn uncount(&mut self, coordinator: ShardId, waiting: &VecDeque<Waiting>) {
        let bytes = waiting.iter().map(Waiting::bytes).sum::<usize>();
        let (own_count, own_bytes) = self.by_coordinator.entry(coordinator).or_default();
        (*own_count, *own_bytes) = (*own_count - waiting.len(), *own_bytes - bytes);
        self.waiting_count -= waiting.len();
        self.waiting_bytes -= bytes;
    }

    /// Waits behind those who wait for the same; the number of the question if it must be asked now.
    pub(super) fn wait(
        &mut self,
        transaction: TransactionKey,
        participant: &Participant,
        waiting: Waiting,
        now: Monotonic,
    ) -> Option<u64> {
        self.count(shard_of(transaction.producer), &waiting);
        let key = (transaction, participant.clone());
        if let Some(question) = self.open.get_mut(&key) {
            question.waiting.push_back(waiting);
            return None;
        }
        self.last_number += 1;
        let (number, gives_up_at) = (self.last_number, now.plus_ns(COORDINATOR_WAIT_NS));
        self.by_time.insert((gives_up_at, number), key.clone());
        self.open.insert(key, Question { number, waiting: VecDeque::from([waiting]), gives_up_at });
        Some(number)
    }

    /// Takes those who wait for this; with a number only if that is the question's.
    pub(super) fn take(
        &mut self,
        transaction: TransactionKey,
        participant: &Participant,
        number: Option<u64>,
    ) -> VecDeque<Waiting> {
        let key = (transaction, participant.clone());
        let is_it = |question: &Question| number.is_none_or(|number| number == question.number);
        if !self.open.get(&key).is_some_and(is_it) {
            return VecDeque::new();
        }
        let question = self.open.remove(&key).expect("it was just seen");
        self.by_time.remove(&(question.gives_up_at, question.number));
        self.uncount(shard_of(transaction.producer), &question.waiting);
        question.waiting
    }

    /// Takes those who wait for one that is given up now.
    pub(super) fn take_late(&mut self, now: Monotonic) -> Option<(TransactionKey, VecDeque<Waiting>)> {
        let ((_, number), (transaction, participant)) =
            self.by_time.first_key_value().filter(|((at, _), _)| *at <= now)?;
        let (number, transaction, participant) = (*number, *transaction, participant.clone());
        Some((transaction, self.take(transaction, &participant, Some(number))))
    }

    /// All that are open, with their numbers.
    pub(super) fn all(&self) -> Vec<(u64, TransactionKey, Participant)> {
        let all = self.open.iter();
        all.map(|((transaction, participant), question)| (question.number, *transaction, participant.clone())).collect()
    }

    /// Takes everybody who waits.
    pub(super) fn take_all(&mut self) -> Vec<RequestId> {
        self.by_time.clear();
        self.by_coordinator.clear();
        (self.waiting_count, self.waiting_bytes) = (0, 0);
        let waiting = std::mem::take(&mut self.open).into_values().flat_map(|question| question.waiting);
        waiting.map(|waiting| waiting.id()).collect()
    }
}
