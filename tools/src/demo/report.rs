//! What the demo has to say at its end.

use std::fmt::Write;
use std::time::Duration;

use super::capture::{Captured, InFlight};
use super::check::{CHECKS, Findings, PartitionSum};
use super::payments::Cents;
use crate::size::{Size, grouped};
use crate::table::{Align, Table};

#[cfg(test)]
mod tests;

/// Captures in flight that the demo sets out to keep.
const IN_FLIGHT_MIN: u64 = 64;

/// What the shards did while the payments were captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blocks {
    /// Blocks made durable, each with one write and one flush.
    pub block_count: u64,
    /// Batches in them.
    pub captured_count: u64,
}

/// Everything that is told.
#[derive(Debug)]
pub struct Report<'a> {
    /// How capturing went.
    pub captured: &'a Captured,
    /// What was read back, by partition.
    pub sums: &'a [PartitionSum],
    /// What differs.
    pub findings: &'a Findings,
    /// What the shards did.
    pub blocks: Blocks,
    /// What the data directory takes on disk.
    pub allocated_bytes: u64,
    /// How long reading back took.
    pub read_elapsed: Duration,
    /// What was sent, in all.
    pub expected: PartitionSum,
}

impl Report<'_> {
    /// Whether everything holds.
    pub fn is_right(&self) -> bool {
        self.findings.is_empty() && self.total() == self.expected && self.is_in_flight()
    }

    /// For people.
    pub fn in_words(&self) -> String {
        let mut text = String::new();
        self.put_partitions(&mut text);
        self.put_numbers(&mut text);
        self.put_checks(&mut text);
        text
    }

    fn total(&self) -> PartitionSum {
        let payment_count = self.sums.iter().map(|sum| sum.payment_count).sum();
        PartitionSum { payment_count, cents: self.sums.iter().map(|sum| sum.cents).sum() }
    }

    /// Too few payments never come to have so many under way.
    fn is_in_flight(&self) -> bool {
        self.captured.in_flight.max == 0 || self.captured.in_flight.typical >= IN_FLIGHT_MIN
    }

    fn put_partitions(&self, text: &mut String) {
        use Align::Right;
        let mut table = Table::new(&[("partition", Right), ("payments", Right), ("dollars", Right)]);
        let mut row = |name: String, sum: &PartitionSum| {
            table.row(vec![name, grouped(sum.payment_count), sum.cents.to_string()]);
        };
        for (index, sum) in self.sums.iter().enumerate() {
            row(index.to_string(), sum);
        }
        row("total".to_owned(), &self.total());
        table.render(text, 0);
    }

    fn put_numbers(&self, text: &mut String) {
        let captured = self.captured;
        let count = captured.stored.len() as u64;
        let (elapsed, rate) = speed(count, captured.elapsed);
        let (read_elapsed, read_rate) = speed(self.total().payment_count, self.read_elapsed);
        let InFlight { typical, max } = captured.in_flight;
        let _ = writeln!(text, "\ncaptured      {} payments in {elapsed}, {rate} captures/s", grouped(count));
        let latency = captured.latencies.summary().in_words();
        let _ = writeln!(text, "ack latency   {latency}, waiting for a turn in the partition included");
        if max > 0 {
            let _ = writeln!(text, "in flight     {typical} captures in the median of all looks, {max} at most");
        }
        let _ = writeln!(text, "sent again    {} and recognised", grouped(captured.duplicate_count));
        let Blocks { block_count, captured_count } = self.blocks;
        let tenths = (10 * captured_count).checked_div(block_count).unwrap_or(0);
        let _ = writeln!(
            text,
            "blocks        {}, each one write and one flush, with {}.{} records on average",
            grouped(block_count),
            tenths / 10,
            tenths % 10
        );
        let _ = writeln!(text, "read back     in {read_elapsed}, {read_rate} records/s");
        let size = Size(self.allocated_bytes).rounded();
        let _ =
            writeln!(text, "on disk       {size} ({} bytes), allocated at the start\n", grouped(self.allocated_bytes));
    }

    fn put_checks(&self, text: &mut String) {
        let mut put = |holds: bool, what: &str, differs: &str| {
            let _ = match holds {
                true => writeln!(text, "ok      {what}"),
                false => writeln!(text, "FAILED  {what}: {differs}"),
            };
        };
        let PartitionSum { payment_count, cents } = self.expected;
        let (total, sent) = (self.total(), format!("{} payments of {cents} dollars", grouped(payment_count)));
        let found = format!("found {} payments of {} dollars", grouped(total.payment_count), total.cents);
        put(total == self.expected, &format!("{sent} were sent and are there"), &found);
        for check in CHECKS {
            let count = self.findings.count(check);
            let told = self.findings.told(check).join("\n          ");
            put(count == 0, check.holds(), &format!("{} differ\n          {told}", grouped(count)));
        }
        if self.captured.in_flight.max > 0 {
            let typical = self.captured.in_flight.typical;
            let what = format!("in the median at least {IN_FLIGHT_MIN} captures were in flight");
            put(self.is_in_flight(), &what, &format!("{typical} were"));
        }
    }
}

/// A time in seconds, and how many of something that is in one.
fn speed(count: u64, elapsed: Duration) -> (String, String) {
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    let seconds = format!("{}.{:03} s", elapsed_ms / 1000, elapsed_ms % 1000);
    (seconds, grouped(count.saturating_mul(1000) / elapsed_ms))
}

impl PartitionSum {
    /// Of all payments that are given.
    pub fn of(amounts: impl ExactSizeIterator<Item = Cents>) -> Self {
        Self { payment_count: amounts.len() as u64, cents: amounts.sum() }
    }
}
