//! What came out, as a table or as JSON.

use anyhow::Result;

use crate::cli::CaptureArguments;
use crate::floor::DiskSample;
use crate::machine::Machine;
use crate::report::{self, Object, Table, core_text, count_text, median_text, numbers, spread_text};
use crate::statistics::{Percentiles, Spread};

/// A number of connections, and its rounds.
#[derive(Clone, Debug)]
pub struct Point {
    /// How many.
    pub connections: usize,
    /// One for each round.
    pub samples: Vec<Sample>,
}

/// One point in one round.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// Acknowledged.
    pub records_per_second: f64,
    /// Their values, in millions of bytes.
    pub mb_per_second: f64,
    /// Of the requests.
    pub percentiles: Percentiles,
    /// Of all threads of the server, if it is ours.
    pub server_cpu_us_per_record: Option<f64>,
    /// Of the thread that drives the connections: near all of a core, and the client is what is measured.
    pub client_cpu_us_per_record: Option<f64>,
    /// Blocks that the journals made durable.
    pub journal_blocks_per_record: f64,
    /// Flushes of the disk, if it is known.
    pub flushes_per_record: Option<f64>,
}

/// A number of a sample, with its name in JSON.
type Metric = (&'static str, fn(&Sample) -> Option<f64>);

const METRICS: [Metric; 12] = [
    ("records_per_second", |sample| Some(sample.records_per_second)),
    ("mb_per_second", |sample| Some(sample.mb_per_second)),
    ("p50_us", |sample| Some(sample.percentiles.p50_us)),
    ("p90_us", |sample| Some(sample.percentiles.p90_us)),
    ("p99_us", |sample| Some(sample.percentiles.p99_us)),
    ("p999_us", |sample| Some(sample.percentiles.p999_us)),
    ("p9999_us", |sample| Some(sample.percentiles.p9999_us)),
    ("max_us", |sample| Some(sample.percentiles.max_us)),
    ("server_cpu_us_per_record", |sample| sample.server_cpu_us_per_record),
    ("client_cpu_us_per_record", |sample| sample.client_cpu_us_per_record),
    ("journal_blocks_per_record", |sample| Some(sample.journal_blocks_per_record)),
    ("flushes_per_record", |sample| sample.flushes_per_record),
];

/// The heading of the table: the name of a row, then the metrics.
const HEADING: [&str; 13] = [
    "connections",
    "records/s",
    "MB/s",
    "p50 µs",
    "p90 µs",
    "p99 µs",
    "p99.9 µs",
    "p99.99 µs",
    "max µs",
    "server CPU µs/record",
    "client CPU µs/record",
    "blocks/record",
    "flushes/record",
];
/// Metrics whose range is shown in the table; JSON has all ranges.
const WITH_RANGE: [&str; 3] = ["records_per_second", "p50_us", "p99_us"];

impl Point {
    /// Without rounds yet.
    pub fn new(connections: usize) -> Self {
        Self { connections, samples: Vec::new() }
    }

    fn spread(&self, value: fn(&Sample) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.samples.iter().filter_map(value))
    }
}

/// Prints all points with the floor.
pub fn print(arguments: &CaptureArguments, machine: &Machine, points: &[Point], floors: &[DiskSample]) -> Result<()> {
    let floor = floor_point(floors);
    if arguments.json {
        return points.iter().try_for_each(|point| report::print_json(&object(arguments, point, &floor)));
    }
    let mut text = machine.line();
    text.push_str(&conditions(arguments));
    text.push('\n');
    let mut table = Table::new(&HEADING);
    for point in points {
        table.row(row(&point.connections.to_string(), point));
    }
    table.row(row("floor: durable 4 KiB write", &floor));
    text.push_str(&table.render());
    report::print(&text)
}

fn conditions(arguments: &CaptureArguments) -> String {
    let server = match &arguments.server {
        Some(address) => format!("server {address}"),
        None => format!("server on {}", core_text(arguments.server_core)),
    };
    format!(
        "Closed loop, one request in flight per connection, batches of {} of {} bytes; {} of {} s, median (range); \
         client on {}, {server}.\n",
        count_text(usize::try_from(arguments.batch).unwrap_or(usize::MAX), "record"),
        arguments.size,
        count_text(usize::try_from(arguments.rounds).unwrap_or(usize::MAX), "round"),
        arguments.seconds.as_secs_f64(),
        core_text(arguments.client_core),
    )
}

/// The floor in the columns of a capture: a write is its record, its block and its request.
fn floor_point(floors: &[DiskSample]) -> Point {
    let sample = |floor: &DiskSample| Sample {
        records_per_second: floor.latencies.count() as f64 / floor.seconds,
        mb_per_second: floor.latencies.count() as f64 * 4096.0 / 1e6 / floor.seconds,
        percentiles: floor.latencies.percentiles(),
        server_cpu_us_per_record: None,
        client_cpu_us_per_record: None,
        journal_blocks_per_record: 1.0,
        flushes_per_record: floor.flushes_per_write,
    };
    Point { connections: 1, samples: floors.iter().map(sample).collect() }
}

fn row(name: &str, point: &Point) -> Vec<String> {
    let cell = |(name, value): Metric| {
        let spread = point.spread(value);
        if WITH_RANGE.contains(&name) { spread_text(spread) } else { median_text(spread) }
    };
    let mut cells = vec![name.to_owned()];
    cells.extend(METRICS.map(cell));
    cells
}

pub(super) fn object(arguments: &CaptureArguments, point: &Point, floor: &Point) -> Object {
    let mut object = Object::new();
    object.put("bench", "capture").put("connections", point.connections).put("batch", arguments.batch);
    object.put("size", arguments.size).put("rounds", point.samples.len());
    for (name, value) in METRICS {
        numbers(&mut object, name, point.spread(value));
    }
    numbers(&mut object, "floor_write_p50_us", floor.spread(|sample| Some(sample.percentiles.p50_us)));
    numbers(&mut object, "floor_write_p99_us", floor.spread(|sample| Some(sample.percentiles.p99_us)));
    object
}
