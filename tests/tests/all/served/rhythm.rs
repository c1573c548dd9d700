//! Clients that change how they send: one request at a time, then many, then one again.

use bytes::BytesMut;
use florin_engine::model::Offset;
use florin_harness::served::wire::{Wire, batch_of};
use florin_net::protocol::{Request, Response};

use super::{open, partition_on, place, roomy, start};

/// More than a client has to wait for until it is not watched any more.
const SINGLE_COUNT: u64 = 60;
const BURST_COUNT: u64 = 100;
/// The bytes of a batch end somewhere in these writes.
const PIECE_BYTES: usize = 37;

fn receive_in_order(wire: &mut Wire, first: u64, count: u64) {
    for offset in first..first + count {
        match wire.receive().expect("an answer") {
            (_, Response::Produced { base_offset, duplicate: false, .. }) => assert_eq!(base_offset, Offset(offset)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn served_a_client_that_waited_for_each_answer_may_send_many_requests_at_once_and_wait_again() {
    let Some(place) = place("a change of rhythm") else { return };
    let server = start(&roomy(&place).shards(1));
    let address = server.address_of(0);
    let mut wire = open(address);
    let topic = wire.create_topic("rhythm", 1).expect("it can be created");
    let partition = partition_on(&topic, 0);
    let produce = |number: u64| Request::Produce { partition, batch: batch_of(&number.to_le_bytes()) };
    let mut next = 0;
    for _ in 0..3 {
        for _ in 0..SINGLE_COUNT {
            wire.send(&produce(next)).expect("it is taken");
            receive_in_order(&mut wire, next, 1);
            next += 1;
        }
        let mut burst = BytesMut::new();
        for number in next..next + BURST_COUNT {
            wire.encode(&produce(number), &mut burst);
        }
        for piece in burst.chunks(PIECE_BYTES) {
            wire.send_bytes(piece).expect("it is taken");
        }
        receive_in_order(&mut wire, next, BURST_COUNT);
        next += BURST_COUNT;
    }
    let values = wire.read_all(partition).expect("they can be read");
    let expected: Vec<(u64, Vec<u8>)> = (0..next).map(|number| (number, number.to_le_bytes().to_vec())).collect();
    assert_eq!(values, expected);
}

#[test]
fn served_a_client_that_goes_while_its_answer_is_out_costs_nothing_afterwards() {
    let Some(place) = place("gone before the answer") else { return };
    let server = start(&roomy(&place).shards(1));
    let address = server.address_of(0);
    let mut wire = open(address);
    let topic = wire.create_topic("gone", 1).expect("it can be created");
    let partition = partition_on(&topic, 0);
    for number in 0..SINGLE_COUNT {
        wire.produce(partition, &number.to_le_bytes()).expect("it is stored");
    }
    wire.send(&Request::Produce { partition, batch: batch_of(b"last") }).expect("it is taken");
    drop(wire);
    super::wait_until("nobody is connected", || server.metric("florin_connections", "") == 0.0);
    let mut wire = open(address);
    let stored = wire.read_all(partition).expect("they can be read").len() as u64;
    assert!((SINGLE_COUNT..=SINGLE_COUNT + 1).contains(&stored), "{stored}");
}
