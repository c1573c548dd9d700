//! Captures alone, and beside readers that read old records from segment files over and over.

#![allow(clippy::disallowed_methods, reason = "a bench measures with the host's clock")]

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::setpriority_process;

use super::capture::{self, Sample};
use super::conditions::{batch_text, loop_text, own_cores_text, rounds_text};
use super::old_data::{OldData, OldDataSettings, Reading, ReadingTotals};
use crate::cli::{MixedArguments, points};
use crate::client::load::{Load, LoadSettings, WhenFull};
use crate::client::payload::Payloads;
use crate::client::reader::AtEnd;
use crate::client::routes;
use crate::floor::folder;
use crate::machine::{Machine, on_core};
use crate::report::{self, Column, Output, Point, Round, Series, core_text, count_text};
use crate::statistics::{Latencies, Ratio};
use crate::target::with_topic;

/// The kernel lets everybody else go first: readers share a core with the captures, whose time it is that counts.
const LOWEST_PRIORITY: i32 = 19;
/// By then every reader has its first batches.
const READERS_WAIT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(5);
const MB: f64 = 1e6;

/// The columns of the table.
const COLUMNS: [Column; 11] = [
    Column { heading: "connections", number: "connections", with_range: false },
    Column { heading: "records/s", number: "records_per_second", with_range: true },
    Column { heading: "p50 µs", number: "p50_us", with_range: true },
    Column { heading: "p99 µs", number: "p99_us", with_range: true },
    Column { heading: "p99.9 µs", number: "p999_us", with_range: false },
    Column { heading: "alone records/s", number: "alone_records_per_second", with_range: false },
    Column { heading: "alone p50 µs", number: "alone_p50_us", with_range: false },
    Column { heading: "alone p99 µs", number: "alone_p99_us", with_range: true },
    Column { heading: "ratio p50", number: "ratio_p50", with_range: false },
    Column { heading: "ratio p99", number: "ratio_p99", with_range: true },
    Column { heading: "readers MB/s", number: "reader_mb_per_second", with_range: true },
];

/// Captures alone and beside readers, one after the other.
#[derive(Debug)]
struct Pair {
    alone: Sample,
    beside: Sample,
    reader_mb_per_second: f64,
    reader_records_per_second: f64,
}

/// What all rounds share.
struct Run<'a> {
    arguments: &'a MixedArguments,
    payloads: Payloads,
    data: OldData,
}

/// Measures all points and prints them.
pub fn run(arguments: &MixedArguments) -> Result<()> {
    let payloads = Payloads::build(&arguments.records.payload, arguments.records.size, arguments.batch)?;
    let old_payloads = Payloads::build(&arguments.records.payload, arguments.records.size, arguments.old_batch)?;
    let counts = points(&arguments.connections)?;
    let output = Output::of(&arguments.output);
    output.prepare()?;
    let home = folder(arguments.target.data.as_deref(), "mixed")?;
    let machine = Machine::of(home.path());
    let old = OldDataSettings {
        payloads: &old_payloads,
        bytes: arguments.bytes,
        partition_count: usize::try_from(arguments.readers)?,
        target: &arguments.target,
    };
    let data = OldData::prepare(&old, home.path())?;
    let run = Run { arguments, payloads, data };
    let mut pairs: Vec<Vec<Pair>> = counts.iter().map(|_| Vec::new()).collect();
    for round in 1..=arguments.records.rounds {
        for (count, pairs) in counts.iter().zip(&mut pairs) {
            let context = || format!("{}, round {round}", count_text(*count, "connection"));
            pairs.push(run.pair(*count, round).with_context(context)?);
        }
    }
    report::progress_end();
    let points: Vec<Point> = counts.iter().zip(&pairs).map(|(count, pairs)| run.point(*count, pairs)).collect();
    let conditions = format!(
        "{}; {}; {} of {} MiB in {}, on a thread of lowest priority on {}; {}; {}.\n",
        loop_text(None, 1),
        batch_text(&run.payloads),
        count_text(usize::try_from(arguments.readers)?, "reader"),
        arguments.bytes >> 20,
        batch_text(&old_payloads),
        core_text(run.reader_core()),
        rounds_text(arguments.records.rounds, Some(arguments.seconds)),
        own_cores_text(&arguments.target)
    );
    run.data.stop()?;
    report::publish(&output, &machine, &conditions, &COLUMNS, &points)
}

