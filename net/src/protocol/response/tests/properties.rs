//! What holds for any response, and for any bytes.

use bytes::BytesMut;
use florin_engine::catalogue::TopicSettings;
use florin_engine::key::KeyVerdict;
use florin_engine::model::{Id128, Offset, ProducerEpoch, ProducerId, Realtime, TopicId, TransactionKey};
use florin_engine::partition::CutReason;
use florin_engine::shard::{Action, KeyReceipt};
use florin_engine::transaction::{AbortedTransaction, OpenTransaction};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::encoded;
use crate::protocol::tests::{any_rule, frame_of};
use crate::protocol::{
    APIS, Api, ApiVersions, Code, ErrorResponse, FetchResponse, FetchedBatch, Frame, Kind, Negotiated,
    PartitionDescription, Response, ShardDescription, ShardEndpoints, ShardState, TopicDescription, TopicsPage,
};

fn any_topic() -> impl Strategy<Value = TopicDescription> {
    (any::<(u64, u32)>(), "[a-z]{0,20}", vec(any::<u16>(), 0..20), option::of(any_rule())).prop_map(
        |((id, revision), name, placement, keys)| TopicDescription { id: TopicId(id), name, revision, placement, keys },
    )
}

fn any_settings() -> impl Strategy<Value = TopicSettings> {
    let kept = || option::of(1..=u64::MAX);
    (kept(), kept(), any::<(u64, u32)>()).prop_map(
        |(retention_bytes, retention_ns, (segment_bytes, record_bytes_max))| TopicSettings {
            retention_bytes,
            retention_ns,
            segment_bytes,
            record_bytes_max,
        },
    )
}

fn any_key() -> impl Strategy<Value = TransactionKey> {
    (0..=i64::MAX.cast_unsigned(), 0..=i16::MAX.cast_unsigned())
        .prop_map(|(producer, epoch)| TransactionKey { producer: ProducerId(producer), epoch: ProducerEpoch(epoch) })
}

fn any_partition() -> impl Strategy<Value = PartitionDescription> {
    let reasons = [None, Some(CutReason::Age), Some(CutReason::Size)];
    let oldest = option::of((any_key(), any::<(u64, u64)>()).prop_map(|(transaction, (first_offset, since))| {
        OpenTransaction { transaction, first_offset: Offset(first_offset), since: Realtime(since) }
    }));
    let small = any::<(u32, u16, u16, u32, u32)>();
    (small, any::<[u64; 8]>(), 0..reasons.len(), oldest).prop_map(move |(small, numbers, reason, oldest)| {
        let (index, shard, code, producer_count, open_transaction_count) = small;
        PartitionDescription {
            index,
            shard,
            code,
            start_offset: numbers[0],
            high_watermark: numbers[1],
            held_bytes: numbers[2],
            stored_bytes: numbers[3],
            producer_count,
            last_append_time: numbers[4],
            cut_bytes: numbers[5],
            cut_time: numbers[6],
            cut_reason: reasons[reason],
            stable_offset: numbers[7],
            open_transaction_count,
            oldest_transaction: oldest,
        }
    })
}

fn any_shard() -> impl Strategy<Value = ShardDescription> {
    let states =
        [ShardState::Starting, ShardState::Serving, ShardState::Failed, ShardState::Stopping, ShardState::NotOpen];
    let small = any::<(u16, bool, u16)>();
    let flags = any::<[bool; 2]>();
    (small, 0..states.len(), any::<[u64; 16]>(), (any::<[u32; 12]>(), flags), ".{0,30}").prop_map(
        move |((shard, clock_suspended, port), state, numbers, (counts, flags), problem)| ShardDescription {
            shard,
            state: states[state],
            clock_suspended,
            port,
            epoch: numbers[0],
            durable_sequence: numbers[1],
            appended_sequence: numbers[2],
            partition_count: counts[0],
            connection_count: counts[1],
            waiting_count: counts[2],
            unused_file_count: counts[3],
            held_bytes: numbers[3],
            captured_count: numbers[4],
            disk_full: flags[0],
            manifest_full: flags[1],
            held_bytes_max: numbers[5],
            segment_count: counts[4],
            stored_bytes: numbers[6],
            unsynced_bytes: numbers[7],
            journal_used_bytes: numbers[8],
            journal_bytes: numbers[9],
            manifest_run_bytes: numbers[10],
            manifest_run_bytes_max: numbers[11],
            cold_read_count: numbers[12],
            cold_waiting_count: counts[5],
            keys_recent_count: numbers[13],
            keys_cached_bytes: numbers[14],
            keys_read_count: numbers[15],
            keys_waiting_count: counts[6],
            transactional_id_count: counts[7],
            unsettled_transaction_count: counts[8],
            open_transaction_count: counts[9],
            group_count: counts[10],
            coordinator_waiting_count: counts[11],
            problem,
        },
    )
}

