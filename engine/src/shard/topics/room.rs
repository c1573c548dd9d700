//! Whether there is room for a change of the catalogue: in the journal, beside what deletions need, and in a manifest.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalogue::{CatalogueMessage, CatalogueRecord, Coordinator, OwnerState, TopicDescriptor};
use crate::format::block::block_bytes;
use crate::format::control::topic::REVISION_FIRST;
use crate::format::layout::Geometry;
use crate::limits::{TOPIC_MANIFEST_SHARE, UNIT_BYTES};
use crate::model::{FileIndex, TopicId};
use crate::partition::Partition;
use crate::shard::{Record, Refusal, Shard};

impl Shard {
    /// Why a creation or an alteration that the table would take cannot begin.
    pub(super) fn begin_refusal(&self, table: &OwnerState, record: &CatalogueRecord) -> Option<Refusal> {
        let (CatalogueRecord::Creating(descriptor) | CatalogueRecord::Altering(descriptor)) = record else {
            return None;
        };
        if self.journal.is_stopped() {
            None
        } else if !has_room_in_manifest(table, self.geometry(), record) {
            Some(Refusal::CatalogueFull)
        } else if self.has_room_beside_reserve(change_bytes(descriptor)) {
            None
        } else {
            Some(Refusal::JournalFull(self.id))
        }
    }

    /// Whether shard 0 can take the record that may follow from an owner's answer.
    pub(super) fn has_room_to_end_change(&self, message: &CatalogueMessage) -> bool {
        match message {
            CatalogueMessage::Opened { revision, .. } => self.has_room_to_go_on(UNIT_BYTES, *revision),
            CatalogueMessage::Closed { .. } => self.has_room(UNIT_BYTES),
            _ => true,
        }
    }

    /// Whether an owner can take the record that a message of shard 0 asks for.
    pub(super) fn has_room_as_owner(&self, message: &CatalogueMessage) -> bool {
        match message {
            CatalogueMessage::Open { descriptor, .. } if self.owned.is_news(descriptor) => {
                self.has_room_to_go_on(change_bytes(descriptor), descriptor.revision())
            }
            CatalogueMessage::Close { topic, .. } if self.owned.ahead().topic(*topic).is_some() => {
                self.has_room_to_close(*topic)
            }
            _ => true,
        }
    }

    /// Whether a change that began can take so many bytes more. A topic cannot be deleted while it is altered, and may
    /// hold what fills the journal: so alterations may use what of the reserve deletions can do without.
    fn has_room_to_go_on(&self, bytes: usize, revision: u32) -> bool {
        const DELETIONS_BYTES: u64 = 8 * UNIT_BYTES as u64;
        if revision == REVISION_FIRST {
            return self.has_room_beside_reserve(bytes);
        }
        let reserve_bytes = self.geometry().reserve_bytes();
        let left_bytes = reserve_bytes.min((reserve_bytes / 2).max(DELETIONS_BYTES));
        !self.journal.is_stopped() && self.journal.ring().has_room_leaving(bytes, left_bytes)
    }

    /// Whether the records of another deletion can be taken, beside what deletions under way still need. Creations take
    /// nothing of the reserve, so one that waits for room keeps no deletion waiting. One that frees no file leaves room
    /// for one that does: otherwise the deletions of a few small topics would use up the reserve, and on a full journal
    /// nothing could be deleted ever again.
    pub(super) fn has_room_for_deletion(&self, coordinator: &Coordinator, topic: TopicId) -> bool {
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
}

/// Bytes of the records of a creation or an alteration, if shard 0 owns partitions of the topic.
fn change_bytes(descriptor: &TopicDescriptor) -> usize {
    let record = Record::Catalogue(CatalogueRecord::Creating(descriptor.clone()));
    2 * block_bytes(record.entry().encoded_bytes()) + UNIT_BYTES
}

/// Whether the table of shard 0, and what an owner of every partition keeps, fill no more than their part of a manifest
/// once this record is taken. The rest belongs to producers, and to runs and segment files.
fn has_room_in_manifest(table: &OwnerState, geometry: Geometry, record: &CatalogueRecord) -> bool {
    const PARTITION_BYTES: usize = Partition::ENCODED_BYTES + size_of::<u32>();
    let mut table = table.clone();
    table.apply(record).expect("it was planned against this table");
    let mut encoded = Vec::new();
    table.encode(&mut encoded);
    let partition_count: usize = table.topics().map(|topic| topic.wanted().partition_count() as usize).sum();
    let needed_bytes = UNIT_BYTES + 2 * encoded.len() + partition_count * PARTITION_BYTES;
    needed_bytes as u64 <= geometry.manifest_bytes / TOPIC_MANIFEST_SHARE
}
