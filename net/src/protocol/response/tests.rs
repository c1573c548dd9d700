use bytes::{BufMut, Bytes, BytesMut};
use florin_engine::catalogue::TopicSettings;
use florin_engine::format::batch::HEADER_BYTES;
use florin_engine::format::control::{GroupOffset, KeyRule, KeySource, Participant, Partitioner};
use florin_engine::key::KeyVerdict;
use florin_engine::limits::{
    BATCH_RECORD_COUNT_MAX, FETCH_BYTES_MAX, KEY_BODY_HEADERS_MAX, KEY_HEADER_BYTES_MAX, SHARD_COUNT_MAX,
    TOPIC_COUNT_MAX, TOPIC_NAME_BYTES_MAX, TOPIC_PARTITION_COUNT_MAX,
};
use florin_engine::model::{
    GroupId, Id128, Offset, PartitionId, ProducerEpoch, ProducerId, Realtime, ShardId, TopicId, TransactionKey,
    TransactionOutcome, TransactionalId,
};
use florin_engine::partition::CutReason;
use florin_engine::shard::{Action, BatchReceipt, KeyReceipt};
use florin_engine::transaction::{
    AbortedTransaction, Ended, OpenTransaction, TransactionState, TransactionStatus, Unnoted,
};

use super::{
    ErrorResponse, FetchResponse, FetchedBatch, FetchedHead, Negotiated, PartitionDescription, Response, ResponseError,
    ShardDescription, ShardEndpoints, ShardState, TopicDescription, TopicsPage, fetched_frame_bytes, put_fetched_frame,
};
use crate::limits::{
    ERROR_MESSAGE_BYTES_MAX, METADATA_NAMES_MAX, METADATA_PAGE_BYTES, RESPONSE_BYTES_MAX, TEXT_BYTES_MAX,
};
use crate::protocol::settings::SETTINGS_BYTES;
use crate::protocol::tests::{
    PRODUCER, TIME_NS, cut_off_everywhere, frame_of, golden, placed_batch, reader_of, rule, with_byte_left_over,
};
use crate::protocol::{API_VERSIONS, APIS, Api, Code, FieldError, Frame, Kind};

mod golden;
mod properties;
mod refused;

use golden::transactions;

fn encoded(response: &Response, api: Api, correlation: u64) -> BytesMut {
    let mut out = BytesMut::new();
    response.encode(api, correlation, &mut out);
    out
}

/// The response as it comes out on the other side, where frames have a limit.
fn sent(response: &Response, api: Api) -> Result<Response, ResponseError> {
    let bytes = encoded(response, api, 1);
    assert!(bytes.len() <= RESPONSE_BYTES_MAX, "a frame of {} bytes", bytes.len());
    Response::decode(api, frame_of(&bytes))
}

fn refused(api: Api, error: FieldError) -> Result<Response, ResponseError> {
    Err(ResponseError::Fields { api, error })
}

fn topic() -> TopicDescription {
    TopicDescription { id: TopicId(7), name: "orders".to_owned(), revision: 2, placement: vec![0, 3], keys: None }
}

fn settings() -> TopicSettings {
    TopicSettings {
        retention_bytes: Some(8 << 30),
        retention_ns: None,
        segment_bytes: 1 << 20,
        record_bytes_max: 256 << 10,
    }
}

fn largest_topic() -> TopicDescription {
    let placement = vec![1; TOPIC_PARTITION_COUNT_MAX as usize];
    let longest = |letter: char| -> Box<str> { letter.to_string().repeat(KEY_HEADER_BYTES_MAX).into() };
    let body = ('a'..).take(KEY_BODY_HEADERS_MAX).map(longest).collect();
    let keys = KeyRule::new(KeySource::Header(longest('z')), 1, body, Partitioner::Crc32).ok();
    TopicDescription { id: TopicId(7), name: "x".repeat(TOPIC_NAME_BYTES_MAX), revision: 1, placement, keys }
}

