//! What became of the records of an input: every line that was read is stored, bad, or in a failure.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use florin_engine::shard::Action;
use florin_net::client::{Receipt, SendError};
use florin_net::protocol::Code;
use serde::Serialize;

use crate::client::{advice, code_name};
use crate::latency::{Latencies, LatencySummary};
use crate::size::{Size, counted, grouped};

#[cfg(test)]
mod tests;

/// Bad lines that are listed; all are counted, and each was named when it was met.
const BAD_LINES_LISTED_MAX: usize = 1000;

/// Why reading ended before the end of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A record is not stored, or not known to be.
    Failure,
    /// A line is no record.
    BadLine,
}

/// What is known of records without a receipt, and with which code the server refused them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// Not stored: the server said no.
    Refused(u16),
    /// Not stored: the server never had them, or not in a way that counts.
    NotSent,
    /// Stored or not.
    Unknown,
}

/// Records with the same outcome.
#[derive(Clone, Debug)]
struct Failure {
    /// The words about the first of them.
    message: String,
    action: Option<Action>,
    record_count: u64,
    lines: Lines,
}

/// Line numbers, in order, as ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Lines(Vec<(u64, u64)>);

/// The account.
#[derive(Clone, Debug)]
pub struct Report {
    /// Lines read, those that are no records included.
    pub lines_read: u64,
    /// Records handed to the client.
    pub read_count: u64,
    /// How long all of it took.
    pub elapsed: Duration,
    /// Why reading ended early.
    pub stop: Option<Stop>,
    stored_count: u64,
    stored_bytes: u64,
    receipt_lost_count: u64,
    duplicate_count: u64,
    latencies: Latencies,
    bad_count: u64,
    bad_lines: Vec<BadLine>,
    failures: BTreeMap<Outcome, Failure>,
}

/// A line that is no record.
#[derive(Clone, Debug, Serialize)]
pub struct BadLine {
    line: u64,
    problem: String,
}

/// The account in JSON.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    topic: &'a str,
    lines_read: u64,
    read_count: u64,
    stored_count: u64,
    stored_bytes: u64,
    receipt_lost_count: u64,
    duplicate_count: u64,
    elapsed_ms: u64,
    latency: LatencySummary,
    stopped_by: Option<&'static str>,
    bad_count: u64,
    bad_lines: &'a [BadLine],
    failures: Vec<FailureDocument<'a>>,
}

#[derive(Debug, Serialize)]
struct FailureDocument<'a> {
    outcome: &'static str,
    code: Option<u16>,
    message: &'a str,
    record_count: u64,
    lines: &'a [(u64, u64)],
}

impl Report {
    /// Nothing happened yet.
    pub fn new() -> Self {
        Self {
            lines_read: 0,
            read_count: 0,
            elapsed: Duration::ZERO,
            stop: None,
            stored_count: 0,
            stored_bytes: 0,
            receipt_lost_count: 0,
            duplicate_count: 0,
            latencies: Latencies::new(),
            bad_count: 0,
            bad_lines: Vec::new(),
            failures: BTreeMap::new(),
        }
    }

    /// A record is stored.
    pub fn stored(&mut self, record_bytes: u64, receipt: &Receipt) {
        self.stored_count += 1;
        self.stored_bytes += record_bytes;
        self.duplicate_count += u64::from(receipt.duplicate);
        self.latencies.record(receipt.latency);
    }

    /// A record is stored, nobody knows where.
    pub fn stored_without_receipt(&mut self, record_bytes: u64) {
        self.stored_count += 1;
        self.stored_bytes += record_bytes;
        self.receipt_lost_count += 1;
    }

    /// A record is not stored, or not known to be. Lines come in their order.
    pub fn failed(&mut self, line: u64, error: &SendError) {
        let (outcome, action) = match error {
            SendError::Refused(refusal) => (Outcome::Refused(refusal.code.0), Some(refusal.action)),
            SendError::OutcomeUnknown { .. } => (Outcome::Unknown, Some(Action::OutcomeUnknown)),
            SendError::KeyConflict { .. } => (Outcome::Refused(Code::KEY_CONFLICT.0), Some(Action::FixRequest)),
            SendError::TimedOut
            | SendError::Closed
            | SendError::KeyMissing { .. }
            | SendError::KeyTwice { .. }
            | SendError::KeyElsewhere { .. }
            | SendError::EpochsUsedUp { .. }
            | SendError::TransactionBroken { .. }
            | SendError::NoTransaction
            | SendError::Record(_)
            | SendError::Partition { .. } => (Outcome::NotSent, None),
            SendError::StoredReceiptLost { .. } => unreachable!("stored without a receipt is no failure"),
        };
        let failure = self.failures.entry(outcome).or_insert_with(|| Failure {
            message: words(error),
            action,
            record_count: 0,
            lines: Lines::default(),
        });
        failure.record_count += 1;
        failure.lines.add(line);
    }

    /// A line is no record.
    pub fn bad_line(&mut self, line: u64, problem: String) {
        self.bad_count += 1;
        if self.bad_lines.len() < BAD_LINES_LISTED_MAX {
            self.bad_lines.push(BadLine { line, problem });
        }
    }

    /// Whether a record is not stored, or not known to be.
    pub fn has_failures(&self) -> bool {
        !self.failures.is_empty()
    }

