//! What a shard is asked, what it answers, and what it asks of its driver.

use std::rc::Rc;

use bytes::{Bytes, BytesMut};

mod keys;
mod status;
mod transactions;

pub use keys::{DeriveKeys, KeyReceipt, ReadKeys};
pub use status::ShardStatus;
pub use transactions::{BatchReceipt, GroupReply, GroupRequest, TransactionReply, TransactionRequest};

use super::message::ShardMessage;
use super::refusal::Refusal;
use super::report::Report;
use super::rest::{RestPlan, RestWritten};
use crate::catalogue::{TopicChange, TopicDescriptor, TopicSettings};
use crate::format::control::KeyRule;
use crate::format::manifest::EncodedManifest;
use crate::format::superblock::Superblock;
use crate::io::DiskError;
use crate::key::{KeyFault, RecordKey};
use crate::key_run::KeyRun;
use crate::key_run::look_up::{KeyFound, KeyPiece};
use crate::key_run::merge::{KeyMerge, KeyMergeError};
use crate::model::{
    Offset, PartitionId, ProducerEpoch, ProducerId, Realtime, RequestId, SegmentId, Sequence, ShardId, TopicId,
};
use crate::partition::{CutReason, CutTotals, HeldBatch, Isolation};
use crate::segment::merge::{MergeError, MergePlan, Merged};
use crate::segment::read::{ReadDone, ReadPlan};
use crate::transaction::{AbortedTransaction, OpenTransaction};

/// Something a client, or another shard on its behalf, asks for.
#[derive(Clone, Debug)]
pub enum Request {
    /// Create a topic. Shard 0 only.
    CreateTopic {
        /// Its name.
        name: String,
        /// Its partitions.
        partition_count: u32,
        /// Its settings.
        settings: TopicSettings,
        /// What makes two of its payments the same one, if it has idempotency keys; fixed for ever.
        keys: Option<KeyRule>,
    },
    /// Change a topic's settings or the number of its partitions. Shard 0 only.
    AlterTopic {
        /// The topic.
        topic: TopicId,
        /// What is to be changed.
        change: TopicChange,
    },
    /// Delete a topic with everything in it. Shard 0 only.
    DeleteTopic {
        /// The topic.
        topic: TopicId,
    },
    /// The live topics and where their partitions are.
    Metadata,
    /// A new producer identity, with epoch 0. A producer may go on with the next epoch of its id by itself, which
    /// fences whoever still uses the older one; when its epochs are used up it asks for a new id.
    InitProducer,
    /// Append one record batch.
    Capture {
        /// To which partition.
        partition: PartitionId,
        /// The batch; its base offset and leader epoch are filled in.
        batch: BytesMut,
    },
    /// Append record batches to several partitions of this shard, all together or none of them.
    CaptureTogether {
        /// The batches, each partition once.
        batches: Vec<(PartitionId, BytesMut)>,
    },
    /// Something about transactions.
    Transaction(TransactionRequest),
    /// Something about consumer groups.
    Group(GroupRequest),
    /// Read durable batches.
    Fetch {
        /// From which partition.
        partition: PartitionId,
        /// From where on.
        from: FetchFrom,
        /// Bytes wanted at most; one batch is returned even if it is larger.
        bytes_max: usize,
        /// How long to wait if there is nothing yet, in nanoseconds; 0 does not wait.
        wait_ns: u64,
        /// What to see of transactions.
        isolation: Isolation,
    },
    /// Where a partition begins, ends, or was at a time.
    ListOffset {
        /// The partition.
        partition: PartitionId,
        /// Which offset.
        at: OffsetAt,
    },
    /// How the partitions of a topic that are placed on this shard are doing.
    DescribePartitions {
        /// The topic.
        topic: TopicId,
    },
    /// What is stored under an idempotency key.
    LookUpKey {
        /// The partition that the key belongs to.
        partition: PartitionId,
        /// The key.
        key: Bytes,
    },
    /// Write a checkpoint now.
    Checkpoint,
    /// The wall clock is right although it jumped: go on expiring.
    ConfirmClock,
}

impl Request {
    /// Whether it may be left unanswered until there is data.
    pub fn waits_for_data(&self) -> bool {
        matches!(self, Self::Fetch { wait_ns, .. } if *wait_ns > 0)
    }
}

