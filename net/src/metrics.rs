//! What is counted and measured, so that another thread can read it while shards work.
//!
//! A counter has one writer, the executor it belongs to, and is read by anyone without a lock. Histograms stay with
//! their executor, which gives them away when it is asked.

use std::sync::atomic::{AtomicU64, Ordering};

use hdrhistogram::Histogram;

use crate::protocol::api::APIS;

/// Latencies above this are counted as this: 10 minutes.
const LATENCY_NS_MAX: u64 = 600_000_000_000;
/// Two digits: values are within a hundredth.
const DIGITS: u8 = 2;

/// A number that one thread changes and all may read.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to it; only its one writer does.
    pub fn add(&self, amount: u64) {
        self.set(self.get().wrapping_add(amount));
    }

    /// Sets it; only its one writer does.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// What it is.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A length or number as a counter takes it.
pub fn counted(amount: usize) -> u64 {
    u64::try_from(amount).unwrap_or(u64::MAX)
}

/// What is counted for a shard.
#[derive(Debug, Default)]
pub struct ShardCounters {
    /// Batches stored.
    pub captured: Counter,
    /// Batches that were stored before, answered with the original receipt.
    pub duplicates: Counter,
    /// Batches refused.
    pub refused: Counter,
    /// Batches whose outcome is unknown.
    pub outcome_unknown: Counter,
    /// Batches given to fetches.
    pub fetched: Counter,
    /// Bytes of these.
    pub fetched_bytes: Counter,
    /// Journal blocks written.
    pub blocks: Counter,
    /// Bytes of these.
    pub block_bytes: Counter,
    /// Entries in these.
    pub block_entries: Counter,
    /// Open connections to its port.
    pub connections: Counter,
    /// Its journal's epoch.
    pub epoch: Counter,
    /// The last durable block.
    pub durable_sequence: Counter,
    /// The last block that something was placed into.
    pub appended_sequence: Counter,
    /// Partitions open.
    pub partitions: Counter,
    /// Requests that wait for a block or for data.
    pub waiting: Counter,
    /// Journal files that are unused.
    pub unused_files: Counter,
    /// Bytes of batches held.
    pub held_bytes: Counter,
    /// 1 while expiry is suspended.
    pub clock_suspended: Counter,
    /// Bytes of batches above which memory lets go of what is at rest.
    pub held_bytes_max: Counter,
    /// Segment files.
    pub segments: Counter,
    /// Bytes in segment files.
    pub stored_bytes: Counter,
    /// Bytes written to segment files and not synced.
    pub unsynced_bytes: Counter,
    /// 1 while segment files find no space.
    pub disk_full: Counter,
    /// 1 while runs have no room in the manifest.
    pub manifest_full: Counter,
    /// Bytes of a manifest that runs and segment files take.
    pub manifest_run_bytes: Counter,
    /// Bytes that they may take.
    pub manifest_run_bytes_max: Counter,
    /// Bytes of the journal that are not free.
    pub journal_used_bytes: Counter,
    /// Bytes of the journal.
    pub journal_ring_bytes: Counter,
    /// Reads of segment files begun.
    pub cold_reads: Counter,
    /// Requests that wait for one.
    pub cold_waiting: Counter,
    /// Idempotency keys in memory that are not at rest.
    pub keys_recent: Counter,
    /// Bytes of key runs that memory keeps.
    pub keys_cached_bytes: Counter,
    /// Reads of key runs begun.
    pub keys_reads: Counter,
    /// Captures and look-ups that wait for what is known of their keys.
    pub keys_waiting: Counter,
    /// Transactional ids that it coordinates.
    pub transactional_ids: Counter,
    /// Transactions of them that are decided, and that not all participants have noted.
    pub unsettled_transactions: Counter,
    /// Transactions that are open in its partitions.
    pub open_transactions: Counter,
    /// Consumer groups whose offsets it keeps.
    pub groups: Counter,
    /// Requests that wait for the coordinator of their transaction.
    pub coordinator_waiting: Counter,
    /// Cuts of retention.
    pub cuts: Counter,
    /// Bytes that they cut.
    pub cut_bytes: Counter,
    /// Requests refused because the journal was full.
    pub journal_full: Counter,
    /// Reads of segment files that found damage.
    pub damaged_reads: Counter,
    /// Reads of segment files that failed.
    pub failed_reads: Counter,
    /// Segment files that could not be written for another reason than space.
    pub failed_segment_writes: Counter,
    /// Checkpoints that did not come about.
    pub failed_checkpoints: Counter,
    /// Segment files that nobody needs and that could not be removed.
    pub segments_that_stay: Counter,
}

/// What is counted for an executor.
#[derive(Debug, Default)]
pub struct ExecutorCounters {
    /// Connections accepted.
    pub accepted: Counter,
    /// Connections refused because there are too many.
    pub turned_away: Counter,
    /// Connections closed because a frame, a negotiation or a read of the client took too long.
    pub timed_out: Counter,
    /// Connections closed because nothing happened.
    pub idle_closed: Counter,
    /// Connections closed because their stream could not be cut into frames.
    pub malformed: Counter,
    /// Connections that failed to be accepted.
    pub accept_failed: Counter,
    /// Requests, by the number of their api.
    pub requests: [Counter; APIS.len()],
    /// Error responses.
    pub errors: Counter,
    /// Requests for a shard of another port.
    pub misrouted: Counter,
    /// Those of them that went to another executor.
    pub forwarded: Counter,
    /// Those that found no credit.
    pub no_credit: Counter,
    /// Messages of the catalogue that were dropped.
    pub messages_dropped: Counter,
    /// Bytes received.
    pub received_bytes: Counter,
    /// Bytes sent.
    pub sent_bytes: Counter,
    /// How often a connection was not read from, for it or all held too much.
    pub paused: Counter,
    /// Bytes of requests not answered and of responses not sent.
    pub in_flight_bytes: Counter,
    /// Requests not answered.
    pub in_flight_requests: Counter,
    /// Fetches that wait for data.
    pub waiting_polls: Counter,
}

/// Where a capture spends its time, in nanoseconds.
#[derive(Clone, Debug)]
pub struct StageHistograms {
    /// How long the first entry of each block waited until its write began.
    pub queue: Histogram<u64>,
    /// How long each block's write took.
    pub write: Histogram<u64>,
    /// From a whole frame to the answer being ready to send, for each batch that was stored.
    pub ack: Histogram<u64>,
}

impl Default for StageHistograms {
    fn default() -> Self {
        let empty = || Histogram::new_with_bounds(1000, LATENCY_NS_MAX, DIGITS).expect("these bounds are allowed");
        Self { queue: empty(), write: empty(), ack: empty() }
    }
}

impl StageHistograms {
    /// Takes in what another one measured.
    pub fn merge(&mut self, other: &Self) {
        for (own, other) in
            [(&mut self.queue, &other.queue), (&mut self.write, &other.write), (&mut self.ack, &other.ack)]
        {
            own.add(other).expect("all have the same bounds");
        }
    }
}

/// Notes a latency.
pub fn record(histogram: &mut Histogram<u64>, latency_ns: u64) {
    histogram.saturating_record(latency_ns);
}
