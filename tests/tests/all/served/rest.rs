//! What clients see of batches that were taken to rest: small rings, small segments, little memory.

use std::path::Path;
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use florin_engine::catalogue::{TopicChange, TopicSettings};
use florin_engine::format::batch::{BatchBuilder, HEADERS_NONE};
use florin_engine::format::layout::shard_path;
use florin_engine::limits::SEGMENT_BYTES_MIN;
use florin_engine::model::{Offset, PartitionId, Realtime, ShardId, TopicId};
use florin_engine::partition::CutReason;
use florin_harness::served::server::{Server, Start};
use florin_harness::served::wire::{Wire, WireError};
use florin_net::protocol::{Code, ListAt, PartitionDescription, Request, Response};

use super::places::contents;
use super::{open, place, start, wait_until};

const KIB: u64 = 1024;
const RING_FILES: u16 = 4;
const RING_FILE_BYTES: u64 = 256 * KIB;
pub(super) const VALUE_BYTES: usize = 4000;
pub(super) const RECORDS_PER_BATCH: usize = 4;
pub(super) const RECORD_COUNT: u64 = 1200;

/// A server of one shard whose memory holds as much as its ring, so that everything older is read from segments.
pub(super) fn resting(directory: &tempfile::TempDir) -> Start {
    let memory = (u64::from(RING_FILES) * RING_FILE_BYTES).to_string();
    let data = directory.path().join("data");
    Start::new(data).shards(1).journal(RING_FILES, RING_FILE_BYTES).with(&["--memory-bytes", &memory])
}

/// The timestamp of the record with this number: most are one after the other, some are late, some early by far.
fn timestamp_ms(number: u64) -> i64 {
    let base = 1_000 * i64::try_from(number).expect("it is small");
    match number % 16 {
        5 => base - 40_000,
        11 => base + 25_500,
        _ => base,
    }
}

/// What the value of a record consists of.
pub(super) fn name_of(number: u64) -> String {
    format!("payment {number:06}, ")
}

fn batch_at(first: u64) -> BytesMut {
    let mut builder = BatchBuilder::new();
    for number in first..first + RECORDS_PER_BATCH as u64 {
        let value = name_of(number).repeat(VALUE_BYTES / name_of(number).len());
        builder.push(timestamp_ms(number), None, Some(value.as_bytes()), HEADERS_NONE).expect("it fits");
    }
    builder.finish()
}

/// A topic of one partition, in the smallest segments.
pub(super) fn create(wire: &mut Wire) -> PartitionId {
    let settings = TopicSettings { segment_bytes: SEGMENT_BYTES_MIN, ..TopicSettings::default() };
    match wire.ask(&Request::CreateTopic { name: "payments".to_owned(), partition_count: 1, settings, keys: None }) {
        Ok(Response::TopicCreated(topic)) => PartitionId { topic: topic.id, index: 0 },
        other => panic!("{other:?}"),
    }
}

/// Stores the records, and waits until segments hold all that the ring cannot; returns when each batch was appended.
pub(super) fn store(server: &Server, wire: &mut Wire, partition: PartitionId) -> Vec<Realtime> {
    let mut append_times = Vec::new();
    for first in (0..RECORD_COUNT).step_by(RECORDS_PER_BATCH) {
        let time = loop {
            match wire.ask(&Request::Produce { partition, batch: batch_at(first) }) {
                Ok(Response::Produced { base_offset, append_time, .. }) => {
                    assert_eq!(base_offset, Offset(first));
                    break append_time;
                }
                // The journal is full until segments have been written: the same again, a little later.
                Err(error) if error.code() == Some(5) => thread::sleep(Duration::from_millis(20)),
                other => panic!("{other:?}"),
            }
        };
        append_times.push(time);
    }
    let ring_bytes = u64::from(RING_FILES) * RING_FILE_BYTES;
    let rested_bytes = RECORD_COUNT * VALUE_BYTES as u64 - ring_bytes;
    assert!(rested_bytes > 2 * ring_bytes, "most of it is at rest");
    let is_at_rest = |bytes: f64| bytes >= f64::from(u32::try_from(rested_bytes).expect("it is small"));
    wait_until("what the ring cannot hold is at rest", || is_at_rest(server.metric("florin_stored_bytes", "")));
    append_times
}

/// Holds look-ups by either time against what was stored, also of times that nothing has.
fn assert_look_ups(wire: &mut Wire, partition: PartitionId, append_times: &[Realtime]) {
    let timestamps: Vec<i64> = (0..RECORD_COUNT).map(timestamp_ms).collect();
    let latest = timestamps.iter().max().copied().expect("there are some");
    let asked = timestamps.iter().copied().step_by(7).flat_map(|ms| [ms - 1, ms, ms + 1]);
    for ms in asked.chain([i64::MIN, -1, latest, latest + 1, i64::MAX]) {
        let expected = timestamps.iter().position(|stored| *stored >= ms).map_or(RECORD_COUNT, |at| at as u64);
        assert_eq!(wire.list_offset(partition, ListAt::Timestamp(ms)), Ok(Offset(expected)), "timestamp {ms}");
    }
    for (batch, time) in append_times.iter().enumerate().step_by(11) {
        let first = append_times.iter().position(|stored| stored >= time).unwrap_or(batch) as u64;
        let found = wire.list_offset(partition, ListAt::Time(*time));
        assert_eq!(found, Ok(Offset(first * RECORDS_PER_BATCH as u64)), "appended at {time}");
    }
}

