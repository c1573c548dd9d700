//! Whether a server keeps its promises on this machine: killed under load again and again, and started on files that
//! were damaged.
//!
//! [`florin_harness`] kills, damages and judges; here is where it happens, for how long, and what is said of it.

#![allow(clippy::disallowed_methods, reason = "a check of real processes has real files and a real clock")]

mod outcome;
#[cfg(test)]
mod tests;
mod written;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use florin_harness::real::directory::reason_to_skip;
use florin_harness::served::damage::campaign::Campaign;
use florin_harness::served::kill::{Harness, endings};
use tempfile::TempDir;

use crate::cli::CrashVerifyArguments;
use crate::floor::{folder, require_space};
use crate::machine::Machine;
use crate::report;
use crate::server::own_server;

use outcome::{Broken, Outcome};

/// Disk that a run takes at most: a journal that went round, the batches of the rounds that a topic lives, and three
/// small directories.
const BYTES_MAX: u64 = 1 << 30;

/// Where a run happens and what it has found so far.
struct Run<'a> {
    arguments: &'a CrashVerifyArguments,
    program: &'a Path,
    home: &'a Path,
    begun: Instant,
    outcome: Outcome,
}

/// Kills, damages, judges, and says what was found.
pub fn run(arguments: &CrashVerifyArguments) -> Result<()> {
    written::prepare(arguments.report.as_deref())?;
    if let (Some(home), Some(case)) = (&arguments.replay, arguments.case) {
        return replay(home, case, arguments.seed, &own_server()?);
    }
    let home = folder(arguments.data.as_deref(), "crash-verify")?;
    require_space(home.path(), BYTES_MAX)?;
    let program = own_server()?;
    if let Some(reason) = reason_to_skip(home.path()) {
        bail!("no server can be checked here: {reason}");
    }
    let machine = Machine::of(home.path());
    let mut run =
        Run { arguments, program: &program, home: home.path(), begun: Instant::now(), outcome: Outcome::default() };
    let finished = run.kill_rounds().and_then(|()| run.damage_cases());
    run.outcome.seconds = run.begun.elapsed().as_secs_f64();
    run.outcome.broken = finished.err();
    let outcome = run.outcome;
    report::progress_end();
    written::publish(arguments, &machine, &outcome)?;
    conclude(home, outcome.broken)
}

/// What was kept of a failure is named last.
fn conclude(home: TempDir, broken: Option<Broken>) -> Result<()> {
    let Some(broken) = broken else { return Ok(()) };
    let kept = home.keep();
    bail!("{}\nkept: {}\nagain with:\n  {}", broken.what, kept.display(), broken.again(&kept))
}

/// Plays one case of an earlier run again.
fn replay(home: &Path, case: u32, seed: u64, program: &Path) -> Result<()> {
    ensure!(home.is_dir(), "{} is no folder that an earlier run kept", home.display());
    let campaign = Campaign::resume(home, Some(program), seed).map_err(anyhow::Error::msg);
    let campaign = campaign.with_context(|| format!("{} has no sound directories", home.display()))?;
    match campaign.case(case) {
        Ok(played) => {
            let harms: Vec<String> = played.case.harms.iter().map(ToString::to_string).collect();
            report::print(&format!(
                "case {case}, of a server that was {}: {}: {}\n",
                played.ended.name(),
                harms.join("; "),
                played.found.name()
            ))
        }
        Err(broken) => bail!("{broken}"),
    }
}

impl Run<'_> {
    fn is_late(&self) -> bool {
        self.begun.elapsed() >= self.arguments.seconds
    }

    /// Rounds of kills, all on one directory.
    fn kill_rounds(&mut self) -> Result<(), Broken> {
        let (seed, rounds) = (self.arguments.seed, self.arguments.rounds);
        if rounds == 0 {
            return Ok(());
        }
        let directory = self.home.join("killed");
        let mut harness = Harness::new(&directory, seed).program(self.program);
        let endings = endings(rounds);
        let mut outcome = Ok(());
        for (number, ending) in (1..).zip(&endings) {
            if self.is_late() {
                self.outcome.is_cut_short = true;
                break;
            }
            let acked = harness.totals().acked_records;
            report::progress(&format!("kills: round {number} of {}, {acked} records acknowledged", endings.len()));
            outcome = harness.round(*ending);
            *self.outcome.endings.entry(ending.name()).or_default() += 1;
            if outcome.is_err() {
                break;
            }
        }
        let outcome = outcome.and_then(|()| harness.finish());
        self.outcome.totals = harness.totals();
        outcome.map_err(|what| Broken::in_rounds(what, harness.violation(), seed, rounds))?;
        std::fs::remove_dir_all(&directory)
            .map_err(|error| Broken::in_rounds(format!("{}: {error}", directory.display()), None, seed, rounds))
    }

    /// Damage to the files of a server that was stopped, and of one that was killed.
    fn damage_cases(&mut self) -> Result<(), Broken> {
        let (seed, cases) = (self.arguments.seed, self.arguments.cases);
        if cases == 0 || self.is_late() {
            self.outcome.is_cut_short |= cases > 0;
            return Ok(());
        }
        let campaign = Campaign::make(self.home, Some(self.program), seed, &mut |what| report::progress(what));
        let campaign = campaign.map_err(|what| Broken::in_making(what, seed, cases))?;
        self.outcome.stored_batches = campaign.batch_count() as u64;
        campaign.control().map_err(|broken| Broken::in_case(&broken, seed, cases))?;
        for number in 0..cases {
            if self.is_late() {
                self.outcome.is_cut_short = true;
                break;
            }
            report::progress(&format!("damage: case {} of {cases}", number + 1));
            let played = campaign.case(number).map_err(|broken| Broken::in_case(&broken, seed, cases))?;
            self.outcome.count(&played);
        }
        Ok(())
    }
}
