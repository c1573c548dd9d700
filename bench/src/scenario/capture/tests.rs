use std::time::Duration;

use clap::Parser;
use florin_net::protocol::Code;

use super::{Measured, Run, Sample, WRITE_COLUMNS};
use crate::cli::{CaptureArguments, Cli, Command};
use crate::client::fake_server::FakeServer;
use crate::client::load::WhenFull;
use crate::floor::LargeWrites;
use crate::statistics::Ratio;
use crate::target::Target;

fn arguments(line: &str) -> CaptureArguments {
    let words = ["florin-bench", "capture"].into_iter().chain(line.split_whitespace());
    match Cli::try_parse_from(words).unwrap().command {
        Command::Capture(arguments) => arguments,
        other => panic!("capture was asked for, and not {other:?}"),
    }
}

/// As it is run, but without a warm-up, so that a short time is enough.
fn run(arguments: &CaptureArguments) -> Run<'_> {
    let mut run = Run::new(arguments).unwrap();
    run.settings.warm_up = Duration::from_millis(10);
    run
}

/// Without what was measured, which nobody wants to read.
fn error_of(outcome: anyhow::Result<Sample>) -> anyhow::Error {
    outcome.err().unwrap()
}

#[test]
fn every_request_of_every_connection_is_answered_once_and_where_its_partition_is() {
    let server = FakeServer::start(2);
    let arguments = arguments("--seconds 0.08 --partitions 3 --batch 4 --rate 4000");
    // Any shard is asked: it says where topics are created.
    let target = Target::named(server.address(1));
    let sample = run(&arguments).florin(&target, 5, 1).unwrap();
    // A batch is due each millisecond, and those of the first ten do not count.
    assert_eq!((sample.load.answered_batches, sample.load.latencies.count()), (90, 80));
    // The time runs until the last of them is answered, however late that is.
    assert!(sample.load.counted_seconds >= 0.08 - 1e-9, "{}", sample.load.counted_seconds);
    assert!((sample.records_per_second - 320.0 / sample.load.counted_seconds).abs() < 1e-6);
    let batches = sample.load.answered_batches;
    assert_eq!(sample.costs.captured_batches, batches);
    assert_eq!(sample.costs.journal_writes, Some(batches as f64), "the fake counts a block for each batch");
    assert!(sample.costs.server_cpu_us.is_none() && sample.costs.flushes.is_none());
    server.with_state(|state| {
        assert_eq!(state.topics, [], "the topic is deleted at the end");
        assert_eq!(state.batch_counts.len(), 3, "all partitions are used");
        assert_eq!(state.batch_counts.iter().map(|(_, count)| count).sum::<u64>(), batches);
    });
}

#[test]
fn a_refusal_stops_the_run_with_its_code_and_message_and_the_topic_is_deleted() {
    for (code, words) in [(Code(5), "larger"), (Code::OVERLOADED, "code 109 (overloaded): no more")] {
        let server = FakeServer::start(2);
        server.with_state(|state| state.refuses = Some((10, code)));
        let arguments = arguments("--seconds 0.05");
        let target = Target::named(server.address(1));
        let error = format!("{:#}", error_of(run(&arguments).florin(&target, 3, 1)));
        assert!(error.contains("no more") && error.contains(words), "{error}");
        assert_eq!(server.with_state(|state| state.topics.len()), 0);
    }
}

#[test]
fn batches_that_others_send_meanwhile_are_noticed() {
    let server = FakeServer::start(1);
    let arguments = arguments("--seconds 0.05");
    let target = Target::named(server.address(0));
    // As if somebody else's batch came for every one of ours.
    server.with_state(|state| state.counts_twice = true);
    let error = error_of(run(&arguments).florin(&target, 1, 1)).to_string();
    assert!(error.contains("others use it"), "{error}");
}

#[test]
fn an_open_loop_asks_for_batches_at_the_rate_of_their_records() {
    let arguments = arguments("--rate 6000 --batch 3");
    let run = Run::new(&arguments).unwrap();
    assert_eq!(run.settings.rate, Some(2000.0));
    assert_eq!(run.settings.when_full, WhenFull::Fail);
}

#[test]
fn a_burst_is_as_many_batches_as_fit_its_bytes() {
    let arguments = arguments("--burst-bytes 1MiB --size 1000 --seconds 600");
    let run = Run::new(&arguments).unwrap();
    let count = run.settings.batch_count_max.unwrap();
    assert!((900..=1024).contains(&count), "{count}");
    let server = FakeServer::start(1);
    let sample = run.florin(&Target::named(server.address(0)), 1, 1).unwrap();
    assert_eq!((sample.load.answered_batches, sample.load.latencies.count()), (count, count), "all of it counts");
    assert!(sample.records_per_second > 0.0, "{}", sample.records_per_second);
}

