//! Captures of a topic with idempotency keys of which very many are in the window, against those of a plain topic of the same
//! server.
//!
//! The keys are put there while the server does not run, by the writer that takes keys to rest. Every record that is
//! captured has a new key: the server has to find out that it is not one of them. Before it counts, so many are captured
//! that the parts of the index which say so are in memory.

#![allow(clippy::disallowed_methods, reason = "a bench measures with the host's clock")]

mod index;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use florin_engine::catalogue::TopicSettings;
use florin_engine::format::control::{KeyRule, KeySource, Partitioner};
use florin_engine::limits::KEY_WINDOW_DAYS_MAX;

use super::idle::Usage;
use crate::cli::KeysArguments;
use crate::client::control::Control;
use crate::client::load::{Load, LoadSample, LoadSettings, Unobserved, WhenFull};
use crate::client::payload::Payloads;
use crate::client::routes::{self, Route};
use crate::client::stamp::KeyStamp;
use crate::floor::{DiskFloor, folder, require_space};
use crate::machine::{Machine, on_core};
use crate::report::{self, Column, Output, Point, Round, core_text, count_text};
use crate::server::{Server, ServerSettings};
use crate::statistics::Ratio;
use crate::target::{Costs, Target};

/// Bytes of the index for each key, and what is taken of the disk beside it.
const INDEX_BYTES_PER_KEY: u64 = 48;
/// Memory for what is asked of the index: two bytes and a quarter for each key, and room beside them.
const CACHE_BYTES_PER_KEY: u64 = 3;
const CACHE_BYTES_MIN: u64 = 64 << 20;

const COLUMNS: [Column; 10] = [
    Column { heading: "topic", number: "topic", with_range: false },
    Column { heading: "keys", number: "keys", with_range: false },
    Column { heading: "records/s", number: "records_per_second", with_range: true },
    Column { heading: "p50 µs", number: "p50_us", with_range: true },
    Column { heading: "p99 µs", number: "p99_us", with_range: true },
    Column { heading: "p99.9 µs", number: "p999_us", with_range: true },
    Column { heading: "server CPU µs/record", number: "server_cpu_us_per_record", with_range: false },
    Column { heading: "journal writes/record", number: "journal_writes_per_record", with_range: false },
    Column { heading: "durable write p50 µs", number: "floor_write_p50_us", with_range: false },
    Column { heading: "ratio records/s", number: "ratio_records_per_second", with_range: true },
];

/// One load.
#[derive(Debug)]
struct Sample {
    load: LoadSample,
    costs: Costs,
    floor_us: f64,
}

/// A topic, and what its rounds gave.
struct Measured {
    name: &'static str,
    keys: u64,
    samples: Vec<Sample>,
}

/// What was found beside the loads.
#[derive(Debug, Default)]
struct Facts {
    index_bytes: u64,
    load_seconds: f64,
    start_seconds: f64,
    rss_bytes_before: u64,
    rss_bytes_after: u64,
    cached_bytes: u64,
    cold_reads: u64,
}

/// What all rounds share.
struct Run<'a> {
    arguments: &'a KeysArguments,
    payloads: Payloads,
    connections: usize,
}

/// Measures both topics and prints them.
pub fn run(arguments: &KeysArguments) -> Result<()> {
    let payloads = Payloads::build_with_keys(&arguments.payload, arguments.size)?;
    let run = Run { arguments, payloads, connections: usize::try_from(arguments.connections)? };
    let output = Output::of(&arguments.output);
    output.prepare()?;
    let home = folder(arguments.target.data.as_deref(), "keys")?;
    require_space(home.path(), arguments.keys * INDEX_BYTES_PER_KEY)?;
    let machine = Machine::of(home.path());
    let mut points = [
        Measured { name: "plain", keys: 0, samples: Vec::new() },
        Measured { name: "keyed", keys: arguments.keys, samples: Vec::new() },
    ];
    let facts = run.measure(home.path(), &mut points)?;
    report::progress_end();
    let plain: Vec<f64> = points[0].samples.iter().map(Sample::records_per_second).collect();
    let points: Vec<Point> = points
        .iter()
        .enumerate()
        .map(|(index, point)| run.point(point, (index > 0).then_some(&plain), (index > 0).then_some(&facts)))
        .collect();
    report::publish(&output, &machine, &run.conditions(&facts), &COLUMNS, &points)
}

