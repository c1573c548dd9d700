//! The apis by number, and the versions that are spoken.

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Api {
    /// The first request of every connection: who is there, and which versions are spoken.
    Negotiate,
    /// Topics, and where their partitions are.
    Metadata,
    /// Create a topic.
    CreateTopic,
    /// Delete a topic with everything in it.
    DeleteTopic,
    /// A topic's partitions with their offsets and sizes.
    DescribeTopic,
    /// A producer identity.
    InitProducer,
    /// Store one record batch.
    Produce,
    /// Read record batches.
    Fetch,
    /// Where a partition begins, ends, or was at a time.
    ListOffsets,
    /// How the shards are doing.
    DescribeShards,
    /// The wall clock is right although it jumped.
    ConfirmClock,
    /// Change the settings of a topic, or add partitions.
    AlterTopic,
    /// What is stored under an idempotency key.
    LookUpKey,
    /// Take a transactional id over.
    OpenTransactionalId,
    /// Commit or abort a transaction.
    EndTransaction,
    /// The transactional ids of a shard.
    ListTransactions,
    /// One transactional id.
    DescribeTransaction,
    /// Note how far a consumer group has come.
    CommitOffsets,
    /// How far a consumer group has come.
    FetchOffsets,
    /// The consumer groups of a shard.
    ListGroups,
    /// Keep nothing of a consumer group any more.
    ForgetGroup,
    /// Store record batches of several partitions, all or none.
    ProduceTogether,
}

/// The versions of one api that a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiVersions {
    /// The api's number.
    pub api: u16,
    /// The lowest version.
    pub version_min: u8,
    /// The highest version.
    pub version_max: u8,
}

/// Every api that this build knows, in the order of their numbers.
pub const APIS: [Api; 22] = [
    Api::Negotiate,
    Api::Metadata,
    Api::CreateTopic,
    Api::DeleteTopic,
    Api::DescribeTopic,
    Api::InitProducer,
    Api::Produce,
    Api::Fetch,
    Api::ListOffsets,
    Api::DescribeShards,
    Api::ConfirmClock,
    Api::AlterTopic,
    Api::LookUpKey,
    Api::OpenTransactionalId,
    Api::EndTransaction,
    Api::ListTransactions,
    Api::DescribeTransaction,
    Api::CommitOffsets,
    Api::FetchOffsets,
    Api::ListGroups,
    Api::ForgetGroup,
    Api::ProduceTogether,
];

/// What this build speaks.
pub const API_VERSIONS: [ApiVersions; APIS.len()] = {
    let mut versions = [ApiVersions { api: 0, version_min: 0, version_max: 0 }; APIS.len()];
    let mut index = 0;
    while index < APIS.len() {
        versions[index].api = APIS[index].number();
        versions[index].version_min = APIS[index].newest();
        versions[index].version_max = APIS[index].newest();
        assert!(versions[index].api as usize == index, "apis stand at their numbers");
        index += 1;
    }
    versions
};

impl Api {
    /// The number in a request's header. Never given to another api.
    pub const fn number(self) -> u16 {
        match self {
            Self::Negotiate => 0,
            Self::Metadata => 1,
            Self::CreateTopic => 2,
            Self::DeleteTopic => 3,
            Self::DescribeTopic => 4,
            Self::InitProducer => 5,
            Self::Produce => 6,
            Self::Fetch => 7,
            Self::ListOffsets => 8,
            Self::DescribeShards => 9,
            Self::ConfirmClock => 10,
            Self::AlterTopic => 11,
            Self::LookUpKey => 12,
            Self::OpenTransactionalId => 13,
            Self::EndTransaction => 14,
            Self::ListTransactions => 15,
            Self::DescribeTransaction => 16,
            Self::CommitOffsets => 17,
            Self::FetchOffsets => 18,
            Self::ListGroups => 19,
            Self::ForgetGroup => 20,
            Self::ProduceTogether => 21,
        }
    }

    /// The version that this build writes, and the only one that it reads.
    const fn newest(self) -> u8 {
        match self {
            Self::DescribeTopic | Self::DescribeShards => 2,
            Self::Metadata | Self::CreateTopic | Self::Produce | Self::AlterTopic | Self::Fetch | Self::ListOffsets => {
                1
            }
            Self::Negotiate
            | Self::DeleteTopic
            | Self::InitProducer
            | Self::ConfirmClock
            | Self::LookUpKey
            | Self::OpenTransactionalId
            | Self::EndTransaction
            | Self::ListTransactions
            | Self::DescribeTransaction
            | Self::CommitOffsets
            | Self::FetchOffsets
            | Self::ListGroups
            | Self::ForgetGroup
            | Self::ProduceTogether => 0,
        }
    }

    /// The api with this number.
    pub fn from_number(number: u16) -> Option<Self> {
        APIS.get(usize::from(number)).copied()
    }

    /// The highest version that this build speaks.
    pub fn version(self) -> u8 {
        API_VERSIONS[usize::from(self.number())].version_max
    }

    /// Whether this build speaks the version.
    pub fn speaks(self, version: u8) -> bool {
        let versions = API_VERSIONS[usize::from(self.number())];
        (versions.version_min..=versions.version_max).contains(&version)
    }

    /// The name in words and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Negotiate => "negotiate",
            Self::Metadata => "metadata",
            Self::CreateTopic => "create_topic",
            Self::DeleteTopic => "delete_topic",
            Self::DescribeTopic => "describe_topic",
            Self::InitProducer => "init_producer",
            Self::Produce => "produce",
            Self::Fetch => "fetch",
            Self::ListOffsets => "list_offsets",
            Self::DescribeShards => "describe_shards",
            Self::ConfirmClock => "confirm_clock",
            Self::AlterTopic => "alter_topic",
            Self::LookUpKey => "look_up_key",
            Self::OpenTransactionalId => "open_transactional_id",
            Self::EndTransaction => "end_transaction",
            Self::ListTransactions => "list_transactions",
            Self::DescribeTransaction => "describe_transaction",
            Self::CommitOffsets => "commit_offsets",
            Self::FetchOffsets => "fetch_offsets",
            Self::ListGroups => "list_groups",
            Self::ForgetGroup => "forget_group",
            Self::ProduceTogether => "produce_together",
        }
    }
}
