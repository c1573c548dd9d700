//! The shard's part in the catalogue: shard 0 coordinates, owners open and close, everybody holds copies.

use super::request::{Effect, Reply};
use super::{Record, Refusal, Shard};
use crate::catalogue::{
    CatalogueAction, CatalogueMessage, CatalogueRecord, CatalogueReply, Coordinator, OwnedAction, OwnedRecord,
    TopicChange, TopicDescriptor, TopicSettings,
};
use crate::format::control::{Control, Entry, KeyRule};
use crate::journal::append::Purpose;
use crate::model::{Now, RequestId, ShardId, TopicId};
use crate::partition::Partition;

mod room;

impl Shard {
    /// Creates a topic, on shard 0.
    pub(super) fn create_topic(
        &mut self,
        id: RequestId,
        (name, partition_count, settings, keys): (&str, u32, TopicSettings, Option<KeyRule>),
        now: Now,
    ) {
        self.change_topic(id, |shard, coordinator| {
            let planned = coordinator.ahead().plan_create(name, partition_count, settings, keys.clone()).ok();
            match planned.and_then(|record| shard.begin_refusal(coordinator.ahead(), &record)) {
                Some(refusal) => Err(refusal),
                None => Ok(coordinator.create(id, name, partition_count, settings, keys, now.monotonic)),
            }
        });
    }

    /// Alters a topic, on shard 0.
    pub(super) fn alter_topic(&mut self, id: RequestId, topic: TopicId, change: &TopicChange, now: Now) {
        self.change_topic(id, |shard, coordinator| {
            let planned = coordinator.ahead().plan_alter(topic, change).ok().flatten();
            match planned.and_then(|record| shard.begin_refusal(coordinator.ahead(), &record)) {
                Some(refusal) => Err(refusal),
                None => Ok(coordinator.alter(id, topic, change, now.monotonic)),
            }
        });
    }

    /// Deletes a topic, on shard 0.
    pub(super) fn delete_topic(&mut self, id: RequestId, topic: TopicId, now: Now) {
        self.change_topic(id, |shard, coordinator| {
            if !shard.journal.is_stopped() && !shard.has_room_for_deletion(coordinator, topic) {
                return Err(Refusal::JournalFull(shard.id));
            }
            Ok(coordinator.delete(id, topic, now.monotonic))
        });
    }

    /// Lets the coordinator decide, if there is one here and there is room for what it begins.
    fn change_topic(
        &mut self,
        id: RequestId,
        decide: impl FnOnce(&Self, &mut Coordinator) -> Result<Vec<CatalogueAction>, Refusal>,
    ) {
        let Some(mut coordinator) = self.coordinator.take() else {
            return self.refuse(id, Refusal::NotCoordinator);
        };
        let decided = decide(self, &mut coordinator);
        self.coordinator = Some(coordinator);
        match decided {
            Ok(actions) => self.carry_out(actions),
            Err(refusal) => self.refuse(id, refusal),
        }
    }

    /// Lists the live topics.
    pub(super) fn metadata(&mut self, id: RequestId) {
        let reply = match &self.coordinator {
            Some(coordinator) => {
                let live = coordinator.durable().live_topics(TopicId(0));
                Reply::Topics { complete: true, topics: live.cloned().collect() }
            }
            None if self.copies.version().is_some() => {
                Reply::Topics { complete: true, topics: self.copies.topics().cloned().collect() }
            }
            None => Reply::Topics { complete: false, topics: self.owned.durable().topics().cloned().collect() },
        };
        self.answer(id, reply);
    }

    /// A topic as far as this shard knows: by the description in force, if it knows that.
    pub(super) fn topic(&self, topic: TopicId) -> Option<&TopicDescriptor> {
        self.descriptions(topic).next()
    }

    /// The newest description of a topic that this shard knows. It may not be in force yet, and says best where a
    /// partition is.
    pub(super) fn newest_topic(&self, topic: TopicId) -> Option<&TopicDescriptor> {
        self.descriptions(topic).max_by_key(|descriptor| descriptor.revision())
    }

    fn descriptions(&self, topic: TopicId) -> impl Iterator<Item = &TopicDescriptor> {
        let table = self.coordinator.as_ref().and_then(|coordinator| coordinator.durable().topic(topic));
        let in_force = table.map(|topic| &topic.descriptor);
        [in_force, self.copies.topic(topic), self.owned.durable().topic(topic)].into_iter().flatten()
    }

    /// Takes a message from a shard.
    pub(super) fn message(&mut self, from: ShardId, message: &CatalogueMessage, now: Now) {
        if let CatalogueMessage::Open { .. } | CatalogueMessage::Close { .. } = message {
            return self.owner_message(message);
        }
        if !self.has_room_to_end_change(message) {
            return;
        }
        self.copies.message(message, now.monotonic);
        if let Some(mut coordinator) = self.coordinator.take() {
            let actions = coordinator.message(from, message);
            self.coordinator = Some(coordinator);
            self.carry_out(actions);
        }
    }

