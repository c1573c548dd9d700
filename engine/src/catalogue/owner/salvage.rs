//! Taking records whose predecessors may be lost.

use super::{CatalogueError, CatalogueRecord, Impossible, OwnerState, TopicDescriptor, TopicState};
use crate::limits::TOPIC_COUNT_MAX;
use crate::model::TopicId;

impl OwnerState {
    /// Takes one record of a journal in which blocks before it may be missing. What it says of its topic is so, whatever the
    /// records between said: a topic that is being created has its name, so whoever had it before is gone. Owners are asked
    /// again where it cannot be told whether they answered. A topic that only lost records described stays lost.
    ///
    /// # Errors
    /// If no records that are lost can have led here.
    pub fn salvage(&mut self, record: &CatalogueRecord) -> Result<(), CatalogueError> {
        let Err(error) = self.apply(record) else { return Ok(()) };
        let topic = record.topic();
        let impossible = |reason| CatalogueError::ImpossibleRecord { topic, reason };
        // Each id that was given out took a record, also those that are lost.
        let given_out = topic.0.saturating_sub(self.topic_id_next.0).saturating_add(1);
        let version = self.version.checked_add(given_out).ok_or(impossible(Impossible::Exhausted))?;
        let topic_id_next = TopicId(topic.0.checked_add(1).ok_or(impossible(Impossible::Exhausted))?);
        let is_taken = match record {
            CatalogueRecord::Creating(descriptor) => self.salvage_creating(descriptor),
            CatalogueRecord::Live(_) => self.topics.get(&topic).is_none_or(|topic| topic.state == TopicState::Live),
            CatalogueRecord::Deleting(_) => self.salvage_deleting(topic),
            CatalogueRecord::Deleted(_) => {
                self.forget(topic);
                true
            }
            CatalogueRecord::Altering(pending) => self.salvage_altering(pending),
        };
        if !is_taken {
            return Err(error);
        }
        self.version = version;
        self.live_version = version;
        self.topic_id_next = self.topic_id_next.max(topic_id_next);
        Ok(())
    }

    fn salvage_creating(&mut self, descriptor: &TopicDescriptor) -> bool {
        if descriptor.id() < self.topic_id_next || !self.has_shards_of(descriptor) {
            return false;
        }
        if let Some(before) = self.names.get(descriptor.name()).copied() {
            self.forget(before);
        }
        if self.topics.len() >= TOPIC_COUNT_MAX {
            return false;
        }
        self.insert(descriptor.clone(), TopicState::Creating, None);
        true
    }

    fn salvage_deleting(&mut self, topic: TopicId) -> bool {
        let Some(known) = self.topics.get_mut(&topic) else { return true };
        match known.state {
            TopicState::Deleting => return false,
            TopicState::Creating | TopicState::Live => {}
            TopicState::Altering => known.descriptor = known.pending.take().expect("a topic that is being altered"),
        }
        known.state = TopicState::Deleting;
        true
    }

    /// Owners are asked for the description that was to follow as for one of a new topic.
    fn salvage_altering(&mut self, pending: &TopicDescriptor) -> bool {
        let known = self.topics.get(&pending.id());
        let fits = known.is_none_or(|known| pending.is_made_of(known.wanted()));
        let named = self.names.get(pending.name()).copied();
        if !fits || !self.has_shards_of(pending) || known.is_some_and(|known| known.state == TopicState::Deleting) {
            return false;
        }
        self.forget(pending.id());
        if let Some(before) = named {
            self.forget(before);
        }
        if self.topics.len() >= TOPIC_COUNT_MAX {
            return false;
        }
        self.insert(pending.clone(), TopicState::Creating, None);
        true
    }

    /// Takes a topic out of the table, whatever it was.
    pub(super) fn forget(&mut self, topic: TopicId) {
        let Some(gone) = self.topics.remove(&topic) else { return };
        for shard in gone.wanted().placement() {
            self.partition_counts[usize::from(shard.0)] -= 1;
        }
        self.names.remove(gone.descriptor.name());
    }
}

#[cfg(test)]
mod tests;
