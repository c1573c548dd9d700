//! Every cause of an error with its code, action and details.

use florin_engine::catalogue::{Setting, SettingOutOfBounds, TopicNameError};
use florin_engine::format::batch::BatchError;
use florin_engine::format::control::{KeyRuleError, KeySource};
use florin_engine::key::{KeyFault, KeyVerdict};
use florin_engine::model::{
    GroupId, Offset, PartitionId, ProducerEpoch, ProducerId, Realtime, Sequence, ShardId, TopicId, TransactionKey,
    TransactionalId,
};
use florin_engine::partition::Gap;
use florin_engine::producer::ProducerError;
use florin_engine::shard::{Action, Refusal, TransactionRefusal};

use crate::protocol::{Api, CODES, Code, ErrorResponse, FieldError, FrameError, RequestError, code_row};

const ID: ProducerId = ProducerId(9);
const DEPENDS_ON: Sequence = Sequence(77);
const GAP: Gap = Gap { base_offset: Offset(12), next_offset: Offset(15), accepted: Realtime(1) };

fn of_producers() -> [(ProducerError, u16, [u64; 2]); 6] {
    let (id, depends_on) = (ID, DEPENDS_ON);
    let conflict = ProducerError::SequenceConflict {
        id,
        base_sequence: 11,
        last_sequence: 12,
        held_base_sequence: 10,
        held_last_sequence: 13,
        base_offset: Offset(500),
        depends_on,
    };
    let duplicate = ProducerError::DuplicateBeyondWindow { id, base_sequence: 1, oldest_sequence: 6, depends_on };
    let (known, got) = (ProducerEpoch(4), ProducerEpoch(3));
    [
        (ProducerError::UnknownProducer { id, base_sequence: 3 }, 30, [0, 0]),
        (ProducerError::TableFull { id, count_max: 8 }, 31, [0, 0]),
        (ProducerError::Fenced { id, known, got, depends_on }, 32, [4, 0]),
        (ProducerError::OutOfOrder { id, expected: 8, got: 9, depends_on }, 33, [8, 0]),
        (conflict, 34, [500, 10]),
        (duplicate, 35, [6, 0]),
    ]
}

fn of_keys() -> [(Refusal, u16, [u64; 2]); 4] {
    let partition = PartitionId { topic: TopicId(7), index: 3 };
    let (offset, append_time) = (Offset(41), Realtime(1));
    let mixed = vec![KeyVerdict::New, KeyVerdict::Duplicate { offset, append_time }];
    let conflict = vec![KeyVerdict::New, KeyVerdict::Conflict { offset, append_time }];
    [
        (Refusal::Keys(KeyFault::Missing { index: 2, place: KeySource::RecordKey }), 50, [2, 0]),
        (Refusal::Keys(KeyFault::Elsewhere { index: 2, belongs: 5 }), 51, [2, 5]),
        (Refusal::KeysKnown { partition, verdicts: mixed }, 52, [0, 0]),
        (Refusal::KeysKnown { partition, verdicts: conflict }, 53, [1, 41]),
    ]
}

fn segment_bytes(asked: u64) -> SettingOutOfBounds {
    SettingOutOfBounds { setting: Setting::SegmentBytes, asked, least: 65_536, most: 1 << 32 }
}

fn of_the_engine() -> Vec<(Refusal, u16, [u64; 2])> {
    let (shard, partition) = (ShardId(2), PartitionId { topic: TopicId(7), index: 3 });
    let out_of_range = Refusal::OffsetOutOfRange { asked: Offset(99), start: Offset(10), end: Offset(42) };
    let mut refusals = vec![
        (Refusal::Starting(shard), 1, [0, 0]),
        (Refusal::Stopping(shard), 2, [0, 0]),
        (Refusal::ShardUnavailable(shard), 3, [0, 0]),
        (Refusal::OutcomeUnknown(shard), 4, [0, 0]),
        (Refusal::JournalFull(shard), 5, [0, 0]),
        (Refusal::Busy(shard), 6, [0, 0]),
        (Refusal::NotOpen(shard), 7, [0, 0]),
        (Refusal::UnknownPartition(partition), 10, [0, 0]),
        (Refusal::NotOwner { partition, owner: shard }, 11, [2, 0]),
        (Refusal::UnknownTopic(TopicId(7)), 12, [0, 0]),
        (Refusal::NotCoordinator, 13, [0, 0]),
        (Refusal::TopicName(TopicNameError::Dots), 14, [0, 0]),
        (Refusal::NameTaken(TopicId(7)), 15, [7, 0]),
        (Refusal::PartitionCount { asked: 5000, least: 3, most: 4096 }, 16, [5000, 4096]),
        (Refusal::CatalogueFull, 17, [0, 0]),
        (Refusal::StillWorking, 18, [0, 0]),
        (Refusal::TopicSetting(segment_bytes(1)), 19, [1, 65_536]),
        (Refusal::Batch(BatchError::Control), 20, [0, 0]),
        (out_of_range, 21, [10, 42]),
        (Refusal::Batch(BatchError::Transactional), 22, [0, 0]),
        (Refusal::Batch(BatchError::Checksum { claimed: 1, computed: 2 }), 23, [0, 0]),
        (Refusal::RecordTooLarge { bytes: 70_000, max: 65_536 }, 24, [70_000, 65_536]),
        (Refusal::Damaged { partition, from: Offset(12), to: Offset(15) }, 25, [12, 15]),
        (Refusal::Lost { partition, gap: GAP }, 27, [12, 15]),
        (Refusal::ReadFailed { partition, why: "out of files".to_owned() }, 26, [0, 0]),
        (Refusal::ProducersFull(shard), 36, [0, 0]),
        (Refusal::ProducerIdsExhausted(shard), 37, [0, 0]),
        (Refusal::CheckpointFailed("no space".to_owned()), 40, [0, 0]),
        (Refusal::KeysUnanswerable { partition, why: "damaged".to_owned() }, 54, [0, 0]),
        (Refusal::NoKeys(TopicId(7)), 55, [0, 0]),
        (Refusal::PartitionsFixed { asked: 4, count: 3 }, 56, [4, 3]),
    ];
    refusals.extend(of_keys());
    refusals.extend(of_transactions().map(|(refusal, code, details)| (Refusal::Transaction(refusal), code, details)));
    refusals.extend(of_producers().map(|(error, code, details)| (Refusal::Producer(error), code, details)));
    refusals
}

