//! Shard 0 driving creation, alteration and deletion over the owners: events in, actions out.
//!
//! A change goes through three stages: its first record is appended (Creating, Altering, Deleting), then its owners are
//! asked until all have answered, then its last record is appended (Live, Deleted). Between planning and durability
//! neither a name nor an id is given out twice, because plans are made against what was *appended*; everything that
//! is sent or replied follows from what is *durable*.

use std::collections::BTreeMap;

use self::change::{Change, Direction, Stage};
use super::{
    AlterError, CatalogueMessage, CatalogueRecord, CatalogueReply, CopyCursor, CreateError, DeleteError, OwnerState,
    TopicChange, TopicDescriptor, TopicSettings, TopicState,
};
use crate::format::control::KeyRule;
use crate::limits::{CATALOGUE_COPY_PARTS_MAX, CATALOGUE_PENDING_MAX, CATALOGUE_RESEND_NS, TOPIC_PARTITION_COUNT_MAX};
use crate::model::{Monotonic, RequestId, ShardId, TopicId};

mod change;
#[cfg(test)]
mod tests;

/// The shard that owns names and placement.
pub const COORDINATOR: ShardId = ShardId(0);

/// What shard 0 is to do now, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogueAction {
    /// Append this record to shard 0's journal.
    Append(CatalogueRecord),
    /// Send this; it may get lost.
    Send {
        /// The receiver, which may be shard 0 itself.
        to: ShardId,
        /// The message.
        message: CatalogueMessage,
    },
    /// Answer a client.
    Reply {
        /// The request that is answered. It will not be answered again.
        request: RequestId,
        /// The answer.
        reply: CatalogueReply,
    },
}

/// Shard 0's catalogue at run time.
///
/// A [`CatalogueAction::Append`] must enter the journal's queue before the next block boundary, and its record be
/// handed back in the order of appending once it is durable ([`Coordinator::record_durable`]).
///
/// Bounded: at most `CATALOGUE_PENDING_MAX` changes, at most `CATALOGUE_PENDING_MAX` requests waiting for each.
#[derive(Debug)]
pub struct Coordinator {
    ahead: OwnerState,
    durable: OwnerState,
    changes: BTreeMap<TopicId, Change>,
    failed: bool,
}

impl Coordinator {
    /// Goes on from what was recovered. Changes that were under way are due at once; [`Coordinator::resume`] or the
    /// first [`Coordinator::tick`] continues them.
    pub fn new(recovered: OwnerState) -> Self {
        let mut changes = BTreeMap::new();
        for topic in recovered.topics() {
            let direction = match topic.state {
                TopicState::Creating => Direction::Create,
                TopicState::Altering => Direction::Alter,
                TopicState::Deleting => Direction::Delete,
                TopicState::Live => continue,
            };
            let stage = Stage::Asking { unanswered: topic.wanted().owners(), resend_at: Monotonic(0) };
            changes.insert(topic.descriptor.id(), Change { direction, stage, waiters: Vec::new() });
        }
        Self { ahead: recovered.clone(), durable: recovered, changes, failed: false }
    }

    /// With all that was appended: for manifests.
    pub fn ahead(&self) -> &OwnerState {
        &self.ahead
    }

    /// With all that is durable: for metadata.
    pub fn durable(&self) -> &OwnerState {
        &self.durable
    }

    /// How many changes are under way.
    pub fn change_count(&self) -> usize {
        self.changes.len()
    }

    /// How many of them are deletions.
    pub fn deletion_count(&self) -> usize {
        self.changes.values().filter(|change| change.direction == Direction::Delete).count()
    }

    /// Continues what was under way before the restart.
    pub fn resume(&mut self, now: Monotonic) -> Vec<CatalogueAction> {
        self.tick(now)
    }

