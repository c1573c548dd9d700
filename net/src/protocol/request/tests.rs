use bytes::{BufMut, Bytes, BytesMut};
use florin_engine::catalogue::{TopicChange, TopicSettings};
use florin_engine::format::control::{GroupOffset, KeyRuleError};
use florin_engine::limits::TOPIC_NAME_BYTES_MAX;
use florin_engine::model::{
    GroupId, NameError, Offset, PartitionId, ProducerEpoch, Realtime, TopicId, TransactionKey, TransactionOutcome,
    TransactionalId,
};
use florin_engine::partition::Isolation;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{ListAt, NEGOTIATE_MAGIC, Request, RequestError, RequestFrom, put_produce_head};
use crate::limits::{ASKED_NAME_BYTES_MAX, CLIENT_NAME_BYTES_MAX, METADATA_NAMES_MAX};
use crate::protocol::tests::{
    PRODUCER, TIME_NS, any_rule, batch, cut_off_everywhere, frame_of, golden, reader_of, rule, with_byte_left_over,
};
use crate::protocol::{APIS, Api, FieldError, Frame, Kind};

mod golden;

use golden::transactions;

const PARTITION: PartitionId = PartitionId { topic: TopicId(7), index: 3 };

/// Every golden with its correlation and its value.
fn goldens() -> Vec<(&'static str, u64, Request)> {
    let partition = PARTITION;
    let list = |at| Request::ListOffsets { partition, at };
    let fetch = |from, wait_ms| Request::Fetch {
        partition,
        from,
        bytes_max: 65_536,
        wait_ms,
        isolation: Isolation::Uncommitted,
    };
    let names = vec!["orders".to_owned(), "refunds".to_owned()];
    let more = TopicChange {
        partition_count: Some(16),
        record_bytes_max: Some(256 << 10),
        retention_ns: Some(Some(7 * 86_400 * 1_000_000_000)),
        ..TopicChange::default()
    };
    let keyed = Request::CreateTopic {
        name: "orders".to_owned(),
        partition_count: 12,
        settings: settings(),
        keys: Some(rule()),
    };
    let look_up = Request::LookUpKey { topic: TopicId(7), key: Bytes::from_static(b"p\xff\x001") };
    let keep = TopicChange { segment_bytes: Some(1 << 20), retention_bytes: Some(None), ..TopicChange::default() };
    let mut goldens = vec![
        (golden::NEGOTIATE, 1, Request::Negotiate { client: "example".to_owned() }),
        (golden::METADATA, 2, Request::Metadata { from: TopicId(8), names }),
        (golden::METADATA_OF_ALL, 3, Request::Metadata { from: TopicId(0), names: Vec::new() }),
        (
            golden::CREATE_TOPIC,
            4,
            Request::CreateTopic { name: "orders".to_owned(), partition_count: 12, settings: settings(), keys: None },
        ),
        (golden::DELETE_TOPIC, 5, Request::DeleteTopic { topic: TopicId(7) }),
        (golden::DESCRIBE_TOPIC, 6, Request::DescribeTopic { topic: TopicId(7) }),
        (golden::INIT_PRODUCER, 7, Request::InitProducer),
        (golden::PRODUCE, 2, Request::Produce { partition, batch: batch() }),
        (golden::FETCH, 9, fetch(RequestFrom::Offset(Offset(41)), 500)),
        (golden::FETCH_BY_TIME, 10, fetch(RequestFrom::Time(Realtime(TIME_NS)), 0)),
        (golden::LIST_START, 11, list(ListAt::Start)),
        (golden::LIST_END, 12, list(ListAt::End)),
        (golden::LIST_BY_TIME, 13, list(ListAt::Time(Realtime(TIME_NS)))),
        (golden::LIST_BY_TIMESTAMP, 17, list(ListAt::Timestamp(1_700_000_000_123))),
        (golden::LIST_BY_TIMESTAMP_BEFORE_1970, 18, list(ListAt::Timestamp(-1))),
        (golden::DESCRIBE_SHARDS, 14, Request::DescribeShards),
        (golden::CONFIRM_CLOCK, u64::MAX, Request::ConfirmClock),
        (golden::ALTER_TOPIC, 15, Request::AlterTopic { topic: TopicId(7), change: more }),
        (golden::ALTER_TOPIC_TO_KEEP_EVERYTHING, 16, Request::AlterTopic { topic: TopicId(7), change: keep }),
        (golden::CREATE_KEYED_TOPIC, 19, keyed),
        (golden::LOOK_UP_KEY, 20, look_up),
    ];
    goldens.extend(goldens_of_transactions());
    goldens
}