fn of_transactions() -> [(TransactionRefusal, u16, [u64; 2]); 15] {
    let (transaction, shard) = (TransactionKey { producer: ProducerId(9), epoch: ProducerEpoch(2) }, ShardId(2));
    let group = || GroupId::new("ledger").unwrap();
    let partition = PartitionId { topic: TopicId(7), index: 3 };
    [
        (TransactionRefusal::Aborted(transaction), 60, [9, 2]),
        (TransactionRefusal::Committed(transaction), 61, [9, 2]),
        (TransactionRefusal::UnknownTransaction(transaction), 62, [9, 2]),
        (TransactionRefusal::Fenced(transaction), 63, [9, 2]),
        (TransactionRefusal::CoordinatorSilent(shard), 64, [2, 0]),
        (TransactionRefusal::NoRoom(shard), 65, [2, 0]),
        (TransactionRefusal::KeyedTopic(TopicId(7)), 66, [7, 0]),
        (TransactionRefusal::OffsetsUndecided(group()), 67, [0, 0]),
        (TransactionRefusal::GroupsFull(shard), 68, [2, 0]),
        (TransactionRefusal::UnknownGroup(group()), 69, [0, 0]),
        (TransactionRefusal::Timeout(70_000), 70, [70_000, 60_000]),
        (TransactionRefusal::UnknownId(TransactionalId::new("shop").unwrap()), 71, [0, 0]),
        (TransactionRefusal::StoredApart, 72, [0, 0]),
        (TransactionRefusal::Together("a partition comes twice"), 73, [0, 0]),
        (TransactionRefusal::OutsideTransaction(partition), 74, [0, 0]),
    ]
}

#[test]
fn a_refusal_of_the_engine_has_its_code_the_tables_action_and_its_details() {
    let mut codes = Vec::new();
    for (refusal, code, details) in of_the_engine() {
        let error = ErrorResponse::from(&refusal);
        assert_eq!((error.code, error.details), (Code(code), details), "{refusal:?}");
        assert_eq!(Some(error.action), code_row(error.code).map(|row| row.action), "{refusal:?}");
        assert_eq!(error.message, refusal.to_string());
        let records = if let Refusal::KeysKnown { verdicts, .. } = &refusal { &verdicts[..] } else { &[] };
        assert_eq!(error.records, records, "what is known of each record");
        codes.push(error.code);
    }
    codes.sort();
    let of_the_engine = CODES.iter().map(|row| row.code).filter(|code| code.0 < 100);
    assert_eq!(codes, of_the_engine.collect::<Vec<_>>(), "every code of the engine has its cause");
}

#[test]
fn what_is_out_of_its_bounds_is_told_with_the_nearest_that_is_not() {
    let details = |refusal| ErrorResponse::from(&refusal).details;
    assert_eq!(details(Refusal::PartitionCount { asked: 2, least: 3, most: 4096 }), [2, 3]);
    assert_eq!(details(Refusal::TopicSetting(segment_bytes(1 << 33))), [1 << 33, 1 << 32]);
}

#[test]
fn a_stream_that_cannot_be_cut_has_its_code() {
    let too_large = FrameError::TooLarge { bytes: 1 << 30, bytes_max: 1_114_112 };
    let malformed = FrameError::Malformed { bytes: 4, head_bytes: 0, flags: 0 };
    let damaged = FrameError::Checksum { claimed: 1, computed: 2 };
    let cases = [
        (too_large, 101, Action::FixRequest, [1_114_112, 0]),
        (malformed, 100, Action::FixRequest, [0, 0]),
        (damaged, 102, Action::Retry, [0, 0]),
    ];
    for (cause, code, action, details) in cases {
        let message = cause.to_string();
        assert_eq!(
            ErrorResponse::from(&cause),
            ErrorResponse { code: Code(code), action, details, message, records: Vec::new() }
        );
    }
}

#[test]
fn a_request_that_cannot_be_read_has_its_code() {
    let fields = RequestError::Fields { api: Api::Fetch, error: FieldError::LeftOver { bytes: 1 } };
    let version = RequestError::UnsupportedVersion { api: Api::Fetch, version: 3 };
    let cases = [
        (RequestError::NotARequest, 105, [0, 0]),
        (fields, 105, [0, 0]),
        (RequestError::UnknownApi { number: 99 }, 103, [0, 0]),
        (version, 104, [1, 1]),
    ];
    for (days, nearest) in [(0, 1), (900, 400)] {
        let error = FieldError::KeyRule(KeyRuleError::Window(days));
        let error = ErrorResponse::from(&RequestError::Fields { api: Api::CreateTopic, error });
        assert_eq!((error.code, error.details), (Code::TOPIC_SETTING, [u64::from(days), nearest]));
        assert!(error.message.starts_with("keys remembered for"), "{error}");
    }
    for (cause, code, details) in cases {
        let (action, message) = (Action::FixRequest, cause.to_string());
        let expected = ErrorResponse { code: Code(code), action, details, message, records: Vec::new() };
        assert_eq!(ErrorResponse::from(&cause), expected, "version 1 is the lowest and the highest");
    }
}
