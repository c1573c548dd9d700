//! One round: the load, what of it fell into checkpoints, and the floors.

#![allow(clippy::disallowed_methods, reason = "a bench measures with the host's clock")]

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use florin_engine::limits::{RETENTION_INTERVAL_NS, SEGMENT_BYTES_DEFAULT};
use florin_engine::model::TopicId;

use super::Run;
use crate::client::control::Control;
use crate::client::load::{EachStored, Load, LoadSample};
use crate::client::routes;
use crate::floor::LargeWrites;
use crate::machine::on_core;
use crate::report::Round;
use crate::scenario::tally::{Kept, Tally};
use crate::statistics::{Latencies, Spread};
use crate::target::{Costs, Target};
use crate::watch::{DirectoryWatch, Span, Watched};

/// What else is in a data directory: manifests, superblocks.
const OTHER_BYTES: u64 = 256 << 20;
/// How long the server may go on writing segment files after a load.
const QUIET_WAIT: Duration = Duration::from_secs(60);
/// It has ended when nothing changes for so long.
const QUIET: Duration = Duration::from_millis(500);
const QUIET_PAUSE: Duration = Duration::from_millis(50);

/// When a batch was in flight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    pub(super) since: Instant,
    pub(super) at: Instant,
}

/// Latencies by what the server did meanwhile.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    /// Of batches that were in flight during a checkpoint.
    pub(super) checkpoint: Latencies,
    /// Of others that were in flight while segment files were written.
    pub(super) segment_write: Latencies,
    /// Of all others.
    pub(super) quiet: Latencies,
}

/// What a round gave.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) load: LoadSample,
    pub(super) costs: Costs,
    pub(super) mb_per_second: f64,
    pub(super) seconds: Option<Spread>,
    pub(super) parts: Parts,
    pub(super) checkpoint_count: usize,
    /// Part of the time in which a checkpoint was being taken.
    pub(super) checkpoint_time_share: f64,
    /// Part of the time in which segment files were being written.
    pub(super) segment_write_time_share: f64,
    pub(super) peak_disk_bytes: u64,
    pub(super) kept: Kept,
    pub(super) records: u64,
    pub(super) floors: LargeWrites,
}

impl Run<'_> {
    /// Loads the topic for the time that was asked for, and checks that everything is there.
    pub(super) fn load(&self, target: &Target, control: &mut Control, name: &str, topic: TopicId) -> Result<Sample> {
        let arguments = self.arguments;
        let routes = routes::spread(&control.placement(name)?, usize::try_from(arguments.connections)?)?;
        let mut tally = Tally::new(&[(topic, arguments.connections)], arguments.batch);
        let mut flights = Vec::new();
        // Started from here, it is not bound to the core of the client.
        let watch = DirectoryWatch::start(&self.data)?;
        let (load, costs, begun) = on_core(arguments.target.client_core, || {
            let mut load = Load::connect(&routes)?;
            let before = target.counters(Some(control))?;
            let begun = Instant::now();
            let mut noting = EachStored::new(|stored| {
                flights.push(Flight { since: stored.since, at: stored.at });
                tally.take_next(stored)?;
                Ok(ControlFlow::Continue(()))
            });
            let sample = load.run(&self.payloads, self.settings, &mut noting)?;
            let costs = target.counters(Some(control))?.since(&before);
            Ok((sample, costs, begun))
        })?;
        let watched = watch.stop()?;
        let kept = tally.check(control, true)?;
        let counts_from = begun + self.settings.warm_up;
        let ends = counts_from + self.settings.counted;
        let sample = self.sample((load, costs, &watched, kept), &flights, (counts_from, ends), tally.total());
        self.check_bound(&sample)?;
        Ok(sample)
    }

    fn sample(
        &self,
        (load, costs, watched, kept): (LoadSample, Costs, &Watched, Kept),
        flights: &[Flight],
        (from, to): (Instant, Instant),
        records: u64,
    ) -> Sample {
        let batch_bytes = self.payloads.value_bytes() * f64::from(self.arguments.batch);
        let counted: Vec<Flight> = flights.iter().copied().filter(|flight| (from..to).contains(&flight.at)).collect();
        let seconds = per_second(&counted, from, to).into_iter().map(|count| count as f64 * batch_bytes / 1e6);
        let share = |spans: &[Span]| covered(spans, from, to).as_secs_f64() / (to - from).as_secs_f64();
        Sample {
            mb_per_second: load.latencies.count() as f64 * batch_bytes / load.counted_seconds / 1e6,
            seconds: Spread::of(seconds),
            parts: Parts::of(&counted, watched),
            checkpoint_count: watched.checkpoint_count(from, to),
            checkpoint_time_share: share(&watched.checkpoints),
            segment_write_time_share: share(&watched.segment_writes),
            peak_disk_bytes: watched.disk_bytes_max,
            kept,
            records,
            floors: LargeWrites::default(),
            load,
            costs,
        }
    }

    /// Retention is decided now and then and cuts whole stretches, so more than it keeps is there for a while; but no
    /// more than comes in that while.
    fn check_bound(&self, sample: &Sample) -> Result<()> {
        let arguments = self.arguments;
        let settings = &arguments.target;
        let ring_bytes = settings.journal_file_bytes * u64::from(settings.journal_files);
        let stays = arguments.retention_bytes.saturating_add(3 * SEGMENT_BYTES_DEFAULT);
        // Two looks of retention, and what a checkpoint takes to be in force.
        let late_seconds = 4.0 * RETENTION_INTERVAL_NS as f64 / 1e9;
        let late_bytes = sample.mb_per_second * 1e6 * late_seconds * 1.5;
        let bound =
            (stays.saturating_mul(u64::from(arguments.connections)) + 2 * ring_bytes + OTHER_BYTES) as f64 + late_bytes;
        ensure!(
            (sample.peak_disk_bytes as f64) <= bound,
            "the server's files took {} bytes at most, more than the {bound:.0} that retention, the journal and {late_seconds} \
             s of the load can account for: retention does not keep up",
            sample.peak_disk_bytes
        );
        Ok(())
    }

    /// Waits until the server has written what it has to write, so that a floor has the disk for itself.
    pub(super) fn wait_until_quiet(&self, control: &mut Control) -> Result<()> {
        let begun = Instant::now();
        let (mut seen, mut since) = (Vec::new(), Instant::now());
        while begun.elapsed() < QUIET_WAIT && since.elapsed() < QUIET {
            std::thread::sleep(QUIET_PAUSE);
            let now: Vec<(u64, u64, u32)> = control
                .shards()?
                .iter()
                .map(|shard| (shard.stored_bytes, shard.unsynced_bytes, shard.unused_file_count))
                .collect();
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
        }
        Ok(())
    }
}

