//! Many readers that catch up from segment files, and take their time, beside captures.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use florin_engine::limits::{COLD_CACHE_BYTES_MAX, COLD_READS_MAX, COLD_WAITING_MAX, INDEX_CACHE_BYTES_MAX};
use florin_engine::model::{Offset, PartitionId};
use florin_engine::partition::Isolation;
use florin_harness::served::server::Server;
use florin_harness::served::wire::{Wire, values_of};
use florin_net::protocol::{Request, RequestFrom, Response};

use super::rest::{RECORD_COUNT, RECORDS_PER_BATCH, VALUE_BYTES, create, name_of, resting, store};
use super::{GoodClient, MIB, open, place, start, wait_until};

const READER_COUNT: u64 = 40;
/// Fetches that each reader sends before it takes the first answer.
const FETCH_COUNT: u64 = 6;
const FETCH_BYTES: u32 = 256 * 1024;
/// Bytes of answers that may be under way over all connections of the server's core.
const EXECUTOR_BYTES: u64 = 8 * MIB;
/// What the server may need beside what has a limit here: buffers of connections, and what the allocator keeps.
const SLACK_BYTES: u64 = 24 * MIB;
/// How long the readers take nothing.
const SLOW: Duration = Duration::from_secs(2);

/// Asks for stretches all over the partition, and takes no answer yet.
fn ask(server: &Server, partition: PartitionId, number: u64) -> (Wire, BTreeMap<u64, Offset>) {
    let mut wire = open(server.address_of(0));
    let mut burst = BytesMut::new();
    let mut asked = BTreeMap::new();
    for fetch in 0..FETCH_COUNT {
        let offset = Offset((number * 7 + fetch * RECORD_COUNT / FETCH_COUNT) % (RECORD_COUNT - 300));
        let from = RequestFrom::Offset(offset);
        let correlation = wire.encode(
            &Request::Fetch { partition, from, bytes_max: FETCH_BYTES, wait_ms: 0, isolation: Isolation::Uncommitted },
            &mut burst,
        );
        asked.insert(correlation, offset);
    }
    wire.send_bytes(&burst).expect("it is read");
    (wire, asked)
}

/// Takes the answers, which come as they are ready: each begins where it was asked for, and has what was stored.
fn take(wire: &mut Wire, mut asked: BTreeMap<u64, Offset>) {
    while !asked.is_empty() {
        let (answered, response) = wire.receive().expect("it is answered");
        let Response::Fetched(fetched) = response else { panic!("{response:?}") };
        let offset = asked.remove(&answered).expect("an answer to what was asked, once");
        let records: Vec<_> =
            fetched.batches.iter().flat_map(|batch| values_of(&batch.bytes).expect("a right batch")).collect();
        let first = offset.0 / RECORDS_PER_BATCH as u64 * RECORDS_PER_BATCH as u64;
        assert_eq!(records.first().map(|(offset, _)| *offset), Some(first));
        for (at, (found, value)) in (first..).zip(&records) {
            assert_eq!(*found, at);
            assert_eq!(value, &name_of(at).repeat(VALUE_BYTES / name_of(at).len()).into_bytes());
        }
    }
}

#[test]
fn served_many_slow_catch_up_readers_leave_captures_alone_and_what_is_queued_inside_its_limits() {
    let Some(place) = place("slow catch-up readers") else { return };
    let executor_bytes = EXECUTOR_BYTES.to_string();
    let settings = ["--executor-bytes", executor_bytes.as_str(), "--connection-bytes", "2MiB"];
    let server = start(&resting(&place).with(&settings));
    let mut wire = open(server.address_of(0));
    let partition = create(&mut wire);
    store(&server, &mut wire, partition);
    let other = wire.create_topic("other", 1).expect("it is made");
    let good = GoodClient::start(server.address_of(0), PartitionId { topic: other.id, index: 0 });
    let (before, reads_before) = (server.resident_bytes(), server.metric("florin_cold_reads_total", ""));

    let mut readers: Vec<_> = (0..READER_COUNT).map(|number| ask(&server, partition, number)).collect();
    let mut most = 0;
    let look_count = 40;
    for _ in 0..look_count {
        thread::sleep(SLOW / look_count);
        most = most.max(server.resident_bytes());
        let waiting = server.metric("florin_cold_waiting_requests", "");
        assert!(waiting <= f64::from(u32::try_from(COLD_WAITING_MAX).expect("it is small")), "{waiting}");
    }
    let captured = good.count();
    assert!(captured > 20, "captures went on beside them: {captured}");
    readers.iter_mut().for_each(|(wire, asked)| take(wire, std::mem::take(asked)));
    good.finish();

    let cold_bytes = COLD_CACHE_BYTES_MAX + INDEX_CACHE_BYTES_MAX + COLD_READS_MAX * 2 * 1024 * 1024;
    let allowed = EXECUTOR_BYTES + u64::try_from(cold_bytes).expect("it is small") + SLACK_BYTES;
    println!("resident MiB: {} before, {} with {READER_COUNT} slow readers", before / MIB, most / MIB);
    assert!(most.saturating_sub(before) <= allowed, "{before} bytes grew to {most}, {allowed} are allowed");
    assert!(server.metric("florin_cold_reads_total", "") > reads_before, "segments were read");
    wait_until("nothing is kept of them", || server.metric("florin_in_flight_bytes", "") == 0.0);
    assert!(server.stop().status.success());
}