fn any_negotiated() -> impl Strategy<Value = Negotiated> {
    let apis = vec(any::<(u16, u8, u8)>(), 0..20);
    (any::<[u8; 16]>(), any::<(u16, u16)>(), ".{0,30}", any::<[u32; 6]>(), apis).prop_map(
        |(directory_id, (shard, shard_count), server, numbers, apis)| Negotiated {
            directory_id: Id128(directory_id),
            shard,
            shard_count,
            server,
            request_bytes_max: numbers[0],
            batch_bytes_max: numbers[1],
            fetch_bytes_max: numbers[2],
            requests_max: numbers[3],
            retry_window_batches: numbers[4],
            idle_ms: numbers[5],
            apis: apis
                .into_iter()
                .map(|(api, version_min, version_max)| ApiVersions { api, version_min, version_max })
                .collect(),
        },
    )
}

fn any_receipt() -> impl Strategy<Value = KeyReceipt> {
    (offsets(), any::<u64>())
        .prop_map(|(offset, time)| KeyReceipt { offset: Offset(offset), append_time: Realtime(time) })
}

/// Not a repetition: which those can repeat follows from their places.
fn any_verdict() -> impl Strategy<Value = KeyVerdict> {
    prop_oneof![
        Just(KeyVerdict::New),
        any_receipt().prop_map(|KeyReceipt { offset, append_time }| KeyVerdict::Duplicate { offset, append_time }),
        any_receipt().prop_map(|KeyReceipt { offset, append_time }| KeyVerdict::Conflict { offset, append_time }),
    ]
}

fn any_error() -> impl Strategy<Value = ErrorResponse> {
    use Action::{Fatal, Fenced, FixRequest, OutcomeUnknown, Refresh, Retry};
    let actions = [Retry, Refresh, Fenced, FixRequest, Fatal, OutcomeUnknown];
    let code = prop_oneof![1..=u16::MAX, Just(Code::KEYS_KNOWN.0), Just(Code::KEY_CONFLICT.0)];
    (code, 0..actions.len(), any::<[u64; 2]>(), ".{0,60}", vec(any_verdict(), 0..20)).prop_map(
        move |(code, action, details, message, records)| {
            let (code, action) = (Code(code), actions[action]);
            let records = if code.has_records() { records } else { Vec::new() };
            ErrorResponse { code, action, details, message, records }
        },
    )
}

fn any_fetched() -> impl Strategy<Value = FetchResponse> {
    let batch = (any::<u64>(), any::<u64>(), vec(any::<u8>(), 1..200)).prop_map(|(offset, time, bytes)| FetchedBatch {
        base_offset: Offset(offset),
        append_time: Realtime(time),
        bytes: bytes.into(),
    });
    let aborted = (any_key(), any::<(u64, u64)>()).prop_map(|(transaction, (first_offset, marker))| {
        AbortedTransaction { transaction, first_offset: Offset(first_offset), marker: Offset(marker) }
    });
    (any::<[u64; 3]>(), vec(aborted, 0..5), vec(batch, 0..20)).prop_map(|(offsets, aborted, batches)| FetchResponse {
        start_offset: Offset(offsets[0]),
        high_watermark: Offset(offsets[1]),
        stable_offset: Offset(offsets[2]),
        aborted,
        batches,
    })
}

