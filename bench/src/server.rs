//! A server of our own, for one run: a child that serves an empty directory and stops when its standard input ends.

#![allow(clippy::disallowed_methods, reason = "a bench starts processes and waits for them by the host's clock")]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::bare::{self, Bare};
use crate::machine::on_core;

/// The program, beside our own.
const PROGRAM: &str = "florin";
/// What the server's log shows.
pub const LOG_VARIABLE: &str = "FLORIN_LOG";
/// A whole journal is allocated and written before a new server is ready.
const READY_WAIT: Duration = Duration::from_secs(120);
/// A server drains before it ends.
const STOP_WAIT: Duration = Duration::from_secs(60);
/// After a failure nobody waits for a drain.
const STOP_WAIT_AFTER_FAILURE: Duration = Duration::from_secs(5);
const STOP_PAUSE: Duration = Duration::from_millis(10);
/// Connections that it takes on each port, unless a setting says otherwise.
const CONNECTION_COUNT_MAX: u32 = 8192;
/// Memory of a shard has the size of its journal at least, and so much more for what is read.
const MEMORY_BYTES_BESIDE_RING: u64 = 64 << 20;

/// What the server is started with.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Its data directory.
    pub directory: PathBuf,
    /// Shards, if the directory is not there yet.
    pub shards: u16,
    /// Files of the journal of each.
    pub journal_files: u16,
    /// Bytes of each of these.
    pub journal_file_bytes: u64,
    /// The core that it may use; without one, all that we may use.
    pub core: Option<usize>,
    /// More settings, `NAME=VALUE` as the command line of `florin serve` takes them.
    pub settings: Vec<String>,
}

/// What a server says on its first line when it can be connected to.
#[derive(Clone, Debug, Deserialize)]
pub struct ReadyLine {
    ready: bool,
    /// Where shard 0 listens.
    pub address: String,
}

/// A running server. Dropped without [`Server::stop`], it is given a moment and then killed.
#[derive(Debug)]
pub struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    ready: ReadyLine,
}

impl Server {
    /// Starts one and waits until it is ready.
    pub fn start(settings: &ServerSettings) -> Result<Self> {
        let program = own_server()?;
        Self::start_command(command(&program, settings), settings.core)
    }

    /// Starts a bare server with its file in a directory, and waits until it is ready.
    pub fn start_bare(bare: Bare, directory: &Path, core: Option<usize>) -> Result<Self> {
        let mut command = Command::new(own_program()?);
        command.args(bare::arguments(bare, directory, core));
        Self::start_command(command, core)
    }

