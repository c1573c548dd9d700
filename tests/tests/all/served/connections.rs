//! Many connections: too many of them, short ones, and such that end while something waits.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use florin_engine::model::{Offset, PartitionId};
use florin_engine::partition::Isolation;
use florin_harness::served::server::Server;
use florin_harness::served::wire::{Wire, WireError};
use florin_net::protocol::{Request, RequestFrom};
use rustix::net::sockopt::set_socket_linger;

use super::{GoodClient, MIB, WITHIN, open, partition_on, place, roomy, start, wait_until, wait_within};

const CODE_TOO_MANY: u16 = 107;
const CONNECTIONS_MAX: usize = 4;
const STORM_COUNT: usize = 2000;
/// How long a poll waits if nobody sees that its client has gone, and how soon it must be seen.
const POLL_MS: u32 = 30_000;
const SEEN_WITHIN: Duration = Duration::from_secs(15);

fn connection_count(server: &Server) -> f64 {
    server.metric("florin_connections", "")
}

#[test]
fn served_the_connection_above_the_limit_is_told_so_and_room_is_given_back() {
    let Some(place) = place("too many connections") else { return };
    let server = start(&roomy(&place).shards(1).with(&["--connections", "4"]));
    let address = server.address_of(0);
    for round in 0..3 {
        wait_until("nobody is connected", || connection_count(&server) == 0.0);
        // They wait to be accepted, all of them, when the server comes to that.
        server.pause().expect("it can be stopped");
        let mut wires: Vec<_> = (0..40).map(|_| Wire::connect(address).expect("it listens")).collect();
        server.resume().expect("it can go on");
        let mut kept = Vec::new();
        let mut refused = 0;
        for mut wire in wires.drain(..) {
            match wire.negotiate() {
                Ok(_) => kept.push(wire),
                Err(WireError::Refused(error)) => {
                    assert_eq!((error.code.0, error.details[0]), (CODE_TOO_MANY, 4), "{error}");
                    assert_eq!(wire.receive_until_closed(), Ok(Vec::new()), "it is closed behind the error");
                    refused += 1;
                }
                Err(error) => panic!("{error:?}"),
            }
        }
        assert_eq!((kept.len(), refused), (CONNECTIONS_MAX, 36), "round {round}");
        for wire in &mut kept {
            assert!(wire.metadata().is_ok(), "who is in is served");
        }
        // One goes, one can come.
        kept.pop();
        wait_until("one has left", || connection_count(&server) == 3.0);
        kept.push(open(address));
        assert!(matches!(Wire::open(address), Err(error) if error.code() == Some(CODE_TOO_MANY)));
    }
    assert!(server.metric("florin_turned_away_connections_total", "") >= 111.0);
    assert!(server.stop().status.success());
}

/// Connects and goes, in one of the ways in which clients go.
pub fn come_and_go(address: SocketAddr, number: usize) {
    let mut wire = Wire::connect(address).expect("it listens");
    match number % 5 {
        0 => {}
        1 => drop(wire.negotiate()),
        // The answer is never read: the connection is reset.
        2 => drop(wire.send(&Request::Negotiate { client: "in a hurry".to_owned() })),
        3 => drop(wire.send_bytes(&[0x18, 0, 0])),
        _ => set_socket_linger(wire.stream(), Some(Duration::ZERO)).expect("a reset at its end can be asked for"),
    }
}

#[test]
fn served_a_storm_of_short_connections_leaks_no_descriptor_and_no_memory() {
    let Some(place) = place("a storm of connections") else { return };
    let server = start(&roomy(&place));
    let address = server.address_of(0);
    let topic = open(address).create_topic("payments", 4).expect("it is made");
    (0..STORM_COUNT / 4).for_each(|number| come_and_go(address, number));
    wait_until("nobody is connected", || connection_count(&server) == 0.0);
    let (descriptors, memory) = (server.descriptor_count(), server.resident_bytes());
    let good = GoodClient::start(address, partition_on(&topic, 0));
    (0..STORM_COUNT).for_each(|number| come_and_go(address, number));
    good.finish();
    wait_until("nobody is connected", || connection_count(&server) == 0.0);
    wait_until("descriptors are given back", || server.descriptor_count() <= descriptors);
    let after = server.resident_bytes();
    assert!(after.saturating_sub(memory) <= 8 * MIB, "{memory} bytes grew to {after}");
    assert_eq!(server.metric("florin_failed_accepts_total", ""), 0.0, "a client that resets is no failure of a port");
    assert!(server.stop().status.success());
}

/// Opens long polls on a connection.
fn polls(address: SocketAddr, partition: PartitionId, count: usize) -> Wire {
    let mut wire = open(address);
    let mut burst = BytesMut::new();
    for _ in 0..count {
        let from = RequestFrom::Offset(Offset(0));
        wire.encode(
            &Request::Fetch { partition, from, bytes_max: 1000, wait_ms: POLL_MS, isolation: Isolation::Uncommitted },
            &mut burst,
        );
    }
    wire.send_bytes(&burst).expect("they are read");
    wire
}

#[test]
fn served_polls_of_connections_that_were_cut_are_given_up_and_others_can_wait() {
    let Some(place) = place("cut polls") else { return };
    let server = start(&roomy(&place));
    let topic = open(server.address_of(0)).create_topic("payments", 8).expect("it is made");
    let on = [partition_on(&topic, 0), partition_on(&topic, 1)];
    let waiting = || server.metric("florin_waiting_polls", "");
    let mut cut = 0;
    for round in 0..2 {
        let mut wires = Vec::new();
        for (shard, own, other) in [(0, on[0], on[1]), (1, on[1], on[0])] {
            let address = server.address_of(shard);
            wires.extend((0..5).map(|_| polls(address, own, 500)));
            // Passed on to the other shard.
            wires.push(polls(address, other, 900));
            // More than are read: the connection has to wait for room, and is cut then.
            wires.extend((0..2).map(|_| polls(address, own, 1500)));
        }
        let opened = 2.0 * (5.0 * 500.0 + 900.0 + 2.0 * 1024.0);
        wait_until("all polls wait", || waiting() >= opened);
        assert_eq!(waiting(), opened, "round {round}: a connection has no more than 1024 under way");
        cut += 10_900;
        drop(wires);
        wait_within(SEEN_WITHIN, "cut connections are noticed", || waiting() == 0.0);
        wait_within(SEEN_WITHIN, "cut connections are gone", || connection_count(&server) == 0.0);
    }
    assert!(cut > 10_000);
    let mut reader = open(server.address_of(0));
    let poll = std::thread::spawn(move || reader.fetch(on[0], Offset(0), POLL_MS));
    wait_until("a good poll waits", || waiting() == 1.0);
    let begun = Instant::now();
    open(server.address_of(1)).produce(on[0], b"at last").expect("it is stored");
    let fetched = poll.join().expect("it waits").expect("it is answered");
    assert!(fetched.batches.len() == 1 && begun.elapsed() < WITHIN);
    wait_until("nothing waits", || waiting() == 0.0 && server.metric("florin_waiting_requests", "") == 0.0);
    assert!(server.stop().status.success());
}
