//! `florin repair`: says what a damaged directory has lost and, if that is accepted, makes shards open again around it.
//!
//! Without `--accept-loss` it only reads. With it, everything that is damaged or written over is copied into a
//! quarantine in the directory first, together with the report.

mod quarantine;
mod report;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use florin_engine::io::blocking::{BlockingDisk, BlockingRuntime, block_on};
use florin_engine::io::fitness::DirectoryLock;
use florin_engine::model::{Realtime, ShardId};
use florin_engine::shard::open::read_identity;
use florin_engine::shard::repair::{self, RepairError, RepairPlan};

use crate::cli::RepairArguments;
use crate::directory::Directory;
use crate::{EXIT_CANNOT_TELL, EXIT_FAILED, host, output};
pub use quarantine::QUARANTINE_NAME;
use report::{Outcome, Report, ShardReport};

/// Plans, and carries out what is accepted.
pub fn run(arguments: &RepairArguments) -> Result<ExitCode> {
    let look = &arguments.shards.look;
    let report = repair(&look.directory, arguments)?;
    if look.json {
        output::print_json(&report)?;
    } else {
        output::print(&report.text())?;
    }
    if let Some(complaint) = report.complaint() {
        output::complain(&complaint);
    }
    Ok(match report.outcome {
        Outcome::Sound | Outcome::Repaired => ExitCode::SUCCESS,
        Outcome::Damaged => ExitCode::from(EXIT_FAILED),
        Outcome::CannotRepair => ExitCode::from(EXIT_CANNOT_TELL),
    })
}

fn repair(path: &Path, arguments: &RepairArguments) -> Result<Report> {
    let directory = block_on(Directory::read(&BlockingDisk, path));
    let directory = directory.context("give the path of a data directory that this user may read")?;
    ensure!(
        directory.identity().is_some(),
        "{} is not a data directory that can be repaired: no copy of its identity can be relied on, as `florin inspect \
         identity` shows; restore the file identity from a copy of this directory",
        path.display()
    );
    let _lock = DirectoryLock::take(path)?;
    let identity = block_on(read_identity(&BlockingDisk, path))?;
    let shards = directory.shards(arguments.shards.shard);
    if let Some(shard) = arguments.shards.shard {
        ensure!(shard < identity.shard_count, "there is no shard {shard}: {}", directory.shard_range());
    }
    let accepted = host::realtime();
    let mut report = Report::new(path, identity.directory_id, accepted);
    let mut plans = Vec::new();
    for shard in shards {
        match block_on(repair::plan(&BlockingDisk, path, &identity, shard, accepted)) {
            Ok(None) => report.shards.push(ShardReport::sound(shard)),
            Ok(Some(plan)) => {
                report.shards.push(ShardReport::of_plan(&plan, path));
                plans.push(plan);
            }
            Err(error) => report.shards.push(ShardReport::refused(shard, &error)),
        }
    }
    report.conclude();
    if arguments.accept_loss && !plans.is_empty() {
        carry_out(path, plans, accepted, &mut report)?;
    }
    Ok(report)
}

/// Keeps what is damaged, with the report, then carries every plan out.
fn carry_out(path: &Path, plans: Vec<RepairPlan>, accepted: Realtime, report: &mut Report) -> Result<()> {
    let place = quarantine::path(path, accepted);
    report.quarantine = Some(quarantine::relative(path, &place));
    let kept: Vec<_> =
        plans.iter().flat_map(|plan| plan.damaged_files().into_iter().chain(plan.missing_files())).collect();
    quarantine::keep(path, &place, &kept)
        .with_context(|| format!("nothing was repaired: what is damaged cannot be copied to {}", place.display()))?;
    quarantine::write_report(&place, report)
        .with_context(|| format!("nothing was repaired: the report cannot be written to {}", place.display()))?;
    for plan in plans {
        let shard = plan.shard();
        let done = block_on(plan.carry_out(&BlockingRuntime, florin_engine::io::host::now()));
        settle(report, shard, done);
    }
    report.conclude();
    Ok(())
}

fn settle(report: &mut Report, shard: ShardId, done: Result<(), RepairError>) {
    let entry = report.shards.iter_mut().find(|entry| entry.shard == shard.0).expect("every shard has its report");
    match done {
        Ok(()) => entry.outcome = Outcome::Repaired,
        Err(error) => {
            entry.outcome = Outcome::CannotRepair;
            entry.problem = Some(format!("{error}; run the repair again when the cause is mended"));
        }
    }
}
