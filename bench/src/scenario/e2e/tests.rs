use clap::Parser;

use super::{load_of, measure, point};
use crate::cli::{Cli, Command, E2eArguments, points};
use crate::client::fake_server::FakeServer;
use crate::client::load::WhenFull;
use crate::client::payload::Payloads;
use crate::target::Target;

fn parse(line: &str) -> Result<E2eArguments, clap::Error> {
    let words = ["florin-bench", "e2e"].into_iter().chain(line.split_whitespace());
    match Cli::try_parse_from(words)?.command {
        Command::E2e(arguments) => Ok(arguments),
        other => panic!("e2e was asked for, and not {other:?}"),
    }
}

#[test]
fn a_point_tells_of_deliveries_and_of_acknowledgements_in_the_same_load() {
    let server = FakeServer::start(2);
    let arguments = parse("--seconds 0.06 --batch 3 --size 50 --in-flight 2").unwrap();
    let payloads = Payloads::build(&arguments.records.payload, arguments.records.size, arguments.batch).unwrap();
    let load = load_of(&arguments, &payloads);
    assert_eq!((load.settings.in_flight, load.settings.rate), (2, None));
    let target = Target::named(server.address(0));
    let samples: Vec<_> = (1..=2).map(|round| measure(&load, &target, 3, round).unwrap()).collect();
    let point = point(&arguments, &payloads, 3, &samples);
    let labels: Vec<&str> = point.labels.iter().map(|(name, _)| *name).collect();
    assert_eq!((point.bench, labels), ("e2e", vec!["connections", "batch", "size", "in_flight"]));
    assert_eq!(point.rounds.len(), 2);
    for (round, sample) in point.rounds.iter().zip(&samples) {
        let number = |wanted: &str| round.numbers.iter().find(|(name, _)| *name == wanted).unwrap().1;
        let (delivery, ack) = (sample.matched.latencies.percentiles(), sample.load.latencies.percentiles());
        assert_eq!(number("ack_p50_us"), Some(ack.p50_us));
        assert_eq!(number("ack_p99_us"), Some(ack.p99_us));
        assert_eq!(number("delivery_minus_ack_p50_us"), Some(delivery.p50_us - ack.p50_us));
        assert_eq!(round.latencies.as_ref().unwrap().percentiles(), delivery, "the latencies are those of deliveries");
        assert_eq!(number("journal_full_count"), Some(0.0));
        assert_eq!(number("records_per_second"), Some(sample.delivered_records_per_second(&payloads)));
        assert!(number("client_cpu_us_per_record").unwrap() > 0.0);
        assert_eq!(number("server_cpu_us_per_record"), None, "the server is none of ours");
        let writes = sample.costs.journal_writes.unwrap() / sample.stored_records(&payloads);
        assert_eq!(number("journal_writes_per_record"), Some(writes));
        assert_eq!(number("flushes_per_record"), None, "its disk is not known");
    }
    let acks: u64 = samples.iter().map(|sample| sample.load.latencies.count()).sum();
    let series: Vec<(&str, u64)> = point.series.iter().map(|series| (series.name, series.latencies.count())).collect();
    assert_eq!(series, [("ack", acks)]);
}

#[test]
fn a_rate_is_one_of_records_and_waits_for_a_full_journal() {
    let arguments = parse("--rate 9000 --batch 3 --fetch-bytes 64KiB").unwrap();
    let payloads = Payloads::build(&arguments.records.payload, arguments.records.size, arguments.batch).unwrap();
    let load = load_of(&arguments, &payloads);
    assert_eq!(load.settings.rate, Some(3000.0));
    assert_eq!(load.settings.when_full, WhenFull::Wait);
    assert_eq!(load.fetch_bytes, 65_536);
}

#[test]
fn wrong_arguments_are_refused_before_anything_starts() {
    let lines = ["--connections 0", "--rate 10 --in-flight 2", "--batch 0", "--fetch-bytes 0", "--fetch-bytes 9MiB"];
    for line in lines {
        assert!(parse(line).is_err(), "{line}");
    }
    assert_eq!(points(&parse("").unwrap().connections).unwrap(), [1, 8, 32]);
    let many = vec![1; 65];
    assert!(points(&many).unwrap_err().to_string().contains("at most 64"));
}
