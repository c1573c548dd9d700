//! Records on their way: sent, not answered yet, and settled in the order of their lines.

use std::collections::VecDeque;
use std::fmt::Write;

use anyhow::Result;
use florin_net::client::{Delivery, KeySource, Producer, Receipt, Record, SendError};

use super::report::Report;
use crate::output;

/// Records without an answer, however small: the client bounds their bytes.
const OUTSTANDING_COUNT_MAX: usize = 262_144;
/// Bytes of acknowledged offsets that are gathered before they are printed.
const PRINT_BYTES: usize = 32 * 1024;

/// A record without an answer.
struct Outstanding {
    line: u64,
    record_bytes: u64,
    delivery: Delivery,
}

/// What came of taking a record.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is on its way, or its failure is in the report.
    Taken,
    /// It can never be stored, for this reason.
    Bad(String),
}

/// Sends and accounts.
pub struct Pipeline {
    /// What became of what was settled.
    pub report: Report,
    producer: Producer,
    outstanding: VecDeque<Outstanding>,
    /// Lines about acknowledged records, if they are asked for.
    acked: Option<String>,
}

impl Pipeline {
    /// Nothing is on its way yet.
    pub fn new(producer: Producer, print_acked: bool) -> Self {
        Self { report: Report::new(), producer, outstanding: VecDeque::new(), acked: print_acked.then(String::new) }
    }

    /// Hands a record to the client; waits while too many are on their way.
    pub fn send(&mut self, line: u64, record: Record) -> Result<Sent> {
        while self.outstanding.len() >= OUTSTANDING_COUNT_MAX {
            self.settle_first()?;
        }
        let record_bytes = record_bytes(&record);
        match self.producer.send(record) {
            Ok(delivery) => self.outstanding.push_back(Outstanding { line, record_bytes, delivery }),
            Err(SendError::Record(error)) => return Ok(Sent::Bad(format!("is no record that can be stored: {error}"))),
            Err(SendError::Partition { partition, partition_count }) => {
                return Ok(Sent::Bad(format!("names partition {partition}: the topic has {partition_count}, from 0")));
            }
            Err(SendError::KeyMissing { place }) => {
                let whence = match place {
                    KeySource::RecordKey => "with --key-column, or as \"key\" with --format json",
                    KeySource::Header(_) => "among the \"headers\" with --format json",
                };
                return Ok(Sent::Bad(format!(
                    "has no idempotency key, which the topic takes from {place}: give it {whence}"
                )));
            }
            Err(SendError::KeyTwice { name }) => {
                return Ok(Sent::Bad(format!("has its idempotency key twice: give one header {name:?}")));
            }
            Err(SendError::KeyElsewhere { partition, belongs }) => {
                let problem =
                    format!("names partition {partition}, by its idempotency key it belongs to {belongs}: name none");
                return Ok(Sent::Bad(problem));
            }
            Err(error) => {
                self.report.failed(line, &error);
            }
        }
        self.report.read_count += 1;
        Ok(Sent::Taken)
    }

    /// Settles what is answered, in the order of the lines, and prints it: whoever waits for input sees it.
    pub fn settle_ready(&mut self) -> Result<()> {
        while let Some(first) = self.outstanding.front_mut() {
            let Some(outcome) = first.delivery.try_wait() else { break };
            let (line, record_bytes) = (first.line, first.record_bytes);
            self.outstanding.pop_front();
            self.settle(line, record_bytes, outcome)?;
        }
        if self.outstanding.is_empty() { self.print_acked() } else { Ok(()) }
    }

    /// Waits for all answers.
    pub fn settle_all(&mut self) -> Result<()> {
        while !self.outstanding.is_empty() {
            self.settle_first()?;
        }
        self.print_acked()
    }

    /// What became of everything.
    pub fn into_report(self) -> Report {
        self.report
    }

    fn settle_first(&mut self) -> Result<()> {
        let Some(Outstanding { line, record_bytes, delivery }) = self.outstanding.pop_front() else { return Ok(()) };
        self.settle(line, record_bytes, delivery.wait())
    }

    fn settle(&mut self, line: u64, record_bytes: u64, outcome: Result<Receipt, SendError>) -> Result<()> {
        let place = match outcome {
            Ok(receipt) => {
                self.report.stored(record_bytes, &receipt);
                Some((receipt.partition, Some(receipt.offset.0)))
            }
            Err(SendError::StoredReceiptLost { partition }) => {
                self.report.stored_without_receipt(record_bytes);
                Some((partition, None))
            }
            Err(error) => {
                self.report.failed(line, &error);
                None
            }
        };
        if let (Some(text), Some((partition, offset))) = (&mut self.acked, place) {
            let offset = offset.map_or_else(|| "?".to_owned(), |offset| offset.to_string());
            let _ = writeln!(text, "{line}\t{partition}\t{offset}");
            if text.len() >= PRINT_BYTES {
                return self.print_acked();
            }
        }
        Ok(())
    }

    fn print_acked(&mut self) -> Result<()> {
        match self.acked.as_mut().filter(|text| !text.is_empty()) {
            Some(text) => output::print(&std::mem::take(text)),
            None => Ok(()),
        }
    }
}

/// Bytes of what the caller gave: key, value and headers.
fn record_bytes(record: &Record) -> u64 {
    let bytes = |part: &Option<bytes::Bytes>| part.as_ref().map_or(0, |part| part.len() as u64);
    let headers = record.headers.iter().map(|(name, value)| name.len() as u64 + bytes(value));
    bytes(&record.key) + bytes(&record.value) + headers.sum::<u64>()
}
