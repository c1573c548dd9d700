//! Shard 0's table of all topics: a state machine over its durable records, and plans for new ones.
//!
//! Manifest section, little-endian: version u64, live version u64, next topic id u64, topic count u32, then each
//! topic in rising order of ids: id u64, state u8 (1 creating, 2 live, 3 deleting, 4 altering), description as in
//! [`crate::format::control::topic`]; if altering, the description that is to come behind it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::BufMut;
use thiserror::Error;

use super::section::SectionReader;
use super::{
    CatalogueError, CatalogueRecord, Impossible, SectionError, SettingOutOfBounds, TopicDescriptor, TopicNameError,
    TopicSettings,
};
use crate::format::control::KeyRule;
use crate::limits::{SHARD_COUNT_MAX, TOPIC_COUNT_MAX, TOPIC_PARTITION_COUNT_MAX};
use crate::model::{ShardId, TopicId};

mod alteration;
mod salvage;
#[cfg(test)]
mod tests;

pub use alteration::{AlterError, TopicChange};

/// The first id ever minted: 0 names no topic.
const TOPIC_ID_FIRST: TopicId = TopicId(1);

const _: () = assert!(TOPIC_COUNT_MAX <= u32::MAX as usize);

/// Where a topic is in its life. One that is deleted is not in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TopicState {
    /// Its owners are being asked to open it.
    Creating = 1,
    /// It is served.
    Live = 2,
    /// Its owners are being asked to close it.
    Deleting = 3,
    /// It is served, and its owners are being asked to take over its next description.
    Altering = 4,
}

/// A topic in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueTopic {
    /// The description in force.
    pub descriptor: TopicDescriptor,
    /// Where it is in its life.
    pub state: TopicState,
    /// The description that is to follow, while the topic is being altered.
    pub pending: Option<TopicDescriptor>,
}

impl CatalogueTopic {
    /// What the topic is to be: the description that owners are asked for, if they are asked.
    pub fn wanted(&self) -> &TopicDescriptor {
        self.pending.as_ref().unwrap_or(&self.descriptor)
    }

    /// Whether it is served.
    pub fn is_live(&self) -> bool {
        matches!(self.state, TopicState::Live | TopicState::Altering)
    }
}

/// Why a topic cannot be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CreateError {
    /// The name breaks a rule.
    #[error(transparent)]
    Name(#[from] TopicNameError),
    /// No partitions, or more than `TOPIC_PARTITION_COUNT_MAX`.
    #[error("{partition_count} partitions, 1 to {TOPIC_PARTITION_COUNT_MAX} are allowed")]
    PartitionCount {
        /// The number asked for.
        partition_count: u32,
    },
    /// A topic that is not gone yet has the name.
    #[error("topic {topic} has the name and is {state:?}")]
    NameTaken {
        /// That topic.
        topic: TopicId,
        /// Where it is in its life.
        state: TopicState,
    },
    /// A setting is out of its bounds.
    #[error(transparent)]
    Setting(#[from] SettingOutOfBounds),
    /// There are `TOPIC_COUNT_MAX` topics.
    #[error("there are {TOPIC_COUNT_MAX} topics, no more are allowed")]
    TooManyTopics,
}

/// Why a topic cannot be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DeleteError {
    /// No topic ever had this id.
    #[error("no topic ever had this id")]
    NotFound,
    /// The topic is gone already.
    #[error("the topic is deleted already")]
    Gone,
    /// It is not live yet.
    #[error("the topic is still being created")]
    Creating,
    /// It is being deleted already.
    #[error("the topic is being deleted already")]
    Deleting,
    /// It is being altered.
    #[error("the topic is being altered")]
    Altering,
}

/// All topics that are not gone, and the counters that must never go back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerState {
    version: u64,
    live_version: u64,
    topic_id_next: TopicId,
    topics: BTreeMap<TopicId, CatalogueTopic>,
    names: BTreeMap<Arc<str>, TopicId>,
    /// Partitions on each shard, of all topics that are not gone and as they are to be; as long as there are shards.
    partition_counts: Vec<u64>,
}

