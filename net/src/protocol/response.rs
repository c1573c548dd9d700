//! Responses as values, and their heads as bytes.

use bytes::Bytes;
use florin_engine::catalogue::TopicSettings;
use florin_engine::format::control::{GroupOffset, KeyRule};
use florin_engine::key::KeyVerdict;
use florin_engine::model::{
    GroupId, Id128, Offset, ProducerEpoch, ProducerId, Realtime, TopicId, TransactionKey, TransactionOutcome,
};
use florin_engine::partition::CutReason;
use florin_engine::shard::{Action, BatchReceipt, KeyReceipt};
use florin_engine::transaction::{AbortedTransaction, Ended, OpenTransaction, TransactionStatus};
use thiserror::Error;

use super::api::{Api, ApiVersions};
use super::code::Code;
use super::field::FieldError;

mod decode;
mod encode;
mod refused;

pub use encode::{FetchedHead, fetched_frame_bytes, put_fetched_frame};

/// The answer to [`Api::Negotiate`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// Which data directory is served.
    pub directory_id: Id128,
    /// The shard whose port this is.
    pub shard: u16,
    /// Shards in the directory.
    pub shard_count: u16,
    /// The server's name and version.
    pub server: String,
    /// The largest request frame, its length field included.
    pub request_bytes_max: u32,
    /// The largest record batch.
    pub batch_bytes_max: u32,
    /// The most that one fetch returns, unless its first batch alone is larger.
    pub fetch_bytes_max: u32,
    /// Requests of one connection that may be unanswered before no more is read from it.
    pub requests_max: u32,
    /// Batches per producer and partition whose original answer is kept: keep fewer or as many unanswered.
    pub retry_window_batches: u32,
    /// A connection with nothing to do is closed after this many milliseconds.
    pub idle_ms: u32,
    /// What is spoken.
    pub apis: Vec<ApiVersions>,
}

/// Where the shards listen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardEndpoints {
    /// The host to connect to; empty means the one that this connection was made to.
    pub host: String,
    /// The port of each shard, 0 where none listens.
    pub ports: Vec<u16>,
}

/// A topic and where its partitions are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its id.
    pub id: TopicId,
    /// Its name.
    pub name: String,
    /// How often it was altered, counted from 1 on: of two descriptions the higher one is newer.
    pub revision: u32,
    /// The shard of each partition.
    pub placement: Vec<u16>,
    /// What makes two of its payments the same one, if it has idempotency keys.
    pub keys: Option<KeyRule>,
}

/// A page of topics, in the order of their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicsPage {
    /// Where the shards listen.
    pub endpoints: ShardEndpoints,
    /// Whether these are all topics: a shard that has not heard from shard 0 knows only those it has partitions of.
    pub complete: bool,
    /// Where the next page begins; 0 if there is none.
    pub next: TopicId,
    /// The topics.
    pub topics: Vec<TopicDescription>,
}

/// One partition in the answer to [`Api::DescribeTopic`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionDescription {
    /// Its index.
    pub index: u32,
    /// Its shard.
    pub shard: u16,
    /// 0, or why the shard did not say what follows.
    pub code: u16,
    /// The first offset that can be read.
    pub start_offset: u64,
    /// One behind the last offset that can be read.
    pub high_watermark: u64,
    /// Bytes of its batches in memory.
    pub held_bytes: u64,
    /// Bytes of it in segment files.
    pub stored_bytes: u64,
    /// Producers that are known.
    pub producer_count: u32,
    /// When its last batch was appended, Unix nanoseconds; 0 if there is none.
    pub last_append_time: u64,
    /// Bytes that retention cut so far; what it cut are the records below `start_offset`.
    pub cut_bytes: u64,
    /// When retention last cut, Unix nanoseconds; 0 if it never did.
    pub cut_time: u64,
    /// Why it did then.
    pub cut_reason: Option<CutReason>,
    /// Up to here every transaction is decided.
    pub stable_offset: u64,
    /// Transactions that are open in it.
    pub open_transaction_count: u32,
    /// The one of them that began first, which holds back whoever reads what is committed.
    pub oldest_transaction: Option<OpenTransaction>,
}

/// A batch in the answer to [`Api::Fetch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedBatch {
    /// Offset of its first record, under the frame's checksum: the batch's own field is under none.
    pub base_offset: Offset,
    /// When it was appended.
    pub append_time: Realtime,
    /// The batch, with its base offset filled in. Shares the memory of all batches of the response.
    pub bytes: Bytes,
}

