//! All connections of a point, driven by one thread: in a closed loop, or at a rate.

#![allow(clippy::disallowed_methods, reason = "a bench measures with the host's clock")]

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::{Events, Poll, Token};

use super::connection::Connection;
use super::payload::Payloads;
use super::routes::Route;
use crate::statistics::Latencies;

/// Before it counts: buffers have their size, the server its rhythm.
const WARM_UP: Duration = Duration::from_millis(300);
/// Longer than any flush takes on a disk that works.
const ANSWER_WAIT: Duration = Duration::from_secs(30);
const POLL_WAIT: Duration = Duration::from_millis(200);
/// The kernel waits for whole milliseconds: shorter waits for the next send are spent looking for answers.
const POLL_UNIT: Duration = Duration::from_millis(1);
const EVENT_COUNT_MAX: usize = 1024;
const SCRATCH_BYTES: usize = 64 * 1024;
/// Requests that wait for an answer on one connection in an open loop: what is due beyond them waits in the load, and
/// its latency has begun.
const OPEN_IN_FLIGHT_MAX: usize = 256;

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
}

/// What a load gave.
#[derive(Debug)]
pub struct LoadSample {
    /// Of each request that was answered while it counted.
    pub latencies: Latencies,
    /// While it counted.
    pub counted_seconds: f64,
    /// All acknowledged batches, those before and after included.
    pub answered_batches: u64,
}

/// Connections that wait for their first batch.
#[derive(Debug)]
pub struct Load {
    poll: Poll,
    connections: Vec<Connection>,
}

/// A load under way.
struct Progress<'a> {
    payloads: &'a Payloads,
    settings: LoadSettings,
    next_batch: usize,
    counts_from: Instant,
    ends: Instant,
    in_flight: usize,
    /// Of an open loop: when the next request is due, and on which connection.
    next_due: Option<Instant>,
    next_connection: usize,
    sent_count: u64,
    sample: LoadSample,
}

impl LoadSettings {
    /// A closed loop with one request in flight on each connection, counting for so long after a warm-up.
    pub fn lasting(counted: Duration) -> Self {
        Self { warm_up: WARM_UP, counted, in_flight: 1, rate: None, batch_count_max: None }
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
        Ok(Self { poll, connections })
    }

    /// Keeps requests in flight until the time is over, then waits for the last answers.
    pub fn run(&mut self, payloads: &Payloads, settings: LoadSettings) -> Result<LoadSample> {
        let begun = Instant::now();
        let mut progress = Progress::new(payloads, settings, begun);
        if settings.rate.is_none() {
            for connection in &mut self.connections {
                for _ in 0..settings.in_flight {
                    progress.push(connection, begun);
                }
                connection.flush()?;
            }
        }
        let mut events = Events::with_capacity(EVENT_COUNT_MAX);
        let mut scratch = vec![0; SCRATCH_BYTES];
        let mut answered = Vec::new();
        let mut answered_at = begun;
        while progress.goes_on(Instant::now()) {
            progress.push_due(&mut self.connections)?;
            match self.poll.poll(&mut events, Some(progress.wait(Instant::now()))) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled.context("events cannot be waited for")?,
            }
            for event in &events {
                let connection = &mut self.connections[event.token().0];
                if event.is_readable() || event.is_read_closed() {
                    connection.receive(&mut scratch, &mut answered)?;
                    if !answered.is_empty() {
                        answered_at = Instant::now();
                        progress.take(connection, &mut answered, answered_at);
                    }
                }
                connection.flush()?;
            }
            if progress.in_flight > 0 && answered_at.elapsed() > ANSWER_WAIT {
                bail!("no answer for {} s, {} requests in flight", ANSWER_WAIT.as_secs(), progress.in_flight);
            }
        }
        Ok(progress.finish())
    }
}

impl<'a> Progress<'a> {
    fn new(payloads: &'a Payloads, settings: LoadSettings, begun: Instant) -> Self {
        let counts_from = begun + settings.warm_up;
        Self {
            payloads,
            settings,
            next_batch: 0,
            counts_from,
            ends: counts_from + settings.counted,
            in_flight: 0,
            next_due: settings.rate.map(|_| begun),
            next_connection: 0,
            sent_count: 0,
            sample: LoadSample {
                latencies: Latencies::new(),
                counted_seconds: settings.counted.as_secs_f64(),
                answered_batches: 0,
            },
        }
    }

    fn push(&mut self, connection: &mut Connection, since: Instant) {
        connection.push(self.payloads.batch(self.next_batch), since);
        self.next_batch = self.next_batch.wrapping_add(1);
        self.sent_count += 1;
        self.in_flight += 1;
    }

    /// Whether anything is still to be sent or waited for.
    fn goes_on(&self, now: Instant) -> bool {
        self.in_flight > 0 || self.is_sending(now)
    }

    fn is_sending(&self, now: Instant) -> bool {
        now < self.ends && self.settings.batch_count_max.is_none_or(|max| self.sent_count < max)
    }

    /// Of an open loop: sends what is due. A request is due at its time, however late the answers before it are.
    fn push_due(&mut self, connections: &mut [Connection]) -> Result<()> {
        let (Some(rate), Some(mut due)) = (self.settings.rate, self.next_due) else { return Ok(()) };
        let (interval, count) = (Duration::from_secs_f64(1.0 / rate), connections.len());
        let now = Instant::now();
        while due <= now && due < self.ends && self.is_sending(due) {
            let connection = &mut connections[self.next_connection % count];
            if connection.in_flight() >= OPEN_IN_FLIGHT_MAX {
                break;
            }
            self.push(connection, due);
            connection.flush()?;
            self.next_connection = self.next_connection.wrapping_add(1);
            due += interval;
        }
        self.next_due = Some(due);
        Ok(())
    }

    /// How long nothing is to be sent.
    fn wait(&self, now: Instant) -> Duration {
        let Some(due) = self.next_due.filter(|due| *due < self.ends) else { return POLL_WAIT };
        let left = due.saturating_duration_since(now);
        if left > POLL_UNIT { left - POLL_UNIT } else { Duration::ZERO }
    }

    /// Takes answers. In a closed loop the next request begins in the same instant: there is no pause that nobody
    /// measures.
    fn take(&mut self, connection: &mut Connection, answered: &mut Vec<Instant>, now: Instant) {
        for since in answered.drain(..) {
            self.in_flight -= 1;
            self.sample.answered_batches += 1;
            // Of an open loop every request counts that was due in the time, however late its answer is.
            let counts_by = if self.settings.rate.is_none() { now } else { since };
            if (self.counts_from..self.ends).contains(&counts_by) {
                self.sample.latencies.record(now.duration_since(since));
            }
            if self.settings.rate.is_none() && self.is_sending(now) {
                self.push(connection, now);
            }
        }
    }

    fn finish(mut self) -> LoadSample {
        let now = Instant::now();
        if now < self.ends {
            // It ended by its count.
            self.sample.counted_seconds = now.saturating_duration_since(self.counts_from).as_secs_f64();
        }
        self.sample
    }
}
