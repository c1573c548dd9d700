//! What holds for any response, and for any bytes.

use bytes::BytesMut;
use florin_engine::catalogue::TopicSettings;
use florin_engine::model::{Id128, Offset, ProducerEpoch, ProducerId, Realtime, TopicId};
use florin_engine::partition::CutReason;
use florin_engine::shard::Action;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::encoded;
use crate::protocol::tests::frame_of;
use crate::protocol::{
    APIS, Api, ApiVersions, Code, ErrorResponse, FetchResponse, FetchedBatch, Frame, Kind, Negotiated,
    PartitionDescription, Response, ShardDescription, ShardEndpoints, ShardState, TopicDescription, TopicsPage,
};

fn any_topic() -> impl Strategy<Value = TopicDescription> {
    (any::<(u64, u32)>(), "[a-z]{0,20}", vec(any::<u16>(), 0..20))
        .prop_map(|((id, revision), name, placement)| TopicDescription { id: TopicId(id), name, revision, placement })
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

fn any_partition() -> impl Strategy<Value = PartitionDescription> {
    let reasons = [None, Some(CutReason::Age), Some(CutReason::Size)];
    (any::<(u32, u16, u16, u32)>(), any::<[u64; 7]>(), 0..reasons.len()).prop_map(move |(small, numbers, reason)| {
        let (index, shard, code, producer_count) = small;
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
        }
    })
}

fn any_shard() -> impl Strategy<Value = ShardDescription> {
    let states =
        [ShardState::Starting, ShardState::Serving, ShardState::Failed, ShardState::Stopping, ShardState::NotOpen];
    let small = any::<(u16, bool, u16)>();
    let flags = any::<[bool; 2]>();
    (small, 0..states.len(), any::<[u64; 13]>(), (any::<[u32; 6]>(), flags), ".{0,30}").prop_map(
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

fn any_error() -> impl Strategy<Value = ErrorResponse> {
    use Action::{Fatal, Fenced, FixRequest, OutcomeUnknown, Refresh, Retry};
    let actions = [Retry, Refresh, Fenced, FixRequest, Fatal, OutcomeUnknown];
    (1..=u16::MAX, 0..actions.len(), any::<[u64; 2]>(), ".{0,60}").prop_map(move |(code, action, details, message)| {
        ErrorResponse { code: Code(code), action: actions[action], details, message }
    })
}

fn any_fetched() -> impl Strategy<Value = FetchResponse> {
    let batch = (any::<u64>(), any::<u64>(), vec(any::<u8>(), 1..200)).prop_map(|(offset, time, bytes)| FetchedBatch {
        base_offset: Offset(offset),
        append_time: Realtime(time),
        bytes: bytes.into(),
    });
    (any::<(u64, u64)>(), vec(batch, 0..20)).prop_map(|((start, end), batches)| FetchResponse {
        start_offset: Offset(start),
        high_watermark: Offset(end),
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

fn any_response() -> impl Strategy<Value = (Api, Response)> {
    let produced = any::<(u64, u64, bool)>().prop_map(|(offset, time, duplicate)| Response::Produced {
        base_offset: Offset(offset),
        append_time: Realtime(time),
        duplicate,
    });
    let producer = any::<(u64, u16)>()
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
        let frame = Frame { kind, version: 0, correlation: 1, head: head.into(), payload };
        if let Ok(response) = Response::decode(APIS[api], frame.clone()) {
            prop_assert_eq!(frame_of(&encoded(&response, APIS[api], 1)), frame);
        }
    }
}
