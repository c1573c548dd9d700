//! What callers choose, what they send, and what they get for it.

use std::time::Duration;

use bytes::Bytes;
use florin_engine::catalogue::TopicSettings;
use florin_engine::limits::TRANSACTION_TIMEOUT_MS_DEFAULT;
use florin_engine::model::{Offset, Realtime};
use florin_engine::partition::Isolation;
use florin_engine::shard::KeyReceipt;

use crate::protocol::{PartitionDescription, TopicDescription};

/// How a client finds its server.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// Addresses as `host:port`, of any shards; they are tried in turn.
    pub servers: Vec<String>,
    /// What the client calls itself in the server's logs.
    pub name: String,
    /// How long connecting may take, over all addresses; it ends at once when all of them have refused.
    pub connect_timeout: Duration,
    /// How long one request may take, repetitions included.
    pub request_timeout: Duration,
    /// How old what is known of the topics may become while there are producers or consumers, before it is asked for
    /// anew: so long it may take until they use partitions that were added.
    pub metadata_age_max: Duration,
}

/// How a producer gathers, sends and repeats.
#[derive(Clone, Debug)]
pub struct ProducerSettings {
    /// The topic's name.
    pub topic: String,
    /// How long a batch waits for more records before it is sent; zero sends as soon as the pipeline has room.
    pub linger: Duration,
    /// Bytes of one batch, unless the server allows fewer.
    pub batch_bytes_max: usize,
    /// Records of one batch.
    pub batch_records_max: u32,
    /// Batches of one partition that are sent and not answered, unless the server's retry window is shorter.
    pub batches_in_flight: usize,
    /// Bytes of records without an outcome; [`send`](super::Producer::send) waits while there are more.
    pub buffer_bytes_max: usize,
    /// How long after `send` a record is given up, if it was not stored by then; 12 hours at most.
    pub delivery_timeout: Duration,
    /// Whether the server recognises what is sent again. Without it nothing is repeated that might be stored.
    pub idempotent: bool,
}

/// Who sends transactions, and how.
#[derive(Clone, Debug)]
pub struct TransactionSettings {
    /// The transactional id: whoever opened it last has it. 1 to 249 bytes without control characters.
    pub transactional_id: String,
    /// How long a transaction may take from its first record or offset on, before the server aborts it: 60 s at most.
    pub timeout: Duration,
    /// How records for these topics are gathered and sent; those for other topics as [`ProducerSettings::new`] has it.
    pub topics: Vec<ProducerSettings>,
}

/// What a consumer reads, and how much ahead.
#[derive(Clone, Debug)]
pub struct ConsumerSettings {
    /// The topic's name.
    pub topic: String,
    /// Its partitions; all of them if not given, also those that are added to the topic later, from their beginning.
    pub partitions: Option<Vec<u32>>,
    /// Where every partition begins.
    pub start: Start,
    /// Bytes of one answer, unless one batch alone is larger or the server allows fewer.
    pub fetch_bytes_max: u32,
    /// Bytes read ahead over all partitions; one answer is always allowed.
    pub buffer_bytes_max: usize,
    /// What to see of transactions: what is committed, and nothing behind a transaction that is open; or everything that is
    /// stored, also of transactions that are aborted in the end.
    pub isolation: Isolation,
}

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the first offset that can be read.
    Beginning,
    /// Behind the last offset that can be read.
    End,
    /// At this offset.
    Offset(Offset),
    /// At the first batch that was appended at this time or later: by the server's clock.
    Time(Realtime),
    /// At the first record whose own timestamp, in Unix milliseconds as its producer wrote it, is this or later; behind
    /// the last one if there is none. What follows is read whatever its timestamp is.
    Timestamp(i64),
}

/// A topic as it is after an alteration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlteredTopic {
    /// The topic.
    pub topic: TopicDescription,
    /// Its settings.
    pub settings: TopicSettings,
}

/// A topic and how its partitions are doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedTopic {
    /// The topic.
    pub topic: TopicDescription,
    /// Its settings.
    pub settings: TopicSettings,
    /// Its partitions, in the order of their indices.
    pub partitions: Vec<PartitionDescription>,
}

/// What is known of an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundKey {
    /// The partition that it belongs to.
    pub partition: u32,
    /// Where its record is; none if there is none within the window.
    pub receipt: Option<KeyReceipt>,
}

/// A record to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Its partition; chosen by the key, or in turn, if not given. In a topic with idempotency keys that key decides, and
    /// another partition is refused.
    pub partition: Option<u32>,
    /// Its key.
    pub key: Option<Bytes>,
    /// Its value.
    pub value: Option<Bytes>,
    /// Its headers: names, by convention UTF-8, and values.
    pub headers: Vec<(Bytes, Option<Bytes>)>,
    /// Its time in Unix milliseconds; that of `send` if not given.
    pub timestamp_ms: Option<i64>,
}

/// Where a record is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its partition.
    pub partition: u32,
    /// Its offset there.
    pub offset: Offset,
    /// When its batch was appended, the first time.
    pub append_time: Realtime,
    /// Whether it had been stored before and this is the original receipt: an earlier answer was lost, or somebody else
    /// had sent the payment already.
    pub duplicate: bool,
    /// From `send` until the answer had come.
    pub latency: Duration,
}

impl ClientSettings {
    /// For one address, `host:port`.
    pub fn new(server: impl Into<String>) -> Self {
        Self {
            servers: vec![server.into()],
            name: format!("florin-client/{}", env!("CARGO_PKG_VERSION")),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            metadata_age_max: Duration::from_secs(60),
        }
    }
}

impl ProducerSettings {
    /// For a topic: idempotent, without lingering.
    pub fn new(topic: impl Into<String>) -> Self {
        Self {
            topic: topic.into(),
            linger: Duration::ZERO,
            batch_bytes_max: 64 * 1024,
            batch_records_max: 10_000,
            batches_in_flight: 5,
            buffer_bytes_max: 32 * 1024 * 1024,
            delivery_timeout: Duration::from_secs(60),
            idempotent: true,
        }
    }
}

impl TransactionSettings {
    /// For a transactional id: a transaction may take 10 seconds.
    pub fn new(transactional_id: impl Into<String>) -> Self {
        let timeout = Duration::from_millis(TRANSACTION_TIMEOUT_MS_DEFAULT.into());
        Self { transactional_id: transactional_id.into(), timeout, topics: Vec::new() }
    }
}

impl ConsumerSettings {
    /// For all partitions of a topic, from their beginning; of transactions what is committed.
    pub fn new(topic: impl Into<String>) -> Self {
        Self {
            topic: topic.into(),
            partitions: None,
            start: Start::Beginning,
            fetch_bytes_max: 1024 * 1024,
            buffer_bytes_max: 32 * 1024 * 1024,
            isolation: Isolation::Committed,
        }
    }
}

impl Record {
    /// A record with a value only.
    pub fn new(value: impl Into<Bytes>) -> Self {
        Self { value: Some(value.into()), ..Self::default() }
    }
}
