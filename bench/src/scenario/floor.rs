//! Floors: what disk and loopback give without Florin, and the bare servers under the same load that Florin gets.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::bare::Bare;
use crate::cli::FloorArguments;
use crate::client::load::{Load, LoadSettings, Unobserved};
use crate::client::payload::{PayloadKind, Payloads};
use crate::client::routes;
use crate::floor::{DiskFloor, LARGE_WRITE_BYTES, LargeFile, LargeSample, Loopback, PIECE_BYTES, READ_BYTES};
use crate::floor::{folder, poll_round_trips, stream};
use crate::machine::{Machine, on_core};
use crate::report::{self, Column, Output, Point, Round, core_text};
use crate::server::Server;
use crate::statistics::Latencies;
use crate::target::Target;

const SMALL_WRITE_BYTES: usize = 4 << 10;
/// The records that the bare servers are given, one in a batch.
const RECORD_BYTES: usize = 256;

const COLUMNS: [Column; 11] = [
    Column { heading: "floor", number: "bench", with_range: false },
    Column { heading: "connections", number: "connections", with_range: false },
    Column { heading: "per second", number: "operations_per_second", with_range: true },
    Column { heading: "MB/s", number: "mb_per_second", with_range: true },
    Column { heading: "p50 µs", number: "p50_us", with_range: true },
    Column { heading: "p90 µs", number: "p90_us", with_range: false },
    Column { heading: "p99 µs", number: "p99_us", with_range: true },
    Column { heading: "p99.9 µs", number: "p999_us", with_range: false },
    Column { heading: "max µs", number: "max_us", with_range: false },
    Column { heading: "CPU µs each", number: "server_cpu_us_per_operation", with_range: false },
    Column { heading: "flushes each", number: "flushes_per_operation", with_range: false },
];

/// One floor: a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Floor {
    SmallWrite,
    LargeWrite(usize),
    Read,
    Loopback,
    Polling,
    Stream,
    Bare(Bare, usize),
}

/// Everything that floors are measured with.
struct Rig<'a> {
    arguments: &'a FloorArguments,
    disk: DiskFloor,
    large: LargeFile,
    loopback: Loopback,
    bare: Vec<(Bare, Target)>,
    payloads: Payloads,
}

/// What one floor gave in one round.
#[derive(Debug, Default)]
struct Sample {
    operations_per_second: Option<f64>,
    mb_per_second: Option<f64>,
    latencies: Option<Latencies>,
    flushes_per_operation: Option<f64>,
    server_cpu_us_per_operation: Option<f64>,
}

/// Measures all floors and prints them.
pub fn run(arguments: &FloorArguments) -> Result<()> {
    let floors = floors(arguments)?;
    let output = Output::of(&arguments.output);
    output.prepare()?;
    let home = folder(arguments.directory.as_deref(), "floor")?;
    let machine = Machine::of(home.path());
    report::progress("writing the files of the floors");
    let mut rig = Rig::prepare(arguments, home.path())?;
    let mut rounds: Vec<Vec<Round>> = floors.iter().map(|_| Vec::new()).collect();
    for round in 1..=arguments.rounds {
        for (floor, rounds) in floors.iter().zip(&mut rounds) {
            report::progress(&format!("round {round} of {}: {}", arguments.rounds, floor.words()));
            let sample = rig.measure(*floor).with_context(|| format!("{}, round {round}", floor.words()))?;
            rounds.push(sample.round());
        }
    }
    report::progress_end();
    for (_, target) in rig.bare {
        target.stop()?;
    }
    let points: Vec<Point> = floors.iter().zip(rounds).map(|(floor, rounds)| floor.point(rounds)).collect();
    report::publish(&output, &machine, &conditions(arguments, &floors), &COLUMNS, &points)
}

