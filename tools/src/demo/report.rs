//! What the demo has to say at its end.

mod conditions;

use std::fmt::Write;
use std::time::Duration;

use super::capture::{Captured, InFlight};
use super::check::{Findings, PartitionSum};
use super::journals::Journal;
use super::ledger::Ledger;
use super::retention::Retained;
use crate::size::{Size, counted, grouped};
use crate::table::{Align, Table};

#[cfg(test)]
mod tests;

/// What the shards did while the payments were captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blocks {
    /// Blocks made durable, each with one write and one flush.
    pub block_count: u64,
    /// Batches in them.
    pub captured_count: u64,
}

/// What a shard had taken to rest when the last payment was captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AtRest {
    /// The shard.
    pub shard: u16,
    /// Segment files.
    pub segment_count: u64,
    /// Bytes in them.
    pub stored_bytes: u64,
}

/// What `florin verify` says of the directory in the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Nothing is damaged, and everything could be read.
    pub is_clean: bool,
    /// What it finds, as it says it.
    pub words: String,
}

/// Everything that is told.
#[derive(Debug)]
pub struct Report<'a> {
    /// How capturing went.
    pub captured: &'a Captured,
    /// Whether these were all payments that there are: with fewer, journals may not go round.
    pub is_all: bool,
    /// What was sent, in all.
    pub expected: PartitionSum,
    /// What the shards did.
    pub blocks: Blocks,
    /// What was at rest, by shard.
    pub at_rest: &'a [AtRest],
    /// How the journals went round.
    pub journals: &'a [Journal],
    /// What was read back, by partition, is in the ledger; this is what differs.
    pub findings: &'a Findings,
    /// How long reading back took.
    pub read_elapsed: Duration,
    /// Reads of segment files meanwhile.
    pub cold_read_count: u64,
    /// How retention cut.
    pub retained: &'a Retained,
    /// What went and what is left.
    pub ledger: &'a Ledger,
    /// What differs of what is left.
    pub findings_left: &'a Findings,
    /// Partitions that begin or end elsewhere after one more restart.
    pub moved: &'a [String],
    /// The verdict on the directory.
    pub verified: &'a Verified,
    /// What the data directory takes on disk.
    pub allocated_bytes: u64,
}

impl Report<'_> {
    /// Whether everything holds.
    pub fn is_right(&self) -> bool {
        self.conditions().iter().all(|condition| !condition.is_failed())
    }

    /// For people.
    pub fn in_words(&self) -> String {
        let mut text = String::new();
        self.put_partitions(&mut text);
        self.put_capture(&mut text);
        self.put_storage(&mut text);
        self.put_cut(&mut text);
        self.conditions().iter().for_each(|condition| condition.put(&mut text));
        text
    }

    fn total(&self) -> PartitionSum {
        self.ledger.held.iter().copied().sum()
    }

    fn put_partitions(&self, text: &mut String) {
        use Align::Right;
        let columns = ["partition", "payments", "dollars", "cut", "dollars cut", "left", "dollars left"];
        let mut table = Table::new(&columns.map(|column| (column, Right)));
        let mut row = |name: String, sums: [PartitionSum; 3]| {
            let cells = sums.iter().flat_map(|sum| [grouped(sum.payment_count), sum.cents.to_string()]);
            table.row([name].into_iter().chain(cells).collect());
        };
        let Ledger { held, cut, left, .. } = self.ledger;
        for (((held, cut), left), index) in held.iter().zip(cut).zip(left).zip(0..) {
            row(u32::to_string(&index), [*held, *cut, *left]);
        }
        row("total".to_owned(), [self.total(), self.ledger.cut_sum(), self.ledger.left_sum()]);
        table.render(text, 0);
    }

    fn put_capture(&self, text: &mut String) {
        let captured = self.captured;
        let count = captured.stored.len() as u64;
        let (elapsed, rate) = speed(count, captured.elapsed);
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
    }

    fn put_storage(&self, text: &mut String) {
        for Journal { shard, ring_bytes, lap_count, checkpoint_count } in self.journals {
            let (ring, laps) = (Size(*ring_bytes).rounded(), counted(*lap_count, "time", "times"));
            let checkpoints = counted(*checkpoint_count, "checkpoint", "checkpoints");
            let _ = writeln!(text, "journal {shard:<4}  {ring}, went round {laps}, {checkpoints}");
        }
        let files =
            counted(self.at_rest.iter().map(|shard| shard.segment_count).sum(), "segment file", "segment files");
        let bytes = self.at_rest.iter().map(|shard| shard.stored_bytes).sum();
        let (size, bytes) = (Size(bytes).rounded(), grouped(bytes));
        let _ = writeln!(text, "at rest       {files} with {size} ({bytes} bytes), when the last payment was captured");
        let (elapsed, rate) = speed(self.total().payment_count, self.read_elapsed);
        let cold = counted(self.cold_read_count, "cold read", "cold reads");
        let _ = writeln!(text, "read back     in {elapsed}, {rate} records/s, with {cold} of segment files");
    }

    fn put_cut(&self, text: &mut String) {
        let (elapsed, _) = speed(0, self.retained.elapsed);
        let (kept, size) = (self.retained.kept, Size(self.retained.cut_bytes).rounded());
        let _ = writeln!(text, "retention     of {kept}; {size} were cut after {elapsed}");
        let _ = writeln!(text, "cut           {}", self.ledger.cut_sum());
        let _ = writeln!(text, "left          {}", self.ledger.left_sum());
        let size = Size(self.allocated_bytes).rounded();
        let _ = writeln!(text, "on disk       {size} ({} bytes) in the end\n", grouped(self.allocated_bytes));
    }
}

/// A time in seconds, and how many of something that is in one.
fn speed(count: u64, elapsed: Duration) -> (String, String) {
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    let seconds = format!("{}.{:03} s", elapsed_ms / 1000, elapsed_ms % 1000);
    (seconds, grouped(count.saturating_mul(1000) / elapsed_ms))
}
