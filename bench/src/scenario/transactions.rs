//! Idempotent producers that send transactions, against the same producers with the same batches and no transactions.
//!
//! What is timed is from sending the first batch of a transaction until its commit is answered; without transactions, until
//! the last of as many batches is. A transaction of one batch needs two durable writes, one after the other, if the shard
//! that stores the batch coordinates it, as a server with one shard does: the batch with the note that it is open, the
//! decision. If another shard does it needs three: that it is open, the batch, the decision. It is also held against three
//! times what a single producer waits for one batch.

#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use florin_engine::model::TransactionalId;
use florin_engine::transaction::coordinator_of;

use crate::cli::TransactionsArguments;
use crate::client::control::{Control, Placement};
use crate::client::payload::Payloads;
use crate::client::producers::{ProducerPlan, Producers, ProducersSample};
use crate::client::routes;
use crate::floor::{DiskFloor, folder};
use crate::machine::{Machine, allow_connections, on_core};
use crate::report::{self, Column, Output, Point, Round, core_text, count_text};
use crate::server::{Server, ServerSettings};
use crate::statistics::Ratio;
use crate::target::{Costs, Target, with_topic};

/// Before it counts.
const WARM_UP: Duration = Duration::from_millis(300);
/// Durable writes of a transaction that another shard coordinates, one after the other.
const WRITE_COUNT: f64 = 3.0;

const COLUMNS: [Column; 12] = [
    Column { heading: "producers", number: "producers", with_range: false },
    Column { heading: "batches", number: "batches", with_range: false },
    Column { heading: "transactions", number: "transactions", with_range: false },
    Column { heading: "records/s", number: "records_per_second", with_range: true },
    Column { heading: "p50 µs", number: "p50_us", with_range: true },
    Column { heading: "p99 µs", number: "p99_us", with_range: true },
    Column { heading: "p99.9 µs", number: "p999_us", with_range: false },
    Column { heading: "server CPU µs/record", number: "server_cpu_us_per_record", with_range: false },
    Column { heading: "journal writes/record", number: "journal_writes_per_record", with_range: false },
    Column { heading: "durable write p50 µs", number: "floor_write_p50_us", with_range: false },
    Column { heading: "ratio records/s", number: "ratio_records_per_second", with_range: true },
    Column { heading: "p50 by 3 writes", number: "ratio_three_writes", with_range: true },
];

/// What one point does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind {
    producers: u64,
    batches: u32,
    is_transactional: bool,
}

/// One load.
#[derive(Debug)]
struct Sample {
    load: ProducersSample,
    costs: Costs,
    records_per_second: f64,
    floor_us: f64,
}

/// What all rounds share.
struct Run<'a> {
    arguments: &'a TransactionsArguments,
    payloads: Payloads,
}

/// Measures all points and prints them.
pub fn run(arguments: &TransactionsArguments) -> Result<()> {
    let payloads = Payloads::build(&arguments.payload, arguments.size, arguments.batch)?;
    let run = Run { arguments, payloads };
    allow_connections(arguments.producers.iter().copied().max().unwrap_or(0))?;
    let output = Output::of(&arguments.output);
    output.prepare()?;
    let home = folder(arguments.target.data.as_deref(), "transactions")?;
    let machine = Machine::of(home.path());
    let points = run.measure(home.path())?;
    report::progress_end();
    let points: Vec<Point> = points.iter().map(|(kind, samples)| run.point(*kind, samples, &points)).collect();
    report::publish(&output, &machine, &run.conditions(), &COLUMNS, &points)
}

/// A single producer with one batch at a time, which everything is held against; then every point without and with
/// transactions.
fn kinds(producers: &[u64], batches: &[u32]) -> Vec<Kind> {
    let mut kinds = vec![Kind::SINGLE];
    for (producers, batches) in producers.iter().flat_map(|count| batches.iter().map(move |batches| (*count, *batches)))
    {
        for is_transactional in [false, true] {
            let kind = Kind { producers, batches, is_transactional };
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
    }
    kinds
}

impl Kind {
    const SINGLE: Self = Self { producers: 1, batches: 1, is_transactional: false };

    fn name(self) -> &'static str {
        if self.is_transactional { "with" } else { "without" }
    }
}