/// Where a fetch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchFrom {
    /// At the batch that holds this offset.
    Offset(Offset),
    /// At the first batch appended at this time or later.
    Time(Realtime),
}

/// Which offset is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetAt {
    /// The first that can be read.
    Start,
    /// The one behind the last that can be read.
    End,
    /// The last stable one: up to it every transaction is decided.
    Stable,
    /// The first appended at this time or later.
    Time(Realtime),
    /// That of the first record whose timestamp, in Unix milliseconds of its client's clock, is this or later. Of a
    /// compressed batch the first record stands for all.
    Timestamp(i64),
}

/// Durable batches, from the one that holds the asked offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// The batches, in order, without a gap. The first may begin before the asked offset.
    pub batches: Vec<HeldBatch>,
    /// First offset that can be read.
    pub start_offset: Offset,
    /// One behind the last offset that can be read.
    pub high_watermark: Offset,
    /// Up to here every transaction is decided.
    pub stable_offset: Offset,
    /// The aborted transactions of which there may be something in these batches, if that was asked for: their batches do
    /// not count.
    pub aborted: Vec<AbortedTransaction>,
}

/// How a partition is doing; offsets are durable ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionStatus {
    /// Which.
    pub partition: PartitionId,
    /// First offset that can be read.
    pub start_offset: Offset,
    /// One behind the last offset that can be read.
    pub high_watermark: Offset,
    /// Up to here every transaction is decided.
    pub stable_offset: Offset,
    /// Transactions that are open in it.
    pub open_transaction_count: usize,
    /// The one that began first: it holds back whoever reads what is committed.
    pub oldest_transaction: Option<OpenTransaction>,
    /// Bytes of batches held in memory, those that are not durable yet included.
    pub held_bytes: usize,
    /// Bytes in segment files.
    pub stored_bytes: u64,
    /// What retention cut so far; the start offset says how many records.
    pub cuts: CutTotals,
    /// Producers known.
    pub producer_count: usize,
    /// When the last durable batch was appended; none if there is none.
    pub last_append_time: Option<Realtime>,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The topic is live.
    TopicCreated(TopicDescriptor),
    /// The topic has this description.
    TopicAltered(TopicDescriptor),
    /// The topic is gone.
    TopicDeleted(TopicId),
    /// The live topics.
    Topics {
        /// Whether these are all: a shard that has not heard from shard 0 knows only topics it has partitions of.
        complete: bool,
        /// In the order of their ids.
        topics: Vec<TopicDescriptor>,
    },
    /// A producer identity.
    Producer {
        /// The id.
        id: ProducerId,
        /// The epoch.
        epoch: ProducerEpoch,
    },
    /// The batch is on stable storage.
    Captured {
        /// Offset of its first record.
        base_offset: Offset,
        /// When it was appended, the first time.
        append_time: Realtime,
        /// Whether it had been stored before: then this is the original answer.
        duplicate: bool,
    },
    /// The batches are on stable storage.
    CapturedTogether {
        /// Where each of them is, in the order of the request.
        receipts: Vec<BatchReceipt>,
        /// Whether they had been stored before: then these are the original answers.
        duplicate: bool,
    },
    /// About transactions.
    Transaction(TransactionReply),
    /// About consumer groups.
    Group(GroupReply),
    /// Every record of the batch had been stored before: the original receipts, record by record. Those of records that
    /// were stored with one batch in this order are a [`Reply::Captured`].
    Known(Vec<KeyReceipt>),
    /// What is stored under a key, if something is.
    Key {
        /// The partition that the key belongs to.
        partition: PartitionId,
        /// Where its record is.
        receipt: Option<KeyReceipt>,
    },
    /// Batches.
    Fetched(Fetched),
    /// An offset.
    Offset(Offset),
    /// Partitions, in the order of their indices.
    Partitions(Vec<PartitionStatus>),
    /// The checkpoint is in force.
    Checkpointed {
        /// The last block that it includes.
        sequence: Sequence,
    },
    /// The clock is trusted again.
    ClockConfirmed,
    /// It was not done.
    Refused(Refusal),
}

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// A request came in.
    Request {
        /// Its number, unique among those not answered.
        id: RequestId,
        /// What is asked.
        request: Request,
    },
    /// Whoever sent the request wants no answer any more: one that waits for data is answered at once.
    Cancel {
        /// Which request.
        id: RequestId,
    },
    /// Another shard, or this one, sent a message.
    Message {
        /// Who.
        from: ShardId,
        /// What.
        message: ShardMessage,
    },
    /// A block write ended.
    BlockWritten {
        /// Which block.
        sequence: Sequence,
        /// How.
        result: Result<(), DiskError>,
    },
    /// The superblock write that was asked for ended, in both copies.
    SuperblockWritten(Result<(), DiskError>),
    /// The manifest write that was asked for ended, in both copies.
    ManifestWritten(Result<(), DiskError>),
    /// The write of segment files and key runs that was asked for ended.
    SegmentsWritten(RestWritten),
    /// The merge of runs that was asked for ended.
    SegmentsMerged(Result<Merged, MergeError>),
    /// A read of a segment file ended.
    SegmentRead {
        /// Which read.
        read: u64,
        /// What came of it.
        done: ReadDone,
    },
    /// The keys of a compressed batch were looked for.
    KeysDerived {
        /// The partition that it is for.
        partition: PartitionId,
        /// The batch.
        batch: Bytes,
        /// Its keys.
        result: Result<Vec<RecordKey>, KeyFault>,
    },
    /// Parts of key runs were read.
    KeysRead {
        /// The partition that waits for them.
        partition: PartitionId,
        /// What was read.
        found: Vec<(KeyPiece, KeyFound)>,
    },
    /// The merge of key runs that was asked for ended.
    KeysMerged(Result<Option<KeyRun>, KeyMergeError>),
    /// Time passed.
    Tick,
    /// Take nothing new, finish what is under way, close in order.
    Shutdown,
}

