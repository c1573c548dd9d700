//! Plays worlds, one per seed, and stops at the first broken promise.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use clap::Parser;
use florin_tests::sim::streams;
use florin_tests::world::{Outcome, Plan, Summary, play};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Simulates Florin's engine under crashes, power cuts and disk faults, and checks every promise.
#[derive(Parser)]
struct Arguments {
    /// Worlds to play.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// Play only this one, twice, and compare.
    #[arg(long)]
    seed: Option<u64>,
    /// First seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Also play the seeds in this file: a number at the start of each line, then a sentence.
    #[arg(long)]
    file: Option<std::path::PathBuf>,
    /// The disk acknowledges writes that are not durable: the checkers must notice.
    #[arg(long)]
    lying_disk: bool,
    /// Worlds played at the same time.
    #[arg(long, default_value_t = std::thread::available_parallelism().map_or(1, usize::from))]
    threads: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(seed) = arguments.seed {
        return play_one(seed, &arguments);
    }
    let mut seeds: Vec<u64> = match arguments.file.as_ref().map(|path| read_seeds(path)) {
        Some(Err(error)) => {
            eprintln!("simulate: {error}");
            return ExitCode::from(2);
        }
        Some(Ok(seeds)) => seeds,
        None => Vec::new(),
    };
    seeds.extend(arguments.from..arguments.from + arguments.seeds);
    play_all(&seeds, &arguments)
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

fn world(seed: u64, arguments: &Arguments) -> Outcome {
    let mut plan = Plan::of(seed, &mut streams(seed).workload);
    plan.lying_disk = arguments.lying_disk;
    play(&plan)
}

fn play_one(seed: u64, arguments: &Arguments) -> ExitCode {
    let (first, second) = (world(seed, arguments), world(seed, arguments));
    println!("seed {seed}: {:#?}", first.summary);
    if first.digest != second.digest {
        println!("seed {seed} is not deterministic: {:016x} and {:016x}", first.digest, second.digest);
        return ExitCode::FAILURE;
    }
    match first.violation {
        Some(violation) => {
            println!("seed {seed} broke a promise: {violation}");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}

#[expect(clippy::disallowed_methods, reason = "the sweep uses every core and reports its own speed")]
fn play_all(seeds: &[u64], arguments: &Arguments) -> ExitCode {
    let started = std::time::Instant::now();
    let (next, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    install_panic_hook();
    let summaries = std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..arguments.threads.max(1)).map(|_| scope.spawn(|| work(seeds, &next, &failed, arguments))).collect();
        workers.into_iter().map(|worker| worker.join().expect("a panic ends the process")).collect::<Vec<_>>()
    });
    let played: u64 = summaries.iter().map(|(count, _)| count).sum();
    let total = summaries.iter().fold(Summary::default(), |total, (_, summary)| total.plus(summary));
    let seconds = started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = played as f64 / seconds;
    println!("{played} seeds in {seconds:.1} s, {rate:.0} seeds/s; {total:?}");
    if failed.load(Ordering::Relaxed) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
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
        println!("seed {seed} broke an invariant; replay: {}", replay_command(seed));
    }));
}

fn replay_command(seed: u64) -> String {
    format!("cargo run --release -p florin-tests --bin simulate -- --seed {seed}")
}

fn work(seeds: &[u64], next: &AtomicU64, failed: &AtomicBool, arguments: &Arguments) -> (u64, Summary) {
    let (mut count, mut total) = (0, Summary::default());
    while !failed.load(Ordering::Relaxed) {
        let index = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap_or(usize::MAX);
        let Some(seed) = seeds.get(index).copied() else { break };
        SEED.set(seed);
        let outcome = world(seed, arguments);
        count += 1;
        total = total.plus(&outcome.summary);
        if let Some(violation) = outcome.violation {
            failed.store(true, Ordering::Relaxed);
            println!("seed {seed} broke a promise: {violation}");
            println!("replay: {}", replay_command(seed));
        }
    }
    (count, total)
}
