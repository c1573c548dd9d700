//! Which topics there are, which shard has a partition, and where that shard listens.

use std::collections::BTreeMap;

use florin_engine::limits::TOPIC_COUNT_MAX;
use florin_engine::model::{PartitionId, TopicId};
use thiserror::Error;

use crate::protocol::{ShardEndpoints, TopicDescription, TopicsPage};

/// What was last heard.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    endpoints: ShardEndpoints,
    topics: BTreeMap<TopicId, TopicDescription>,
    complete: bool,
}

/// Where the pages of one look at all topics are put together.
#[derive(Clone, Debug, Default)]
pub struct MetadataPages {
    topics: BTreeMap<TopicId, TopicDescription>,
    next: TopicId,
}

/// Pages that cannot be put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PagesError {
    /// The next page would begin where this one did, or before.
    #[error("the page of topics from {from} says that the next begins at {next}: it must lie behind")]
    NotForward {
        /// Where the page began.
        from: TopicId,
        /// Where the next would.
        next: TopicId,
    },
    /// More topics than there can be.
    #[error("the server lists more than {TOPIC_COUNT_MAX} topics")]
    TooManyTopics,
}

impl MetadataPages {
    /// Where the next page begins.
    pub fn from(&self) -> TopicId {
        self.next
    }

    /// Adds a page; the whole once it was the last one.
    ///
    /// # Errors
    /// If the pages never end.
    pub fn add(&mut self, page: TopicsPage) -> Result<Option<Metadata>, PagesError> {
        self.topics.extend(page.topics.into_iter().map(|topic| (topic.id, topic)));
        if self.topics.len() > TOPIC_COUNT_MAX {
            return Err(PagesError::TooManyTopics);
        }
        if page.next == TopicId(0) {
            let topics = std::mem::take(&mut self.topics);
            return Ok(Some(Metadata { endpoints: page.endpoints, topics, complete: page.complete }));
        }
        if page.next <= self.next {
            return Err(PagesError::NotForward { from: self.next, next: page.next });
        }
        self.next = page.next;
        Ok(None)
    }
}

impl Metadata {
    /// The topics, in the order of their ids.
    pub fn topics(&self) -> impl Iterator<Item = &TopicDescription> {
        self.topics.values()
    }

    /// A topic by its id.
    pub fn topic(&self, id: TopicId) -> Option<&TopicDescription> {
        self.topics.get(&id)
    }

    /// A topic by its name.
    pub fn topic_named(&self, name: &str) -> Option<&TopicDescription> {
        self.topics.values().find(|topic| topic.name == name)
    }

    /// Whether a topic that is not among these does not exist.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The shard of a partition, if the topic is known and has it.
    pub fn shard_of(&self, partition: PartitionId) -> Option<u16> {
        self.topic(partition.topic)?.shard_of(partition)
    }

    /// Where a shard listens: the host, empty for the one that was connected to, and the port.
    pub fn endpoint(&self, shard: u16) -> Option<(&str, u16)> {
        let port = *self.endpoints.ports.get(usize::from(shard))?;
        (port != 0).then_some((self.endpoints.host.as_str(), port))
    }

    /// Takes over where the shards listen.
    pub fn set_endpoints(&mut self, endpoints: ShardEndpoints) {
        self.endpoints = endpoints;
    }

    /// Adds a topic that was just heard of. A shard may not have heard of its last alteration yet: what is older than
    /// what is known is passed over.
    pub fn insert(&mut self, topic: TopicDescription) {
        let has_room = self.topics.len() < TOPIC_COUNT_MAX || self.topics.contains_key(&topic.id);
        let is_older = self.topic(topic.id).is_some_and(|known| topic.revision < known.revision);
        if has_room && !is_older {
            self.topics.insert(topic.id, topic);
        }
    }

    /// Takes over what is newer in `before` of topics that are listed here.
    pub fn keep_newer(&mut self, before: &Self) {
        let known: Vec<_> = before.topics.values().filter(|topic| self.topics.contains_key(&topic.id)).collect();
        known.into_iter().for_each(|topic| self.insert(topic.clone()));
    }
}

#[cfg(test)]
mod tests;
