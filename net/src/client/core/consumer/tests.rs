//! What is fetched, and what of it is handed out.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use florin_engine::format::batch::{self, BatchBuilder, Header};
use florin_engine::model::{Offset, PartitionId, Realtime, TopicId};
use florin_engine::partition::Isolation;

use super::{ConsumerCore, ConsumerRules, FetchAttempt, FetchOutlet};
use crate::client::{BatchFault, ClientError, Start};
use crate::protocol::{
    Code, ErrorResponse, FetchResponse, FetchedBatch, ListAt, RequestFrom, Response, TopicDescription,
};

const SECOND_NS: u64 = 1_000_000_000;

#[derive(Default)]
struct Asked {
    is_closed: bool,
    fetches: VecDeque<(u16, RequestFrom, u32, FetchAttempt)>,
    lists: VecDeque<(ListAt, FetchAttempt)>,
}

impl FetchOutlet for Asked {
    fn has_room(&mut self, _shard: u16) -> bool {
        !self.is_closed
    }

    fn fetch(
        &mut self,
        shard: u16,
        _partition: PartitionId,
        (from, _): (RequestFrom, Isolation),
        bytes_max: u32,
        _wait_ms: u32,
        attempt: FetchAttempt,
    ) {
        self.fetches.push_back((shard, from, bytes_max, attempt));
    }

    fn list_offset(&mut self, _shard: u16, _partition: PartitionId, at: ListAt, attempt: FetchAttempt) {
        self.lists.push_back((at, attempt));
    }
}

fn topic() -> TopicDescription {
    TopicDescription { id: TopicId(7), name: "captures".to_owned(), revision: 1, placement: vec![0, 1], keys: None }
}

fn consumer(partitions: &[u32], start: Start) -> ConsumerCore {
    let rules = ConsumerRules {
        fetch_bytes_max: 1000,
        buffer_bytes_max: 4000,
        wait_ms: 100,
        reads_added: false,
        isolation: Isolation::Committed,
    };
    ConsumerCore::new(topic(), partitions, start, rules)
}

fn stored(base_offset: u64, values: &[&str]) -> BytesMut {
    let mut builder = BatchBuilder::new();
    for value in values {
        builder.push(1000, Some(b"k"), Some(value.as_bytes()), &[Header { key: b"h", value: None }]).unwrap();
    }
    let mut bytes = builder.finish();
    batch::place(&mut bytes, Offset(base_offset));
    bytes
}

fn fetched(batches: &[BytesMut]) -> Response {
    let batches = batches.iter().map(|bytes| FetchedBatch {
        base_offset: batch::base_offset(bytes).unwrap(),
        append_time: Realtime(5),
        bytes: Bytes::copy_from_slice(bytes),
    });
    let (start_offset, high_watermark) = (Offset(0), Offset(100));
    Response::Fetched(FetchResponse {
        start_offset,
        high_watermark,
        stable_offset: high_watermark,
        aborted: Vec::new(),
        batches: batches.collect(),
    })
}

fn next_fetch(core: &mut ConsumerCore, now_ns: u64) -> (RequestFrom, FetchAttempt) {
    let mut asked = Asked::default();
    core.pump(now_ns, &mut asked);
    let (_, from, _, attempt) = asked.fetches.pop_front().unwrap();
    assert!(asked.fetches.is_empty());
    (from, attempt)
}

fn offsets(core: &mut ConsumerCore) -> Vec<u64> {
    core.take_ready()
        .iter()
        .flat_map(|batch| batch.records().map(|record| record.offset.0).collect::<Vec<_>>())
        .collect()
}