/// The answer to [`Api::Fetch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchResponse {
    /// The first offset that can be read.
    pub start_offset: Offset,
    /// One behind the last offset that can be read.
    pub high_watermark: Offset,
    /// Up to here every transaction is decided.
    pub stable_offset: Offset,
    /// The aborted transactions of which there may be something in these batches, if only what is committed was asked for:
    /// their batches do not count.
    pub aborted: Vec<AbortedTransaction>,
    /// Batches in order, without a gap; the first may begin before the asked offset.
    pub batches: Vec<FetchedBatch>,
}

/// What a shard is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShardState {
    /// Recovering.
    #[default]
    Starting,
    /// Taking captures.
    Serving,
    /// A write failed: only reads are served.
    Failed,
    /// Shutting down, or closed.
    Stopping,
    /// Refused at the start.
    NotOpen,
}

/// One shard in the answer to [`Api::DescribeShards`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardDescription {
    /// Which.
    pub shard: u16,
    /// What it is doing.
    pub state: ShardState,
    /// Whether expiry is suspended because the wall clock jumped.
    pub clock_suspended: bool,
    /// Its port, 0 if it does not listen.
    pub port: u16,
    /// Its journal's epoch.
    pub epoch: u64,
    /// The last durable block.
    pub durable_sequence: u64,
    /// The last block that something was placed into.
    pub appended_sequence: u64,
    /// Partitions open.
    pub partition_count: u32,
    /// Connections to its port.
    pub connection_count: u32,
    /// Requests that wait for a block or for data.
    pub waiting_count: u32,
    /// Journal files that are unused.
    pub unused_file_count: u32,
    /// Bytes of batches held.
    pub held_bytes: u64,
    /// Batches stored since the start.
    pub captured_count: u64,
    /// Whether segment files find no space: captures go on until the journal is full.
    pub disk_full: bool,
    /// Whether the manifest has no room for more runs: captures go on until the journal is full.
    pub manifest_full: bool,
    /// Bytes of batches above which memory lets go of what is at rest.
    pub held_bytes_max: u64,
    /// Segment files.
    pub segment_count: u32,
    /// Bytes in segment files.
    pub stored_bytes: u64,
    /// Bytes written to segment files and not synced yet.
    pub unsynced_bytes: u64,
    /// Bytes of the journal that are not free.
    pub journal_used_bytes: u64,
    /// Bytes of the journal.
    pub journal_bytes: u64,
    /// Bytes of a manifest that runs and segment files take.
    pub manifest_run_bytes: u64,
    /// Bytes of a manifest that they may take.
    pub manifest_run_bytes_max: u64,
    /// Reads of segment files since the start.
    pub cold_read_count: u64,
    /// Requests that wait for one.
    pub cold_waiting_count: u32,
    /// Idempotency keys in memory that are not at rest.
    pub keys_recent_count: u64,
    /// Bytes of key runs that memory keeps.
    pub keys_cached_bytes: u64,
    /// Reads of key runs since the start.
    pub keys_read_count: u64,
    /// Captures and look-ups that wait for what is known of their keys.
    pub keys_waiting_count: u32,
    /// Transactional ids that it coordinates.
    pub transactional_id_count: u32,
    /// Transactions of them that are decided, and that not all participants have noted.
    pub unsettled_transaction_count: u32,
    /// Transactions that are open in its partitions.
    pub open_transaction_count: u32,
    /// Consumer groups whose offsets it keeps.
    pub group_count: u32,
    /// Requests that wait for the coordinator of their transaction.
    pub coordinator_waiting_count: u32,
    /// Why it failed or was refused; empty otherwise.
    pub problem: String,
}

