//! Instructions that the state of a shard takes for a capture of one record, with a producer's stamp against without: counted by
//! callgrind, in a process of its own without a network and without io_uring.
//!
//! Only what [`Shard::handle`](florin_engine::shard::Shard::handle) does is counted. Each kind runs with a number of records
//! and with twice as many, and the difference counts, so that a start does not.

mod state_core;
#[cfg(test)]
mod tests;

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::cli::{Captured, InstructionsArguments, StateCoreArguments};
use crate::floor::folder;
use crate::machine::Machine;
use crate::report::{self, Column, Output, Point, Round};
use crate::statistics::Ratio;

/// The function that is counted, as callgrind calls it.
const COUNTED: &str = "florin_engine::shard::Shard::handle";
/// What stands before the number in callgrind's words.
const COLLECTED: &str = "Collected :";

const COLUMNS: [Column; 3] = [
    Column { heading: "captures", number: "captures", with_range: false },
    Column { heading: "instructions/record", number: "instructions_per_record", with_range: true },
    Column { heading: "ratio", number: "ratio_instructions", with_range: true },
];

/// Counts both kinds and prints them.
pub fn run(arguments: &InstructionsArguments) -> Result<()> {
    let output = Output::of(&arguments.output);
    output.prepare()?;
    let home = folder(arguments.data.as_deref(), "instructions")?;
    let machine = Machine::of(home.path());
    let mut measured = Captured::ALL.map(|kind| (kind, Vec::new()));
    for round in 1..=arguments.rounds {
        for (kind, samples) in &mut measured {
            report::progress(&format!("round {round} of {}: {}", arguments.rounds, kind.name()));
            let count = |records: u64| {
                let directory = home.path().join(format!("{}-{round}-{records}", kind.name()));
                counted(&StateCoreArguments { captured: *kind, directory, records, batch: arguments.batch })
            };
            let (once, twice) = (count(arguments.records)?, count(2 * arguments.records)?);
            ensure!(twice > once, "twice the records took {twice} instructions, half of them {once}");
            samples.push((twice - once) as f64 / arguments.records as f64);
        }
    }
    report::progress_end();
    let plain = measured[0].1.clone();
    let point = |(index, (kind, samples)): (usize, &(Captured, Vec<f64>))| Point {
        bench: "instructions",
        labels: vec![("captures", kind.name().into()), ("batch", arguments.batch.into())],
        rounds: samples
            .iter()
            .map(|sample| Round { numbers: vec![("instructions_per_record", Some(*sample))], latencies: None })
            .collect(),
        facts: Vec::new(),
        ratios: (index > 0)
            .then(|| Ratio::paired(samples, &plain))
            .flatten()
            .map(|ratio| ("ratio_instructions", ratio))
            .into_iter()
            .collect(),
        series: Vec::new(),
    };
    let points: Vec<Point> = measured.iter().enumerate().map(point).collect();
    let conditions = format!(
        "Instructions within {COUNTED} by callgrind, for {} records in batches of {} and 64 batches to a block; the first row is \
         of batches without a producer.\n",
        arguments.records, arguments.batch
    );
    report::publish(&output, &machine, &conditions, &COLUMNS, &points)
}

/// What is counted by this program itself under callgrind.
pub fn state_core(arguments: &StateCoreArguments) -> Result<()> {
    state_core::run(arguments)
}

/// Runs this program under callgrind and reads what was counted.
fn counted(arguments: &StateCoreArguments) -> Result<u64> {
    let own = std::env::current_exe().context("the own program cannot be found")?;
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(format!("--toggle-collect={COUNTED}"));
    command.arg(own).arg("state-core").arg(arguments.captured.name()).arg(&arguments.directory);
    command.args(["--records", &arguments.records.to_string(), "--batch", &arguments.batch.to_string()]);
    let ran = command.output().context("valgrind cannot be run: install it, callgrind comes with it")?;
    let said = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "valgrind ended with {}: {}", ran.status, said.trim());
    match instructions(&said) {
        Some(0) => bail!("nothing was counted: the program has no symbol {COUNTED}; build it with debug information"),
        Some(count) => Ok(count),
        None => bail!("valgrind does not say what it counted: {}", said.trim()),
    }
}

/// The number in callgrind's last words.
fn instructions(said: &str) -> Option<u64> {
    let (_, number) = said.rsplit_once(COLLECTED)?;
    number.split_whitespace().next()?.replace(',', "").parse().ok()
}