impl Run<'_> {
    fn measure(&self, home: &Path, points: &mut [Measured]) -> Result<Facts> {
        let mut facts = Facts::default();
        let topics = self.create_topics(home, points)?;
        report::progress(&format!("putting {} keys there", self.arguments.keys));
        let mut floor = DiskFloor::prepare(home)?;
        let begun = Instant::now();
        facts.index_bytes = index::put(&home.join("data"), topics[1], self.arguments.partitions, self.arguments.keys)?;
        facts.load_seconds = begun.elapsed().as_secs_f64();
        report::progress("starting a server");
        let begun = Instant::now();
        let target = Target::of(Server::start(&self.settings(home))?, home);
        facts.start_seconds = begun.elapsed().as_secs_f64();
        let process = target.process().context("it is our own")?;
        facts.rss_bytes_before = Usage::of(process)?.rss_bytes;
        let mut control = Control::connect(target.address())?;
        self.warm_up(&mut control)?;
        for round in 1..=self.arguments.rounds {
            report::progress(&format!("round {round} of {}: the disk", self.arguments.rounds));
            let written = floor.run(self.arguments.floor_seconds, self.arguments.target.server_core)?;
            let floor_us = written.latencies.percentiles().p50_us;
            for point in &mut *points {
                report::progress(&format!("round {round} of {}: {}", self.arguments.rounds, point.name));
                let salt = u64::from(round) << 8 | u64::from(point.keys > 0);
                let settings =
                    LoadSettings { when_full: WhenFull::Fail, ..LoadSettings::lasting(self.arguments.seconds) };
                let sample = self.load(&target, &mut control, point.name, salt, settings);
                let sample = sample.with_context(|| format!("{}, round {round}", point.name))?;
                point.samples.push(Sample { floor_us, ..sample });
            }
        }
        facts.rss_bytes_after = Usage::of(process)?.rss_bytes;
        (facts.cached_bytes, facts.cold_reads) = control.key_counters()?;
        target.stop()?;
        Ok(facts)
    }

    /// Makes both topics with a server that is gone afterwards; their ids.
    fn create_topics(&self, home: &Path, points: &[Measured]) -> Result<[florin_engine::model::TopicId; 2]> {
        let target = Target::start_own(&self.arguments.target, home)?;
        let mut control = Control::connect_to_coordinator(target.address())?;
        let (partitions, settings) = (self.arguments.partitions, TopicSettings::default());
        let rule = KeyRule::new(KeySource::RecordKey, KEY_WINDOW_DAYS_MAX, Vec::new(), Partitioner::Murmur2)?;
        let plain = control.create_topic_with(points[0].name, partitions, settings)?;
        let keyed = control.create_keyed_topic(points[1].name, partitions, settings, rule)?;
        target.stop()?;
        Ok([plain, keyed])
    }

    fn settings(&self, home: &Path) -> ServerSettings {
        let mut settings = ServerSettings::of(&self.arguments.target, home.join("data"));
        if !settings.settings.iter().any(|setting| setting.starts_with("key-cache-bytes=")) {
            let bytes = CACHE_BYTES_MIN.max(self.arguments.keys * CACHE_BYTES_PER_KEY);
            settings.settings.push(format!("key-cache-bytes={bytes}"));
        }
        settings
    }

    /// Until the index is read no more for new keys.
    fn warm_up(&self, control: &mut Control) -> Result<()> {
        report::progress("reading the index as it is asked");
        let routes = self.routes(control, "keyed", u64::MAX)?;
        let (mut reads, begun) = (u64::MAX, Instant::now());
        loop {
            let mut load = Load::connect(&routes_of(&routes, begun.elapsed().as_nanos()))?;
            load.run(&self.payloads, LoadSettings::lasting(self.arguments.warm_up), &mut Unobserved)?;
            let (_, now) = control.key_counters()?;
            let is_over = now.saturating_sub(reads.min(now)) == 0 && reads != u64::MAX;
            reads = now;
            if is_over || begun.elapsed() > self.arguments.warm_up * 20 {
                return Ok(());
            }
        }
    }

    fn routes(&self, control: &mut Control, name: &str, salt: u64) -> Result<Vec<Route>> {
        let placement = control.placement(name)?;
        let stamp = KeyStamp::of(self.payloads.batch(0), self.arguments.partitions, salt)?;
        let routes = routes::spread(&placement, self.connections)?;
        Ok(routes
            .into_iter()
            .enumerate()
            .map(|(number, route)| Route { keys: Some(stamp.of_connection(number)), ..route })
            .collect())
    }

    fn load(
        &self,
        target: &Target,
        control: &mut Control,
        name: &str,
        salt: u64,
        settings: LoadSettings,
    ) -> Result<Sample> {
        let routes = self.routes(control, name, salt)?;
        on_core(self.arguments.target.client_core, || {
            let mut load = Load::connect(&routes)?;
            let before = target.counters(Some(control))?;
            let load = load.run(&self.payloads, settings, &mut Unobserved)?;
            let costs = target.counters(Some(control))?.since(&before);
            ensure!(costs.captured_batches >= load.answered_batches, "the server stored less than it acknowledged");
            Ok(Sample { load, costs, floor_us: 0.0 })
        })
    }

    fn point(&self, measured: &Measured, plain: Option<&Vec<f64>>, facts: Option<&Facts>) -> Point {
        let own: Vec<f64> = measured.samples.iter().map(Sample::records_per_second).collect();
        let ratio = plain.and_then(|plain| Ratio::paired(&own, plain));
        let facts = facts.map(Facts::named).unwrap_or_default();
        Point {
            bench: "keys",
            labels: vec![
                ("topic", measured.name.into()),
                ("keys", measured.keys.into()),
                ("partitions", self.arguments.partitions.into()),
                ("connections", self.arguments.connections.into()),
                ("size", self.payloads.size().into()),
            ],
            rounds: measured.samples.iter().map(Sample::round).collect(),
            facts,
            ratios: ratio.into_iter().map(|ratio| ("ratio_records_per_second", ratio)).collect(),
            series: Vec::new(),
        }
    }

    fn conditions(&self, facts: &Facts) -> String {
        let arguments = self.arguments;
        format!(
            "Closed loop, one record of {:.0} bytes in flight on each of {}, every one with a new key of 16 bytes; {} of {} s, \
             median (range); client on {}, server on {}. The index has {} keys in {}, {:.2} GB, put there in {:.0} s and \
             open after {:.1} s; {:.0} MB of it in memory, of a server that grew from {:.0} to {:.0} MB. Ratios against \
             the first row of the same round.\n",
            self.payloads.value_bytes(),
            count_text(self.connections, "connection"),
            count_text(usize::try_from(arguments.rounds).unwrap_or(usize::MAX), "round"),
            arguments.seconds.as_secs_f64(),
            core_text(arguments.target.client_core),
            core_text(arguments.target.server_core),
            arguments.keys,
            count_text(usize::try_from(arguments.partitions).unwrap_or(usize::MAX), "partition"),
            facts.index_bytes as f64 / 1e9,
            facts.load_seconds,
            facts.start_seconds,
            facts.cached_bytes as f64 / 1e6,
            facts.rss_bytes_before as f64 / 1e6,
            facts.rss_bytes_after as f64 / 1e6,
        )
    }
}

