//! What the machine gives without Florin: no acknowledgement can be faster than a durable write and a round trip.

mod disk;
mod loopback;
mod sequential;
mod stream;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::cli::FloorArguments;
use crate::machine::Machine;
use crate::report::{self, Object, Table, numbers, spread_text};
use crate::statistics::{Percentiles, Spread};

pub use disk::{DiskFloor, DiskSample};
pub use loopback::Loopback;
pub use sequential::SequentialFloor;
pub use stream::stream;

/// One round of one floor.
#[derive(Clone, Copy, Debug)]
struct Round {
    operations_per_second: f64,
    percentiles: Percentiles,
    flushes_per_write: Option<f64>,
}

/// A latency of a round, with its name in JSON.
type Metric = (&'static str, fn(&Round) -> f64);

/// Measures both floors and prints them.
pub fn run(arguments: &FloorArguments) -> Result<()> {
    let home = folder(arguments.directory.as_deref(), "floor")?;
    let machine = Machine::of(home.path());
    let mut disk = DiskFloor::prepare(home.path())?;
    let mut loopback = Loopback::start(arguments.peer_core)?;
    let (mut writes, mut trips) = (Vec::new(), Vec::new());
    for round in 1..=arguments.rounds {
        report::progress(&format!("round {round} of {}: durable writes", arguments.rounds));
        writes.push(Round::of_disk(&disk.run(arguments.seconds, arguments.core)?));
        report::progress(&format!("round {round} of {}: round trips", arguments.rounds));
        let sample = loopback.run(arguments.seconds, arguments.core)?;
        trips.push(Round {
            operations_per_second: sample.latencies.count() as f64 / sample.seconds,
            percentiles: sample.latencies.percentiles(),
            flushes_per_write: None,
        });
    }
    report::progress_end();
    let floors =
        [("durable 4 KiB overwrite", "floor_write", writes), ("loopback 256 B / 32 B", "floor_loopback", trips)];
    if arguments.json {
        return floors.iter().try_for_each(|(_, bench, rounds)| report::print_json(&object(bench, rounds)));
    }
    let mut table =
        Table::new(&["floor", "per second", "p50 µs", "p90 µs", "p99 µs", "p99.9 µs", "max µs", "flushes each"]);
    for (name, _, rounds) in &floors {
        table.row(row(name, rounds));
    }
    let note = format!(
        "Closed loop, one in flight; medians of {} rounds of {} s (range); measured on {}, round trips answered on {}.\n",
        arguments.rounds,
        arguments.seconds.as_secs_f64(),
        report::core_text(arguments.core),
        report::core_text(arguments.peer_core),
    );
    report::print(&format!("{}{note}\n{}", machine.line(), table.render()))
}

/// A new folder that is removed at the end, below a directory that exists; without one, below `target`.
pub fn folder(directory: Option<&Path>, name: &str) -> Result<TempDir> {
    let parent = match directory {
        Some(directory) => directory.to_owned(),
        None => {
            let target = PathBuf::from("target");
            if target.is_dir() { target } else { PathBuf::from(".") }
        }
    };
    ensure!(parent.is_dir(), "{} is no directory: name one on the disk that is to be measured", parent.display());
    let prefix = format!("florin-bench-{name}-");
    let made = tempfile::Builder::new().prefix(&prefix).tempdir_in(&parent);
    let made = made.with_context(|| format!("no folder can be made in {}", parent.display()))?;
    Ok(made)
}

impl Round {
    fn of_disk(sample: &DiskSample) -> Self {
        Self {
            operations_per_second: sample.latencies.count() as f64 / sample.seconds,
            percentiles: sample.latencies.percentiles(),
            flushes_per_write: sample.flushes_per_write,
        }
    }
}

fn spread(rounds: &[Round], value: fn(&Round) -> f64) -> Option<Spread> {
    Spread::of(rounds.iter().map(value))
}

fn row(name: &str, rounds: &[Round]) -> Vec<String> {
    let mut cells = vec![name.to_owned(), spread_text(spread(rounds, |round| round.operations_per_second))];
    cells.extend(PERCENTILES.map(|(_, value)| spread_text(spread(rounds, value))));
    cells.push(report::median_text(Spread::of(rounds.iter().filter_map(|round| round.flushes_per_write))));
    cells
}

fn object(bench: &str, rounds: &[Round]) -> Object {
    let mut object = Object::new();
    object.put("bench", bench).put("rounds", rounds.len());
    numbers(&mut object, "operations_per_second", spread(rounds, |round| round.operations_per_second));
    for (name, value) in PERCENTILES {
        numbers(&mut object, name, spread(rounds, value));
    }
    let flushes = rounds.iter().filter_map(|round| round.flushes_per_write);
    numbers(&mut object, "flushes_per_write", Spread::of(flushes));
    object
}

/// The columns of latencies.
const PERCENTILES: [Metric; 5] = [
    ("p50_us", |round| round.percentiles.p50_us),
    ("p90_us", |round| round.percentiles.p90_us),
    ("p99_us", |round| round.percentiles.p99_us),
    ("p999_us", |round| round.percentiles.p999_us),
    ("max_us", |round| round.percentiles.max_us),
];
