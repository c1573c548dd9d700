//! A request and a response of every kind.

use bytes::{Bytes, BytesMut};
use florin_engine::catalogue::{TopicChange, TopicSettings};
use florin_engine::format::control::{KeyRule, KeySource, Partitioner};
use florin_engine::key::KeyVerdict;
use florin_engine::model::{Id128, Offset, PartitionId, ProducerEpoch, ProducerId, Realtime, TopicId};
use florin_engine::partition::CutReason;
use florin_engine::partition::Isolation;
use florin_engine::shard::KeyReceipt;
use florin_net::protocol::{
    API_VERSIONS, APIS, Api, Code, ErrorResponse, FetchResponse, FetchedBatch, ListAt, Negotiated,
    PartitionDescription, Request, RequestFrom, Response, ShardDescription, ShardEndpoints, TopicDescription,
    TopicsPage,
};

use super::{REPAIR, RESPONSES};
use crate::fuzz::batches::placed_batch;

mod transactions;

const TOPIC: TopicId = TopicId(7);
const PARTITION: PartitionId = PartitionId { topic: TOPIC, index: 3 };
const PIECE_BYTES: u8 = 5;

/// See [`Target::seeds`](crate::fuzz::Target::seeds).
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for request in requests() {
        let mut stream = BytesMut::new();
        request.encode(9, &mut stream);
        seeds.push(input(0, 0, &stream));
    }
    for (api, response) in responses() {
        let mut stream = BytesMut::new();
        response.encode(api, 1, &mut stream);
        let at = APIS.iter().position(|one| *one == api).expect("an api is one of all");
        seeds.push(input(RESPONSES, u8::try_from(at).expect("there are few apis"), &stream));
    }
    let mut pipelined = BytesMut::new();
    requests().iter().zip(1..).for_each(|(request, correlation)| request.encode(correlation, &mut pipelined));
    seeds.push(input(REPAIR, 0, &pipelined));
    let mut session = BytesMut::new();
    Response::Negotiated(negotiated()).encode(Api::Negotiate, 1, &mut session);
    Response::Shards(vec![ShardDescription::default()]).encode(Api::DescribeShards, 2, &mut session);
    seeds.push(input(RESPONSES | REPAIR, 0, &session));
    seeds
}

fn input(flags: u8, api: u8, stream: &[u8]) -> Vec<u8> {
    [&[flags, PIECE_BYTES, api], stream].concat()
}

fn requests() -> Vec<Request> {
    let settings = TopicSettings { retention_bytes: Some(5), retention_ns: None, ..TopicSettings::default() };
    let change = TopicChange { partition_count: Some(4), retention_ns: Some(None), ..TopicChange::default() };
    let offset = RequestFrom::Offset(Offset(41));
    let fetch = |from| Request::Fetch {
        partition: PARTITION,
        from,
        bytes_max: 1 << 20,
        wait_ms: 500,
        isolation: Isolation::Uncommitted,
    };
    let list = |at| Request::ListOffsets { partition: PARTITION, at };
    let mut requests = vec![
        Request::Negotiate { client: "client".to_owned() },
        Request::Metadata { from: TOPIC, names: vec!["one".to_owned(), "two".to_owned()] },
        Request::CreateTopic { name: "captures".to_owned(), partition_count: 3, settings, keys: None },
        Request::DeleteTopic { topic: TOPIC },
        Request::DescribeTopic { topic: TOPIC },
        Request::InitProducer,
        Request::Produce { partition: PARTITION, batch: placed_batch(0, &[b"12.50 EUR"]) },
        fetch(offset),
        fetch(RequestFrom::Time(Realtime(9))),
        list(ListAt::Start),
        list(ListAt::End),
        list(ListAt::Time(Realtime(9))),
        list(ListAt::Timestamp(-1)),
        Request::DescribeShards,
        Request::ConfirmClock,
        Request::AlterTopic { topic: TOPIC, change },
        Request::CreateTopic { name: "payments".to_owned(), partition_count: 3, settings, keys: Some(rule()) },
        Request::LookUpKey { topic: TOPIC, key: Bytes::from_static(b"p1") },
    ];
    requests.extend(transactions::requests());
    requests
}

