//! All connections of a point, those that send and those that read, driven by one thread: in a closed loop, or at a
//! rate.

#![allow(clippy::disallowed_methods, reason = "a bench measures with the host's clock")]

mod observer;
mod progress;

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::{Events, Poll, Token};

use super::connection::Connection;
use super::payload::Payloads;
use super::reader::{Reader, ReaderPlan};
use super::routes::Route;
use crate::statistics::Latencies;

pub use observer::{EachStored, Observer, Stored, Unobserved, Window};
use progress::Progress;

/// Before it counts: buffers have their size, the server its rhythm.
const WARM_UP: Duration = Duration::from_millis(300);
/// Longer than any flush takes on a disk that works.
const ANSWER_WAIT: Duration = Duration::from_secs(30);
const EVENT_COUNT_MAX: usize = 1024;
const SCRATCH_BYTES: usize = 64 * 1024;
/// Readers take large answers in pieces of this size.
const READER_SCRATCH_BYTES: usize = 256 * 1024;

/// What follows when the journal has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The load ends with the refusal.
    Fail,
    /// The batch waits and is sent again; its latency goes on.
    Wait,
}

/// How much is asked.
#[derive(Clone, Copy, Debug)]
pub struct LoadSettings {
    /// Not counted, at the start.
    pub warm_up: Duration,
    /// Counted.
    pub counted: Duration,
    /// Requests in flight on each connection of a closed loop.
    pub in_flight: usize,
    /// Requests per second over all connections: an open loop.
    pub rate: Option<f64>,
    /// The load ends before its time once so many batches are answered.
    pub batch_count_max: Option<u64>,
    /// What follows when the journal has no room.
    pub when_full: WhenFull,
}

/// What a load gave.
#[derive(Debug)]
pub struct LoadSample {
    /// Of each request that was answered while it counted.
    pub latencies: Latencies,
    /// How long it took: while it counted, and of an open loop until the last that was due then was answered.
    pub counted_seconds: f64,
    /// All acknowledged batches, those before and after included.
    pub answered_batches: u64,
    /// Batches that were sent, those included that are not answered.
    pub sent_batches: u64,
    /// How often a batch had to wait because the journal was full.
    pub journal_full_count: u64,
}

/// Connections that wait for their first batch.
#[derive(Debug)]
pub struct Load {
    poll: Poll,
    connections: Vec<Connection>,
    readers: Vec<Reader>,
}

impl LoadSettings {
    /// A closed loop with one request in flight on each connection, counting for so long after a warm-up.
    pub fn lasting(counted: Duration) -> Self {
        let (warm_up, in_flight) = (WARM_UP, 1);
        Self { warm_up, counted, in_flight, rate: None, batch_count_max: None, when_full: WhenFull::Fail }
    }

    /// Nothing is sent: for connections that only read, until their observer awaits nothing more.
    pub fn reading() -> Self {
        Self { warm_up: Duration::ZERO, ..Self::lasting(Duration::ZERO) }
    }
}

impl Load {
    /// Connects one socket for every route.
    pub fn connect(routes: &[Route]) -> Result<Self> {
        let poll = Poll::new().context("events cannot be waited for")?;
        let connect = |(number, route)| {
            Connection::connect(route, poll.registry(), Token(number))
                .with_context(|| format!("connection {}", number + 1))
        };
        let connections = routes.iter().enumerate().map(connect).collect::<Result<_>>()?;
        Ok(Self { poll, connections, readers: Vec::new() })
    }

    /// Connects readers as well. They ask for their first batches when the load begins, before anything is sent.
    pub fn with_readers(mut self, plans: &[ReaderPlan]) -> Result<Self> {
        for plan in plans {
            let number = self.readers.len();
            let token = Token(self.connections.len() + number);
            let reader = Reader::connect(plan, self.poll.registry(), token);
            self.readers.push(reader.with_context(|| format!("reader {}", number + 1))?);
        }
        Ok(self)
    }

    /// Keeps requests in flight until the time is over, then waits for the last answers, and for what the observer
    /// awaits. An observer may end it before: then what is in flight is not waited for.
    pub fn run(
        &mut self,
        payloads: &Payloads,
        settings: LoadSettings,
        observer: &mut impl Observer,
    ) -> Result<LoadSample> {
        let begun = Instant::now();
        let mut progress = Progress::new(payloads, settings, begun);
        observer.begins(progress.window());
        self.readers.iter_mut().try_for_each(Reader::begin)?;
        progress.begin(&mut self.connections)?;
        let connection_count = self.connections.len();
        let scratch_bytes = if self.readers.is_empty() { SCRATCH_BYTES } else { READER_SCRATCH_BYTES };
        let mut scratch = vec![0; scratch_bytes];
        let mut events = Events::with_capacity(EVENT_COUNT_MAX);
        let mut answered = Vec::new();
        let mut heard_at = begun;
        while progress.goes_on(Instant::now()) || observer.awaited_count() > 0 {
            progress.push_due(&mut self.connections)?;
            match self.poll.poll(&mut events, Some(progress.wait(Instant::now()))) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled.context("events cannot be waited for")?,
            }
            for event in &events {
                let number = event.token().0;
                let has_bytes = event.is_readable() || event.is_read_closed();
                if number >= connection_count {
                    let reader = &mut self.readers[number - connection_count];
                    if has_bytes && reader.receive(&mut scratch, observer)? > 0 {
                        heard_at = Instant::now();
                    }
                    reader.flush()?;
                    continue;
                }
                let connection = &mut self.connections[number];
                if has_bytes {
                    connection.receive(&mut scratch, &mut answered)?;
                    if !answered.is_empty() {
                        let now = Instant::now();
                        if progress.take((number, connection), &mut answered, now, observer)? {
                            heard_at = now;
                        }
                        if observer.ends() {
                            return Ok(progress.finish());
                        }
                    }
                }
                connection.flush()?;
            }
            let (in_flight, awaited) = (progress.in_flight(), observer.awaited_count());
            if in_flight + awaited > 0 && heard_at.elapsed() > ANSWER_WAIT {
                bail!(
                    "nothing came for {} s: {in_flight} batches are not stored, {awaited} stored ones not read in full",
                    ANSWER_WAIT.as_secs()
                );
            }
        }
        Ok(progress.finish())
    }
}

#[cfg(test)]
mod tests;