#[test]
fn a_point_has_its_labels_and_the_numbers_of_every_round() {
    let server = FakeServer::start(1);
    let arguments = arguments("--seconds 0.05 --connections 2 --size 100 --rate 4000");
    let target = Target::named(server.address(0));
    let run = run(&arguments);
    let mut measured = Measured::new(2, &[]);
    for round in 1..=3 {
        measured.florin.push(run.florin(&target, 2, round).unwrap());
    }
    let point = run.point(&measured);
    let labels: Vec<&str> = point.labels.iter().map(|(name, _)| *name).collect();
    assert_eq!((point.bench, labels), ("capture", vec!["connections", "batch", "size", "rate"]));
    assert_eq!(point.rounds.len(), 3);
    for (round, sample) in point.rounds.iter().zip(&measured.florin) {
        let number = |wanted: &str| round.numbers.iter().find(|(name, _)| *name == wanted).unwrap().1;
        assert_eq!(number("records_per_second"), Some(sample.records_per_second));
        let mb_per_second = sample.records_per_second * 100.0 / 1e6;
        assert!((number("mb_per_second").unwrap() - mb_per_second).abs() < 1e-9);
        assert_eq!(number("journal_writes_per_record"), Some(1.0));
        assert!(number("client_cpu_us_per_record").is_some() && number("server_cpu_us_per_record").is_none());
        assert!(number("floor_epoll_p50_us").is_none(), "no bare server was asked for");
        let latencies = round.latencies.as_ref().unwrap();
        assert_eq!(latencies.count(), sample.load.latencies.count());
    }
}

#[test]
fn a_burst_is_held_against_the_large_writes_of_its_own_round() {
    let server = FakeServer::start(1);
    let arguments = arguments("--burst-bytes 100KiB --size 1000 --in-flight 4 --floor");
    let run = Run::new(&arguments).unwrap();
    let target = Target::named(server.address(0));
    let mut measured = Measured::new(1, &[]);
    for round in 1..=2 {
        measured.florin.push(run.florin(&target, 1, round).unwrap());
    }
    let written: Vec<f64> = measured.florin.iter().map(|sample| run.mb_per_second(sample)).collect();
    let floors = |mb: &f64| LargeWrites { write_1m_mb_per_second: 2.0 * mb, write_4m_mb_per_second: 4.0 * mb };
    measured.writes = written.iter().map(floors).collect();
    let point = run.point(&measured);
    let ratio = |wanted: &str| point.ratios.iter().find(|(name, _)| *name == wanted).unwrap().1;
    for (name, expected) in [("ratio_floor_write_1m", 0.5), ("ratio_floor_write_4m", 0.25)] {
        let Ratio { median, low, high, rounds } = ratio(name);
        assert!([median, low, high].iter().all(|end| (end - expected).abs() < 1e-9) && rounds == 2, "{name}");
    }
    assert!(point.labels.contains(&("burst_bytes", (100 << 10).into())));
    let numbers = &point.rounds[1].numbers;
    assert!(numbers.contains(&("floor_write_1m_mb_per_second", Some(2.0 * written[1]))));
    assert!(numbers.contains(&("floor_write_4m_mb_per_second", Some(4.0 * written[1]))));
    // What the table, the JSON and the page show.
    let fields = point.fields();
    for column in WRITE_COLUMNS {
        assert!(fields.iter().any(|(name, _)| *name == column.number), "{}", column.number);
    }
    assert!(run.conditions().contains("large durable writes of 1 s before and after each"), "{}", run.conditions());
}

#[test]
fn large_writes_are_the_floor_of_a_burst_only() {
    assert!(arguments("--burst-bytes 1MiB --floor --floor-seconds 2").has_write_floor());
    assert!(!arguments("--floor").has_write_floor() && !arguments("--burst-bytes 1MiB").has_write_floor());
    let server = FakeServer::start(1);
    let arguments = arguments("--seconds 0.05 --floor");
    let run = run(&arguments);
    let mut measured = Measured::new(1, &[]);
    measured.florin.push(run.florin(&Target::named(server.address(0)), 1, 1).unwrap());
    let point = run.point(&measured);
    assert!(point.ratios.is_empty());
    assert!(!point.fields().iter().any(|(name, _)| name.starts_with("floor_write")));
}

#[test]
fn wrong_arguments_are_refused_before_anything_starts() {
    let lines = [
        "--connections 0",
        "--seconds 0",
        "--rounds 0",
        "--size 9999999",
        "--rate 0",
        "--rate 100 --in-flight 2",
        "--floor --floor-seconds 2",
        "--burst-bytes 1MiB --floor-seconds 2",
        "--server a:1 --server-core 1",
    ];
    for line in lines {
        let words = ["florin-bench", "capture"].into_iter().chain(line.split_whitespace());
        assert!(Cli::try_parse_from(words).is_err(), "{line}");
    }
    assert_eq!(arguments("").points().unwrap(), [1, 8, 32, 128]);
}