fn negotiated() -> Response {
    let directory_id = std::array::from_fn(|index| u8::try_from(index * 17).unwrap());
    Response::Negotiated(Negotiated {
        directory_id: Id128(directory_id),
        shard: 1,
        shard_count: 4,
        server: "florin 0.1.0".to_owned(),
        request_bytes_max: 1_114_112,
        batch_bytes_max: 1_048_576,
        fetch_bytes_max: 8_388_608,
        requests_max: 1024,
        retry_window_batches: 5,
        idle_ms: 600_000,
        apis: API_VERSIONS.to_vec(),
    })
}

fn topics() -> Response {
    let endpoints = ShardEndpoints { host: "db1.example".to_owned(), ports: vec![9401, 9402, 0, 9404] };
    Response::Topics(TopicsPage { endpoints, complete: true, next: TopicId(9), topics: vec![topic()] })
}

fn described() -> Response {
    let first = PartitionDescription {
        index: 0,
        shard: 0,
        code: 0,
        start_offset: 12,
        high_watermark: 42,
        held_bytes: 4200,
        stored_bytes: 8192,
        producer_count: 3,
        last_append_time: TIME_NS,
        cut_bytes: 1234,
        cut_time: TIME_NS + 1,
        cut_reason: Some(CutReason::Size),
        stable_offset: 41,
        open_transaction_count: 2,
        oldest_transaction: Some(OpenTransaction {
            transaction: TRANSACTION,
            first_offset: Offset(41),
            since: Realtime(TIME_NS),
        }),
    };
    let second = PartitionDescription { index: 1, shard: 3, code: 3, ..PartitionDescription::default() };
    Response::TopicDescribed { topic: topic(), settings: settings(), partitions: vec![first, second] }
}

fn shards() -> Response {
    let first = ShardDescription {
        shard: 0,
        state: ShardState::Serving,
        clock_suspended: true,
        port: 9401,
        epoch: 6,
        durable_sequence: 1000,
        appended_sequence: 1001,
        partition_count: 12,
        connection_count: 3,
        waiting_count: 2,
        unused_file_count: 4,
        held_bytes: 4200,
        captured_count: 17,
        disk_full: true,
        manifest_full: true,
        held_bytes_max: 335_544_320,
        segment_count: 7,
        stored_bytes: 1_048_576,
        unsynced_bytes: 65_536,
        journal_used_bytes: 262_144,
        journal_bytes: 268_435_456,
        manifest_run_bytes: 595,
        manifest_run_bytes_max: 4_194_304,
        cold_read_count: 21,
        cold_waiting_count: 5,
        keys_recent_count: 11,
        keys_cached_bytes: 3072,
        keys_read_count: 12,
        keys_waiting_count: 13,
        transactional_id_count: 14,
        unsettled_transaction_count: 15,
        open_transaction_count: 16,
        group_count: 17,
        coordinator_waiting_count: 18,
        problem: String::new(),
    };
    let problem = "damaged".to_owned();
    let second = ShardDescription { shard: 3, state: ShardState::NotOpen, problem, ..ShardDescription::default() };
    Response::Shards(vec![first, second])
}

const TRANSACTION: TransactionKey = TransactionKey { producer: PRODUCER, epoch: ProducerEpoch(7) };
const ABORTED: AbortedTransaction =
    AbortedTransaction { transaction: TRANSACTION, first_offset: Offset(39), marker: Offset(42) };

fn fetched(batches: Vec<FetchedBatch>) -> Response {
    let aborted = if batches.is_empty() { Vec::new() } else { vec![ABORTED] };
    let (start_offset, high_watermark, stable_offset) = (Offset(0), Offset(42), Offset(42));
    Response::Fetched(FetchResponse { start_offset, high_watermark, stable_offset, aborted, batches })
}

fn error(code: u16, action: Action, details: [u64; 2], message: &str) -> Response {
    Response::Error(ErrorResponse {
        code: Code(code),
        action,
        details,
        message: message.to_owned(),
        records: Vec::new(),
    })
}

fn keyed_topic() -> TopicDescription {
    TopicDescription { revision: 1, keys: Some(rule()), ..topic() }
}

