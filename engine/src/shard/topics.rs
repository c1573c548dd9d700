//! The shard's part in the catalogue: shard 0 coordinates, owners open and close, everybody holds copies.

use std::collections::{BTreeMap, BTreeSet};

use super::request::{Effect, Reply};
use super::{Record, Refusal, Shard};
use crate::catalogue::{
    CatalogueAction, CatalogueMessage, CatalogueRecord, CatalogueReply, Coordinator, OwnedAction, OwnedRecord,
    OwnerState, TopicDescriptor,
};
use crate::format::block::block_bytes;
use crate::format::control::{Control, Entry};
use crate::format::layout::Geometry;
use crate::journal::append::Purpose;
use crate::limits::{TOPIC_PARTITION_COUNT_MAX, UNIT_BYTES};
use crate::model::{FileIndex, Now, RequestId, ShardId, TopicId};
use crate::partition::Partition;

impl Shard {
    /// Creates a topic, on shard 0.
    pub(super) fn create_topic(&mut self, id: RequestId, name: &str, partition_count: u32, now: Now) {
        let Some(mut coordinator) = self.coordinator.take() else {
            return self.refuse(id, Refusal::NotCoordinator);
        };
        let refusal = match coordinator.ahead().plan_create(name, partition_count) {
            Ok(record) if !self.journal.is_stopped() => self.create_refusal(coordinator.ahead(), &record),
            Ok(_) | Err(_) => None,
        };
        let actions = match refusal {
            Some(_) => Vec::new(),
            None => coordinator.create(id, name, partition_count, now.monotonic),
        };
        self.coordinator = Some(coordinator);
        match refusal {
            Some(refusal) => self.refuse(id, refusal),
            None => self.carry_out(actions),
        }
    }

    /// Why a topic that the table would take cannot be created.
    fn create_refusal(&self, table: &OwnerState, record: &CatalogueRecord) -> Option<Refusal> {
        let CatalogueRecord::Creating(descriptor) = record else { return None };
        if !has_room_for_topic(table, self.geometry(), descriptor) {
            Some(Refusal::CatalogueFull)
        } else if self.has_room_for_creation(descriptor) {
            None
        } else {
            Some(Refusal::JournalFull(self.id))
        }
    }

