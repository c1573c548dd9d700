//! Produce requests: what a client waits for, and what an acknowledged record costs the server.
//!
//! [`run`] goes over all points in every round, the bare servers beside Florin: what else runs on the machine falls on
//! all of them, and ratios are those of one round.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::bare::Bare;
use crate::cli::CaptureArguments;
use crate::client::control::Control;
use crate::client::load::{Load, LoadSample, LoadSettings, Unobserved};
use crate::client::payload::Payloads;
use crate::client::routes::{self, Route};
use crate::floor::{LargeFile, LargeWrites, folder};
use crate::machine::{Machine, allow_connections, on_core};
use crate::report::{self, Column, Output, Point, Round, Series, core_text, count_text};
use crate::server::Server;
use crate::statistics::{Latencies, Ratio};
use crate::target::{Costs, Target, with_topic};

/// A number of connections, and what its rounds gave.
struct Measured {
    connections: usize,
    florin: Vec<Sample>,
    bare: Vec<(Bare, Vec<Sample>)>,
    /// Large durable writes, before and after each burst.
    writes: Vec<LargeWrites>,
}

/// Who is measured, and what that is held against.
struct Rig {
    florin: Target,
    bare: Vec<(Bare, Target)>,
    file: Option<LargeFile>,
}

/// One server under one load in one round.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) load: LoadSample,
    pub(crate) costs: Costs,
    pub(crate) records_per_second: f64,
}

/// What all rounds share.
pub(crate) struct Run<'a> {
    arguments: &'a CaptureArguments,
    payloads: Payloads,
    settings: LoadSettings,
}

/// The columns of the table.
const COLUMNS: [Column; 12] = [
    Column { heading: "connections", number: "connections", with_range: false },
    Column { heading: "records/s", number: "records_per_second", with_range: true },
    Column { heading: "MB/s", number: "mb_per_second", with_range: false },
    Column { heading: "p50 µs", number: "p50_us", with_range: true },
    Column { heading: "p90 µs", number: "p90_us", with_range: false },
    Column { heading: "p99 µs", number: "p99_us", with_range: true },
    Column { heading: "p99.9 µs", number: "p999_us", with_range: false },
    Column { heading: "p99.99 µs", number: "p9999_us", with_range: false },
    Column { heading: "max µs", number: "max_us", with_range: false },
    Column { heading: "server CPU µs/record", number: "server_cpu_us_per_record", with_range: false },
    Column { heading: "journal writes/record", number: "journal_writes_per_record", with_range: false },
    Column { heading: "flushes/record", number: "flushes_per_record", with_range: false },
];

/// The columns of a burst beside large durable writes.
const WRITE_COLUMNS: [Column; 4] = [
    Column { heading: "1 MiB writes MB/s", number: "floor_write_1m_mb_per_second", with_range: true },
    Column { heading: "4 MiB writes MB/s", number: "floor_write_4m_mb_per_second", with_range: true },
    Column { heading: "of 1 MiB writes", number: WRITE_RATIOS[0], with_range: true },
    Column { heading: "of 4 MiB writes", number: WRITE_RATIOS[1], with_range: true },
];
const WRITE_RATIOS: [&str; 2] = ["ratio_floor_write_1m", "ratio_floor_write_4m"];

/// The columns of a bare server, and of the ratios to it.
const fn floor_columns(names: [&'static str; 6], headings: [&'static str; 6]) -> [Column; 6] {
    let mut columns = [const { Column { heading: "", number: "", with_range: false } }; 6];
    let mut at = 0;
    while at < columns.len() {
        columns[at] = Column { heading: headings[at], number: names[at], with_range: false };
        at += 1;
    }
    columns
}

