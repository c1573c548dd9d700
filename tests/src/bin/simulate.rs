//! Plays worlds, one per seed, and stops at the first broken promise, with the command that replays it and the steps
//! that it takes.

use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use clap::Parser;
use florin_tests::sweep::{Changes, Kind, Played, Totals, least, play, seeds_of};
use florin_tests::wire::Part;
use florin_tests::world::Violation;
use florin_tests::world::minimise::steps_of;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How often fewer steps are tried.
const TRY_COUNT_MAX: u32 = 400;
/// What is said of a broken promise, before its name.
const BROKE: &str = "broke ";
/// Lines of what happened that a broken promise prints: the last ones.
const TRACE_LINES: usize = 120;

/// Simulates Florin under crashes, power cuts, faults of disk and network and clients that mean harm, and checks every
/// promise.
#[derive(Parser)]
struct Arguments {
    /// What is played: the engine alone, or the whole server among clients on a network.
    #[arg(long, value_enum, default_value_t = Kind::Engine)]
    world: Kind,
    /// Worlds to play.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// Play only this one, twice, and compare.
    #[arg(long)]
    seed: Option<u64>,
    /// With --seed, play only these steps of the engine's world: 3-7,12.
    #[arg(long, requires = "seed")]
    steps: Option<String>,
    /// With --seed, leave out these parts of the world of clients.
    #[arg(long, requires = "seed", value_enum, value_delimiter = ',')]
    without: Vec<Part>,
    /// With --seed, so many requests in the world of clients before it comes to rest.
    #[arg(long, requires = "seed")]
    requests: Option<u64>,
    /// With --seed, say what happens.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// First seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Also play the seeds in this file that are of this world: a line has a world, a number and a sentence.
    #[arg(long)]
    file: Option<std::path::PathBuf>,
    /// The disk acknowledges writes that are not durable: the checkers must notice.
    #[arg(long)]
    lying_disk: bool,
    /// Do not look for the least that breaks a promise.
    #[arg(long)]
    briefly: bool,
    /// Fail if some kind of fault occurred, or the engine took some rare turn, in none of the worlds; in worlds of clients, a turn
    /// about transactions.
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

fn read_seeds(path: &std::path::Path, kind: Kind) -> Result<Vec<u64>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let seeds = seeds_of(&text, kind).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(seeds.into_iter().map(|(seed, _)| seed).collect())
}

