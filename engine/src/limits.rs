//! Every bound of the engine in one place, with its unit in the name, and the relations between them.

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Alignment of every position, length and buffer: the unit in which the journal is laid out and damage is found.
pub const UNIT_BYTES: usize = 4096;

/// Shards in one data directory.
pub const SHARD_COUNT_MAX: u16 = 256;

/// One record batch, header included.
pub const BATCH_BYTES_MAX: usize = MIB;
/// Records in one batch.
pub const BATCH_RECORD_COUNT_MAX: u32 = 100_000;
/// The records of one compressed batch, when they are looked into.
pub const BATCH_DECOMPRESSED_BYTES_MAX: usize = 16 * MIB;
/// One journal block, header and padding included.
pub const BLOCK_BYTES_MAX: usize = 4 * MIB;
/// Journal blocks being written at the same time.
pub const BLOCKS_IN_FLIGHT_MAX: usize = 4;
/// Journal blocks being written at the same time when nothing else is asked for.
pub const BLOCKS_IN_FLIGHT_DEFAULT: usize = 1;

/// Ring files of one journal: at least two, so that one can be written while another is being freed.
pub const RING_FILE_COUNT_MIN: u16 = 2;
/// Ring files of one journal: what the superblock has room for.
pub const RING_FILE_COUNT_MAX: u16 = 128;
/// Ring files of a journal when nothing else is asked for.
pub const RING_FILE_COUNT_DEFAULT: u16 = 4;
/// Size of one ring file, at least.
pub const RING_FILE_BYTES_MIN: u64 = 32 * KIB as u64;
/// Size of one ring file, at most.
pub const RING_FILE_BYTES_MAX: u64 = 1024 * MIB as u64;
/// Size of one ring file when nothing else is asked for.
pub const RING_FILE_BYTES_DEFAULT: u64 = 64 * MIB as u64;

/// Manifest slots of one shard: at most one is named by each superblock copy, one is left to write to.
pub const MANIFEST_SLOT_COUNT: u8 = 3;
/// Size of one copy of a manifest, at least.
pub const MANIFEST_BYTES_MIN: u64 = 32 * KIB as u64;
/// Size of one copy of a manifest, at most.
pub const MANIFEST_BYTES_MAX: u64 = 256 * MIB as u64;
/// Size of one copy of a manifest when nothing else is asked for.
pub const MANIFEST_BYTES_DEFAULT: u64 = 16 * MIB as u64;

/// Failed manifest writes in a row that stop a shard.
pub const MANIFEST_FAILURES_IN_A_ROW_MAX: u32 = 2;
/// How long after a failed checkpoint the next one begins unasked.
pub const CHECKPOINT_RETRY_NS: u64 = 1_000_000_000;

/// Bytes admitted and not yet durable, per shard, before captures are told to retry.
pub const JOURNAL_QUEUED_BYTES_MAX: usize = 16 * MIB;
/// Requests waiting for a block or for data, per shard.
pub const REQUESTS_WAITING_MAX: usize = 65_536;
/// Fetches waiting for data, per shard: they leave the rest of [`REQUESTS_WAITING_MAX`] to captures.
pub const POLLS_WAITING_MAX: usize = 16_384;
/// One read of the recovery scan.
pub const SCAN_READ_BYTES: usize = MIB;
/// Reads of the recovery scan under way at the same time.
pub const SCAN_READS: usize = 4;

