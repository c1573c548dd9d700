//! Captures the payments: each a record, each record a batch, many of them unanswered at any time.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use florin_net::client::{Client, Delivery, Producer, ProducerSettings, Receipt};
use hdrhistogram::Histogram;

use super::TOPIC;
use super::payments::Payment;
use crate::host;
use crate::interrupt::Interrupt;
use crate::latency::Latencies;
use crate::progress::Progress;

/// Payments that were handed to the client and are not acknowledged. Five of each partition may be under way, and
/// customers who pay often leave others waiting for their turn: this many keep most partitions busy.
const OUTSTANDING_COUNT_MAX: usize = 512;

/// Where an acknowledgement says that a payment is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// The partition.
    pub partition: u32,
    /// The offset there.
    pub offset: u64,
}

/// How capturing went.
#[derive(Debug)]
pub struct Captured {
    /// Where each payment is, in the order of the payments.
    pub stored: Vec<Stored>,
    /// From handing a payment over until its acknowledgement, its turn in its partition included.
    pub latencies: Latencies,
    /// Acknowledgements of batches that had been stored before.
    pub duplicate_count: u64,
    /// All of it.
    pub elapsed: Duration,
    /// How many were under way whenever nothing more could be handed over.
    pub in_flight: InFlight,
}

/// Captures sent and not acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InFlight {
    /// In half of the looks there were at least so many.
    pub typical: u64,
    /// The most.
    pub max: u64,
}

/// A payment without an answer, by its place in the list.
struct Outstanding {
    index: usize,
    delivery: Delivery,
}

struct Capture<'a> {
    payments: &'a [Payment],
    producer: Producer,
    outstanding: VecDeque<Outstanding>,
    stored: Vec<Stored>,
    latencies: Latencies,
    duplicate_count: u64,
    in_flight: Histogram<u64>,
}

/// Captures all payments and waits for every acknowledgement.
///
/// # Errors
/// If one is not stored, or not known to be.
pub fn capture(client: &Client, payments: &[Payment], interrupt: &Interrupt) -> Result<Captured> {
    let mut settings = ProducerSettings::new(TOPIC);
    settings.batch_records_max = 1;
    settings.linger = Duration::ZERO;
    let producer = client.producer(settings)?;
    let progress = Progress::new(Some(payments.len() as u64), "payments captured");
    let started = host::monotonic();
    let mut capture = Capture {
        payments,
        producer,
        outstanding: VecDeque::with_capacity(OUTSTANDING_COUNT_MAX),
        stored: vec![Stored::default(); payments.len()],
        latencies: Latencies::new(),
        duplicate_count: 0,
        in_flight: Histogram::new(3).context("in-flight captures cannot be counted")?,
    };
    for (payment, count) in payments.iter().zip(0..) {
        ensure!(!interrupt.is_asked(), "interrupted");
        capture.send(payment)?;
        progress.show(count, count);
    }
    while !capture.outstanding.is_empty() {
        capture.settle_first()?;
    }
    progress.finish();
    Ok(Captured {
        stored: capture.stored,
        latencies: capture.latencies,
        duplicate_count: capture.duplicate_count,
        elapsed: host::monotonic().saturating_sub(started),
        in_flight: InFlight { typical: capture.in_flight.value_at_quantile(0.5), max: capture.in_flight.max() },
    })
}

impl Capture<'_> {
    fn send(&mut self, payment: &Payment) -> Result<()> {
        if self.outstanding.len() >= OUTSTANDING_COUNT_MAX {
            // Everything that may be under way is: this is what the server has to deal with at once.
            self.in_flight.saturating_record(self.producer.in_flight_batches() as u64);
            self.settle_first()?;
            self.settle_ready()?;
        }
        let index = self.next_index(payment);
        let delivery = self.producer.send(payment.record()).with_context(|| format!("payment {}", payment.id))?;
        self.outstanding.push_back(Outstanding { index, delivery });
        Ok(())
    }

    /// Payments are sent in their order and numbered by line without a gap.
    fn next_index(&self, payment: &Payment) -> usize {
        let index = usize::try_from(payment.id - self.payments[0].id).expect("there are few payments");
        assert_eq!(self.payments[index].id, payment.id, "payments are numbered without a gap");
        index
    }

    fn settle_first(&mut self) -> Result<()> {
        let Some(Outstanding { index, delivery }) = self.outstanding.pop_front() else { return Ok(()) };
        let receipt = delivery.wait().with_context(|| format!("payment {}", self.payments[index].id))?;
        self.settle(index, &receipt);
        Ok(())
    }

    /// Takes every answer that is there: those of other partitions do not wait for the first.
    fn settle_ready(&mut self) -> Result<()> {
        for _ in 0..self.outstanding.len() {
            let Some(mut outstanding) = self.outstanding.pop_front() else { break };
            match outstanding.delivery.try_wait() {
                None => self.outstanding.push_back(outstanding),
                Some(outcome) => {
                    let payment = &self.payments[outstanding.index];
                    let receipt = outcome.with_context(|| format!("payment {}", payment.id))?;
                    self.settle(outstanding.index, &receipt);
                }
            }
        }
        Ok(())
    }

    fn settle(&mut self, index: usize, receipt: &Receipt) {
        self.stored[index] = Stored { partition: receipt.partition, offset: receipt.offset.0 };
        self.latencies.record(receipt.latency);
        self.duplicate_count += u64::from(receipt.duplicate);
    }
}
