//! Requests to the wrong port, and many requests at once.

use bytes::BytesMut;
use florin_engine::catalogue::TopicChange;
use florin_engine::model::{Offset, PartitionId};
use florin_engine::partition::Isolation;
use florin_harness::served::wire::{Wire, WireError, batch_of, values_of};
use florin_net::protocol::{ListAt, Request, RequestFrom, Response};

use super::{MIB, open, partition_on, place, roomy, start, wait_until};

#[test]
fn served_requests_to_the_wrong_port_are_passed_on_answered_and_counted() {
    let Some(place) = place("wrong ports") else { return };
    let server = start(&roomy(&place));
    let (mut first, mut second) = (open(server.address_of(0)), open(server.address_of(1)));
    // Topics are made by shard 0, whoever is asked.
    let topic = second.create_topic("payments", 4).expect("it is made");
    assert!(server.metric("florin_misrouted_requests_total", "") >= 1.0);
    for (wire, shard) in [(&mut first, 1), (&mut second, 0)] {
        let partition = partition_on(&topic, shard);
        let count = |name: &str| server.metric(name, "");
        let before = [count("florin_misrouted_requests_total"), count("florin_forwarded_requests_total")];
        for number in 0..10_u64 {
            assert_eq!(wire.produce(partition, format!("{number}").as_bytes()), Ok(Offset(number)));
        }
        assert_eq!(wire.list_offset(partition, ListAt::Start), Ok(Offset(0)));
        assert_eq!(wire.list_offset(partition, ListAt::End), Ok(Offset(10)));
        let values = wire.read_all(partition).expect("it can be read");
        assert_eq!(values, (0..10).map(|number| (number, number.to_string().into_bytes())).collect::<Vec<_>>());
        // A poll waits there for what comes by the right port.
        let from = RequestFrom::Offset(Offset(10));
        wire.send(&Request::Fetch {
            partition,
            from,
            bytes_max: 1000,
            wait_ms: 30_000,
            isolation: Isolation::Uncommitted,
        })
        .expect("it is read");
        wait_until("the poll waits", || server.metric("florin_waiting_polls", "") == 1.0);
        open(server.address_of(shard)).produce(partition, b"eleventh").expect("it is stored");
        match wire.receive() {
            Ok((_, Response::Fetched(fetched))) => {
                let values = values_of(&fetched.batches[0].bytes).expect("a right batch");
                assert_eq!(values, [(10, b"eleventh".to_vec())]);
            }
            other => panic!("{other:?}"),
        }
        let after = [count("florin_misrouted_requests_total"), count("florin_forwarded_requests_total")];
        for (before, after) in before.into_iter().zip(after) {
            assert!(after - before >= 14.0, "every request to the wrong port is counted: {before} {after}");
        }
    }
    assert!(server.stop().status.success());
}