/// An extent gets no further batch from here on.
pub const EXTENT_BYTES_TARGET: usize = 256 * KIB;
/// A partition with less to write than this shares a segment file with others.
pub const SEGMENT_OWN_BYTES_MIN: usize = MIB;
/// Batches that are taken to rest with one plan: as many as are looked at, referred to and let go within a millisecond.
pub const PLAN_BATCH_COUNT_MAX: usize = 8192;
/// Idempotency keys that are taken to rest with one plan, unless one batch has more: they are sorted in a few
/// milliseconds.
pub const PLAN_KEY_COUNT_MAX: u64 = 262_144;
/// Bytes written to a segment file before it is synced, when nothing else is asked for.
pub const SEGMENT_UNSYNCED_BYTES_DEFAULT: usize = 8 * MIB;
/// The same, at least.
pub const SEGMENT_UNSYNCED_BYTES_MIN: usize = 64 * KIB;
/// The same, at most.
pub const SEGMENT_UNSYNCED_BYTES_MAX: usize = 1024 * MIB;
/// How long the writer of segments rests after each write, as a multiple of what the write took, while there is room
/// in the journal.
pub const SEGMENT_REST_FACTOR: u32 = 2;
/// How long a shard that closes takes what only its journal holds to rest; writes that are under way then still end.
pub const CLOSING_REST_NS_MAX: u64 = 5_000_000_000;
/// Failed segment writes in a row, of whatever file, that stop a shard.
pub const SEGMENT_FAILURES_IN_A_ROW_MAX: u32 = 2;
/// How long after a failed segment write the next one begins.
pub const SEGMENT_RETRY_NS: u64 = 1_000_000_000;
/// Part of a manifest that topics and what partitions have beside runs may fill, as a divisor.
pub const TOPIC_MANIFEST_SHARE: u64 = 4;
/// Part of a manifest that runs and segment files may fill, as a divisor.
pub const SEGMENT_MANIFEST_SHARE: u64 = 4;
/// Memory beside the ring for batches that are at rest already, when nothing else is asked for.
pub const CACHED_BYTES_DEFAULT: u64 = 64 * MIB as u64;
/// Memory of a shard for batches when nothing else is asked for: the ring that is the default, and that.
pub const MEMORY_BYTES_DEFAULT: u64 = RING_FILE_COUNT_DEFAULT as u64 * RING_FILE_BYTES_DEFAULT + CACHED_BYTES_DEFAULT;
/// Memory of a shard for batches, at most.
pub const MEMORY_BYTES_MAX: u64 = 1024 * 1024 * MIB as u64;

/// Runs that follow each other and are put together, at least.
pub const MERGE_RUN_COUNT_MIN: usize = 8;
/// A larger run stays as it is.
pub const MERGE_RUN_BYTES_MAX: u64 = 8 * MIB as u64;
/// Bytes put together at a time, and held in memory meanwhile.
pub const MERGE_BYTES_MAX: u64 = 32 * MIB as u64;

/// Bytes of extents that one read of a segment file brings, unless the first extent alone is larger.
pub const COLD_READ_BYTES: usize = 2 * MIB;
/// The same while captures come.
pub const COLD_READ_BYTES_CAPTURING: usize = MIB;
/// Reads of segment files under way at the same time, per shard.
pub const COLD_READS_MAX: usize = 4;
/// Bytes that the disk is asked for at a time while captures come: a journal's write waits for what it is doing.
pub const COLD_PIECE_BYTES: usize = 64 * KIB;
/// How long such a read rests between two pieces, as a multiple of the time that the first took.
pub const COLD_REST_FACTOR: u64 = 1;
/// And no longer than this.
pub const COLD_REST_NS_MAX: u64 = 10_000_000;
/// So long after the last capture of a shard more are expected.
pub const CAPTURES_EXPECTED_NS: u64 = 5_000_000;
/// Requests that wait for a read of a segment file, per shard.
pub const COLD_WAITING_MAX: usize = 4096;
/// Places of partitions of which it is kept what was learnt of aborted transactions at rest, per shard.
pub const COLD_SEARCHES_MAX: usize = 64;
/// Aborted transactions that are kept of what was looked through for one answer from segment files. Those that are open at
/// one place in a partition are fewer than half of it.
pub const ABORTED_KEPT_MAX: usize = 4 * PARTITION_TRANSACTIONS_MAX;
/// The same over all who wait for such answers, and of what is kept for later ones, per shard.
pub const COLD_ABORTED_MAX: usize = 64 * ABORTED_KEPT_MAX;
/// Batches read from segment files that are kept, per shard.
pub const COLD_CACHE_BYTES_MAX: usize = 16 * MIB;
/// Indexes of segment files that are kept, per shard.
pub const INDEX_CACHE_BYTES_MAX: usize = 8 * MIB;

