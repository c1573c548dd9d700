//! What is told of transactions as JSON.

use florin_engine::format::control::Participant;
use florin_engine::model::ShardId;
use florin_net::client::{TransactionState, TransactionStatus, TransactionalId};
use serde::Serialize;

use super::words::View;
use super::{Listing, shard_of};
use crate::client;
use crate::duration::Span;
use crate::sections::transactions::EndedView;
use crate::time::rfc3339;
use crate::topic::{PartitionDocument, partition_document};

/// What `txn list` shows.
#[derive(Debug, Serialize)]
pub struct ListDocument<'a> {
    held_back: Option<HeldBackDocument<'a>>,
    transactional_ids: Vec<DescribeDocument<'a>>,
    cannot_tell: Vec<&'a str>,
    unanswered_shards: Vec<u16>,
}

/// A partition that is held back.
#[derive(Debug, Serialize)]
struct HeldBackDocument<'a> {
    topic_name: &'a str,
    #[serde(flatten)]
    partition: PartitionDocument,
}

/// What `txn describe` shows.
#[derive(Debug, Serialize)]
pub struct DescribeDocument<'a> {
    transactional_id: &'a str,
    shard: u16,
    producer_id: u64,
    producer_epoch: u16,
    state: &'static str,
    since: Option<String>,
    age_ms: Option<u64>,
    timeout_ms: u32,
    participant_count: usize,
    participants: Vec<ParticipantDocument<'a>>,
    last: Option<EndedView>,
    unnoted_count: usize,
    unnoted: Vec<UnnotedDocument<'a>>,
}

/// What a transaction writes to: a partition, or the offsets of a group.
#[derive(Debug, Serialize)]
struct ParticipantDocument<'a> {
    shard: u16,
    topic: Option<u64>,
    topic_name: Option<&'a str>,
    partition: Option<u32>,
    group: Option<&'a str>,
}

/// A participant that has not noted how a transaction ended.
#[derive(Debug, Serialize)]
struct UnnotedDocument<'a> {
    #[serde(flatten)]
    transaction: EndedView,
    #[serde(flatten)]
    participant: ParticipantDocument<'a>,
}

impl<'a> ListDocument<'a> {
    /// Of what was listed.
    pub(super) fn of(listing: &'a Listing, view: &View<'a>) -> Self {
        Self {
            held_back: listing.held_back.as_ref().map(|held_back| HeldBackDocument {
                topic_name: &held_back.topic,
                partition: partition_document(&held_back.partition),
            }),
            transactional_ids: listing.statuses.iter().map(|status| DescribeDocument::of(status, view)).collect(),
            cannot_tell: listing.cannot_tell.iter().map(TransactionalId::as_str).collect(),
            unanswered_shards: client::shards(&listing.unanswered),
        }
    }
}

impl<'a> DescribeDocument<'a> {
    /// Of a transactional id.
    pub(super) fn of(status: &'a TransactionStatus, view: &View<'a>) -> Self {
        let (state, since) = match status.state {
            TransactionState::Ready => ("ready", None),
            TransactionState::Ongoing { since } => ("ongoing", Some(since)),
        };
        let age_ms = |since| u64::try_from(Span::between(since, view.now).0.as_millis()).unwrap_or(u64::MAX);
        let unnoted = status.unnoted.iter().map(|unnoted| UnnotedDocument {
            transaction: EndedView::of(unnoted.transaction, unnoted.outcome),
            participant: ParticipantDocument::of(&unnoted.participant, unnoted.shard, view),
        });
        let participants = status.participants.iter();
        Self {
            transactional_id: status.name.as_str(),
            shard: shard_of(status, view.shard_count),
            producer_id: status.current.producer.0,
            producer_epoch: status.current.epoch.0,
            state,
            since: since.map(rfc3339),
            age_ms: since.map(age_ms),
            timeout_ms: status.timeout_ms,
            participant_count: status.participant_count,
            participants: participants.map(|(of, shard)| ParticipantDocument::of(of, *shard, view)).collect(),
            last: status.last.map(|last| EndedView::of(last.transaction, last.outcome)),
            unnoted_count: status.unnoted_count,
            unnoted: unnoted.collect(),
        }
    }
}

impl<'a> ParticipantDocument<'a> {
    fn of(participant: &'a Participant, shard: ShardId, view: &View<'a>) -> Self {
        let nothing = Self { shard: shard.0, topic: None, topic_name: None, partition: None, group: None };
        match participant {
            Participant::Partition(partition) => Self {
                topic: Some(partition.topic.0),
                topic_name: view.names.get(&partition.topic).map(String::as_str),
                partition: Some(partition.index),
                ..nothing
            },
            Participant::Group(group) => Self { group: Some(group.as_str()), ..nothing },
        }
    }
}
