//! How a server ends, and what it says of itself until then.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use florin_engine::model::{Offset, PartitionId};
use florin_engine::partition::Isolation;
use florin_harness::served::wire::{Wire, WireError, batch_of};
use florin_net::protocol::{Request, RequestFrom, Response};

use super::{WITHIN, open, partition_on, place, roomy, start, wait_until};

/// Captures that one client has under way.
const PIPELINED: usize = 16;

/// Captures until the connection ends; returns what was answered: offset and value.
fn capture_until_closed(address: SocketAddr, partition: PartitionId, client: usize) -> Vec<(u64, Vec<u8>)> {
    let mut wire = open(address);
    let mut under_way = std::collections::BTreeMap::new();
    let mut stored = Vec::new();
    for number in 0.. {
        let value = format!("client {client} payment {number}").into_bytes();
        match wire.send(&Request::Produce { partition, batch: batch_of(&value) }) {
            Ok(correlation) => drop(under_way.insert(correlation, value)),
            Err(_) => break,
        }
        if under_way.len() < PIPELINED {
            continue;
        }
        thread::sleep(Duration::from_millis(1));
        if !take(&mut wire, &mut under_way, &mut stored) {
            return stored;
        }
    }
    while take(&mut wire, &mut under_way, &mut stored) {}
    stored
}

