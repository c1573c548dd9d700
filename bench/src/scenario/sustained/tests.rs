use std::time::{Duration, Instant};

use clap::Parser;

use super::Run;
use super::round::{Flight, Parts, covered, per_second};
use crate::cli::{Cli, Command, SustainedArguments};
use crate::watch::{Span, Watched};

fn arguments(line: &str) -> SustainedArguments {
    let words = ["florin-bench", "sustained"].into_iter().chain(line.split_whitespace());
    match Cli::try_parse_from(words).unwrap().command {
        Command::Sustained(arguments) => arguments,
        other => panic!("a sustained load was asked for, not {other:?}"),
    }
}

/// Instants so many milliseconds behind the same first one.
#[allow(clippy::disallowed_methods, reason = "an instant has no other beginning")]
fn clock() -> impl Fn(u64) -> Instant {
    let first = Instant::now();
    move |milliseconds| first + Duration::from_millis(milliseconds)
}

#[test]
fn a_batch_is_sorted_by_what_went_on_while_it_was_in_flight() {
    let at = clock();
    let flight = |since, until| Flight { since: at(since), at: at(until) };
    let span = |begun, ended| Span { begun: at(begun), ended: at(ended) };
    let watched = Watched {
        checkpoints: vec![span(100, 200), span(500, 510)],
        segment_writes: vec![span(50, 54), span(190, 300)],
        disk_bytes_max: 0,
    };
    let in_checkpoint = [flight(90, 110), flight(150, 160), flight(400, 600), flight(199, 250)];
    let in_segments = [flight(0, 51), flight(201, 205), flight(299, 499)];
    let quiet = [flight(0, 49), flight(55, 99), flight(301, 499), flight(511, 520)];
    let parts = Parts::of(&[&in_checkpoint[..], &in_segments, &quiet].concat(), &watched);
    assert_eq!((parts.checkpoint.count(), parts.segment_write.count(), parts.quiet.count()), (4, 3, 4));
    assert!(parts.checkpoint.percentiles().max_us >= 199_000.0, "the longest one is in a checkpoint");
    assert_eq!(Parts::of(&quiet, &Watched::default()).quiet.count(), 4);
}

#[test]
fn only_full_seconds_are_told() {
    let at = clock();
    let flights = [100, 900, 1000, 2999, 3100].map(|until| Flight { since: at(0), at: at(until) });
    assert_eq!(per_second(&flights, at(0), at(3500)), [2, 1, 1]);
    assert!(per_second(&flights, at(0), at(900)).is_empty());
}

#[test]
fn time_in_two_stretches_counts_once() {
    let at = clock();
    let span = |begun, ended| Span { begun: at(begun), ended: at(ended) };
    let spans = [span(0, 100), span(50, 150), span(500, 700), span(900, 2000)];
    assert_eq!(covered(&spans, at(60), at(1000)), Duration::from_millis(90 + 200 + 100));
}

#[test]
fn a_retention_of_nothing_is_refused() {
    let error = Run::new(&arguments("--retention-bytes 0"), "data".into()).err().unwrap().to_string();
    assert!(error.contains("keep everything"), "{error}");
    let defaults = arguments("");
    assert_eq!((defaults.connections, defaults.batch, defaults.in_flight), (1, 1000, 8));
    assert_eq!(defaults.retention_bytes, 2 << 30);
}
