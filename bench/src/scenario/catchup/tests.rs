use clap::Parser;

use super::{Floors, Sample, measure, ratio_to_floor};
use crate::cli::{CatchupArguments, Cli, Command, points};
use crate::client::fake_server::FakeServer;
use crate::scenario::old_data::OldData;
use crate::statistics::Latencies;

fn parse(line: &str) -> Result<CatchupArguments, clap::Error> {
    let words = ["florin-bench", "catchup"].into_iter().chain(line.split_whitespace());
    match Cli::try_parse_from(words)?.command {
        Command::Catchup(arguments) => Ok(arguments),
        other => panic!("catchup was asked for, and not {other:?}"),
    }
}

fn sample(reads: [f64; 2], stream: f64) -> Sample {
    Sample {
        floors: Floors { reads, stream },
        seconds: 2.0,
        records: 1e6,
        value_bytes: 400e6,
        batch_bytes: 500e6,
        cold_reads: 9,
        server_cpu_us: Some(5e5),
        client_cpu_us: 2.5e5,
        fetches: Latencies::new(),
    }
}

#[test]
fn a_round_has_values_and_batches_per_second_and_all_floors() {
    let round = sample([900.0, 1600.0], 1200.0).round();
    let expected = [
        ("mb_per_second", 200.0),
        ("batch_mb_per_second", 250.0),
        ("records_per_second", 500_000.0),
        ("seconds", 2.0),
        ("server_cpu_us_per_record", 0.5),
        ("client_cpu_us_per_record", 0.25),
        ("cold_read_count", 9.0),
        ("floor_read_mb_per_second", 1600.0),
        ("floor_read_depth_1_mb_per_second", 900.0),
        ("floor_read_depth_4_mb_per_second", 1600.0),
        ("floor_stream_mb_per_second", 1200.0),
    ];
    assert_eq!(round.numbers, expected.map(|(name, value)| (name, Some(value))));
}

#[test]
fn the_ratio_is_to_the_lesser_floor_of_the_same_round() {
    // The stream is slower than the reads in the first round, and the reads are in the second.
    let samples = [sample([900.0, 1600.0], 1000.0), sample([400.0, 500.0], 1000.0)];
    let median = |samples: &[Sample]| ratio_to_floor(samples).unwrap().median;
    assert_eq!((median(&samples[..1]), median(&samples[1..])), (0.25, 0.5));
    assert!(ratio_to_floor(&[]).is_none());
}

#[test]
fn what_comes_from_memory_is_no_measurement() {
    let (server, arguments) = (FakeServer::start(1), parse("").unwrap());
    let data = OldData::on_with_batches(&server, &arguments.target, 2);
    // The server without a disk counts no reads of one.
    let error = measure(&arguments, &data, 1, Floors { reads: [1.0, 1.0], stream: 1.0 }).err().unwrap().to_string();
    assert!(error.contains("came from memory"), "{error}");
    server.with_state(|state| state.reads_count_as_cold = true);
    let sample = measure(&arguments, &data, 2, Floors { reads: [1.0, 1.0], stream: 1.0 }).unwrap();
    assert_eq!(sample.records, data.partitions().iter().map(|filled| filled.end.0).sum::<u64>() as f64);
    assert!(sample.cold_reads > 0 && sample.seconds > 0.0 && sample.server_cpu_us.is_none());
}

#[test]
fn wrong_arguments_are_refused_before_anything_starts() {
    for line in ["--readers 0", "--readers 65", "--bytes 1GB", "--batch 0", "--seconds 3"] {
        assert!(parse(line).is_err(), "{line}");
    }
    let arguments = parse("").unwrap();
    assert_eq!(points(&arguments.readers).unwrap(), [1]);
    assert_eq!((arguments.bytes, arguments.batch), (1 << 30, 1000));
}
