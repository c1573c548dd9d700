//! Two shards: one coordinates, a partition of the other takes part.

use bytes::BytesMut;

use super::super::rig::{Rig, SMALL};
use crate::catalogue::{CatalogueMessage, TopicDescriptor};
use crate::format::batch::BatchBuilder;
use crate::format::control::Participant;
use crate::model::{PartitionId, ShardId, TopicId, TransactionKey, TransactionalId};
use crate::shard::{Event, Reply, Request, TransactionReply, TransactionRequest};

/// A transactional id that shard 0 coordinates.
pub(super) const ID: &str = "settlement-1";

pub(super) fn name(text: &str) -> TransactionalId {
    TransactionalId::new(text).unwrap()
}

/// A batch of one record of a transaction.
pub(super) fn in_transaction(transaction: TransactionKey, sequence: u32) -> BytesMut {
    let mut builder = BatchBuilder::new();
    builder.push(0, None, Some(b"pay"), &[]).unwrap();
    builder.stamp(transaction.producer, transaction.epoch, sequence).transactional(true);
    builder.finish()
}

/// The transaction that a transactional id of a shard is in or goes on with.
pub(super) fn key_of(rig: &Rig, id: &str) -> TransactionKey {
    rig.shard.transactions.coordinator.current(&name(id)).expect("it is known").0
}

pub(super) struct Pair {
    pub(super) coordinator: Rig,
    pub(super) participant: Rig,
    pub(super) partition: PartitionId,
}

impl Pair {
    pub(super) fn new() -> Self {
        let coordinator = Rig::serving_with(ShardId(0), 2, SMALL, 1);
        let mut participant = Rig::serving_with(ShardId(1), 2, SMALL, 1);
        let descriptor = TopicDescriptor::new(TopicId(1), "payments", vec![ShardId(1)]).expect("it is right");
        let message = CatalogueMessage::Open { version: 1, descriptor };
        participant.event(Event::Message { from: ShardId(0), message: message.into() });
        participant.settle();
        Self { coordinator, participant, partition: PartitionId { topic: TopicId(1), index: 0 } }
    }

    /// Both shards as they are opened again after a crash at rest; messages under way are lost.
    pub(super) fn crashed(self) -> Self {
        let again = |rig: Rig| {
            let mut rig = rig.crashed();
            rig.begin();
            rig.settle();
            rig
        };
        Self { coordinator: again(self.coordinator), participant: again(self.participant), partition: self.partition }
    }

    pub(super) fn open(&mut self) -> TransactionKey {
        let request = TransactionRequest::Open { name: name(ID), timeout_ms: 10_000 };
        let id = self.coordinator.ask(Request::Transaction(request));
        self.coordinator.settle();
        match self.coordinator.replies.remove(&id) {
            Some(Reply::Transaction(TransactionReply::Opened { next, .. })) => next,
            other => panic!("{other:?}"),
        }
    }

    /// Stores a batch of a transaction.
    pub(super) fn capture(&mut self, transaction: TransactionKey, sequence: u32) {
        let id = self.participant.capture(self.partition, in_transaction(transaction, sequence));
        self.pass_on();
        self.coordinator.settle();
        self.pass_on();
        self.participant.settle();
        let reply = self.participant.replies.remove(&id);
        assert!(matches!(reply, Some(Reply::Captured { .. })), "{reply:?}");
    }

    pub(super) fn name_of_partition(&self) -> Participant {
        Participant::Partition(self.partition)
    }

    /// Delivers the messages that are under way, and no writes.
    pub(super) fn pass_on(&mut self) {
        let (to_participant, to_coordinator) =
            (std::mem::take(&mut self.coordinator.tells), std::mem::take(&mut self.participant.tells));
        for (to, message) in to_coordinator {
            assert_eq!(to, self.coordinator.id);
            self.coordinator.event(Event::Message { from: self.participant.id, message: message.into() });
        }
        for (to, message) in to_participant {
            assert_eq!(to, self.participant.id);
            self.participant.event(Event::Message { from: self.coordinator.id, message: message.into() });
        }
    }
}