fn with_records() -> Response {
    let records = vec![
        KeyVerdict::New,
        KeyVerdict::Duplicate { offset: Offset(41), append_time: Realtime(TIME_NS) },
        KeyVerdict::Conflict { offset: Offset(40), append_time: Realtime(TIME_NS - 1) },
        KeyVerdict::Repeated { first: 0 },
    ];
    let (action, message) = (Action::FixRequest, "conflict".to_owned());
    Response::Error(ErrorResponse { code: Code::KEY_CONFLICT, action, details: [2, 40], message, records })
}

/// Every golden with its api, its correlation and its value.
fn goldens() -> Vec<(&'static str, Api, u64, Response)> {
    let append_time = Realtime(TIME_NS);
    let batch = FetchedBatch { base_offset: Offset(41), append_time, bytes: placed_batch(41) };
    let produced = Response::Produced { base_offset: Offset(41), append_time, duplicate: false };
    let ends = "too large";
    let receipt = KeyReceipt { offset: Offset(41), append_time };
    let receipts = vec![receipt, KeyReceipt { offset: Offset(9), append_time: Realtime(TIME_NS - 1) }];
    let mut goldens = vec![
        (golden::NEGOTIATED, Api::Negotiate, 1, negotiated()),
        (golden::TOPICS, Api::Metadata, 2, topics()),
        (
            golden::TOPIC_CREATED,
            Api::CreateTopic,
            3,
            Response::TopicCreated(TopicDescription { revision: 1, ..topic() }),
        ),
        (golden::TOPIC_DELETED, Api::DeleteTopic, 4, Response::TopicDeleted(TopicId(7))),
        (golden::TOPIC_DESCRIBED, Api::DescribeTopic, 5, described()),
        (golden::PRODUCER, Api::InitProducer, 6, Response::Producer { id: PRODUCER, epoch: ProducerEpoch(0) }),
        (golden::PRODUCED, Api::Produce, 2, produced),
        (golden::FETCHED, Api::Fetch, 8, fetched(vec![batch])),
        (golden::FETCHED_NOTHING, Api::Fetch, 9, fetched(Vec::new())),
        (golden::OFFSET, Api::ListOffsets, 10, Response::Offset(Offset(42))),
        (golden::SHARDS, Api::DescribeShards, 11, shards()),
        (golden::CLOCK_CONFIRMED, Api::ConfirmClock, 12, Response::ClockConfirmed),
        (golden::TOPIC_ALTERED, Api::AlterTopic, 20, Response::TopicAltered { topic: topic(), settings: settings() }),
        (golden::WITHOUT_DETAILS, Api::Produce, 13, error(5, Action::Retry, [0, 0], "full")),
        (golden::WITH_ONE_DETAIL, Api::Produce, 14, error(32, Action::Fenced, [2, 0], "fenced by epoch 2")),
        (golden::WITH_TWO_DETAILS, Api::Fetch, 15, error(21, Action::FixRequest, [10, 42], "choose 10 to 42")),
        (golden::REFRESH, Api::Fetch, 16, error(11, Action::Refresh, [3, 0], "on shard 3")),
        (golden::FATAL, Api::InitProducer, 17, error(37, Action::Fatal, [0, 0], "")),
        (golden::OUTCOME_UNKNOWN, Api::Produce, 18, error(4, Action::OutcomeUnknown, [0, 0], "unknown")),
        (golden::OF_NO_REQUEST, Api::Negotiate, 0, error(101, Action::FixRequest, [1_114_112, 0], ends)),
        (golden::KEYED_TOPIC_CREATED, Api::CreateTopic, 21, Response::TopicCreated(keyed_topic())),
        (golden::KNOWN, Api::Produce, 22, Response::Known(receipts)),
        (golden::KEY, Api::LookUpKey, 23, Response::Key { partition: 3, receipt: Some(receipt) }),
        (golden::KEY_ABSENT, Api::LookUpKey, 24, Response::Key { partition: 3, receipt: None }),
        (golden::WITH_RECORDS, Api::Produce, 25, with_records()),
        (golden::UNKNOWN_TO_THIS_BUILD, Api::Negotiate, 19, error(999, Action::Retry, [1, 2], "é")),
    ];
    goldens.extend(goldens_of_transactions());
    goldens
}

