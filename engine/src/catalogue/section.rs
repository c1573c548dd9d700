//! What the manifest sections of the catalogue have in common: reading them without trusting a byte.

use bytes::Buf;
use thiserror::Error;

use super::{TopicDescriptor, TopicError};
use crate::limits::TOPIC_COUNT_MAX;
use crate::model::TopicId;

/// Why bytes are not a manifest section of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SectionError {
    /// They end before the section does.
    #[error("catalogue section is cut short")]
    Truncated,
    /// They go on behind the section.
    #[error("{left_bytes} bytes are left behind the catalogue section")]
    Leftover {
        /// How many.
        left_bytes: usize,
    },
    /// More topics than a directory can have.
    #[error("catalogue section of {topic_count} topics, at most {TOPIC_COUNT_MAX} are possible")]
    TopicCount {
        /// The number found.
        topic_count: u32,
    },
    /// Versions or ids contradict each other.
    #[error("catalogue section's counters contradict each other")]
    Counters,
    /// There are no more ids or versions.
    #[error("ids or versions of the catalogue are exhausted")]
    Exhausted,
    /// Topics are not in rising order of their ids, or one has an id that was never minted.
    #[error("topic {topic} is out of order or was never minted")]
    Order {
        /// The topic.
        topic: TopicId,
    },
    /// No state has this number.
    #[error("topic {topic} is in unknown state {state}")]
    State {
        /// The topic.
        topic: TopicId,
        /// The number found.
        state: u8,
    },
    /// Two topics have the same name.
    #[error("topic {topic} has the name of another")]
    NameTwice {
        /// The topic that comes later.
        topic: TopicId,
    },
    /// The topic is not placed on the shards it should be.
    #[error("topic {topic} is placed on shards where it cannot be")]
    Placement {
        /// The topic.
        topic: TopicId,
    },
    /// The description that is to follow cannot follow the one in force.
    #[error("topic {topic} is to have a description that cannot follow the one in force")]
    Pending {
        /// The topic.
        topic: TopicId,
    },
    /// A topic's description is wrong in itself.
    #[error("topic {topic}: {error}")]
    Topic {
        /// The topic.
        topic: TopicId,
        /// What is wrong.
        error: TopicError,
    },
}

/// Takes fields off the front of a section.
pub(super) struct SectionReader<'a> {
    left: &'a [u8],
}

impl<'a> SectionReader<'a> {
    pub(super) fn new(section: &'a [u8]) -> Self {
        Self { left: section }
    }

    pub(super) fn number(&mut self) -> Result<u64, SectionError> {
        self.left.try_get_u64_le().map_err(|_| SectionError::Truncated)
    }

    pub(super) fn byte(&mut self) -> Result<u8, SectionError> {
        self.left.try_get_u8().map_err(|_| SectionError::Truncated)
    }

    pub(super) fn topic_count(&mut self) -> Result<u32, SectionError> {
        let topic_count = self.left.try_get_u32_le().map_err(|_| SectionError::Truncated)?;
        if topic_count as usize <= TOPIC_COUNT_MAX {
            Ok(topic_count)
        } else {
            Err(SectionError::TopicCount { topic_count })
        }
    }

    pub(super) fn descriptor(&mut self, topic: TopicId) -> Result<TopicDescriptor, SectionError> {
        TopicDescriptor::get(topic, &mut self.left).map_err(|error| match error {
            TopicError::Truncated => SectionError::Truncated,
            TopicError::Name(_)
            | TopicError::PartitionCount { .. }
            | TopicError::Shard { .. }
            | TopicError::Setting(_)
            | TopicError::Revision { .. }
            | TopicError::KeyRule(_)
            | TopicError::PartitionsFixed => SectionError::Topic { topic, error },
        })
    }

    pub(super) fn end(self) -> Result<(), SectionError> {
        match self.left.len() {
            0 => Ok(()),
            left_bytes => Err(SectionError::Leftover { left_bytes }),
        }
    }
}