/// Those about transactions, groups and batches that belong together.
fn goldens_of_transactions() -> Vec<(&'static str, u64, Request)> {
    let name = || TransactionalId::new("settlement-1").unwrap();
    let group = || GroupId::new("ledger").unwrap();
    let transaction = TransactionKey { producer: PRODUCER, epoch: ProducerEpoch(7) };
    let end = |outcome| Request::EndTransaction { transaction, outcome };
    let offsets = || vec![GroupOffset { partition: PARTITION, offset: Offset(41), metadata: "m".into() }];
    let commit = |transaction| Request::CommitOffsets { group: group(), transaction, offsets: offsets() };
    let other = PartitionId { index: 4, ..PARTITION };
    let (from, isolation) = (RequestFrom::Offset(Offset(41)), Isolation::Committed);
    let fetch = Request::Fetch { partition: PARTITION, from, bytes_max: 65_536, wait_ms: 500, isolation };
    vec![
        (transactions::OPEN_TRANSACTIONAL_ID, 21, Request::OpenTransactionalId { name: name(), timeout_ms: 10_000 }),
        (transactions::COMMIT_TRANSACTION, 22, end(TransactionOutcome::Committed)),
        (transactions::ABORT_TRANSACTION, 23, end(TransactionOutcome::Aborted)),
        (transactions::LIST_TRANSACTIONS, 24, Request::ListTransactions { after: None }),
        (transactions::LIST_TRANSACTIONS_BEHIND, 25, Request::ListTransactions { after: Some(name()) }),
        (transactions::DESCRIBE_TRANSACTION, 26, Request::DescribeTransaction { name: name() }),
        (transactions::COMMIT_OFFSETS, 27, commit(None)),
        (transactions::COMMIT_OFFSETS_IN_TRANSACTION, 28, commit(Some(transaction))),
        (transactions::FETCH_OFFSETS, 29, Request::FetchOffsets { group: group(), after: None }),
        (transactions::FETCH_OFFSETS_BEHIND, 30, Request::FetchOffsets { group: group(), after: Some(PARTITION) }),
        (transactions::LIST_GROUPS, 31, Request::ListGroups { after: Some(group()) }),
        (transactions::FORGET_GROUP, 32, Request::ForgetGroup { group: group() }),
        (
            transactions::PRODUCE_TOGETHER,
            33,
            Request::ProduceTogether { batches: vec![(PARTITION, batch()), (other, batch())] },
        ),
        (transactions::FETCH_COMMITTED, 34, fetch),
        (transactions::LIST_STABLE, 35, Request::ListOffsets { partition: PARTITION, at: ListAt::Stable }),
    ]
}

fn settings() -> TopicSettings {
    TopicSettings {
        retention_bytes: Some(8 << 30),
        retention_ns: None,
        segment_bytes: 1 << 20,
        record_bytes_max: 256 << 10,
    }
}

fn encoded(request: &Request, correlation: u64) -> BytesMut {
    let mut out = BytesMut::new();
    request.encode(correlation, &mut out);
    out
}

/// The request as it comes out on the other side.
fn sent(request: &Request) -> Result<Request, RequestError> {
    Request::decode(frame_of(&encoded(request, 1)))
}

fn refused(api: Api, error: FieldError) -> Result<Request, RequestError> {
    Err(RequestError::Fields { api, error })
}

fn frame(api: Api, head: &[u8]) -> Frame {
    let (kind, head) = (Kind::Request(api.number()), Bytes::copy_from_slice(head));
    Frame { kind, version: api.version(), correlation: 1, head, payload: BytesMut::new() }
}

#[test]
fn every_request_is_written_and_read_as_the_golden_bytes_say() {
    for (text, correlation, request) in goldens() {
        let bytes = golden(text);
        assert_eq!(encoded(&request, correlation), bytes, "{request:?}");
        let frame = frame_of(&bytes);
        assert_eq!((frame.kind, frame.version), (Kind::Request(request.api().number()), request.api().version()));
        assert_eq!(frame.correlation, correlation);
        assert_eq!(Request::decode(frame), Ok(request));
    }
    let shown: Vec<_> = goldens().iter().map(|(_, _, request)| request.api()).collect();
    assert!(APIS.iter().all(|api| shown.contains(api)), "every api has golden bytes");
}

