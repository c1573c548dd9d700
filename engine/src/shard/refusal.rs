//! Why a request was not done, as a numbered code with what the client must do.

use crate::catalogue::{SettingOutOfBounds, TopicNameError};
use crate::format::batch::BatchError;
use crate::key::{KeyFault, KeyVerdict};
use crate::model::{Offset, PartitionId, ShardId, TopicId};
use crate::partition::Gap;
use crate::producer::ProducerError;

mod transactions;

pub use transactions::TransactionRefusal;

/// What a client does about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Send the same again later, with back-off.
    Retry,
    /// Ask for metadata and send to the right place.
    Refresh,
    /// Another instance took over: stop.
    Fenced,
    /// The request is wrong: correct it, do not repeat it.
    FixRequest,
    /// The transaction is over or cannot go on: abort it, and begin another one with everything that was in it.
    AbortTransaction,
    /// Nothing a client can do helps.
    Fatal,
    /// It may have happened or not: send again only under the same producer id and sequence.
    OutcomeUnknown,
}

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The shard is still recovering.
    #[error("shard {0} is starting: retry")]
    Starting(ShardId),
    /// The shard is shutting down.
    #[error("shard {0} is shutting down: retry after it is back")]
    Stopping(ShardId),
    /// A journal write failed: the shard serves durable data and takes nothing new until it is restarted.
    #[error(
        "shard {0} takes nothing new after a failed write: use other partitions, an operator must look at the disk"
    )]
    ShardUnavailable(ShardId),
    /// A journal write failed before the outcome was known.
    #[error("a journal write of shard {0} failed: it is unknown whether this took effect")]
    OutcomeUnknown(ShardId),
    /// No ring file has room.
    #[error("the journal of shard {0} is full: retry later")]
    JournalFull(ShardId),
    /// Too much waits already.
    #[error("shard {0} has too much waiting: retry later")]
    Busy(ShardId),
    /// The shard was refused at the start.
    #[error("shard {0} was not opened: use other partitions, an operator must look at its directory")]
    NotOpen(ShardId),
    /// The shard does not have the partition.
    #[error("partition {0} is not known on this shard: refresh metadata")]
    UnknownPartition(PartitionId),
    /// Another shard has the partition.
    #[error("partition {partition} is on shard {owner}: refresh metadata")]
    NotOwner {
        /// The partition.
        partition: PartitionId,
        /// Who has it.
        owner: ShardId,
    },
    /// There is no such topic.
    #[error("topic {0} is not known: refresh metadata")]
    UnknownTopic(TopicId),
    /// Only shard 0 changes the catalogue.
    #[error("topics are created, altered and deleted on shard 0: send it there")]
    NotCoordinator,
    /// The batch cannot be stored.
    #[error("the batch was refused: {0}")]
    Batch(#[from] BatchError),
    /// A record of the batch is larger than the topic takes. Of a compressed batch all bytes count as one record.
    #[error("a record of {bytes} bytes, the topic takes {max} at most: send smaller ones, or alter the topic")]
    RecordTooLarge {
        /// The largest record.
        bytes: u32,
        /// The topic's setting.
        max: u32,
    },
    /// The producer's sequence forbids it.
    #[error("{0}")]
    Producer(#[from] ProducerError),
    /// A record has no idempotency key of its own, or belongs to another partition by it; or its batch cannot be looked
    /// into.
    #[error("{0}")]
    Keys(KeyFault),
    /// Some of a batch's keys are known, or come twice in it: nothing of it was stored.
    #[error("partition {partition}: {}", of_verdicts(verdicts))]
    KeysKnown {
        /// The partition.
        partition: PartitionId,
        /// What is known of each record.
        verdicts: Vec<KeyVerdict>,
    },
    /// What is known of a key cannot be read: whether the payment is stored nobody can tell.
    #[error(
        "partition {partition}: whether the payment is stored cannot be told: {why}: retry later, an operator must look at the directory"
    )]
    KeysUnanswerable {
        /// The partition.
        partition: PartitionId,
        /// What cannot be read.
        why: String,
    },
    /// The topic has no idempotency keys.
    #[error("topic {0} has no idempotency keys, which it is given only when it is created: ask for one that has")]
    NoKeys(TopicId),
    /// The shard knows as many producers as its manifest has room for.
    #[error("shard {0} knows as many producers as it can keep: use fewer, or retry when idle ones are forgotten")]
    ProducersFull(ShardId),
    /// All producer ids of the shard were given out.
    #[error("shard {0} has no producer ids left: ask another shard")]
    ProducerIdsExhausted(ShardId),
    /// The offset does not exist.
    #[error("offset {asked} is not between {start} and {end}: choose one that is")]
    OffsetOutOfRange {
        /// What was asked for.
        asked: Offset,
        /// First readable offset.
        start: Offset,
        /// The high watermark.
        end: Offset,
    },
    /// Stored bytes are damaged: nobody can read these offsets, those behind them are not concerned.
    #[error(
        "partition {partition}: offsets {from} to below {to} are damaged: an operator must look at the directory; a reader that can do without goes on at {to}"
    )]
    Damaged {
        /// The partition.
        partition: PartitionId,
        /// The first damaged offset.
        from: Offset,
        /// The first behind the damage.
        to: Offset,
    },
    /// Stored bytes are lost for good, and an operator accepted it: nobody will ever read these offsets.
    #[error(
        "partition {partition}: offsets {} to below {} are lost, as an operator accepted: go on at {}",
        gap.base_offset, gap.next_offset, gap.next_offset
    )]
    Lost {
        /// The partition.
        partition: PartitionId,
        /// What is lost.
        gap: Gap,
    },
    /// A segment file could not be read.
    #[error("partition {partition} could not be read: {why}: retry, and look at the disk if it does not help")]
    ReadFailed {
        /// The partition.
        partition: PartitionId,
        /// What the disk said.
        why: String,
    },
    /// The name of a topic breaks the rules.
    #[error("{0}")]
    TopicName(#[from] TopicNameError),
    /// There is a topic of this name.
    #[error("topic {0} has this name already")]
    NameTaken(TopicId),
    /// The number of partitions is 0, fewer than the topic has, or above the limit.
    #[error("{asked} partitions: choose from {least} to {most}, a topic never has fewer than it had")]
    PartitionCount {
        /// What was asked for.
        asked: u32,
        /// The least there may be: as many as the topic has.
        least: u32,
        /// The limit.
        most: u32,
    },
    /// The topic has idempotency keys, by which its records are spread over as many partitions as it has.
    #[error(
        "{asked} partitions: the topic has idempotency keys and keeps its {count}, a retry would go to another one otherwise; create another topic"
    )]
    PartitionsFixed {
        /// What was asked for.
        asked: u32,
        /// What there is.
        count: u32,
    },
    /// A setting of a topic is out of its bounds.
    #[error("{0}")]
    TopicSetting(#[from] SettingOutOfBounds),
    /// The catalogue has no room.
    #[error("there are as many topics or partitions as the catalogue can keep: delete some")]
    CatalogueFull,
    /// The change is under way and not finished.
    #[error("the change of the topic is still under way: ask again")]
    StillWorking,
    /// Something about transactions, groups or several partitions together.
    #[error("{0}")]
    Transaction(#[from] TransactionRefusal),
    /// The checkpoint that was asked for did not come about.
    #[error("the checkpoint failed: {0}")]
    CheckpointFailed(String),
}

/// What is wrong with a batch of which these records are known, and what to do.
fn of_verdicts(verdicts: &[KeyVerdict]) -> String {
    let conflict = verdicts.iter().enumerate().find_map(|(index, verdict)| match verdict {
        KeyVerdict::Conflict { offset, .. } => Some((index, offset)),
        _ => None,
    });
    if let Some((index, offset)) = conflict {
        return format!(
            "record {index} has the idempotency key of another payment, which is stored at offset {offset}: nothing of the batch was stored; give it a key of its own, or read what is stored there"
        );
    }
    let count = |wanted: fn(&KeyVerdict) -> bool| verdicts.iter().filter(|verdict| wanted(verdict)).count();
    let (new, known) = (
        count(|verdict| *verdict == KeyVerdict::New),
        count(|verdict| matches!(verdict, KeyVerdict::Duplicate { .. })),
    );
    let repeated = verdicts.len() - new - known;
    format!(
        "of {} records {known} are stored already and {repeated} repeat the key of one before: nothing of the batch was stored; send the {new} others without them",
        verdicts.len()
    )
}

impl Refusal {
    /// The number that stands for this refusal in every protocol. Never given to another one.
    pub fn code(&self) -> u16 {
        match self {
            Self::Starting(_) => 1,
            Self::Stopping(_) => 2,
            Self::ShardUnavailable(_) => 3,
            Self::OutcomeUnknown(_) => 4,
            Self::JournalFull(_) => 5,
            Self::Busy(_) => 6,
            Self::NotOpen(_) => 7,
            Self::UnknownPartition(_) => 10,
            Self::NotOwner { .. } => 11,
            Self::UnknownTopic(_) => 12,
            Self::NotCoordinator => 13,
            Self::TopicName(_) => 14,
            Self::NameTaken(_) => 15,
            Self::PartitionCount { .. } => 16,
            Self::CatalogueFull => 17,
            Self::StillWorking => 18,
            Self::TopicSetting(_) => 19,
            Self::Batch(BatchError::Transactional) => 22,
            Self::Batch(BatchError::Checksum { .. }) => 23,
            Self::Batch(_) => 20,
            Self::OffsetOutOfRange { .. } => 21,
            Self::RecordTooLarge { .. } => 24,
            Self::Damaged { .. } => 25,
            Self::ReadFailed { .. } => 26,
            Self::Lost { .. } => 27,
            Self::Producer(ProducerError::UnknownProducer { .. }) => 30,
            Self::Producer(ProducerError::TableFull { .. }) => 31,
            Self::Producer(ProducerError::Fenced { .. }) => 32,
            Self::Producer(ProducerError::OutOfOrder { .. }) => 33,
            Self::Producer(ProducerError::SequenceConflict { .. }) => 34,
            Self::Producer(ProducerError::DuplicateBeyondWindow { .. }) => 35,
            Self::ProducersFull(_) => 36,
            Self::ProducerIdsExhausted(_) => 37,
            Self::CheckpointFailed(_) => 40,
            Self::Keys(KeyFault::Missing { .. } | KeyFault::Twice { .. }) => 50,
            Self::Keys(KeyFault::Elsewhere { .. }) => 51,
            Self::Keys(KeyFault::Batch(_) | KeyFault::Decompress(_)) => 20,
            Self::KeysKnown { verdicts, .. } if verdicts.iter().any(KeyVerdict::is_conflict) => 53,
            Self::KeysKnown { .. } => 52,
            Self::KeysUnanswerable { .. } => 54,
            Self::NoKeys(_) => 55,
            Self::PartitionsFixed { .. } => 56,
            Self::Transaction(refusal) => refusal.code(),
        }
    }

    /// What the client must do.
    pub fn action(&self) -> Action {
        match self {
            Self::Starting(_)
            | Self::Stopping(_)
            | Self::ShardUnavailable(_)
            | Self::JournalFull(_)
            | Self::Busy(_)
            | Self::NotOpen(_)
            | Self::ProducersFull(_)
            | Self::StillWorking
            | Self::CheckpointFailed(_)
            | Self::ReadFailed { .. }
            | Self::KeysUnanswerable { .. }
            | Self::Batch(BatchError::Checksum { .. })
            | Self::Producer(ProducerError::TableFull { .. }) => Action::Retry,
            Self::UnknownPartition(_)
            | Self::NotOwner { .. }
            | Self::UnknownTopic(_)
            | Self::NotCoordinator
            | Self::Keys(KeyFault::Elsewhere { .. }) => Action::Refresh,
            Self::Producer(ProducerError::Fenced { .. }) => Action::Fenced,
            Self::Batch(_)
            | Self::OffsetOutOfRange { .. }
            | Self::Lost { .. }
            | Self::TopicName(_)
            | Self::NameTaken(_)
            | Self::PartitionCount { .. }
            | Self::PartitionsFixed { .. }
            | Self::TopicSetting(_)
            | Self::RecordTooLarge { .. }
            | Self::CatalogueFull
            | Self::Keys(_)
            | Self::KeysKnown { .. }
            | Self::NoKeys(_)
            | Self::Producer(
                ProducerError::UnknownProducer { .. }
                | ProducerError::OutOfOrder { .. }
                | ProducerError::SequenceConflict { .. }
                | ProducerError::DuplicateBeyondWindow { .. },
            ) => Action::FixRequest,
            Self::ProducerIdsExhausted(_) | Self::Damaged { .. } => Action::Fatal,
            Self::OutcomeUnknown(_) => Action::OutcomeUnknown,
            Self::Transaction(refusal) => refusal.action(),
        }
    }
}
