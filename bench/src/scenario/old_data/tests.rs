use std::sync::atomic::Ordering;

use clap::Parser;
use florin_engine::model::{Offset, PartitionId, TopicId};

use super::{FILLER, Filled, OldData, OldDataSettings, Reading, ReadingTotals, TOPIC, deal, quiet};
use crate::cli::{CatchupArguments, Cli, Command};
use crate::client::fake_server::FakeServer;
use crate::client::load::{Load, LoadSettings};
use crate::client::payload::{PayloadKind, Payloads};
use crate::client::reader::AtEnd;
use crate::server::{LOG_VARIABLE, ServerSettings};

fn arguments(line: &str) -> CatchupArguments {
    let words = ["florin-bench", "catchup"].into_iter().chain(line.split_whitespace());
    match Cli::try_parse_from(words).unwrap().command {
        Command::Catchup(arguments) => arguments,
        other => panic!("catchup was asked for, and not {other:?}"),
    }
}

fn payloads() -> Payloads {
    Payloads::build(&PayloadKind::Random, 100, 5).unwrap()
}

/// So many bytes, written to so many partitions of a server that has no disk.
fn filled(server: &FakeServer, payloads: &Payloads, bytes: u64, partition_count: usize) -> anyhow::Result<OldData> {
    let arguments = arguments("");
    let settings = OldDataSettings { payloads, bytes, partition_count, target: &arguments.target };
    let mut data = OldData::on(server, &arguments.target, Vec::new());
    data.partitions = data.fill(&settings, TOPIC, bytes, partition_count)?;
    Ok(data)
}

fn read_once(data: &OldData, readers: usize, totals: &ReadingTotals) -> anyhow::Result<()> {
    let plans = data.reader_plans(readers, AtEnd::Stop, 1);
    let mut reading = Reading::once(data.partitions(), totals);
    let mut load = Load::connect(&[])?.with_readers(&plans)?;
    load.run(&payloads(), LoadSettings::reading(), &mut reading)?;
    let (seconds, fetches) = reading.finish()?;
    assert!(seconds > 0.0 && fetches.count() > 0);
    Ok(())
}

#[test]
fn everything_that_is_written_is_read_once_by_as_many_readers_as_are_asked_for() {
    let (server, payloads) = (FakeServer::start(1), payloads());
    server.with_state(|state| state.full_count = 3);
    let data = filled(&server, &payloads, 40_000, 3).unwrap();
    assert_eq!(data.journal_full_count(), 3);
    let batches = 40_000 / payloads.batch_bytes();
    let written: u64 = data.partitions().iter().map(|filled| filled.batch_bytes).sum();
    assert_eq!(written, batches * payloads.batch_bytes(), "all batches are of one size here");
    data.check_at_rest().unwrap();
    for readers in [1, 2, 3, 9] {
        let totals = ReadingTotals::default();
        read_once(&data, readers, &totals).unwrap();
        assert_eq!(totals.records.load(Ordering::Relaxed), batches * 5);
        assert_eq!(totals.value_bytes.load(Ordering::Relaxed), batches * 5 * 100);
        assert_eq!(totals.batch_bytes.load(Ordering::Relaxed), written);
    }
}

#[test]
fn readers_that_go_on_are_ended_from_outside() {
    let (server, payloads) = (FakeServer::start(1), payloads());
    let data = filled(&server, &payloads, 5_000, 2).unwrap();
    let (totals, passes) = (ReadingTotals::default(), 3);
    let records: u64 = data.partitions().iter().map(|filled| filled.end.0).sum();
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let plans = data.reader_plans(2, AtEnd::Again, 1 << 20);
            let mut reading = Reading::endless(data.partitions(), &totals);
            let mut load = Load::connect(&[]).unwrap().with_readers(&plans).unwrap();
            load.run(&payloads, LoadSettings::reading(), &mut reading).unwrap();
        });
        while totals.records.load(Ordering::Relaxed) < passes * records {
            std::thread::yield_now();
        }
        totals.ends.store(true, Ordering::Relaxed);
        reading.join().unwrap();
    });
}