/// A manifest to write.
#[derive(Clone, Debug)]
pub struct ManifestWrite {
    /// Into which slot.
    pub slot: u8,
    /// The bytes.
    pub manifest: EncodedManifest,
}

/// What retention cut, durably.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutReport {
    /// Of which partition.
    pub partition: PartitionId,
    /// The first offset that is gone.
    pub from: Offset,
    /// The first that is still there.
    pub to: Offset,
    /// Bytes that went.
    pub bytes: u64,
    /// Why.
    pub reason: CutReason,
}

/// Something the driver must do.
#[derive(Debug)]
pub enum Effect {
    /// Answer a request.
    Reply {
        /// Which.
        id: RequestId,
        /// With what.
        reply: Reply,
    },
    /// Send a message to a shard, possibly this one. It may be dropped.
    Send {
        /// To whom.
        to: ShardId,
        /// What.
        message: ShardMessage,
    },
    /// Write both superblock copies; one such write is under way at a time.
    WriteSuperblock(Superblock),
    /// Write both copies of a manifest; one such write is under way at a time.
    WriteManifest(ManifestWrite),
    /// Write segment files, and the keys of what is in them; one such write, or one merge of runs, is under way at a time.
    WriteSegments(Rc<RestPlan>),
    /// Put runs together.
    MergeSegments(Rc<MergePlan>),
    /// Read from a segment file.
    ReadSegment {
        /// Its number.
        read: u64,
        /// What to read.
        plan: ReadPlan,
    },
    /// Find the keys of a compressed batch, away from the shard's thread.
    DeriveKeys(Box<DeriveKeys>),
    /// Read from key runs.
    ReadKeys(ReadKeys),
    /// Put key runs together; one such merge is under way at a time.
    MergeKeys(Rc<KeyMerge>),
    /// Remove segment files. Nothing depends on it.
    RemoveSegments(Vec<SegmentId>),
    /// Retention cut the front of a partition. Tell whoever keeps account.
    Cut(CutReport),
    /// Something that an operator should hear of. Tell whoever keeps a log.
    Report(Report),
    /// A write failed: the shard takes nothing new. Tell whoever watches its health.
    Failed(DiskError),
    /// The shard is closed; no further effect comes.
    Stopped {
        /// Whether the journal was closed in order.
        clean: bool,
    },
}
