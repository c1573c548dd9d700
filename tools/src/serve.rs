//! `florin serve`: serves a data directory until it is told to stop.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use florin_engine::shard::directory::{TakenDirectory, take};
use florin_net::server::{Listening, ServerSettings, StopSignals, run as run_server};
use tracing_subscriber::EnvFilter;

use crate::cli::ServeArguments;
use crate::output;
use crate::settings::{Environment, Settings};

/// Reads the settings, takes the directory, serves it, and drains.
pub fn run(arguments: &ServeArguments) -> Result<ExitCode> {
    let environment = Environment::of_this_process();
    let settings = Settings::gather(arguments.settings.given(), arguments.config.as_deref(), &environment)?;
    if arguments.print_config {
        output::print(&settings.to_toml()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let signals = StopSignals::block(arguments.stop_with_stdin).context("signals cannot be blocked")?;
    start_logs(settings.log_filter()?);
    let server = settings.for_server()?;
    let taken = take(settings.directory(), &settings.for_directory()?)?;
    announce(&server, &taken);
    let TakenDirectory { lock, identity, .. } = taken;
    let served = run_server(&server, identity, signals, |listening| {
        if let Err(error) = say_ready(listening) {
            tracing::warn!(%error, "standard output does not take the line that says ready");
        }
    });
    if let Err(error) = served {
        // Writes may still be under way: the lock goes with the process, not before.
        std::mem::forget(lock);
        return Err(error.into());
    }
    drop(lock);
    Ok(ExitCode::SUCCESS)
}

fn start_logs(filter: EnvFilter) {
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    logs.with_ansi(std::io::stderr().is_terminal()).with_target(false).init();
}

fn announce(server: &ServerSettings, taken: &TakenDirectory) {
    let directory = server.directory.display();
    let id = taken.identity.directory_id;
    let shards = taken.identity.shard_count;
    if taken.formatted {
        tracing::info!(%directory, %id, shards, "formatted a new data directory");
    } else {
        tracing::info!(%directory, %id, shards, "opening the data directory");
    }
    for warning in &taken.warnings {
        tracing::warn!(%warning, "the file system");
    }
    if !server.listen.is_loopback() {
        tracing::warn!(
            address = %server.listen,
            "there is neither encryption nor authentication yet: let only trusted hosts reach this address"
        );
    }
}

/// One line of JSON for whoever started the server.
fn say_ready(listening: &Listening) -> Result<()> {
    for (shard, error) in &listening.refused {
        tracing::error!(%shard, %error, "served without this shard");
    }
    tracing::info!(address = %listening.address, http = ?listening.http, "ready");
    let line = serde_json::json!({
        "ready": true,
        "address": listening.address.to_string(),
        "ports": listening.ports,
        "http": listening.http.map(|address| address.to_string()),
        "directory_id": listening.directory_id.to_string(),
    });
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