/// How often topics are looked at for what they need not keep any longer.
pub const RETENTION_INTERVAL_NS: u64 = 5_000_000_000;
/// A segment file is sealed when its first batch is older than this part of the time for which its topic keeps
/// records, as a divisor: only whole runs are cut.
pub const RETENTION_SEGMENT_SHARE: u64 = 8;

/// Bytes in one fetch reply, unless its first batch alone is larger.
pub const FETCH_BYTES_MAX: usize = 8 * MIB;
/// How long a fetch may wait for data.
pub const FETCH_WAIT_NS_MAX: u64 = 30_000_000_000;

/// A topic's name, in bytes of UTF-8.
pub const TOPIC_NAME_BYTES_MAX: usize = 249;
/// Partitions of one topic.
pub const TOPIC_PARTITION_COUNT_MAX: u32 = 4096;
/// Topics in one directory.
pub const TOPIC_COUNT_MAX: usize = 4096;
/// Bytes of a partition that retention keeps, at least: 0 stands for no such setting.
pub const RETENTION_BYTES_MIN: u64 = 1;
/// How long retention keeps a batch, at least: 0 stands for no such setting.
pub const RETENTION_NS_MIN: u64 = 1;
/// Size at which a segment is sealed, at least: small enough for simulations.
pub const SEGMENT_BYTES_MIN: u64 = 64 * KIB as u64;
/// Size at which a segment is sealed, at most.
pub const SEGMENT_BYTES_MAX: u64 = 4096 * MIB as u64;
/// Size at which a segment is sealed when nothing else is asked for.
pub const SEGMENT_BYTES_DEFAULT: u64 = 256 * MIB as u64;
/// The largest record that a topic takes, as its setting says, at least.
pub const RECORD_BYTES_MAX_MIN: u32 = 64;
/// The same at most, and when nothing else is asked for: what a batch has room for.
#[expect(clippy::cast_possible_truncation, reason = "asserted below")]
pub const RECORD_BYTES_MAX_MAX: u32 = BATCH_BYTES_MAX as u32;
/// Days for which a topic remembers its idempotency keys, at least.
pub const KEY_WINDOW_DAYS_MIN: u16 = 1;
/// The same, at most.
pub const KEY_WINDOW_DAYS_MAX: u16 = 400;
/// The name of a header that holds keys or belongs to a record's body, in bytes of UTF-8.
pub const KEY_HEADER_BYTES_MAX: usize = 64;
/// Headers that belong to a record's body.
pub const KEY_BODY_HEADERS_MAX: usize = 8;
/// Idempotency keys in memory, per shard: those of batches that are not at rest. From the half on they are taken there.
pub const KEY_RECENT_COUNT_MAX: usize = 4 * 1024 * 1024;
/// Keys that are let go of with one event, once they are at rest.
pub const KEY_FORGET_COUNT: usize = 4096;
/// Captures and look-ups that wait for one partition's keys.
pub const KEYED_WAITING_COUNT_MAX: usize = 256;
/// Bytes of captures that wait for keys, per shard.
pub const KEYED_WAITING_BYTES_MAX: usize = 64 * MIB;
/// Partitions of a shard for whose keys something is read or decompressed at the same time.
pub const KEY_JOBS_MAX: usize = 16;
/// Keys of a batch that are read for at the same time.
pub const KEY_LOOK_AHEAD: usize = 64;
/// Keys that are looked for in memory before the shard turns to something else.
pub const KEY_LOOKS_PER_TURN: usize = 512;
/// Records of a batch whose keys are found on the shard's thread; those of a larger one, or of one that is compressed, are
/// found away from it.
pub const KEYS_DERIVED_AT_ONCE_MAX: u32 = 2048;
/// Bytes of key runs that one batch holds on to before its keys are read for one after the other.
pub const KEY_PIECES_HELD_BYTES_MAX: usize = 8 * MIB;
/// Bytes of key runs that are kept in memory, per shard, when nothing else is asked for.
pub const KEY_CACHE_BYTES_DEFAULT: u64 = 64 * MIB as u64;
/// The same, at least.
pub const KEY_CACHE_BYTES_MIN: u64 = MIB as u64;
/// The same, at most.
pub const KEY_CACHE_BYTES_MAX: u64 = MEMORY_BYTES_MAX;
/// How often expired key runs are looked for, and what is to be put together.
pub const KEY_MERGE_INTERVAL_NS: u64 = 1_000_000_000;
/// How long after a failed merge of key runs the next one begins.
pub const KEY_MERGE_RETRY_NS: u64 = 60_000_000_000;
/// Key runs that follow each other and are put together, at least: a look-up asks all of them.
pub const KEY_MERGE_RUN_COUNT_MIN: usize = 4;
/// How long a merge of key runs rests after each write, as a multiple of what the write took.
pub const KEY_MERGE_REST_FACTOR: u32 = 4;
/// Catalogue changes under way at the same time.
pub const CATALOGUE_PENDING_MAX: usize = 64;
/// Topics sent for one request for a copy of the catalogue.
pub const CATALOGUE_COPY_PARTS_MAX: usize = CATALOGUE_PENDING_MAX;
/// How often an unanswered catalogue message is sent again.
pub const CATALOGUE_RESEND_NS: u64 = 1_000_000_000;
/// How long a client waits for a catalogue change before it is told to ask again.
pub const CATALOGUE_WAIT_NS: u64 = 30_000_000_000;

