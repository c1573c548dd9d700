//! Altering a topic: what may be changed, and the description that follows.

use thiserror::Error;

use super::{CatalogueRecord, Impossible, OwnerState, SettingOutOfBounds, TopicDescriptor, TopicSettings, TopicState};
use crate::limits::TOPIC_PARTITION_COUNT_MAX;
use crate::model::TopicId;

/// What is to be changed of a topic; none leaves a setting as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopicChange {
    /// [`TopicSettings::retention_bytes`]; `Some(None)` keeps everything from now on.
    pub retention_bytes: Option<Option<u64>>,
    /// [`TopicSettings::retention_ns`]; `Some(None)` keeps everything from now on.
    pub retention_ns: Option<Option<u64>>,
    /// [`TopicSettings::segment_bytes`].
    pub segment_bytes: Option<u64>,
    /// [`TopicSettings::record_bytes_max`].
    pub record_bytes_max: Option<u32>,
    /// How many partitions there are to be: as many as there are, or more.
    pub partition_count: Option<u32>,
}

/// Why a topic cannot be altered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AlterError {
    /// There is no topic of this id, or there is none any more.
    #[error("there is no topic of this id")]
    NotFound,
    /// It is not at rest.
    #[error("the topic is {state:?}")]
    UnderWay {
        /// Where it is in its life.
        state: TopicState,
    },
    /// Fewer partitions than there are, or more than there may be.
    #[error("{asked} partitions, {least} to {most} are allowed")]
    PartitionCount {
        /// The number asked for.
        asked: u32,
        /// The number there is.
        least: u32,
        /// The number there may be.
        most: u32,
    },
    /// Another number of partitions for a topic with idempotency keys: a key would belong to another one.
    #[error("{asked} partitions, a topic with idempotency keys keeps its {count}")]
    PartitionsFixed {
        /// The number asked for.
        asked: u32,
        /// The number there is.
        count: u32,
    },
    /// A setting is out of its bounds.
    #[error(transparent)]
    Setting(#[from] SettingOutOfBounds),
    /// The topic was altered as often as it can be.
    #[error("the topic has had as many revisions as can be counted")]
    Exhausted,
}

impl TopicChange {
    /// The settings with what is changed of them.
    pub fn apply_to(&self, settings: &TopicSettings) -> TopicSettings {
        TopicSettings {
            retention_bytes: self.retention_bytes.unwrap_or(settings.retention_bytes),
            retention_ns: self.retention_ns.unwrap_or(settings.retention_ns),
            segment_bytes: self.segment_bytes.unwrap_or(settings.segment_bytes),
            record_bytes_max: self.record_bytes_max.unwrap_or(settings.record_bytes_max),
        }
    }

    /// Whether any topic can have the settings that are chosen here.
    ///
    /// # Errors
    /// The first one that is out of its bounds.
    pub fn check(&self) -> Result<(), SettingOutOfBounds> {
        self.apply_to(&TopicSettings::default()).check()
    }
}

impl OwnerState {
    /// The record that begins to alter a topic, with new partitions placed as those of a new topic are; none if
    /// everything is as it is to be. The same table always gives the same record.
    pub fn plan_alter(&self, topic: TopicId, change: &TopicChange) -> Result<Option<CatalogueRecord>, AlterError> {
        let topic = self.topics.get(&topic).ok_or(AlterError::NotFound)?;
        if topic.state != TopicState::Live {
            return Err(AlterError::UnderWay { state: topic.state });
        }
        let before = &topic.descriptor;
        let settings = change.apply_to(before.settings());
        settings.check()?;
        let least = before.partition_count();
        let asked = change.partition_count.unwrap_or(least);
        if before.keys().is_some() && asked != least {
            return Err(AlterError::PartitionsFixed { asked, count: least });
        }
        let most = TOPIC_PARTITION_COUNT_MAX;
        if !(least..=most).contains(&asked) {
            return Err(AlterError::PartitionCount { asked, least, most });
        }
        if asked == least && settings == *before.settings() {
            return Ok(None);
        }
        let added: Vec<_> = self.shards_for(asked - least).collect();
        let altered = before.altered(settings, &added).expect("checked above");
        altered.map(CatalogueRecord::Altering).map(Some).ok_or(AlterError::Exhausted)
    }

    pub(super) fn apply_altering(&mut self, pending: &TopicDescriptor) -> Result<(), Impossible> {
        let has_shards = self.has_shards_of(pending);
        let topic = self.topics.get_mut(&pending.id()).filter(|topic| topic.state == TopicState::Live);
        let topic = topic.ok_or(Impossible::NotLive)?;
        if !pending.follows(&topic.descriptor) {
            return Err(Impossible::NotNext);
        }
        if !has_shards {
            return Err(Impossible::ShardUnknown);
        }
        for shard in &pending.placement()[topic.descriptor.placement().len()..] {
            self.partition_counts[usize::from(shard.0)] += 1;
        }
        topic.pending = Some(pending.clone());
        topic.state = TopicState::Altering;
        Ok(())
    }
}