fn fault_of(batches: &[BytesMut]) -> BatchFault {
    let mut core = consumer(&[0], Start::Offset(Offset(3)));
    let (_, attempt) = next_fetch(&mut core, 0);
    core.on_answer(attempt, fetched(batches), 0);
    core.take_ready();
    match core.take_error() {
        Some(ClientError::Batch { topic, partition: 0, fault, .. }) if topic == "captures" => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn records_below_the_asked_offset_are_not_handed_out() {
    let mut core = consumer(&[0], Start::Offset(Offset(3)));
    let (from, attempt) = next_fetch(&mut core, 0);
    assert_eq!(from, RequestFrom::Offset(Offset(3)));
    core.on_answer(attempt, fetched(&[stored(1, &["b", "c", "d", "e"]), stored(5, &["f"])]), 0);
    let batches = core.take_ready();
    assert_eq!((batches[0].first_offset, batches[0].record_count()), (Offset(3), 2));
    let records: Vec<_> = batches[0].records().collect();
    assert_eq!((records[0].offset, records[0].value, records[0].timestamp_ms), (Offset(3), Some(&b"d"[..]), 1000));
    assert_eq!((records[0].key, records[0].headers.len()), (Some(&b"k"[..]), 1));
    assert_eq!(core.position(0), Some(Offset(6)));
    assert_eq!(core.high_watermark(0), Some(Offset(100)));
    assert_eq!(next_fetch(&mut core, 0).0, RequestFrom::Offset(Offset(6)));
}

#[test]
fn one_request_per_partition_goes_to_its_shard_and_reading_ahead_is_bounded() {
    let mut core = consumer(&[0, 1], Start::Offset(Offset(0)));
    let mut asked = Asked::default();
    core.pump(0, &mut asked);
    core.pump(0, &mut asked);
    let shards: Vec<u16> = asked.fetches.iter().map(|fetch| fetch.0).collect();
    assert_eq!(shards, [0, 1]);
    let large = stored(0, &["x".repeat(1500).as_str()]);
    core.on_answer(asked.fetches[0].3, fetched(&[large]), 0);
    core.pump(0, &mut asked);
    assert_eq!(asked.fetches.len(), 2, "its share of the buffer is taken");
    assert_eq!(offsets(&mut core), [0]);
    core.pump(0, &mut asked);
    assert_eq!(asked.fetches.len(), 3);
}

#[test]
fn beginnings_ends_and_timestamps_are_asked_for_first_and_times_by_the_fetch() {
    for (start, at) in
        [(Start::Beginning, ListAt::Start), (Start::End, ListAt::Stable), (Start::Timestamp(-7), ListAt::Timestamp(-7))]
    {
        let mut core = consumer(&[0], start);
        let mut asked = Asked::default();
        core.pump(0, &mut asked);
        let (listed, attempt) = asked.lists.pop_front().unwrap();
        assert_eq!((listed, core.position(0)), (at, None));
        core.on_answer(attempt, Response::Offset(Offset(8)), 0);
        assert_eq!(core.position(0), Some(Offset(8)));
        assert_eq!(next_fetch(&mut core, 0).0, RequestFrom::Offset(Offset(8)));
    }
    let mut core = consumer(&[0], Start::Time(Realtime(44)));
    let (from, attempt) = next_fetch(&mut core, 0);
    assert_eq!(from, RequestFrom::Time(Realtime(44)));
    core.on_answer(attempt, fetched(&[]), 0);
    let (from, attempt) = next_fetch(&mut core, 0);
    assert_eq!(from, RequestFrom::Time(Realtime(44)), "until there is something");
    core.on_answer(attempt, fetched(&[stored(6, &["g", "h"])]), 0);
    assert_eq!(offsets(&mut core), [6, 7]);
}

#[test]
fn a_damaged_batch_is_never_handed_out_and_those_before_it_are() {
    let mut damaged = stored(1, &["b"]);
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    let mut core = consumer(&[0], Start::Offset(Offset(0)));
    let (_, attempt) = next_fetch(&mut core, 0);
    core.on_answer(attempt, fetched(&[stored(0, &["a"]), damaged, stored(2, &["c"])]), 0);
    assert!(core.take_error().is_none(), "what came before is handed out first");
    assert_eq!(offsets(&mut core), [0]);
    let error = core.take_error().unwrap();
    assert!(matches!(
        &error,
        ClientError::Batch { partition: 0, offset: Offset(1), fault: BatchFault::Damaged(_), .. }
    ));
    let mut asked = Asked::default();
    core.pump(0, &mut asked);
    assert!(asked.fetches.is_empty(), "it rests");
    core.seek(0, Start::Offset(Offset(2)));
    assert_eq!(next_fetch(&mut core, 0).0, RequestFrom::Offset(Offset(2)));
}

#[test]
fn gaps_overlaps_and_other_places_are_refused() {
    let misplaced = |batches: &[BytesMut]| matches!(fault_of(batches), BatchFault::Misplaced { .. });
    assert!(misplaced(&[stored(4, &["e"])]), "a gap at the front");
    assert!(misplaced(&[stored(1, &["b", "c"])]), "nothing of what was asked for");
    assert!(misplaced(&[stored(3, &["d"]), stored(5, &["f"])]), "a gap between");
    assert!(misplaced(&[stored(3, &["d", "e"]), stored(4, &["e"])]), "an overlap");
}

#[test]
fn a_batch_whose_own_offset_is_not_the_one_in_the_table_is_refused() {
    let flipped =
        FetchedBatch { base_offset: Offset(3), append_time: Realtime(5), bytes: stored(2, &["d", "e"]).freeze() };
    let mut core = consumer(&[0], Start::Offset(Offset(3)));
    let (_, attempt) = next_fetch(&mut core, 0);
    let (start_offset, high_watermark) = (Offset(0), Offset(100));
    let response = Response::Fetched(FetchResponse {
        start_offset,
        high_watermark,
        stable_offset: high_watermark,
        aborted: Vec::new(),
        batches: vec![flipped],
    });
    core.on_answer(attempt, response, 0);
    assert!(matches!(core.take_error(), Some(ClientError::Batch { fault: BatchFault::Misplaced { .. }, .. })));
}

#[test]
fn compressed_batches_are_refused_in_words_of_their_own() {
    let mut compressed = stored(3, &["d"]);
    compressed[22] |= 1;
    let crc = crc32c::crc32c(&compressed[21..]);
    compressed[17..21].copy_from_slice(&crc.to_be_bytes());
    assert_eq!(fault_of(&[compressed]), BatchFault::Compressed);
}

#[test]
fn an_offset_that_does_not_exist_is_told_once_while_others_go_on() {
    let mut core = consumer(&[0, 1], Start::Offset(Offset(0)));
    let mut asked = Asked::default();
    core.pump(0, &mut asked);
    let error = ErrorResponse::new(Code::OFFSET_OUT_OF_RANGE, "gone");
    core.on_answer(asked.fetches[0].3, Response::Error(error.clone()), 0);
    assert!(core.has_news());
    assert_eq!(core.take_error(), Some(ClientError::Refused(error)));
    assert_eq!(core.take_error(), None);
    core.on_answer(asked.fetches[1].3, fetched(&[stored(0, &["a"])]), 0);
    assert_eq!(offsets(&mut core), [0]);
}

#[test]
fn a_loss_is_told_once_behind_what_stands_before_it_and_reading_goes_on_behind_it() {
    let mut core = consumer(&[0], Start::Offset(Offset(0)));
    let (_, attempt) = next_fetch(&mut core, 0);
    core.on_answer(attempt, fetched(&[stored(0, &["a", "b"])]), 0);
    let (_, attempt) = next_fetch(&mut core, 0);
    let lost = ErrorResponse { details: [2, 7], ..ErrorResponse::new(Code::LOST, "lost") };
    core.on_answer(attempt, Response::Error(lost.clone()), 0);
    assert_eq!(core.take_error(), None, "what stands before comes first");
    assert_eq!(offsets(&mut core), [0, 1]);
    assert_eq!(core.take_error(), Some(ClientError::Refused(lost)));
    assert_eq!((core.take_error(), core.position(0)), (None, Some(Offset(7))));
    let (from, attempt) = next_fetch(&mut core, 0);
    assert_eq!(from, RequestFrom::Offset(Offset(7)));
    core.on_answer(attempt, fetched(&[stored(7, &["c"])]), 0);
    assert_eq!(offsets(&mut core), [7]);
}

#[test]
fn lost_and_refused_fetches_are_repeated_after_a_while_and_moved_partitions_are_looked_for() {
    let mut core = consumer(&[0], Start::Offset(Offset(0)));
    let (_, attempt) = next_fetch(&mut core, 0);
    core.on_lost(attempt, 0);
    let mut asked = Asked::default();
    core.pump(1, &mut asked);
    assert!(asked.fetches.is_empty());
    let wake_at_ns = core.wake_at_ns(0);
    let (_, again) = next_fetch(&mut core, wake_at_ns);
    core.on_answer(attempt, fetched(&[stored(0, &["a"])]), 0);
    assert!(core.take_ready().is_empty(), "the lost request is no longer asked");
    core.on_answer(again, Response::Error(ErrorResponse::new(Code(11), "moved")), SECOND_NS);
    assert!(core.wants_metadata());
    core.on_topic(Some(&TopicDescription { placement: vec![9, 1], ..topic() }));
    core.pump(3 * SECOND_NS, &mut asked);
    assert_eq!(asked.fetches[0].0, 9);
}

#[test]
fn what_was_read_before_a_seek_is_dropped() {
    let mut core = consumer(&[0], Start::Offset(Offset(0)));
    let (_, attempt) = next_fetch(&mut core, 0);
    core.seek(0, Start::Offset(Offset(50)));
    core.on_answer(attempt, fetched(&[stored(0, &["a"])]), 0);
    assert!(core.take_ready().is_empty());
    assert_eq!(core.position(0), Some(Offset(50)));
}

#[test]
fn partitions_that_were_added_are_read_from_their_beginning_by_who_reads_all() {
    let altered = TopicDescription { revision: 2, placement: vec![0, 1, 4], ..topic() };
    let rules = ConsumerRules {
        fetch_bytes_max: 1000,
        buffer_bytes_max: 4000,
        wait_ms: 100,
        reads_added: true,
        isolation: Isolation::Committed,
    };
    for (start, begins_at) in [
        (Start::End, Start::Beginning),
        (Start::Offset(Offset(3)), Start::Beginning),
        (Start::Time(Realtime(9)), Start::Time(Realtime(9))),
        (Start::Timestamp(9), Start::Timestamp(9)),
    ] {
        let mut core = ConsumerCore::new(topic(), &[0, 1], start, rules);
        core.pump(0, &mut Asked::default());
        core.on_topic(Some(&altered));
        assert_eq!(core.partitions().collect::<Vec<_>>(), [0, 1, 2]);
        let mut asked = Asked::default();
        core.pump(0, &mut asked);
        let found = match asked.fetches.pop_front() {
            Some((4, RequestFrom::Time(time), _, _)) => Start::Time(time),
            None => match asked.lists[0].0 {
                ListAt::Start => Start::Beginning,
                ListAt::Timestamp(ms) => Start::Timestamp(ms),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        };
        assert_eq!(found, begins_at);
        core.learn(&topic());
        assert_eq!(core.topic(), &altered, "what is older changes nothing");
    }
    let mut chosen = consumer(&[1], Start::Beginning);
    chosen.on_topic(Some(&altered));
    assert_eq!((chosen.partitions().collect::<Vec<_>>(), chosen.topic()), (vec![1], &altered));
    assert!(chosen.take_error().is_none(), "the topic is there");
}
