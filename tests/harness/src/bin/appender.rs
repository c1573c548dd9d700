//! Appends to a formatted directory until it is stopped or killed, and says what was acknowledged.
//!
//! `appender DIR --shards 2 --producers N --stop-after-seconds S` reads lines from its standard input first: `sent …`
//! for each batch of an earlier run that shall be sent again, then `go`; after that `stop`, or the end of the input,
//! ends it in order. `--read` only reads back. `--measure` formats directories below DIR and measures.

#![allow(clippy::disallowed_methods, reason = "a program that stands on a real host listens on a thread")]

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, ensure};
use clap::Parser;
use florin_engine::io::fitness::DirectoryLock;
use florin_engine::io::glommio::{ShardExecutor, usable_cpus};
use florin_engine::model::ShardId;
use florin_harness::real::appender::{Settings, run_shard};
use florin_harness::real::directory::executor_settings;
use florin_harness::real::line::{Line, Sent, Voice};
use florin_harness::real::measure;
use florin_harness::real::mesh::mesh;

const SECOND_NS: u64 = 1_000_000_000;

/// Appends to a formatted directory and says what was acknowledged.
#[derive(Debug, Parser)]
struct Arguments {
    /// The data directory.
    directory: PathBuf,
    /// Shards in the directory: each gets an executor of its own.
    #[arg(long, default_value_t = 2)]
    shards: u16,
    /// Producers on each shard.
    #[arg(long, default_value_t = 6)]
    producers: u32,
    /// Ends in order after this long.
    #[arg(long, default_value_t = 10)]
    stop_after_seconds: u64,
    /// The number of this run; no two runs on a directory have the same.
    #[arg(long, default_value_t = 0)]
    run: u32,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Journal blocks being written at the same time.
    #[arg(long, default_value_t = 1)]
    blocks_in_flight: usize,
    /// A producer rests up to this long after every second batch.
    #[arg(long, default_value_t = 0)]
    pause_us: u64,
    /// Producers rest when no more ring files than this are unused.
    #[arg(long, default_value_t = 0)]
    unused_files_min: usize,
    /// Only reads everything back.
    #[arg(long)]
    read: bool,
    /// Measures captures on one shard, for several numbers of producers and of blocks in flight.
    #[arg(long)]
    measure: bool,
    /// The CPU to measure on.
    #[arg(long)]
    core: Option<usize>,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if arguments.measure {
        let table = measure::measure(&arguments.directory, arguments.core).map_err(anyhow::Error::msg)?;
        eprint!("{table}");
        return Ok(ExitCode::SUCCESS);
    }
    let resumed = read_resumed()?;
    let _lock = DirectoryLock::take(&arguments.directory)?;
    let settings = Settings {
        directory: arguments.directory.clone(),
        run: arguments.run,
        seed: arguments.seed,
        producer_count: if arguments.read { 0 } else { arguments.producers },
        blocks_in_flight: arguments.blocks_in_flight,
        pause_us: arguments.pause_us,
        unused_files_min: arguments.unused_files_min,
        stop_after_ns: arguments.stop_after_seconds * SECOND_NS,
        resumed,
    };
    let stop = Arc::new(AtomicBool::new(false));
    listen(Arc::clone(&stop));
    run_shards(&arguments.directory, arguments.shards, &settings, &stop)
}

/// Starts an executor per shard, on CPUs of their own as far as there are enough, and waits for all of them.
fn run_shards(
    directory: &Path,
    shard_count: u16,
    settings: &Settings,
    stop: &Arc<AtomicBool>,
) -> anyhow::Result<ExitCode> {
    let voice = Voice::stdout().context("standard output")?;
    let cpus = usable_cpus()?;
    ensure!(!cpus.is_empty(), "this process may run nowhere");
    let mut threads = Vec::new();
    for (number, port) in (0..shard_count).zip(mesh(shard_count)) {
        let core = cpus[usize::from(number) % cpus.len()];
        let name = format!("shard-{number}");
        let executor = executor_settings(directory, &name, Some(core), usize::from(shard_count));
        let (settings, voice, stop) = (settings.clone(), voice.clone(), Arc::clone(stop));
        threads.push(ShardExecutor::new(executor).spawn(move |runtime| async move {
            let outcome = run_shard(runtime, settings, ShardId(number), port, voice.clone(), Arc::clone(&stop)).await;
            if let Err(what) = &outcome {
                voice.say(&Line::Wrong(what.clone()));
                stop.store(true, Ordering::Relaxed);
            }
            outcome.is_ok()
        })?);
    }
    let failed_count = threads.into_iter().map(|thread| thread.join()).filter(|went_well| !went_well).count();
    Ok(if failed_count == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The batches to send again, up to `go` or the end of the input.
fn read_resumed() -> anyhow::Result<Vec<Sent>> {
    let mut resumed = Vec::new();
    for text in io::stdin().lines() {
        let text = text?;
        match Line::parse(&text) {
            Some(Line::Sent(sent)) => resumed.push(sent),
            _ if text == "go" => break,
            _ => anyhow::bail!("not a batch to send again: {text:?}"),
        }
    }
    Ok(resumed)
}

/// Waits for the end of the input, or for `stop`, on a thread of its own.
fn listen(stop: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        for text in io::stdin().lines() {
            if text.is_ok_and(|text| text == "stop") {
                break;
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}
