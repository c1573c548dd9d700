//! Sections `Transactions`, `Coordinator` and `Groups`: transactions and offsets of consumer groups.

use bytes::Buf;
use florin_engine::format::control::Participant;
use florin_engine::format::manifest::Section;
use florin_engine::group::GroupOffsets;
use florin_engine::model::{Offset, PartitionId, ShardId, TopicId, TransactionKey, TransactionOutcome};
use florin_engine::transaction::{PartitionTransactions, TransactionCoordinator, TransactionState, TransactionStatus};
use serde::Serialize;

use super::Contents;
use crate::time::rfc3339;

/// Transactions that are open in partitions.
#[derive(Debug, Serialize)]
pub struct OpenTransactions {
    /// One by one, in the order of partitions and first offsets.
    pub open: Vec<OpenView>,
}

/// A transaction that is open in a partition.
#[derive(Debug, Serialize)]
pub struct OpenView {
    /// The topic.
    pub topic: u64,
    /// The partition's index in it.
    pub partition: u32,
    /// Its producer.
    pub producer_id: u64,
    /// Its epoch.
    pub producer_epoch: u16,
    /// Offset of its first record there.
    pub first_offset: u64,
    /// When that was appended.
    pub since: String,
}

/// Transactional ids.
#[derive(Debug, Serialize)]
pub struct Transactions {
    /// In the order of their names.
    pub transactional_ids: Vec<StatusView>,
}

/// A transactional id.
#[derive(Debug, Serialize)]
pub struct StatusView {
    /// Its name.
    pub transactional_id: String,
    /// The producer of its transaction.
    pub producer_id: u64,
    /// The epoch that is this transaction's alone.
    pub producer_epoch: u16,
    /// `ongoing`, or `ready` for the next one.
    pub state: &'static str,
    /// Since when it is going on.
    pub since: Option<String>,
    /// How long each of its transactions may take, in milliseconds.
    pub timeout_ms: u32,
    /// What the one that is going on has written to.
    pub participants: Vec<ParticipantView>,
    /// How many these are.
    pub participant_count: usize,
    /// The last one that ended.
    pub last: Option<EndedView>,
    /// Who has not noted the end of an earlier one.
    pub unnoted: Vec<UnnotedView>,
    /// How many these are.
    pub unnoted_count: usize,
}

/// How a transaction ended.
#[derive(Debug, Serialize)]
pub struct EndedView {
    /// Its producer.
    pub producer_id: u64,
    /// Its epoch.
    pub producer_epoch: u16,
    /// `committed` or `aborted`.
    pub outcome: &'static str,
}

/// What a transaction has written to: a partition, or the offsets of a group.
#[derive(Debug, Serialize)]
pub struct ParticipantView {
    /// The topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<u64>,
    /// The partition's index in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<u32>,
    /// The group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// On which shard.
    pub shard: u16,
}

/// A participant that has not noted how a transaction ended.
#[derive(Debug, Serialize)]
pub struct UnnotedView {
    /// The transaction.
    #[serde(flatten)]
    pub transaction: EndedView,
    /// Who.
    #[serde(flatten)]
    pub participant: ParticipantView,
}

/// Consumer groups.
#[derive(Debug, Serialize)]
pub struct Groups {
    /// In the order of their names.
    pub groups: Vec<GroupView>,
}

/// A consumer group.
#[derive(Debug, Serialize)]
pub struct GroupView {
    /// Its name.
    pub group: String,
    /// Its offsets; none while a transaction that would change them is open.
    pub offsets: Option<Vec<OffsetView>>,
}

/// How far a group has come in a partition.
#[derive(Debug, Serialize)]
pub struct OffsetView {
    /// The topic.
    pub topic: u64,
    /// The partition's index in it.
    pub partition: u32,
    /// The next offset to be read.
    pub offset: u64,
    /// What the group noted beside it.
    pub metadata: String,
    /// When it was committed.
    pub committed: String,
}

impl EndedView {
    /// Of a transaction that ended so.
    pub fn of(transaction: TransactionKey, outcome: TransactionOutcome) -> Self {
        let (producer_id, producer_epoch) = (transaction.producer.0, transaction.epoch.0);
        Self { producer_id, producer_epoch, outcome: outcome.name() }
    }
}

