//! Clients that take their time: closed when it is over, and nobody else notices.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use florin_engine::model::{Offset, PartitionId};
use florin_engine::partition::Isolation;
use florin_harness::served::server::{Server, Start};
use florin_harness::served::wire::{Wire, WireError, batch_of};
use florin_net::protocol::{Api, Request, RequestFrom, Response};

use super::frames::{partition_head, request};
use super::{GoodClient, MIB, WITHIN, open, partition_on, place, roomy, start, wait_until};

const CODE_TIMED_OUT: u16 = 108;
/// A byte of a frame per this.
const DRIP: Duration = Duration::from_millis(200);
/// Clients that do not read.
const DEAF_COUNT: u32 = 4;
/// What a client that does not read may cost: what it may have under way, one fetch above that, and small change.
const DEAF_BYTES_MAX: u64 = (8 + 8 + 2) * MIB;

pub fn impatient(start: Start) -> Start {
    start.with(&["--frame-seconds", "2", "--idle-seconds", "4", "--send-seconds", "3"])
}

fn timed_out(wire: &mut Wire) -> bool {
    let errors = wire.receive_until_closed().expect("it is closed");
    errors.iter().any(|error| error.code.0 == CODE_TIMED_OUT)
}

#[test]
fn served_half_frames_and_silence_are_closed_with_their_code_within_their_time() {
    let Some(place) = place("slow clients") else { return };
    let server = start(&impatient(roomy(&place)));
    let topic = open(server.address_of(0)).create_topic("payments", 4).expect("it is made");
    let partition = partition_on(&topic, 0);
    let good = GoodClient::start(server.address_of(0), partition_on(&topic, 1));
    let frame = request(Api::Produce, 7, &partition_head(partition), &batch_of(&[7; 5000]));
    let address = server.address_of(0);

    let mut silent = Wire::connect(address).expect("it listens");
    let halves: Vec<_> = [1, 3, 4, 23, 24, 30, frame.len() - 1]
        .into_iter()
        .map(|bytes| {
            let mut wire = open(address);
            wire.send_bytes(&frame[..bytes]).expect("it is read");
            (bytes, wire)
        })
        .collect();
    let mut half_negotiation = Wire::connect(address).expect("it listens");
    half_negotiation.send_bytes(&request(Api::Negotiate, 7, b"FLORIN\r\n\0\0", &[])[..20]).expect("it is read");
    let mut loris = open(address);
    let dripping = thread::spawn(move || {
        for byte in &frame {
            // The server has closed it when this fails.
            if loris.send_bytes(&[*byte]).is_err() {
                break;
            }
            loris.set_patience(DRIP).expect("a time-out can be set");
            match loris.receive() {
                Err(WireError::TimedOut) => {}
                other => return other,
            }
        }
        Err(WireError::Unexpected("nothing was said before it was closed".to_owned()))
    });
    assert!(timed_out(&mut silent), "a client that says nothing");
    assert!(timed_out(&mut half_negotiation), "half a negotiation");
    for (bytes, mut wire) in halves {
        assert!(timed_out(&mut wire), "{bytes} bytes of a frame");
    }
    match dripping.join().expect("it drips") {
        Ok((0, Response::Error(error))) => assert_eq!(error.code.0, CODE_TIMED_OUT),
        other => panic!("a byte at a time: {other:?}"),
    }
    assert!(server.metric("florin_timed_out_connections_total", "") >= 10.0);
    good.finish();
    assert_eq!(open(address).read_all(partition), Ok(Vec::new()), "nothing of a half frame is stored");
    assert!(server.stop().status.success());
}

#[test]
fn served_a_connection_with_nothing_to_do_is_closed_and_one_that_waits_for_data_is_not() {
    let Some(place) = place("idle connections") else { return };
    let server = start(&impatient(roomy(&place)));
    let address = server.address_of(0);
    let topic = open(address).create_topic("payments", 4).expect("it is made");
    let partition = partition_on(&topic, 0);
    let mut waiting = open(address);
    let poll = thread::spawn(move || waiting.fetch(partition, Offset(0), 7000));
    let mut idle = open(address);
    let begun = Instant::now();
    assert_eq!(idle.receive_until_closed(), Ok(Vec::new()), "it is closed without a word");
    let took = begun.elapsed();
    assert!(took > Duration::from_secs(3) && took < WITHIN, "closed after {took:?}");
    assert!(server.metric("florin_idle_closed_connections_total", "") >= 1.0);
    let polled = poll.join().expect("it waits").expect("it is answered after a wait that is longer than idle time");
    assert!(polled.batches.is_empty());
    assert!(server.stop().status.success());
}

