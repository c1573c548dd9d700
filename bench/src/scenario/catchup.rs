//! Old records read from segment files, from their start to their end, beside what disk and loopback give.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::conditions::{batch_text, own_cores_text, rounds_text};
use super::old_data::{OldData, OldDataSettings, Reading, ReadingTotals};
use crate::cli::{CatchupArguments, points};
use crate::client::control::Control;
use crate::client::load::{Load, LoadSettings};
use crate::client::payload::{PayloadKind, Payloads};
use crate::client::reader::AtEnd;
use crate::floor::{SequentialFloor, folder, require_space, stream};
use crate::machine::{Machine, on_core};
use crate::report::{self, Column, Output, Point, Round, count_text};
use crate::statistics::{Latencies, Ratio};

/// Reads of the floor under way at the same time: as many as the server has, for one reader and at most.
const FLOOR_DEPTHS: [usize; 2] = [1, 4];
/// How long the floor of loopback is measured in each round.
const STREAM_TIME: Duration = Duration::from_secs(1);
const MB: f64 = 1e6;

/// The columns of the table.
const COLUMNS: [Column; 10] = [
    Column { heading: "readers", number: "readers", with_range: false },
    Column { heading: "MB/s", number: "mb_per_second", with_range: true },
    Column { heading: "records/s", number: "records_per_second", with_range: false },
    Column { heading: "with batches MB/s", number: "batch_mb_per_second", with_range: false },
    Column { heading: "floor read MB/s", number: "floor_read_mb_per_second", with_range: true },
    Column { heading: "floor stream MB/s", number: "floor_stream_mb_per_second", with_range: true },
    Column { heading: "ratio floor", number: "ratio_floor", with_range: true },
    Column { heading: "fetch p50 µs", number: "p50_us", with_range: false },
    Column { heading: "server CPU µs/record", number: "server_cpu_us_per_record", with_range: false },
    Column { heading: "client CPU µs/record", number: "client_cpu_us_per_record", with_range: false },
];

/// What the machine gave in a round, in MB (a million bytes) per second.
#[derive(Clone, Copy, Debug)]
struct Floors {
    reads: [f64; FLOOR_DEPTHS.len()],
    stream: f64,
}

/// Everything read once.
#[derive(Debug)]
struct Sample {
    floors: Floors,
    seconds: f64,
    records: f64,
    value_bytes: f64,
    batch_bytes: f64,
    cold_reads: u64,
    server_cpu_us: Option<f64>,
    client_cpu_us: f64,
    fetches: Latencies,
}

/// Measures all points and prints them.
pub fn run(arguments: &CatchupArguments) -> Result<()> {
    let payloads = Payloads::build(&arguments.records.payload, arguments.records.size, arguments.batch)?;
    let counts = points(&arguments.readers)?;
    let partition_count = counts.iter().copied().max().context("--readers takes at least one number")?;
    let output = Output::of(&arguments.output);
    output.prepare()?;
    let home = folder(arguments.target.data.as_deref(), "catchup")?;
    let machine = Machine::of(home.path());
    require_space(home.path(), arguments.bytes)?;
    report::progress("writing the floor's file");
    let floor = SequentialFloor::prepare(home.path(), arguments.bytes)?;
    let settings =
        OldDataSettings { payloads: &payloads, bytes: arguments.bytes, partition_count, target: &arguments.target };
    let mut data = OldData::prepare(&settings, home.path())?;
    let mut samples: Vec<Vec<Sample>> = counts.iter().map(|_| Vec::new()).collect();
    for round in 1..=arguments.records.rounds {
        report::progress(&format!("round {round} of {}: floors", arguments.records.rounds));
        let floors = measure_floors(arguments, &floor)?;
        for (count, samples) in counts.iter().zip(&mut samples) {
            let what = count_text(*count, "reader");
            // What it read before is still in its memory.
            data.restart()?;
            report::progress(&format!("round {round} of {}: {what}", arguments.records.rounds));
            let sample = measure(arguments, &data, *count, floors);
            samples.push(sample.with_context(|| format!("{what}, round {round}"))?);
        }
    }
    report::progress_end();
    let journal_full_count = data.journal_full_count() as f64;
    data.stop()?;
    let point = |(count, samples): (&usize, &Vec<Sample>)| Point {
        bench: "catchup",
        labels: vec![
            ("readers", (*count).into()),
            ("bytes", arguments.bytes.into()),
            ("batch", arguments.batch.into()),
            ("size", payloads.size().into()),
        ],
        rounds: samples.iter().map(Sample::round).collect(),
        facts: vec![("journal_full_count", Some(journal_full_count))],
        ratios: ratio_to_floor(samples).map(|ratio| ("ratio_floor", ratio)).into_iter().collect(),
        series: Vec::new(),
    };
    let points: Vec<Point> = counts.iter().zip(&samples).map(point).collect();
    let conditions = format!(
        "{} MiB of {} read from segment files, every record decoded, a fetch of at most {} bytes in flight per reader, \
         after a start of the server; {}; {}.\n",
        arguments.bytes >> 20,
        batch_text(&payloads),
        arguments.records.fetch_bytes,
        rounds_text(arguments.records.rounds, None),
        own_cores_text(&arguments.target)
    );
    report::publish(&output, &machine, &conditions, &COLUMNS, &points)
}