/// What is told of a bare server: its numbers in a round, then the ratios.
struct FloorNames {
    numbers: [&'static str; 5],
    ratios: [&'static str; 3],
    series: &'static str,
    columns: [Column; 6],
}

const EPOLL: FloorNames = FloorNames {
    numbers: [
        "floor_epoll_records_per_second",
        "floor_epoll_p50_us",
        "floor_epoll_p99_us",
        "floor_epoll_cpu_us_per_record",
        "floor_epoll_flushes_per_record",
    ],
    ratios: ["ratio_epoll_records_per_second", "ratio_epoll_p50", "ratio_epoll_p99"],
    series: "floor_epoll",
    columns: floor_columns(
        [
            "floor_epoll_records_per_second",
            "floor_epoll_p50_us",
            "floor_epoll_p99_us",
            "ratio_epoll_records_per_second",
            "ratio_epoll_p50",
            "ratio_epoll_p99",
        ],
        ["epoll records/s", "epoll p50 µs", "epoll p99 µs", "ratio records/s", "ratio p50", "ratio p99"],
    ),
};

const GLOMMIO: FloorNames = FloorNames {
    numbers: [
        "floor_glommio_records_per_second",
        "floor_glommio_p50_us",
        "floor_glommio_p99_us",
        "floor_glommio_cpu_us_per_record",
        "floor_glommio_flushes_per_record",
    ],
    ratios: ["ratio_glommio_records_per_second", "ratio_glommio_p50", "ratio_glommio_p99"],
    series: "floor_glommio",
    columns: floor_columns(
        [
            "floor_glommio_records_per_second",
            "floor_glommio_p50_us",
            "floor_glommio_p99_us",
            "ratio_glommio_records_per_second",
            "ratio_glommio_p50",
            "ratio_glommio_p99",
        ],
        ["glommio records/s", "glommio p50 µs", "glommio p99 µs", "ratio records/s", "ratio p50", "ratio p99"],
    ),
};

/// Measures all points and prints them.
pub fn run(arguments: &CaptureArguments) -> Result<()> {
    let run = Run::new(arguments)?;
    let counts = arguments.points()?;
    allow_connections(counts.iter().copied().max().unwrap_or(0) as u64)?;
    let output = Output::of(&arguments.output);
    output.prepare()?;
    let home = folder(arguments.target.own.data.as_deref(), "capture")?;
    let machine = Machine::of(home.path());
    let rig = Rig::start(arguments, home.path())?;
    let mut points: Vec<Measured> = counts.into_iter().map(|count| Measured::new(count, &rig.bare)).collect();
    for round in 1..=arguments.rounds {
        for point in &mut points {
            let what = count_text(point.connections, "connection");
            let say = |who: &str| report::progress(&format!("round {round} of {}: {what}, {who}", arguments.rounds));
            run.measure(&rig, point, round, &say).with_context(|| format!("{what}, round {round}"))?;
        }
    }
    report::progress_end();
    rig.stop()?;
    let points = points.iter().map(|point| run.point(point)).collect::<Vec<_>>();
    let mut columns = COLUMNS.to_vec();
    if arguments.has_write_floor() {
        columns.extend(WRITE_COLUMNS);
    }
    if arguments.floor {
        columns.extend(GLOMMIO.columns);
        columns.extend(EPOLL.columns);
    }
    report::publish(&output, &machine, &run.conditions(), &columns, &points)
}

impl Measured {
    fn new(connections: usize, bare: &[(Bare, Target)]) -> Self {
        let bare = bare.iter().map(|(kind, _)| (*kind, Vec::new())).collect();
        Self { connections, florin: Vec::new(), bare, writes: Vec::new() }
    }
}

impl Rig {
    fn start(arguments: &CaptureArguments, home: &Path) -> Result<Self> {
        let florin = Target::start(&arguments.target, home)?;
        let mut rig = Self { florin, bare: Vec::new(), file: None };
        if arguments.floor {
            for kind in Bare::ALL {
                let directory = home.join(kind.name());
                std::fs::create_dir(&directory).with_context(|| format!("{} cannot be made", directory.display()))?;
                let server = Server::start_bare(kind, &directory, arguments.target.own.server_core)?;
                rig.bare.push((kind, Target::of(server, &directory)));
            }
        }
        if arguments.has_write_floor() {
            report::progress("writing the floor's file");
            rig.file = Some(LargeFile::prepare(home)?);
        }
        Ok(rig)
    }

    fn stop(self) -> Result<()> {
        self.florin.stop()?;
        self.bare.into_iter().try_for_each(|(_, target)| target.stop())
    }
}

/// Sends over these routes, and counts what that cost. Without `control` it is a bare server, which tells nothing.
pub(crate) fn measure(
    target: &Target,
    mut control: Option<&mut Control>,
    client_core: Option<usize>,
    routes: &[Route],
    payloads: &Payloads,
    settings: LoadSettings,
) -> Result<Sample> {
    on_core(client_core, || {
        let mut load = Load::connect(routes)?;
        let before = target.counters(control.as_deref_mut())?;
        let sample = load.run(payloads, settings, &mut Unobserved)?;
        let costs = target.counters(control.as_deref_mut())?.since(&before);
        if control.is_some() && costs.captured_batches != sample.answered_batches {
            bail!(
                "the server counted {} batches, {} were acknowledged to us: others use it, or it is wrong",
                costs.captured_batches,
                sample.answered_batches
            );
        }
        let records = sample.latencies.count() as f64 * f64::from(payloads.record_count());
        Ok(Sample { records_per_second: records / sample.counted_seconds, load: sample, costs })
    })
}

impl<'a> Run<'a> {
    pub(crate) fn new(arguments: &'a CaptureArguments) -> Result<Self> {
        let payloads = Payloads::build(&arguments.payload, arguments.size, arguments.batch)?;
        let lasting = LoadSettings::lasting(arguments.seconds);
        let settings = LoadSettings {
            in_flight: usize::from(arguments.in_flight),
            rate: arguments.rate.map(|rate| rate / f64::from(arguments.batch)),
            batch_count_max: arguments.burst_bytes.map(|bytes| (bytes / payloads.batch_bytes()).max(1)),
            // A burst may be over before a load has warmed up.
            warm_up: if arguments.burst_bytes.is_some() { Duration::ZERO } else { lasting.warm_up },
            ..lasting
        };
        Ok(Self { arguments, payloads, settings })
    }

    /// One round of a point: Florin, with large durable writes around it, then the bare servers.
    fn measure(&self, rig: &Rig, point: &mut Measured, round: u32, say: &dyn Fn(&str)) -> Result<()> {
        let writes = |what| {
            let measured = |file: &LargeFile| {
                say(what);
                LargeWrites::measure(file, self.arguments.floor_seconds, self.arguments.target.own.server_core)
            };
            rig.file.as_ref().map(measured).transpose()
        };
        let before = writes("large writes before")?;
        say("Florin");
        point.florin.push(self.florin(&rig.florin, point.connections, round)?);
        let after = writes("large writes after")?;
        point.writes.extend(before.zip(after).map(|(before, after)| before.mean(&after)));
        for ((kind, target), (_, samples)) in rig.bare.iter().zip(&mut point.bare) {
            say(kind.name());
            samples.push(self.bare(target, point.connections)?);
        }
        Ok(())
    }

    /// Florin, on a topic of its own.
    pub(crate) fn florin(&self, target: &Target, connections: usize, round: u32) -> Result<Sample> {
        let name = format!("bench-{}-{round}-{connections}", std::process::id());
        with_topic(target, &name, self.arguments.partitions, |control| {
            let routes = routes::spread(&control.placement(&name)?, connections)?;
            self.load(target, Some(control), &routes)
        })
    }

    fn bare(&self, target: &Target, connections: usize) -> Result<Sample> {
        self.load(target, None, &routes::to_bare(target.address(), connections))
    }

    fn load(&self, target: &Target, control: Option<&mut Control>, routes: &[Route]) -> Result<Sample> {
        measure(target, control, self.arguments.target.own.client_core, routes, &self.payloads, self.settings)
    }

    /// Rates and latencies are those of the counted time; costs are shared by all records, warm-up included, because
    /// the counters are read before and after everything.
    fn costs(&self, sample: &Sample) -> [(&'static str, Option<f64>); 4] {
        sample.costs.per_record(sample.load.answered_batches as f64 * f64::from(self.arguments.batch))
    }

    /// Of values.
    fn mb_per_second(&self, sample: &Sample) -> f64 {
        sample.records_per_second * self.payloads.value_bytes() / 1e6
    }

    fn point(&self, measured: &Measured) -> Point {
        let arguments = self.arguments;
        let rounds = (0..measured.florin.len()).map(|round| self.round(measured, round)).collect();
        let mut point = Point {
            bench: "capture",
            labels: vec![
                ("connections", measured.connections.into()),
                ("batch", arguments.batch.into()),
                ("size", self.payloads.size().into()),
            ],
            rounds,
            facts: Vec::new(),
            ratios: Vec::new(),
            series: Vec::new(),
        };
        if arguments.in_flight > 1 {
            point.labels.push(("in_flight", arguments.in_flight.into()));
        }
        if let Some(rate) = arguments.rate {
            point.labels.push(("rate", rate.into()));
        }
        if let Some(bytes) = arguments.burst_bytes {
            point.labels.push(("burst_bytes", bytes.into()));
        }
        for (kind, samples) in &measured.bare {
            let names = names_of(*kind);
            let ratio = |value: fn(&Sample) -> f64| {
                let of = |samples: &[Sample]| samples.iter().map(value).collect::<Vec<f64>>();
                Ratio::paired(&of(&measured.florin), &of(samples))
            };
            let ratios = [
                ratio(|sample| sample.records_per_second),
                ratio(|sample| sample.load.latencies.percentiles().p50_us),
                ratio(|sample| sample.load.latencies.percentiles().p99_us),
            ];
            point.ratios.extend(names.ratios.into_iter().zip(ratios).filter_map(|(name, ratio)| Some((name, ratio?))));
            let mut latencies = Latencies::new();
            samples.iter().for_each(|sample| latencies.merge(&sample.load.latencies));
            point.series.push(Series { name: names.series, latencies });
        }
        let written: Vec<f64> = measured.florin.iter().map(|sample| self.mb_per_second(sample)).collect();
        point.ratios.extend(LargeWrites::ratios(WRITE_RATIOS, &written, &measured.writes, 1.0));
        point
    }

    fn round(&self, measured: &Measured, round: usize) -> Round {
        let sample = &measured.florin[round];
        let mut numbers = vec![
            ("records_per_second", Some(sample.records_per_second)),
            ("mb_per_second", Some(self.mb_per_second(sample))),
        ];
        numbers.extend(self.costs(sample));
        numbers.extend(measured.writes.get(round).map(LargeWrites::numbers).into_iter().flatten());
        for kind in Bare::ALL {
            let samples = measured.bare.iter().find(|(measured, _)| *measured == kind);
            let sample = samples.map(|(_, samples)| &samples[round]);
            let percentiles = sample.map(|sample| sample.load.latencies.percentiles());
            let costs = sample.map(|sample| self.costs(sample));
            let values = [
                sample.map(|sample| sample.records_per_second),
                percentiles.map(|percentiles| percentiles.p50_us),
                percentiles.map(|percentiles| percentiles.p99_us),
                costs.and_then(|[(_, server_cpu_us), ..]| server_cpu_us),
                costs.and_then(|[.., (_, flushes)]| flushes),
            ];
            numbers.extend(names_of(kind).numbers.into_iter().zip(values));
        }
        Round { numbers, latencies: Some(sample.load.latencies.clone()) }
    }

    fn conditions(&self) -> String {
        let arguments = self.arguments;
        let server = match &arguments.target.server {
            Some(address) => format!("server {address}"),
            None => format!("server on {}", core_text(arguments.target.own.server_core)),
        };
        let in_flight = count_text(usize::from(arguments.in_flight), "batch").replace("batchs", "batches");
        let how = match arguments.rate {
            Some(rate) => format!("Open loop of {rate} records/s, latencies from when each is due"),
            None => format!("Closed loop, {in_flight} in flight per connection"),
        };
        let each = match arguments.burst_bytes {
            Some(bytes) => format!("{bytes} bytes of batches"),
            None => format!("{} s", arguments.seconds.as_secs_f64()),
        };
        let floors = if arguments.has_write_floor() {
            format!("; large durable writes of {} s before and after each", arguments.floor_seconds.as_secs_f64())
        } else {
            String::new()
        };
        format!(
            "{how}; batches of {} of {:.0} bytes; {} of {each}, median (range){floors}; client on {}, {server}.\n",
            count_text(usize::try_from(arguments.batch).unwrap_or(usize::MAX), "record"),
            self.payloads.value_bytes(),
            count_text(usize::try_from(arguments.rounds).unwrap_or(usize::MAX), "round"),
            core_text(arguments.target.own.client_core),
        )
    }
}

const fn names_of(kind: Bare) -> &'static FloorNames {
    match kind {
        Bare::Epoll => &EPOLL,
        Bare::Glommio => &GLOMMIO,
    }
}

#[cfg(test)]
mod tests;
