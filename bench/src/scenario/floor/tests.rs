use clap::Parser;

use super::{Floor, Sample, conditions, floors};
use crate::bare::Bare;
use crate::cli::{Cli, Command, FloorArguments};
use crate::floor::LargeSample;
use crate::statistics::Latencies;

fn arguments(line: &str) -> FloorArguments {
    let words = ["florin-bench", "floor"].into_iter().chain(line.split_whitespace());
    match Cli::try_parse_from(words).unwrap().command {
        Command::Floor(arguments) => arguments,
        other => panic!("a floor was asked for, not {other:?}"),
    }
}

#[test]
fn every_floor_has_a_row_and_every_number_of_connections_one_for_each_bare_server() {
    let found = floors(&arguments("--connections 1,32")).unwrap();
    let names: Vec<&str> = found.iter().map(|floor| floor.bench()).filter(|name| !name.ends_with("_polling")).collect();
    let expected = [
        "floor_write_4k",
        "floor_write_1m",
        "floor_write_4m",
        "floor_read",
        "floor_loopback",
        "floor_stream",
        "floor_bare_epoll",
        "floor_bare_glommio",
        "floor_bare_epoll",
        "floor_bare_glommio",
    ];
    assert_eq!(names, expected);
    let labels: Vec<String> =
        found.iter().flat_map(|floor| floor.labels()).map(|(name, value)| format!("{name}={value}")).collect();
    let bytes = ["bytes=4096", "bytes=1048576", "bytes=4194304", "bytes=1048576", "bytes=65536"];
    assert!(bytes.iter().all(|label| labels.contains(&(*label).to_owned())), "{labels:?}");
    assert_eq!(found.last(), Some(&Floor::Bare(Bare::Glommio, 32)));
}

#[test]
fn threads_that_poll_are_not_put_on_one_core() {
    let error = floors(&arguments("--core 1 --peer-core 1")).unwrap_err().to_string();
    assert!(error.contains("a core each"), "{error}");
    assert!(floors(&arguments("--core 1")).is_ok());
    let conditions = conditions(&arguments("--core 1"), &[Floor::Read]);
    assert!(conditions.contains("No polling") && conditions.contains("core 1"), "{conditions}");
}

#[test]
fn all_floors_have_the_same_numbers_so_that_they_stand_in_one_table() {
    let mut latencies = Latencies::new();
    (0..10).for_each(|_| latencies.record(std::time::Duration::from_millis(1)));
    let large = LargeSample { latencies, bytes: 10 << 20, seconds: 2.0, flushes_per_piece: Some(1.0) };
    let round = Sample::from(large).round();
    let empty = Sample::default().round();
    let names = |numbers: &[(&'static str, Option<f64>)]| numbers.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    assert_eq!(names(&round.numbers), names(&empty.numbers));
    assert_eq!(round.numbers[0], ("operations_per_second", Some(5.0)));
    assert_eq!(round.numbers[1], ("mb_per_second", Some(f64::from(10 << 20) / 2e6)));
    assert!(round.latencies.is_some() && empty.latencies.is_none());
}
