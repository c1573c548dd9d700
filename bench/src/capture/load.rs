//! All connections of a point, driven by one thread.

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
const EVENT_COUNT_MAX: usize = 1024;
/// Answers to produce requests are far smaller, refusals too.
const SCRATCH_BYTES: usize = 16 * 1024;

/// How long.
#[derive(Clone, Copy, Debug)]
pub struct LoadSettings {
    /// Not counted, at the start.
    pub warm_up: Duration,
    /// Counted.
    pub counted: Duration,
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
    next_batch: usize,
    counts_from: Instant,
    ends: Instant,
    in_flight: usize,
    sample: LoadSample,
}

impl LoadSettings {
    /// Counting for so long after a warm-up.
    pub fn lasting(counted: Duration) -> Self {
        Self { warm_up: WARM_UP, counted }
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

    /// Keeps one request of every connection in flight until the time is over, then waits for the last answers.
    pub fn run(&mut self, payloads: &Payloads, settings: LoadSettings) -> Result<LoadSample> {
        let begun = Instant::now();
        let counts_from = begun + settings.warm_up;
        let mut progress = Progress {
            payloads,
            next_batch: 0,
            counts_from,
            ends: counts_from + settings.counted,
            in_flight: 0,
            sample: LoadSample {
                latencies: Latencies::new(),
                counted_seconds: settings.counted.as_secs_f64(),
                answered_batches: 0,
            },
        };
        for connection in &mut self.connections {
            progress.send(connection, Instant::now())?;
        }
        let mut events = Events::with_capacity(EVENT_COUNT_MAX);
        let mut scratch = vec![0; SCRATCH_BYTES];
        let mut answered_at = begun;
        while progress.in_flight > 0 {
            match self.poll.poll(&mut events, Some(POLL_WAIT)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled.context("events cannot be waited for")?,
            }
            for event in &events {
                let connection = &mut self.connections[event.token().0];
                if event.is_writable() {
                    connection.send_rest()?;
                }
                if (event.is_readable() || event.is_read_closed())
                    && let Some(sent_at) = connection.receive(&mut scratch)?
                {
                    answered_at = Instant::now();
                    progress.take(connection, sent_at, answered_at)?;
                }
            }
            if answered_at.elapsed() > ANSWER_WAIT {
                bail!("no answer for {} s, {} requests in flight", ANSWER_WAIT.as_secs(), progress.in_flight);
            }
        }
        Ok(progress.sample)
    }
}

impl Progress<'_> {
    fn send(&mut self, connection: &mut Connection, now: Instant) -> Result<()> {
        connection.send(self.payloads.batch(self.next_batch), now)?;
        self.next_batch = self.next_batch.wrapping_add(1);
        self.in_flight += 1;
        Ok(())
    }

    /// Takes an answer. The next request begins in the same instant: the loop has no pause that nobody measures.
    fn take(&mut self, connection: &mut Connection, sent_at: Instant, now: Instant) -> Result<()> {
        self.in_flight -= 1;
        self.sample.answered_batches += 1;
        if (self.counts_from..self.ends).contains(&now) {
            self.sample.latencies.record(now.duration_since(sent_at));
        }
        if now < self.ends { self.send(connection, now) } else { Ok(()) }
    }
}
