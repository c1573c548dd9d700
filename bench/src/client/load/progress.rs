//! A load under way: what is sent when, and which answers count.

#![allow(clippy::disallowed_methods, reason = "a bench measures with the host's clock")]

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::{LoadSample, LoadSettings, Observer, Stored, WhenFull, Window};
use crate::client::connection::{Connection, Outcome, Sent};
use crate::client::control::error_text;
use crate::client::payload::Payloads;
use crate::statistics::Latencies;

const POLL_WAIT: Duration = Duration::from_millis(200);
/// The kernel waits for whole milliseconds: shorter waits for the next send are spent looking for answers.
const POLL_UNIT: Duration = Duration::from_millis(1);
/// Requests that wait for an answer on one connection in an open loop: what is due beyond them waits in the load, and
/// its latency has begun.
const OPEN_IN_FLIGHT_MAX: usize = 256;
/// The first pause after a journal was full; each one after it is twice as long as the one before.
const FULL_PAUSE: Duration = Duration::from_millis(1);
/// The longest.
const FULL_PAUSE_MAX: Duration = Duration::from_millis(100);

/// What is under way.
pub(super) struct Progress<'a> {
    payloads: &'a Payloads,
    settings: LoadSettings,
    window: Window,
    next_batch: usize,
    in_flight: usize,
    /// Of an open loop: when the next request is due, and on which connection.
    next_due: Option<Instant>,
    next_connection: usize,
    sent_count: u64,
    /// Batches that a full journal refused, with their connections, and when they are sent again.
    refused: Vec<(usize, Sent)>,
    again_at: Option<Instant>,
    pause: Duration,
    /// When the last request that counts was answered.
    last_counted: Option<Instant>,
    sample: LoadSample,
}

impl<'a> Progress<'a> {
    pub(super) fn new(payloads: &'a Payloads, settings: LoadSettings, begun: Instant) -> Self {
        let from = begun + settings.warm_up;
        Self {
            payloads,
            settings,
            window: Window { from, to: from + settings.counted, is_open_loop: settings.rate.is_some() },
            next_batch: 0,
            in_flight: 0,
            next_due: settings.rate.map(|_| begun),
            next_connection: 0,
            sent_count: 0,
            refused: Vec::new(),
            again_at: None,
            pause: FULL_PAUSE,
            last_counted: None,
            sample: LoadSample {
                latencies: Latencies::new(),
                counted_seconds: settings.counted.as_secs_f64(),
                answered_batches: 0,
                sent_batches: 0,
                journal_full_count: 0,
            },
        }
    }

    pub(super) fn window(&self) -> Window {
        self.window
    }

    /// Requests that were sent and are not stored.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Of a closed loop: the first requests of all connections.
    pub(super) fn begin(&mut self, connections: &mut [Connection]) -> Result<()> {
        let now = Instant::now();
        if self.settings.rate.is_some() || !self.is_sending(now) {
            return Ok(());
        }
        for connection in connections {
            for _ in 0..self.settings.in_flight {
                self.push(connection, now);
            }
            connection.flush()?;
        }
        Ok(())
    }

    fn push(&mut self, connection: &mut Connection, since: Instant) {
        let number = self.next_batch;
        connection.push(number, self.payloads.batch(number), since);
        self.next_batch = self.next_batch.wrapping_add(1);
        self.sent_count += 1;
        self.in_flight += 1;
    }

    /// Whether anything is still to be sent or waited for. What was due in the time is sent, however late it is.
    pub(super) fn goes_on(&self, now: Instant) -> bool {
        self.in_flight > 0 || self.is_sending(now) || self.next_due.is_some_and(|due| self.is_sending(due))
    }

    fn is_sending(&self, now: Instant) -> bool {
        now < self.window.to && self.settings.batch_count_max.is_none_or(|max| self.sent_count < max)
    }

    /// Sends again what a full journal refused, when its pause is over, and of an open loop what is due. A request is
    /// due at its time, however late the answers before it are.
    pub(super) fn push_due(&mut self, connections: &mut [Connection]) -> Result<()> {
        if self.again_at.is_some() {
            return self.push_again(connections);
        }
        let (Some(rate), Some(mut due)) = (self.settings.rate, self.next_due) else { return Ok(()) };
        let (interval, count) = (Duration::from_secs_f64(1.0 / rate), connections.len());
        let now = Instant::now();
        while due <= now && due < self.window.to && self.is_sending(due) {
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

    fn push_again(&mut self, connections: &mut [Connection]) -> Result<()> {
        if self.again_at.is_some_and(|at| Instant::now() < at) {
            return Ok(());
        }
        self.again_at = None;
        for (number, sent) in self.refused.drain(..) {
            let connection = &mut connections[number];
            connection.push_again(sent, self.payloads.batch(sent.batch));
            connection.flush()?;
        }
        Ok(())
    }

    /// How long nothing is to be sent.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        let next = self.again_at.or(self.next_due.filter(|due| *due < self.window.to));
        let Some(next) = next else { return POLL_WAIT };
        let left = next.saturating_duration_since(now);
        if left > POLL_UNIT { left - POLL_UNIT } else { Duration::ZERO }
    }

    /// Takes answers, and says whether a batch was stored. In a closed loop the next request begins in the same
    /// instant: there is no pause that nobody measures.
    pub(super) fn take(
        &mut self,
        (number, connection): (usize, &mut Connection),
        answered: &mut Vec<(Sent, Outcome)>,
        now: Instant,
        observer: &mut impl Observer,
    ) -> Result<bool> {
        let stored_before = self.sample.answered_batches;
        for (sent, outcome) in answered.drain(..) {
            let base_offset = match outcome {
                Outcome::Stored(base_offset) => base_offset,
                Outcome::JournalFull(error) if self.settings.when_full == WhenFull::Fail => {
                    bail!("a batch was refused: {}", error_text(&error));
                }
                Outcome::JournalFull(_) => {
                    self.refused(number, sent, now);
                    continue;
                }
            };
            let Sent { since, batch, partition } = sent;
            self.in_flight -= 1;
            self.sample.answered_batches += 1;
            self.pause = FULL_PAUSE;
            if self.window.counts(since, now) {
                self.sample.latencies.record(now.duration_since(since));
                self.last_counted = Some(now);
            }
            observer.stored(&Stored { partition, base_offset, batch, since, at: now })?;
            if self.settings.rate.is_none() && self.is_sending(now) {
                self.push(connection, now);
            }
        }
        Ok(self.sample.answered_batches > stored_before)
    }

    fn refused(&mut self, number: usize, sent: Sent, now: Instant) {
        self.sample.journal_full_count += 1;
        self.refused.push((number, sent));
        if self.again_at.is_none() {
            self.again_at = Some(now + self.pause);
            self.pause = (self.pause * 2).min(FULL_PAUSE_MAX);
        }
    }

    pub(super) fn finish(mut self) -> LoadSample {
        let now = Instant::now();
        self.sample.sent_batches = self.sent_count;
        // What was due in the time and answered behind it took longer than the time.
        let late = self.last_counted.filter(|at| *at > self.window.to);
        // It may have ended by its count.
        let end = late.unwrap_or(self.window.to.min(now));
        self.sample.counted_seconds = end.saturating_duration_since(self.window.from).as_secs_f64();
        self.sample
    }
}