#[test]
fn served_offsets_are_found_by_either_time_in_segments_and_in_memory_and_after_a_restart() {
    let Some(place) = place("look-ups at rest") else { return };
    let server = start(&resting(&place));
    let mut wire = open(server.address_of(0));
    let partition = create(&mut wire);
    assert_eq!(wire.list_offset(partition, ListAt::Timestamp(0)), Ok(Offset(0)), "there is nothing yet");
    let append_times = store(&server, &mut wire, partition);
    assert_look_ups(&mut wire, partition, &append_times);
    assert!(server.metric("florin_cold_reads_total", "") > 0.0, "segments were read");
    assert!(server.stop().status.success());

    let server = start(&resting(&place));
    let mut wire = open(server.address_of(0));
    assert_look_ups(&mut wire, partition, &append_times);
    let absent = PartitionId { index: 1, ..partition };
    let refused = wire.list_offset(absent, ListAt::Timestamp(0)).expect_err("there is no such partition");
    assert_eq!(refused.code(), Some(10), "{refused:?}");
    assert!(matches!(refused, WireError::Refused(_)));
    assert!(server.stop().status.success());
}

/// The only partition of a topic, as it is described.
fn described(wire: &mut Wire, topic: TopicId) -> PartitionDescription {
    match wire.ask(&Request::DescribeTopic { topic }) {
        Ok(Response::TopicDescribed { partitions, .. }) => partitions[0],
        other => panic!("{other:?}"),
    }
}

#[test]
fn served_what_is_at_rest_and_what_retention_cut_is_told_logged_and_kept_over_a_restart() {
    let Some(place) = place("cuts") else { return };
    let server = start(&resting(&place));
    let mut wire = open(server.address_of(0));
    let partition = create(&mut wire);
    let topic = partition.topic;
    let empty = described(&mut wire, topic);
    assert_eq!((empty.stored_bytes, empty.cut_bytes, empty.cut_time, empty.cut_reason), (0, 0, 0, None));
    store(&server, &mut wire, partition);
    let before = described(&mut wire, topic);
    assert_eq!((before.start_offset, before.high_watermark, before.cut_reason), (0, RECORD_COUNT, None));
    assert!(before.stored_bytes > 0 && server.metric("florin_stored_bytes", "") >= 1.0);
    let change = TopicChange { retention_bytes: Some(Some(64 * KIB)), ..TopicChange::default() };
    assert!(matches!(wire.ask(&Request::AlterTopic { topic, change }), Ok(Response::TopicAltered { .. })));
    wait_until("something is cut", || described(&mut wire, topic).cut_bytes > 0);
    let cut = described(&mut wire, topic);
    assert_eq!(cut.cut_reason, Some(CutReason::Size));
    assert!(cut.start_offset > 0 && cut.cut_time > 0, "{cut:?}");
    assert_eq!(wire.list_offset(partition, ListAt::Start), Ok(Offset(cut.start_offset)));
    assert_eq!(wire.list_offset(partition, ListAt::Timestamp(i64::MIN)), Ok(Offset(cut.start_offset)));
    assert!(server.metric("florin_retention_cuts_total", "") >= 1.0);
    assert!(server.metric("florin_retention_cut_bytes_total", "") >= 1.0);
    wait_until("the log says so", || server.log().contains("retention cut the front of a partition"));
    let log = server.log();
    assert!(log.contains("reason=\"size\"") && log.contains(&format!("partition={partition}")), "{log}");
    assert!(server.stop().status.success());

    let server = start(&resting(&place));
    let mut wire = open(server.address_of(0));
    let again = described(&mut wire, topic);
    assert!(again.cut_bytes >= cut.cut_bytes && again.cut_reason == cut.cut_reason, "{cut:?} {again:?}");
    assert!(server.stop().status.success());
}

/// Flips a bit of a record in every segment file that holds it.
fn damage_segments(shard: &Path, number: u64) {
    let name = name_of(number);
    let mut damaged_count = 0;
    for (path, mut bytes) in contents(shard) {
        let is_segment = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("segment-"));
        let found = bytes.windows(name.len()).position(|window| window == name.as_bytes());
        if let Some(at) = found.filter(|_| is_segment) {
            bytes[at] ^= 1;
            std::fs::write(path, bytes).expect("it can be written");
            damaged_count += 1;
        }
    }
    assert!(damaged_count > 0, "the record is at rest");
}

#[test]
fn served_damage_at_rest_is_refused_counted_and_logged_and_what_is_around_it_is_served() {
    let Some(place) = place("damage at rest") else { return };
    let server = start(&resting(&place));
    let mut wire = open(server.address_of(0));
    let partition = create(&mut wire);
    store(&server, &mut wire, partition);
    assert!(server.stop().status.success());
    damage_segments(&shard_path(&place.path().join("data"), ShardId(0)), 101);

    let server = start(&resting(&place));
    let mut wire = open(server.address_of(0));
    for _ in 0..20 {
        let Err(WireError::Refused(refused)) = wire.fetch(partition, Offset(102), 0) else { panic!("it is damaged") };
        assert_eq!((refused.code, refused.details), (Code(25), [100, 104]), "the whole batch: {refused:?}");
    }
    assert_eq!(wire.fetch(partition, Offset(99), 0).map(|fetched| fetched.batches.len()), Ok(1), "up to the damage");
    assert_eq!(wire.fetch(partition, Offset(104), 0).map(|fetched| fetched.batches.is_empty()), Ok(false));
    assert!(server.metric("florin_damaged_reads_total", "") >= 1.0);
    wait_until("the log says so", || server.log().contains("stored batches are damaged"));
    let log = server.log();
    assert!(log.contains("from=100 to=104") && log.contains("florin verify"), "{log}");
    assert!(server.stop().status.success());
}
