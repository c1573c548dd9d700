//! What shards tell each other about topics, and what a client is told. Any message may be lost, doubled or
//! overtaken.

use super::{SettingOutOfBounds, TopicDescriptor, TopicNameError};
use crate::model::TopicId;

/// A message between shard 0 and another shard (or itself).
///
/// Open and Close go to [`super::OwnedPartitions`]; Publish, Retract and CopyPart to [`super::TopicCopies`]; Opened,
/// Closed and CopyRequest to [`super::Coordinator`]. Whoever else gets one ignores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogueMessage {
    /// Shard 0 to an owner: open your partitions of this topic, and take over its description.
    Open {
        /// Shard 0's durable catalogue version when this was sent.
        version: u64,
        /// The topic.
        descriptor: TopicDescriptor,
    },
    /// Owner to shard 0: they are open, durably, under this description.
    Opened {
        /// The topic.
        topic: TopicId,
        /// The revision of its description.
        revision: u32,
    },
    /// Shard 0 to an owner: close your partitions of this topic.
    Close {
        /// Shard 0's durable catalogue version when this was sent.
        version: u64,
        /// The topic.
        topic: TopicId,
    },
    /// Owner to shard 0: they are closed, durably.
    Closed {
        /// The topic.
        topic: TopicId,
    },
    /// Shard 0 to every other shard: a topic became live, or has another description now.
    Publish {
        /// The version of the copies with it.
        version: u64,
        /// The version of the copies before it: only those can take it.
        previous: u64,
        /// The topic.
        descriptor: TopicDescriptor,
    },
    /// Shard 0 to every other shard: a topic is not live any more.
    Retract {
        /// The version of the copies without it.
        version: u64,
        /// The version of the copies before: only those can take it.
        previous: u64,
        /// The topic.
        topic: TopicId,
    },
    /// Any shard to shard 0: send what I lack. Not answered if nothing is lacking.
    CopyRequest {
        /// The version of the sender's copies, if it has any yet.
        have: Option<u64>,
        /// Where to go on with the copy it is receiving.
        cursor: CopyCursor,
    },
    /// Shard 0 to a shard that asked: the next topic of a copy.
    CopyPart {
        /// Which copy this is a part of, and from which id on it was looked for.
        cursor: CopyCursor,
        /// The first live topic at or above `cursor.from`; none, if the copy ends there.
        descriptor: Option<TopicDescriptor>,
        /// The copy goes on, but only when asked for again.
        ask_again: bool,
    },
}

/// A place in a copy of the live topics, which are sent in the order of their ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopyCursor {
    /// The copy's version.
    pub version: u64,
    /// Topics below this id are there already.
    pub from: TopicId,
}

/// How a request to create, alter or delete a topic ended. Says only what is durable, so it may leave at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogueReply {
    /// The topic is live.
    Created(TopicDescriptor),
    /// The topic has this description; also said if it had it before.
    Altered(TopicDescriptor),
    /// The topic is gone; also said of one that was gone before.
    Deleted(TopicId),
    /// A live topic has the name.
    NameTaken {
        /// That topic.
        topic: TopicId,
    },
    /// The name breaks a rule.
    InvalidName(TopicNameError),
    /// Fewer partitions than there are or can be, or more than there may be.
    InvalidPartitionCount {
        /// The number asked for.
        asked: u32,
        /// The least there may be.
        least: u32,
        /// The most there may be.
        most: u32,
    },
    /// The topic has idempotency keys, and keeps the number of partitions that it has.
    PartitionsFixed {
        /// The number asked for.
        asked: u32,
        /// The number there is.
        count: u32,
    },
    /// A setting is out of its bounds.
    InvalidSetting(SettingOutOfBounds),
    /// There are `TOPIC_COUNT_MAX` topics.
    TooManyTopics,
    /// The topic was altered as often as can be counted.
    TooManyRevisions,
    /// There is no such topic. One that was deleted is deleted once more, but not altered.
    NotFound(TopicId),
    /// Too many changes are under way, or too many wait for this one. Ask again later.
    Busy,
    /// A change of this topic is under way and goes on. Ask again.
    StillWorking,
    /// Shard 0 failed while the change was under way: it may or may not have happened.
    OutcomeUnknown,
    /// Shard 0 has failed: catalogue changes are not possible.
    Unavailable,
}