    /// A client asks for a topic. Who asks for one that is just being created, with as many partitions, the same settings
    /// and the same rule of keys, waits for it with the others.
    pub fn create(
        &mut self,
        request: RequestId,
        name: &str,
        partition_count: u32,
        settings: TopicSettings,
        keys: Option<KeyRule>,
        now: Monotonic,
    ) -> Vec<CatalogueAction> {
        if self.failed {
            return reply(request, CatalogueReply::Unavailable);
        }
        match self.ahead.plan_create(name, partition_count, settings, keys.clone()) {
            Ok(record) => self.begin(request, Direction::Create, record, now),
            Err(CreateError::NameTaken { topic, .. }) => {
                let is_same = |known: &TopicDescriptor| {
                    known.partition_count() == partition_count
                        && *known.settings() == settings
                        && known.keys() == keys.as_ref()
                };
                let same = self.ahead.topic(topic).is_some_and(|topic| is_same(&topic.descriptor));
                match self.changes.get_mut(&topic) {
                    Some(change) if change.direction == Direction::Create && same => join(change, request, now),
                    Some(change) if change.direction != Direction::Alter => {
                        reply(request, CatalogueReply::StillWorking)
                    }
                    Some(_) | None => reply(request, CatalogueReply::NameTaken { topic }),
                }
            }
            Err(CreateError::Name(error)) => reply(request, CatalogueReply::InvalidName(error)),
            Err(CreateError::PartitionCount { partition_count: asked }) => {
                let (least, most) = (1, TOPIC_PARTITION_COUNT_MAX);
                reply(request, CatalogueReply::InvalidPartitionCount { asked, least, most })
            }
            Err(CreateError::Setting(error)) => reply(request, CatalogueReply::InvalidSetting(error)),
            Err(CreateError::TooManyTopics) => reply(request, CatalogueReply::TooManyTopics),
        }
    }

    /// A client asks to alter a topic. What is as it is to be is answered at once; while another change of the topic is
    /// under way, the client asks again.
    pub fn alter(
        &mut self,
        request: RequestId,
        topic: TopicId,
        change: &TopicChange,
        now: Monotonic,
    ) -> Vec<CatalogueAction> {
        if self.failed {
            return reply(request, CatalogueReply::Unavailable);
        }
        if self.changes.contains_key(&topic) {
            return reply(request, CatalogueReply::StillWorking);
        }
        match self.ahead.plan_alter(topic, change) {
            Ok(Some(record)) => self.begin(request, Direction::Alter, record, now),
            // Without a change under way, what is appended of the topic is durable.
            Ok(None) => reply(request, CatalogueReply::Altered(self.descriptor(topic))),
            Err(AlterError::NotFound) => reply(request, CatalogueReply::NotFound(topic)),
            Err(AlterError::PartitionCount { asked, least, most }) => {
                reply(request, CatalogueReply::InvalidPartitionCount { asked, least, most })
            }
            Err(AlterError::PartitionsFixed { asked, count }) => {
                reply(request, CatalogueReply::PartitionsFixed { asked, count })
            }
            Err(AlterError::Setting(error)) => reply(request, CatalogueReply::InvalidSetting(error)),
            Err(AlterError::Exhausted) => reply(request, CatalogueReply::TooManyRevisions),
            Err(AlterError::UnderWay { state }) => unreachable!("topic {topic} is {state:?} and has no change"),
        }
    }

    /// A client asks to delete a topic. Who asks for one that is just being deleted waits for it with the others.
    pub fn delete(&mut self, request: RequestId, topic: TopicId, now: Monotonic) -> Vec<CatalogueAction> {
        if self.failed {
            return reply(request, CatalogueReply::Unavailable);
        }
        match self.changes.get_mut(&topic) {
            Some(Change { direction: Direction::Create | Direction::Alter, .. }) => {
                return reply(request, CatalogueReply::StillWorking);
            }
            Some(change) => return join(change, request, now),
            None => {}
        }
        match self.ahead.plan_delete(topic) {
            Ok(record) => self.begin(request, Direction::Delete, record, now),
            Err(DeleteError::Gone) => reply(request, CatalogueReply::Deleted(topic)),
            Err(DeleteError::NotFound) => reply(request, CatalogueReply::NotFound(topic)),
            Err(DeleteError::Creating | DeleteError::Altering | DeleteError::Deleting) => {
                unreachable!("topic {topic} is neither live nor gone and has no change")
            }
        }
    }

    fn begin(
        &mut self,
        request: RequestId,
        direction: Direction,
        record: CatalogueRecord,
        now: Monotonic,
    ) -> Vec<CatalogueAction> {
        if self.changes.len() >= CATALOGUE_PENDING_MAX {
            return reply(request, CatalogueReply::Busy);
        }
        let mut change = Change { direction, stage: Stage::Beginning, waiters: Vec::new() };
        let joined = change.join(request, now);
        assert!(joined, "a new change has room for its own request");
        let before = self.changes.insert(record.topic(), change);
        assert!(before.is_none(), "topic {} has a change already", record.topic());
        vec![self.append(record)]
    }