#[test]
fn every_flipped_bit_of_a_golden_outside_its_payload_is_refused() {
    for (text, _, request) in goldens() {
        let bytes = golden(text);
        let payload_bytes = frame_of(&bytes).payload.len();
        for bit in 0..(bytes.len() - payload_bytes) * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(reader_of(&flipped).next_frame().is_err(), "bit {bit} of {request:?}");
        }
    }
}

#[test]
fn a_produce_head_and_its_batch_are_the_request() {
    let mut out = BytesMut::new();
    put_produce_head(&mut out, 2, PARTITION, batch().len());
    out.put_slice(&batch());
    assert_eq!(out, golden(golden::PRODUCE));
}

#[test]
fn fields_that_are_cut_off_at_any_byte_are_refused() {
    for (text, _, request) in goldens() {
        for frame in cut_off_everywhere(&frame_of(&golden(text))) {
            let bytes = frame.head.len();
            let refusal = Request::decode(frame).expect_err("it is cut off");
            let RequestError::Fields { error: FieldError::CutOff { .. }, .. } = refusal else {
                panic!("{request:?} cut off at {bytes}: {refusal:?}")
            };
        }
    }
}

#[test]
fn a_byte_behind_the_last_field_is_refused() {
    for (text, _, request) in goldens() {
        let frame = with_byte_left_over(&frame_of(&golden(text)));
        assert_eq!(Request::decode(frame), refused(request.api(), FieldError::LeftOver { bytes: 1 }));
    }
}

#[test]
fn a_payload_is_refused_but_for_a_batch_which_is_demanded() {
    for (text, _, request) in goldens() {
        let mut frame = frame_of(&golden(text));
        let has_batches = matches!(request.api(), Api::Produce | Api::ProduceTogether);
        frame.payload = BytesMut::from(if has_batches { b"".as_slice() } else { b"batch" });
        let bytes = frame.payload.len();
        assert_eq!(Request::decode(frame), refused(request.api(), FieldError::Payload { bytes }));
    }
}

#[test]
fn batches_to_be_stored_together_whose_lengths_do_not_add_up_to_the_payload_are_refused() {
    let frame = frame_of(&golden(transactions::PRODUCE_TOGETHER));
    let with_length = |bytes: u32| {
        let mut head = frame.head.to_vec();
        head[32..36].copy_from_slice(&bytes.to_le_bytes());
        Request::decode(Frame { head: head.into(), ..frame.clone() })
    };
    let told = u32::try_from(frame.payload.len() / 2).unwrap();
    assert_eq!(with_length(told - 1), refused(Api::ProduceTogether, FieldError::Payload { bytes: 1 }));
    for bytes in [0, told + 1, u32::MAX] {
        let error = FieldError::Value { field: "batch_bytes", value: u64::from(bytes) };
        assert_eq!(with_length(bytes), refused(Api::ProduceTogether, error));
    }
}

#[test]
fn names_that_cannot_be_are_refused_for_what_is_wrong_with_them() {
    let of = |name: &[u8]| {
        let mut head = BytesMut::new();
        head.put_u16_le(u16::try_from(name.len()).unwrap());
        head.put_slice(name);
        Request::decode(frame(Api::ForgetGroup, &head))
    };
    let wrong = |error| refused(Api::ForgetGroup, FieldError::Name(error));
    assert_eq!(of(b""), wrong(NameError::Empty));
    assert_eq!(of(&[b'x'; 250]), wrong(NameError::TooLong { bytes: 250 }));
    assert_eq!(of(b"a\tb"), wrong(NameError::Control { position: 1 }));
}

#[test]
fn every_other_version_is_refused() {
    for (text, _, request) in goldens() {
        for version in (0..=u8::MAX).filter(|version| *version != request.api().version()) {
            let frame = Frame { version, ..frame_of(&golden(text)) };
            let api = request.api();
            assert_eq!(Request::decode(frame), Err(RequestError::UnsupportedVersion { api, version }));
        }
    }
}

