//! Plays worlds, one per seed, and stops at the first broken promise, with the command that replays it and the steps
//! that it takes.

use std::collections::BTreeSet;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use clap::Parser;
use florin_tests::world::minimise::{minimise, steps_of, steps_text};
use florin_tests::world::{Outcome, Plan, Totals, play};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How often fewer steps are tried.
const TRY_COUNT_MAX: u32 = 400;
/// What is said of a broken promise, before its name.
const BROKE: &str = "broke ";

/// Simulates Florin's engine under crashes, power cuts and disk faults, and checks every promise.
#[derive(Parser)]
struct Arguments {
    /// Worlds to play.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// Play only this one, twice, and compare.
    #[arg(long)]
    seed: Option<u64>,
    /// With --seed, play only these steps of it: 3-7,12.
    #[arg(long, requires = "seed")]
    steps: Option<String>,
    /// With --seed, say what happens.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// First seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Also play the seeds in this file: a number at the start of each line, then a sentence.
    #[arg(long)]
    file: Option<std::path::PathBuf>,
    /// The disk acknowledges writes that are not durable: the checkers must notice.
    #[arg(long)]
    lying_disk: bool,
    /// Fail if the engine took some rare turn in none of the worlds.
    #[arg(long)]
    all_marks: bool,
    /// Worlds played at the same time.
    #[arg(long, default_value_t = std::thread::available_parallelism().map_or(1, usize::from))]
    threads: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.seed {
        Some(seed) => play_one(seed, &arguments),
        None => play_all(&arguments),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("simulate: {error}");
        ExitCode::from(2)
    })
}

fn read_seeds(path: &std::path::Path) -> Result<Vec<u64>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let number = line.split_whitespace().next().unwrap_or_default();
            number.parse().map_err(|_| format!("{}: no seed at the start of {line:?}", path.display()))
        })
        .collect()
}

fn plan(seed: u64, arguments: &Arguments) -> Plan {
    Plan { lying_disk: arguments.lying_disk, ..Plan::of(seed) }
}

fn play_one(seed: u64, arguments: &Arguments) -> Result<ExitCode, String> {
    let steps = arguments.steps.as_deref().map(steps_of).transpose()?;
    let plan = Plan { steps, is_traced: arguments.trace, ..plan(seed, arguments) };
    install_panic_hook();
    SEED.set(seed);
    let first = play(&plan);
    first.trace.iter().for_each(|line| println!("{line}"));
    println!("seed {seed}: {}", Totals::of(&first));
    if let Some(violation) = first.violation {
        println!("seed {seed} {BROKE}a promise at step {}: {violation}", first.summary.last_step);
        return Ok(ExitCode::FAILURE);
    }
    let second = play(&plan);
    if first.digest != second.digest {
        println!("seed {seed} is not deterministic: {:016x} and {:016x}", first.digest, second.digest);
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::disallowed_methods, reason = "the sweep uses every core and reports its own speed")]
fn play_all(arguments: &Arguments) -> Result<ExitCode, String> {
    let mut seeds = arguments.file.as_deref().map_or(Ok(Vec::new()), read_seeds)?;
    seeds.extend(arguments.from..arguments.from + arguments.seeds);
    let started = std::time::Instant::now();
    let (next, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    install_panic_hook();
    let totals = std::thread::scope(|scope| {
        let worker = || work(&seeds, &next, &failed, arguments);
        let workers: Vec<_> = (0..arguments.threads.max(1)).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().map(|worker| worker.join().expect("a panic ends the process")).collect::<Vec<_>>()
    });
    let totals = totals.iter().fold(Totals::default(), |sum, other| sum.plus(other));
    let seconds = started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = totals.world_count as f64 / seconds;
    println!("{} seeds in {seconds:.1} s, {rate:.0} seeds/s\n{totals}", totals.world_count);
    let missed = totals.missed();
    if arguments.all_marks && !missed.is_empty() {
        println!("the engine never took these turns: {}; play more --seeds, or mend the workload", missed.join(", "));
        return Ok(ExitCode::FAILURE);
    }
    Ok(if failed.load(Ordering::Relaxed) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

thread_local! {
    static SEED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// A broken invariant of the engine panics, which ends the process: say which seed did it.
fn install_panic_hook() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        default(info);
        let seed = SEED.get();
        println!("seed {seed} {BROKE}an invariant; replay: {}", replay_command(seed, ""));
    }));
}

fn replay_command(seed: u64, options: &str) -> String {
    format!("cargo run --release -p florin-tests --bin simulate -- --seed {seed}{options}")
}

fn work(seeds: &[u64], next: &AtomicU64, failed: &AtomicBool, arguments: &Arguments) -> Totals {
    let mut totals = Totals::default();
    while !failed.load(Ordering::Relaxed) {
        let index = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap_or(usize::MAX);
        let Some(seed) = seeds.get(index).copied() else { break };
        SEED.set(seed);
        let outcome = play(&plan(seed, arguments));
        totals = totals.plus(&Totals::of(&outcome));
        if let Some(violation) = &outcome.violation
            && !failed.swap(true, Ordering::Relaxed)
        {
            println!("seed {seed} {BROKE}a promise at step {}: {violation}", outcome.summary.last_step);
            println!("replay: {}", replay_command(seed, ""));
            if !arguments.lying_disk {
                explain(seed, &outcome);
            }
        }
    }
    totals
}

/// Says which steps of a world are enough to break its promise, and what happens in them.
fn explain(seed: u64, outcome: &Outcome) {
    let Some(violation) = &outcome.violation else { return };
    let steps: BTreeSet<u32> = (0..=outcome.summary.last_step).collect();
    let fails = |steps: &BTreeSet<u32>| again(seed, steps, false).contains(&format!(": {}: ", violation.checker));
    let fewest = minimise(steps, TRY_COUNT_MAX, fails);
    let options = format!(" --trace --steps {}", steps_text(&fewest));
    println!("{} steps are enough: {}", fewest.len(), replay_command(seed, &options));
    println!("{}", again(seed, &fewest, true));
}

/// Plays some steps of a world in a process of its own, which may end with a panic; what it says.
fn again(seed: u64, steps: &BTreeSet<u32>, is_traced: bool) -> String {
    let program = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(program);
    command.args(["--seed", &seed.to_string(), "--steps", &steps_text(steps)]);
    command.args(is_traced.then_some("--trace"));
    let output = command.output();
    output.map_or_else(|error| error.to_string(), |output| String::from_utf8_lossy(&output.stdout).into_owned())
}