fn play_one(seed: u64, arguments: &Arguments) -> Result<ExitCode, String> {
    let steps = arguments.steps.as_deref().map(steps_of).transpose()?;
    match arguments.world {
        Kind::Engine if !arguments.without.is_empty() || arguments.requests.is_some() => {
            return Err("--without and --requests are for --world clients".to_owned());
        }
        Kind::Clients if steps.is_some() => return Err("--steps is for --world engine".to_owned()),
        Kind::Engine | Kind::Clients => {}
    }
    let (lying_disk, is_traced) = (arguments.lying_disk, arguments.trace);
    let without = arguments.without.iter().copied().collect();
    let changes = Changes { lying_disk, is_traced, steps, operation_count: arguments.requests, without };
    install_panic_hook(arguments.world);
    SEED.set(seed);
    let first = play(arguments.world, seed, &changes);
    first.trace.iter().for_each(|line| println!("{line}"));
    println!("seed {seed}: {}", first.totals);
    if let Some(violation) = &first.violation {
        println!("seed {seed} {}", broke(arguments.world, first.last_step, violation));
        return Ok(ExitCode::FAILURE);
    }
    let second = play(arguments.world, seed, &changes);
    if first.digest != second.digest {
        println!("seed {seed} is not deterministic: {:016x} and {:016x}", first.digest, second.digest);
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// What a world of the engine broke, and when; the clients of the other kind have no steps.
fn broke(kind: Kind, last_step: u32, violation: &Violation) -> String {
    match kind {
        Kind::Engine => format!("{BROKE}a promise at step {last_step}: {violation}"),
        Kind::Clients => format!("{BROKE}a promise: {violation}"),
    }
}

#[expect(clippy::disallowed_methods, reason = "the sweep uses every core and reports its own speed")]
fn play_all(arguments: &Arguments) -> Result<ExitCode, String> {
    let mut seeds = arguments.file.as_deref().map_or(Ok(Vec::new()), |path| read_seeds(path, arguments.world))?;
    seeds.extend(arguments.from..arguments.from + arguments.seeds);
    let started = std::time::Instant::now();
    let (next, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    install_panic_hook(arguments.world);
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
    let missed = match arguments.world {
        Kind::Engine => totals.missed(),
        Kind::Clients => totals.missed_of_transactions(),
    };
    if arguments.all_marks && !missed.is_empty() {
        println!("these never happened: {}; play more --seeds, or mend the workload", missed.join(", "));
        return Ok(ExitCode::FAILURE);
    }
    Ok(if failed.load(Ordering::Relaxed) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

thread_local! {
    static SEED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// A broken invariant panics, which ends the process: say which seed did it.
fn install_panic_hook(kind: Kind) {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        default(info);
        let seed = SEED.get();
        println!("seed {seed} {BROKE}an invariant; replay: {}", replay_command(kind, seed, ""));
    }));
}

fn replay_command(kind: Kind, seed: u64, options: &str) -> String {
    let world = match kind {
        Kind::Engine => "",
        Kind::Clients => " --world clients",
    };
    format!("cargo run --release -p florin-tests --bin simulate --{world} --seed {seed}{options}")
}

fn work(seeds: &[u64], next: &AtomicU64, failed: &AtomicBool, arguments: &Arguments) -> Totals {
    let kind = arguments.world;
    let changes = Changes { lying_disk: arguments.lying_disk, ..Changes::default() };
    let mut totals = Totals::default();
    while !failed.load(Ordering::Relaxed) {
        let index = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap_or(usize::MAX);
        let Some(seed) = seeds.get(index).copied() else { break };
        SEED.set(seed);
        let played = play(kind, seed, &changes);
        totals = totals.plus(&played.totals);
        if let Some(violation) = &played.violation
            && !failed.swap(true, Ordering::Relaxed)
        {
            println!("seed {seed} {}", broke(kind, played.last_step, violation));
            println!("replay: {}", replay_command(kind, seed, ""));
            if !arguments.lying_disk && !arguments.briefly {
                explain(kind, seed, &played);
            }
        }
    }
    totals
}

/// Says how little of a world is enough to break its promise, and what happens in it.
fn explain(kind: Kind, seed: u64, played: &Played) {
    let Some(violation) = &played.violation else { return };
    let same = format!(": {}: ", violation.checker);
    let fails = |options: &str| again(kind, seed, options).contains(&same);
    let options = format!("{} --trace", least(kind, played.last_step, TRY_COUNT_MAX, fails));
    println!("this much is enough: {}", replay_command(kind, seed, &options));
    let text = again(kind, seed, &options);
    let lines: Vec<&str> = text.lines().collect();
    let skipped = lines.len().saturating_sub(TRACE_LINES);
    if skipped > 0 {
        println!("{skipped} lines before these:");
    }
    lines[skipped..].iter().for_each(|line| println!("{line}"));
}

/// Plays a part of a world in a process of its own, which may end with a panic; what it says.
fn again(kind: Kind, seed: u64, options: &str) -> String {
    let program = std::env::current_exe().expect("this program has a path");
    let command = replay_command(kind, seed, options);
    let (_, words) = command.split_once(" -- ").expect("the program's own options follow those of cargo");
    let output = Command::new(program).args(words.split_whitespace()).output();
    output.map_or_else(|error| error.to_string(), |output| String::from_utf8_lossy(&output.stdout).into_owned())
}
