use std::time::Duration;

use florin_engine::model::{Offset, PartitionId, TopicId};

use super::{Consumers, DeliveryLoad, reader_plans};
use crate::client::fake_server::FakeServer;
use crate::client::load::{LoadSettings, WhenFull};
use crate::client::payload::{PayloadKind, Payloads};
use crate::client::routes::Route;
use crate::target::Target;

const RECORDS: u32 = 2;

fn payloads() -> Payloads {
    Payloads::build(&PayloadKind::Random, 10, RECORDS).unwrap()
}

fn load(payloads: &Payloads) -> DeliveryLoad<'_> {
    let lasting = LoadSettings::lasting(Duration::from_millis(60));
    let settings = LoadSettings { warm_up: Duration::from_millis(10), when_full: WhenFull::Wait, ..lasting };
    DeliveryLoad { payloads, settings, fetch_bytes: 1 << 20, client_core: None }
}

fn route(address: &str, index: u32) -> Route {
    let partition = PartitionId { topic: TopicId(1), index };
    Route { address: address.to_owned(), partition, turns: None, is_bare: false, keys: None }
}

#[test]
fn one_consumer_for_each_partition_reads_every_batch_that_was_stored_once() {
    let server = FakeServer::start(2);
    let (payloads, target) = (payloads(), Target::named(server.address(1)));
    let mut load = load(&payloads);
    load.settings.rate = Some(1000.0);
    let sample = load.measure(&target, "e2e", 3, Consumers::OneForEachPartition).unwrap();
    assert_eq!((sample.load.answered_batches, sample.load.latencies.count()), (70, 60));
    assert_eq!((sample.matched.delivered_batches, sample.matched.latencies.count()), (70, 60));
    assert_eq!((sample.stored_records(&payloads), sample.delivered_records(&payloads)), (140.0, 140.0));
    // Over the time that everything that was due took to be answered.
    let rate = sample.delivered_records_per_second(&payloads);
    assert!(rate > 0.0 && rate < 2000.0 + 1e-6, "{rate}");
    assert_eq!(server.with_state(|state| state.topics.len()), 0, "the topic is deleted at the end");
}

#[test]
fn every_consumer_of_everything_reads_every_batch_while_a_full_journal_is_waited_for() {
    let server = FakeServer::start(2);
    server.with_state(|state| state.full_count = 5);
    let (payloads, target) = (payloads(), Target::named(server.address(0)));
    let mut load = load(&payloads);
    load.settings.rate = Some(1000.0);
    let sample = load.measure(&target, "fanout", 5, Consumers::OfEverything(3)).unwrap();
    assert_eq!(sample.load.answered_batches, 70, "all that were due were sent");
    assert_eq!((sample.matched.delivered_batches, sample.matched.latencies.count()), (210, 180));
    assert_eq!(sample.load.journal_full_count, 5);
}

#[test]
fn a_consumer_that_reads_something_else_ends_the_measurement_and_the_topic_is_deleted() {
    let server = FakeServer::start(1);
    server.with_state(|state| {
        // Another batch that is whole and stands at the right place.
        state.spoils = Some(|fetched| {
            let other = Payloads::build(&PayloadKind::Fixed, 10, RECORDS).unwrap();
            let mut bytes = bytes::BytesMut::from(other.batch(0).as_ref());
            florin_engine::format::batch::place(&mut bytes, fetched.batches[0].base_offset);
            fetched.batches[0].bytes = bytes.freeze();
        });
    });
    let (payloads, target) = (payloads(), Target::named(server.address(0)));
    let error = load(&payloads).measure(&target, "e2e", 1, Consumers::OneForEachPartition).err().unwrap();
    assert!(format!("{error:#}").contains("other bytes"), "{error:#}");
    assert_eq!(server.with_state(|state| state.topics.len()), 0);
}

#[test]
fn batches_of_others_are_noticed() {
    let server = FakeServer::start(1);
    server.with_state(|state| state.counts_twice = true);
    let (payloads, target) = (payloads(), Target::named(server.address(0)));
    let error = load(&payloads).measure(&target, "e2e", 1, Consumers::OneForEachPartition).err().unwrap();
    assert!(format!("{error:#}").contains("others use it"), "{error:#}");
}

#[test]
fn a_consumer_of_everything_has_one_connection_to_each_shard_with_a_lane_for_each_partition() {
    let routes = [route("b:2", 0), route("a:1", 1), route("b:2", 2)];
    let plans = reader_plans(&routes, Consumers::OfEverything(2), 77);
    let found: Vec<(&str, Vec<u32>)> = plans
        .iter()
        .map(|plan| {
            let lanes = plan.lanes.iter().map(|lane| lane.stretches[0].partition.index).collect();
            (plan.address.as_str(), lanes)
        })
        .collect();
    assert_eq!(found, [("a:1", vec![1]), ("b:2", vec![0, 2]), ("a:1", vec![1]), ("b:2", vec![0, 2])]);
    let lanes = || plans.iter().flat_map(|plan| &plan.lanes);
    assert!(lanes().all(|lane| lane.stretches[0].from == Offset(0) && lane.stretches[0].to.is_none()));
    assert!(plans.iter().all(|plan| plan.fetch_bytes == 77));
    let plans = reader_plans(&routes, Consumers::OneForEachPartition, 77);
    let found: Vec<(&str, usize)> = plans.iter().map(|plan| (plan.address.as_str(), plan.lanes.len())).collect();
    assert_eq!(found, [("b:2", 1), ("a:1", 1), ("b:2", 1)]);
}