/// Asks for megabytes again and again, captures into its own partition now and then, if it has one, and reads nothing, until
/// the server takes no more.
pub fn ask_and_never_read(address: SocketAddr, partition: PartitionId, own: Option<PartitionId>) -> Wire {
    let mut wire = open(address);
    let mut burst = BytesMut::new();
    for _ in 0..100 {
        let from = RequestFrom::Offset(Offset(0));
        wire.encode(
            &Request::Fetch { partition, from, bytes_max: u32::MAX, wait_ms: 0, isolation: Isolation::Uncommitted },
            &mut burst,
        );
    }
    if let Some(own) = own {
        wire.encode(&Request::Produce { partition: own, batch: batch_of(&[9; 20_000]) }, &mut burst);
    }
    wire.stream().set_write_timeout(Some(Duration::from_millis(500))).expect("a time-out can be set");
    for _ in 0..2000 {
        match wire.stream().write_all(&burst) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return wire,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the server goes on reading although nothing is taken from it");
}

pub fn fill(server: &Server, partition: PartitionId) {
    let mut wire = open(server.address_of(0));
    for _ in 0..40 {
        wire.produce(partition, &vec![5; 100_000]).expect("it is stored");
    }
}

#[test]
fn served_a_client_that_never_reads_costs_little_and_is_closed_and_nobody_else_waits() {
    let Some(place) = place("clients that do not read") else { return };
    let server = start(&impatient(roomy(&place)));
    let address = server.address_of(0);
    let topic = open(address).create_topic("payments", 6).expect("it is made");
    let partition = partition_on(&topic, 0);
    let own = PartitionId { index: partition.index + 2, ..partition };
    fill(&server, partition);
    let good = GoodClient::start(address, partition_on(&topic, 1));
    let before = server.resident_bytes();
    let deaf: Vec<_> = (0..DEAF_COUNT).map(|_| ask_and_never_read(address, partition, Some(own))).collect();
    let most = server.resident_bytes();
    wait_until("all that do not read are closed", || server.metric("florin_connections", "") <= 1.0);
    println!("resident MiB: {} before, {} with {DEAF_COUNT} that do not read", before / MIB, most / MIB);
    assert!(most.saturating_sub(before) <= u64::from(DEAF_COUNT) * DEAF_BYTES_MAX, "{before} bytes grew to {most}");
    assert!(server.metric("florin_timed_out_connections_total", "") >= f64::from(DEAF_COUNT));
    good.finish();
    wait_until("nothing is kept of them", || {
        server.metric("florin_in_flight_bytes", "") == 0.0 && server.metric("florin_in_flight_requests", "") == 0.0
    });
    for wire in deaf {
        // What was on its way can still be read, and then it has ended.
        let ended = std::io::copy(&mut wire.stream().take(1 << 30), &mut std::io::sink());
        assert!(ended.is_ok_and(|bytes| bytes < 1 << 30) || wire.stream().read(&mut [0]).is_ok_and(|bytes| bytes == 0));
    }
    assert!(server.stop().status.success());
}

#[test]
fn served_answers_without_batches_count_as_well_and_end_the_reading_of_a_client_that_takes_none() {
    const SENT_BYTES_MAX: usize = 200 << 20;
    let Some(place) = place("answers without batches") else { return };
    let server = start(&roomy(&place));
    let address = server.address_of(0);
    let topic = open(address).create_topic("payments", 4).expect("it is made");
    let partition = partition_on(&topic, 0);
    let good = GoodClient::start(address, partition_on(&topic, 1));
    let mut deaf = open(address);
    let mut burst = BytesMut::new();
    for _ in 0..1000 {
        let from = RequestFrom::Offset(Offset(0));
        deaf.encode(
            &Request::Fetch { partition, from, bytes_max: 1, wait_ms: 0, isolation: Isolation::Uncommitted },
            &mut burst,
        );
    }
    let before = server.resident_bytes();
    deaf.stream().set_write_timeout(Some(Duration::from_secs(2))).expect("it is a socket");
    let mut sent = 0;
    while sent < SENT_BYTES_MAX && deaf.stream().write_all(&burst).is_ok() {
        sent += burst.len();
    }
    let after = server.resident_bytes();
    assert!(sent < SENT_BYTES_MAX, "{sent} bytes of requests were read although no answer was taken");
    assert!(after.saturating_sub(before) <= 32 * MIB, "{before} bytes grew to {after}");
    good.finish();
    assert!(server.stop().status.success());
}