impl OwnerState {
    /// The empty table of a new directory with `shard_count` shards.
    ///
    /// # Panics
    /// If there are no shards, or more than `SHARD_COUNT_MAX`.
    pub fn new(shard_count: u16) -> Self {
        assert!((1..=SHARD_COUNT_MAX).contains(&shard_count), "{shard_count} shards");
        Self {
            version: 0,
            live_version: 0,
            topic_id_next: TOPIC_ID_FIRST,
            topics: BTreeMap::new(),
            names: BTreeMap::new(),
            partition_counts: vec![0; usize::from(shard_count)],
        }
    }

    /// How many records were ever applied. Grows by one with each.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The version at which the set of live topics last changed; 0 if it never did.
    pub fn live_version(&self) -> u64 {
        self.live_version
    }

    /// The id the next topic gets. Never goes back.
    pub fn topic_id_next(&self) -> TopicId {
        self.topic_id_next
    }

    /// So many records may be lost: goes on behind all ids and versions that they can have given out, and everybody
    /// who has a copy of the live topics asks for a new one.
    ///
    /// # Errors
    /// If there are not so many.
    pub fn skip(&mut self, record_count: u64) -> Result<(), SectionError> {
        let version = self.version.checked_add(record_count).ok_or(SectionError::Exhausted)?;
        let topic_id_next = self.topic_id_next.0.checked_add(record_count).ok_or(SectionError::Exhausted)?;
        self.version = version;
        self.live_version = version;
        self.topic_id_next = TopicId(topic_id_next);
        Ok(())
    }

    /// How many shards the directory has.
    pub fn shard_count(&self) -> u16 {
        u16::try_from(self.partition_counts.len()).expect("checked when it was made")
    }

    /// How many topics are not gone.
    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// The topic with this id, unless it is gone or was never there.
    pub fn topic(&self, topic: TopicId) -> Option<&CatalogueTopic> {
        self.topics.get(&topic)
    }

    /// The topic with this name, unless it is gone or was never there.
    pub fn topic_named(&self, name: &str) -> Option<&CatalogueTopic> {
        self.names.get(name).and_then(|topic| self.topics.get(topic))
    }

    /// All topics that are not gone, in the order of their ids.
    pub fn topics(&self) -> impl Iterator<Item = &CatalogueTopic> {
        self.topics.values()
    }

    /// The live topics with ids from `from` on, in the order of their ids, by the descriptions in force.
    pub fn live_topics(&self, from: TopicId) -> impl Iterator<Item = &TopicDescriptor> {
        let live = self.topics.range(from..).filter(|(_, topic)| topic.is_live());
        live.map(|(_, topic)| &topic.descriptor)
    }

    /// Takes one record into account: a new one, or one that is replayed. An impossible one changes nothing.
    pub fn apply(&mut self, record: &CatalogueRecord) -> Result<(), CatalogueError> {
        let topic = record.topic();
        let impossible = |reason| CatalogueError::ImpossibleRecord { topic, reason };
        let version = self.version.checked_add(1).ok_or(impossible(Impossible::Exhausted))?;
        match record {
            CatalogueRecord::Creating(descriptor) => self.apply_creating(descriptor).map_err(impossible)?,
            CatalogueRecord::Live(_) => {
                self.apply_live(topic).ok_or(impossible(Impossible::NotOpening))?;
                self.live_version = version;
            }
            CatalogueRecord::Deleting(_) => {
                self.apply_deleting(topic).ok_or(impossible(Impossible::NotLive))?;
                self.live_version = version;
            }
            CatalogueRecord::Deleted(_) => self.apply_deleted(topic).ok_or(impossible(Impossible::NotDeleting))?,
            CatalogueRecord::Altering(descriptor) => self.apply_altering(descriptor).map_err(impossible)?,
        }
        self.version = version;
        Ok(())
    }

