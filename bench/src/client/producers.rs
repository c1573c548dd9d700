//! Idempotent producers in a closed loop, driven by one thread: each sends so many batches, one after the other, then ends
//! its transaction if it has one, and begins again.

#![allow(clippy::disallowed_methods, reason = "a bench measures with the host's clock")]

mod turn;

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use florin_engine::model::{PartitionId, TransactionKey};
use mio::{Events, Poll, Token};

use super::payload::Payloads;
use crate::statistics::Latencies;
use turn::Producer;

const ANSWER_WAIT: Duration = Duration::from_secs(30);
const POLL_WAIT: Duration = Duration::from_millis(200);
const EVENT_COUNT_MAX: usize = 1024;
const SCRATCH_BYTES: usize = 64 * 1024;

/// Where one producer goes, and as whom.
#[derive(Clone, Debug)]
pub struct ProducerPlan {
    /// Host and port.
    pub address: String,
    /// Where its batches go.
    pub partition: PartitionId,
    /// Its number and epoch: of its first transaction, if it makes any.
    pub key: TransactionKey,
    /// Every so many batches are a transaction.
    pub is_transactional: bool,
    /// Batches of a transaction, or of what is timed in its place.
    pub batches: u32,
}

/// What a load gave.
#[derive(Debug)]
pub struct ProducersSample {
    /// Of every so many batches that were begun and ended while it counted: from the first one's sending to the last answer.
    pub latencies: Latencies,
    /// How long it counted.
    pub counted_seconds: f64,
    /// All acknowledged batches.
    pub answered_batches: u64,
    /// Transactions that were committed, all of them.
    pub committed: u64,
}

/// Producers that are connected.
#[derive(Debug)]
pub struct Producers {
    poll: Poll,
    producers: Vec<Producer>,
}

impl Producers {
    /// Connects one socket for each.
    pub fn connect(plans: &[ProducerPlan]) -> Result<Self> {
        let poll = Poll::new().context("events cannot be waited for")?;
        let connect = |(number, plan)| {
            Producer::connect(plan, poll.registry(), Token(number)).with_context(|| format!("producer {}", number + 1))
        };
        let producers = plans.iter().enumerate().map(connect).collect::<Result<_>>()?;
        Ok(Self { poll, producers })
    }

    /// Keeps every producer busy until the time is over, and waits for the last answers.
    pub fn run(&mut self, payloads: &Payloads, warm_up: Duration, counted: Duration) -> Result<ProducersSample> {
        let begun = Instant::now();
        let (from, to) = (begun + warm_up, begun + warm_up + counted);
        let mut sample = ProducersSample {
            latencies: Latencies::new(),
            counted_seconds: counted.as_secs_f64(),
            answered_batches: 0,
            committed: 0,
        };
        for producer in &mut self.producers {
            producer.begin(payloads, begun)?;
        }
        let mut busy = self.producers.len();
        let mut scratch = vec![0; SCRATCH_BYTES];
        let mut events = Events::with_capacity(EVENT_COUNT_MAX);
        let mut heard_at = begun;
        while busy > 0 {
            match self.poll.poll(&mut events, Some(POLL_WAIT)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled.context("events cannot be waited for")?,
            }
            for event in &events {
                let producer = &mut self.producers[event.token().0];
                if (event.is_readable() || event.is_read_closed())
                    && producer.receive(&mut scratch, payloads, &mut sample)?
                {
                    heard_at = Instant::now();
                    if from <= producer.begun() && heard_at <= to {
                        sample.latencies.record(heard_at.duration_since(producer.begun()));
                    }
                    if heard_at < to {
                        producer.begin(payloads, heard_at)?;
                    } else {
                        busy -= 1;
                    }
                }
                producer.flush()?;
            }
            if heard_at.elapsed() > ANSWER_WAIT {
                bail!("nothing came to an end for {} s, {busy} producers wait", ANSWER_WAIT.as_secs());
            }
        }
        Ok(sample)
    }
}

#[cfg(test)]
mod tests;