    /// Deletes a topic, on shard 0.
    pub(super) fn delete_topic(&mut self, id: RequestId, topic: TopicId, now: Now) {
        let Some(mut coordinator) = self.coordinator.take() else {
            return self.refuse(id, Refusal::NotCoordinator);
        };
        if !self.journal.is_stopped() && !self.has_room_for_deletion(&coordinator, topic) {
            self.coordinator = Some(coordinator);
            return self.refuse(id, Refusal::JournalFull(self.id));
        }
        self.deleting.insert(id, topic);
        let actions = coordinator.delete(id, topic, now.monotonic);
        self.coordinator = Some(coordinator);
        self.carry_out(actions);
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

    /// A topic as far as this shard knows.
    pub(super) fn topic(&self, topic: TopicId) -> Option<&TopicDescriptor> {
        let own = self.owned.durable().topic(topic).or_else(|| self.copies.topic(topic));
        let table = self.coordinator.as_ref().and_then(|coordinator| coordinator.durable().topic(topic));
        own.or_else(|| table.map(|topic| &topic.descriptor))
    }

    /// Takes a message from a shard.
    pub(super) fn message(&mut self, from: ShardId, message: &CatalogueMessage, now: Now) {
        if let CatalogueMessage::Open { .. } | CatalogueMessage::Close { .. } = message {
            return self.owner_message(message);
        }
        let has_room = match message {
            CatalogueMessage::Opened { .. } => self.has_room_beside_reserve(UNIT_BYTES),
            CatalogueMessage::Closed { .. } => self.has_room(UNIT_BYTES),
            _ => true,
        };
        if !has_room {
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
            self.effects.push(Effect::Send { to: crate::catalogue::COORDINATOR, message });
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
                CatalogueAction::Send { to, message } => self.effects.push(Effect::Send { to, message }),
                CatalogueAction::Reply { request, reply } => {
                    let topic = self.deleting.remove(&request);
                    let reply = self.catalogue_reply(reply, topic);
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
        let closed: Vec<_> = self.partitions.keys().copied().filter(|id| id.topic == topic).collect();
        for id in closed {
            let state = self.partitions.remove(&id).expect("it was just listed");
            self.producer_count -= state.producers().len();
            self.held_bytes -= state.held_bytes();
            state.runs().for_each(|run| self.segments.table.drop_run(run.segment));
            self.cold.forget_partition(id);
            self.wake_polls(id);
        }
    }

    fn owner_message(&mut self, message: &CatalogueMessage) {
        let ahead = self.owned.ahead();
        let has_room = match message {
            CatalogueMessage::Open { descriptor, .. } if ahead.topic(descriptor.id()).is_none() => {
                self.has_room_for_creation(descriptor)
            }
            CatalogueMessage::Close { topic, .. } if ahead.topic(*topic).is_some() => self.has_room_to_close(*topic),
            _ => true,
        };
        if !has_room {
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
                        self.partitions.insert(id, Partition::new(id));
                    }
                }
                self.append_record(Record::Owned(record));
            }
            OwnedAction::Answer(message) => {
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

    /// Whether the records of a creation can be taken and leave the reserve to deletions.
    fn has_room_for_creation(&self, topic: &TopicDescriptor) -> bool {
        let record = Record::Catalogue(CatalogueRecord::Creating(topic.clone()));
        let described_bytes = block_bytes(record.entry().encoded_bytes());
        self.has_room_beside_reserve(2 * described_bytes + UNIT_BYTES)
    }

    /// Whether the records of another deletion can be taken, beside what deletions under way still need. Creations take
    /// nothing of the reserve, so one that waits for room keeps no deletion waiting. One that frees no file leaves room
    /// for one that does: otherwise the deletions of a few small topics would use up the reserve, and on a full journal
    /// nothing could be deleted ever again.
    fn has_room_for_deletion(&self, coordinator: &Coordinator, topic: TopicId) -> bool {
        const RECORDS: usize = 3;
        const RECORDS_LEFT: usize = 2;
        let needed = |deletion_count: usize| RECORDS + RECORDS_LEFT * deletion_count;
        let count = coordinator.deletion_count();
        self.has_room((needed(count + 1) + RECORDS_LEFT) * UNIT_BYTES)
            || self.has_room(needed(count) * UNIT_BYTES) && self.may_use_last_room(topic)
    }

    /// Whether an owner can note that a topic is closed. Shard 0 has seen to that when it admitted the deletion.
    fn has_room_to_close(&self, topic: TopicId) -> bool {
        self.has_room(2 * UNIT_BYTES)
            || self.has_room(UNIT_BYTES) && (self.coordinator.is_some() || self.may_use_last_room(topic))
    }

    /// Whether the deletion of this topic alone frees a file, or that of no topic does.
    fn may_use_last_room(&self, topic: TopicId) -> bool {
        let mut topics_by_file: BTreeMap<FileIndex, BTreeSet<TopicId>> = BTreeMap::new();
        for (id, partition) in &self.partitions {
            for file in partition.ring_files() {
                topics_by_file.entry(*file).or_default().insert(id.topic);
            }
        }
        let sealed = self.journal.ring().sealed_files().filter_map(|file| topics_by_file.get(&file));
        let mut alone = sealed.filter(|topics| topics.len() == 1).flatten().peekable();
        alone.peek().is_none() || alone.any(|other| *other == topic)
    }

    fn has_room(&self, bytes: usize) -> bool {
        !self.journal.is_stopped() && self.journal.ring().has_room(bytes)
    }

    fn has_room_beside_reserve(&self, bytes: usize) -> bool {
        !self.journal.is_stopped() && self.journal.ring().has_room_for_capture(bytes)
    }

    fn catalogue_reply(&self, reply: CatalogueReply, topic: Option<TopicId>) -> Reply {
        let topic = topic.unwrap_or_default();
        Reply::Refused(match reply {
            CatalogueReply::Created(descriptor) => return Reply::TopicCreated(descriptor),
            CatalogueReply::Deleted(topic) => return Reply::TopicDeleted(topic),
            CatalogueReply::NameTaken { topic } => Refusal::NameTaken(topic),
            CatalogueReply::InvalidName(error) => Refusal::TopicName(error),
            CatalogueReply::InvalidPartitionCount { partition_count } => {
                Refusal::PartitionCount { asked: partition_count, max: TOPIC_PARTITION_COUNT_MAX }
            }
            CatalogueReply::TooManyTopics => Refusal::CatalogueFull,
            CatalogueReply::NotFound => Refusal::UnknownTopic(topic),
            CatalogueReply::Busy => Refusal::Busy(self.id),
            CatalogueReply::StillWorking => Refusal::StillWorking,
            CatalogueReply::OutcomeUnknown => Refusal::OutcomeUnknown(self.id),
            CatalogueReply::Unavailable => Refusal::ShardUnavailable(self.id),
        })
    }
}

/// Whether the table of shard 0, and what an owner of every partition keeps, fill at most half a manifest with one
/// more topic. The other half belongs to producers.
fn has_room_for_topic(table: &OwnerState, geometry: Geometry, topic: &TopicDescriptor) -> bool {
    const TOPIC_BYTES: usize = size_of::<u64>() + size_of::<u8>();
    const PARTITION_BYTES: usize = Partition::ENCODED_BYTES + size_of::<u32>();
    let mut encoded = Vec::new();
    table.encode(&mut encoded);
    let known_count: usize = table.topics().map(|topic| topic.descriptor.partition_count() as usize).sum();
    let partition_count = known_count + topic.partition_count() as usize;
    let catalogue_bytes = encoded.len() + TOPIC_BYTES + topic.encoded_bytes();
    let needed_bytes = UNIT_BYTES + 2 * catalogue_bytes + partition_count * PARTITION_BYTES;
    needed_bytes as u64 <= geometry.manifest_bytes / 2
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
