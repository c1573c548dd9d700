//! `florin disk-check`: whether a disk and its file system are fit for a data directory, before there is one.
//!
//! It asks the file system, the kernel and the device, and measures what a durable write costs. All files that it makes
//! are in a directory of its own, which goes with it; whatever else is there is not touched.

mod finding;
mod judge;
mod measure;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use florin_engine::io::fitness::{self, BlockDevice, DirectIo, FileSystem, FreeSpace, Options, Overwrite};
use florin_engine::io::glommio::{check_io_uring, check_locked_memory};
use tempfile::TempDir;

use crate::cli::DiskCheckArguments;
use crate::interrupt::Interrupt;
use crate::{EXIT_CANNOT_TELL, EXIT_FAILED, host, output};
use finding::{Check, DeviceView, Report, Verdict};
use measure::Measured;

/// What is allocated to see whether it works.
const PREALLOCATED_BYTES: u64 = 1 << 20;
const SCRATCH_PREFIX: &str = ".florin-disk-check-";
const IDENTITY_NAME: &str = "identity";

/// Checks and prints the report.
pub fn run(arguments: &DiskCheckArguments) -> Result<ExitCode> {
    let path = &arguments.directory;
    ensure!(path.is_dir(), "{} is no directory: name one on the disk that is to be checked", path.display());
    let interrupt = Interrupt::watch()?;
    let scratch = tempfile::Builder::new().prefix(SCRATCH_PREFIX).tempdir_in(path);
    let scratch = scratch.with_context(|| format!("no directory can be made in {}", path.display()))?;
    let report = examine(arguments, &scratch, &interrupt)?;
    // One that cannot be removed is told rather than left.
    let name = scratch.path().to_owned();
    scratch.close().with_context(|| format!("{} could not be removed: remove it", name.display()))?;
    if arguments.json {
        output::print_json(&report)?;
    } else {
        output::print(&report.text())?;
    }
    Ok(match report.verdict {
        Verdict::Fit | Verdict::Warning => ExitCode::SUCCESS,
        Verdict::Unfit => ExitCode::from(EXIT_FAILED),
        Verdict::CannotTell => ExitCode::from(EXIT_CANNOT_TELL),
    })
}

fn examine<'a>(arguments: &'a DiskCheckArguments, scratch: &TempDir, interrupt: &Interrupt) -> Result<Report<'a>> {
    let home = scratch.path();
    let direct_io = if arguments.no_direct { DirectIo::Off } else { DirectIo::Required };
    let shard_count = host::usable_core_count()?;
    let device = BlockDevice::of(home);
    let direct = judge::direct_io(direct_of(home), direct_io);
    let how = if direct.verdict == Verdict::Fit { Overwrite::Direct } else { Overwrite::Durable };
    let kind = fitness::file_system_of(home);
    let is_memory = matches!(kind, Ok(FileSystem::Tmpfs | FileSystem::Ramfs));
    let has_directory = arguments.directory.join(IDENTITY_NAME).exists();
    let mut checks = vec![
        judge::file_system(kind, kind_of(home, arguments.allow_cow)),
        direct,
        judge::preallocation(fitness::check_preallocation(home, PREALLOCATED_BYTES)),
        judge::space(FreeSpace::of(home), shard_count, has_directory),
        judge::locked_memory(check_locked_memory(usize::from(shard_count))),
        judge::io_uring(check_io_uring()),
        judge::device(device.as_ref()),
    ];
    let mut measurements = Vec::new();
    if is_memory {
        checks.push(judge::not_measured("memory makes nothing durable"));
    } else {
        let seconds = Duration::from_secs(arguments.seconds);
        let measure = |how| Measured::of(home, how, seconds, device.as_ref(), interrupt);
        match (measure(how)?, measure(Overwrite::Synced)?) {
            (Ok(durable), Ok(synced)) => {
                let cache = device.as_ref().and_then(BlockDevice::write_cache);
                let has_fua = device.as_ref().and_then(BlockDevice::has_fua);
                checks.extend([
                    judge::durable_write(&durable),
                    judge::write_and_sync(&synced),
                    judge::flushes(cache, has_fua, &durable, &synced),
                    judge::speed(cache, &durable, &synced),
                ]);
                measurements.extend([durable, synced]);
            }
            (Err(error), _) | (_, Err(error)) => checks.push(judge::not_measured(&error.to_string())),
        }
    }
    Ok(Report::new(&arguments.directory, device.as_ref().map(DeviceView::of), checks, measurements))
}

/// What the file system says about direct I/O, whatever else is thought of it.
fn direct_of(home: &Path) -> Result<Option<fitness::DirectAlignment>, fitness::Unfit> {
    let options = Options { allow_cow: true, direct_io: DirectIo::Required };
    fitness::check(home, options).map(|fitness| fitness.direct).map_err(|error| error.reason)
}

/// What there is to say about the kind of file system and how it is mounted.
fn kind_of(home: &Path, allow_cow: bool) -> Result<Vec<fitness::Warning>, fitness::Unfit> {
    let options = Options { allow_cow, direct_io: DirectIo::Off };
    fitness::check(home, options).map(|fitness| fitness.warnings).map_err(|error| error.reason)
}

impl Check {
    /// A check with nothing to be done.
    fn fit(check: &'static str, value: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Fit, value: value.into(), advice: None }
    }

    /// The same check with another verdict, and what to do.
    fn but(self, verdict: Verdict, advice: impl Into<String>) -> Self {
        Self { verdict, advice: Some(advice.into()), ..self }
    }
}
