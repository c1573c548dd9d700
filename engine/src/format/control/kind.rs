//! The kinds of entries by their numbers on disk.

/// The number of each kind of entry on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum EntryKind {
    /// A record batch.
    Batch = 1,
    /// The first entry of an epoch.
    EpochStart = 2,
    /// Shard 0 minted a topic.
    TopicCreating = 3,
    /// All owners opened their partitions of the topic, under its last description.
    TopicLive = 4,
    /// Shard 0 began to delete the topic.
    TopicDeleting = 5,
    /// All owners closed their partitions of the topic.
    TopicDeleted = 6,
    /// An owner opened its partitions of a topic, or took over its next description.
    PartitionsOpened = 7,
    /// An owner closed its partitions of a topic.
    PartitionsClosed = 8,
    /// Producer ids that will not be minted again.
    ProducerIdsReserved = 9,
    /// A producer was forgotten by a partition.
    ProducerExpired = 10,
    /// An operator confirmed the wall clock after a jump.
    ClockConfirmed = 11,
    /// Shard 0 began to alter the topic.
    TopicAltering = 12,
    /// A producer's batch was answered by its idempotency keys.
    BatchKnown = 13,
    /// An instance took a transactional id over.
    TransactionalIdOpened = 14,
    /// A transaction writes to a partition or a group.
    TransactionJoined = 15,
    /// How a transaction ends is decided.
    TransactionDecided = 16,
    /// All participants of a transaction know how it ended.
    TransactionSettled = 17,
    /// A transactional id was forgotten.
    TransactionalIdForgotten = 18,
    /// A consumer group has come so far.
    OffsetsCommitted = 19,
    /// A transaction with offsets of a group ended.
    OffsetsEnded = 20,
    /// A consumer group was forgotten.
    GroupForgotten = 21,
}

impl EntryKind {
    /// The kind with this number on disk, if there is one.
    pub fn from_code(code: u16) -> Option<Self> {
        match code {
            1 => Some(Self::Batch),
            2 => Some(Self::EpochStart),
            3 => Some(Self::TopicCreating),
            4 => Some(Self::TopicLive),
            5 => Some(Self::TopicDeleting),
            6 => Some(Self::TopicDeleted),
            7 => Some(Self::PartitionsOpened),
            8 => Some(Self::PartitionsClosed),
            9 => Some(Self::ProducerIdsReserved),
            10 => Some(Self::ProducerExpired),
            11 => Some(Self::ClockConfirmed),
            12 => Some(Self::TopicAltering),
            13 => Some(Self::BatchKnown),
            14 => Some(Self::TransactionalIdOpened),
            15 => Some(Self::TransactionJoined),
            16 => Some(Self::TransactionDecided),
            17 => Some(Self::TransactionSettled),
            18 => Some(Self::TransactionalIdForgotten),
            19 => Some(Self::OffsetsCommitted),
            20 => Some(Self::OffsetsEnded),
            21 => Some(Self::GroupForgotten),
            _ => None,
        }
    }

    /// The number of this kind on disk.
    pub fn code(self) -> u16 {
        self as u16
    }
}