impl Sample {
    pub(super) fn round(&self) -> Round {
        let Parts { checkpoint, segment_write, quiet } = &self.parts;
        let count = |latencies: &Latencies| Some(latencies.count() as f64);
        let told = |latencies: &Latencies| (latencies.count() > 0).then(|| latencies.percentiles());
        let p999_us = |latencies: &Latencies| told(latencies).map(|percentiles| percentiles.p999_us);
        let max_us = |latencies: &Latencies| told(latencies).map(|percentiles| percentiles.max_us);
        let mut numbers = vec![
            ("mb_per_second", Some(self.mb_per_second)),
            ("slowest_second_mb_per_second", self.seconds.map(|seconds| seconds.minimum)),
            ("median_second_mb_per_second", self.seconds.map(|seconds| seconds.median)),
            ("checkpoint_count", Some(self.checkpoint_count as f64)),
            ("checkpoint_time_share", Some(self.checkpoint_time_share)),
            ("segment_write_time_share", Some(self.segment_write_time_share)),
            ("checkpoint_batch_count", count(checkpoint)),
            ("checkpoint_p999_us", p999_us(checkpoint)),
            ("checkpoint_max_us", max_us(checkpoint)),
            ("segment_write_batch_count", count(segment_write)),
            ("segment_write_p999_us", p999_us(segment_write)),
            ("segment_write_max_us", max_us(segment_write)),
            ("quiet_batch_count", count(quiet)),
            ("quiet_p999_us", p999_us(quiet)),
            ("quiet_max_us", max_us(quiet)),
            ("journal_full_count", Some(self.load.journal_full_count as f64)),
            ("retention_cut_bytes", Some(self.kept.cut_bytes as f64)),
            ("peak_disk_bytes", Some(self.peak_disk_bytes as f64)),
        ];
        numbers.extend(self.floors.numbers());
        numbers.extend(self.costs.per_record(self.records as f64));
        Round { numbers, latencies: Some(self.load.latencies.clone()) }
    }
}

impl Parts {
    /// Sorts batches by what went on while they were in flight.
    pub(super) fn of(flights: &[Flight], watched: &Watched) -> Self {
        let mut parts = Self { checkpoint: Latencies::new(), segment_write: Latencies::new(), quiet: Latencies::new() };
        for flight in flights {
            let part = if flight.overlaps(&watched.checkpoints) {
                &mut parts.checkpoint
            } else if flight.overlaps(&watched.segment_writes) {
                &mut parts.segment_write
            } else {
                &mut parts.quiet
            };
            part.record(flight.at.duration_since(flight.since));
        }
        parts
    }
}

impl Flight {
    /// Whether one of these went on meanwhile. They are in the order in which they ended.
    fn overlaps(&self, spans: &[Span]) -> bool {
        let next = spans.partition_point(|span| span.ended < self.since);
        spans[next..].first().is_some_and(|span| span.begun <= self.at)
    }
}

/// Batches that were acknowledged in each full second.
pub(super) fn per_second(flights: &[Flight], from: Instant, to: Instant) -> Vec<u64> {
    let second_of = |at: Instant| usize::try_from(at.duration_since(from).as_secs()).unwrap_or(usize::MAX);
    let mut counts = vec![0; second_of(to)];
    for flight in flights {
        if let Some(count) = counts.get_mut(second_of(flight.at)) {
            *count += 1;
        }
    }
    counts
}

/// How much of a stretch of time is in one of these, which are in the order in which they ended and may overlap.
pub(super) fn covered(spans: &[Span], from: Instant, to: Instant) -> Duration {
    let mut covered = Duration::ZERO;
    let mut done = from;
    for span in spans {
        let (begun, ended) = (span.begun.max(done), span.ended.min(to));
        if begun < ended {
            covered += ended - begun;
            done = ended;
        }
    }
    covered
}