fn any_topics() -> impl Strategy<Value = TopicsPage> {
    (".{0,30}", vec(any::<u16>(), 0..20), any::<(bool, u64)>(), vec(any_topic(), 0..10)).prop_map(
        |(host, ports, (complete, next), topics)| TopicsPage {
            endpoints: ShardEndpoints { host, ports },
            complete,
            next: TopicId(next),
            topics,
        },
    )
}

/// Numbers that fit a batch.
fn offsets() -> impl Strategy<Value = u64> {
    0..=i64::MAX.cast_unsigned()
}

fn any_response() -> impl Strategy<Value = (Api, Response)> {
    let produced = (offsets(), any::<u64>(), any::<bool>()).prop_map(|(offset, time, duplicate)| Response::Produced {
        base_offset: Offset(offset),
        append_time: Realtime(time),
        duplicate,
    });
    let producer = (offsets(), 0..=i16::MAX.cast_unsigned())
        .prop_map(|(id, epoch)| Response::Producer { id: ProducerId(id), epoch: ProducerEpoch(epoch) });
    let described = (any_topic(), any_settings(), vec(any_partition(), 0..20))
        .prop_map(|(topic, settings, partitions)| Response::TopicDescribed { topic, settings, partitions });
    let altered =
        (any_topic(), any_settings()).prop_map(|(topic, settings)| Response::TopicAltered { topic, settings });
    prop_oneof![
        any_negotiated().prop_map(|negotiated| (Api::Negotiate, Response::Negotiated(negotiated))),
        any_topics().prop_map(|page| (Api::Metadata, Response::Topics(page))),
        any_topic().prop_map(|topic| (Api::CreateTopic, Response::TopicCreated(topic))),
        any::<u64>().prop_map(|topic| (Api::DeleteTopic, Response::TopicDeleted(TopicId(topic)))),
        described.prop_map(|response| (Api::DescribeTopic, response)),
        producer.prop_map(|response| (Api::InitProducer, response)),
        produced.prop_map(|response| (Api::Produce, response)),
        any_fetched().prop_map(|fetched| (Api::Fetch, Response::Fetched(fetched))),
        any::<u64>().prop_map(|offset| (Api::ListOffsets, Response::Offset(Offset(offset)))),
        vec(any_shard(), 0..10).prop_map(|shards| (Api::DescribeShards, Response::Shards(shards))),
        Just((Api::ConfirmClock, Response::ClockConfirmed)),
        altered.prop_map(|response| (Api::AlterTopic, response)),
        vec(any_receipt(), 1..20).prop_map(|receipts| (Api::Produce, Response::Known(receipts))),
        (any::<u32>(), option::of(any_receipt()))
            .prop_map(|(partition, receipt)| (Api::LookUpKey, Response::Key { partition, receipt })),
        (0..APIS.len(), any_error()).prop_map(|(api, error)| (APIS[api], Response::Error(error))),
    ]
}

proptest! {
    #[test]
    fn any_response_comes_out_as_it_was_sent((api, response) in any_response(), correlation: u64) {
        let bytes = encoded(&response, api, correlation);
        let frame = frame_of(&bytes);
        prop_assert_eq!(frame.correlation, correlation);
        let read = Response::decode(api, frame).unwrap();
        prop_assert_eq!(&read, &response);
        prop_assert_eq!(encoded(&read, api, correlation), bytes, "there is one encoding");
    }

    #[test]
    fn arbitrary_fields_never_panic_and_what_is_read_is_written_the_same(
        api in 0..APIS.len(),
        code in prop_oneof![Just(0_u16), any::<u16>()],
        head in vec(prop_oneof![0..3_u8, any::<u8>()], 0..120),
        payload in vec(any::<u8>(), 0..6),
    ) {
        let (kind, payload) = (Kind::Response(code), BytesMut::from(payload.as_slice()));
        let version = APIS[api].version();
        let frame = Frame { kind, version, correlation: 1, head: head.into(), payload };
        if let Ok(response) = Response::decode(APIS[api], frame.clone()) {
            prop_assert_eq!(frame_of(&encoded(&response, APIS[api], 1)), frame);
        }
    }
}
