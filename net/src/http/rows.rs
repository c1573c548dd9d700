//! What is told of each shard and each executor: the rows of `tools/README.md`, which a test compares.

use prometheus_client::metrics::MetricType;

use crate::metrics::{Counter, ExecutorCounters, ShardCounters};

/// What is told of each shard: name, explanation, whether it only grows, and where it is.
type ShardRow = (&'static str, &'static str, MetricType, fn(&ShardCounters) -> &Counter);

pub(super) const SHARD_ROWS: [ShardRow; 47] = [
    ("captured_batches", "Batches stored.", MetricType::Counter, |of| &of.captured),
    ("duplicate_batches", "Batches answered with the original receipt.", MetricType::Counter, |of| &of.duplicates),
    ("refused_requests", "Requests refused by the shard.", MetricType::Counter, |of| &of.refused),
    ("outcome_unknown", "Requests whose outcome is unknown.", MetricType::Counter, |of| &of.outcome_unknown),
    ("fetched_batches", "Batches given to fetches.", MetricType::Counter, |of| &of.fetched),
    ("fetched_bytes", "Bytes of batches given to fetches.", MetricType::Counter, |of| &of.fetched_bytes),
    ("journal_blocks", "Journal blocks written, each durably.", MetricType::Counter, |of| &of.blocks),
    ("journal_bytes", "Bytes of journal blocks written.", MetricType::Counter, |of| &of.block_bytes),
    ("journal_entries", "Entries in journal blocks written.", MetricType::Counter, |of| &of.block_entries),
    ("connections", "Open connections to the shard's port.", MetricType::Gauge, |of| &of.connections),
    ("journal_epoch", "Starts of the shard since it was formatted.", MetricType::Gauge, |of| &of.epoch),
    ("durable_sequence", "The last durable journal block.", MetricType::Gauge, |of| &of.durable_sequence),
    ("appended_sequence", "The last journal block begun.", MetricType::Gauge, |of| &of.appended_sequence),
    ("partitions", "Partitions open.", MetricType::Gauge, |of| &of.partitions),
    ("waiting_requests", "Requests that wait for a block or for data.", MetricType::Gauge, |of| &of.waiting),
    ("unused_journal_files", "Journal files that are free.", MetricType::Gauge, |of| &of.unused_files),
    ("held_bytes", "Bytes of batches held in memory.", MetricType::Gauge, |of| &of.held_bytes),
    ("clock_suspended", "1 while expiry waits for the clock to be confirmed.", MetricType::Gauge, |of| {
        &of.clock_suspended
    }),
    ("held_limit_bytes", "Bytes of batches above which memory lets go of what is at rest.", MetricType::Gauge, |of| {
        &of.held_bytes_max
    }),
    ("segment_files", "Segment files.", MetricType::Gauge, |of| &of.segments),
    ("stored_bytes", "Bytes in segment files: at rest.", MetricType::Gauge, |of| &of.stored_bytes),
    ("unsynced_segment_bytes", "Bytes written to segment files and not synced yet.", MetricType::Gauge, |of| {
        &of.unsynced_bytes
    }),
    ("disk_full", "1 while segment files find no space.", MetricType::Gauge, |of| &of.disk_full),
    (
        "manifest_full",
        "1 while nothing is taken to rest because the manifest has no room for it.",
        MetricType::Gauge,
        |of| &of.manifest_full,
    ),
    ("manifest_run_bytes", "Bytes of a manifest that runs and segment files take.", MetricType::Gauge, |of| {
        &of.manifest_run_bytes
    }),
    ("manifest_run_limit_bytes", "Bytes of a manifest that they may take.", MetricType::Gauge, |of| {
        &of.manifest_run_bytes_max
    }),
    ("journal_used_bytes", "Bytes of the journal that are not free.", MetricType::Gauge, |of| &of.journal_used_bytes),
    ("journal_size_bytes", "Bytes of the journal.", MetricType::Gauge, |of| &of.journal_ring_bytes),
    ("cold_reads", "Reads of segment files begun.", MetricType::Counter, |of| &of.cold_reads),
    ("cold_waiting_requests", "Requests that wait for a read of a segment file.", MetricType::Gauge, |of| {
        &of.cold_waiting
    }),
    ("recent_keys", "Idempotency keys in memory that are not at rest.", MetricType::Gauge, |of| &of.keys_recent),
    ("cached_key_bytes", "Bytes of key runs that memory keeps.", MetricType::Gauge, |of| &of.keys_cached_bytes),
    ("key_reads", "Reads of key runs begun.", MetricType::Counter, |of| &of.keys_reads),
    (
        "key_waiting_requests",
        "Captures and look-ups that wait for what is known of their idempotency keys.",
        MetricType::Gauge,
        |of| &of.keys_waiting,
    ),
    ("transactional_ids", "Transactional ids that the shard coordinates.", MetricType::Gauge, |of| {
        &of.transactional_ids
    }),
    (
        "unsettled_transactions",
        "Transactions that are decided, and whose end not all of what they wrote to has noted.",
        MetricType::Gauge,
        |of| &of.unsettled_transactions,
    ),
    (
        "open_transactions",
        "Transactions that are open in partitions: readers of what is committed wait for their end.",
        MetricType::Gauge,
        |of| &of.open_transactions,
    ),
    ("consumer_groups", "Consumer groups whose offsets the shard keeps.", MetricType::Gauge, |of| &of.groups),
    (
        "coordinator_waiting_requests",
        "Requests that wait for the coordinator of their transaction.",
        MetricType::Gauge,
        |of| &of.coordinator_waiting,
    ),
    ("retention_cuts", "Times that retention cut the front of a partition.", MetricType::Counter, |of| &of.cuts),
    ("retention_cut_bytes", "Bytes that retention cut.", MetricType::Counter, |of| &of.cut_bytes),
    ("journal_full_refusals", "Requests refused because the journal was full.", MetricType::Counter, |of| {
        &of.journal_full
    }),
    ("damaged_reads", "Reads of segment files that found damage.", MetricType::Counter, |of| &of.damaged_reads),
    ("failed_reads", "Reads of segment files that failed.", MetricType::Counter, |of| &of.failed_reads),
    (
        "failed_segment_writes",
        "Segment files that could not be written, but for want of space.",
        MetricType::Counter,
        |of| &of.failed_segment_writes,
    ),
    ("failed_checkpoints", "Checkpoints that did not come about.", MetricType::Counter, |of| &of.failed_checkpoints),
    (
        "undeleted_segment_files",
        "Segment files that nobody needs and that could not be removed.",
        MetricType::Counter,
        |of| &of.segments_that_stay,
    ),
];

