//! Bad frames by the million: the server's memory does not grow.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use florin_engine::model::PartitionId;
use florin_harness::served::wire::{Wire, WireError};
use florin_net::protocol::{Api, Kind, Response};

use super::frames::{frame, partition_head, request};
use super::{GoodClient, MIB, open, partition_on, place, roomy, start, wait_until};

/// Bad frames before memory is measured, and after.
const WARM_UP_COUNT: usize = 50_000;
const FRAME_COUNT: usize = 1_000_000;
/// Connections that send them.
const CLIENT_COUNT: usize = 4;
/// Frames that are sent at once, before the answers to them are read.
const BURST_COUNT: usize = 500;
/// Connections that are closed for what they sent.
const CLOSED_COUNT: usize = 1000;
const GROWTH_BYTES_MAX: u64 = 16 * MIB;
/// Connections that go on sending behind a bad frame, and how much each sends.
const BEHIND_COUNT: usize = 100;
const BEHIND_BYTES: usize = 900_000;
const LIMIT: Duration = Duration::from_secs(300);

/// A burst of bad frames of all kinds that leave the connection open.
fn burst(partition: PartitionId) -> Vec<u8> {
    let unknown = PartitionId { index: 99, ..partition };
    let out_of_range = [&partition_head(partition)[..], &[0xff; 4], &[0; 5], &[0x7f; 8]].concat();
    let kinds = [
        frame(Kind::Request(999), 0, 7, &[], &[]),
        frame(Kind::Request(6), 9, 7, &[], &[]),
        frame(Kind::Response(0), 0, 7, &[], &[]),
        request(Api::Fetch, 7, &[], &[]),
        request(Api::Metadata, 7, &[0xff; 12], &[]),
        request(Api::Produce, 7, &partition_head(partition), &[0xa5; 100]),
        request(Api::Produce, 7, &partition_head(unknown), &[0xa5; 100]),
        request(Api::Fetch, 7, &out_of_range, &[]),
        request(Api::DescribeTopic, 7, &[9; 8], &[]),
    ];
    kinds.iter().cycle().take(BURST_COUNT).flatten().copied().collect()
}

/// Sends `count` bad frames, and expects as many errors.
fn send_bad_frames(address: SocketAddr, partition: PartitionId, count: usize) {
    let burst = burst(partition);
    let mut wire = open(address);
    for _ in 0..count / BURST_COUNT {
        wire.send_bytes(&burst).expect("they are read");
        for _ in 0..BURST_COUNT {
            match wire.receive() {
                Ok((7, Response::Error(_))) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// The same from several connections.
fn flood(address: SocketAddr, partition: PartitionId, count: usize) {
    let send = || thread::spawn(move || send_bad_frames(address, partition, count / CLIENT_COUNT));
    let clients: Vec<_> = (0..CLIENT_COUNT).map(|_| send()).collect();
    clients.into_iter().for_each(|client| client.join().expect("every bad frame was answered"));
}

/// Connects, sends what cannot be cut into frames, and hears why it is closed.
fn be_closed(address: SocketAddr, number: usize) {
    let bytes: &[u8] = match number % 3 {
        0 => &[0xff; 600],
        1 => &[0; 600],
        _ => b"GET / HTTP/1.1\r\n\r\n",
    };
    let mut wire = Wire::connect(address).expect("it listens");
    if number.is_multiple_of(2) {
        wire.negotiate().expect("it negotiates");
    }
    wire.send_bytes(bytes).expect("it is read");
    match wire.receive() {
        Ok((_, Response::Error(error))) => assert!((100..=102).contains(&error.code.0), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn served_what_comes_behind_a_bad_frame_is_not_kept() {
    let Some(place) = place("bytes behind a bad frame") else { return };
    let server = start(&roomy(&place));
    let address = server.address_of(0);
    (0..10).for_each(|number| be_closed(address, number));
    let before = server.resident_bytes();
    let mut most = before;
    let mut wires = Vec::new();
    for _ in 0..BEHIND_COUNT {
        let mut wire = Wire::connect(address).expect("it listens");
        wire.send_bytes(&[0xff; BEHIND_BYTES]).expect("it is read");
        most = most.max(server.resident_bytes());
        wires.push(wire);
    }
    // While it waits for them to go, and reads what they send meanwhile.
    for _ in 0..40 {
        thread::sleep(Duration::from_millis(10));
        most = most.max(server.resident_bytes());
    }
    for mut wire in wires {
        assert!(matches!(wire.receive(), Ok((0, Response::Error(error))) if error.code.0 == 101));
        assert_eq!(wire.receive_until_closed(), Ok(Vec::new()));
    }
    println!("resident MiB: {} before, {} at most", before / MIB, most / MIB);
    assert!(most.saturating_sub(before) <= GROWTH_BYTES_MAX, "{before} bytes grew to {most}");
    assert!(server.stop().status.success());
}

#[test]
fn served_a_million_bad_frames_leave_the_memory_of_the_server_as_it_was() {
    let Some(place) = place("a million bad frames") else { return };
    let server = start(&roomy(&place));
    let topic = open(server.address_of(0)).create_topic("payments", 4).expect("it is made");
    let (address, partition) = (server.address_of(0), partition_on(&topic, 0));
    flood(address, partition, WARM_UP_COUNT);
    let warm = server.resident_bytes();
    let good = GoodClient::start(server.address_of(1), partition_on(&topic, 1));
    let begun = Instant::now();
    flood(address, partition, FRAME_COUNT);
    let flooded = server.resident_bytes();
    (0..CLOSED_COUNT).for_each(|number| be_closed(address, number));
    wait_until("connections that were closed are gone", || server.metric("florin_connections", "") <= 1.0);
    let closed = server.resident_bytes();
    let took = begun.elapsed();
    good.finish();
    println!("{took:?}; resident MiB: {} warm, {} flooded, {} closed", warm / MIB, flooded / MIB, closed / MIB);
    let errors = server.metric("florin_error_responses_total", "");
    assert!(errors >= 1_000_000.0, "every bad frame was refused: {errors}");
    for after in [flooded, closed] {
        assert!(after.saturating_sub(warm) <= GROWTH_BYTES_MAX, "{warm} bytes grew to {after}");
    }
    assert!(took < LIMIT, "it took {took:?}");
    assert_eq!(open(address).metadata().map(|page| page.topics.len()), Ok::<_, WireError>(1));
    assert!(server.stop().status.success());
}
