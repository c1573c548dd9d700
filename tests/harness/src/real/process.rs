//! An appender as a child process: started, listened to, stopped or killed.

#![allow(clippy::disallowed_methods, reason = "a harness of real processes has real threads and a real clock")]

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::line::{Line, Sent};

/// How long a child may take for anything before the test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a run is started.
#[derive(Clone, Debug)]
pub struct Start<'a> {
    /// The appender's program.
    pub program: &'a Path,
    /// The data directory.
    pub directory: &'a Path,
    /// Shards in it.
    pub shard_count: u16,
    /// Producers on each shard; 0 only reads back.
    pub producer_count: u32,
    /// The number of this run.
    pub run: u32,
    /// Seed of the run.
    pub seed: u64,
    /// Journal blocks being written at the same time.
    pub blocks_in_flight: usize,
    /// The longest rest of a producer.
    pub pause_us: u64,
    /// Ring files that producers leave unused.
    pub unused_files_min: u64,
    /// Batches to send again.
    pub resumed: &'a [Sent],
}

/// How a run ended, and everything it said.
#[derive(Debug)]
pub struct Ended {
    /// The exit status.
    pub status: ExitStatus,
    /// The whole lines, in order.
    pub lines: Vec<Line>,
}

/// A running appender. Dropped without being ended, it is killed.
pub struct Appender {
    child: Child,
    stdin: Option<ChildStdin>,
    incoming: Receiver<Result<Line, String>>,
    lines: Vec<Line>,
}

impl Appender {
    /// Starts the program.
    pub fn start(start: &Start<'_>) -> io::Result<Self> {
        let mut command = Command::new(start.program);
        command.arg(start.directory).args(["--stop-after-seconds", "60"]);
        let numbers = [
            ("--shards", u64::from(start.shard_count)),
            ("--producers", u64::from(start.producer_count)),
            ("--run", u64::from(start.run)),
            ("--seed", start.seed),
            ("--blocks-in-flight", start.blocks_in_flight as u64),
            ("--pause-us", start.pause_us),
            ("--unused-files-min", start.unused_files_min),
        ];
        for (name, number) in numbers {
            command.arg(name).arg(number.to_string());
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take().expect("it is piped");
        let stdout = child.stdout.take().expect("it is piped");
        for sent in start.resumed {
            writeln!(stdin, "{}", Line::Sent(*sent))?;
        }
        writeln!(stdin, "go")?;
        let (sender, incoming) = channel();
        thread::spawn(move || {
            for line in whole_lines(stdout) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, stdin: Some(stdin), incoming, lines: Vec::new() })
    }

    /// Listens until a line answers `wanted`, the process ends (`false`), or patience does (an error).
    pub fn listen_until(&mut self, mut wanted: impl FnMut(&Line) -> bool) -> Result<bool, String> {
        let give_up_at = Instant::now() + PATIENCE;
        loop {
            match self.incoming.recv_timeout(give_up_at.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let line = line?;
                    let found = wanted(&line);
                    self.lines.push(line);
                    if found {
                        return Ok(true);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(false),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("the appender said nothing for {PATIENCE:?}; last: {:?}", self.lines.last()));
                }
            }
        }
    }

    /// Listens for a time.
    pub fn listen_for(&mut self, duration: Duration) -> Result<(), String> {
        let until = Instant::now() + duration;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            match self.incoming.recv_timeout(left) {
                Ok(line) => self.lines.push(line?),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
        Ok(())
    }

    /// Kills the process with SIGKILL and collects what it had said.
    pub fn kill(mut self) -> Result<Ended, String> {
        self.child.kill().map_err(|error| error.to_string())?;
        self.collect()
    }

    /// Asks the process to stop in order and waits for its end.
    pub fn stop(mut self) -> Result<Ended, String> {
        if let Some(mut stdin) = self.stdin.take() {
            // If nobody reads it, the process has ended by itself and the lines say why.
            let _ = writeln!(stdin, "stop");
        }
        self.collect()
    }

    /// Waits for a process that ends by itself.
    pub fn wait(self) -> Result<Ended, String> {
        self.collect()
    }

    fn collect(mut self) -> Result<Ended, String> {
        if self.listen_until(|_| false)? {
            unreachable!("nothing was wanted");
        }
        let status = self.child.wait().map_err(|error| error.to_string())?;
        Ok(Ended { status, lines: std::mem::take(&mut self.lines) })
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        // Both fail only if the process has been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a process; what follows the last newline was cut off by its death.
fn whole_lines(stdout: ChildStdout) -> impl Iterator<Item = Result<Line, String>> {
    let mut reader = BufReader::new(stdout);
    std::iter::from_fn(move || {
        let mut text = String::new();
        match reader.read_line(&mut text) {
            Err(error) => Some(Err(error.to_string())),
            Ok(_) => {
                let text = text.strip_suffix('\n')?;
                Some(Line::parse(text).ok_or_else(|| format!("the appender said {text:?}")))
            }
        }
    })
}