/// Those about transactions, groups and batches that belong together.
fn goldens_of_transactions() -> Vec<(&'static str, Api, u64, Response)> {
    let (next, outcome, time) = (TRANSACTION, TransactionOutcome::Committed, Realtime(TIME_NS));
    let last = Some(Ended { transaction: TRANSACTION, outcome });
    let opened = |last| Response::TransactionalIdOpened { next, last };
    let group = || GroupId::new("ledger").unwrap();
    let partition = PartitionId { topic: TopicId(7), index: 3 };
    let offset = GroupOffset { partition, offset: Offset(41), metadata: "m".into() };
    let receipts = vec![
        BatchReceipt { base_offset: Offset(41), append_time: time },
        BatchReceipt { base_offset: Offset(9), append_time: Realtime(TIME_NS - 1) },
    ];
    let together = |duplicate, next| Response::ProducedTogether { receipts: receipts.clone(), duplicate, next };
    let details = [TRANSACTION.producer.0, 7];
    let (open, list, describe) = (Api::OpenTransactionalId, Api::ListTransactions, Api::DescribeTransaction);
    vec![
        (transactions::TRANSACTIONAL_ID_OPENED, open, 26, opened(last)),
        (transactions::TRANSACTIONAL_ID_OPENED_FIRST, open, 27, opened(None)),
        (transactions::TRANSACTION_ENDED, Api::EndTransaction, 28, Response::TransactionEnded { outcome, next }),
        (transactions::TRANSACTIONS, list, 29, Response::Transactions(vec![ongoing(), ready()])),
        (transactions::TRANSACTION, describe, 30, Response::Transaction(Some(ready()))),
        (transactions::TRANSACTION_ABSENT, describe, 31, Response::Transaction(None)),
        (transactions::OFFSETS_COMMITTED, Api::CommitOffsets, 32, Response::OffsetsCommitted),
        (transactions::OFFSETS, Api::FetchOffsets, 33, Response::Offsets(vec![(offset, time)])),
        (transactions::GROUPS, Api::ListGroups, 34, Response::Groups(vec![group()])),
        (transactions::GROUP_FORGOTTEN, Api::ForgetGroup, 35, Response::GroupForgotten),
        (transactions::PRODUCED_TOGETHER, Api::ProduceTogether, 36, together(true, None)),
        (transactions::PRODUCED_AS_A_TRANSACTION, Api::ProduceTogether, 37, together(false, Some(next))),
        (
            transactions::ABORT_TRANSACTION,
            Api::Produce,
            38,
            error(60, Action::AbortTransaction, details, "begin another one"),
        ),
    ]
}

fn ongoing() -> TransactionStatus {
    let group = || Participant::Group(GroupId::new("ledger").unwrap());
    let partition = Participant::Partition(PartitionId { topic: TopicId(7), index: 3 });
    let (transaction, outcome) = (TRANSACTION, TransactionOutcome::Committed);
    TransactionStatus {
        name: TransactionalId::new("settlement-1").unwrap(),
        current: TRANSACTION,
        state: TransactionState::Ongoing { since: Realtime(TIME_NS) },
        timeout_ms: 10_000,
        participants: vec![(partition, ShardId(0)), (group(), ShardId(1))],
        participant_count: 70,
        last: Some(Ended { transaction, outcome }),
        unnoted: vec![Unnoted { transaction, outcome, participant: group(), shard: ShardId(1) }],
        unnoted_count: 1,
    }
}

fn ready() -> TransactionStatus {
    TransactionStatus {
        name: TransactionalId::new("shop").unwrap(),
        current: TRANSACTION,
        state: TransactionState::Ready,
        timeout_ms: 1,
        participants: Vec::new(),
        participant_count: 0,
        last: None,
        unnoted: Vec::new(),
        unnoted_count: 0,
    }
}

