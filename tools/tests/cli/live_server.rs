//! A real server as a child process of one test.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::scratch::{Answer, Scratch, program};

/// A server that ends when its standard input closes, so that no test leaves one behind.
pub struct LiveServer {
    process: Child,
    address: String,
    scratch: Scratch,
}

impl LiveServer {
    /// A server of two shards on a new directory, or nothing where io_uring is not permitted.
    pub fn start() -> Option<Self> {
        Self::start_with(|scratch, command| {
            command.arg(scratch.directory()).args(["--listen", "127.0.0.1:0", "--http", "off"]);
            command.args(["--shards", "2", "--journal-file-bytes", "4MiB", "--manifest-bytes", "1MiB"]);
            command.args(["--allow-cow", "--no-direct"]);
        })
    }

    /// A server that is told its settings in some other way; the directory must be that of the scratch.
    pub fn start_with(tell: impl FnOnce(&Scratch, &mut Command)) -> Option<Self> {
        let scratch = Scratch::new();
        let log = scratch.directory().with_file_name("server.log");
        let log_file = OpenOptions::new().create(true).append(true).open(&log).expect("a log");
        let mut command = program();
        command.args(["serve", "--stop-with-stdin"]);
        tell(&scratch, &mut command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log_file);
        let mut process = command.spawn().expect("the program runs");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("its output")).read_line(&mut line).expect("its first line");
        if line.is_empty() {
            process.wait().expect("it has ended");
            let said = fs::read_to_string(&log).expect("its log");
            let not_permitted = ["io_uring is switched off", "io_uring is blocked"];
            assert!(not_permitted.iter().any(|words| said.contains(words)), "the server did not start: {said}");
            println!("SKIP a real server: {said}");
            return None;
        }
        let ready: Value = serde_json::from_str(&line).expect("one line of JSON");
        assert_eq!(ready["ready"], true, "{line}");
        let address = ready["address"].as_str().expect("an address").to_owned();
        Some(Self { process, address, scratch })
    }

    /// Runs a command on it.
    pub fn run(&self, arguments: &[&str]) -> Answer {
        self.run_with_input(arguments, b"")
    }

    /// Runs a command on it that reads `input`.
    pub fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Answer {
        let mut command = self.command(arguments);
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        process.stdin.take().expect("its input").write_all(input).expect("it reads");
        let output = process.wait_with_output().expect("it ends");
        Answer {
            code: output.status.code().expect("the program ends by itself"),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        }
    }

    /// A command on it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.args(arguments).env("FLORIN_SERVER", &self.address);
        command
    }

    /// Where it says that it is, on the line with which it is ready.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What it logged until now.
    pub fn log(&self) -> String {
        fs::read_to_string(self.scratch.directory().with_file_name("server.log")).expect("its log")
    }

    /// A server of two shards that has to take batches to rest: their journals are small.
    pub fn start_small() -> Option<Self> {
        Self::start_with(|scratch, command| {
            command.arg(scratch.directory()).args(["--listen", "127.0.0.1:0", "--http", "off", "--shards", "2"]);
            command.args(["--journal-files", "4", "--journal-file-bytes", "64KiB", "--manifest-bytes", "256KiB"]);
            command.args(["--memory-bytes", "256KiB", "--allow-cow", "--no-direct"]);
        })
    }

    /// Its process.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Where its directory is.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// Stops it in order; its directory verifies clean.
    pub fn stop(mut self) {
        self.end();
    }

    /// The same, when the directory is still wanted.
    pub fn end(&mut self) {
        drop(self.process.stdin.take());
        let status = self.process.wait().expect("it ends");
        assert!(status.success(), "{status}");
        self.scratch.run("verify", &[]).assert(0, &["verdict: clean"]);
    }

    /// Kills it, as it is.
    pub fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }
}

impl Drop for LiveServer {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