impl Run<'_> {
    fn reader_core(&self) -> Option<usize> {
        self.arguments.reader_core.or(self.arguments.target.client_core)
    }

    fn pair(&self, connections: usize, round: u32) -> Result<Pair> {
        let say = |how: &str| {
            let what = count_text(connections, "connection");
            report::progress(&format!("round {round} of {}: {what}, {how}", self.arguments.records.rounds));
        };
        say("alone");
        let alone = self.captures(connections, &format!("bench-alone-{round}-{connections}"))?;
        say("beside readers");
        // What is read must come from segment files.
        self.data.check_at_rest()?;
        let totals = ReadingTotals::default();
        let (beside, read) = std::thread::scope(|scope| {
            let reading = scope.spawn(|| on_core(self.reader_core(), || self.read_until_end(&totals)));
            let is_alive = || !reading.is_finished();
            let measured = self.captures_beside(&totals, connections, round, &is_alive);
            totals.ends.store(true, Ordering::Relaxed);
            let read = match reading.join() {
                Ok(read) => read,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            // Why readers ended tells more than that they did.
            read.context("the readers").and(measured)
        })?;
        let [records_per_second, value_bytes_per_second] = read;
        Ok(Pair {
            alone,
            beside,
            reader_mb_per_second: value_bytes_per_second / MB,
            reader_records_per_second: records_per_second,
        })
    }

    /// Captures, and records and bytes of values that were read per second meanwhile.
    fn captures_beside(
        &self,
        totals: &ReadingTotals,
        connections: usize,
        round: u32,
        readers_are_alive: &dyn Fn() -> bool,
    ) -> Result<(Sample, [f64; 2])> {
        let begun = Instant::now();
        while totals.records.load(Ordering::Relaxed) == 0 {
            if !readers_are_alive() || begun.elapsed() > READERS_WAIT {
                bail!("the readers read nothing");
            }
            std::thread::sleep(PAUSE);
        }
        let read = || [&totals.records, &totals.value_bytes].map(|total| total.load(Ordering::Relaxed) as f64);
        let (before, begun) = (read(), Instant::now());
        let sample = self.captures(connections, &format!("bench-beside-{round}-{connections}"))?;
        let (after, seconds) = (read(), begun.elapsed().as_secs_f64());
        if !readers_are_alive() {
            bail!("the readers ended before the captures did");
        }
        Ok((sample, [(after[0] - before[0]) / seconds, (after[1] - before[1]) / seconds]))
    }

    /// A closed loop on a topic of its own.
    fn captures(&self, connections: usize, name: &str) -> Result<Sample> {
        let settings = LoadSettings { when_full: WhenFull::Wait, ..LoadSettings::lasting(self.arguments.seconds) };
        let target = self.data.target();
        with_topic(target, name, self.arguments.partitions, |control| {
            let routes = routes::spread(&control.placement(name)?, connections)?;
            let core = self.arguments.target.client_core;
            capture::measure(target, Some(control), core, &routes, &self.payloads, settings)
        })
    }

    /// Reads over and over, on a thread that this is the only work of.
    fn read_until_end(&self, totals: &ReadingTotals) -> Result<()> {
        setpriority_process(None, LOWEST_PRIORITY).context("the priority of a thread cannot be lowered")?;
        let readers = usize::try_from(self.arguments.readers)?;
        let plans = self.data.reader_plans(readers, AtEnd::Again, self.arguments.records.fetch_bytes);
        let mut reading = Reading::endless(self.data.partitions(), totals);
        Load::connect(&[])?.with_readers(&plans)?.run(&self.payloads, LoadSettings::reading(), &mut reading)?;
        Ok(())
    }

    fn point(&self, connections: usize, pairs: &[Pair]) -> Point {
        let arguments = self.arguments;
        let ratio = |value: fn(&Sample) -> f64| {
            let of = |side: fn(&Pair) -> &Sample| pairs.iter().map(|pair| value(side(pair))).collect::<Vec<f64>>();
            Ratio::paired(&of(|pair| &pair.beside), &of(|pair| &pair.alone))
        };
        let ratios = [
            ("ratio_records_per_second", ratio(|sample| sample.records_per_second)),
            ("ratio_p50", ratio(|sample| sample.load.latencies.percentiles().p50_us)),
            ("ratio_p99", ratio(|sample| sample.load.latencies.percentiles().p99_us)),
        ];
        let mut alone = Latencies::new();
        pairs.iter().for_each(|pair| alone.merge(&pair.alone.load.latencies));
        Point {
            bench: "mixed",
            labels: vec![
                ("connections", connections.into()),
                ("batch", arguments.batch.into()),
                ("size", self.payloads.size().into()),
                ("readers", arguments.readers.into()),
                ("bytes", arguments.bytes.into()),
                ("old_batch", arguments.old_batch.into()),
            ],
            rounds: pairs.iter().map(|pair| pair.round(&self.payloads)).collect(),
            facts: Vec::new(),
            ratios: ratios.into_iter().filter_map(|(name, ratio)| Some((name, ratio?))).collect(),
            series: vec![Series { name: "alone", latencies: alone }],
        }
    }
}

impl Pair {
    fn round(&self, payloads: &Payloads) -> Round {
        let alone = self.alone.load.latencies.percentiles();
        let full_count = self.alone.load.journal_full_count + self.beside.load.journal_full_count;
        let mut numbers = vec![
            ("records_per_second", Some(self.beside.records_per_second)),
            ("mb_per_second", Some(self.beside.records_per_second * payloads.value_bytes() / MB)),
            ("alone_records_per_second", Some(self.alone.records_per_second)),
            ("alone_p50_us", Some(alone.p50_us)),
            ("alone_p99_us", Some(alone.p99_us)),
            ("alone_p999_us", Some(alone.p999_us)),
            ("reader_mb_per_second", Some(self.reader_mb_per_second)),
            ("reader_records_per_second", Some(self.reader_records_per_second)),
            ("journal_full_count", Some(full_count as f64)),
        ];
        // The server's time is that for the readers too.
        let record_count = self.beside.load.answered_batches * u64::from(payloads.record_count());
        numbers.extend(self.beside.costs.per_record(record_count as f64));
        Round { numbers, latencies: Some(self.beside.load.latencies.clone()) }
    }
}

#[cfg(test)]
mod tests;
