//! `florin serve` as a child process: built, started, listened to, stopped or killed.

#![allow(clippy::disallowed_methods, reason = "a harness of real processes has real threads and a real clock")]

use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a server may take to be ready, or to end, before the test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether a process ended.
const LOOK: Duration = Duration::from_millis(5);

/// What the program is made from, in the workspace.
const SOURCES: [&str; 5] = ["Cargo.toml", "Cargo.lock", "engine/src", "net/src", "tools/src"];

/// The program: as `cargo test` left it for the whole workspace, or built now if it is not there or older than its
/// sources.
///
/// It is held open, and started from there: what was built is what runs, even if another build replaces the file.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<(std::fs::File, PathBuf)> = OnceLock::new();
    let (_, path) = PROGRAM.get_or_init(|| {
        let own = std::env::current_exe().expect("a program knows its own file");
        let folder = own.parent().expect("it lies in a folder");
        // Tests lie in a folder of the profile's one, other programs in that itself.
        let is_test = folder.ends_with("deps");
        let profile = if is_test { folder.parent().expect("the profile's folder") } else { folder };
        let program = profile.join("florin");
        if !is_fresh(&program) {
            build(profile);
        }
        let file = std::fs::File::open(program).expect("the server was built");
        let path = PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()));
        (file, path)
    });
    path
}

fn build(profile: &Path) {
    let name = profile.file_name().and_then(|name| name.to_str()).expect("a profile has a name");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--workspace", "--bin", "florin"]);
    cargo.args(["--profile", if name == "debug" { "dev" } else { name }]);
    cargo.arg("--target-dir").arg(profile.parent().expect("a profile's folder lies in the target directory"));
    let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo can be started");
    assert!(status.success(), "the server cannot be built");
}

/// Whether the program is there and younger than everything that it is made from.
fn is_fresh(program: &Path) -> bool {
    let modified = |path: &Path| std::fs::metadata(path).and_then(|metadata| metadata.modified());
    let Ok(built) = modified(program) else { return false };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate lies in the workspace");
    let mut left: Vec<PathBuf> = SOURCES.iter().map(|source| root.join(source)).collect();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).expect("the workspace can be read");
            left.extend(entries.map(|entry| entry.expect("the workspace can be read").path()));
        } else if modified(&path).is_ok_and(|changed| changed > built) {
            return false;
        }
    }
    true
}

/// How a server is started: on free ports of the local host, with a journal that is quickly formatted.
#[derive(Clone, Debug)]
pub struct Start {
    program: Option<PathBuf>,
    directory: PathBuf,
    listen: String,
    shard_count: u16,
    journal_files: u16,
    journal_file_bytes: u64,
    manifest_bytes: u64,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Start {
    /// A server of two shards, each with 8 files of 1 MiB.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            program: None,
            directory: directory.into(),
            listen: "127.0.0.1:0".to_owned(),
            shard_count: 2,
            journal_files: 8,
            journal_file_bytes: 1024 * 1024,
            manifest_bytes: 256 * 1024,
            arguments: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// The program, if it is another one than that of the workspace.
    pub fn program(mut self, program: &Path) -> Self {
        self.program = Some(program.to_owned());
        self
    }

    /// Shards of a directory that is formatted.
    pub fn shards(mut self, count: u16) -> Self {
        self.shard_count = count;
        self
    }

    /// The ring of each shard of a directory that is formatted.
    pub fn journal(mut self, files: u16, file_bytes: u64) -> Self {
        (self.journal_files, self.journal_file_bytes) = (files, file_bytes);
        self
    }

    /// Size of a manifest of a directory that is formatted.
    pub fn manifest_bytes(mut self, bytes: u64) -> Self {
        self.manifest_bytes = bytes;
        self
    }

    /// Where shard 0 listens.
    pub fn listen(mut self, address: impl ToString) -> Self {
        self.listen = address.to_string();
        self
    }

    /// More words on the command line.
    pub fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// A variable of the server's environment, such as `FLORIN_LOG`.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.program.as_deref().unwrap_or_else(|| program()));
        command.arg0("florin").arg("serve").arg(&self.directory).args(["--listen", &self.listen]);
        if !self.arguments.iter().any(|argument| argument == "--http") {
            command.args(["--http", "127.0.0.1:0"]);
        }
        command.args(["--stop-with-stdin", "--shards", &self.shard_count.to_string()]);
        command.args(["--journal-files", &self.journal_files.to_string()]);
        command.args(["--journal-file-bytes", &self.journal_file_bytes.to_string()]);
        command.args(["--manifest-bytes", &self.manifest_bytes.to_string()]);
        command.args(&self.arguments);
        // What is set for the tests, or for another server, is not for this one.
        for name in std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()) {
            if name.starts_with("FLORIN_") {
                command.env_remove(name);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// What a server says when it is ready.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Shard 0, or the first that was opened.
    pub address: SocketAddr,
    /// The port of each shard.
    pub ports: Vec<u16>,
    /// Health and metrics.
    pub http: Option<SocketAddr>,
    /// Which directory is served.
    pub directory_id: String,
}

/// How a server ended, and what it had logged.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its standard error.
    pub log: String,
}

/// A running server. Dropped without being ended, it is killed.
pub struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    ready: Ready,
    log: Log,
}