    fn append(&mut self, record: CatalogueRecord) -> CatalogueAction {
        self.ahead.apply(&record).expect("planned against what was appended before");
        CatalogueAction::Append(record)
    }

    /// A record that was appended is durable.
    ///
    /// # Panics
    /// If the record was not appended, or an earlier one was not reported.
    pub fn record_durable(&mut self, record: &CatalogueRecord, now: Monotonic) -> Vec<CatalogueAction> {
        let previous = self.durable.live_version();
        self.durable.apply(record).expect("records become durable in the order in which they were appended");
        let version = self.durable.version();
        let topic = record.topic();
        match record {
            CatalogueRecord::Creating(_) | CatalogueRecord::Altering(_) => self.ask_owners(topic, now),
            CatalogueRecord::Live(_) => {
                let descriptor = self.descriptor(topic);
                let publish = CatalogueMessage::Publish { version, previous, descriptor: descriptor.clone() };
                let is_new = self.changes.get(&topic).is_some_and(|change| change.direction == Direction::Create);
                let answer = if is_new { CatalogueReply::Created } else { CatalogueReply::Altered };
                let mut actions = self.finish(topic, &answer(descriptor));
                actions.extend(self.send_others(&publish));
                actions
            }
            CatalogueRecord::Deleting(_) => {
                let mut actions = self.ask_owners(topic, now);
                actions.extend(self.send_others(&CatalogueMessage::Retract { version, previous, topic }));
                actions
            }
            CatalogueRecord::Deleted(_) => self.finish(topic, &CatalogueReply::Deleted(topic)),
        }
    }

    fn ask_owners(&mut self, topic: TopicId, now: Monotonic) -> Vec<CatalogueAction> {
        let unanswered = self.wanted(topic).owners();
        let change = self.changes.get_mut(&topic).expect("a topic that is neither at rest nor gone has a change");
        assert!(matches!(change.stage, Stage::Beginning), "owners are asked once the first record is durable");
        change.stage = Stage::Asking { unanswered, resend_at: now };
        self.ask_due(topic, now)
    }

    fn finish(&mut self, topic: TopicId, answer: &CatalogueReply) -> Vec<CatalogueAction> {
        let change = self.changes.remove(&topic).expect("a last record has a change");
        assert!(matches!(change.stage, Stage::Ending), "the last record follows the answers of all owners");
        change.reply_all(answer)
    }

    /// What owners are asked for: all that have partitions or are to have some, as none ever leave.
    fn wanted(&self, topic: TopicId) -> &TopicDescriptor {
        self.durable.topic(topic).expect("owners are asked about durable topics").wanted()
    }

    fn descriptor(&self, topic: TopicId) -> TopicDescriptor {
        self.durable.topic(topic).expect("a topic whose record is durable and not the last").descriptor.clone()
    }

    fn send_others(&self, message: &CatalogueMessage) -> Vec<CatalogueAction> {
        let others = (COORDINATOR.0 + 1..self.durable.shard_count()).map(ShardId);
        others.map(|to| CatalogueAction::Send { to, message: message.clone() }).collect()
    }

    /// A message from a shard. Those that are not for shard 0's table are ignored.
    pub fn message(&mut self, from: ShardId, message: &CatalogueMessage) -> Vec<CatalogueAction> {
        match message {
            CatalogueMessage::Opened { topic, revision } => self.opened(*topic, from, *revision),
            CatalogueMessage::Closed { topic } => self.answered(*topic, from, &[Direction::Delete]),
            CatalogueMessage::CopyRequest { have, cursor } => self.copy(from, *have, *cursor),
            CatalogueMessage::Open { .. }
            | CatalogueMessage::Close { .. }
            | CatalogueMessage::Publish { .. }
            | CatalogueMessage::Retract { .. }
            | CatalogueMessage::CopyPart { .. } => Vec::new(),
        }
    }

    /// An answer about an older description than the one that was asked for came too late.
    fn opened(&mut self, topic: TopicId, from: ShardId, revision: u32) -> Vec<CatalogueAction> {
        let is_asked_for = self.durable.topic(topic).is_some_and(|topic| topic.wanted().revision() == revision);
        if is_asked_for { self.answered(topic, from, &[Direction::Create, Direction::Alter]) } else { Vec::new() }
    }

