use clap::Parser;
use florin_net::protocol::Code;

use super::Run;
use crate::cli::{Cli, Command, MixedArguments, points};
use crate::client::fake_server::FakeServer;
use crate::client::payload::Payloads;
use crate::scenario::old_data::OldData;

fn parse(line: &str) -> Result<MixedArguments, clap::Error> {
    let words = ["florin-bench", "mixed"].into_iter().chain(line.split_whitespace());
    match Cli::try_parse_from(words)?.command {
        Command::Mixed(arguments) => Ok(arguments),
        other => panic!("mixed was asked for, and not {other:?}"),
    }
}

fn run_on<'a>(server: &FakeServer, arguments: &'a MixedArguments) -> Run<'a> {
    let payloads = Payloads::build(&arguments.records.payload, arguments.records.size, arguments.batch).unwrap();
    Run { arguments, payloads, data: OldData::on_with_batches(server, &arguments.target, 2) }
}

#[test]
fn captures_are_measured_alone_and_beside_readers_that_read_all_the_time() {
    let (server, arguments) = (FakeServer::start(1), parse("--seconds 0.3 --readers 2 --size 100").unwrap());
    let run = run_on(&server, &arguments);
    let pair = run.pair(3, 1).unwrap();
    assert!(pair.alone.records_per_second > 0.0 && pair.beside.records_per_second > 0.0);
    assert!(pair.reader_mb_per_second > 0.0 && pair.reader_records_per_second > 0.0);
    let names: Vec<String> = server.with_state(|state| state.topics.iter().map(|topic| topic.name.clone()).collect());
    assert_eq!(names, ["bench-old"], "what was captured to is deleted, what is read stays");
    let point = run.point(3, std::slice::from_ref(&pair));
    let ratio = |wanted: &str| point.ratios.iter().find(|(name, _)| *name == wanted).unwrap().1.median;
    let p99 = |sample: &super::Sample| sample.load.latencies.percentiles().p99_us;
    assert_eq!(ratio("ratio_p99"), p99(&pair.beside) / p99(&pair.alone));
    assert_eq!(ratio("ratio_records_per_second"), pair.beside.records_per_second / pair.alone.records_per_second);
    let round = &point.rounds[0];
    let number = |wanted: &str| round.numbers.iter().find(|(name, _)| *name == wanted).unwrap().1;
    assert_eq!(number("alone_p99_us"), Some(p99(&pair.alone)));
    assert_eq!(number("reader_mb_per_second"), Some(pair.reader_mb_per_second));
    let captured = pair.beside.load.answered_batches as f64;
    assert_eq!(number("journal_writes_per_record"), Some(pair.beside.costs.journal_writes.unwrap() / captured));
    assert_eq!(number("flushes_per_record"), None, "the disk of a server that is none of ours is not known");
    assert_eq!(round.latencies.as_ref().unwrap().count(), pair.beside.load.latencies.count());
    assert_eq!((point.series[0].name, point.series[0].latencies.count()), ("alone", pair.alone.load.latencies.count()));
}

#[test]
fn readers_that_are_refused_end_the_run_with_the_reason() {
    let (server, arguments) = (FakeServer::start(1), parse("--seconds 0.05 --readers 2").unwrap());
    let run = run_on(&server, &arguments);
    server.with_state(|state| state.fetch_refusal = Some(Code::BUSY));
    let error = format!("{:#}", run.pair(1, 1).err().unwrap());
    assert!(error.contains("the readers") && error.contains("busy"), "{error}");
}

#[test]
fn old_records_in_memory_end_the_run() {
    let (server, arguments) = (FakeServer::start(1), parse("--seconds 0.05 --readers 2").unwrap());
    let run = run_on(&server, &arguments);
    server.with_state(|state| state.held_bytes = 1);
    let error = format!("{:#}", run.pair(1, 1).err().unwrap());
    assert!(error.contains("not at rest"), "{error}");
}

#[test]
fn readers_run_where_the_captures_do_unless_they_are_sent_elsewhere() {
    let core_of = |line: &str| {
        let arguments = parse(line).unwrap();
        run_on(&FakeServer::start(1), &arguments).reader_core()
    };
    assert_eq!(core_of(""), None);
    assert_eq!(core_of("--client-core 3"), Some(3));
    assert_eq!(core_of("--client-core 3 --reader-core 5"), Some(5));
}

#[test]
fn wrong_arguments_are_refused_before_anything_starts() {
    for line in ["--connections 0", "--readers 0", "--readers 65", "--old-batch 0", "--seconds 0"] {
        assert!(parse(line).is_err(), "{line}");
    }
    let arguments = parse("").unwrap();
    assert_eq!(points(&arguments.connections).unwrap(), [32]);
    assert_eq!((arguments.readers, arguments.batch, arguments.old_batch), (8, 1, 1000));
}