#[test]
fn an_api_that_is_not_known_is_refused() {
    for number in [22, 23, 255, 256, u16::MAX] {
        let frame = Frame { kind: Kind::Request(number), ..frame_of(&golden(golden::NEGOTIATE)) };
        assert_eq!(Request::decode(frame), Err(RequestError::UnknownApi { number }));
    }
}

#[test]
fn a_response_that_is_sent_as_a_request_is_refused() {
    for (text, _, _) in goldens() {
        let frame = Frame { kind: Kind::Response(0), ..frame_of(&golden(text)) };
        assert_eq!(Request::decode(frame), Err(RequestError::NotARequest));
    }
}

#[test]
fn a_negotiation_without_the_magic_is_refused() {
    for bit in 0..64 {
        let mut head = frame_of(&golden(golden::NEGOTIATE)).head.to_vec();
        head[bit / 8] ^= 1 << (bit % 8);
        let value = u64::from_le_bytes(NEGOTIATE_MAGIC) ^ (1 << bit);
        let refusal = refused(Api::Negotiate, FieldError::Value { field: "magic", value });
        assert_eq!(Request::decode(frame(Api::Negotiate, &head)), refusal, "bit {bit}");
    }
}

#[test]
fn kinds_of_places_that_are_not_known_are_refused() {
    for kind in 2..=u8::MAX {
        let mut head = frame_of(&golden(golden::FETCH)).head.to_vec();
        head[20] = kind;
        let error = FieldError::Value { field: "from_kind", value: u64::from(kind) };
        assert_eq!(Request::decode(frame(Api::Fetch, &head)), refused(Api::Fetch, error));
    }
    for kind in 5..=u8::MAX {
        let mut head = frame_of(&golden(golden::LIST_START)).head.to_vec();
        head[12] = kind;
        let error = FieldError::Value { field: "at_kind", value: u64::from(kind) };
        assert_eq!(Request::decode(frame(Api::ListOffsets, &head)), refused(Api::ListOffsets, error));
    }
}

#[test]
fn a_place_that_means_nothing_for_its_kind_is_refused() {
    for text in [golden::LIST_START, golden::LIST_END, transactions::LIST_STABLE] {
        let mut head = frame_of(&golden(text)).head.to_vec();
        head[13] = 9;
        let error = FieldError::Value { field: "at", value: 9 };
        assert_eq!(Request::decode(frame(Api::ListOffsets, &head)), refused(Api::ListOffsets, error));
    }
}

#[test]
fn more_names_than_may_be_asked_for_are_refused() {
    let ask = |count| Request::Metadata { from: TopicId(0), names: vec!["t".to_owned(); count] };
    assert_eq!(sent(&ask(METADATA_NAMES_MAX)), Ok(ask(METADATA_NAMES_MAX)));
    let error = FieldError::Value { field: "names", value: METADATA_NAMES_MAX as u64 + 1 };
    assert_eq!(sent(&ask(METADATA_NAMES_MAX + 1)), refused(Api::Metadata, error));
    let mut head = BytesMut::new();
    head.put_u64_le(0);
    head.put_u32_le(u32::MAX);
    let error = FieldError::Value { field: "names", value: u64::from(u32::MAX) };
    assert_eq!(Request::decode(frame(Api::Metadata, &head)), refused(Api::Metadata, error));
}

#[test]
fn texts_that_are_longer_than_they_may_be_are_refused() {
    let text = |before: &[u8], bytes: u16| {
        let mut head = BytesMut::from(before);
        head.put_u16_le(bytes);
        head.put_bytes(b'x', usize::from(bytes));
        head
    };
    let rest = |api| if api == Api::CreateTopic { &[0; 10][..] } else { &[] };
    let one_name = [&[0; 8][..], &[1, 0, 0, 0]].concat();
    let cases = [
        (Api::Negotiate, "client", NEGOTIATE_MAGIC.to_vec(), CLIENT_NAME_BYTES_MAX),
        (Api::Metadata, "name", one_name, ASKED_NAME_BYTES_MAX),
        (Api::CreateTopic, "name", vec![0; 32], ASKED_NAME_BYTES_MAX),
    ];
    for (api, field, before, bytes_max) in cases {
        let bytes_max = u16::try_from(bytes_max).unwrap();
        let whole = [&text(&before, bytes_max)[..], rest(api)].concat();
        assert!(Request::decode(frame(api, &whole)).is_ok());
        for bytes in [bytes_max + 1, u16::MAX] {
            let error = FieldError::Value { field, value: u64::from(bytes) };
            assert_eq!(Request::decode(frame(api, &text(&before, bytes))), refused(api, error));
        }
    }
}