fn take(
    wire: &mut Wire,
    under_way: &mut std::collections::BTreeMap<u64, Vec<u8>>,
    stored: &mut Vec<(u64, Vec<u8>)>,
) -> bool {
    match wire.receive() {
        Ok((correlation, Response::Produced { base_offset, .. })) => {
            stored.push((base_offset.0, under_way.remove(&correlation).expect("it was asked")));
            true
        }
        // It says that it is stopping.
        Ok((correlation, Response::Error(error))) => {
            assert_eq!(error.code.0, 2, "{error}");
            under_way.remove(&correlation).is_some()
        }
        Err(WireError::Closed) => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn served_sigterm_under_load_loses_nothing_that_was_answered_and_ends_clean() {
    let Some(place) = place("SIGTERM under load") else { return };
    let server = start(&roomy(&place));
    let topic = open(server.address_of(0)).create_topic("payments", 4).expect("it is made");
    let partitions = [partition_on(&topic, 0), partition_on(&topic, 1)];
    // Each shard is written to by its own port and by the other one.
    let clients: Vec<_> = (0..4)
        .map(|client| {
            let (address, partition) = (server.address_of(u16::from(client >= 2)), partitions[client % 2]);
            thread::spawn(move || capture_until_closed(address, partition, client))
        })
        .collect();
    // One that waits for data, for it must not hold up the end.
    let mut poll = open(server.address_of(0));
    let empty = PartitionId { index: partitions[0].index + 2, ..partitions[0] };
    let from = RequestFrom::Offset(Offset(0));
    poll.send(&Request::Fetch {
        partition: empty,
        from,
        bytes_max: 1,
        wait_ms: 30_000,
        isolation: Isolation::Uncommitted,
    })
    .expect("it is read");
    wait_until("there is load", || server.metric("florin_captured_batches_total", "") >= 500.0);
    server.terminate().expect("it can be signalled");
    let stored: Vec<_> = clients.into_iter().map(|client| client.join().expect("it ends in order")).collect();
    assert!(poll.receive().is_ok(), "who waits is answered");
    let ended = server.wait();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");

    let server = start(&roomy(&place));
    wait_until("both shards were closed in order", || server.log().matches("was_clean=true").count() == 2);
    let found = partitions.map(|partition| open(server.address_of(0)).read_all(partition).expect("it can be read"));
    for (client, stored) in stored.iter().enumerate() {
        assert!(!stored.is_empty(), "client {client} was answered");
        let found = &found[client % 2];
        for (offset, value) in stored {
            let at = usize::try_from(*offset).expect("a few thousand");
            assert_eq!(found.get(at), Some(&(*offset, value.clone())), "it was answered and must be there");
        }
    }
    assert!(server.stop().status.success());
}

#[test]
fn served_a_second_signal_ends_the_process_at_once() {
    let Some(place) = place("SIGTERM twice") else { return };
    let mut server = start(&roomy(&place));
    let mut wire = open(server.address_of(0));
    let topic = wire.create_topic("payments", 4).expect("it is made");
    let partition = partition_on(&topic, 0);
    for _ in 0..40 {
        wire.produce(partition, &vec![5; 100_000]).expect("it is stored");
    }
    // A client that does not take its answers keeps the server draining for a while.
    let mut burst = BytesMut::new();
    for _ in 0..100 {
        let from = RequestFrom::Offset(Offset(0));
        wire.encode(
            &Request::Fetch { partition, from, bytes_max: u32::MAX, wait_ms: 0, isolation: Isolation::Uncommitted },
            &mut burst,
        );
    }
    wire.send_bytes(&burst).expect("it is read");
    wait_until("answers wait for the client", || server.metric("florin_in_flight_bytes", "") > 0.0);
    server.terminate().expect("it can be signalled");
    wait_until("it drains", || server.log().contains("draining"));
    assert!(server.is_running(), "the client has not taken its answers");
    server.terminate().expect("it can be signalled");
    let ended = server.wait();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(ended.log.contains("ended before the drain was over"), "{ended:?}");
    let server = start(&roomy(&place));
    assert_eq!(open(server.address_of(0)).read_all(partition).map(|values| values.len()), Ok(40));
    assert!(server.stop().status.success());
}

#[test]
fn served_a_client_that_never_reads_does_not_keep_the_server_from_ending() {
    let Some(place) = place("an end that nobody holds up") else { return };
    let server = start(&roomy(&place));
    let mut wire = open(server.address_of(0));
    let topic = wire.create_topic("payments", 4).expect("it is made");
    let partition = partition_on(&topic, 0);
    for _ in 0..40 {
        wire.produce(partition, &vec![5; 100_000]).expect("it is stored");
    }
    let from = RequestFrom::Offset(Offset(0));
    for _ in 0..20 {
        wire.send(&Request::Fetch {
            partition,
            from,
            bytes_max: u32::MAX,
            wait_ms: 0,
            isolation: Isolation::Uncommitted,
        })
        .expect("it is read");
    }
    // Half a frame, and a connection that says nothing, are no reason to wait either.
    let mut half = open(server.address_of(1));
    half.send_bytes(&[0x18, 0, 0]).expect("it is read");
    let _silent = Wire::connect(server.address_of(1)).expect("it listens");
    let begun = std::time::Instant::now();
    server.terminate().expect("it can be signalled");
    let ended = server.wait();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(begun.elapsed() < WITHIN);
    let server = start(&roomy(&place));
    wait_until("both shards were closed in order", || server.log().matches("was_clean=true").count() == 2);
    assert!(server.stop().status.success());
}

#[test]
fn served_health_and_metrics_tell_what_happens() {
    let Some(place) = place("health and metrics") else { return };
    let server = start(&roomy(&place));
    assert_eq!(server.http_get("/health/live").status, 200);
    let ready = server.http_get("/health/ready");
    assert_eq!(ready.status, 200);
    let states: Vec<_> = ready.body.lines().filter(|line| !line.starts_with("  ")).collect();
    assert_eq!(states, ["ready", "shard 0: serving", "shard 1: serving"]);
    assert_eq!(ready.body.matches("  at rest: 0 segment files, 0 bytes, ").count(), 2, "{ready:?}");
    assert_eq!(server.http_get("/health").status, 404);
    let before = server.metrics();
    assert!(before.len() > 50, "there is a lot to tell: {}", before.len());
    let mut wire = open(server.address_of(0));
    let topic = wire.create_topic("payments", 4).expect("it is made");
    for shard in [0, 1] {
        for _ in 0..20 {
            wire.produce(partition_on(&topic, shard), b"12.50 EUR").expect("it is stored");
        }
    }
    for stage in ["queue", "write", "ack"] {
        let label = format!("stage=\"{stage}\"");
        wait_until("the stages are measured", || {
            server.metric("florin_stage_observations_total", &label) >= 40.0
                && server.metric("florin_stage_seconds", &label) > 0.0
        });
    }
    let count = |name: &str, label: &str| server.metric(name, label);
    assert_eq!(count("florin_captured_batches_total", ""), 40.0);
    assert_eq!(count("florin_captured_batches_total", "shard=\"1\""), 20.0);
    assert_eq!(count("florin_requests_total", "api=\"produce\""), 40.0);
    assert_eq!(count("florin_connections", ""), 1.0);
    assert_eq!(count("florin_shard_serving", ""), 2.0);
    assert!(count("florin_received_bytes_total", "") > 40.0 * 100.0 && count("florin_sent_bytes_total", "") > 0.0);
    // What counts never falls.
    let after = server.metrics();
    for sample in before.iter().filter(|sample| sample.name.ends_with("_total")) {
        let later = after.iter().find(|later| later.name == sample.name && later.labels == sample.labels);
        assert!(later.is_some_and(|later| later.value >= sample.value), "{sample:?} became {later:?}");
    }
    assert!(server.http_get("/metrics").body.ends_with("# EOF\n"), "the text format of OpenMetrics ends so");
    assert!(server.stop().status.success());
}
