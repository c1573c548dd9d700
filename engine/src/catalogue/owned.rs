//! What one shard knows of its own partitions, from its own journal: which topics it opened, and from which
//! catalogue version on it may open more.
//!
//! Manifest section, little-endian: closed version u64, topic count u32, then each open topic in rising order of
//! ids: id u64, description as in [`crate::format::control::topic`].

use std::collections::BTreeMap;

use bytes::BufMut;

use super::section::SectionReader;
use super::{CatalogueError, CatalogueMessage, Impossible, OwnedRecord, SectionError, TopicDescriptor};
use crate::limits::TOPIC_COUNT_MAX;
use crate::model::{PartitionId, ShardId, TopicId};

#[cfg(test)]
mod tests;

/// The topics of which a shard has open partitions: a state machine over its own durable records.
///
/// Bounded by the topics that shard 0 has not yet recorded as deleted; of closed ones a single number remains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedState {
    shard: ShardId,
    closed_version: u64,
    topics: BTreeMap<TopicId, TopicDescriptor>,
}

impl OwnedState {
    /// A shard that has opened nothing yet.
    pub fn new(shard: ShardId) -> Self {
        Self { shard, closed_version: 0, topics: BTreeMap::new() }
    }

    /// The shard.
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    /// The highest catalogue version of a recorded Close: an Open below it came too late.
    pub fn closed_version(&self) -> u64 {
        self.closed_version
    }

    /// The topic, if this shard has it open.
    pub fn topic(&self, topic: TopicId) -> Option<&TopicDescriptor> {
        self.topics.get(&topic)
    }

    /// The open topics, in the order of their ids.
    pub fn topics(&self) -> impl Iterator<Item = &TopicDescriptor> {
        self.topics.values()
    }

    /// The open partitions, in the order of topic and index.
    pub fn partitions(&self) -> impl Iterator<Item = PartitionId> + '_ {
        self.topics.values().flat_map(|descriptor| descriptor.partitions_on(self.shard))
    }

    /// Takes one record into account: a new one, or one that is replayed. An impossible one changes nothing.
    pub fn apply(&mut self, record: &OwnedRecord) -> Result<(), CatalogueError> {
        let topic = record.topic();
        let impossible = |reason| CatalogueError::ImpossibleRecord { topic, reason };
        match record {
            OwnedRecord::Opened(descriptor) => {
                match self.topics.get(&topic) {
                    Some(open) if !descriptor.follows(open) => return Err(impossible(Impossible::NotNext)),
                    Some(_) => {}
                    None if !descriptor.placement().contains(&self.shard) => {
                        return Err(impossible(Impossible::NotPlacedHere));
                    }
                    None if self.topics.len() >= TOPIC_COUNT_MAX => {
                        return Err(impossible(Impossible::TooManyTopics));
                    }
                    None => {}
                }
                self.topics.insert(topic, descriptor.clone());
            }
            OwnedRecord::Closed { version, .. } => {
                self.topics.remove(&topic).ok_or(impossible(Impossible::NotOpen))?;
                self.closed_version = self.closed_version.max(*version);
            }
        }
        Ok(())
    }

    /// Takes a topic over as shard 0 describes it, because the records that said so are lost. It never goes back to an
    /// older description.
    ///
    /// # Errors
    /// If both cannot be descriptions of one topic, or the shard has no room for it: nothing is changed.
    pub fn restore(&mut self, descriptor: &TopicDescriptor) -> Result<(), CatalogueError> {
        let topic = descriptor.id();
        let reason = match self.topics.get(&topic) {
            Some(known) if known.is_made_of(descriptor) => return Ok(()),
            Some(known) if !descriptor.is_made_of(known) => Impossible::NotNext,
            None if !descriptor.placement().contains(&self.shard) => Impossible::NotPlacedHere,
            None if self.topics.len() >= TOPIC_COUNT_MAX => Impossible::TooManyTopics,
            Some(_) | None => {
                self.topics.insert(topic, descriptor.clone());
                return Ok(());
            }
        };
        Err(CatalogueError::ImpossibleRecord { topic, reason })
    }

    /// Forgets a topic that is gone on shard 0, because the record that said so is lost.
    pub fn forget(&mut self, topic: TopicId) {
        self.topics.remove(&topic);
    }

    /// Writes the manifest section behind what `out` holds. The same state always gives the same bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_u64_le(self.closed_version);
        out.put_u32_le(u32::try_from(self.topics.len()).expect("bounded by TOPIC_COUNT_MAX"));
        for (id, descriptor) in &self.topics {
            out.put_u64_le(id.0);
            descriptor.put(out);
        }
    }

    /// Reads a whole manifest section of `shard`.
    pub fn decode(shard: ShardId, section: &[u8]) -> Result<Self, SectionError> {
        let mut from = SectionReader::new(section);
        let mut state = Self::new(shard);
        state.closed_version = from.number()?;
        for _ in 0..from.topic_count()? {
            let topic = TopicId(from.number()?);
            let descriptor = from.descriptor(topic)?;
            if state.topics.last_key_value().is_some_and(|(last, _)| topic <= *last) {
                return Err(SectionError::Order { topic });
            }
            if !descriptor.placement().contains(&shard) {
                return Err(SectionError::Placement { topic });
            }
            state.topics.insert(topic, descriptor);
        }
        from.end()?;
        Ok(state)
    }
}