    fn apply_creating(&mut self, descriptor: &TopicDescriptor) -> Result<(), Impossible> {
        if descriptor.id() != self.topic_id_next {
            return Err(Impossible::IdNotNext);
        }
        if self.topics.len() >= TOPIC_COUNT_MAX {
            return Err(Impossible::TooManyTopics);
        }
        if self.names.contains_key(descriptor.name()) {
            return Err(Impossible::NameTaken);
        }
        if !self.has_shards_of(descriptor) {
            return Err(Impossible::ShardUnknown);
        }
        self.topic_id_next = TopicId(descriptor.id().0.checked_add(1).ok_or(Impossible::Exhausted)?);
        self.insert(descriptor.clone(), TopicState::Creating, None);
        Ok(())
    }

    /// The description that owners were asked for is in force.
    fn apply_live(&mut self, topic: TopicId) -> Option<()> {
        let topic = self.topics.get_mut(&topic)?;
        match topic.state {
            TopicState::Creating => {}
            TopicState::Altering => topic.descriptor = topic.pending.take().expect("a topic that is being altered"),
            TopicState::Live | TopicState::Deleting => return None,
        }
        topic.state = TopicState::Live;
        Some(())
    }

    fn apply_deleting(&mut self, topic: TopicId) -> Option<()> {
        let topic = self.topics.get_mut(&topic).filter(|topic| topic.state == TopicState::Live)?;
        topic.state = TopicState::Deleting;
        Some(())
    }

    fn apply_deleted(&mut self, topic: TopicId) -> Option<()> {
        self.topics.get(&topic).filter(|topic| topic.state == TopicState::Deleting)?;
        let gone = self.topics.remove(&topic)?.descriptor;
        self.names.remove(gone.name());
        for shard in gone.placement() {
            self.partition_counts[usize::from(shard.0)] -= 1;
        }
        Some(())
    }

    fn has_shards_of(&self, descriptor: &TopicDescriptor) -> bool {
        descriptor.placement().iter().all(|shard| usize::from(shard.0) < self.partition_counts.len())
    }

    fn insert(&mut self, descriptor: TopicDescriptor, state: TopicState, pending: Option<TopicDescriptor>) {
        let topic = CatalogueTopic { descriptor, state, pending };
        for shard in topic.wanted().placement() {
            self.partition_counts[usize::from(shard.0)] += 1;
        }
        let id = topic.descriptor.id();
        self.names.insert(topic.descriptor.name_shared(), id);
        self.topics.insert(id, topic);
    }

    /// The record that creates a topic: the next id, and partitions dealt out in turn, beginning with the shard that
    /// has the fewest (the lowest id among equals). The same table always gives the same record.
    pub fn plan_create(
        &self,
        name: &str,
        partition_count: u32,
        settings: TopicSettings,
        keys: Option<KeyRule>,
    ) -> Result<CatalogueRecord, CreateError> {
        TopicDescriptor::check_name(name)?;
        settings.check()?;
        if !(1..=TOPIC_PARTITION_COUNT_MAX).contains(&partition_count) {
            return Err(CreateError::PartitionCount { partition_count });
        }
        if let Some(taken) = self.topic_named(name) {
            return Err(CreateError::NameTaken { topic: taken.descriptor.id(), state: taken.state });
        }
        if self.topics.len() >= TOPIC_COUNT_MAX {
            return Err(CreateError::TooManyTopics);
        }
        let placement = self.shards_for(partition_count).collect();
        let descriptor = TopicDescriptor::new(self.topic_id_next, name, placement)
            .and_then(|descriptor| descriptor.with_settings(settings));
        let descriptor = descriptor.expect("checked above");
        Ok(CatalogueRecord::Creating(match keys {
            Some(rule) => descriptor.with_keys(rule),
            None => descriptor,
        }))
    }

