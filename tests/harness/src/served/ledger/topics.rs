//! Which topics must be there, may be there and must not be there.

use std::collections::BTreeMap;

use florin_engine::model::{PartitionId, TopicId};

use super::{Verdict, ensure};

/// A topic as it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its id.
    pub id: TopicId,
    /// Its name.
    pub name: String,
    /// The shard of each of its partitions.
    pub placement: Vec<u16>,
}

impl Topic {
    /// Its partitions.
    pub fn partitions(&self) -> impl Iterator<Item = PartitionId> + use<> {
        let (topic, count) = (self.id, u32::try_from(self.placement.len()).expect("a few thousand at most"));
        (0..count).map(move |index| PartitionId { topic, index })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Live,
    /// Its deletion was asked for, and nobody heard the end of it.
    Deleting,
    Deleted,
}

/// All topics that ever were.
#[derive(Clone, Debug, Default)]
pub(super) struct Topics {
    known: BTreeMap<TopicId, (Topic, State)>,
    /// Asked for, with so many partitions, and not answered: they may come to be at any time.
    creating: BTreeMap<String, u32>,
}

impl Topics {
    pub(super) fn live(&self) -> impl Iterator<Item = TopicId> {
        self.known.iter().filter(|(_, (_, state))| *state != State::Deleted).map(|(id, _)| *id)
    }

    pub(super) fn is_deleted(&self, topic: TopicId) -> bool {
        self.known.get(&topic).is_some_and(|(_, state)| *state == State::Deleted)
    }

    pub(super) fn creating(&mut self, name: &str, partition_count: u32) {
        self.creating.insert(name.to_owned(), partition_count);
    }

    pub(super) fn not_created(&mut self, name: &str) {
        self.creating.remove(name);
    }

    pub(super) fn deleting(&mut self, topic: TopicId) {
        if let Some((_, state)) = self.known.get_mut(&topic)
            && *state == State::Live
        {
            *state = State::Deleting;
        }
    }

    pub(super) fn deleted(&mut self, topic: TopicId) {
        if let Some((_, state)) = self.known.get_mut(&topic) {
            *state = State::Deleted;
        }
    }

    /// Somebody was told of a topic that is there.
    pub(super) fn created(&mut self, topic: &Topic) -> Verdict {
        if let Some((known, state)) = self.known.get(&topic.id) {
            ensure(known == topic, "topic changed", || format!("{topic:?} was {known:?}"))?;
            return ensure(*state != State::Deleted, "deleted topic is back", || format!("{topic:?}"));
        }
        let count = self.creating.remove(&topic.name);
        ensure(count.is_some_and(|count| count as usize == topic.placement.len()), "topic from nowhere", || {
            format!("{topic:?}, asked for were {count:?} partitions")
        })?;
        self.known.insert(topic.id, (topic.clone(), State::Live));
        Ok(())
    }

    /// These are all topics.
    pub(super) fn listed(&mut self, topics: &[Topic]) -> Verdict {
        for topic in topics {
            self.created(topic)?;
        }
        for (id, (topic, state)) in &mut self.known {
            if !topics.iter().any(|listed| listed.id == *id) {
                ensure(*state != State::Live, "topic lost", || format!("{topic:?}"))?;
                *state = State::Deleted;
            }
        }
        Ok(())
    }
}
