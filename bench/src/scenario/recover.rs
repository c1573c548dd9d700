//! How long a start takes: from the start of the process to its line that says ready, and to the first batch that it
//! stores, beside what reading the same ring files takes without Florin.
//!
//! A server of our own is filled, ended by a crash or in order, and started again. What was acknowledged must be there.

mod fill;
mod full_disk;
mod restart;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use anyhow::{Context, Result};
use florin_engine::format::layout::Geometry;
use florin_engine::io::UNIT_BYTES;
use florin_engine::limits::{MANIFEST_BYTES_DEFAULT, RING_FILE_BYTES_MAX, RING_FILE_COUNT_MIN};
use tempfile::TempDir;

use crate::cli::{RecoverArguments, RecoverPoint};
use crate::client::payload::Payloads;
use crate::floor::{folder, require_space};
use crate::machine::Machine;
use crate::report::{self, Column, Output, Point, Round, core_text, count_text};
use crate::server::ServerSettings;
use crate::statistics::Ratio;

use fill::{Filled, Filling, Until};
use restart::Restart;

/// A start may take so much longer than reading its files does, and so much beside.
const BOUND_FACTOR: f64 = 1.5;
const BOUND_MS: f64 = 300.0;
/// Connections that fill a journal, each with a partition of its own.
const FILLING_CONNECTIONS: u32 = 4;
/// Batches in flight on each: blocks become as large as they can, and less waits than a shard takes.
const FILLING_IN_FLIGHT: usize = 4;
/// A ring that is written so often over is not getting any fuller.
const RINGS_MAX: u64 = 4;

const COLUMNS: [Column; 11] = [
    Column { heading: "start from", number: "start", with_range: false },
    Column { heading: "ready ms", number: "ready_ms", with_range: true },
    Column { heading: "first ack ms", number: "first_ack_ms", with_range: true },
    Column { heading: "floor: read ms", number: "floor_read_ms", with_range: true },
    Column { heading: "bound ms", number: "bound_ms", with_range: false },
    Column { heading: "ready / bound", number: "ratio_bound", with_range: true },
    Column { heading: "ring bytes", number: "ring_bytes", with_range: false },
    Column { heading: "ring bytes read", number: "ring_bytes_read", with_range: false },
    Column { heading: "ring bytes replayed", number: "ring_bytes_replayed", with_range: false },
    Column { heading: "share of the ring", number: "ring_share_replayed", with_range: true },
    Column { heading: "bytes in segments", number: "stored_bytes", with_range: false },
];

/// Something to start from, and what its rounds gave.
struct Measured {
    point: RecoverPoint,
    restarts: Vec<Restart>,
    /// What at_rest keeps from round to round.
    kept: Option<Kept>,
}

/// A stopped server's directory with everything at rest.
struct Kept {
    folder: TempDir,
    filled: Filled,
}

/// What all rounds share.
struct Run<'a> {
    arguments: &'a RecoverArguments,
    large: Payloads,
    small: Payloads,
}

/// Measures all points and prints them.
pub fn run(arguments: &RecoverArguments) -> Result<()> {
    arguments.target.expect_no_client_core()?;
    arguments.expect_named_disk()?;
    let run = Run::new(arguments)?;
    let output = Output::of(&arguments.output);
    output.prepare()?;
    let home = folder(arguments.target.data.as_deref(), "recover")?;
    run.check_space(home.path())?;
    let machine = Machine::of(home.path());
    let measured = |point: &RecoverPoint| Measured { point: *point, restarts: Vec::new(), kept: None };
    let mut points: Vec<Measured> = arguments.points.iter().map(measured).collect();
    for round in 1..=arguments.rounds {
        for point in &mut points {
            let name = point.point.name();
            let say = |what: &str| report::progress(&format!("round {round} of {}: {name}, {what}", arguments.rounds));
            let restart = run.round(point, home.path(), &say);
            point.restarts.push(restart.with_context(|| format!("{name}, round {round}"))?);
        }
    }
    report::progress_end();
    let points: Vec<Point> = points.iter().map(|point| run.point(point)).collect();
    report::publish(&output, &machine, &run.conditions(), &COLUMNS, &points)
}

impl<'a> Run<'a> {
    fn new(arguments: &'a RecoverArguments) -> Result<Self> {
        let build = |records| Payloads::build(&arguments.payload, arguments.size, records);
        Ok(Self { arguments, large: build(arguments.batch)?, small: build(1)? })
    }