/// What an owner does about a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnedAction {
    /// Append this record; the answer comes from [`OwnedPartitions::record_durable`].
    Append(OwnedRecord),
    /// It is done, durably: send this to shard 0.
    Answer(CatalogueMessage),
    /// The record was appended and is not durable yet; its durability brings the answer.
    Wait,
    /// Do nothing and answer nothing.
    Refuse(OwnedRefusal),
}

/// Why an owner does not open a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnedRefusal {
    /// The Open was sent before a Close that is already recorded, or names an older description than the shard has. If
    /// the topic is still wanted so, shard 0 asks again with a higher version; otherwise nobody asks.
    Stale,
    /// No partition of the topic is placed on this shard: the sender is confused.
    NotPlacedHere,
    /// The shard has the id open with a description that this one cannot follow: two journals contradict each other.
    OtherDescriptor,
    /// The shard has `TOPIC_COUNT_MAX` topics open.
    TooManyTopics,
}

/// A running shard's partitions: what it appended, and what of it is durable.
///
/// An [`OwnedAction::Append`] must enter the journal's queue before the next block boundary, and its record be
/// handed back in the order of appending once it is durable.
#[derive(Clone, Debug)]
pub struct OwnedPartitions {
    ahead: OwnedState,
    durable: OwnedState,
}

impl OwnedPartitions {
    /// Goes on from what was recovered.
    pub fn new(recovered: OwnedState) -> Self {
        Self { ahead: recovered.clone(), durable: recovered }
    }

    /// With all that was appended: for manifests.
    pub fn ahead(&self) -> &OwnedState {
        &self.ahead
    }

    /// With all that is durable: for serving.
    pub fn durable(&self) -> &OwnedState {
        &self.durable
    }

    /// The description that counts on this shard: a change of settings does once it is durable.
    pub fn in_force(&self, topic: TopicId) -> Option<&TopicDescriptor> {
        self.durable.topic(topic).or_else(|| self.ahead.topic(topic))
    }

    /// Whether an Open of this description has something to record.
    pub fn is_news(&self, descriptor: &TopicDescriptor) -> bool {
        self.ahead.topic(descriptor.id()).is_none_or(|open| open.revision() < descriptor.revision())
    }

    /// Shard 0 asks to open a topic, or to take over its next description.
    pub fn on_open(&mut self, version: u64, descriptor: &TopicDescriptor) -> OwnedAction {
        let (topic, revision) = (descriptor.id(), descriptor.revision());
        match self.ahead.topic(topic) {
            Some(open) if open == descriptor => match self.durable.topic(topic) {
                Some(durable) if durable == descriptor => {
                    OwnedAction::Answer(CatalogueMessage::Opened { topic, revision })
                }
                Some(_) | None => OwnedAction::Wait,
            },
            Some(open) if revision < open.revision() => OwnedAction::Refuse(OwnedRefusal::Stale),
            Some(open) if !descriptor.follows(open) => OwnedAction::Refuse(OwnedRefusal::OtherDescriptor),
            Some(_) | None if version < self.ahead.closed_version => OwnedAction::Refuse(OwnedRefusal::Stale),
            Some(_) => self.append(OwnedRecord::Opened(descriptor.clone())),
            None if !descriptor.placement().contains(&self.ahead.shard) => {
                OwnedAction::Refuse(OwnedRefusal::NotPlacedHere)
            }
            None if self.ahead.topics.len() >= TOPIC_COUNT_MAX => OwnedAction::Refuse(OwnedRefusal::TooManyTopics),
            None => self.append(OwnedRecord::Opened(descriptor.clone())),
        }
    }

    /// Shard 0 asks to close a topic. It does so only once all owners had it open durably, so a topic that is not
    /// open was closed before.
    pub fn on_close(&mut self, version: u64, topic: TopicId) -> OwnedAction {
        if self.ahead.topic(topic).is_some() {
            self.append(OwnedRecord::Closed { topic, version })
        } else if self.durable.topic(topic).is_some() {
            OwnedAction::Wait
        } else {
            OwnedAction::Answer(CatalogueMessage::Closed { topic })
        }
    }

    fn append(&mut self, record: OwnedRecord) -> OwnedAction {
        self.ahead.apply(&record).expect("checked against what was appended before");
        OwnedAction::Append(record)
    }

    /// A record that was appended is durable: what to tell shard 0.
    ///
    /// # Panics
    /// If the record was not appended, or an earlier one was not reported.
    pub fn record_durable(&mut self, record: &OwnedRecord) -> CatalogueMessage {
        self.durable.apply(record).expect("records become durable in the order in which they were appended");
        let topic = record.topic();
        match record {
            OwnedRecord::Opened(descriptor) => CatalogueMessage::Opened { topic, revision: descriptor.revision() },
            OwnedRecord::Closed { .. } => CatalogueMessage::Closed { topic },
        }
    }
}
