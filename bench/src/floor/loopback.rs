//! A round trip over 127.0.0.1 between two threads that block on their sockets: 256 bytes there, 32 back.

#![allow(clippy::disallowed_methods, reason = "a bench measures with the host's clock")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::machine::on_core;
use crate::statistics::Latencies;

pub(super) const REQUEST_BYTES: usize = 256;
pub(super) const ANSWER_BYTES: usize = 32;
/// Longer than any scheduler lets a thread wait: then something else is wrong.
pub(super) const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// Both ends of a connection, the far one on a thread of its own.
#[derive(Debug)]
pub struct Loopback {
    stream: TcpStream,
    answering: Option<JoinHandle<()>>,
}

/// Round trips of one round.
#[derive(Debug)]
pub struct LoopbackSample {
    /// Of each round trip.
    pub latencies: Latencies,
    /// How long all took.
    pub seconds: f64,
}

/// Both ends of a new connection over 127.0.0.1.
pub(super) fn pair() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port of 127.0.0.1 is free")?;
    let near = TcpStream::connect(listener.local_addr()?).context("127.0.0.1 cannot be connected to")?;
    let (far, _) = listener.accept().context("the own connection was not accepted")?;
    for end in [&near, &far] {
        end.set_nodelay(true)?;
    }
    Ok((near, far))
}

impl Loopback {
    /// Connects. The thread that answers runs on `peer_core`; without one, on any.
    pub fn start(peer_core: Option<usize>) -> Result<Self> {
        let (stream, far) = pair()?;
        stream.set_read_timeout(Some(ANSWER_WAIT))?;
        // A thread inherits the core of the one that starts it.
        let answering = on_core(peer_core, || {
            let thread = std::thread::Builder::new().name("loopback".to_owned());
            thread.spawn(move || answer_until_end(far)).context("no thread can be started")
        })?;
        Ok(Self { stream, answering: Some(answering) })
    }

    /// Goes back and forth for so long, from a thread on `core`.
    pub fn run(&mut self, duration: Duration, core: Option<usize>) -> Result<LoopbackSample> {
        on_core(core, || self.ask_until_end(duration))
    }

    fn ask_until_end(&mut self, duration: Duration) -> Result<LoopbackSample> {
        let request = [0x35; REQUEST_BYTES];
        let mut answer = [0; ANSWER_BYTES];
        let mut latencies = Latencies::new();
        let begun = Instant::now();
        while begun.elapsed() < duration {
            let asked = Instant::now();
            self.stream.write_all(&request).context("a request over loopback was not taken")?;
            self.stream.read_exact(&mut answer).context("an answer over loopback did not come")?;
            latencies.record(asked.elapsed());
        }
        Ok(LoopbackSample { latencies, seconds: begun.elapsed().as_secs_f64() })
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        // The other end then reads an end and is done; if it was gone already, so much the better.
        let _ = self.stream.shutdown(Shutdown::Both);
        if let Some(answering) = self.answering.take() {
            let _ = answering.join();
        }
    }
}

fn answer_until_end(mut stream: TcpStream) {
    let mut request = [0; REQUEST_BYTES];
    while stream.read_exact(&mut request).is_ok() {
        if stream.write_all(&[0x36; ANSWER_BYTES]).is_err() {
            return;
        }
    }
}