fn rule() -> KeyRule {
    let header = KeySource::Header("payment-id".into());
    KeyRule::new(header, 30, vec!["amount".into()], Partitioner::Crc32).expect("a rule")
}

fn negotiated() -> Negotiated {
    Negotiated {
        directory_id: Id128([0xd1; 16]),
        shard: 1,
        shard_count: 2,
        server: "florin".to_owned(),
        request_bytes_max: 1 << 20,
        batch_bytes_max: 1 << 19,
        fetch_bytes_max: 1 << 20,
        requests_max: 100,
        retry_window_batches: 5,
        idle_ms: 60_000,
        apis: API_VERSIONS.to_vec(),
    }
}

fn responses() -> Vec<(Api, Response)> {
    let topic = || TopicDescription {
        id: TOPIC,
        name: "captures".to_owned(),
        revision: 2,
        placement: vec![0, 1, 0],
        keys: None,
    };
    let settings = TopicSettings::default();
    let partition = PartitionDescription { index: 1, cut_reason: Some(CutReason::Size), ..Default::default() };
    let batch = |offset, value: &[u8]| FetchedBatch {
        base_offset: Offset(offset),
        append_time: Realtime(5),
        bytes: Bytes::from(placed_batch(offset, &[value])),
    };
    let fetched = FetchResponse {
        start_offset: Offset(3),
        high_watermark: Offset(43),
        stable_offset: Offset(42),
        aborted: vec![transactions::aborted()],
        batches: vec![batch(41, b"one"), batch(42, b"two")],
    };
    let endpoints = ShardEndpoints { host: "localhost".to_owned(), ports: vec![7600, 7601] };
    let page = TopicsPage { endpoints, complete: true, next: TopicId(8), topics: vec![topic()] };
    let shard = ShardDescription { shard: 1, problem: "disk".to_owned(), ..ShardDescription::default() };
    let receipt = KeyReceipt { offset: Offset(41), append_time: Realtime(9) };
    let records = vec![
        KeyVerdict::New,
        KeyVerdict::Duplicate { offset: Offset(41), append_time: Realtime(9) },
        KeyVerdict::Conflict { offset: Offset(40), append_time: Realtime(8) },
        KeyVerdict::Repeated { first: 0 },
    ];
    let mixed = ErrorResponse { records, ..ErrorResponse::new(Code::KEY_CONFLICT, "another payment") };
    let error = ErrorResponse { details: [2, 0], ..ErrorResponse::new(Code::FENCED, "fenced by epoch 2") };
    let mut responses = vec![
        (Api::Negotiate, Response::Negotiated(negotiated())),
        (Api::Metadata, Response::Topics(page)),
        (Api::CreateTopic, Response::TopicCreated(topic())),
        (Api::DeleteTopic, Response::TopicDeleted(TOPIC)),
        (Api::DescribeTopic, Response::TopicDescribed { topic: topic(), settings, partitions: vec![partition] }),
        (Api::InitProducer, Response::Producer { id: ProducerId(9), epoch: ProducerEpoch(0) }),
        (Api::Produce, Response::Produced { base_offset: Offset(41), append_time: Realtime(9), duplicate: true }),
        (Api::Fetch, Response::Fetched(fetched)),
        (Api::ListOffsets, Response::Offset(Offset(41))),
        (Api::DescribeShards, Response::Shards(vec![shard])),
        (Api::ConfirmClock, Response::ClockConfirmed),
        (Api::AlterTopic, Response::TopicAltered { topic: topic(), settings }),
        (Api::Produce, Response::Error(error)),
        (Api::CreateTopic, Response::TopicCreated(TopicDescription { keys: Some(rule()), ..topic() })),
        (Api::Produce, Response::Known(vec![receipt, KeyReceipt { offset: Offset(9), ..receipt }])),
        (Api::Produce, Response::Error(mixed)),
        (Api::LookUpKey, Response::Key { partition: 2, receipt: Some(receipt) }),
        (Api::LookUpKey, Response::Key { partition: 2, receipt: None }),
    ];
    responses.extend(transactions::responses());
    responses
}
