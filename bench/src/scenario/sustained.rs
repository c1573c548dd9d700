//! As much as goes in for a long time: large batches, through checkpoints, with retention, beside what the disk writes
//! without Florin.
//!
//! Every byte is written twice, into the journal and into a segment file, so half of the floor is all that can be had.

mod round;
#[cfg(test)]
mod tests;

use anyhow::{Context, Result, ensure};
use florin_engine::catalogue::TopicSettings;

use crate::cli::SustainedArguments;
use crate::client::load::{LoadSettings, WhenFull};
use crate::client::payload::Payloads;
use crate::floor::{LargeFile, LargeWrites, folder};
use crate::machine::Machine;
use crate::report::{self, Column, Output, Point, Series, core_text, count_text};
use crate::statistics::Latencies;
use crate::target::{NewTopic, Target, with_topics};

use round::{Parts, Sample};

const COLUMNS: [Column; 16] = [
    Column { heading: "MB/s", number: "mb_per_second", with_range: true },
    Column { heading: "slowest second MB/s", number: "slowest_second_mb_per_second", with_range: false },
    Column { heading: "median second MB/s", number: "median_second_mb_per_second", with_range: false },
    Column { heading: "of half the 1 MiB floor", number: "ratio_half_floor_write_1m", with_range: true },
    Column { heading: "of half the 4 MiB floor", number: "ratio_half_floor_write_4m", with_range: true },
    Column { heading: "p50 µs", number: "p50_us", with_range: false },
    Column { heading: "p99 µs", number: "p99_us", with_range: false },
    Column { heading: "p99.9 µs", number: "p999_us", with_range: false },
    Column { heading: "max µs", number: "max_us", with_range: false },
    Column { heading: "p99.9 in checkpoints", number: "checkpoint_p999_us", with_range: false },
    Column { heading: "writing segments", number: "segment_write_p999_us", with_range: false },
    Column { heading: "in neither", number: "quiet_p999_us", with_range: false },
    Column { heading: "checkpoints", number: "checkpoint_count", with_range: false },
    Column { heading: "journal full", number: "journal_full_count", with_range: false },
    Column { heading: "retention cut bytes", number: "retention_cut_bytes", with_range: false },
    Column { heading: "most bytes on disk", number: "peak_disk_bytes", with_range: false },
];

const RATIOS: [&str; 2] = ["ratio_half_floor_write_1m", "ratio_half_floor_write_4m"];

/// What all rounds share.
struct Run<'a> {
    arguments: &'a SustainedArguments,
    payloads: Payloads,
    settings: LoadSettings,
    /// The server's data.
    data: std::path::PathBuf,
}

/// Measures all rounds and prints them.
pub fn run(arguments: &SustainedArguments) -> Result<()> {
    let output = Output::of(&arguments.output);
    output.prepare()?;
    let home = folder(arguments.target.data.as_deref(), "sustained")?;
    let run = Run::new(arguments, home.path().join("data"))?;
    let machine = Machine::of(home.path());
    let florin = Target::start_own(&arguments.target, home.path())?;
    report::progress("writing the floor's file");
    let floor = LargeFile::prepare(home.path())?;
    let mut samples = Vec::new();
    for round in 1..=arguments.rounds {
        let sample = run.round(&florin, &floor, round).with_context(|| format!("round {round}"))?;
        samples.push(sample);
    }
    report::progress_end();
    florin.stop()?;
    report::publish(&output, &machine, &run.conditions(), &COLUMNS, &[run.point(&samples)])
}

impl<'a> Run<'a> {
    fn new(arguments: &'a SustainedArguments, data: std::path::PathBuf) -> Result<Self> {
        ensure!(arguments.retention_bytes > 0, "--retention-bytes 0 would keep everything: the disk would fill up");
        let payloads = Payloads::build(&arguments.payload, arguments.size, arguments.batch)?;
        let settings = LoadSettings {
            in_flight: usize::from(arguments.in_flight),
            // More is written than the journal holds.
            when_full: WhenFull::Wait,
            ..LoadSettings::lasting(arguments.seconds)
        };
        Ok(Self { arguments, payloads, settings, data })
    }

    /// Floors, the load, floors again. The topic stays until they are measured: its deletion would be measured with them.
    fn round(&self, target: &Target, floor: &LargeFile, round: u32) -> Result<Sample> {
        let say = |what: &str| report::progress(&format!("round {round} of {}: {what}", self.arguments.rounds));
        let topic = NewTopic {
            name: format!("bench-{}-{round}", std::process::id()),
            partitions: self.arguments.connections,
            settings: TopicSettings {
                retention_bytes: Some(self.arguments.retention_bytes),
                ..TopicSettings::default()
            },
        };
        say("floors before");
        let before = self.floors(floor)?;
        with_topics(target, std::slice::from_ref(&topic), |control, ids| {
            say("Florin");
            let mut sample = self.load(target, control, &topic.name, ids[0])?;
            say("waiting for segment files");
            self.wait_until_quiet(control)?;
            say("floors after");
            sample.floors = before.mean(&self.floors(floor)?);
            Ok(sample)
        })
    }

    fn floors(&self, floor: &LargeFile) -> Result<LargeWrites> {
        LargeWrites::measure(floor, self.arguments.floor_seconds, self.arguments.target.server_core)
    }

    fn point(&self, samples: &[Sample]) -> Point {
        let arguments = self.arguments;
        let own: Vec<f64> = samples.iter().map(|sample| sample.mb_per_second).collect();
        let floors: Vec<LargeWrites> = samples.iter().map(|sample| sample.floors).collect();
        let series = |name, part: fn(&Parts) -> &Latencies| {
            let mut latencies = Latencies::new();
            samples.iter().for_each(|sample| latencies.merge(part(&sample.parts)));
            Series { name, latencies }
        };
        Point {
            bench: "sustained",
            labels: vec![
                ("connections", arguments.connections.into()),
                ("in_flight", arguments.in_flight.into()),
                ("batch", arguments.batch.into()),
                ("size", self.payloads.size().into()),
                ("retention_bytes", arguments.retention_bytes.into()),
            ],
            rounds: samples.iter().map(Sample::round).collect(),
            facts: Vec::new(),
            // Every byte is written twice.
            ratios: LargeWrites::ratios(RATIOS, &own, &floors, 0.5),
            series: vec![
                series("checkpoint", |parts| &parts.checkpoint),
                series("segment_write", |parts| &parts.segment_write),
                series("quiet", |parts| &parts.quiet),
            ],
        }
    }

    fn conditions(&self) -> String {
        let arguments = self.arguments;
        format!(
            "Closed loop, {}, {} batches of {} of {:.0} bytes in flight on each; {} of {} s, median (range), floors of {} s \
             before and after each; retention of {} bytes per partition; client on {}, server on {}. MB/s are those of \
             values. A batch is in a checkpoint if one was taken while it was in flight, from the first byte of its manifest until \
             it was in force; of the others, some were in flight while segment files were written.\n",
            count_text(usize::try_from(arguments.connections).unwrap_or(usize::MAX), "connection"),
            arguments.in_flight,
            count_text(usize::try_from(arguments.batch).unwrap_or(usize::MAX), "record"),
            self.payloads.value_bytes(),
            count_text(usize::try_from(arguments.rounds).unwrap_or(usize::MAX), "round"),
            arguments.seconds.as_secs_f64(),
            arguments.floor_seconds.as_secs_f64(),
            arguments.retention_bytes,
            core_text(arguments.target.client_core),
            core_text(arguments.target.server_core),
        )
    }
}