#[test]
fn every_response_is_written_and_read_as_the_golden_bytes_say() {
    for (text, api, correlation, response) in goldens() {
        let bytes = golden(text);
        assert_eq!(encoded(&response, api, correlation), bytes, "{response:?}");
        let frame = frame_of(&bytes);
        assert_eq!((frame.version, frame.correlation), (api.version(), correlation));
        assert_eq!(Response::decode(api, frame), Ok(response));
    }
    let shown: Vec<_> = goldens().iter().filter(|(_, _, _, response)| !is_error(response)).map(|row| row.1).collect();
    assert!(APIS.iter().all(|api| shown.contains(api)), "every api has golden bytes");
}

fn is_error(response: &Response) -> bool {
    matches!(response, Response::Error(_))
}

#[test]
fn every_flipped_bit_of_a_golden_outside_its_payload_is_refused() {
    for (text, _, _, response) in goldens() {
        let bytes = golden(text);
        let payload_bytes = frame_of(&bytes).payload.len();
        for bit in 0..(bytes.len() - payload_bytes) * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(reader_of(&flipped).next_frame().is_err(), "bit {bit} of {response:?}");
        }
    }
}

#[test]
fn numbers_that_fit_no_batch_are_refused() {
    let cases = [
        (Api::InitProducer, Response::Producer { id: ProducerId(1 << 63), epoch: ProducerEpoch(0) }, "id", 1 << 63),
        (Api::InitProducer, Response::Producer { id: PRODUCER, epoch: ProducerEpoch(1 << 15) }, "epoch", 1 << 15),
        (
            Api::Produce,
            Response::Produced { base_offset: Offset(u64::MAX), append_time: Realtime(1), duplicate: false },
            "base_offset",
            u64::MAX,
        ),
    ];
    for (api, response, field, value) in cases {
        let refused = Response::decode(api, frame_of(&encoded(&response, api, 1)));
        assert_eq!(refused, Err(ResponseError::Fields { api, error: FieldError::Value { field, value } }));
    }
}

#[test]
fn a_fetch_frame_and_its_batches_are_the_response() {
    let (batch, mut out) = (placed_batch(41), BytesMut::new());
    let batches = [(Offset(41), Realtime(TIME_NS), batch.len())];
    let (start_offset, high_watermark, stable_offset) = (Offset(0), Offset(42), Offset(42));
    let head = FetchedHead { start_offset, high_watermark, stable_offset, aborted: &[ABORTED] };
    put_fetched_frame(&mut out, 8, &head, batches.into_iter());
    out.put_slice(&batch);
    assert_eq!(out, golden(golden::FETCHED));
    assert_eq!(out.len(), fetched_frame_bytes(1, 1, batch.len()));
}

#[test]
fn fields_that_are_cut_off_at_any_byte_are_refused() {
    for (text, api, _, response) in goldens() {
        for frame in cut_off_everywhere(&frame_of(&golden(text))) {
            let bytes = frame.head.len();
            let refusal = Response::decode(api, frame).expect_err("it is cut off");
            let ResponseError::Fields { error: FieldError::CutOff { .. }, .. } = refusal else {
                panic!("{response:?} cut off at {bytes}: {refusal:?}")
            };
        }
    }
}

#[test]
fn a_byte_behind_the_last_field_is_refused() {
    for (text, api, _, _) in goldens() {
        let frame = with_byte_left_over(&frame_of(&golden(text)));
        assert_eq!(Response::decode(api, frame), refused(api, FieldError::LeftOver { bytes: 1 }));
    }
}

#[test]
fn a_payload_is_refused_where_no_batches_are_told() {
    for (text, api, _, response) in goldens() {
        let mut frame = frame_of(&golden(text));
        let told_bytes = frame.payload.len();
        frame.payload.put_slice(b"batch");
        let bytes = frame.payload.len() - told_bytes;
        assert_eq!(Response::decode(api, frame), refused(api, FieldError::Payload { bytes }), "{response:?}");
    }
}