/// Which floors there are: two threads that poll need two cores.
fn floors(arguments: &FloorArguments) -> Result<Vec<Floor>> {
    let (core, peer_core) = (arguments.core, arguments.peer_core);
    let has_polling = std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
    ensure!(
        !has_polling || core.is_none() || core != peer_core,
        "--core and --peer-core are the same: threads that poll for each other need a core each, name another one or \
         leave one away"
    );
    let mut floors = vec![Floor::SmallWrite];
    floors.extend(LARGE_WRITE_BYTES.map(Floor::LargeWrite));
    floors.extend([Floor::Read, Floor::Loopback]);
    if has_polling {
        floors.push(Floor::Polling);
    }
    floors.push(Floor::Stream);
    for connections in &arguments.connections {
        let connections = usize::try_from(*connections)?;
        floors.extend(Bare::ALL.map(|bare| Floor::Bare(bare, connections)));
    }
    Ok(floors)
}

fn conditions(arguments: &FloorArguments, floors: &[Floor]) -> String {
    let polling = if floors.contains(&Floor::Polling) { "" } else { " No polling: it takes two cores." };
    format!(
        "Closed loop, one in flight on each connection; {} of {} s, median (range); measured on {}, answered on {}.{polling}\n",
        report::count_text(usize::try_from(arguments.rounds).unwrap_or(usize::MAX), "round"),
        arguments.seconds.as_secs_f64(),
        core_text(arguments.core),
        core_text(arguments.peer_core),
    )
}

impl<'a> Rig<'a> {
    fn prepare(arguments: &'a FloorArguments, home: &std::path::Path) -> Result<Self> {
        let mut bare = Vec::new();
        for kind in Bare::ALL {
            let directory = home.join(kind.name());
            std::fs::create_dir(&directory).with_context(|| format!("{} cannot be made", directory.display()))?;
            let server = Server::start_bare(kind, &directory, arguments.peer_core)?;
            bare.push((kind, Target::of(server, &directory)));
        }
        Ok(Self {
            arguments,
            disk: DiskFloor::prepare(home)?,
            large: LargeFile::prepare(home)?,
            loopback: Loopback::start(arguments.peer_core)?,
            bare,
            payloads: Payloads::build(&PayloadKind::Random, RECORD_BYTES, 1)?,
        })
    }

    fn measure(&mut self, floor: Floor) -> Result<Sample> {
        let FloorArguments { seconds, core, peer_core, .. } = *self.arguments;
        match floor {
            Floor::SmallWrite => {
                let sample = self.disk.run(seconds, core)?;
                let flushes_per_operation = sample.flushes_per_write;
                let timed = Sample::timed(sample.latencies, sample.seconds, SMALL_WRITE_BYTES as f64);
                Ok(Sample { flushes_per_operation, ..timed })
            }
            Floor::LargeWrite(bytes) => Ok(self.large.overwrite(bytes, seconds, core)?.into()),
            Floor::Read => Ok(self.large.read(seconds, core)?.into()),
            Floor::Loopback => {
                let sample = self.loopback.run(seconds, core)?;
                Ok(Sample { mb_per_second: None, ..Sample::timed(sample.latencies, sample.seconds, 0.0) })
            }
            Floor::Polling => {
                let sample = poll_round_trips(seconds, core, peer_core)?;
                Ok(Sample { mb_per_second: None, ..Sample::timed(sample.latencies, sample.seconds, 0.0) })
            }
            Floor::Stream => {
                let sample = stream(seconds, core, peer_core)?;
                Ok(Sample {
                    operations_per_second: Some(sample.bytes as f64 / PIECE_BYTES as f64 / sample.seconds),
                    mb_per_second: Some(sample.bytes as f64 / sample.seconds / 1e6),
                    ..Sample::default()
                })
            }
            Floor::Bare(bare, connections) => self.bare(bare, connections),
        }
    }