/// It was not done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message} (code {})", code.0)]
pub struct ErrorResponse {
    /// Why.
    pub code: Code,
    /// What the client does about it.
    pub action: Action,
    /// Numbers that go with the code, see the table in `docs/PROTOCOL.md`; 0 where there are none.
    pub details: [u64; 2],
    /// The same in words.
    pub message: String,
    /// With [`Code::KEYS_KNOWN`] and [`Code::KEY_CONFLICT`] what is known of each record of the batch; otherwise empty.
    pub records: Vec<KeyVerdict>,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// To [`Api::Negotiate`].
    Negotiated(Negotiated),
    /// To [`Api::Metadata`].
    Topics(TopicsPage),
    /// To [`Api::CreateTopic`].
    TopicCreated(TopicDescription),
    /// To [`Api::DeleteTopic`].
    TopicDeleted(TopicId),
    /// To [`Api::DescribeTopic`].
    TopicDescribed {
        /// The topic.
        topic: TopicDescription,
        /// Its settings.
        settings: TopicSettings,
        /// Its partitions, in the order of their indices.
        partitions: Vec<PartitionDescription>,
    },
    /// To [`Api::InitProducer`].
    Producer {
        /// The id.
        id: ProducerId,
        /// The epoch.
        epoch: ProducerEpoch,
    },
    /// To [`Api::Produce`]: the batch is on stable storage.
    Produced {
        /// Offset of its first record.
        base_offset: Offset,
        /// When it was appended, the first time.
        append_time: Realtime,
        /// Whether it had been stored before: then this is the original answer.
        duplicate: bool,
    },
    /// To [`Api::Produce`]: every record had been stored before; the original receipts, record by record, at least one.
    Known(Vec<KeyReceipt>),
    /// To [`Api::LookUpKey`].
    Key {
        /// The partition that the key belongs to.
        partition: u32,
        /// Where its record is, if there is one within the window.
        receipt: Option<KeyReceipt>,
    },
    /// To [`Api::Fetch`].
    Fetched(FetchResponse),
    /// To [`Api::ListOffsets`].
    Offset(Offset),
    /// To [`Api::DescribeShards`].
    Shards(Vec<ShardDescription>),
    /// To [`Api::ConfirmClock`].
    ClockConfirmed,
    /// To [`Api::AlterTopic`]: the topic is so.
    TopicAltered {
        /// The topic.
        topic: TopicDescription,
        /// Its settings.
        settings: TopicSettings,
    },
    /// To [`Api::OpenTransactionalId`].
    TransactionalIdOpened {
        /// The next transaction.
        next: TransactionKey,
        /// The last one that was decided, as far as it is known.
        last: Option<Ended>,
    },
    /// To [`Api::EndTransaction`].
    TransactionEnded {
        /// How it ended.
        outcome: TransactionOutcome,
        /// The next transaction of the same transactional id.
        next: TransactionKey,
    },
    /// To [`Api::ListTransactions`]: in the order of names; an empty one is behind the last.
    Transactions(Vec<TransactionStatus>),
    /// To [`Api::DescribeTransaction`]: none if it is not known.
    Transaction(Option<TransactionStatus>),
    /// To [`Api::CommitOffsets`].
    OffsetsCommitted,
    /// To [`Api::FetchOffsets`]: in the order of partitions, each with the time of its commit; an empty one is behind the last.
    Offsets(Vec<(GroupOffset, Realtime)>),
    /// To [`Api::ListGroups`]: in the order of names; an empty one is behind the last.
    Groups(Vec<GroupId>),
    /// To [`Api::ForgetGroup`].
    GroupForgotten,
    /// To [`Api::ProduceTogether`]: all batches are on stable storage.
    ProducedTogether {
        /// Where each of them is, in the order of the request.
        receipts: Vec<BatchReceipt>,
        /// Whether all had been stored before: then these are the original answers.
        duplicate: bool,
        /// What the transactional id goes on with, if they were stored as a transaction.
        next: Option<TransactionKey>,
    },
    /// To any request, or to none with correlation 0: then the connection is closed.
    Error(ErrorResponse),
}

/// Why a frame is no response to the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ResponseError {
    /// It is a request.
    #[error("the server sent a request")]
    NotAResponse,
    /// It is in a version that this build does not speak.
    #[error("the server answered a request of api {} in version {version}, which was not asked for", api.name())]
    UnsupportedVersion {
        /// The api.
        api: Api,
        /// The version found.
        version: u8,
    },
    /// The head cannot be read.
    #[error("the response to a request of api {} cannot be read: {error}", api.name())]
    Fields {
        /// The api.
        api: Api,
        /// Why.
        error: FieldError,
    },
}

impl ErrorResponse {
    /// An error with a code of the protocol and words; the action is the table's.
    ///
    /// # Panics
    /// If the table does not know the code: the caller's broken invariant.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let row = super::code_row(code).expect("codes that are sent are in the table");
        Self { code, action: row.action, details: [0; 2], message: message.into(), records: Vec::new() }
    }
}

#[cfg(test)]
mod tests;
