//! Codes and actions, which clients rely on for ever.

use std::collections::BTreeSet;

use crate::catalogue::{Setting, SettingOutOfBounds, TopicNameError};
use crate::format::batch::BatchError;
use crate::format::control::KeySource;
use crate::key::{KeyFault, KeyVerdict};
use crate::model::{
    GroupId, Offset, PartitionId, ProducerEpoch, ProducerId, Realtime, Sequence, ShardId, TopicId, TransactionKey,
    TransactionalId,
};
use crate::partition::Gap;
use crate::producer::ProducerError;
use crate::shard::{Action, Refusal, TransactionRefusal};

fn producer_errors() -> [ProducerError; 6] {
    let (id, depends_on) = (ProducerId(1), Sequence(1));
    [
        ProducerError::UnknownProducer { id, base_sequence: 1 },
        ProducerError::TableFull { id, count_max: 1 },
        ProducerError::Fenced { id, known: ProducerEpoch(2), got: ProducerEpoch(1), depends_on },
        ProducerError::OutOfOrder { id, expected: 1, got: 2, depends_on },
        ProducerError::SequenceConflict {
            id,
            base_sequence: 0,
            last_sequence: 0,
            held_base_sequence: 0,
            held_last_sequence: 0,
            base_offset: Offset(0),
            depends_on,
        },
        ProducerError::DuplicateBeyondWindow { id, base_sequence: 0, oldest_sequence: 1, depends_on },
    ]
}

/// Every refusal once, with the code that it has for ever.
fn all() -> Vec<(Refusal, u16)> {
    let shard = ShardId(3);
    let partition = PartitionId { topic: TopicId(1), index: 0 };
    let setting = SettingOutOfBounds { setting: Setting::SegmentBytes, asked: 1, least: 2, most: 3 };
    let conflict = KeyVerdict::Conflict { offset: Offset(7), append_time: Realtime(8) };
    let mut all = vec![
        (Refusal::Starting(shard), 1),
        (Refusal::Stopping(shard), 2),
        (Refusal::ShardUnavailable(shard), 3),
        (Refusal::OutcomeUnknown(shard), 4),
        (Refusal::JournalFull(shard), 5),
        (Refusal::Busy(shard), 6),
        (Refusal::NotOpen(shard), 7),
        (Refusal::UnknownPartition(partition), 10),
        (Refusal::NotOwner { partition, owner: shard }, 11),
        (Refusal::UnknownTopic(TopicId(1)), 12),
        (Refusal::NotCoordinator, 13),
        (Refusal::TopicName(TopicNameError::Empty), 14),
        (Refusal::NameTaken(TopicId(1)), 15),
        (Refusal::PartitionCount { asked: 0, least: 1, most: 2 }, 16),
        (Refusal::CatalogueFull, 17),
        (Refusal::StillWorking, 18),
        (Refusal::TopicSetting(setting), 19),
        (Refusal::Batch(BatchError::Short { bytes: 1 }), 20),
        (Refusal::Batch(BatchError::Transactional), 22),
        (Refusal::Batch(BatchError::Checksum { claimed: 0, computed: 1 }), 23),
        (Refusal::OffsetOutOfRange { asked: Offset(2), start: Offset(0), end: Offset(1) }, 21),
        (Refusal::RecordTooLarge { bytes: 2, max: 1 }, 24),
        (Refusal::Damaged { partition, from: Offset(2), to: Offset(4) }, 25),
        (Refusal::ReadFailed { partition, why: "the disk failed".to_owned() }, 26),
        (
            Refusal::Lost {
                partition,
                gap: Gap { base_offset: Offset(3), next_offset: Offset(6), accepted: Realtime(9) },
            },
            27,
        ),
        (Refusal::ProducersFull(shard), 36),
        (Refusal::ProducerIdsExhausted(shard), 37),
        (Refusal::CheckpointFailed("why".to_owned()), 40),
        (Refusal::Keys(KeyFault::Missing { index: 0, place: KeySource::RecordKey }), 50),
        (Refusal::Keys(KeyFault::Elsewhere { index: 0, belongs: 1 }), 51),
        (Refusal::KeysKnown { partition, verdicts: vec![KeyVerdict::New, KeyVerdict::Repeated { first: 0 }] }, 52),
        (Refusal::KeysKnown { partition, verdicts: vec![conflict, KeyVerdict::New] }, 53),
        (Refusal::KeysUnanswerable { partition, why: "the disk failed".to_owned() }, 54),
        (Refusal::NoKeys(TopicId(1)), 55),
        (Refusal::PartitionsFixed { asked: 2, count: 1 }, 56),
    ];
    all.extend(producer_errors().into_iter().map(Refusal::Producer).zip(30..));
    all.extend(of_transactions().into_iter().map(Refusal::Transaction).zip(60..));
    all
}