    fn bare(&self, bare: Bare, connections: usize) -> Result<Sample> {
        let started = self.bare.iter().find(|(kind, _)| *kind == bare);
        let (_, target) = started.context("every bare server was started")?;
        let routes = routes::to_bare(target.address(), connections);
        on_core(self.arguments.core, || {
            let mut load = Load::connect(&routes)?;
            let before = target.counters(None)?;
            let sample = load.run(&self.payloads, LoadSettings::lasting(self.arguments.seconds), &mut Unobserved)?;
            let costs = target.counters(None)?.since(&before);
            let each = |cost: f64| cost / sample.answered_batches.max(1) as f64;
            Ok(Sample {
                flushes_per_operation: costs.flushes.map(each),
                server_cpu_us_per_operation: costs.server_cpu_us.map(each),
                ..Sample::timed(sample.latencies, sample.counted_seconds, self.payloads.value_bytes())
            })
        })
    }
}

impl Sample {
    /// Operations of so many bytes each, timed one by one.
    fn timed(latencies: Latencies, seconds: f64, bytes: f64) -> Self {
        let operations_per_second = latencies.count() as f64 / seconds;
        Self {
            operations_per_second: Some(operations_per_second),
            mb_per_second: Some(operations_per_second * bytes / 1e6),
            latencies: Some(latencies),
            ..Self::default()
        }
    }

    fn round(self) -> Round {
        let numbers = vec![
            ("operations_per_second", self.operations_per_second),
            ("mb_per_second", self.mb_per_second),
            ("server_cpu_us_per_operation", self.server_cpu_us_per_operation),
            ("flushes_per_operation", self.flushes_per_operation),
        ];
        Round { numbers, latencies: self.latencies }
    }
}

impl From<LargeSample> for Sample {
    fn from(sample: LargeSample) -> Self {
        let mb_per_second = Some(sample.mb_per_second());
        let flushes_per_operation = sample.flushes_per_piece;
        Self { mb_per_second, flushes_per_operation, ..Self::timed(sample.latencies, sample.seconds, 0.0) }
    }
}

impl Floor {
    /// As it is called in reports.
    fn bench(self) -> &'static str {
        match self {
            Self::SmallWrite => "floor_write_4k",
            Self::LargeWrite(bytes) if bytes == LARGE_WRITE_BYTES[0] => "floor_write_1m",
            Self::LargeWrite(_) => "floor_write_4m",
            Self::Read => "floor_read",
            Self::Loopback => "floor_loopback",
            Self::Polling => "floor_loopback_polling",
            Self::Stream => "floor_stream",
            Self::Bare(Bare::Epoll, _) => "floor_bare_epoll",
            Self::Bare(Bare::Glommio, _) => "floor_bare_glommio",
        }
    }

    /// As progress is told.
    fn words(self) -> String {
        match self {
            Self::SmallWrite => "durable overwrites of 4 KiB".to_owned(),
            Self::LargeWrite(bytes) => format!("durable overwrites of {} MiB", bytes >> 20),
            Self::Read => "reads of 1 MiB".to_owned(),
            Self::Loopback => "round trips".to_owned(),
            Self::Polling => "round trips, both ends polling".to_owned(),
            Self::Stream => "a stream".to_owned(),
            Self::Bare(bare, connections) => {
                format!("bare {}, {}", bare.name(), report::count_text(connections, "connection"))
            }
        }
    }

    fn labels(self) -> Vec<(&'static str, Value)> {
        match self {
            Self::SmallWrite => vec![("bytes", SMALL_WRITE_BYTES.into())],
            Self::LargeWrite(bytes) => vec![("bytes", bytes.into())],
            Self::Read => vec![("bytes", READ_BYTES.into())],
            Self::Loopback | Self::Polling => Vec::new(),
            Self::Stream => vec![("bytes", PIECE_BYTES.into())],
            Self::Bare(_, connections) => vec![("connections", connections.into()), ("size", RECORD_BYTES.into())],
        }
    }

    fn point(self, rounds: Vec<Round>) -> Point {
        let (facts, ratios, series) = (Vec::new(), Vec::new(), Vec::new());
        Point { bench: self.bench(), labels: self.labels(), rounds, facts, ratios, series }
    }
}

#[cfg(test)]
mod tests;
