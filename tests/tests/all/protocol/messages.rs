//! The words of refusals: `PROTOCOL.md` shows those that the code writes.

use florin_engine::catalogue::{Setting, SettingOutOfBounds, TopicNameError};
use florin_engine::format::batch::BatchError;
use florin_engine::format::control::KeySource;
use florin_engine::key::{KeyFault, KeyVerdict};
use florin_engine::model::{
    GroupId, Offset, PartitionId, ProducerEpoch, ProducerId, Realtime, Sequence, ShardId, TopicId, TransactionKey,
    TransactionalId,
};
use florin_engine::partition::Gap;
use florin_engine::producer::ProducerError;
use florin_engine::shard::{Refusal, TransactionRefusal};
use florin_net::protocol::{Api, CODES, Code, ErrorResponse, FieldError, FrameError, RequestError};

use super::page_tables;
use crate::tree::{Table, read};

const PARTITION: PartitionId = PartitionId { topic: TopicId(7), index: 3 };
const OWNER: ShardId = ShardId(2);
/// What the server says in words of its own, and where.
const OWN_WORDS: [(Code, &str, &str); 4] = [
    (
        Code::NEGOTIATE_FIRST,
        "net/src/handler.rs",
        "the first request on a connection is a negotiation: send one, then the rest",
    ),
    (
        Code::TOO_MANY_CONNECTIONS,
        "net/src/listener.rs",
        "this port has {limit} connections already: close some, or connect again later",
    ),
    (
        Code::TIMED_OUT,
        "net/src/listener.rs",
        "a whole frame, or the negotiation, did not arrive in time: connect again",
    ),
    (
        Code::OVERLOADED,
        "net/src/handler/fetch.rs",
        "too many fetches wait on this connection for what the server has room for: wait for fewer at once",
    ),
];

fn of_shards() -> Vec<Refusal> {
    let setting = SettingOutOfBounds { setting: Setting::SegmentBytes, asked: 1, least: 65_536, most: 1 << 32 };
    vec![
        Refusal::Starting(OWNER),
        Refusal::Stopping(OWNER),
        Refusal::ShardUnavailable(OWNER),
        Refusal::OutcomeUnknown(OWNER),
        Refusal::JournalFull(OWNER),
        Refusal::Busy(OWNER),
        Refusal::NotOpen(OWNER),
        Refusal::UnknownPartition(PARTITION),
        Refusal::NotOwner { partition: PARTITION, owner: OWNER },
        Refusal::UnknownTopic(TopicId(7)),
        Refusal::NotCoordinator,
        Refusal::TopicName(TopicNameError::Dots),
        Refusal::NameTaken(TopicId(7)),
        Refusal::PartitionCount { asked: 5000, least: 3, most: 4096 },
        Refusal::CatalogueFull,
        Refusal::StillWorking,
        Refusal::TopicSetting(setting),
        Refusal::Batch(BatchError::Short { bytes: 12 }),
        Refusal::OffsetOutOfRange { asked: Offset(99), start: Offset(10), end: Offset(42) },
        Refusal::Batch(BatchError::Transactional),
        Refusal::Batch(BatchError::Checksum { claimed: 1, computed: 2 }),
        Refusal::RecordTooLarge { bytes: 80, max: 64 },
        Refusal::Damaged { partition: PARTITION, from: Offset(3), to: Offset(6) },
        Refusal::Lost {
            partition: PARTITION,
            gap: Gap { base_offset: Offset(3), next_offset: Offset(6), accepted: Realtime(1) },
        },
        Refusal::ReadFailed {
            partition: PARTITION,
            why: "open florin-data/shard-2/segment-000000000009: does not exist".to_owned(),
        },
    ]
}

fn of_producers() -> Vec<Refusal> {
    let (id, depends_on) = (ProducerId(9), Sequence(77));
    let conflict = ProducerError::SequenceConflict {
        id,
        base_sequence: 11,
        last_sequence: 12,
        held_base_sequence: 10,
        held_last_sequence: 13,
        base_offset: Offset(500),
        depends_on,
    };
    let errors = [
        ProducerError::UnknownProducer { id, base_sequence: 3 },
        ProducerError::TableFull { id, count_max: 16_384 },
        ProducerError::Fenced { id, known: ProducerEpoch(4), got: ProducerEpoch(3), depends_on },
        ProducerError::OutOfOrder { id, expected: 8, got: 9, depends_on },
        conflict,
        ProducerError::DuplicateBeyondWindow { id, base_sequence: 1, oldest_sequence: 6, depends_on },
    ];
    let mut refusals: Vec<_> = errors.into_iter().map(Refusal::Producer).collect();
    refusals.extend([Refusal::ProducersFull(OWNER), Refusal::ProducerIdsExhausted(OWNER)]);
    refusals.push(Refusal::CheckpointFailed("no space".to_owned()));
    refusals
}