    /// Asks and repeats what is due.
    pub(super) fn tick_catalogue(&mut self, now: Now) {
        if let Some(mut coordinator) = self.coordinator.take() {
            let actions = coordinator.tick(now.monotonic);
            self.coordinator = Some(coordinator);
            self.carry_out(actions);
        } else if let Some(message) = self.copies.tick(now.monotonic) {
            self.effects.push(Effect::Send { to: crate::catalogue::COORDINATOR, message: message.into() });
        }
    }

    /// Nobody will learn here how a change ends: whoever waits for one is told so.
    pub(super) fn end_catalogue_changes(&mut self) {
        if let Some(mut coordinator) = self.coordinator.take() {
            let actions = coordinator.fail_all();
            self.coordinator = Some(coordinator);
            self.carry_out(actions);
        }
    }

    /// Carries out what the coordinator decided. Room for an append was checked before it was asked.
    pub(super) fn carry_out(&mut self, actions: Vec<CatalogueAction>) {
        for action in actions {
            match action {
                CatalogueAction::Append(record) => self.append_record(Record::Catalogue(record)),
                CatalogueAction::Send { to, message } => {
                    self.effects.push(Effect::Send { to, message: message.into() })
                }
                CatalogueAction::Reply { request, reply } => {
                    let reply = self.catalogue_reply(reply);
                    self.answer(request, reply);
                }
            }
        }
    }

    /// The data of a topic whose closing is durable is dropped.
    pub(super) fn drop_closed_partitions(&mut self, topic: TopicId) {
        if self.owned.ahead().topic(topic).is_some() {
            return;
        }
        self.needed.forget();
        let closed: Vec<_> = self.partitions.keys().copied().filter(|id| id.topic == topic).collect();
        for id in closed {
            let state = self.partitions.remove(&id).expect("it was just listed");
            self.producer_count -= state.producers().len();
            self.transactions.forget_open(state.transactions().len());
            self.held_bytes -= state.held_bytes();
            state.segments().for_each(|segment| self.segments.table.drop_run(segment));
            self.keyed.forget_partition(&state);
            self.cold.forget_partition(id);
            self.wake_polls(id);
        }
    }

    fn owner_message(&mut self, message: &CatalogueMessage) {
        if !self.has_room_as_owner(message) {
            return;
        }
        let action = match message {
            CatalogueMessage::Open { version, descriptor } => self.owned.on_open(*version, descriptor),
            CatalogueMessage::Close { version, topic } => self.owned.on_close(*version, *topic),
            _ => unreachable!("only Open and Close are for owners"),
        };
        match action {
            OwnedAction::Append(record) => {
                if let OwnedRecord::Opened(descriptor) = &record {
                    for id in descriptor.partitions_on(self.id) {
                        let hasher = &self.key_hasher;
                        self.partitions.entry(id).or_insert_with(|| Partition::of(descriptor, id, hasher));
                    }
                }
                self.append_record(Record::Owned(record));
            }
            OwnedAction::Answer(message) => {
                let message = message.into();
                self.effects.push(Effect::Send { to: crate::catalogue::COORDINATOR, message });
            }
            OwnedAction::Wait | OwnedAction::Refuse(_) => {}
        }
    }

    fn append_record(&mut self, record: Record) {
        let appended = self.journal.append(record.entry(), Purpose::Control);
        let appended = appended.expect("room for a record was checked before it was decided on");
        self.records.push_back((appended.sequence, record));
    }

    fn catalogue_reply(&self, reply: CatalogueReply) -> Reply {
        Reply::Refused(match reply {
            CatalogueReply::Created(descriptor) => return Reply::TopicCreated(descriptor),
            CatalogueReply::Altered(descriptor) => return Reply::TopicAltered(descriptor),
            CatalogueReply::Deleted(topic) => return Reply::TopicDeleted(topic),
            CatalogueReply::NameTaken { topic } => Refusal::NameTaken(topic),
            CatalogueReply::InvalidName(error) => Refusal::TopicName(error),
            CatalogueReply::InvalidPartitionCount { asked, least, most } => {
                Refusal::PartitionCount { asked, least, most }
            }
            CatalogueReply::PartitionsFixed { asked, count } => Refusal::PartitionsFixed { asked, count },
            CatalogueReply::InvalidSetting(error) => Refusal::TopicSetting(error),
            CatalogueReply::TooManyTopics | CatalogueReply::TooManyRevisions => Refusal::CatalogueFull,
            CatalogueReply::NotFound(topic) => Refusal::UnknownTopic(topic),
            CatalogueReply::Busy => Refusal::Busy(self.id),
            CatalogueReply::StillWorking => Refusal::StillWorking,
            CatalogueReply::OutcomeUnknown => Refusal::OutcomeUnknown(self.id),
            CatalogueReply::Unavailable => Refusal::ShardUnavailable(self.id),
        })
    }
}

impl Record {
    /// The journal entry that carries the record.
    fn entry(&self) -> Entry {
        Entry::Control(match self {
            Self::Catalogue(record) => Control::from(record),
            Self::Owned(record) => Control::from(record),
        })
    }

    /// The record in a control entry, if it is one of the catalogue's.
    pub(super) fn from_control(control: &Control) -> Option<Self> {
        CatalogueRecord::from_control(control)
            .map(Self::Catalogue)
            .or_else(|| OwnedRecord::from_control(control).map(Self::Owned))
    }
}
