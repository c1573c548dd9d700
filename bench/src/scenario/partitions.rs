//! The same load over few and over many partitions: all are written to in turn, at a rate, while the batches of whole
//! ring files are taken to segment files and checkpoints are taken.
//!
//! What an acknowledgement waits for must not grow with the partitions that a checkpoint has to go through.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use florin_engine::catalogue::TopicSettings;
use florin_engine::limits::TOPIC_PARTITION_COUNT_MAX;
use florin_engine::model::TopicId;

use super::tally::Tally;
use crate::cli::PartitionsArguments;
use crate::client::control::Control;
use crate::client::load::{EachStored, Load, LoadSample, LoadSettings, WhenFull};
use crate::client::payload::Payloads;
use crate::client::routes;
use crate::floor::folder;
use crate::machine::{Machine, on_core};
use crate::report::{self, Column, Output, Point, Round, core_text, count_text};
use crate::statistics::Ratio;
use crate::target::{Costs, NewTopic, Target, with_topics};
use crate::watch::DirectoryWatch;

const COLUMNS: [Column; 12] = [
    Column { heading: "partitions", number: "partitions", with_range: false },
    Column { heading: "records/s", number: "records_per_second", with_range: true },
    Column { heading: "p50 µs", number: "p50_us", with_range: true },
    Column { heading: "p90 µs", number: "p90_us", with_range: false },
    Column { heading: "p99 µs", number: "p99_us", with_range: true },
    Column { heading: "p99.9 µs", number: "p999_us", with_range: true },
    Column { heading: "max µs", number: "max_us", with_range: true },
    Column { heading: "checkpoints", number: "checkpoint_count", with_range: true },
    Column { heading: "journal full", number: "journal_full_count", with_range: false },
    Column { heading: "server CPU µs/record", number: "server_cpu_us_per_record", with_range: false },
    Column { heading: "journal writes/record", number: "journal_writes_per_record", with_range: false },
    Column { heading: "ratio p99", number: "ratio_p99", with_range: true },
];

/// A number of partitions, and what its rounds gave.
struct Measured {
    partitions: u32,
    samples: Vec<Sample>,
}

/// One load.
#[derive(Debug)]
struct Sample {
    load: LoadSample,
    costs: Costs,
    records_per_second: f64,
    /// Not known of a server that is not ours.
    checkpoint_count: Option<usize>,
}

/// What all rounds share.
struct Run<'a> {
    arguments: &'a PartitionsArguments,
    payloads: Payloads,
    settings: LoadSettings,
    connections: usize,
}

/// Measures all points and prints them.
pub fn run(arguments: &PartitionsArguments) -> Result<()> {
    let run = Run::new(arguments)?;
    let counts = arguments.points()?;
    let output = Output::of(&arguments.output);
    output.prepare()?;
    let home = folder(arguments.target.own.data.as_deref(), "partitions")?;
    let machine = Machine::of(home.path());
    let florin = Target::start(&arguments.target, home.path())?;
    let data = florin.process().is_some().then(|| home.path().join("data"));
    let mut points: Vec<Measured> =
        counts.into_iter().map(|partitions| Measured { partitions, samples: Vec::new() }).collect();
    for round in 1..=arguments.rounds {
        for point in &mut points {
            let what = count_text(usize::try_from(point.partitions)?, "partition");
            report::progress(&format!("round {round} of {}: {what}", arguments.rounds));
            let sample = run.measure(&florin, data.as_deref(), point.partitions, round);
            point.samples.push(sample.with_context(|| format!("{what}, round {round}"))?);
        }
    }
    report::progress_end();
    florin.stop()?;
    let first: Vec<f64> = points[0].samples.iter().map(Sample::p99_us).collect();
    let has_checkpoints =
        points.iter().flat_map(|point| &point.samples).all(|sample| sample.checkpoint_count != Some(0));
    let points: Vec<Point> =
        points.iter().enumerate().map(|(index, point)| run.point(point, (index > 0).then_some(&first))).collect();
    report::publish(&output, &machine, &run.conditions(has_checkpoints), &COLUMNS, &points)
}

impl<'a> Run<'a> {
    fn new(arguments: &'a PartitionsArguments) -> Result<Self> {
        let payloads = Payloads::build(&arguments.payload, arguments.size, arguments.batch)?;
        let settings = LoadSettings {
            rate: Some(arguments.rate / f64::from(arguments.batch)),
            // More is written than the journal holds.
            when_full: WhenFull::Wait,
            ..LoadSettings::lasting(arguments.seconds)
        };
        Ok(Self { arguments, payloads, settings, connections: usize::try_from(arguments.connections)? })
    }

    fn measure(&self, target: &Target, data: Option<&Path>, partitions: u32, round: u32) -> Result<Sample> {
        let topics = topics(partitions, round);
        with_topics(target, &topics, |control, ids| self.load(target, data, control, &topics, ids))
    }