#[test]
fn every_other_version_is_refused_but_an_error_reads_the_same_in_all() {
    for (text, api, _, response) in goldens() {
        for version in (0..=u8::MAX).filter(|version| *version != api.version()) {
            let frame = Frame { version, ..frame_of(&golden(text)) };
            let refusal = Err(ResponseError::UnsupportedVersion { api, version });
            let expected = if is_error(&response) { Ok(response.clone()) } else { refusal };
            assert_eq!(Response::decode(api, frame), expected);
        }
    }
}

#[test]
fn a_request_that_is_sent_as_a_response_is_refused() {
    for (text, api, _, _) in goldens() {
        let frame = Frame { kind: Kind::Request(api.number()), ..frame_of(&golden(text)) };
        assert_eq!(Response::decode(api, frame), Err(ResponseError::NotAResponse));
    }
}

#[test]
fn batches_whose_lengths_do_not_add_up_to_the_payload_are_refused() {
    let frame = frame_of(&golden(golden::FETCHED));
    let with_length = |bytes: u32| {
        let mut head = frame.head.to_vec();
        head[74..78].copy_from_slice(&bytes.to_le_bytes());
        Response::decode(Api::Fetch, Frame { head: head.into(), ..frame.clone() })
    };
    let told = u32::try_from(frame.payload.len()).unwrap();
    assert_eq!(with_length(told - 1), refused(Api::Fetch, FieldError::Payload { bytes: 1 }));
    for bytes in [0, told + 1, u32::MAX] {
        let error = FieldError::Value { field: "batch_bytes", value: u64::from(bytes) };
        assert_eq!(with_length(bytes), refused(Api::Fetch, error));
    }
}

#[test]
fn counts_that_no_frame_can_hold_are_refused_before_room_is_made_for_them() {
    let cases = [
        (Api::Negotiate, golden::NEGOTIATED, 58, "apis"),
        (Api::Metadata, golden::TOPICS, 13, "ports"),
        (Api::Metadata, golden::TOPICS, 34, "topics"),
        (Api::CreateTopic, golden::TOPIC_CREATED, 20, "placement"),
        (Api::DescribeTopic, golden::TOPIC_DESCRIBED, 66, "partitions"),
        (Api::CreateTopic, golden::KEYED_TOPIC_CREATED, 44, "body_headers"),
        (Api::Produce, golden::KNOWN, 17, "receipts"),
        (Api::Produce, golden::WITH_RECORDS, 27, "records"),
        (Api::Fetch, golden::FETCHED, 24, "aborted"),
        (Api::Fetch, golden::FETCHED, 54, "batches"),
        (Api::FetchOffsets, transactions::OFFSETS, 0, "offsets"),
        (Api::ProduceTogether, transactions::PRODUCED_TOGETHER, 11, "receipts"),
        (Api::DescribeShards, golden::SHARDS, 0, "shards"),
    ];
    for (api, text, at, field) in cases {
        let frame = frame_of(&golden(text));
        let with_count = |count: u32| {
            let mut head = frame.head.to_vec();
            head[at..at + 4].copy_from_slice(&count.to_le_bytes());
            Response::decode(api, Frame { head: head.into(), ..frame.clone() })
        };
        let error = FieldError::Value { field, value: u64::from(u32::MAX) };
        assert_eq!(with_count(u32::MAX), refused(api, error));
        assert_eq!(with_count(200), refused(api, FieldError::CutOff { field }), "{field}: more than there are bytes");
    }
}