#[test]
fn a_rule_of_keys_that_cannot_be_is_refused_for_what_is_wrong_with_it() {
    let bytes = frame_of(&golden(golden::CREATE_KEYED_TOPIC)).head;
    let rule_at = bytes.len() - (4 + 2 + 10 + 4 + 2 + 6);
    let with = |at: usize, with: &[u8]| {
        let mut head = bytes.to_vec();
        head[rule_at + at..rule_at + at + with.len()].copy_from_slice(with);
        Request::decode(frame(Api::CreateTopic, &head))
    };
    let wrong = |error| refused(Api::CreateTopic, error);
    let value = |field, value| wrong(FieldError::Value { field, value });
    assert_eq!(with(0, &[3]), value("key_source", 3));
    assert_eq!(with(0, &[1]), value("key_source", 1), "the record's key has no name");
    assert_eq!(with(0, &[0]), value("key_source", 0), "no keys, and a rule of them");
    assert_eq!(with(1, &[3]), value("key_partitioner", 3));
    for days in [0, 401] {
        assert_eq!(with(2, &u16::to_le_bytes(days)), wrong(FieldError::KeyRule(KeyRuleError::Window(days))));
    }
    let same = [&b"\x0a\0payment-id"[..], &[1, 0, 0, 0], b"\x0a\0payment-id"].concat();
    let head = [&bytes[..rule_at + 4], &same].concat();
    let twice = wrong(FieldError::KeyRule(KeyRuleError::Twice(0)));
    assert_eq!(Request::decode(frame(Api::CreateTopic, &head)), twice);
}

#[test]
fn a_text_that_is_not_utf_8_is_refused() {
    let head = [NEGOTIATE_MAGIC.as_slice(), &[2, 0, 0xc3, 0x28]].concat();
    let refusal = refused(Api::Negotiate, FieldError::Text { field: "client" });
    assert_eq!(Request::decode(frame(Api::Negotiate, &head)), refusal);
}

#[test]
fn a_name_that_is_cut_is_still_too_long_for_a_topic() {
    for name in ["é".repeat(40_000), "x".repeat(70_000), "\u{1f600}".repeat(125)] {
        let create = Request::CreateTopic {
            name: name.clone(),
            partition_count: 1,
            settings: TopicSettings::default(),
            keys: None,
        };
        let Ok(Request::CreateTopic { name: got, .. }) = sent(&create) else { panic!("it is for the catalogue") };
        assert!(name.starts_with(&got) && got.len() > TOPIC_NAME_BYTES_MAX);
        let Ok(Request::Metadata { names, .. }) = sent(&Request::Metadata { from: TopicId(0), names: vec![name] })
        else {
            panic!("it is for the catalogue")
        };
        assert_eq!(names, [got]);
    }
}

#[test]
fn a_clients_name_is_cut_between_characters() {
    let client = "é".repeat(100) + "x";
    let Ok(Request::Negotiate { client: got }) = sent(&Request::Negotiate { client }) else { panic!("it is read") };
    assert_eq!(got, "é".repeat(CLIENT_NAME_BYTES_MAX / 2));
}

fn kept() -> impl Strategy<Value = Option<u64>> {
    option::of(1..=u64::MAX)
}

fn any_settings() -> impl Strategy<Value = TopicSettings> {
    (kept(), kept(), any::<u64>(), any::<u32>()).prop_map(
        |(retention_bytes, retention_ns, segment_bytes, record_bytes_max)| TopicSettings {
            retention_bytes,
            retention_ns,
            segment_bytes,
            record_bytes_max,
        },
    )
}

fn any_change() -> impl Strategy<Value = TopicChange> {
    let numbers = (option::of(any::<u64>()), option::of(any::<u32>()), option::of(any::<u32>()));
    (option::of(kept()), option::of(kept()), numbers).prop_map(
        |(retention_bytes, retention_ns, (segment_bytes, record_bytes_max, partition_count))| TopicChange {
            retention_bytes,
            retention_ns,
            segment_bytes,
            record_bytes_max,
            partition_count,
        },
    )
}