    /// Whether every line of the input is stored.
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty() && self.bad_count == 0 && self.stop.is_none()
    }

    /// For people.
    pub fn in_words(&self, topic: &str) -> String {
        let mut text = String::new();
        let records = if self.stored_count == 1 { "record" } else { "records" };
        let bytes = Size(self.stored_bytes).rounded();
        let _ = writeln!(text, "stored       {} {records} in topic {topic}, {bytes}", grouped(self.stored_count));
        let elapsed_ms = u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
        let rate = |count: u64| count.saturating_mul(1000) / elapsed_ms;
        let seconds = format!("{}.{:03} s", elapsed_ms / 1000, elapsed_ms % 1000);
        let byte_rate = Size(rate(self.stored_bytes)).rounded();
        let _ = writeln!(text, "took         {seconds}, {} records/s, {byte_rate}/s", grouped(rate(self.stored_count)));
        if self.stored_count > self.receipt_lost_count {
            let _ = writeln!(text, "ack latency  {}", self.latencies.summary().in_words());
        }
        let _ = writeln!(
            text,
            "duplicates   {} of the stored: they were there already, and are not stored twice",
            grouped(self.duplicate_count)
        );
        if self.receipt_lost_count > 0 {
            let count = grouped(self.receipt_lost_count);
            let _ = writeln!(text, "no receipt   {count} of the stored: their offsets are no longer known");
        }
        self.put_problems(&mut text, topic);
        text
    }

    fn put_problems(&self, text: &mut String, topic: &str) {
        if self.bad_count > 0 {
            let lines = counted(self.bad_count, "line is no record", "lines are no records");
            let listed = self.bad_lines.iter().fold(Lines::default(), |mut listed, bad| {
                listed.add(bad.line);
                listed
            });
            let more = if self.bad_count > self.bad_lines.len() as u64 { ", and more" } else { "" };
            let _ = writeln!(text, "BAD INPUT    {lines}: {}{more}", listed.in_words());
        }
        for (outcome, failure) in &self.failures {
            let title = match outcome {
                Outcome::Refused(_) => "REFUSED     ",
                Outcome::NotSent => "NEVER SENT  ",
                Outcome::Unknown => "OUTCOME UNKNOWN",
            };
            let records = if failure.record_count == 1 { "record" } else { "records" };
            let count = grouped(failure.record_count);
            let _ = writeln!(text, "{title} {count} {records}, {}", failure.lines.in_words());
            if let Outcome::Refused(code) = outcome {
                let action = failure.action.map_or("", advice);
                let _ = writeln!(text, "  {}: {action}", code_name(*code));
            }
            let _ = writeln!(text, "  {}", failure.message);
            if *outcome == Outcome::Unknown {
                let _ = writeln!(text, "  look for them with `florin consume {topic}` before sending them again");
            }
        }
        if let Some(stop) = self.stop {
            let why = match stop {
                Stop::Failure => "because records are not stored",
                Stop::BadLine => "because it is no record; `--on-bad-line skip` goes on",
            };
            let _ = writeln!(text, "STOPPED      behind line {} {why}", self.lines_read);
        }
    }

    /// For programs.
    pub fn document<'a>(&'a self, topic: &'a str) -> Document<'a> {
        Document {
            topic,
            lines_read: self.lines_read,
            read_count: self.read_count,
            stored_count: self.stored_count,
            stored_bytes: self.stored_bytes,
            receipt_lost_count: self.receipt_lost_count,
            duplicate_count: self.duplicate_count,
            elapsed_ms: u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX),
            latency: self.latencies.summary(),
            stopped_by: self.stop.map(|stop| match stop {
                Stop::Failure => "failure",
                Stop::BadLine => "bad_line",
            }),
            bad_count: self.bad_count,
            bad_lines: &self.bad_lines,
            failures: self.failures.iter().map(|(outcome, failure)| failure.document(*outcome)).collect(),
        }
    }
}

/// What is said of the first record of a failure.
fn words(error: &SendError) -> String {
    match error {
        SendError::TimedOut => "the record is not stored, it could not be sent in time: see with `florin shard list` \
                                how the server does, or allow more with --timeout"
            .to_owned(),
        other => other.to_string(),
    }
}

impl Failure {
    fn document(&self, outcome: Outcome) -> FailureDocument<'_> {
        let (outcome, code) = match outcome {
            Outcome::Refused(code) => ("refused", Some(code)),
            Outcome::NotSent => ("never_sent", None),
            Outcome::Unknown => ("outcome_unknown", None),
        };
        let Self { message, record_count, lines, .. } = self;
        FailureDocument { outcome, code, message, record_count: *record_count, lines: &lines.0 }
    }
}

impl Lines {
    /// Adds a line behind those that are there.
    fn add(&mut self, line: u64) {
        match self.0.last_mut() {
            Some((_, last)) if *last + 1 == line => *last = line,
            _ => self.0.push((line, line)),
        }
    }

    fn in_words(&self) -> String {
        let one = matches!(self.0.as_slice(), [(first, last)] if first == last);
        let ranges = self.0.iter().map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        });
        format!("{} {}", if one { "line" } else { "lines" }, ranges.collect::<Vec<_>>().join(", "))
    }
}