/// The same of each executor.
type ExecutorRow = (&'static str, &'static str, MetricType, fn(&ExecutorCounters) -> &Counter);

pub(super) const EXECUTOR_ROWS: [ExecutorRow; 17] = [
    ("accepted_connections", "Connections accepted.", MetricType::Counter, |of| &of.accepted),
    ("turned_away_connections", "Connections refused, there were too many.", MetricType::Counter, |of| &of.turned_away),
    ("timed_out_connections", "Connections closed for taking too long.", MetricType::Counter, |of| &of.timed_out),
    ("idle_closed_connections", "Connections closed for doing nothing.", MetricType::Counter, |of| &of.idle_closed),
    ("malformed_connections", "Connections closed for what they sent.", MetricType::Counter, |of| &of.malformed),
    ("failed_accepts", "Connections that could not be accepted.", MetricType::Counter, |of| &of.accept_failed),
    ("error_responses", "Error responses.", MetricType::Counter, |of| &of.errors),
    ("misrouted_requests", "Requests for a shard of another port.", MetricType::Counter, |of| &of.misrouted),
    ("forwarded_requests", "Requests forwarded to another core.", MetricType::Counter, |of| &of.forwarded),
    ("forwards_without_credit", "Forwards refused, too many were under way.", MetricType::Counter, |of| &of.no_credit),
    ("dropped_messages", "Messages between shards that were dropped.", MetricType::Counter, |of| &of.messages_dropped),
    ("received_bytes", "Bytes received from clients.", MetricType::Counter, |of| &of.received_bytes),
    ("sent_bytes", "Bytes sent to clients.", MetricType::Counter, |of| &of.sent_bytes),
    ("paused_reads", "How often a connection was not read from for lack of room.", MetricType::Counter, |of| {
        &of.paused
    }),
    ("in_flight_bytes", "Bytes of requests not answered and of responses not sent.", MetricType::Gauge, |of| {
        &of.in_flight_bytes
    }),
    ("in_flight_requests", "Requests not answered.", MetricType::Gauge, |of| &of.in_flight_requests),
    ("waiting_polls", "Fetches that wait for data.", MetricType::Gauge, |of| &of.waiting_polls),
];