impl ParticipantView {
    fn of(participant: &Participant, shard: ShardId) -> Self {
        let nothing = Self { topic: None, partition: None, group: None, shard: shard.0 };
        match participant {
            Participant::Partition(partition) => {
                Self { topic: Some(partition.topic.0), partition: Some(partition.index), ..nothing }
            }
            Participant::Group(group) => Self { group: Some(group.to_string()), ..nothing },
        }
    }

    /// The same in words.
    pub fn words(&self) -> String {
        match (self.topic, self.partition, &self.group) {
            (Some(topic), Some(partition), _) => format!("partition {topic}/{partition} on shard {}", self.shard),
            (_, _, group) => format!("group {} on shard {}", group.as_deref().unwrap_or_default(), self.shard),
        }
    }
}

impl StatusView {
    /// A transactional id as its coordinator tells of it.
    pub fn of(status: &TransactionStatus) -> Self {
        let (state, since) = match status.state {
            TransactionState::Ready => ("ready", None),
            TransactionState::Ongoing { since } => ("ongoing", Some(rfc3339(since))),
        };
        let participants = status.participants.iter();
        let unnoted = status.unnoted.iter().map(|unnoted| UnnotedView {
            transaction: EndedView::of(unnoted.transaction, unnoted.outcome),
            participant: ParticipantView::of(&unnoted.participant, unnoted.shard),
        });
        Self {
            transactional_id: status.name.to_string(),
            producer_id: status.current.producer.0,
            producer_epoch: status.current.epoch.0,
            state,
            since,
            timeout_ms: status.timeout_ms,
            participants: participants.map(|(participant, shard)| ParticipantView::of(participant, *shard)).collect(),
            participant_count: status.participant_count,
            last: status.last.map(|last| EndedView::of(last.transaction, last.outcome)),
            unnoted: unnoted.collect(),
            unnoted_count: status.unnoted_count,
        }
    }
}

/// Decodes section `Transactions` of the partitions that end here.
pub(super) fn open(section: &Section, ends: &[(PartitionId, Offset)]) -> Result<Contents, String> {
    let mut bytes = &section.bytes[..];
    let cut_off = |_| "it is cut off".to_owned();
    let mut open = Vec::new();
    for _ in 0..bytes.try_get_u32_le().map_err(cut_off)? {
        let topic = TopicId(bytes.try_get_u64_le().map_err(cut_off)?);
        let id = PartitionId { topic, index: bytes.try_get_u32_le().map_err(cut_off)? };
        let end = ends.iter().find(|(known, _)| *known == id).ok_or(format!("of unknown partition {id}"))?.1;
        let transactions = PartitionTransactions::decode(&mut bytes, end);
        let transactions = transactions.map_err(|error| format!("partition {id}: {error}"))?;
        open.extend(transactions.iter().map(|transaction| OpenView {
            topic: id.topic.0,
            partition: id.index,
            producer_id: transaction.transaction.producer.0,
            producer_epoch: transaction.transaction.epoch.0,
            first_offset: transaction.first_offset.0,
            since: rfc3339(transaction.since),
        }));
    }
    if bytes.is_empty() {
        Ok(Contents::Transactions(OpenTransactions { open }))
    } else {
        Err(format!("{} bytes are left behind it", bytes.len()))
    }
}

/// Decodes section `Coordinator`.
pub(super) fn coordinator(section: &Section) -> Result<Contents, String> {
    let coordinator = TransactionCoordinator::decode(&section.bytes).map_err(|error| error.to_string())?;
    let transactional_ids = coordinator.statuses(None).map(|status| StatusView::of(&status)).collect();
    Ok(Contents::Coordinator(Transactions { transactional_ids }))
}

/// Decodes section `Groups`.
pub(super) fn groups(section: &Section) -> Result<Contents, String> {
    let groups = GroupOffsets::decode(&section.bytes).map_err(|error| error.to_string())?;
    let view = |group| {
        let offsets = groups.offsets(group, None, usize::MAX).ok().flatten();
        let offset = |(offset, time): (florin_engine::format::control::GroupOffset, _)| OffsetView {
            topic: offset.partition.topic.0,
            partition: offset.partition.index,
            offset: offset.offset.0,
            metadata: offset.metadata.into(),
            committed: rfc3339(time),
        };
        GroupView { group: group.to_string(), offsets: offsets.map(|all| all.into_iter().map(offset).collect()) }
    };
    let groups = groups.groups(None).map(view).collect();
    Ok(Contents::Groups(Groups { groups }))
}