    /// Where so many new partitions of one topic go.
    fn shards_for(&self, partition_count: u32) -> impl Iterator<Item = ShardId> + use<> {
        self.shards_by_load().into_iter().cycle().take(partition_count as usize)
    }

    fn shards_by_load(&self) -> Vec<ShardId> {
        let mut shards = (0u16..).map(ShardId).zip(&self.partition_counts).collect::<Vec<_>>();
        shards.sort_by_key(|(shard, partition_count)| (**partition_count, *shard));
        shards.into_iter().map(|(shard, _)| shard).collect()
    }

    /// The record that begins to delete a topic.
    pub fn plan_delete(&self, topic: TopicId) -> Result<CatalogueRecord, DeleteError> {
        match self.topics.get(&topic).map(|topic| topic.state) {
            Some(TopicState::Live) => Ok(CatalogueRecord::Deleting(topic)),
            Some(TopicState::Creating) => Err(DeleteError::Creating),
            Some(TopicState::Deleting) => Err(DeleteError::Deleting),
            Some(TopicState::Altering) => Err(DeleteError::Altering),
            None if (TOPIC_ID_FIRST..self.topic_id_next).contains(&topic) => Err(DeleteError::Gone),
            None => Err(DeleteError::NotFound),
        }
    }

    /// Writes the manifest section behind what `out` holds. The same table always gives the same bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_u64_le(self.version);
        out.put_u64_le(self.live_version);
        out.put_u64_le(self.topic_id_next.0);
        out.put_u32_le(u32::try_from(self.topics.len()).expect("bounded by TOPIC_COUNT_MAX"));
        for (id, topic) in &self.topics {
            out.put_u64_le(id.0);
            out.put_u8(topic.state as u8);
            topic.descriptor.put(out);
            if let Some(pending) = &topic.pending {
                pending.put(out);
            }
        }
    }

    /// Reads a whole manifest section of a directory with `shard_count` shards.
    ///
    /// # Panics
    /// As [`OwnerState::new`].
    pub fn decode(shard_count: u16, section: &[u8]) -> Result<Self, SectionError> {
        let mut from = SectionReader::new(section);
        let mut state = Self::new(shard_count);
        state.version = from.number()?;
        state.live_version = from.number()?;
        state.topic_id_next = TopicId(from.number()?);
        // Every id that was minted took a record, and so did every change of the live topics.
        let minted_count = state.topic_id_next.0.checked_sub(TOPIC_ID_FIRST.0).ok_or(SectionError::Counters)?;
        if minted_count > state.version || state.live_version > state.version {
            return Err(SectionError::Counters);
        }
        let mut topic_min = TOPIC_ID_FIRST;
        for _ in 0..from.topic_count()? {
            let topic = TopicId(from.number()?);
            let code = from.byte()?;
            let descriptor = from.descriptor(topic)?;
            let pending = (code == TopicState::Altering as u8).then(|| from.descriptor(topic)).transpose()?;
            if topic < topic_min || topic >= state.topic_id_next {
                return Err(SectionError::Order { topic });
            }
            topic_min = TopicId(topic.0 + 1);
            let life = TopicState::from_code(code).ok_or(SectionError::State { topic, state: code })?;
            if state.names.contains_key(descriptor.name()) {
                return Err(SectionError::NameTwice { topic });
            }
            if pending.as_ref().is_some_and(|pending| !pending.follows(&descriptor)) {
                return Err(SectionError::Pending { topic });
            }
            if !state.has_shards_of(pending.as_ref().unwrap_or(&descriptor)) {
                return Err(SectionError::Placement { topic });
            }
            state.insert(descriptor, life, pending);
        }
        from.end()?;
        Ok(state)
    }
}

impl TopicState {
    fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Creating),
            2 => Some(Self::Live),
            3 => Some(Self::Deleting),
            4 => Some(Self::Altering),
            _ => None,
        }
    }
}