fn of_keys() -> Vec<Refusal> {
    let (offset, append_time) = (Offset(41), Realtime(1));
    let known = |verdicts| Refusal::KeysKnown { partition: PARTITION, verdicts };
    vec![
        Refusal::Keys(KeyFault::Missing { index: 2, place: KeySource::Header("payment-id".into()) }),
        Refusal::Keys(KeyFault::Elsewhere { index: 2, belongs: 5 }),
        known(vec![KeyVerdict::New, KeyVerdict::Duplicate { offset, append_time }]),
        known(vec![KeyVerdict::New, KeyVerdict::Conflict { offset, append_time }]),
        Refusal::KeysUnanswerable { partition: PARTITION, why: "segment-000000000009 is damaged".to_owned() },
        Refusal::NoKeys(TopicId(7)),
        Refusal::PartitionsFixed { asked: 4, count: 3 },
    ]
}

fn of_transactions() -> impl Iterator<Item = Refusal> {
    let transaction = TransactionKey { producer: ProducerId(9), epoch: ProducerEpoch(2) };
    let group = || GroupId::new("ledger").expect("a name");
    let refusals = [
        TransactionRefusal::Aborted(transaction),
        TransactionRefusal::Committed(transaction),
        TransactionRefusal::UnknownTransaction(transaction),
        TransactionRefusal::Fenced(transaction),
        TransactionRefusal::CoordinatorSilent(OWNER),
        TransactionRefusal::NoRoom(OWNER),
        TransactionRefusal::KeyedTopic(TopicId(7)),
        TransactionRefusal::OffsetsUndecided(group()),
        TransactionRefusal::GroupsFull(OWNER),
        TransactionRefusal::UnknownGroup(group()),
        TransactionRefusal::Timeout(70_000),
        TransactionRefusal::UnknownId(TransactionalId::new("settlement-1").expect("a name")),
        TransactionRefusal::StoredApart,
        TransactionRefusal::Together("a partition comes twice: give each one batch"),
        TransactionRefusal::OutsideTransaction(PARTITION),
    ];
    refusals.into_iter().map(Refusal::Transaction)
}

fn of_frames_and_requests() -> Vec<ErrorResponse> {
    let frames = [
        FrameError::Malformed { bytes: 12, head_bytes: 0, flags: 0 },
        FrameError::TooLarge { bytes: 2_000_000, bytes_max: 1_114_112 },
        FrameError::Checksum { claimed: 1, computed: 2 },
    ];
    let requests = [
        RequestError::UnknownApi { number: 99 },
        RequestError::UnsupportedVersion { api: Api::Fetch, version: 9 },
        RequestError::Fields { api: Api::Fetch, error: FieldError::CutOff { field: "from" } },
    ];
    frames.iter().map(ErrorResponse::from).chain(requests.iter().map(ErrorResponse::from)).collect()
}

/// Every code with words that come with it, as they are sent.
fn samples() -> Vec<(Code, String)> {
    let refusals = of_shards().into_iter().chain(of_producers()).chain(of_keys()).chain(of_transactions());
    let mut samples: Vec<_> = refusals
        .map(|refusal| ErrorResponse::from(&refusal))
        .chain(of_frames_and_requests())
        .map(|error| (error.code, error.message))
        .collect();
    samples.extend(OWN_WORDS.iter().map(|(code, _, words)| (*code, words.replace("{limit}", "1024"))));
    samples.sort_by_key(|(code, _)| *code);
    samples
}

#[test]
fn the_words_of_refusals_in_the_page_are_those_that_are_sent() {
    let samples = samples();
    let listed: Vec<_> = samples.iter().map(|(code, _)| *code).collect();
    assert_eq!(listed, CODES.iter().map(|row| row.code).collect::<Vec<_>>(), "every code has an example");
    for (_, file, words) in OWN_WORDS {
        assert!(read(file).contains(words), "{file} does not say {words:?}");
    }
    let tables = page_tables();
    let table = Table::find(&tables, &["code", "a message"]);
    let said: Vec<_> = table.rows.iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let are: Vec<_> = samples.into_iter().map(|(code, words)| (code.0.to_string(), words)).collect();
    assert_eq!(said, are, "{}", are.iter().map(|(c, w)| format!("| {c} | {w} |\n")).collect::<String>());
}