#[test]
fn values_that_a_field_does_not_take_are_refused() {
    let cases = [
        (Api::Metadata, golden::TOPICS, 25, "complete", 2),
        (Api::Produce, golden::PRODUCED, 16, "duplicate", 2),
        (Api::DescribeShards, golden::SHARDS, 6, "state", 5),
        (Api::DescribeShards, golden::SHARDS, 7, "clock_suspended", 2),
        (Api::DescribeShards, golden::SHARDS, 66, "disk_full", 2),
        (Api::DescribeShards, golden::SHARDS, 67, "manifest_full", 2),
        (Api::DescribeTopic, golden::TOPIC_DESCRIBED, 138, "cut_reason", 3),
        (Api::CreateTopic, golden::KEYED_TOPIC_CREATED, 28, "key_source", 3),
        (Api::CreateTopic, golden::KEYED_TOPIC_CREATED, 29, "key_partitioner", 3),
        (Api::LookUpKey, golden::KEY, 4, "found", 2),
        (Api::Produce, golden::WITH_RECORDS, 31, "verdict", 4),
        (Api::Fetch, golden::WITHOUT_DETAILS, 0, "action", 0),
        (Api::Fetch, golden::WITHOUT_DETAILS, 0, "action", 8),
        (Api::OpenTransactionalId, transactions::TRANSACTIONAL_ID_OPENED, 10, "has_last", 2),
        (Api::EndTransaction, transactions::TRANSACTION_ENDED, 0, "outcome", 2),
        (Api::ListTransactions, transactions::TRANSACTIONS, 32, "is_ongoing", 2),
        (Api::ProduceTogether, transactions::PRODUCED_TOGETHER, 0, "duplicate", 2),
    ];
    for (api, text, at, field, lowest) in cases {
        for value in lowest..=if lowest == 0 { 0 } else { u8::MAX } {
            let frame = frame_of(&golden(text));
            let mut head = frame.head.to_vec();
            head[at] = value;
            let error = FieldError::Value { field, value: u64::from(value) };
            assert_eq!(Response::decode(api, Frame { head: head.into(), ..frame }), refused(api, error));
        }
    }
}

#[test]
fn sizes_that_are_told_are_those_that_are_written() {
    let head_bytes = |response: &Response, api| frame_of(&encoded(response, api, 1)).head.len();
    let shards = Response::Shards(vec![ShardDescription::default()]);
    assert_eq!(head_bytes(&shards, Api::DescribeShards), 4 + ShardDescription::ENCODED_BYTES_MIN);
    let empty =
        TopicDescription { id: TopicId(1), name: String::new(), revision: 1, placement: Vec::new(), keys: None };
    assert_eq!(empty.encoded_bytes(), TopicDescription::ENCODED_BYTES_MIN);
    for topic in [empty, topic(), keyed_topic(), largest_topic()] {
        let bytes = topic.encoded_bytes();
        assert_eq!(head_bytes(&Response::TopicCreated(topic.clone()), Api::CreateTopic), bytes);
        let altered = Response::TopicAltered { topic: topic.clone(), settings: settings() };
        assert_eq!(head_bytes(&altered, Api::AlterTopic), bytes + SETTINGS_BYTES);
        let partitions = vec![PartitionDescription::default()];
        let described = Response::TopicDescribed { topic, settings: settings(), partitions };
        let bytes = bytes + SETTINGS_BYTES;
        assert_eq!(head_bytes(&described, Api::DescribeTopic), bytes + 4 + PartitionDescription::ENCODED_BYTES);
    }
}

#[test]
fn the_largest_descriptions_are_read_on_the_other_side() {
    let problem = "x".repeat(TEXT_BYTES_MAX);
    let shard = ShardDescription { problem, ..ShardDescription::default() };
    let shards = Response::Shards(vec![shard; usize::from(SHARD_COUNT_MAX)]);
    assert_eq!(sent(&shards, Api::DescribeShards), Ok(shards));
    let partitions = vec![PartitionDescription::default(); TOPIC_PARTITION_COUNT_MAX as usize];
    let described = Response::TopicDescribed { topic: largest_topic(), settings: settings(), partitions };
    assert_eq!(sent(&described, Api::DescribeTopic), Ok(described));
    let endpoints = ShardEndpoints { host: "x".repeat(TEXT_BYTES_MAX), ports: vec![1; usize::from(SHARD_COUNT_MAX)] };
    let page = |topics| {
        Response::Topics(TopicsPage { endpoints: endpoints.clone(), complete: true, next: TopicId(0), topics })
    };
    let named = page(vec![largest_topic(); METADATA_NAMES_MAX]);
    assert_eq!(sent(&named, Api::Metadata), Ok(named));
    let smallest =
        TopicDescription { id: TopicId(1), name: "t".to_owned(), revision: 1, placement: vec![0], keys: None };
    let count = METADATA_PAGE_BYTES / smallest.encoded_bytes();
    let full = page(vec![smallest; count.min(TOPIC_COUNT_MAX)]);
    assert_eq!(sent(&full, Api::Metadata), Ok(full));
}