    fn answered(&mut self, topic: TopicId, from: ShardId, directions: &[Direction]) -> Vec<CatalogueAction> {
        if self.failed {
            return Vec::new();
        }
        let Some(change) = self.changes.get_mut(&topic).filter(|change| directions.contains(&change.direction)) else {
            return Vec::new();
        };
        let Stage::Asking { unanswered, .. } = &mut change.stage else { return Vec::new() };
        if !unanswered.remove(&from) || !unanswered.is_empty() {
            return Vec::new();
        }
        change.stage = Stage::Ending;
        let record = match change.direction {
            Direction::Create | Direction::Alter => CatalogueRecord::Live(topic),
            Direction::Delete => CatalogueRecord::Deleted(topic),
        };
        vec![self.append(record)]
    }

    /// The next topics of a copy. Keeps nothing: whoever receives says where to go on.
    fn copy(&self, to: ShardId, have: Option<u64>, cursor: CopyCursor) -> Vec<CatalogueAction> {
        let version = self.durable.live_version();
        if have == Some(version) {
            return Vec::new();
        }
        let from = if cursor.version == version { cursor.from } else { TopicId(0) };
        let mut cursor = CopyCursor { version, from };
        let mut live = self.durable.live_topics(from);
        let mut actions = Vec::new();
        while actions.len() < CATALOGUE_COPY_PARTS_MAX {
            let descriptor = live.next().cloned();
            let next = descriptor.as_ref().map(|descriptor| TopicId(descriptor.id().0 + 1));
            let ask_again = descriptor.is_some() && actions.len() + 1 == CATALOGUE_COPY_PARTS_MAX;
            let message = CatalogueMessage::CopyPart { cursor, descriptor, ask_again };
            actions.push(CatalogueAction::Send { to, message });
            match next {
                Some(next) => cursor.from = next,
                None => break,
            }
        }
        actions
    }

    /// Repeats what was not answered in time, and lets go of clients that waited long enough.
    pub fn tick(&mut self, now: Monotonic) -> Vec<CatalogueAction> {
        if self.failed {
            return Vec::new();
        }
        let topics = self.changes.keys().copied().collect::<Vec<_>>();
        let mut actions = Vec::new();
        for topic in topics {
            actions.extend(self.ask_due(topic, now));
            let change = self.changes.get_mut(&topic).expect("asking ends no change");
            actions.extend(change.reply_late(now));
        }
        actions
    }

    /// When [`Coordinator::tick`] has something to do next, if ever.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        if self.failed { None } else { self.changes.values().filter_map(Change::next_deadline).min() }
    }

    fn ask_due(&mut self, topic: TopicId, now: Monotonic) -> Vec<CatalogueAction> {
        let change = self.changes.get_mut(&topic).expect("asked for a change that exists");
        let Stage::Asking { unanswered, resend_at } = &mut change.stage else { return Vec::new() };
        if now < *resend_at {
            return Vec::new();
        }
        *resend_at = now.plus_ns(CATALOGUE_RESEND_NS);
        let version = self.durable.version();
        let durable = self.durable.topic(topic).expect("owners are asked about durable topics");
        let message = match change.direction {
            Direction::Create | Direction::Alter => {
                CatalogueMessage::Open { version, descriptor: durable.wanted().clone() }
            }
            Direction::Delete => CatalogueMessage::Close { version, topic },
        };
        unanswered.iter().map(|to| CatalogueAction::Send { to: *to, message: message.clone() }).collect()
    }

    /// Shard 0 is poisoned: nobody will learn here how a change ends. From now on every request is refused; copies of
    /// what is durable are still sent.
    pub fn fail_all(&mut self) -> Vec<CatalogueAction> {
        self.failed = true;
        let changes = std::mem::take(&mut self.changes);
        changes.into_values().flat_map(|change| change.reply_all(&CatalogueReply::OutcomeUnknown)).collect()
    }
}

fn reply(request: RequestId, reply: CatalogueReply) -> Vec<CatalogueAction> {
    vec![CatalogueAction::Reply { request, reply }]
}

fn join(change: &mut Change, request: RequestId, now: Monotonic) -> Vec<CatalogueAction> {
    if change.join(request, now) { Vec::new() } else { reply(request, CatalogueReply::Busy) }
}
