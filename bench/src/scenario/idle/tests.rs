use clap::Parser;
use florin_net::protocol::ShardDescription;

use super::{Sample, allow_connections, check, connect, point};
use crate::cli::{Cli, Command, IdleArguments};
use crate::client::fake_server::FakeServer;

fn arguments(line: &str) -> IdleArguments {
    let words = ["florin-bench", "idle"].into_iter().chain(line.split_whitespace());
    match Cli::try_parse_from(words).unwrap().command {
        Command::Idle(arguments) => arguments,
        other => panic!("an idle server was asked for, not {other:?}"),
    }
}

fn sample(rss_bytes: u64) -> Sample {
    Sample { cpu_percent: Some(0.5), context_switches_per_second: None, rss_bytes, thread_count: 3 }
}

#[test]
fn memory_of_a_connection_is_what_the_same_server_took_more() {
    let alone = [sample(1_000), sample(2_000)];
    let with = point(10, &[sample(1_500), sample(2_700)], Some(&alone));
    let numbers: Vec<Option<f64>> = with
        .rounds
        .iter()
        .map(|round| round.numbers.iter().find(|(name, _)| *name == "rss_bytes_per_connection").unwrap().1)
        .collect();
    assert_eq!(numbers, [Some(50.0), Some(70.0)]);
    assert_eq!(with.labels, [("connections", 10.into())]);
    let without = point(0, &alone, None);
    assert!(without.rounds[0].numbers.contains(&("rss_bytes_per_connection", None)));
    assert!(without.rounds[0].numbers.contains(&("rss_bytes", Some(1_000.0))));
}

#[test]
fn connections_that_the_server_closed_are_missed() {
    let server = FakeServer::start(1);
    let mut idle = connect(&server.address(0), 3).unwrap();
    assert_eq!(idle.len(), 3);
    let says = |connection_count| {
        server.with_state(|state| state.shard = ShardDescription { connection_count, ..ShardDescription::default() });
    };
    says(4);
    check(&server.address(0), &mut idle).unwrap();
    says(3);
    let error = check(&server.address(0), &mut idle).unwrap_err().to_string();
    assert!(error.contains("3 connections of 4") && error.contains("idle-seconds"), "{error}");
}

#[test]
fn a_connection_that_is_not_taken_is_named_with_what_to_do() {
    let address = FakeServer::start(1).address(0);
    let error = format!("{:#}", connect(&address, 2).unwrap_err());
    assert!(error.contains("connection 1 of 2") && error.contains("ulimit -n"), "{error}");
}

#[test]
fn more_files_than_the_hard_limit_allows_are_refused_with_advice() {
    allow_connections(1).unwrap();
    let error = allow_connections(u64::MAX).unwrap_err().to_string();
    assert!(error.contains("ulimit -Hn") && error.contains("--connections"), "{error}");
}

#[test]
fn a_core_for_a_client_that_is_not_measured_is_refused() {
    let error = super::run(&arguments("--client-core 0")).unwrap_err().to_string();
    assert!(error.contains("leave --client-core away"), "{error}");
    assert_eq!(arguments("").connections, 1000);
}