/// The same routes with other keys.
fn routes_of(routes: &[Route], salt: u128) -> Vec<Route> {
    let number = |at: usize| usize::try_from(salt % 0xffff).unwrap_or(0) * routes.len() + at;
    let other = |(at, route): (usize, &Route)| {
        let keys = route.keys.as_ref().map(|keys| keys.of_connection(number(at)));
        Route { keys, ..route.clone() }
    };
    routes.iter().enumerate().map(other).collect()
}

impl Sample {
    fn records_per_second(&self) -> f64 {
        self.load.latencies.count() as f64 / self.load.counted_seconds
    }

    fn round(&self) -> Round {
        let mut numbers =
            vec![("records_per_second", Some(self.records_per_second())), ("floor_write_p50_us", Some(self.floor_us))];
        numbers.extend(self.costs.per_record(self.load.answered_batches as f64));
        Round { numbers, latencies: Some(self.load.latencies.clone()) }
    }
}

impl Facts {
    fn named(&self) -> Vec<(&'static str, Option<f64>)> {
        vec![
            ("index_bytes", Some(self.index_bytes as f64)),
            ("index_seconds", Some(self.load_seconds)),
            ("start_seconds", Some(self.start_seconds)),
            ("rss_bytes_before", Some(self.rss_bytes_before as f64)),
            ("rss_bytes_after", Some(self.rss_bytes_after as f64)),
            ("key_cached_bytes", Some(self.cached_bytes as f64)),
            ("key_read_count", Some(self.cold_reads as f64)),
        ]
    }
}