#[test]
fn a_change_with_bits_that_mean_nothing_or_values_that_are_not_set_is_refused() {
    let head = |sets: u8, at: usize| {
        let mut head = [0; 41];
        head[8] = sets;
        head[at] |= 1;
        Request::decode(frame(Api::AlterTopic, &head))
    };
    let value = |field, value| refused(Api::AlterTopic, FieldError::Value { field, value });
    assert_eq!(head(0x20, 0), value("sets", 0x20));
    assert_eq!(head(0xff, 0), value("sets", 0xff));
    let fields = [("partition_count", 9), ("record_bytes_max", 13), ("segment_bytes", 17), ("retention_bytes", 25)];
    for (bit, (field, at)) in (0..).zip(fields.into_iter().chain([("retention_ns", 33)])) {
        assert_eq!(head(0x1f & !(1 << bit), at), value(field, 1), "it is not set");
        assert!(head(1 << bit, at).is_ok());
    }
}

fn any_request() -> impl Strategy<Value = Request> {
    let topic = || any::<u64>().prop_map(TopicId);
    let partition = || (topic(), any::<u32>()).prop_map(|(topic, index)| PartitionId { topic, index });
    let from = prop_oneof![
        any::<u64>().prop_map(|offset| RequestFrom::Offset(Offset(offset))),
        any::<u64>().prop_map(|time| RequestFrom::Time(Realtime(time))),
    ];
    let at = prop_oneof![
        Just(ListAt::Start),
        Just(ListAt::End),
        any::<u64>().prop_map(|time| ListAt::Time(Realtime(time))),
        any::<i64>().prop_map(ListAt::Timestamp),
    ];
    prop_oneof![
        ".{0,30}".prop_map(|client| Request::Negotiate { client }),
        (topic(), vec(".{0,100}", 0..=METADATA_NAMES_MAX)).prop_map(|(from, names)| Request::Metadata { from, names }),
        (".{0,100}", any::<u32>(), any_settings(), option::of(any_rule())).prop_map(
            |(name, partition_count, settings, keys)| Request::CreateTopic { name, partition_count, settings, keys }
        ),
        (topic(), vec(any::<u8>(), 0..100)).prop_map(|(topic, key)| Request::LookUpKey { topic, key: key.into() }),
        (topic(), any_change()).prop_map(|(topic, change)| Request::AlterTopic { topic, change }),
        topic().prop_map(|topic| Request::DeleteTopic { topic }),
        topic().prop_map(|topic| Request::DescribeTopic { topic }),
        Just(Request::InitProducer),
        (partition(), vec(any::<u8>(), 1..500))
            .prop_map(|(partition, batch)| Request::Produce { partition, batch: batch.as_slice().into() }),
        (partition(), from, any::<u32>(), any::<u32>()).prop_map(|(partition, from, bytes_max, wait_ms)| {
            Request::Fetch { partition, from, bytes_max, wait_ms, isolation: Isolation::Uncommitted }
        }),
        (partition(), at).prop_map(|(partition, at)| Request::ListOffsets { partition, at }),
        Just(Request::DescribeShards),
        Just(Request::ConfirmClock),
    ]
}

proptest! {
    #[test]
    fn any_request_comes_out_as_it_was_sent(request in any_request(), correlation: u64) {
        let bytes = encoded(&request, correlation);
        let frame = frame_of(&bytes);
        prop_assert_eq!(frame.correlation, correlation);
        let read = Request::decode(frame).unwrap();
        prop_assert_eq!(&read, &request);
        prop_assert_eq!(encoded(&read, correlation), bytes, "there is one encoding");
    }

    #[test]
    fn arbitrary_fields_never_panic_and_what_is_read_is_written_the_same(
        api in 0..14_u16,
        head in vec(prop_oneof![0..3_u8, any::<u8>()], 0..60),
        payload in vec(any::<u8>(), 0..3),
    ) {
        let (kind, payload) = (Kind::Request(api), BytesMut::from(payload.as_slice()));
        let version = Api::from_number(api).map_or(0, Api::version);
        let frame = Frame { kind, version, correlation: 1, head: head.into(), payload };
        if let Ok(request) = Request::decode(frame.clone()) {
            prop_assert_eq!(frame_of(&encoded(&request, 1)), frame);
        }
    }
}
