//! Bare servers: what a capture costs in input and output alone. They receive frames, put them into one durable write
//! and answer, and do nothing else: no checks, no offsets, no memory of what they were given, no recovery.
//!
//! They speak the frames of the protocol, so that the same load drives them and Florin. [`epoll`] is one thread that
//! waits for sockets and writes between two waits; [`glommio`] has a task for each connection and one that writes, on
//! the runtime that Florin runs on.

mod block;
mod cut;
mod epoll;
mod glommio;
mod ring_file;
#[cfg(test)]
mod tests;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Which of the bare servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Bare {
    /// `epoll`, and `pwritev2` with `RWF_DSYNC` on the same thread.
    Epoll,
    /// glommio, and a file that was opened with `O_DIRECT` and `O_DSYNC`.
    Glommio,
}

/// What a bare server says on its first line when it can be connected to.
#[derive(Debug, Serialize, Deserialize)]
struct ReadyLine {
    ready: bool,
    address: String,
}

/// Told when the server is to end.
#[derive(Clone, Debug, Default)]
struct Ending {
    ends: Arc<AtomicBool>,
}

impl Bare {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Epoll, Self::Glommio];

    /// As it is called on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Epoll => "epoll",
            Self::Glommio => "glommio",
        }
    }
}

/// Serves on any free port of 127.0.0.1 until standard input ends, with its file in `directory`.
pub fn serve(bare: Bare, directory: &Path, core: Option<usize>) -> Result<()> {
    let path = ring_file::prepare(directory)?;
    let ending = Ending::default();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port of 127.0.0.1 is free")?;
    let address = listener.local_addr().context("the own port cannot be asked for")?;
    end_with_standard_input(ending.clone(), address)?;
    match bare {
        Bare::Epoll => epoll::serve(listener, &path, core, &ending, || say_ready(address)),
        Bare::Glommio => {
            // The runtime's own listener takes its place; two can listen on a port of theirs at the same time.
            drop(listener);
            glommio::serve(address, path, core, ending, move || say_ready(address))
        }
    }
}

fn say_ready(address: SocketAddr) -> Result<()> {
    let line = serde_json::to_string(&ReadyLine { ready: true, address: address.to_string() })?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("standard output cannot be written to")
}

/// A thread that waits for the end of standard input, and then connects once, so that whoever waits for connections
/// looks whether to end.
fn end_with_standard_input(ending: Ending, address: SocketAddr) -> Result<()> {
    let wait = move || {
        let mut rest = [0; 256];
        while std::io::stdin().lock().read(&mut rest).is_ok_and(|bytes| bytes > 0) {}
        ending.ends.store(true, Ordering::Release);
        drop(std::net::TcpStream::connect(address));
    };
    std::thread::Builder::new().name("end".to_owned()).spawn(wait).context("no thread can be started")?;
    Ok(())
}

impl Ending {
    fn has_come(&self) -> bool {
        self.ends.load(Ordering::Acquire)
    }
}

/// The command line that starts one as a process of its own.
pub fn arguments(bare: Bare, directory: &Path, core: Option<usize>) -> Vec<std::ffi::OsString> {
    let mut arguments: Vec<std::ffi::OsString> =
        vec!["bare-server".into(), bare.name().into(), PathBuf::from(directory).into_os_string()];
    if let Some(core) = core {
        arguments.extend(["--core".into(), core.to_string().into()]);
    }
    arguments
}