    /// Refuses to begin what has no room.
    fn check_space(&self, home: &std::path::Path) -> Result<()> {
        let arguments = self.arguments;
        let at_rest = if arguments.points.contains(&RecoverPoint::AtRest) { arguments.at_rest_bytes } else { 0 };
        // Two directories at the same time, each with a journal that has come to rest in part, and what merges take.
        require_space(home, at_rest + at_rest / 8 + 4 * self.ring_bytes())
    }

    fn ring_bytes(&self) -> u64 {
        self.arguments.target.journal_file_bytes.saturating_mul(u64::from(self.arguments.target.journal_files))
    }

    /// The server of a point. Blocks of one record each take a unit of the ring and few bytes of a segment file: a file
    /// that is full comes to rest long before the next one is, however many there are. So most of a ring is needed when
    /// it has two files and one of them is about to be full.
    fn server(&self, point: RecoverPoint, directory: PathBuf) -> ServerSettings {
        let settings = ServerSettings::of(&self.arguments.target, directory);
        if point != RecoverPoint::HalfRingSmall {
            return settings;
        }
        let half = self.ring_bytes() / u64::from(RING_FILE_COUNT_MIN);
        let file_bytes = half.min(RING_FILE_BYTES_MAX) / UNIT_BYTES as u64 * UNIT_BYTES as u64;
        ServerSettings { journal_files: RING_FILE_COUNT_MIN, journal_file_bytes: file_bytes, ..settings }
    }

    /// Fills, ends and starts a server, and checks it.
    fn round(&self, measured: &mut Measured, home: &std::path::Path, say: &dyn Fn(&str)) -> Result<Restart> {
        let point = measured.point;
        if point == RecoverPoint::AtRest {
            if measured.kept.is_none() {
                measured.kept = Some(self.bring_to_rest(home, say)?);
            }
            let kept = measured.kept.as_mut().context("it was just made")?;
            let settings = self.server(point, kept.folder.path().join("data"));
            say("starting again");
            let (restart, server) = restart::measure(&settings, &mut kept.filled, &self.large, &self.small)?;
            say("stopping");
            server.stop()?;
            return Ok(restart);
        }
        let folder = new_folder(home)?;
        let settings = self.server(point, folder.path().join("data"));
        let (payloads, filling) = self.filling(point, &settings);
        say("filling the journal");
        let mut filled = fill::fill(&settings, payloads, &filling, say)?;
        say("starting again");
        let (restart, server) = restart::measure(&settings, &mut filled, payloads, &self.small)?;
        server.kill()?;
        Ok(restart)
    }

    /// How the journal of a point is filled.
    fn filling(&self, point: RecoverPoint, settings: &ServerSettings) -> (&Payloads, Filling) {
        let payloads = if point.is_small() { &self.small } else { &self.large };
        let ring_bytes = settings.journal_file_bytes * u64::from(settings.journal_files);
        let full_bytes = full_bytes(settings, payloads);
        let unit = UNIT_BYTES as u64;
        let (batch_count_max, until) = match point {
            RecoverPoint::FullRing => (RINGS_MAX * ring_bytes / payloads.batch_bytes(), Until::Fullest(full_bytes)),
            // Each batch is a block, of a unit at least; the file must not be full, for then it is taken to rest.
            RecoverPoint::HalfRingSmall => {
                let blocks = settings.journal_file_bytes / unit;
                (blocks, Until::UsedBytes((blocks - blocks / 64) * unit))
            }
            RecoverPoint::FullDisk => (RINGS_MAX * ring_bytes / payloads.batch_bytes(), Until::UsedBytes(full_bytes)),
            RecoverPoint::FullDiskSmall => (ring_bytes / unit, Until::UsedBytes(full_bytes)),
            RecoverPoint::AtRest => ((self.arguments.at_rest_bytes / payloads.batch_bytes()).max(1), Until::BatchCount),
        };
        let filling = Filling {
            connections: if point.is_small() { 1 } else { FILLING_CONNECTIONS },
            in_flight: if point.is_small() { 1 } else { FILLING_IN_FLIGHT },
            batch_records: payloads.record_count(),
            batch_count_max,
            until,
            on_full_disk: point.is_on_full_disk(),
        };
        (payloads, filling)
    }

    /// A directory with everything in segment files: after a crash the file in use is sealed, so what is in it is taken
    /// to rest as well, and a stop in order leaves an empty ring.
    fn bring_to_rest(&self, home: &std::path::Path, say: &dyn Fn(&str)) -> Result<Kept> {
        let folder = new_folder(home)?;
        let settings = self.server(RecoverPoint::AtRest, folder.path().join("data"));
        let (payloads, filling) = self.filling(RecoverPoint::AtRest, &settings);
        say("writing what is to be at rest");
        let mut filled = fill::fill(&settings, payloads, &filling, say)?;
        say("taking the rest of the journal to rest");
        let (_, server) = restart::measure(&settings, &mut filled, payloads, &self.small)?;
        restart::wait_for_rest(server.address(), settings.journal_files)?;
        server.stop()?;
        Ok(Kept { folder, filled })
    }