#[test]
fn other_batches_than_were_written_are_noticed_at_the_end_of_their_partition() {
    let (server, payloads) = (FakeServer::start(1), payloads());
    let mut data = filled(&server, &payloads, 20_000, 2).unwrap();
    data.partitions[1].crc_sum += 1;
    let error = read_once(&data, 1, &ReadingTotals::default()).unwrap_err();
    assert!(format!("{error:#}").contains("was read, and"), "{error:#}");
}

#[test]
fn records_in_memory_or_gone_are_noticed_before_anything_is_measured() {
    let (server, payloads) = (FakeServer::start(1), payloads());
    let mut data = filled(&server, &payloads, 5_000, 1).unwrap();
    data.check_at_rest().unwrap();
    server.with_state(|state| state.held_bytes = 4096);
    let error = data.check_at_rest().unwrap_err().to_string();
    assert!(error.contains("4096 bytes") && error.contains("not at rest"), "{error}");
    server.with_state(|state| state.held_bytes = 0);
    data.partitions[0].end = Offset(1_000_000);
    let error = data.check_at_rest().unwrap_err().to_string();
    assert!(error.contains("not 0 to 1000000"), "{error}");
}

#[test]
fn the_filler_goes_when_the_journal_has_no_more_than_the_files_that_are_open() {
    let (server, payloads) = (FakeServer::start(1), payloads());
    let arguments = arguments("--journal-files 6");
    let settings = OldDataSettings { payloads: &payloads, bytes: 5_000, partition_count: 1, target: &arguments.target };
    let mut data = OldData::on(&server, &arguments.target, Vec::new());
    data.partitions = data.fill(&settings, TOPIC, 5_000, 1).unwrap();
    data.fill(&settings, FILLER, 2_000, 1).unwrap();
    std::thread::scope(|scope| {
        server.with_state(|state| state.shard.unused_file_count = 3);
        let waiting = scope.spawn(|| data.wait_until_at_rest());
        // It has asked, and was told of a file too many.
        while server.with_state(|state| state.described_count) == 0 {
            std::thread::yield_now();
        }
        assert_eq!(server.with_state(|state| state.topics.len()), 2);
        server.with_state(|state| state.shard.unused_file_count = 4);
        waiting.join().unwrap().unwrap();
    });
    let names = server.with_state(|state| state.topics.iter().map(|topic| topic.name.clone()).collect::<Vec<_>>());
    assert_eq!(names, [TOPIC]);
}

#[test]
fn more_than_a_shard_admits_at_a_time_is_refused_before_it_is_sent() {
    let server = FakeServer::start(1);
    let payloads = Payloads::build(&PayloadKind::Fixed, 900_000, 1).unwrap();
    let error = filled(&server, &payloads, 1 << 20, 10).unwrap_err().to_string();
    assert!(error.contains("fewer readers or smaller batches"), "{error}");
    assert_eq!(server.with_state(|state| state.received_count), 0);
}

#[test]
fn partitions_are_dealt_in_turn_and_no_reader_is_left_without_one() {
    let filled = |index| Filled {
        partition: PartitionId { topic: TopicId(1), index },
        end: Offset(10),
        batch_bytes: 0,
        crc_sum: 0,
    };
    let partitions: Vec<Filled> = (0..5).map(filled).collect();
    let dealt = |readers| -> Vec<Vec<u32>> {
        let lanes = deal(&partitions, readers, AtEnd::Again);
        assert!(lanes.iter().all(|lane| lane.at_end == AtEnd::Again));
        lanes.iter().map(|lane| lane.stretches.iter().map(|stretch| stretch.partition.index).collect()).collect()
    };
    assert_eq!(dealt(1), [vec![0, 1, 2, 3, 4]]);
    assert_eq!(dealt(2), [vec![0, 2, 4], vec![1, 3]]);
    assert_eq!(dealt(7), [vec![0], vec![1], vec![2], vec![3], vec![4]]);
}

#[test]
fn the_log_is_quiet_while_it_is_written_unless_somebody_chose_what_it_shows() {
    let settings_of = |line: &str| {
        let own = ServerSettings::of(&arguments(line).target, std::path::PathBuf::new());
        quiet(&own).settings
    };
    assert_eq!(settings_of("--setting log=debug"), ["log=debug"]);
    if std::env::var_os(LOG_VARIABLE).is_none() {
        assert_eq!(settings_of("--setting memory-bytes=2GiB"), ["memory-bytes=2GiB", "log=error"]);
    }
}
