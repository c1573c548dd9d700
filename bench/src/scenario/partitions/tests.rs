use clap::Parser;

use super::{Measured, Run, topics};
use crate::cli::{Cli, Command, PartitionsArguments};
use crate::client::fake_server::FakeServer;
use crate::target::Target;

fn arguments(line: &str) -> PartitionsArguments {
    let words = ["florin-bench", "partitions"].into_iter().chain(line.split_whitespace());
    match Cli::try_parse_from(words).unwrap().command {
        Command::Partitions(arguments) => arguments,
        other => panic!("partitions were asked for, not {other:?}"),
    }
}

#[test]
fn partitions_go_into_as_few_topics_as_hold_them() {
    let counts = |partitions| topics(partitions, 1).iter().map(|topic| topic.partitions).collect::<Vec<u32>>();
    assert_eq!(counts(10), [10]);
    assert_eq!(counts(4096), [4096]);
    assert_eq!(counts(10_000), [4096, 4096, 1808]);
    let made = topics(10_000, 2);
    assert!(made[0].name != made[1].name && made[0].name != topics(10_000, 3)[0].name);
}

#[test]
fn every_partition_is_written_to_as_often_as_the_others() {
    let server = FakeServer::start(1);
    let arguments = arguments("--rate 2000 --connections 3 --seconds 0.2 --partitions 7 --batch 2");
    let run = Run::new(&arguments).unwrap();
    let sample = run.measure(&Target::named(server.address(0)), None, 7, 1).unwrap();
    assert!(sample.checkpoint_count.is_none(), "the directory of a server that is not ours is not known");
    server.with_state(|state| {
        assert_eq!(state.topics, [], "topics are deleted at the end");
        let counts: Vec<u64> = state.batch_counts.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts.len(), 7);
        assert_eq!(counts.iter().sum::<u64>(), sample.load.answered_batches);
        assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
    });
}

#[test]
fn partitions_that_never_had_a_turn_are_an_error_that_says_what_to_do() {
    let server = FakeServer::start(1);
    let arguments = arguments("--rate 10 --connections 2 --seconds 0.05");
    let error = Run::new(&arguments).unwrap().measure(&Target::named(server.address(0)), None, 50, 1).unwrap_err();
    let error = format!("{error:#}");
    assert!(error.contains("were not written to") && error.contains("--rate"), "{error}");
    assert_eq!(server.with_state(|state| state.topics.len()), 0);
}

#[test]
fn the_later_points_are_held_against_the_first_one() {
    let server = FakeServer::start(1);
    let arguments = arguments("--rate 1000 --connections 1 --seconds 0.1");
    let run = Run::new(&arguments).unwrap();
    let target = Target::named(server.address(0));
    let measured = |partitions, round| Measured {
        partitions,
        samples: vec![run.measure(&target, None, partitions, round).unwrap()],
    };
    let (few, many) = (measured(2, 1), measured(4, 1));
    let first = vec![few.samples[0].p99_us()];
    let (few, many) = (run.point(&few, None), run.point(&many, Some(&first)));
    assert!(few.ratios.is_empty());
    assert_eq!(many.ratios[0].0, "ratio_p99");
    let names: Vec<&str> = many.rounds[0].numbers.iter().map(|(name, _)| *name).collect();
    assert!(names.contains(&"checkpoint_count") && names.contains(&"journal_full_count"), "{names:?}");
    assert!(run.conditions(false).contains("No checkpoint") && !run.conditions(true).contains("No checkpoint"));
}

#[test]
fn wrong_arguments_are_refused_before_anything_starts() {
    for line in ["--partitions 0", "--rate 0", "--connections 0", "--seconds 0", "--rounds 0"] {
        let words = ["florin-bench", "partitions"].into_iter().chain(line.split_whitespace());
        assert!(Cli::try_parse_from(words).is_err(), "{line}");
    }
    assert_eq!(arguments("").points().unwrap(), [10, 10_000]);
}
