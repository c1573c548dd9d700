//! A shard's copy of the live topics, for metadata. Kept in memory only: a shard that starts asks shard 0 for it.
//!
//! Copies have the version at which shard 0's live topics last changed, and each change names the version
//! before it, so a gap shows. Whether something was lost is asked every `CATALOGUE_RESEND_NS`; shard 0 answers only
//! if so. The answer is a whole new copy, one topic per message in the order of ids, which replaces the old one when
//! it is complete.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{CatalogueMessage, CopyCursor, TopicDescriptor};
use crate::limits::{CATALOGUE_RESEND_NS, TOPIC_COUNT_MAX};
use crate::model::{Monotonic, TopicId};

#[cfg(test)]
mod tests;

/// The live topics as far as this shard knows. At most two times `TOPIC_COUNT_MAX` topics in memory: those known,
/// and those of a copy that is being received.
#[derive(Clone, Debug, Default)]
pub struct TopicCopies {
    version: Option<u64>,
    topics: BTreeMap<TopicId, TopicDescriptor>,
    names: BTreeMap<Arc<str>, TopicId>,
    cursor: CopyCursor,
    received: BTreeMap<TopicId, TopicDescriptor>,
    ask_at: Monotonic,
}

impl TopicCopies {
    /// Nothing is known yet; the first [`TopicCopies::tick`] asks.
    pub fn new() -> Self {
        Self::default()
    }

    /// The version of the copies; none before the first is complete. Until then an unknown topic means nothing.
    pub fn version(&self) -> Option<u64> {
        self.version
    }

    /// The live topic with this id.
    pub fn topic(&self, topic: TopicId) -> Option<&TopicDescriptor> {
        self.topics.get(&topic)
    }

    /// The live topic with this name.
    pub fn topic_named(&self, name: &str) -> Option<&TopicDescriptor> {
        self.names.get(name).and_then(|topic| self.topics.get(topic))
    }

    /// The live topics, in the order of their ids.
    pub fn topics(&self) -> impl Iterator<Item = &TopicDescriptor> {
        self.topics.values()
    }

    /// When [`TopicCopies::tick`] has something to do next.
    pub fn next_deadline(&self) -> Monotonic {
        self.ask_at
    }

    /// Asks shard 0 whether something is missing, when it is time to.
    pub fn tick(&mut self, now: Monotonic) -> Option<CatalogueMessage> {
        if now < self.ask_at {
            return None;
        }
        self.ask_at = now.plus_ns(CATALOGUE_RESEND_NS);
        Some(CatalogueMessage::CopyRequest { have: self.version, cursor: self.cursor })
    }

    /// Takes a message from shard 0; those that are not about copies are ignored. May bring the next deadline forward.
    pub fn message(&mut self, message: &CatalogueMessage, now: Monotonic) {
        match message {
            CatalogueMessage::Publish { version, previous, descriptor } => {
                let has_room = self.topics.len() < TOPIC_COUNT_MAX || self.topics.contains_key(&descriptor.id());
                if self.follows(*version, *previous, now) && has_room {
                    self.names.insert(descriptor.name_shared(), descriptor.id());
                    self.topics.insert(descriptor.id(), descriptor.clone());
                    self.version = Some(*version);
                }
            }
            CatalogueMessage::Retract { version, previous, topic } => {
                if self.follows(*version, *previous, now) {
                    if let Some(gone) = self.topics.remove(topic) {
                        self.names.remove(gone.name());
                    }
                    self.version = Some(*version);
                }
            }
            CatalogueMessage::CopyPart { cursor, descriptor, ask_again } => {
                if self.take_part(*cursor, descriptor.as_ref()) && *ask_again {
                    self.ask_at = now;
                }
            }
            CatalogueMessage::Open { .. }
            | CatalogueMessage::Opened { .. }
            | CatalogueMessage::Close { .. }
            | CatalogueMessage::Closed { .. }
            | CatalogueMessage::CopyRequest { .. } => {}
        }
    }

    /// Whether a change is the next one. A gap is asked about at once.
    fn follows(&mut self, version: u64, previous: u64, now: Monotonic) -> bool {
        let follows = self.version == Some(previous);
        if !follows && self.version.is_none_or(|known| known < version) {
            self.ask_at = now;
        }
        follows
    }

    /// Takes the part that is next, and says so; any other is of no use or comes again when asked for.
    fn take_part(&mut self, cursor: CopyCursor, descriptor: Option<&TopicDescriptor>) -> bool {
        if self.version.is_some_and(|known| cursor.version <= known) {
            return false;
        }
        if cursor.version > self.cursor.version {
            self.cursor = CopyCursor { version: cursor.version, from: TopicId(0) };
            self.received.clear();
        }
        if cursor != self.cursor {
            return false;
        }
        match descriptor {
            Some(descriptor) if descriptor.id() < cursor.from || self.received.len() >= TOPIC_COUNT_MAX => false,
            Some(descriptor) => {
                self.cursor.from = TopicId(descriptor.id().0.saturating_add(1));
                self.received.insert(descriptor.id(), descriptor.clone());
                true
            }
            None => {
                self.topics = std::mem::take(&mut self.received);
                self.names =
                    self.topics.values().map(|descriptor| (descriptor.name_shared(), descriptor.id())).collect();
                self.version = Some(cursor.version);
                true
            }
        }
    }
}