/// Batches per producer and partition whose original answer is kept: the retry window.
pub const PRODUCER_WINDOW_BATCHES: usize = 5;
/// Producers known to one partition.
pub const PARTITION_PRODUCER_COUNT_MAX: usize = 16_384;
/// A producer that has been idle for longer is forgotten, by a journal entry.
pub const PRODUCER_IDLE_NS: u64 = 7 * 24 * 3_600 * 1_000_000_000;
/// How often idle producers are looked for.
pub const PRODUCER_EXPIRY_INTERVAL_NS: u64 = 60_000_000_000;
/// Producers that are forgotten at a time.
pub const PRODUCER_EXPIRY_COUNT_MAX: usize = 64;
/// Part of a manifest that producers may fill, as a divisor.
pub const PRODUCER_MANIFEST_SHARE: u64 = 2;
/// Producer ids reserved by one journal entry.
pub const PRODUCER_ID_CHUNK: u64 = 1024;

/// The name of a transactional id or of a consumer group, in bytes of UTF-8.
pub const GIVEN_NAME_BYTES_MAX: usize = 249;
/// How long a transaction may take before it is aborted, in milliseconds, at least.
pub const TRANSACTION_TIMEOUT_MS_MIN: u32 = 1;
/// The same at most.
pub const TRANSACTION_TIMEOUT_MS_MAX: u32 = 60_000;
/// The same when nothing else is asked for.
pub const TRANSACTION_TIMEOUT_MS_DEFAULT: u32 = 10_000;
/// Partitions and groups that one transaction writes to.
pub const TRANSACTION_PARTICIPANTS_MAX: usize = 1024;
/// Transactions that are open in one partition.
pub const PARTITION_TRANSACTIONS_MAX: usize = 4096;
/// Part of a manifest that transactional ids, transactions and what they write to may fill, as a divisor.
pub const TRANSACTION_MANIFEST_SHARE: u64 = 16;
/// Part of a manifest that offsets of consumer groups may fill, as a divisor.
pub const GROUP_MANIFEST_SHARE: u64 = 16;
/// A transactional id that has been idle for longer is forgotten, by a journal entry.
pub const TRANSACTIONAL_ID_IDLE_NS: u64 = PRODUCER_IDLE_NS;
/// How often what another shard did not answer about transactions is sent again.
pub const TRANSACTION_RESEND_NS: u64 = 500_000_000;
/// How long a batch waits for its transaction's coordinator before its client is told to retry.
pub const COORDINATOR_WAIT_NS: u64 = 5_000_000_000;
/// After what time a shard asks what became of a transaction that is open in its partitions and groups; how often it looks is a
/// quarter of it.
pub const TRANSACTION_INQUIRY_NS: u64 = 2 * TRANSACTION_TIMEOUT_MS_MAX as u64 * 1_000_000;
/// Batches and offsets that wait for a transaction's coordinator, per shard.
pub const COORDINATOR_WAITING_COUNT_MAX: usize = 4096;
/// Their bytes, per shard.
pub const COORDINATOR_WAITING_BYTES_MAX: usize = 64 * MIB;
/// What is to be told to other shards about transactions once the journal is durable, per shard.
pub const TELLS_WAITING_MAX: usize = 65_536;
/// Offsets that are committed with one request.
pub const OFFSETS_PER_COMMIT_MAX: usize = 1024;
/// Participants of a transaction that are told when it is described.
pub const STATUS_PARTICIPANTS_MAX: usize = 64;
/// Transactional ids or groups that are listed with one answer, or forgotten at a time.
pub const LISTED_COUNT_MAX: usize = 64;
/// What a group notes beside an offset, in bytes of UTF-8.
pub const OFFSET_METADATA_BYTES_MAX: usize = 256;

