//! Produce requests in a closed loop: what a client waits for, and what an acknowledged record costs the server.
//!
//! [`run`] interleaves the points round by round, with the floor of the disk in every round. One measurement is a topic
//! of its own: [`control`] creates it and asks for counters, [`routes`] spreads the connections, [`load`] drives them,
//! [`outcome`] shows what came out.

mod connection;
mod control;
#[cfg(test)]
mod fake_server;
mod load;
mod outcome;
mod payload;
mod routes;
#[cfg(test)]
mod tests;

use std::path::Path;

use anyhow::{Context, Result};
use florin_engine::io::fitness::BlockDevice;

use crate::cli::CaptureArguments;
use crate::floor::{DiskFloor, DiskSample, folder};
use crate::machine::{Machine, on_core, process_cpu_us, thread_cpu_us};
use crate::report;
use crate::server::{Server, ServerSettings};

use control::{Control, JournalCounters};
use load::{Load, LoadSample, LoadSettings};
use outcome::{Point, Sample};
use payload::Payloads;

/// The floor of one round needs no longer than this.
const FLOOR_SECONDS_MAX: f64 = 1.0;

/// Who is measured, and how.
#[derive(Debug)]
struct Target<'a> {
    address: String,
    /// The server's process, if it is ours.
    process: Option<u32>,
    /// The disk below its data, if that is known.
    device: Option<BlockDevice>,
    arguments: &'a CaptureArguments,
    payloads: Payloads,
}

/// What is counted from outside before and after a load.
#[derive(Clone, Copy, Debug)]
struct Counters {
    journal: JournalCounters,
    server_cpu_us: Option<f64>,
    client_cpu_us: f64,
    flushes: Option<u64>,
}

/// Measures all points and prints them.
pub fn run(arguments: &CaptureArguments) -> Result<()> {
    let payloads = Payloads::build(arguments.size, arguments.batch)?;
    let mut points: Vec<Point> = arguments.points()?.into_iter().map(Point::new).collect();
    let home = folder(arguments.data.as_deref(), "capture")?;
    let machine = Machine::of(home.path());
    let mut floor = DiskFloor::prepare(home.path())?;
    let server = start_server(arguments, home.path())?;
    let target = Target {
        address: match (&server, &arguments.server) {
            (Some(server), _) => server.address().to_owned(),
            (None, named) => named.clone().context("without a server of our own one is named")?,
        },
        process: server.as_ref().map(Server::process),
        device: if server.is_some() || arguments.data.is_some() { BlockDevice::of(home.path()) } else { None },
        arguments,
        payloads,
    };
    let mut floors = Vec::new();
    for round in 1..=arguments.rounds {
        floors.push(measure_floor(&mut floor, arguments, round)?);
        for point in &mut points {
            let what = report::count_text(point.connections, "connection");
            report::progress(&format!("round {round} of {}: {what}", arguments.rounds));
            let sample = target.measure(point.connections, round);
            point.samples.push(sample.with_context(|| format!("{what}, round {round}"))?);
        }
    }
    report::progress_end();
    if let Some(server) = server {
        server.stop()?;
    }
    outcome::print(arguments, &machine, &points, &floors)
}

fn start_server(arguments: &CaptureArguments, home: &Path) -> Result<Option<Server>> {
    if arguments.server.is_some() {
        return Ok(None);
    }
    report::progress("starting a server");
    let server = Server::start(&ServerSettings {
        directory: home.join("data"),
        journal_files: arguments.journal_files,
        journal_file_bytes: arguments.journal_file_bytes.clone(),
        core: arguments.server_core,
    })?;
    Ok(Some(server))
}

fn measure_floor(floor: &mut DiskFloor, arguments: &CaptureArguments, round: u32) -> Result<DiskSample> {
    report::progress(&format!("round {round} of {}: floor", arguments.rounds));
    let seconds = arguments.seconds.as_secs_f64().min(FLOOR_SECONDS_MAX);
    floor.run(std::time::Duration::from_secs_f64(seconds), arguments.server_core)
}

impl Target<'_> {
    /// One point in one round, on a topic of its own.
    fn measure(&self, connections: usize, round: u32) -> Result<Sample> {
        let mut control = Control::connect_to_coordinator(&self.address)?;
        let unused_files = control.journal_counters()?.unused_files;
        let name = format!("bench-{}-{round}-{connections}", std::process::id());
        let topic = control.create_topic(&name, self.arguments.partitions)?;
        let sample = self.load(&mut control, &name, connections);
        let deleted = control.delete_topic(topic);
        let sample = sample?;
        deleted?;
        // What the next point measures should not be the cleaning up after this one.
        control.wait_for_unused_files(unused_files)?;
        Ok(sample)
    }

    fn load(&self, control: &mut Control, topic: &str, connections: usize) -> Result<Sample> {
        let routes = routes::spread(&control.placement(topic)?, connections)?;
        let settings = LoadSettings::lasting(self.arguments.seconds);
        on_core(self.arguments.client_core, || {
            let mut load = Load::connect(&routes)?;
            let before = self.counters(control)?;
            let sample = load.run(&self.payloads, settings)?;
            let after = self.counters(control)?;
            Ok(self.sample(&sample, before, after))
        })
    }

    fn counters(&self, control: &mut Control) -> Result<Counters> {
        let journal = control.journal_counters()?;
        let flushes = self.device.as_ref().and_then(BlockDevice::flush_count);
        let server_cpu_us = self.process.and_then(process_cpu_us);
        Ok(Counters { journal, server_cpu_us, client_cpu_us: thread_cpu_us(), flushes })
    }

    /// Rates and latencies are those of the counted time; costs are shared by all records, warm-up included, because
    /// the counters are read before and after everything.
    fn sample(&self, sample: &LoadSample, before: Counters, after: Counters) -> Sample {
        let batch = f64::from(self.arguments.batch);
        let records_per_second = sample.latencies.count() as f64 * batch / sample.counted_seconds;
        let records = (sample.answered_batches as f64 * batch).max(1.0);
        let blocks = after.journal.durable_sequence.saturating_sub(before.journal.durable_sequence);
        let captured = after.journal.captured_count.saturating_sub(before.journal.captured_count);
        if captured != sample.answered_batches {
            report::complain(&format!(
                "the server counted {captured} batches, {} were acknowledged to us: others use it, or it is wrong",
                sample.answered_batches
            ));
        }
        let server_cpu_us = after.server_cpu_us.zip(before.server_cpu_us).map(|(after, before)| after - before);
        let flushes = after.flushes.zip(before.flushes).map(|(after, before)| after.saturating_sub(before));
        Sample {
            records_per_second,
            mb_per_second: records_per_second * self.arguments.size as f64 / 1e6,
            percentiles: sample.latencies.percentiles(),
            server_cpu_us_per_record: server_cpu_us.map(|cpu_us| cpu_us / records),
            client_cpu_us_per_record: Some((after.client_cpu_us - before.client_cpu_us) / records),
            journal_blocks_per_record: blocks as f64 / records,
            flushes_per_record: flushes.map(|flushes| flushes as f64 / records),
        }
    }
}
