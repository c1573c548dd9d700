//! Every bound of the network side in one place, with its unit in the name, and the relations between them.

use florin_engine::limits::{BATCH_BYTES_MAX, POLLS_WAITING_MAX, REQUESTS_WAITING_MAX, TOPIC_NAME_BYTES_MAX};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// One request frame, its length field included: a batch and whatever stands around it.
pub const REQUEST_BYTES_MAX: usize = BATCH_BYTES_MAX + 64 * KIB;
/// One response frame, its length field included: what a fetch returns, its table of batches, or a page of topics.
pub const RESPONSE_BYTES_MAX: usize = 16 * MIB;
/// Topics of one metadata response, in bytes of their descriptions. The largest topic fits, so a page is never empty
/// while there are more.
pub const METADATA_PAGE_BYTES: usize = 256 * KIB;
/// Topics that one metadata request may ask for by name.
pub const METADATA_NAMES_MAX: usize = 64;
/// The name of a topic as a request gives it, in bytes of UTF-8. More than a topic can have, so that whoever asks for
/// too long a name is told so by the catalogue and not called malformed.
pub const ASKED_NAME_BYTES_MAX: usize = 2 * TOPIC_NAME_BYTES_MAX;
/// Texts of responses other than names and the words of an error, in bytes of UTF-8; longer ones are cut.
pub const TEXT_BYTES_MAX: usize = 1024;
/// What a client may call itself, in bytes of UTF-8.
pub const CLIENT_NAME_BYTES_MAX: usize = 128;
/// The words of an error, in bytes of UTF-8; longer ones are cut.
pub const ERROR_MESSAGE_BYTES_MAX: usize = 1024;

/// Connections of one shard's port at the same time, when nothing else is asked for.
pub const CONNECTION_COUNT_DEFAULT: usize = 1024;
/// The same, at most.
pub const CONNECTION_COUNT_MAX: usize = 1_000_000;
/// Bytes of requests not answered and of responses not sent that one connection may have before no more is read from
/// it, when nothing else is asked for.
pub const CONNECTION_BYTES_DEFAULT: usize = 8 * MIB;
/// The same, at least: a request and a response must fit.
pub const CONNECTION_BYTES_MIN: usize = 2 * MIB;
/// The same, at most.
pub const CONNECTION_BYTES_MAX: usize = 1024 * MIB;
/// Requests of one connection that are not answered yet, before no more is read from it.
pub const CONNECTION_REQUESTS_MAX: usize = 1024;
/// Bytes of requests not answered and of responses not sent, over all connections of an executor: above half of it a
/// connection that has more than its equal share is not read from. When nothing else is asked for.
pub const EXECUTOR_BYTES_DEFAULT: usize = 256 * MIB;
/// The same, at least: half of it, which is free for all, is what one connection needs.
pub const EXECUTOR_BYTES_MIN: usize = 2 * CONNECTION_BYTES_MIN;
/// The same, at most.
pub const EXECUTOR_BYTES_MAX: usize = 64 * 1024 * MIB;
/// Partitions of which metrics tell since when they are held back, per shard.
pub const HELD_BACK_TOLD_MAX: usize = 64;
/// Requests not answered over all connections of an executor, with the same rule of shares.
pub const EXECUTOR_REQUESTS_MAX: usize = REQUESTS_WAITING_MAX / 2;
/// Fetches that wait for data over all connections of an executor, with the same rule of shares.
pub const EXECUTOR_POLLS_MAX: usize = POLLS_WAITING_MAX;

/// The host that clients are told to connect to, in bytes: what a name in the DNS can have.
pub const ADVERTISE_BYTES_MAX: usize = 253;

/// Each of the following four waits, at least.
pub const PATIENCE_NS_MIN: u64 = 1_000_000_000;
/// A connection without a frame, and without anything to answer, is closed after this long.
pub const IDLE_NS_DEFAULT: u64 = 600_000_000_000;
/// The same, at most: a week, which clients are told in milliseconds of 32 bits.
pub const IDLE_NS_MAX: u64 = 7 * 24 * 3_600 * 1_000_000_000;
/// A frame must be there in full this long after its first byte, and a new connection must have negotiated.
pub const FRAME_NS_DEFAULT: u64 = 10_000_000_000;
/// The same, at most.
pub const FRAME_NS_MAX: u64 = 3_600 * 1_000_000_000;
/// A client that takes nothing of what is sent to it for this long is closed.
pub const SEND_NS_DEFAULT: u64 = 30_000_000_000;
/// The same, at most.
pub const SEND_NS_MAX: u64 = 3_600 * 1_000_000_000;
/// How long a drain waits for what is under way before the process ends all the same.
pub const DRAIN_NS_DEFAULT: u64 = 30_000_000_000;
/// The same, at most.
pub const DRAIN_NS_MAX: u64 = 24 * 3_600 * 1_000_000_000;
/// How often connections are looked at for what took too long.
pub const SWEEP_NS: u64 = 250_000_000;

/// Lines of one kind in the log of a shard in a window of time, of what clients can cause again and again; the others
/// are counted.
pub const LOG_LINES_PER_WINDOW: u32 = 10;
/// The window.
pub const LOG_WINDOW_NS: u64 = 10_000_000_000;

/// Requests that one executor may have under way on another one; a power of two per core is left of it.
pub const FORWARDS_PER_EXECUTOR_MAX: usize = 4096;
/// The same for one pair of executors, at least.
pub const FORWARDS_PER_PAIR_MIN: usize = 64;
/// Bytes in the answer to a fetch that is passed on to another executor, unless its first batch alone is larger: all
/// that are under way may be answered before the first of them is sent.
pub const FORWARDED_FETCH_BYTES_MAX: usize = 64 * KIB;
/// Messages between shards on their way between one pair of executors; more are dropped and sent again by their shards.
pub const MESSAGES_PER_PAIR_MAX: usize = 1024;

const _: () = assert!(CONNECTION_BYTES_MIN >= REQUEST_BYTES_MAX && CONNECTION_BYTES_DEFAULT >= CONNECTION_BYTES_MIN);
const _: () = assert!(CONNECTION_BYTES_DEFAULT <= CONNECTION_BYTES_MAX && CONNECTION_BYTES_MAX <= EXECUTOR_BYTES_MAX);
const _: () = assert!(EXECUTOR_BYTES_DEFAULT >= EXECUTOR_BYTES_MIN && EXECUTOR_BYTES_DEFAULT <= EXECUTOR_BYTES_MAX);
const _: () = assert!(EXECUTOR_BYTES_DEFAULT >= CONNECTION_BYTES_DEFAULT);
const _: () = assert!(IDLE_NS_MAX / 1_000_000 <= u32::MAX as u64 && SWEEP_NS < PATIENCE_NS_MIN);
const _: () = assert!(ADVERTISE_BYTES_MAX <= TEXT_BYTES_MAX);
