//! What a server takes that has nothing to do: memory, processor time and switches of its threads, without connections and
//! with many that are silent.

#![allow(clippy::disallowed_methods, reason = "a bench waits by the host's clock")]

mod process;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::cli::IdleArguments;
use crate::client::control::Control;
use crate::floor::folder;
use crate::machine::{Machine, allow_connections};
use crate::report::{self, Column, Output, Point, Round, core_text, count_text};
use crate::server::{Server, ServerSettings};

pub(super) use process::Usage;

/// Connections beside those that are measured: the one that asks.
const CONNECTIONS_BESIDE: u64 = 16;
/// What a server does after a start or after connections came, before it counts as idle.
const SETTLE: Duration = Duration::from_millis(500);

const COLUMNS: [Column; 6] = [
    Column { heading: "connections", number: "connections", with_range: false },
    Column { heading: "CPU %", number: "cpu_percent", with_range: true },
    Column { heading: "RSS bytes", number: "rss_bytes", with_range: true },
    Column { heading: "RSS bytes/connection", number: "rss_bytes_per_connection", with_range: true },
    Column { heading: "context switches/s", number: "context_switches_per_second", with_range: true },
    Column { heading: "threads", number: "thread_count", with_range: false },
];

/// An idle server over some time.
#[derive(Clone, Copy, Debug)]
struct Sample {
    cpu_percent: Option<f64>,
    context_switches_per_second: Option<f64>,
    rss_bytes: u64,
    thread_count: usize,
}

/// Measures both and prints them.
pub fn run(arguments: &IdleArguments) -> Result<()> {
    arguments.target.expect_no_client_core()?;
    allow_connections(arguments.connections)?;
    let output = Output::of(&arguments.output);
    output.prepare()?;
    let home = folder(arguments.target.data.as_deref(), "idle")?;
    let machine = Machine::of(home.path());
    let (mut alone, mut connected) = (Vec::new(), Vec::new());
    for round in 1..=arguments.rounds {
        let say = |what: &str| report::progress(&format!("round {round} of {}: {what}", arguments.rounds));
        let directory = home.path().join(format!("data-{round}"));
        let samples = measure(arguments, ServerSettings::of(&arguments.target, directory.clone()), &say);
        let (without, with) = samples.with_context(|| format!("round {round}"))?;
        alone.push(without);
        connected.push(with);
        std::fs::remove_dir_all(&directory).with_context(|| format!("{} cannot be removed", directory.display()))?;
    }
    report::progress_end();
    let points = [point(0, &alone, None), point(arguments.connections, &connected, Some(&alone))];
    report::publish(&output, &machine, &conditions(arguments), &COLUMNS, &points)
}

/// One server, first without connections, then with them.
fn measure(arguments: &IdleArguments, mut settings: ServerSettings, say: &dyn Fn(&str)) -> Result<(Sample, Sample)> {
    let is_set = settings.settings.iter().any(|setting| setting.starts_with("connections="));
    if !is_set {
        settings.settings.push(format!("connections={}", arguments.connections + CONNECTIONS_BESIDE));
    }
    say("starting a server");
    let server = Server::start(&settings)?;
    std::thread::sleep(SETTLE);
    say("no connection");
    let alone = observe(server.process(), arguments.seconds)?;
    say("connecting");
    let mut idle = connect(server.address(), arguments.connections)?;
    std::thread::sleep(SETTLE);
    say(&count_text(idle.len(), "connection"));
    let connected = observe(server.process(), arguments.seconds)?;
    say("asking over every connection");
    check(server.address(), &mut idle)?;
    drop(idle);
    server.stop()?;
    Ok((alone, connected))
}

/// Connections that have negotiated.
fn connect(address: &str, count: u64) -> Result<Vec<Control>> {
    let one = |number: u64| {
        Control::connect(address).with_context(|| {
            format!(
                "connection {number} of {count}: the server takes as many as --setting connections=COUNT says, and both \
                 sides need as many open files (`ulimit -n`)"
            )
        })
    };
    (1..=count).map(one).collect()
}

/// All connections must still be there, and answer.
fn check(address: &str, idle: &mut [Control]) -> Result<()> {
    let known: u64 = Control::connect(address)?.shards()?.iter().map(|shard| u64::from(shard.connection_count)).sum();
    ensure!(
        known > idle.len() as u64,
        "the server has {known} connections of {}: it closes those that are idle for too long, use fewer --seconds or a \
         longer --setting idle-seconds=S",
        idle.len() + 1
    );
    for (number, control) in (1..).zip(idle) {
        control.shards().with_context(|| format!("connection {number} does not answer any more"))?;
    }
    Ok(())
}

/// Watches a process that should do nothing.
fn observe(process: u32, duration: Duration) -> Result<Sample> {
    let before = Usage::of(process)?;
    let begun = Instant::now();
    std::thread::sleep(duration);
    let after = Usage::of(process)?;
    let seconds = begun.elapsed().as_secs_f64();
    let spent = after.since(&before);
    Ok(Sample {
        cpu_percent: spent.cpu_ns.map(|ns| ns as f64 / 1e9 / seconds * 100.0),
        context_switches_per_second: spent.context_switches.map(|count| count as f64 / seconds),
        rss_bytes: after.rss_bytes,
        thread_count: after.thread_count(),
    })
}

/// A row. Memory per connection is against the same server without connections.
fn point(connections: u64, samples: &[Sample], alone: Option<&[Sample]>) -> Point {
    let round = |(index, sample): (usize, &Sample)| {
        let more = alone.map(|alone| sample.rss_bytes as f64 - alone[index].rss_bytes as f64);
        let numbers = vec![
            ("cpu_percent", sample.cpu_percent),
            ("rss_bytes", Some(sample.rss_bytes as f64)),
            ("rss_bytes_per_connection", more.map(|bytes| bytes / connections.max(1) as f64)),
            ("context_switches_per_second", sample.context_switches_per_second),
            ("thread_count", Some(sample.thread_count as f64)),
        ];
        Round { numbers, latencies: None }
    };
    Point {
        bench: "idle",
        labels: vec![("connections", connections.into())],
        rounds: samples.iter().enumerate().map(round).collect(),
        facts: Vec::new(),
        ratios: Vec::new(),
        series: Vec::new(),
    }
}

fn conditions(arguments: &IdleArguments) -> String {
    format!(
        "{} of {} s each, a new server in each, median (range); connections are negotiated and silent; server on {}.\n",
        count_text(usize::try_from(arguments.rounds).unwrap_or(usize::MAX), "round"),
        arguments.seconds.as_secs_f64(),
        core_text(arguments.target.server_core),
    )
}