fn measure_floors(arguments: &CatchupArguments, floor: &SequentialFloor) -> Result<Floors> {
    let (client_core, server_core) = (arguments.target.client_core, arguments.target.server_core);
    let mut reads = [0.0; FLOOR_DEPTHS.len()];
    for (read, depth) in reads.iter_mut().zip(FLOOR_DEPTHS) {
        *read = floor.mb_per_second(depth, server_core)?;
    }
    let stream = stream(STREAM_TIME, server_core, client_core)?;
    Ok(Floors { reads, stream: stream.bytes as f64 / MB / stream.seconds })
}

fn measure(arguments: &CatchupArguments, data: &OldData, readers: usize, floors: Floors) -> Result<Sample> {
    let plans = data.reader_plans(readers, AtEnd::Stop, arguments.records.fetch_bytes);
    let nothing = Payloads::build(&PayloadKind::Fixed, 1, 1)?;
    on_core(arguments.target.client_core, || {
        let mut control = Control::connect(data.target().address())?;
        let cold_reads = |control: &mut Control| -> Result<u64> {
            Ok(control.shards()?.iter().map(|shard| shard.cold_read_count).sum())
        };
        let totals = ReadingTotals::default();
        let mut reading = Reading::once(data.partitions(), &totals);
        let mut load = Load::connect(&[])?.with_readers(&plans)?;
        let (before, reads_before) = (data.target().counters(Some(&mut control))?, cold_reads(&mut control)?);
        load.run(&nothing, LoadSettings::reading(), &mut reading)?;
        let costs = data.target().counters(Some(&mut control))?.since(&before);
        let cold_reads = cold_reads(&mut control)? - reads_before;
        let (seconds, fetches) = reading.finish()?;
        let records = totals.records.load(Ordering::Relaxed);
        let written: u64 = data.partitions().iter().map(|filled| filled.end.0).sum();
        ensure!(records == written, "{records} records were read, and {written} were written");
        ensure!(cold_reads > 0, "everything came from memory: nothing was at rest");
        Ok(Sample {
            floors,
            seconds,
            records: records as f64,
            value_bytes: totals.value_bytes.load(Ordering::Relaxed) as f64,
            batch_bytes: totals.batch_bytes.load(Ordering::Relaxed) as f64,
            cold_reads,
            server_cpu_us: costs.server_cpu_us,
            client_cpu_us: costs.client_cpu_us,
            fetches,
        })
    })
}

impl Floors {
    /// The faster of both depths.
    fn read(&self) -> f64 {
        self.reads.into_iter().fold(0.0, f64::max)
    }

    /// Nothing that is read from the disk and sent over loopback is faster.
    fn lesser(&self) -> f64 {
        self.read().min(self.stream)
    }
}

impl Sample {
    /// What was sent over loopback, without heads of frames: what the floors have to be held against.
    fn batch_mb_per_second(&self) -> f64 {
        self.batch_bytes / MB / self.seconds
    }

    fn round(&self) -> Round {
        let numbers = vec![
            ("mb_per_second", Some(self.value_bytes / MB / self.seconds)),
            ("batch_mb_per_second", Some(self.batch_mb_per_second())),
            ("records_per_second", Some(self.records / self.seconds)),
            ("seconds", Some(self.seconds)),
            ("server_cpu_us_per_record", self.server_cpu_us.map(|cost| cost / self.records)),
            ("client_cpu_us_per_record", Some(self.client_cpu_us / self.records)),
            ("cold_read_count", Some(self.cold_reads as f64)),
            ("floor_read_mb_per_second", Some(self.floors.read())),
            ("floor_read_depth_1_mb_per_second", Some(self.floors.reads[0])),
            ("floor_read_depth_4_mb_per_second", Some(self.floors.reads[1])),
            ("floor_stream_mb_per_second", Some(self.floors.stream)),
        ];
        Round { numbers, latencies: Some(self.fetches.clone()) }
    }
}

/// What was read, as a part of the lesser floor of the same round.
fn ratio_to_floor(samples: &[Sample]) -> Option<Ratio> {
    let read: Vec<f64> = samples.iter().map(Sample::batch_mb_per_second).collect();
    let floor: Vec<f64> = samples.iter().map(|sample| sample.floors.lesser()).collect();
    Ratio::paired(&read, &floor)
}

#[cfg(test)]
mod tests;
