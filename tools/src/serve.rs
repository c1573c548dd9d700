//! `florin serve`: serves a data directory until it is told to stop.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use florin_engine::format::layout::Geometry;
use florin_engine::io::fitness::DirectIo;
use florin_engine::model::Id128;
use florin_engine::shard::directory::{Settings, TakenDirectory, take};
use florin_net::server::{Listening, ServerSettings, StopSignals, run as run_server};
use tracing_subscriber::EnvFilter;

use crate::cli::{HttpAddress, ListenAddress, ServeArguments};
use crate::host;

/// What the logs show when the environment does not say otherwise.
const LOG_DEFAULT: &str = "info";
const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// Takes the directory, serves it, and drains.
pub fn run(arguments: &ServeArguments) -> Result<ExitCode> {
    let signals = StopSignals::block(arguments.stop_with_stdin).context("signals cannot be blocked")?;
    start_logs();
    let directory = &arguments.directory;
    let direct_io = if arguments.format.no_direct { DirectIo::Off } else { DirectIo::Required };
    let geometry = Geometry {
        file_count: arguments.format.journal_files,
        file_bytes: arguments.format.journal_file_bytes.0,
        manifest_bytes: arguments.format.manifest_bytes.0,
    };
    let settings = Settings {
        shard_count: arguments.format.shards.map_or_else(host::usable_core_count, Ok)?,
        geometry,
        allow_cow: arguments.format.allow_cow,
        direct_io,
        expect_id: arguments.expect_id,
    };
    let taken = take(directory, &settings)?;
    announce(arguments, &taken);
    let mut server = ServerSettings::new(directory.clone());
    server.listen = arguments.listen.address;
    server.port = arguments.listen.port;
    server.advertise.clone_from(&arguments.advertise);
    server.http = arguments.http.0;
    server.direct_io = direct_io;
    server.executor_count_max = arguments.cores;
    server.connection_count_max = arguments.connections;
    server.connection_bytes_max = usize::try_from(arguments.connection_bytes.0).unwrap_or(usize::MAX);
    server.patience.idle_ns = arguments.idle_seconds.saturating_mul(NANOSECONDS_PER_SECOND);
    server.patience.frame_ns = arguments.frame_seconds.saturating_mul(NANOSECONDS_PER_SECOND);
    server.patience.send_ns = arguments.send_seconds.saturating_mul(NANOSECONDS_PER_SECOND);
    server.drain_ns = arguments.drain_seconds.saturating_mul(NANOSECONDS_PER_SECOND);
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

fn start_logs() {
    let filter = EnvFilter::try_from_env("FLORIN_LOG").unwrap_or_else(|_| EnvFilter::new(LOG_DEFAULT));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    logs.with_ansi(std::io::stderr().is_terminal()).with_target(false).init();
}

fn announce(arguments: &ServeArguments, taken: &TakenDirectory) {
    let directory = arguments.directory.display();
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
    if !arguments.listen.address.is_loopback() {
        tracing::warn!(
            address = %arguments.listen.address,
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

impl FromStr for ListenAddress {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (address, port) = text.rsplit_once(':').context("write an address and a port, such as 127.0.0.1:7878")?;
        let address = address.trim_start_matches('[').trim_end_matches(']');
        let address = address.parse().with_context(|| format!("{address:?} is no IP address"))?;
        let port = port.parse().with_context(|| format!("{port:?} is no port: write 0 to 65535"))?;
        Ok(Self { address, port })
    }
}

impl FromStr for HttpAddress {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "off" => Ok(Self(None)),
            _ => Ok(Self(Some(text.parse().context("write an address and a port, such as 127.0.0.1:7877, or off")?))),
        }
    }
}

/// A directory's id as `inspect identity` and the server's first log line show it.
pub fn directory_id(text: &str) -> Result<Id128> {
    let mut bytes = [0; 16];
    if text.len() != 2 * bytes.len() || !text.is_ascii() {
        bail!("a directory's id has 32 hexadecimal digits");
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits)?;
        *byte = u8::from_str_radix(digits, 16).context("a directory's id has 32 hexadecimal digits")?;
    }
    Ok(Id128(bytes))
}

#[cfg(test)]
mod tests;