    fn point(&self, measured: &Measured) -> Point {
        let of = |number: fn(&Restart) -> f64| measured.restarts.iter().map(number).collect::<Vec<f64>>();
        let ratios = [
            ("ratio_floor_read", Ratio::paired(&of(|restart| restart.ready_ms), &of(|restart| restart.floor_read_ms))),
            ("ratio_bound", Ratio::paired(&of(|restart| restart.ready_ms), &of(Restart::bound_ms))),
        ];
        let mut labels = vec![("start", measured.point.name().into()), ("size", self.large.size().into())];
        if !measured.point.is_small() {
            labels.push(("batch", self.arguments.batch.into()));
        }
        Point {
            bench: "recover",
            labels,
            rounds: measured.restarts.iter().map(Restart::round).collect(),
            facts: Vec::new(),
            ratios: ratios.into_iter().filter_map(|(name, ratio)| Some((name, ratio?))).collect(),
            series: Vec::new(),
        }
    }

    fn conditions(&self) -> String {
        let arguments = self.arguments;
        let said: Vec<String> = RecoverPoint::ALL
            .into_iter()
            .filter(|point| arguments.points.contains(point))
            .map(|point| format!(" {}: {}.", point.name(), point.words()))
            .collect();
        format!(
            "From the start of the process to its ready line, and to the first batch that it acknowledges; a journal of {} \
             bytes, batches of {} of {:.0} bytes unless it is said otherwise; {}, median (range); server on {}. The floor \
             reads what the start reads of the ring files, once, in pieces of 1 MiB. Bound: {BOUND_FACTOR} times the floor and \
             {BOUND_MS:.0} ms.{}\n",
            self.ring_bytes(),
            count_text(usize::try_from(arguments.batch).unwrap_or(usize::MAX), "record"),
            self.large.value_bytes(),
            count_text(usize::try_from(arguments.rounds).unwrap_or(usize::MAX), "round"),
            core_text(arguments.target.server_core),
            said.concat(),
        )
    }
}

/// What of a journal is taken when it is about to refuse batches: it keeps a reserve, and of a larger journal it is
/// better to stop a little before than to wait for a refusal, which may come behind a file that has become free.
fn full_bytes(settings: &ServerSettings, payloads: &Payloads) -> u64 {
    let (file_count, file_bytes) = (settings.journal_files, settings.journal_file_bytes);
    let geometry = Geometry { file_count, file_bytes, manifest_bytes: MANIFEST_BYTES_DEFAULT };
    let block_bytes = payloads.batch_bytes() + 2 * UNIT_BYTES as u64;
    let margin_bytes = (file_bytes / 16).max(2 * block_bytes);
    geometry.ring_bytes().saturating_sub(geometry.reserve_bytes() + margin_bytes)
}

fn new_folder(home: &std::path::Path) -> Result<TempDir> {
    TempDir::new_in(home).with_context(|| format!("no folder can be made in {}", home.display()))
}

impl Restart {
    /// What a start may take.
    fn bound_ms(&self) -> f64 {
        BOUND_FACTOR * self.floor_read_ms + BOUND_MS
    }

    fn round(&self) -> Round {
        let numbers = vec![
            ("ready_ms", Some(self.ready_ms)),
            ("first_ack_ms", Some(self.first_ack_ms)),
            ("first_ack_retry_count", Some(self.retry_count as f64)),
            ("floor_read_ms", Some(self.floor_read_ms)),
            ("bound_ms", Some(self.bound_ms())),
            ("ring_bytes", Some(self.ring.bytes as f64)),
            ("ring_bytes_read", Some(self.ring.file_bytes as f64)),
            ("ring_bytes_replayed", Some(self.ring.block_bytes as f64)),
            ("ring_share_replayed", Some(self.ring.replayed_share())),
            ("replayed_block_count", Some(self.ring.block_count as f64)),
            ("stored_bytes", Some(self.stored_bytes as f64)),
            ("acknowledged_records", Some(self.acknowledged_records as f64)),
            ("unacknowledged_records", Some(self.unacknowledged_records as f64)),
            ("journal_full_count", Some(self.journal_full_count as f64)),
        ];
        Round { numbers, latencies: None }
    }
}