    fn load(
        &self,
        target: &Target,
        data: Option<&Path>,
        control: &mut Control,
        topics: &[NewTopic],
        ids: &[TopicId],
    ) -> Result<Sample> {
        let placements: Vec<_> = topics.iter().map(|topic| control.placement(&topic.name)).collect::<Result<_>>()?;
        let routes = routes::in_turns(&placements, self.connections)?;
        let counts: Vec<(TopicId, u32)> = ids.iter().zip(topics).map(|(id, topic)| (*id, topic.partitions)).collect();
        let mut tally = Tally::new(&counts, self.arguments.batch);
        // Started from here, it is not bound to the core of the client.
        let watch = data.map(DirectoryWatch::start).transpose()?;
        let (mut sample, begun, ended) = on_core(self.arguments.target.own.client_core, || {
            let mut load = Load::connect(&routes)?;
            let before = target.counters(Some(control))?;
            let begun = clock();
            let mut counting = EachStored::new(|stored| {
                tally.take(stored);
                Ok(ControlFlow::Continue(()))
            });
            let sample = load.run(&self.payloads, self.settings, &mut counting)?;
            let ended = clock();
            let costs = target.counters(Some(control))?.since(&before);
            let records = sample.latencies.count() as f64 * f64::from(self.arguments.batch);
            let records_per_second = records / sample.counted_seconds;
            Ok((Sample { records_per_second, checkpoint_count: None, load: sample, costs }, begun, ended))
        })?;
        let watched = watch.map(DirectoryWatch::stop).transpose()?;
        sample.checkpoint_count = watched.map(|watched| watched.checkpoint_count(begun, ended));
        tally.check(control, true)?;
        let silent_count = tally.silent_count();
        ensure!(
            silent_count == 0,
            "{silent_count} partitions were not written to: use more --seconds or a higher --rate, so that each has its turn"
        );
        Ok(sample)
    }

    /// Costs are those of everything, warm-up included.
    fn round(&self, sample: &Sample) -> Round {
        let record_count = sample.load.answered_batches as f64 * f64::from(self.arguments.batch);
        let mut numbers = vec![
            ("records_per_second", Some(sample.records_per_second)),
            ("mb_per_second", Some(sample.records_per_second * self.payloads.value_bytes() / 1e6)),
            ("checkpoint_count", sample.checkpoint_count.map(|count| count as f64)),
            ("journal_full_count", Some(sample.load.journal_full_count as f64)),
        ];
        numbers.extend(sample.costs.per_record(record_count));
        Round { numbers, latencies: Some(sample.load.latencies.clone()) }
    }

    /// A row; all but the first are held against the first.
    fn point(&self, measured: &Measured, first: Option<&Vec<f64>>) -> Point {
        let arguments = self.arguments;
        let own: Vec<f64> = measured.samples.iter().map(Sample::p99_us).collect();
        let ratio = first.and_then(|first| Ratio::paired(&own, first));
        Point {
            bench: "partitions",
            labels: vec![
                ("partitions", measured.partitions.into()),
                ("connections", arguments.connections.into()),
                ("rate", arguments.rate.into()),
                ("batch", arguments.batch.into()),
                ("size", self.payloads.size().into()),
            ],
            rounds: measured.samples.iter().map(|sample| self.round(sample)).collect(),
            facts: Vec::new(),
            ratios: ratio.into_iter().map(|ratio| ("ratio_p99", ratio)).collect(),
            series: Vec::new(),
        }
    }

    fn conditions(&self, has_checkpoints: bool) -> String {
        let arguments = self.arguments;
        let server = match &arguments.target.server {
            Some(address) => format!("server {address}"),
            None => format!("server on {}", core_text(arguments.target.own.server_core)),
        };
        let without = if has_checkpoints {
            ""
        } else {
            " No checkpoint fell into some of them, so they say nothing of it: use more --seconds or smaller \
             --journal-file-bytes."
        };
        format!(
            "Open loop of {} records/s over {}, latencies from when each is due; batches of {} of {:.0} bytes, each to the \
             next partition; {} of {} s, median (range); client on {}, {server}. Ratios against the first row.{without}\n",
            arguments.rate,
            count_text(self.connections, "connection"),
            count_text(usize::try_from(arguments.batch).unwrap_or(usize::MAX), "record"),
            self.payloads.value_bytes(),
            count_text(usize::try_from(arguments.rounds).unwrap_or(usize::MAX), "round"),
            arguments.seconds.as_secs_f64(),
            core_text(arguments.target.own.client_core),
        )
    }
}

impl Sample {
    fn p99_us(&self) -> f64 {
        self.load.latencies.percentiles().p99_us
    }
}

/// As many topics as so many partitions need.
fn topics(partitions: u32, round: u32) -> Vec<NewTopic> {
    let mut left = partitions;
    let mut topics = Vec::new();
    while left > 0 {
        let name = format!("bench-{}-{round}-{partitions}-{}", std::process::id(), topics.len());
        let partitions = left.min(TOPIC_PARTITION_COUNT_MAX);
        topics.push(NewTopic { name, partitions, settings: TopicSettings::default() });
        left -= partitions;
    }
    topics
}

#[allow(clippy::disallowed_methods, reason = "checkpoints are counted by the host's clock")]
fn clock() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests;
