use clap::Parser;

use super::{load_of, measure, point};
use crate::cli::{Cli, Command, FanoutArguments, points};
use crate::client::fake_server::FakeServer;
use crate::client::load::WhenFull;
use crate::client::payload::Payloads;
use crate::target::Target;

fn parse(line: &str) -> Result<FanoutArguments, clap::Error> {
    let words = ["florin-bench", "fanout"].into_iter().chain(line.split_whitespace());
    match Cli::try_parse_from(words)?.command {
        Command::Fanout(arguments) => Ok(arguments),
        other => panic!("fanout was asked for, and not {other:?}"),
    }
}

#[test]
fn a_point_counts_deliveries_over_all_consumers() {
    let server = FakeServer::start(1);
    let arguments = parse("--seconds 0.1 --rate 1000 --partitions 2 --size 50").unwrap();
    let payloads = Payloads::build(&arguments.records.payload, arguments.records.size, arguments.batch).unwrap();
    let load = load_of(&arguments, &payloads);
    let target = Target::named(server.address(0));
    let sample = measure(&load, &target, arguments.partitions, 4, 1).unwrap();
    let point = point(&arguments, &payloads, 4, std::slice::from_ref(&sample));
    let labels: Vec<&str> = point.labels.iter().map(|(name, _)| *name).collect();
    assert_eq!((point.bench, labels), ("fanout", vec!["consumers", "rate", "partitions", "batch", "size"]));
    let number = |wanted: &str| point.rounds[0].numbers.iter().find(|(name, _)| *name == wanted).unwrap().1;
    // Everything that was due in the time counts, over the time that it took to be answered.
    let sent = number("sent_records_per_second").unwrap();
    assert!(sent > 0.0 && sent <= 1000.0, "{sent}");
    let is_near = |wanted: &str, expected: f64| (number(wanted).unwrap() - expected).abs() < expected * 1e-9;
    assert!(is_near("records_per_second", 4.0 * sent) && is_near("mb_per_second", 200.0 * sent / 1e6), "{sent}");
    assert_eq!(number("server_cpu_us_per_delivered_record"), None, "the server is none of ours");
    assert!(number("client_cpu_us_per_delivered_record").unwrap() > 0.0);
    let writes = sample.costs.journal_writes.unwrap() / sample.stored_records(&payloads);
    assert_eq!(number("journal_writes_per_record"), Some(writes), "of each record that was sent, whoever reads it");
    assert_eq!(number("flushes_per_record"), None, "its disk is not known");
    assert_eq!(point.rounds[0].latencies.as_ref().unwrap().count(), 400);
    assert_eq!((point.series[0].name, point.series[0].latencies.count()), ("ack", 100));
}

#[test]
fn a_rate_is_one_of_records() {
    let arguments = parse("--rate 9000 --batch 3").unwrap();
    let payloads = Payloads::build(&arguments.records.payload, arguments.records.size, arguments.batch).unwrap();
    let load = load_of(&arguments, &payloads);
    assert_eq!((load.settings.rate, load.settings.when_full), (Some(3000.0), WhenFull::Wait));
}

#[test]
fn wrong_arguments_are_refused_before_anything_starts() {
    for line in ["--consumers 0", "--rate 0", "--partitions 0", "--partitions 5000", "--rounds 0"] {
        assert!(parse(line).is_err(), "{line}");
    }
    let arguments = parse("").unwrap();
    assert_eq!(points(&arguments.consumers).unwrap(), [1, 4, 16]);
    assert_eq!((arguments.rate, arguments.partitions, arguments.batch), (5000.0, 8, 1));
}
