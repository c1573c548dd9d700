//! What is told of a shard.

use crate::io::DiskError;
use crate::model::{Epoch, Sequence, ShardId};

/// How a shard is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardStatus {
    /// Which shard.
    pub shard: ShardId,
    /// Its journal's epoch.
    pub epoch: Epoch,
    /// Whether captures are taken.
    pub serving: bool,
    /// The write that failed, if one did.
    pub failed: Option<DiskError>,
    /// The last durable block.
    pub durable_sequence: Sequence,
    /// The last block that entries were placed into.
    pub appended_sequence: Sequence,
    /// Replies and long polls that wait.
    pub waiting_count: usize,
    /// Bytes of batches held in memory.
    pub held_bytes: usize,
    /// Bytes of them above which what is at rest is let go.
    pub held_bytes_max: usize,
    /// Segment files.
    pub segment_count: usize,
    /// Bytes in segment files.
    pub stored_bytes: u64,
    /// Reads of segment files so far.
    pub cold_read_count: u64,
    /// Requests that wait for a read of a segment file.
    pub cold_waiting_count: usize,
    /// Idempotency keys in memory: those of batches that are not at rest.
    pub keys_recent_count: usize,
    /// Bytes of key runs that are kept in memory.
    pub keys_cached_bytes: usize,
    /// Parts of key runs read so far.
    pub keys_read_count: u64,
    /// Requests that wait to hear what is known of keys.
    pub keys_waiting_count: usize,
    /// Bytes written to segment files and not synced yet.
    pub unsynced_bytes: u64,
    /// Whether segment files find no space: captures go on until the journal is full.
    pub disk_full: bool,
    /// Whether runs fill their part of the manifest, so that nothing is taken to rest: captures go on until the journal
    /// is full.
    pub manifest_full: bool,
    /// Bytes of a manifest that runs and segment files take.
    pub manifest_run_bytes: u64,
    /// Bytes of a manifest that they may take.
    pub manifest_run_bytes_max: u64,
    /// Transactional ids that this shard coordinates.
    pub transactional_id_count: usize,
    /// Transactions of them that are decided, and that not all participants have noted.
    pub unsettled_transaction_count: usize,
    /// Transactions that are open in partitions of this shard.
    pub open_transaction_count: usize,
    /// Consumer groups whose offsets this shard keeps.
    pub group_count: usize,
    /// Requests that wait for the coordinator of their transaction.
    pub coordinator_waiting_count: usize,
    /// Partitions open.
    pub partition_count: usize,
    /// Ring files nothing was placed in yet.
    pub unused_ring_file_count: usize,
    /// Bytes of the ring that are not free: of files that were filled all, of the one that is being filled those in front
    /// of the next block.
    pub journal_used_bytes: u64,
    /// Bytes of the ring.
    pub journal_bytes: u64,
    /// Whether expiry is suspended because the wall clock jumped.
    pub clock_suspended: bool,
}