#[test]
fn answers_about_the_records_of_the_largest_batch_are_read_on_the_other_side() {
    let receipt = KeyReceipt { offset: Offset(1), append_time: Realtime(2) };
    let known = Response::Known(vec![receipt; BATCH_RECORD_COUNT_MAX as usize]);
    assert_eq!(sent(&known, Api::Produce), Ok(known));
    let records = vec![KeyVerdict::New; BATCH_RECORD_COUNT_MAX as usize];
    let message = "x".repeat(ERROR_MESSAGE_BYTES_MAX);
    let mixed = Response::Error(ErrorResponse { records, ..ErrorResponse::new(Code::KEYS_KNOWN, message) });
    assert_eq!(sent(&mixed, Api::Produce), Ok(mixed));
}

#[test]
fn receipts_and_verdicts_that_contradict_themselves_are_refused() {
    let with = |text, api, at: usize, byte: u8| {
        let frame = frame_of(&golden(text));
        let mut head = frame.head.to_vec();
        head[at] = byte;
        Response::decode(api, Frame { head: head.into(), ..frame })
    };
    let value = |api, field, value| refused(api, FieldError::Value { field, value });
    let not_first = value(Api::Produce, "receipts", 41);
    assert_eq!(with(golden::KNOWN, Api::Produce, 0, 40), not_first, "another record is the first");
    assert_eq!(with(golden::KNOWN, Api::Produce, 16, 0), not_first, "what was stored before is a duplicate");
    assert_eq!(with(golden::KEY, Api::LookUpKey, 4, 0), value(Api::LookUpKey, "found", TIME_NS));
    assert_eq!(
        with(golden::WITH_RECORDS, Api::Produce, 32, 1),
        value(Api::Produce, "place", 1),
        "a new one is nowhere"
    );
    let repeated_at = 31 + 3 * 17 + 1;
    assert_eq!(
        with(golden::WITH_RECORDS, Api::Produce, repeated_at, 3),
        value(Api::Produce, "place", 3),
        "not before it"
    );
}

#[test]
fn a_full_fetch_of_the_shortest_batches_is_read_on_the_other_side() {
    let count = FETCH_BYTES_MAX.div_ceil(HEADER_BYTES);
    let bytes = Bytes::from_static(&[7; HEADER_BYTES]);
    let batch = FetchedBatch { base_offset: Offset(1), append_time: Realtime(u64::MAX), bytes };
    let response = fetched(vec![batch; count]);
    let Ok(Response::Fetched(got)) = sent(&response, Api::Fetch) else { panic!("a fetch is read") };
    assert_eq!(got.batches.len(), count);
    assert!(got.batches.iter().all(|batch| batch.bytes == [7; HEADER_BYTES].as_slice()));
}

#[test]
fn texts_are_cut_between_characters() {
    for character in ["x", "é", "€", "\u{1f600}"] {
        for before in ["", "a", "ab", "abc"] {
            let message = before.to_owned() + &character.repeat(2 * ERROR_MESSAGE_BYTES_MAX);
            let Ok(Response::Error(got)) = sent(&error(1, Action::Retry, [0; 2], &message), Api::Fetch) else {
                panic!("an error is read")
            };
            assert!(message.starts_with(&got.message));
            assert!(got.message.len() > ERROR_MESSAGE_BYTES_MAX - character.len());
            let shard = ShardDescription { problem: message.clone(), ..ShardDescription::default() };
            let Ok(Response::Shards(got)) = sent(&Response::Shards(vec![shard]), Api::DescribeShards) else {
                panic!("a shard is read")
            };
            assert!(message.starts_with(&got[0].problem) && got[0].problem.len() <= TEXT_BYTES_MAX);
        }
    }
}

#[test]
#[should_panic(expected = "an error has a code")]
fn an_error_is_never_sent_as_success() {
    encoded(&error(0, Action::Retry, [0; 2], ""), Api::Produce, 1);
}