#[test]
fn served_a_topic_is_altered_by_any_port_over_its_shards_and_every_port_hears_of_it() {
    let Some(place) = place("alterations") else { return };
    let server = start(&roomy(&place));
    let (mut first, mut second) = (open(server.address_of(0)), open(server.address_of(1)));
    let topic = first.create_topic("payments", 1).expect("it is made");
    let old = PartitionId { topic: topic.id, index: 0 };
    assert_eq!(first.produce(old, &[7; 200]), Ok(Offset(0)));
    let alter = |wire: &mut Wire, change| match wire.ask(&Request::AlterTopic { topic: topic.id, change }) {
        Ok(Response::TopicAltered { topic, settings }) => (topic, settings),
        other => panic!("{other:?}"),
    };
    let change = TopicChange { partition_count: Some(4), record_bytes_max: Some(100), ..TopicChange::default() };
    let (altered, settings) = alter(&mut second, change);
    assert_eq!((altered.revision, altered.placement.len(), settings.record_bytes_max), (2, 4, 100));
    assert!(altered.placement.starts_with(&topic.placement) && altered.placement.contains(&1));
    for wire in [&mut first, &mut second] {
        wait_until("the port has heard of it", || wire.metadata().expect("topics").topics[0] == altered);
        for index in 1..4 {
            let partition = PartitionId { topic: topic.id, index };
            wire.produce(partition, b"small").expect("an added partition takes records");
        }
        match wire.produce(old, &[7; 200]) {
            Err(WireError::Refused(error)) => assert_eq!((error.code.0, error.details[1]), (24, 100)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(first.read_all(old).expect("it can be read"), [(0, vec![7; 200])], "what was stored stays");
    let again = alter(&mut first, change);
    assert_eq!(again, (altered, settings), "what is so already is answered so");
    assert!(server.stop().status.success());
}

#[test]
fn served_a_thousand_captures_in_one_write_are_stored_in_their_order() {
    let Some(place) = place("pipelined captures") else { return };
    let server = start(&roomy(&place));
    let mut wire = open(server.address_of(0));
    let topic = wire.create_topic("payments", 4).expect("it is made");
    let partitions = [partition_on(&topic, 0), partition_on(&topic, 1)];
    // A thousand for one partition, and then a thousand for two of two shards, over the same connection.
    for round in [&partitions[..1], &partitions[..]] {
        let before: Vec<_> =
            round.iter().map(|partition| wire.list_offset(*partition, ListAt::End).expect("it has an end").0).collect();
        let mut burst = BytesMut::new();
        let mut sent = Vec::new();
        for number in 0..1000 {
            let partition = round[number % round.len()];
            let batch = batch_of(format!("payment {number}").as_bytes());
            sent.push((wire.encode(&Request::Produce { partition, batch }, &mut burst), number));
        }
        wire.send_bytes(&burst).expect("it is read");
        let mut stored = std::collections::BTreeMap::new();
        for _ in 0..sent.len() {
            match wire.receive() {
                Ok((correlation, Response::Produced { base_offset, duplicate: false, .. })) => {
                    assert!(stored.insert(correlation, base_offset.0).is_none(), "answered twice");
                }
                other => panic!("{other:?}"),
            }
        }
        for (which, (partition, before)) in round.iter().zip(before).enumerate() {
            let own = sent.iter().filter(|(_, number)| number % round.len() == which);
            let own: Vec<_> = own.map(|(correlation, number)| (stored[correlation], *number)).collect();
            let rising = (before..).zip(&own).all(|(offset, (stored, _))| offset == *stored);
            assert!(rising, "offsets rise in the order of the requests: {own:?}");
            let values = wire.read_all(*partition).expect("it can be read");
            let value = |number: &usize| format!("payment {number}").into_bytes();
            let expected: Vec<_> = own.iter().map(|(offset, number)| (*offset, value(number))).collect();
            assert!(values.ends_with(&expected), "each at the offset that was answered");
        }
    }
    assert!(server.stop().status.success());
}

/// Stores `count` of the shortest batches.
fn fill_with_short_batches(wire: &mut florin_harness::served::wire::Wire, partition: PartitionId, count: u64) {
    for _ in 0..count / 1000 {
        let mut burst = BytesMut::new();
        for _ in 0..1000 {
            wire.encode(&Request::Produce { partition, batch: batch_of(b"") }, &mut burst);
        }
        wire.send_bytes(&burst).expect("it is read");
        for _ in 0..1000 {
            let answer = wire.receive();
            assert!(matches!(answer, Ok((_, Response::Produced { .. }))), "{answer:?}");
        }
    }
}

#[test]
fn served_a_thousand_fetches_by_the_wrong_port_do_not_fill_the_memory() {
    let Some(place) = place("fetches by the wrong port") else { return };
    let server = start(&roomy(&place));
    let mut wire = open(server.address_of(1));
    let topic = wire.create_topic("payments", 4).expect("it is made");
    let partition = partition_on(&topic, 1);
    fill_with_short_batches(&mut wire, partition, 40_000);
    let mut wrong = open(server.address_of(0));
    let mut burst = BytesMut::new();
    for number in 0..1000 {
        let from = RequestFrom::Offset(Offset(0));
        // Some wait for data, in vain: it is there.
        let wait_ms = 1000 * (number % 2);
        wrong.encode(
            &Request::Fetch { partition, from, bytes_max: u32::MAX, wait_ms, isolation: Isolation::Uncommitted },
            &mut burst,
        );
    }
    let before = server.resident_bytes();
    wrong.send_bytes(&burst).expect("it is read");
    let mut most = before;
    for _ in 0..1000 {
        match wrong.receive() {
            Ok((_, Response::Fetched(fetched))) => assert!(!fetched.batches.is_empty()),
            other => panic!("{other:?}"),
        }
        most = most.max(server.resident_bytes());
    }
    println!("resident MiB: {} before, {} at most", before / MIB, most / MIB);
    assert!(most.saturating_sub(before) <= 256 * MIB, "{before} bytes grew to {most}");
    assert_eq!(wrong.read_all(partition).expect("it can be read").len(), 40_000);
    assert!(server.stop().status.success());
}
