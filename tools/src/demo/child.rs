//! The demo's server: this program once more, as a process of its own.
//!
//! It stops in order when its standard input closes, which the kernel does for a demo that was killed: nothing is left
//! running.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;

use super::place::Place;
use crate::host;
use crate::settings::is_variable_of_ours;

#[cfg(test)]
mod tests;

/// Shards at most: with more of them few payments would go through each.
const SHARD_COUNT_MAX: u16 = 8;
/// Files in the ring of each shard's journal.
const JOURNAL_FILE_COUNT: u64 = 4;
/// The journals of all shards together: a sixth of what the payments take, so that each goes round six times and more, and
/// payments have to be taken to rest while others are captured, on any number of cores.
const JOURNALS_BYTES: u64 = 2 * 1024 * 1024;
/// What the sizes of journal files are multiples of.
const UNIT_BYTES: u64 = 4096;
/// Room for what all of them need, and small enough for any disk.
const MANIFEST_BYTES: u64 = 1024 * 1024;
/// What the server's log shows.
const LOG_VARIABLE: &str = "FLORIN_LOG";
/// Lines of the server's log that are shown when it did not do what it should.
const LOG_LINES_SHOWN: usize = 20;

/// A server that serves.
#[derive(Debug)]
pub struct Server {
    process: Child,
    log: PathBuf,
    /// What it said of itself.
    pub ready: Ready,
}

/// The line that a server prints when it serves.
#[derive(Debug, Deserialize)]
pub struct Ready {
    ready: bool,
    /// Where it listens.
    pub address: String,
    /// Which data it serves.
    pub directory_id: String,
}

impl Server {
    /// Starts a server, on a new directory or on what an earlier one left, and waits until it serves.
    ///
    /// # Errors
    /// If it does not come to that; the error has its words.
    pub fn start(place: &Place) -> Result<Self> {
        let log = place.log();
        let log_file = OpenOptions::new().create(true).append(true).open(&log).context("no log can be written")?;
        let program = env::current_exe().context("it is not known which program this is")?;
        let mut command = Command::new(program);
        command.arg("serve").arg(place.directory()).args(["--listen", "127.0.0.1:0", "--http", "off"]);
        // Nobody waits a minute for the demo's records to be old enough.
        command.args(["--clock-settle-seconds", "1", "--stop-with-stdin"]).args(sizes(host::usable_core_count()?));
        command.args(place.allow_cow.then_some("--allow-cow"));
        // The demo's server is the demo's: settings for another one do not count, beside what the log shows.
        let is_for_others = |name: &str| is_variable_of_ours(name) && name != LOG_VARIABLE;
        for name in env::vars_os().filter_map(|(name, _)| name.into_string().ok()).filter(|name| is_for_others(name)) {
            command.env_remove(name);
        }
        // Ctrl-C is for the demo, which then ends its server: a group of its own keeps the terminal from doing both.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log_file);
        let mut process = command.spawn().context("no server can be started")?;
        let ready = wait_until_ready(&mut process);
        match ready {
            Ok(ready) => Ok(Self { process, log, ready }),
            Err(problem) => {
                let _ = process.kill();
                let _ = process.wait();
                Err(problem.context(format!("the server did not start; it said:\n{}", tail(&log))))
            }
        }
    }

    /// Closes its standard input and waits until it has ended.
    ///
    /// # Errors
    /// If it did not end in order.
    pub fn stop(mut self) -> Result<()> {
        drop(self.process.stdin.take());
        let status = self.process.wait().context("the server's end cannot be waited for")?;
        if !status.success() {
            bail!("the server did not stop in order ({status}); it said:\n{}", tail(&self.log));
        }
        Ok(())
    }
}

impl Drop for Server {
    /// A server that was not stopped belongs to a demo that failed: its data is of no use to anybody. After `stop`
    /// there is no process and nothing happens.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// How large everything is on so many cores. Memory holds what the journals hold and no more: what is at rest is let go
/// of at once.
fn sizes(core_count: u16) -> Vec<String> {
    let shard_count = core_count.clamp(1, SHARD_COUNT_MAX);
    let file_bytes = JOURNALS_BYTES / (u64::from(shard_count) * JOURNAL_FILE_COUNT) / UNIT_BYTES * UNIT_BYTES;
    let flags = [
        ("--shards", u64::from(shard_count)),
        ("--journal-files", JOURNAL_FILE_COUNT),
        ("--journal-file-bytes", file_bytes),
        ("--memory-bytes", JOURNAL_FILE_COUNT * file_bytes),
        ("--manifest-bytes", MANIFEST_BYTES),
    ];
    flags.into_iter().flat_map(|(flag, number)| [flag.to_owned(), number.to_string()]).collect()
}

fn wait_until_ready(process: &mut Child) -> Result<Ready> {
    let out = process.stdout.take().context("the server has no standard output")?;
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line).context("the server cannot be listened to")?;
    if line.is_empty() {
        let status = process.wait().context("the server's end cannot be waited for")?;
        bail!("it ended at once ({status})");
    }
    let ready: Ready =
        serde_json::from_str(&line).with_context(|| format!("it does not say that it serves: {line}"))?;
    if ready.ready { Ok(ready) } else { Err(anyhow!("it says that it does not serve")) }
}

/// The last lines of the log.
fn tail(log: &PathBuf) -> String {
    let text = fs::read_to_string(log).unwrap_or_else(|error| format!("(its log cannot be read: {error})"));
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
}
