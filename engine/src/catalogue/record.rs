//! The catalogue's durable records, and the control entries that carry them.

use super::TopicDescriptor;
use crate::format::control::Control;
use crate::model::TopicId;

/// A step in the life of a topic, in shard 0's journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogueRecord {
    /// The topic's id, name and placement are taken; its owners are asked to open it.
    Creating(TopicDescriptor),
    /// All owners have opened it, or have taken over its next description, which is in force now.
    Live(TopicId),
    /// It is not served any more; its owners are asked to close it.
    Deleting(TopicId),
    /// All owners have closed it. The name is free.
    Deleted(TopicId),
    /// It is to have this description; its owners are asked to take it over.
    Altering(TopicDescriptor),
}

/// What an owner did with its partitions of a topic, in its own journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnedRecord {
    /// It opened the partitions that the placement gives it. Of a topic that was open, this description replaces the one
    /// before, and its further partitions are opened.
    Opened(TopicDescriptor),
    /// It closed them.
    Closed {
        /// The topic.
        topic: TopicId,
        /// The catalogue version of the Close: every Open below it is refused from now on.
        version: u64,
    },
}

impl CatalogueRecord {
    /// The topic the record is about.
    pub fn topic(&self) -> TopicId {
        match self {
            Self::Creating(descriptor) | Self::Altering(descriptor) => descriptor.id(),
            Self::Live(topic) | Self::Deleting(topic) | Self::Deleted(topic) => *topic,
        }
    }

    /// The catalogue record in a control entry, if it is one.
    pub fn from_control(control: &Control) -> Option<Self> {
        match control {
            Control::TopicCreating(descriptor) => Some(Self::Creating(descriptor.clone())),
            Control::TopicLive(topic) => Some(Self::Live(*topic)),
            Control::TopicDeleting(topic) => Some(Self::Deleting(*topic)),
            Control::TopicDeleted(topic) => Some(Self::Deleted(*topic)),
            Control::TopicAltering(descriptor) => Some(Self::Altering(descriptor.clone())),
            Control::EpochStart { .. }
            | Control::PartitionsOpened(_)
            | Control::PartitionsClosed { .. }
            | Control::ProducerIdsReserved { .. }
            | Control::ProducerExpired { .. }
            | Control::BatchKnown { .. }
            | Control::Transaction(_)
            | Control::Offsets(_)
            | Control::ClockConfirmed { .. } => None,
        }
    }
}

impl From<&CatalogueRecord> for Control {
    fn from(record: &CatalogueRecord) -> Self {
        match record {
            CatalogueRecord::Creating(descriptor) => Self::TopicCreating(descriptor.clone()),
            CatalogueRecord::Live(topic) => Self::TopicLive(*topic),
            CatalogueRecord::Deleting(topic) => Self::TopicDeleting(*topic),
            CatalogueRecord::Deleted(topic) => Self::TopicDeleted(*topic),
            CatalogueRecord::Altering(descriptor) => Self::TopicAltering(descriptor.clone()),
        }
    }
}

impl OwnedRecord {
    /// The topic the record is about.
    pub fn topic(&self) -> TopicId {
        match self {
            Self::Opened(descriptor) => descriptor.id(),
            Self::Closed { topic, .. } => *topic,
        }
    }

    /// The owner's record in a control entry, if it is one.
    pub fn from_control(control: &Control) -> Option<Self> {
        match control {
            Control::PartitionsOpened(descriptor) => Some(Self::Opened(descriptor.clone())),
            Control::PartitionsClosed { topic, version } => Some(Self::Closed { topic: *topic, version: *version }),
            Control::EpochStart { .. }
            | Control::TopicCreating(_)
            | Control::TopicLive(_)
            | Control::TopicDeleting(_)
            | Control::TopicDeleted(_)
            | Control::TopicAltering(_)
            | Control::ProducerIdsReserved { .. }
            | Control::ProducerExpired { .. }
            | Control::BatchKnown { .. }
            | Control::Transaction(_)
            | Control::Offsets(_)
            | Control::ClockConfirmed { .. } => None,
        }
    }
}

impl From<&OwnedRecord> for Control {
    fn from(record: &OwnedRecord) -> Self {
        match record {
            OwnedRecord::Opened(descriptor) => Self::PartitionsOpened(descriptor.clone()),
            OwnedRecord::Closed { topic, version } => Self::PartitionsClosed { topic: *topic, version: *version },
        }
    }
}