/// With nothing to write for this long, an empty block confirms the last one.
pub const JOURNAL_IDLE_NS: u64 = 10_000_000;
/// So long after a start nothing expires when nothing else is asked for: a clock that was wrong at boot is set right
/// within it, which shows as a jump.
pub const CLOCK_SETTLE_NS_DEFAULT: u64 = 60_000_000_000;
/// The same at most.
pub const CLOCK_SETTLE_NS_MAX: u64 = 24 * 3_600 * 1_000_000_000;
/// A jump of the wall clock against the monotonic one above this suspends expiry.
pub const CLOCK_JUMP_NS_MAX: u64 = 3_600 * 1_000_000_000;

const _: () = assert!(BATCH_BYTES_MAX + UNIT_BYTES <= BLOCK_BYTES_MAX);
const _: () = assert!(BLOCK_BYTES_MAX.is_multiple_of(UNIT_BYTES));
const _: () = assert!(BATCH_BYTES_MAX <= u32::MAX as usize && RECORD_BYTES_MAX_MIN < RECORD_BYTES_MAX_MAX);
const _: () = assert!(SEGMENT_BYTES_MIN < SEGMENT_BYTES_DEFAULT && SEGMENT_BYTES_DEFAULT < SEGMENT_BYTES_MAX);
const _: () = assert!(BLOCK_BYTES_MAX as u64 <= RING_FILE_BYTES_DEFAULT);
const _: () = assert!(JOURNAL_QUEUED_BYTES_MAX >= 2 * BLOCK_BYTES_MAX);
const _: () = assert!(POLLS_WAITING_MAX <= REQUESTS_WAITING_MAX / 2);
const _: () = assert!(EXTENT_BYTES_TARGET <= COLD_READ_BYTES && MERGE_RUN_BYTES_MAX < MERGE_BYTES_MAX);
const _: () = assert!(COLD_CACHE_BYTES_MAX >= COLD_READS_MAX * (BATCH_BYTES_MAX + COLD_READ_BYTES));
const _: () = assert!(COLD_WAITING_MAX <= REQUESTS_WAITING_MAX / 2);
const _: () = assert!(SCAN_READ_BYTES.is_multiple_of(UNIT_BYTES));
const _: () = assert!(GIVEN_NAME_BYTES_MAX <= u16::MAX as usize);
const _: () = assert!(OFFSETS_PER_COMMIT_MAX <= u16::MAX as usize);
const _: () = assert!(OFFSETS_PER_COMMIT_MAX * (64 + OFFSET_METADATA_BYTES_MAX) < BATCH_BYTES_MAX);
const _: () = assert!(FETCH_BYTES_MAX >= BATCH_BYTES_MAX);
const _: () = assert!(RING_FILE_COUNT_MIN >= 2 && RING_FILE_COUNT_MAX >= RING_FILE_COUNT_DEFAULT);
