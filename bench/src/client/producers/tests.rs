use std::time::Duration;

use florin_engine::format::batch::{BatchInfo, validate};
use florin_engine::limits::BATCH_BYTES_MAX;
use florin_engine::model::{ProducerEpoch, ProducerId};
use florin_net::protocol::Code;

use super::*;
use crate::client::control::Control;
use crate::client::fake_server::FakeServer;
use crate::client::payload::PayloadKind;
use crate::client::routes::to_each_partition;

const COUNTED: Duration = Duration::from_millis(60);

/// A server, and a producer for each of two partitions.
fn rig(is_transactional: bool) -> (FakeServer, Vec<ProducerPlan>) {
    let server = FakeServer::start(1);
    let mut control = Control::connect(&server.address(0)).unwrap();
    control.create_topic("load", 2).unwrap();
    let routes = to_each_partition(&control.placement("load").unwrap()).unwrap();
    let plan = |(number, route): (u64, crate::client::routes::Route)| ProducerPlan {
        address: route.address,
        partition: route.partition,
        key: TransactionKey { producer: ProducerId(number), epoch: ProducerEpoch(0) },
        is_transactional,
        batches: 3,
    };
    (server, (5..).zip(routes).map(plan).collect())
}

fn payloads() -> Payloads {
    Payloads::build(&PayloadKind::Random, 20, 2).unwrap()
}

/// What came of one producer, in its order.
fn stored(server: &FakeServer, partition: PartitionId) -> Vec<BatchInfo> {
    let batches = server.with_state(|state| state.logs[&partition].batches.clone());
    batches.iter().map(|(_, batch)| validate(batch, BATCH_BYTES_MAX).unwrap()).collect()
}

#[test]
fn every_transaction_has_its_batches_and_an_epoch_and_sequences_of_its_own() {
    let (server, plans) = rig(true);
    let sample = Producers::connect(&plans).unwrap().run(&payloads(), Duration::ZERO, COUNTED).unwrap();
    assert!(sample.committed > 2 && sample.answered_batches == 3 * sample.committed);
    assert!((1..=sample.committed).contains(&sample.latencies.count()));
    assert_eq!(server.with_state(|state| state.ended.len() as u64), sample.committed);
    for plan in &plans {
        for (number, info) in (0..).zip(stored(&server, plan.partition)) {
            let epoch = ProducerEpoch(u16::try_from(number / 3).unwrap());
            assert_eq!(info.transaction(), Some(TransactionKey { epoch, ..plan.key }));
            assert_eq!(info.producer.unwrap().base_sequence, number % 3 * 2);
        }
    }
}

#[test]
fn without_transactions_sequences_go_on_and_nothing_is_ended() {
    let (server, plans) = rig(false);
    let sample = Producers::connect(&plans).unwrap().run(&payloads(), Duration::ZERO, COUNTED).unwrap();
    assert_eq!((sample.committed, server.with_state(|state| state.ended.len())), (0, 0));
    assert!(sample.latencies.count() > 0 && sample.latencies.count() * 3 <= sample.answered_batches);
    for plan in &plans {
        for (number, info) in (0..).zip(stored(&server, plan.partition)) {
            assert_eq!((info.transaction(), info.producer.unwrap().base_sequence), (None, number * 2));
        }
    }
}

#[test]
fn a_refusal_ends_the_load_with_its_reason() {
    let (server, plans) = rig(true);
    server.with_state(|state| state.refuses = Some((4, Code(60))));
    let ended = Producers::connect(&plans).unwrap().run(&payloads(), Duration::ZERO, COUNTED);
    assert!(format!("{:#}", ended.unwrap_err()).contains("transaction_aborted"));
}