    fn start_command(mut command: Command, core: Option<usize>) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = on_core(core, || {
            command.spawn().with_context(|| format!("{} cannot be started", command.get_program().display()))
        })?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let unready = ReadyLine { ready: false, address: String::new() };
        let mut server = Self { child, stdin, ready: unready };
        let stdout = stdout.context("the server's standard output was piped")?;
        let line = first_line(stdout, READY_WAIT);
        server.ready = match line.and_then(|line| parse_ready_line(&line)) {
            Ok(ready) => ready,
            Err(error) => return Err(error.context(server.unreadiness())),
        };
        Ok(server)
    }

    /// Where shard 0 listens.
    pub fn address(&self) -> &str {
        &self.ready.address
    }

    /// Its number.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Lets it drain and end.
    pub fn stop(mut self) -> Result<()> {
        drop(self.stdin.take());
        let status = self.wait(STOP_WAIT)?;
        let status = status.with_context(|| format!("the server did not end within {} s", STOP_WAIT.as_secs()))?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }

    /// Ends it as a crash would: it gets no moment to do anything.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill().context("the server cannot be killed")?;
        self.child.wait().context("the server cannot be waited for")?;
        Ok(())
    }

    /// What became of a server that never was ready.
    fn unreadiness(&mut self) -> String {
        match self.wait(STOP_PAUSE * 10) {
            Ok(Some(status)) => format!("the server ended with {status} before it was ready"),
            Ok(None) | Err(_) => "the server did not become ready".to_owned(),
        }
    }

    fn wait(&mut self, patience: Duration) -> Result<Option<ExitStatus>> {
        let begun = Instant::now();
        loop {
            let status = self.child.try_wait().context("the server cannot be waited for")?;
            if status.is_some() || begun.elapsed() >= patience {
                return Ok(status);
            }
            std::thread::sleep(STOP_PAUSE);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stdin.take());
        if !matches!(self.wait(STOP_WAIT_AFTER_FAILURE), Ok(Some(_))) {
            // It may have ended by itself in between.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn command(program: &Path, settings: &ServerSettings) -> Command {
    let mut command = Command::new(program);
    command.arg("serve").arg(&settings.directory).args(["--listen", "127.0.0.1:0", "--http", "off"]);
    command.args(["--stop-with-stdin", "--shards", &settings.shards.to_string()]);
    command.args(["--journal-files", &settings.journal_files.to_string()]);
    command.args(["--journal-file-bytes", &settings.journal_file_bytes.to_string()]);
    let is_set = |name: &str| settings.settings.iter().any(|setting| setting.split('=').next() == Some(name));
    if !is_set("memory-bytes") {
        let ring_bytes = settings.journal_file_bytes.saturating_mul(u64::from(settings.journal_files));
        command.args(["--memory-bytes", &(ring_bytes + MEMORY_BYTES_BESIDE_RING).to_string()]);
    }
    if !is_set("connections") {
        command.args(["--connections", &CONNECTION_COUNT_MAX.to_string()]);
    }
    command.args(settings.settings.iter().map(|setting| format!("--{setting}")));
    for name in std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()) {
        // Settings for other servers do not count here, beside what the log shows.
        if name.starts_with("FLORIN_") && name != LOG_VARIABLE {
            command.env_remove(name);
        }
    }
    if std::env::var_os(LOG_VARIABLE).is_none() {
        // Its good news would stand between our own lines.
        command.env(LOG_VARIABLE, "warn");
    }
    command
}

/// The server's program, where every bench finds it.
pub fn own_server() -> Result<PathBuf> {
    program_beside(&own_program()?)
}

fn own_program() -> Result<PathBuf> {
    std::env::current_exe().context("the own program cannot be found")
}

/// The server's program in the folder of ours.
fn program_beside(own: &Path) -> Result<PathBuf> {
    let program = own.with_file_name(PROGRAM);
    if !program.is_file() {
        bail!(
            "{} is missing: run `cargo build --release`, or name a running server with --server where that can be",
            program.display()
        );
    }
    Ok(program)
}

/// The first line of a stream. Whatever follows is read and dropped, so that nobody waits for us to take it.
fn first_line(stdout: ChildStdout, patience: Duration) -> Result<String> {
    let (sender, receiver) = mpsc::channel();
    let read = move || {
        let mut reader = BufReader::new(stdout);
        let mut line = String::new();
        let outcome = reader.read_line(&mut line).map(|_| line);
        // Nobody listens any more if it took too long.
        let _ = sender.send(outcome);
        let mut rest = [0; 4096];
        while reader.read(&mut rest).is_ok_and(|bytes| bytes > 0) {}
    };
    std::thread::Builder::new().name("server-output".to_owned()).spawn(read).context("no thread can be started")?;
    match receiver.recv_timeout(patience) {
        Ok(line) => line.context("the server's standard output cannot be read"),
        Err(RecvTimeoutError::Timeout) => bail!("it said nothing for {} s", patience.as_secs()),
        Err(RecvTimeoutError::Disconnected) => bail!("its standard output was closed"),
    }
}

/// Reads the line that a server prints when it is ready.
fn parse_ready_line(line: &str) -> Result<ReadyLine> {
    ensure!(!line.trim().is_empty(), "it said nothing");
    let ready: ReadyLine =
        serde_json::from_str(line).with_context(|| format!("its first line is no readiness: {}", line.trim()))?;
    ensure!(ready.ready, "its first line says that it is not ready: {}", line.trim());
    ensure!(!ready.address.is_empty(), "its first line names no address: {}", line.trim());
    Ok(ready)
}

#[cfg(test)]
mod tests;