#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Collects what is written, on a thread of its own; the receiver hears when it ended.
    fn collect(&self, mut from: impl Read + Send + 'static) -> Receiver<()> {
        let log = Arc::clone(&self.0);
        let (ended, receiver) = channel::<()>();
        thread::spawn(move || {
            let _ended = ended;
            let mut piece = [0; 4096];
            while let Ok(bytes @ 1..) = from.read(&mut piece) {
                log.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..bytes]);
            }
        });
        receiver
    }
}

/// A child that is killed unless it is handed on.
struct Guard(Option<Child>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            kill(child);
        }
    }
}

impl Server {
    /// Starts a server and waits until it is ready. One that ends before that is an error with what it said; so is one
    /// that neither gets ready nor ends, or says something else than that it is ready. It is killed then.
    ///
    /// # Panics
    /// If there is no such program.
    pub fn start(start: &Start) -> Result<Self, Ended> {
        let mut child = start.command().spawn().expect("the server can be started");
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("it is piped");
        let log = Log::default();
        let log_ended = log.collect(child.stderr.take().expect("it is piped"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            // Until its end, so that the server never finds its output closed.
            for line in BufReader::new(stdout).lines() {
                let _ = line.map(|line| sender.send(line));
            }
        });
        let mut guard = Guard(Some(child));
        let what = match lines.recv_timeout(PATIENCE) {
            Ok(line) => match parse_ready(&line) {
                Some(ready) => {
                    let child = guard.0.take().expect("it is still there");
                    return Ok(Self { child, stdin, ready, log });
                }
                None => format!("ERROR {line:?} does not say that it is ready: killed\n"),
            },
            Err(RecvTimeoutError::Timeout) => format!("ERROR not ready after {PATIENCE:?}: killed\n"),
            Err(RecvTimeoutError::Disconnected) => String::new(),
        };
        let child = guard.0.as_mut().expect("it is still there");
        let waited = if what.is_empty() { wait(child) } else { None };
        let status = waited.unwrap_or_else(|| kill(child));
        let _ = log_ended.recv_timeout(PATIENCE);
        guard.0 = None;
        Err(Ended { status, log: log.text() + &what })
    }

    /// Starts a server and kills it a while later, ready or not.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn kill_while_starting(start: &Start, after: Duration) -> Ended {
        let mut child = start.command().spawn().expect("the server can be started");
        let log = Log::default();
        let ended = log.collect(child.stderr.take().expect("it is piped"));
        thread::sleep(after);
        let status = kill(&mut child);
        let _ = ended.recv_timeout(PATIENCE);
        Ended { status, log: log.text() }
    }

    /// What it said when it was ready.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Where a shard listens.
    pub fn address_of(&self, shard: u16) -> SocketAddr {
        SocketAddr::new(self.ready.address.ip(), self.ready.ports[usize::from(shard)])
    }

    /// Its number as a process.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// What it logged until now.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends it SIGTERM.
    pub fn terminate(&self) -> io::Result<()> {
        self.signal(Signal::TERM)
    }

    /// Stops it where it is: the kernel takes connections and bytes for it, and it does nothing.
    pub fn pause(&self) -> io::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub fn resume(&self) -> io::Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process has a number");
        Ok(kill_process(id, signal)?)
    }

    /// Closes its standard input, which tells it to stop.
    pub fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Kills it with SIGKILL.
    pub fn kill(mut self) -> Ended {
        kill(&mut self.child);
        self.wait()
    }

    /// Tells it to stop in order, and waits for its end.
    pub fn stop(mut self) -> Ended {
        self.close_input();
        self.wait()
    }

    /// Waits for its end. One that takes too long is killed, and its log says so.
    pub fn wait(mut self) -> Ended {
        let status = wait(&mut self.child);
        let what =
            if status.is_none() { format!("ERROR not ended after {PATIENCE:?}: killed\n") } else { String::new() };
        let status = status.unwrap_or_else(|| kill(&mut self.child));
        // The last words may be on their way from the pipe.
        thread::sleep(LOOK * 4);
        Ended { status, log: self.log.text() + &what }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        kill(&mut self.child);
        if thread::panicking() {
            eprintln!("the server had logged:\n{}", self.log.text());
        }
    }
}

fn kill(child: &mut Child) -> ExitStatus {
    // It fails only if the process has been waited for.
    let _ = child.kill();
    child.wait().expect("a child can be waited for")
}

/// How a child ended, if it did in time.
fn wait(child: &mut Child) -> Option<ExitStatus> {
    let give_up_at = Instant::now() + PATIENCE;
    while Instant::now() < give_up_at {
        let status = child.try_wait().expect("a child can be waited for");
        if status.is_some() {
            return status;
        }
        thread::sleep(LOOK);
    }
    None
}

/// The line of JSON; its fields are flat and their values need no escapes.
fn parse_ready(line: &str) -> Option<Ready> {
    let after = |name: &str| line.split_once(&format!("\"{name}\":")).map(|(_, rest)| rest);
    let text = |name: &str| after(name)?.strip_prefix('"')?.split('"').next();
    let ports = after("ports")?.strip_prefix('[')?.split(']').next()?;
    Some(Ready {
        address: text("address")?.parse().ok()?,
        ports: ports.split(',').map(|port| port.trim().parse().ok()).collect::<Option<_>>()?,
        http: text("http").and_then(|address| address.parse().ok()),
        directory_id: text("directory_id")?.to_owned(),
    })
}