/// Every refusal about transactions once, in the order of their codes.
fn of_transactions() -> [TransactionRefusal; 15] {
    let transaction = TransactionKey { producer: ProducerId(1), epoch: ProducerEpoch(2) };
    let group = || GroupId::new("ledger").unwrap();
    [
        TransactionRefusal::Aborted(transaction),
        TransactionRefusal::Committed(transaction),
        TransactionRefusal::UnknownTransaction(transaction),
        TransactionRefusal::Fenced(transaction),
        TransactionRefusal::CoordinatorSilent(ShardId(3)),
        TransactionRefusal::NoRoom(ShardId(3)),
        TransactionRefusal::KeyedTopic(TopicId(1)),
        TransactionRefusal::OffsetsUndecided(group()),
        TransactionRefusal::GroupsFull(ShardId(3)),
        TransactionRefusal::UnknownGroup(group()),
        TransactionRefusal::Timeout(0),
        TransactionRefusal::UnknownId(TransactionalId::new("shop").unwrap()),
        TransactionRefusal::StoredApart,
        TransactionRefusal::Together("a partition comes twice"),
        TransactionRefusal::OutsideTransaction(PartitionId { topic: TopicId(1), index: 0 }),
    ]
}

#[test]
fn every_refusal_has_the_code_it_always_had_and_no_code_is_used_twice() {
    let all = all();
    for (refusal, code) in &all {
        assert_eq!(refusal.code(), *code, "{refusal}");
    }
    assert_eq!(all.iter().map(|(refusal, _)| refusal.code()).collect::<BTreeSet<_>>().len(), all.len());
}

#[test]
fn no_refusal_is_missing_from_the_list() {
    let kinds: BTreeSet<_> = all().iter().map(|(refusal, _)| kind(refusal)).collect();
    assert_eq!(kinds, (0..33).collect());
}

/// A number for each variant: a new one does not compile before it is here.
fn kind(refusal: &Refusal) -> u32 {
    match refusal {
        Refusal::Starting(_) => 0,
        Refusal::Stopping(_) => 1,
        Refusal::ShardUnavailable(_) => 2,
        Refusal::OutcomeUnknown(_) => 3,
        Refusal::JournalFull(_) => 4,
        Refusal::Busy(_) => 5,
        Refusal::UnknownPartition(_) => 6,
        Refusal::NotOwner { .. } => 7,
        Refusal::UnknownTopic(_) => 8,
        Refusal::NotCoordinator => 9,
        Refusal::Batch(_) => 10,
        Refusal::Producer(_) => 11,
        Refusal::ProducersFull(_) => 12,
        Refusal::ProducerIdsExhausted(_) => 13,
        Refusal::OffsetOutOfRange { .. } => 14,
        Refusal::TopicName(_) => 15,
        Refusal::NameTaken(_) => 16,
        Refusal::PartitionCount { .. } => 17,
        Refusal::CatalogueFull => 18,
        Refusal::StillWorking => 19,
        Refusal::CheckpointFailed(_) => 20,
        Refusal::NotOpen(_) => 21,
        Refusal::TopicSetting(_) => 22,
        Refusal::RecordTooLarge { .. } => 23,
        Refusal::Damaged { .. } => 24,
        Refusal::ReadFailed { .. } => 25,
        Refusal::Lost { .. } => 26,
        Refusal::Keys(_) => 27,
        Refusal::KeysKnown { .. } => 28,
        Refusal::KeysUnanswerable { .. } => 29,
        Refusal::NoKeys(_) => 30,
        Refusal::PartitionsFixed { .. } => 31,
        Refusal::Transaction(_) => 32,
    }
}

#[test]
fn only_an_unknown_outcome_lets_a_client_doubt_and_only_a_fenced_producer_stops() {
    for (refusal, _) in all() {
        let unknown = matches!(refusal, Refusal::OutcomeUnknown(_));
        assert_eq!(refusal.action() == Action::OutcomeUnknown, unknown, "{refusal}");
        let fenced = matches!(
            refusal,
            Refusal::Producer(ProducerError::Fenced { .. }) | Refusal::Transaction(TransactionRefusal::Fenced(_))
        );
        assert_eq!(refusal.action() == Action::Fenced, fenced, "{refusal}");
    }
}
