//! What shards report, in the log and in counters. Whatever a client can cause again and again is told a few times and
//! then counted, so that nobody fills the log.

use std::cell::Cell;

use florin_engine::io::DiskError;
use florin_engine::model::{Monotonic, PartitionId, ShardId};
use florin_engine::partition::CutReason;
use florin_engine::shard::{CutReport, Report};

use crate::limits::{LOG_LINES_PER_WINDOW, LOG_WINDOW_NS};
use crate::metrics::ShardCounters;

#[cfg(test)]
mod tests;

/// Lines of one kind: so many in a window of time, the others are counted.
#[derive(Debug, Default)]
pub struct Throttle {
    since: Cell<Monotonic>,
    line_count: Cell<u32>,
    left_out_count: Cell<u64>,
}

impl Throttle {
    /// Whether one more line may be written now: then how many were left out since the last one.
    pub fn admit(&self, now: Monotonic) -> Option<u64> {
        if now.0.saturating_sub(self.since.get().0) >= LOG_WINDOW_NS {
            self.since.set(now);
            self.line_count.set(0);
        }
        if self.line_count.get() == LOG_LINES_PER_WINDOW {
            self.left_out_count.set(self.left_out_count.get() + 1);
            return None;
        }
        self.line_count.set(self.line_count.get() + 1);
        Some(self.left_out_count.take())
    }
}

/// The log of one shard.
#[derive(Debug, Default)]
pub struct ShardLog {
    cuts: Throttle,
    damage: Throttle,
    failed_reads: Throttle,
    checkpoints: Throttle,
    staying_segments: Throttle,
    journal_full: Throttle,
    merges: Throttle,
    key_damage: Throttle,
}

impl ShardLog {
    /// Retention cut the front of a partition.
    pub fn cut(&self, shard: ShardId, report: &CutReport, counters: &ShardCounters, now: Monotonic) {
        counters.cuts.add(1);
        counters.cut_bytes.add(report.bytes);
        let Some(left_out) = self.cuts.admit(now) else { return };
        let CutReport { partition, from, to, bytes, reason } = report;
        let reason = match reason {
            CutReason::Age => "age",
            CutReason::Size => "size",
        };
        tracing::info!(
            %shard, %partition, %from, %to, bytes, reason, left_out,
            "retention cut the front of a partition: `florin topic alter` changes how much is kept"
        );
    }

    /// A segment file that nobody needs could not be removed.
    pub fn segment_stays(&self, shard: ShardId, error: &DiskError, counters: &ShardCounters, now: Monotonic) {
        counters.segments_that_stay.add(1);
        let Some(left_out) = self.staying_segments.admit(now) else { return };
        tracing::warn!(
            %shard, %error, left_out,
            "a segment file that nobody needs could not be removed and takes space: the next start removes it; look at \
             the disk and at the permissions of the directory"
        );
    }

    /// A request was refused because the journal is full.
    pub fn journal_full(&self, shard: ShardId, counters: &ShardCounters, now: Monotonic) {
        counters.journal_full.add(1);
        let Some(left_out) = self.journal_full.admit(now) else { return };
        tracing::warn!(
            %shard, left_out,
            "the journal is full, and clients are told to retry: `florin shard list` says whether a full disk or a full \
             manifest is why; otherwise the disk does not take batches to rest as fast as they come: use a larger \
             journal, or spread the load over more shards"
        );
    }

    /// Something else that an operator should hear of.
    pub fn report(&self, shard: ShardId, report: &Report, counters: &ShardCounters, now: Monotonic) {
        match report {
            Report::DiskFull(error) => tracing::error!(
                %shard, %error,
                "the disk is full: nothing is taken to rest, and captures go on until the journal is full: make room on \
                 the disk, or shorten the retention of topics"
            ),
            Report::DiskFullOver => tracing::info!(%shard, "the disk has space for segment files again"),
            Report::ManifestFull { run_count, wanted_run_count, bytes_max } => tracing::error!(
                %shard, run_count, wanted_run_count, bytes_max,
                "the runs of the shard fill their part of the manifest: nothing is taken to rest, and captures go on \
                 until the journal is full: use fewer partitions per shard, larger segments or a shorter retention, or \
                 delete topics; a directory formatted with larger --manifest-bytes has more room"
            ),
            Report::ManifestFullOver => tracing::info!(%shard, "the manifest has room for runs again"),
            Report::SegmentWriteFailed(error) => {
                counters.failed_segment_writes.add(1);
                tracing::error!(
                    %shard, %error,
                    "a segment file could not be written: its batches are in the journal and in memory and go to another \
                     file; the second failure in a row stops the shard: look at the disk"
                );
            }
            Report::CheckpointFailed(why) => {
                counters.failed_checkpoints.add(1);
                let Some(left_out) = self.checkpoints.admit(now) else { return };
                tracing::warn!(
                    %shard, why, left_out,
                    "a checkpoint did not come about: nothing is lost, but the journal fills until one does: look at the \
                     disk"
                );
            }
            Report::Damaged { partition, segment, from, to, count, why } => {
                counters.damaged_reads.add(1);
                let Some(left_out) = self.damage.admit(now) else { return };
                tracing::error!(
                    %shard, %partition, %segment, %from, %to, count, why, left_out,
                    "stored batches are damaged, and whoever asks for them is refused: stop the server and run `florin \
                     verify` on the directory; leave the file as it is"
                );
            }
            Report::ReadFailed { partition, segment, error } => {
                counters.failed_reads.add(1);
                let Some(left_out) = self.failed_reads.admit(now) else { return };
                tracing::error!(
                    %shard, %partition, %segment, %error, left_out,
                    "a segment file could not be read, and clients are told to retry: look at the disk and at the file"
                );
            }
            Report::ClockJumped { realtime } => tracing::error!(
                %shard, %realtime,
                "the wall clock jumped: nothing expires and nothing is cut until somebody has looked at it and says `florin \
                 clock confirm`"
            ),
            Report::KeysDamaged { .. } | Report::KeyMergeFailed { .. } => self.of_keys(shard, report, counters, now),
            Report::MergeGivenUp(partition) => self.merge_given_up(shard, *partition, now),
        }
    }

    /// What an operator should hear of idempotency keys.
    fn of_keys(&self, shard: ShardId, report: &Report, counters: &ShardCounters, now: Monotonic) {
        match report {
            Report::KeysDamaged { partition, segment, position, what } => {
                counters.damaged_reads.add(1);
                let Some(left_out) = self.key_damage.admit(now) else { return };
                tracing::error!(
                    %shard, %partition, %segment, %position, what, left_out,
                    "idempotency keys cannot be read, and captures whose keys may be among them are refused: look at the \
                     disk; if the file is damaged, stop the server and run `florin verify` on the directory"
                );
            }
            Report::KeyMergeFailed { partition, why } => {
                let Some(left_out) = self.merges.admit(now) else { return };
                tracing::warn!(
                    %shard, %partition, why, left_out,
                    "key runs were not put together: look-ups of keys read more files until they are; look at the disk"
                );
            }
            _ => unreachable!("nothing else is about keys"),
        }
    }

    fn merge_given_up(&self, shard: ShardId, partition: PartitionId, now: Monotonic) {
        let Some(left_out) = self.merges.admit(now) else { return };
        tracing::warn!(
            %shard, %partition, left_out,
            "small runs are not put together until the next start, because one of them could not be read in full: stop \
             the server and run `florin verify` on the directory"
        );
    }
}
