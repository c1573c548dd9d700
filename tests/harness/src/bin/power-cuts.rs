//! Cuts the power below the real server, again and again, and checks every promise after each cut.
//!
//! `power-cuts --cuts 500 --seed 1` builds the server if it has to, and needs /dev/fuse and the right to mount.

#![allow(clippy::disallowed_methods, reason = "a program that stands on a real host reports its own speed")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use clap::{Parser, ValueEnum};
use florin_harness::power::campaign::{Broken, Plan, Totals, play};
use florin_harness::power::cut::Honesty;
use florin_harness::power::mount::with_own_mounts;
use florin_harness::power::trouble::Trouble;
use florin_harness::served::server::program;

const FROZEN_FOR: Duration = Duration::from_secs(2);
/// What a small disk has beside what is there at a start.
const SPARE_BYTES: usize = 1024 * 1024;

/// Cuts the power below the real server, and checks every promise after each cut.
#[derive(Debug, Parser)]
struct Arguments {
    /// Cuts that are tried.
    #[arg(long, default_value_t = 500)]
    cuts: u32,
    /// Of these, in each life of the server.
    #[arg(long, default_value_t = 20)]
    per_life: u32,
    /// Seed of everything that is not up to processes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Durable writes that a lying disk loses at a cut: the checkers must notice.
    #[arg(long)]
    lose_last: Option<usize>,
    /// What else happens in every second life.
    #[arg(long, value_enum, default_value = "none")]
    trouble: Kind,
    /// Another server than that of the workspace.
    #[arg(long)]
    program: Option<PathBuf>,
    /// An existing directory, below which everything happens. A failure leaves a folder there, to be looked at.
    #[arg(long, default_value = "target")]
    below: PathBuf,
}

/// What else happens.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// Nothing.
    None,
    /// The process is stopped for two seconds.
    ProcessFreezes,
    /// The disk does not answer for two seconds.
    DiskFreezes,
    /// The disk is full until clients are refused.
    DiskFills,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if arguments.program.is_none() {
        program();
    }
    let home = arguments.below.join(format!("power-cuts-{}", std::process::id()));
    std::fs::create_dir(&home).with_context(|| format!("{} cannot be made", home.display()))?;
    let home = home.canonicalize()?;
    let plan = Plan {
        seed: arguments.seed,
        cuts: arguments.cuts,
        cuts_per_life: arguments.per_life,
        honesty: arguments.lose_last.map_or(Honesty::Honest, Honesty::LosesLast),
        trouble: match arguments.trouble {
            Kind::None => Trouble::None,
            Kind::ProcessFreezes => Trouble::ProcessFreezes(FROZEN_FOR),
            Kind::DiskFreezes => Trouble::DiskFreezes(FROZEN_FOR),
            Kind::DiskFills => Trouble::DiskFills(SPARE_BYTES),
        },
        program: arguments.program,
    };
    let begun = Instant::now();
    let mut say = |totals: &Totals| {
        println!("{:6.1} s: {} lives, {} cuts", begun.elapsed().as_secs_f64(), totals.lives, totals.cuts);
    };
    let played = with_own_mounts(|| play(&home, &plan, &mut say)).map_err(|reason| anyhow!(reason))?;
    Ok(verdict(arguments.trouble, &plan, &home, begun, played)?)
}

fn verdict(
    trouble: Kind,
    plan: &Plan,
    home: &std::path::Path,
    begun: Instant,
    played: Result<Totals, Broken>,
) -> std::io::Result<ExitCode> {
    match played {
        Ok(totals) => {
            println!("seed {}, {:.1} s: every promise held\n{totals}", plan.seed, begun.elapsed().as_secs_f64());
            std::fs::remove_dir_all(home)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(broken) => {
            let lie = match plan.honesty {
                Honesty::Honest => String::new(),
                Honesty::LosesLast(count) => format!(" --lose-last {count}"),
            };
            println!(
                "seed {} BROKE a promise: {broken}\nagain with: cargo run --release -p florin-harness --bin power-cuts -- \
                 --seed {} --cuts {} --per-life {}{lie} --trouble {}",
                plan.seed,
                plan.seed,
                plan.cuts,
                plan.cuts_per_life,
                trouble.to_possible_value().expect("it has a name").get_name()
            );
            Ok(ExitCode::FAILURE)
        }
    }
}