impl Run<'_> {
    fn measure(&self, home: &Path) -> Result<Vec<(Kind, Vec<Sample>)>> {
        let arguments = self.arguments;
        let kinds = kinds(&arguments.producers, &arguments.batches);
        let mut points: Vec<(Kind, Vec<Sample>)> = kinds.into_iter().map(|kind| (kind, Vec::new())).collect();
        report::progress("writing the floor's file");
        let mut floor = DiskFloor::prepare(home)?;
        report::progress("starting a server");
        let settings = ServerSettings::of(&arguments.target, home.join("data"));
        let target = Target::of(Server::start(&ServerSettings { shards: arguments.shards, ..settings })?, home);
        for round in 1..=arguments.rounds {
            report::progress(&format!("round {round} of {}: the disk", arguments.rounds));
            let written = floor.run(arguments.floor_seconds, arguments.target.server_core)?;
            let floor_us = written.latencies.percentiles().p50_us;
            for (kind, samples) in &mut points {
                let Kind { producers, batches, .. } = *kind;
                let what = format!("{producers} producers, {batches} batches, {} transactions", kind.name());
                report::progress(&format!("round {round} of {}: {what}", arguments.rounds));
                let sample = self.load(&target, *kind, round, floor_us);
                samples.push(sample.with_context(|| format!("{what}, round {round}"))?);
            }
        }
        target.stop()?;
        Ok(points)
    }

    /// One load on a topic of its own.
    fn load(&self, target: &Target, kind: Kind, round: u32, floor_us: f64) -> Result<Sample> {
        let name = format!("{}-{}-{}-{round}", kind.name(), kind.producers, kind.batches);
        with_topic(target, &name, self.arguments.partitions, |control| {
            let plans = self.plans(control, &name, kind)?;
            on_core(self.arguments.target.client_core, || {
                let mut producers = Producers::connect(&plans)?;
                let before = target.counters(Some(control))?;
                let load = producers.run(&self.payloads, WARM_UP, self.arguments.seconds)?;
                let costs = target.counters(Some(control))?.since(&before);
                ensure!(costs.captured_batches >= load.answered_batches, "the server stored less than it acknowledged");
                let records = load.latencies.count() as f64 * f64::from(kind.batches * self.payloads.record_count());
                let records_per_second = records / load.counted_seconds;
                Ok(Sample { load, costs, records_per_second, floor_us })
            })
        })
    }

    fn plans(&self, control: &mut Control, topic: &str, kind: Kind) -> Result<Vec<ProducerPlan>> {
        let placement = control.placement(topic)?;
        let routes = routes::spread(&placement, usize::try_from(kind.producers)?)?;
        let mut plan = |(number, route): (usize, routes::Route)| {
            let key = match kind.is_transactional {
                // Any port passes on what its shard does not coordinate.
                true => control.open_transactional_id(&transactional_id(number, &placement, route.partition.index)?)?,
                false => control.producer()?,
            };
            let Kind { is_transactional, batches, .. } = kind;
            Ok(ProducerPlan { address: route.address, partition: route.partition, key, is_transactional, batches })
        };
        routes.into_iter().enumerate().map(&mut plan).collect()
    }

    fn point(&self, kind: Kind, samples: &[Sample], all: &[(Kind, Vec<Sample>)]) -> Point {
        let of = |kind: Kind| all.iter().find(|(other, _)| *other == kind).map(|(_, samples)| samples.as_slice());
        let ratio = |value: fn(&Sample) -> f64, other: Kind, factor: f64| {
            let values =
                |samples: &[Sample], factor: f64| samples.iter().map(|s| value(s) * factor).collect::<Vec<_>>();
            Ratio::paired(&values(samples, 1.0), &values(of(other)?, factor))
        };
        let mut ratios = Vec::new();
        if kind.is_transactional {
            let plain = Kind { is_transactional: false, ..kind };
            ratios.push(("ratio_records_per_second", ratio(|sample| sample.records_per_second, plain, 1.0)));
        }
        if kind.is_transactional && kind.batches == 1 {
            ratios.push(("ratio_three_writes", ratio(Sample::p50_us, Kind::SINGLE, WRITE_COUNT)));
        }
        Point {
            bench: "transactions",
            labels: vec![
                ("producers", kind.producers.into()),
                ("batches", kind.batches.into()),
                ("transactions", kind.name().into()),
                ("batch", self.payloads.record_count().into()),
                ("size", self.payloads.size().into()),
                ("partitions", self.arguments.partitions.into()),
                ("shards", self.arguments.shards.into()),
            ],
            rounds: samples.iter().map(|sample| self.round(sample)).collect(),
            facts: Vec::new(),
            ratios: ratios.into_iter().filter_map(|(name, ratio)| Some((name, ratio?))).collect(),
            series: Vec::new(),
        }
    }

    fn round(&self, sample: &Sample) -> Round {
        let mut numbers = vec![
            ("records_per_second", Some(sample.records_per_second)),
            ("committed", Some(sample.load.committed as f64)),
            ("floor_write_p50_us", Some(sample.floor_us)),
        ];
        let records = sample.load.answered_batches as f64 * f64::from(self.payloads.record_count());
        numbers.extend(sample.costs.per_record(records));
        Round { numbers, latencies: Some(sample.load.latencies.clone()) }
    }

    fn conditions(&self) -> String {
        let arguments = self.arguments;
        format!(
            "Closed loop, one batch of {} of {:.0} bytes in flight for each producer; latencies are those of so many batches and \
             the commit; {} on {}; {} of {} s, median (range); client on {}, server on {}. Records/s against the row without \
             transactions of the same round, p50 against three times that of the first row; durable writes are overwrites of \
             4 KiB without Florin.\n",
            count_text(usize::try_from(arguments.batch).unwrap_or(usize::MAX), "record"),
            self.payloads.value_bytes(),
            count_text(usize::try_from(arguments.partitions).unwrap_or(usize::MAX), "partition"),
            count_text(usize::from(arguments.shards), "shard"),
            count_text(usize::try_from(arguments.rounds).unwrap_or(usize::MAX), "round"),
            arguments.seconds.as_secs_f64(),
            core_text(arguments.target.client_core),
            core_text(arguments.target.server_core),
        )
    }
}

/// A name that leads to another shard than a partition's, if there is one: then a transaction takes most.
fn transactional_id(number: usize, placement: &Placement, partition: u32) -> Result<String> {
    let shard_count = u16::try_from(placement.ports.len())?;
    let shard = placement.shards[partition as usize];
    let leads_elsewhere =
        |name: &String| TransactionalId::new(name).is_ok_and(|name| coordinator_of(&name, shard_count).0 != shard);
    let mut names = (0..100).map(|turn| format!("producer-{number}-{turn}"));
    let first = format!("producer-{number}");
    Ok(names.find(|name| shard_count > 1 && leads_elsewhere(name)).unwrap_or(first))
}

impl Sample {
    fn p50_us(&self) -> f64 {
        self.load.latencies.percentiles().p50_us
    }
}
