use std::time::Duration;

use clap::Parser;
use florin_engine::format::batch::validate;
use florin_engine::limits::BATCH_BYTES_MAX;
use florin_engine::model::{PartitionId, TopicId};
use florin_net::protocol::Code;

use super::Target;
use super::control::{Control, Placement};
use super::fake_server::FakeServer;
use super::load::{Load, LoadSettings};
use super::outcome::{Point, Sample, object};
use super::payload::Payloads;
use super::routes::spread;
use crate::cli::{CaptureArguments, Cli, Command};

const SHORT: LoadSettings = LoadSettings { warm_up: Duration::from_millis(20), counted: Duration::from_millis(80) };

fn arguments(line: &str) -> CaptureArguments {
    let words = ["florin-bench", "capture"].into_iter().chain(line.split_whitespace());
    match Cli::try_parse_from(words).unwrap().command {
        Command::Capture(arguments) => arguments,
        Command::Floor(_) => panic!("capture was asked for"),
    }
}

fn target<'a>(server: &FakeServer, arguments: &'a CaptureArguments) -> Target<'a> {
    Target {
        address: server.address(1),
        process: None,
        device: None,
        arguments,
        payloads: Payloads::build(arguments.size, arguments.batch).unwrap(),
    }
}

#[test]
fn every_request_of_every_connection_is_answered_once_and_where_its_partition_is() {
    let server = FakeServer::start(2);
    let arguments = arguments("--seconds 0.05 --partitions 3 --batch 4");
    let sample = target(&server, &arguments).measure(5, 1).unwrap();
    assert!(sample.records_per_second > 0.0 && sample.percentiles.max_us >= sample.percentiles.p50_us, "{sample:?}");
    assert!(
        (sample.journal_blocks_per_record - 0.25).abs() < 1e-9,
        "the fake counts a block for each batch: {sample:?}"
    );
    assert!(sample.server_cpu_us_per_record.is_none() && sample.flushes_per_record.is_none());
    server.with_state(|state| {
        assert_eq!(state.topics, [], "the topic is deleted at the end");
        assert_eq!(state.batch_counts.len(), 3, "all partitions are used");
        let batches: u64 = state.batch_counts.iter().map(|(_, count)| count).sum();
        assert_eq!(state.captured_count, batches);
    });
}

#[test]
fn a_batch_that_takes_many_writes_is_sent_in_full() {
    let server = FakeServer::start(1);
    let mut control = Control::connect(&server.address(0)).unwrap();
    control.create_topic("large", 1).unwrap();
    let routes = spread(&control.placement("large").unwrap(), 2).unwrap();
    let payloads = Payloads::build(1_000_000, 1).unwrap();
    let sample = Load::connect(&routes).unwrap().run(&payloads, SHORT).unwrap();
    assert!(sample.answered_batches >= 2);
    assert_eq!(server.with_state(|state| state.captured_count), sample.answered_batches);
    assert!(sample.latencies.count() <= sample.answered_batches);
}

#[test]
fn a_refusal_stops_the_run_with_its_code_and_message_and_the_topic_is_deleted() {
    for (code, words) in [(Code(5), "larger"), (Code::OVERLOADED, "code 109 (overloaded): no more")] {
        let server = FakeServer::start(2);
        server.with_state(|state| state.refuses = Some((10, code)));
        let arguments = arguments("--seconds 0.05");
        let error = format!("{:#}", target(&server, &arguments).measure(3, 1).unwrap_err());
        assert!(error.contains("no more") && error.contains(words), "{error}");
        assert_eq!(server.with_state(|state| state.topics.len()), 0);
    }
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let address = FakeServer::start(1).address(0);
    let error = format!("{:#}", Control::connect(&address).unwrap_err());
    assert!(error.contains(&address), "{error}");
}

#[test]
fn batches_are_valid_differ_and_have_as_many_records_as_asked_for() {
    let payloads = Payloads::build(256, 3).unwrap();
    assert_eq!(payloads.count(), 4096);
    for number in [0, 1, 4095] {
        let info = validate(payloads.batch(number), BATCH_BYTES_MAX).unwrap();
        assert_eq!((info.record_count, info.producer), (3, None));
    }
    assert_ne!(payloads.batch(0), payloads.batch(1));
    assert_eq!(payloads.batch(0), payloads.batch(4096));
    assert_eq!(payloads.batch(7), Payloads::build(256, 3).unwrap().batch(7));
}

#[test]
fn large_batches_are_fewer_and_those_that_do_not_fit_are_refused() {
    assert!(Payloads::build(500_000, 1).unwrap().count() < 4096);
    assert!(Payloads::build(0, 1).is_ok());
    assert!(Payloads::build(BATCH_BYTES_MAX, 1).unwrap_err().to_string().contains("more than a batch takes"));
    assert!(Payloads::build(BATCH_BYTES_MAX - 1, 1).is_err());
    assert!(Payloads::build(1024, 4096).is_err());
}

#[test]
fn connections_go_round_the_shards_and_then_round_their_partitions() {
    let placement = Placement {
        topic: TopicId(9),
        shards: vec![0, 2, 1, 0, 3],
        host: "h".to_owned(),
        ports: vec![10, 0, 12, 13, 14],
    };
    let routes = spread(&placement, 5).unwrap();
    let found: Vec<(&str, u32)> = routes.iter().map(|route| (route.address.as_str(), route.partition.index)).collect();
    // Shard 1 does not listen and shard 4 has no partition.
    assert_eq!(found, [("h:10", 0), ("h:12", 1), ("h:13", 4), ("h:10", 3), ("h:12", 1)]);
    assert_eq!(routes[3].partition, PartitionId { topic: TopicId(9), index: 3 });
    let other = Placement { host: "::1".to_owned(), ..placement.clone() };
    assert_eq!(spread(&other, 1).unwrap()[0].address, "[::1]:10");
    assert!(spread(&Placement { ports: vec![0; 4], ..placement }, 1).is_err());
}

#[test]
fn an_object_has_every_number_with_its_range() {
    let arguments = arguments("--connections 8 --size 100");
    let sample = |rate| Sample { records_per_second: rate, ..Sample::default() };
    let point = Point { connections: 8, samples: vec![sample(3.0), sample(1.0), sample(2.0)] };
    let text = serde_json::to_string(&object(&arguments, &point, &Point::new(1))).unwrap();
    let start = "{\"bench\":\"capture\",\"connections\":8,\"batch\":1,\"size\":100,\"rounds\":3,\
                 \"records_per_second\":2.0,\"records_per_second_min\":1.0,\"records_per_second_max\":3.0,";
    assert!(text.starts_with(start), "{text}");
    for name in ["mb_per_second", "p9999_us", "journal_blocks_per_record", "floor_write_p99_us_max"] {
        assert!(text.contains(&format!("\"{name}\":")), "{name} is missing: {text}");
    }
    assert!(text.contains("\"flushes_per_record\":null"));
}

#[test]
fn wrong_arguments_are_refused_before_anything_starts() {
    for line in ["--connections 0", "--seconds 0", "--rounds 0", "--size 9999999", "--server a:1 --server-core 1"] {
        let words = ["florin-bench", "capture"].into_iter().chain(line.split_whitespace());
        assert!(Cli::try_parse_from(words).is_err(), "{line}");
    }
    assert_eq!(arguments("").points().unwrap(), [1, 8, 32, 128]);
}
