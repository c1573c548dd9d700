//! The entries of a journal block, each as one line or one JSON object.

use bytes::Bytes;
use florin_engine::format::batch::{self, ProducerStamp};
use florin_engine::format::control::{
    Control, Entry, EntryKind, EntryWalk, OffsetRecord, Participant, TransactionRecord,
};
use florin_engine::model::{PartitionId, Realtime, TopicId};
use serde::Serialize;

use super::batch::BatchView;
use super::records::Records;
use crate::time::rfc3339;
use crate::topic_settings;

/// One entry; what its kind does not have is left out.
#[derive(Debug, Default, Serialize)]
pub(super) struct EntryView {
    /// Its first byte in the block's payload.
    payload_position: usize,
    /// What it is.
    kind: &'static str,
    /// Its bytes, header and padding included.
    entry_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partition: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<BatchView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// Every entry of a payload. What cannot be read ends the list, with the problem.
pub(super) fn views(payload: &Bytes, entry_count: u32, with_records: bool) -> Vec<EntryView> {
    let mut views = Vec::new();
    let mut position = 0;
    for entry in EntryWalk::new(payload.clone(), entry_count) {
        let view = match &entry {
            Ok(entry) => EntryView::of(entry, with_records),
            Err(error) => EntryView { kind: "unreadable", problem: Some(error.to_string()), ..EntryView::default() },
        };
        views.push(EntryView { payload_position: position, ..view });
        position += entry.as_ref().map_or(0, Entry::encoded_bytes);
    }
    views
}

impl EntryView {
    fn of(entry: &Entry, with_records: bool) -> Self {
        let kind = kind_word(entry.kind());
        let view = Self { kind, entry_bytes: entry.encoded_bytes(), ..Self::default() };
        match entry {
            Entry::Batch { partition, append_time, batch, .. } => {
                let problem = batch::validate_stored(batch).err().map(|error| error.to_string());
                let records = || Records::of(*partition, *append_time, batch);
                let records = (with_records && problem.is_none()).then(records).flatten();
                let batch = Some(BatchView::of(batch, records));
                Self { batch, problem, ..view }.of_partition(*partition).at(*append_time)
            }
            Entry::Control(control) => view.of_control(control),
        }
    }

    fn of_control(self, control: &Control) -> Self {
        match control {
            Control::EpochStart { epoch, last_sequence, boot_time, .. } => {
                self.saying(format!("epoch {epoch} begins behind block {last_sequence}")).at(*boot_time)
            }
            Control::TopicCreating(descriptor)
            | Control::PartitionsOpened(descriptor)
            | Control::TopicAltering(descriptor) => {
                let shards: Vec<String> = descriptor.placement().iter().map(ToString::to_string).collect();
                let (name, revision) = (descriptor.name(), descriptor.revision());
                let settings = topic_settings::in_words(descriptor.settings());
                let described = format!("{name} revision {revision} on shards {}; {settings}", shards.join(","));
                self.saying(described).of_topic(descriptor.id())
            }
            Control::TopicLive(topic) | Control::TopicDeleting(topic) | Control::TopicDeleted(topic) => {
                self.of_topic(*topic)
            }
            Control::PartitionsClosed { topic, version } => {
                self.saying(format!("at catalogue version {version}")).of_topic(*topic)
            }
            Control::ProducerIdsReserved { up_to } => self.saying(format!("below {up_to}")),
            Control::ProducerExpired { partition, producer, epoch } => {
                self.saying(format!("producer {producer} of epoch {epoch}")).of_partition(*partition)
            }
            Control::ClockConfirmed { realtime } => self.at(*realtime),
            Control::BatchKnown { partition, append_time, stamp, .. } => {
                let ProducerStamp { id, epoch, base_sequence, last_sequence } = stamp;
                let said = format!("producer {id} of epoch {epoch}, sequences {base_sequence} to {last_sequence}");
                self.saying(said).of_partition(*partition).at(*append_time)
            }
            Control::Transaction(record) => self.of_transaction(record),
            Control::Offsets(record) => self.of_offsets(record),
        }
    }

    fn of_transaction(self, record: &TransactionRecord) -> Self {
        match record {
            TransactionRecord::Opened { name, next, timeout_ms, time } => {
                self.saying(format!("{name:?} goes on with {next}, {timeout_ms} ms each")).at(*time)
            }
            TransactionRecord::Joined { transaction, participant, shard, time } => {
                self.saying(format!("{transaction} writes to {} on shard {shard}", name_of(participant))).at(*time)
            }
            TransactionRecord::Decided { transaction, outcome, next, time } => {
                self.saying(format!("{transaction} {}, {next} is next", outcome.name())).at(*time)
            }
            TransactionRecord::Settled { transaction } => self.saying(transaction.to_string()),
            TransactionRecord::Forgotten { producer } => self.saying(format!("that of producer {producer}")),
        }
    }

    fn of_offsets(self, record: &OffsetRecord) -> Self {
        match record {
            OffsetRecord::Committed { group, transaction, offsets, time } => {
                let offsets: Vec<String> =
                    offsets.iter().map(|offset| format!("{} at {}", offset.partition, offset.offset)).collect();
                let within = transaction.map_or_else(String::new, |transaction| format!(" in {transaction}"));
                self.saying(format!("{group:?}{within}: {}", offsets.join(", "))).at(*time)
            }
            OffsetRecord::Ended { group, transaction, outcome, time } => {
                self.saying(format!("{group:?}: {transaction} {}", outcome.name())).at(*time)
            }
            OffsetRecord::Forgotten { group } => self.saying(format!("{group:?}")),
        }
    }

    fn of_topic(self, topic: TopicId) -> Self {
        Self { topic: Some(topic.0), ..self }
    }

    fn of_partition(self, partition: PartitionId) -> Self {
        Self { topic: Some(partition.topic.0), partition: Some(partition.index), ..self }
    }

    fn at(self, time: Realtime) -> Self {
        Self { time: Some(rfc3339(time)), ..self }
    }

    fn saying(self, detail: String) -> Self {
        Self { detail: Some(detail), ..self }
    }

    /// The entry as one line.
    pub(super) fn line(&self) -> String {
        let mut words = vec![self.kind.to_owned()];
        match (self.topic, self.partition) {
            (Some(topic), Some(partition)) => words.push(format!("{topic}/{partition}")),
            (Some(topic), None) => words.push(format!("topic {topic}")),
            (None, _) => {}
        }
        words.extend(self.detail.clone());
        words.extend(self.batch.as_ref().map(BatchView::words));
        words.extend(self.time.as_ref().map(|time| format!("at {time}")));
        words.extend(self.problem.as_ref().map(|problem| format!("DAMAGED: {problem}")));
        words.join("  ")
    }

    /// The records of its batch, if they are to be shown.
    pub(super) fn records(&self) -> Option<&Records> {
        self.batch.as_ref()?.records()
    }
}

fn name_of(participant: &Participant) -> String {
    match participant {
        Participant::Partition(partition) => format!("partition {partition}"),
        Participant::Group(group) => format!("group {group:?}"),
    }
}

fn kind_word(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Batch => "batch",
        EntryKind::EpochStart => "epoch_start",
        EntryKind::TopicCreating => "topic_creating",
        EntryKind::TopicLive => "topic_live",
        EntryKind::TopicDeleting => "topic_deleting",
        EntryKind::TopicDeleted => "topic_deleted",
        EntryKind::PartitionsOpened => "partitions_opened",
        EntryKind::PartitionsClosed => "partitions_closed",
        EntryKind::ProducerIdsReserved => "producer_ids_reserved",
        EntryKind::ProducerExpired => "producer_expired",
        EntryKind::ClockConfirmed => "clock_confirmed",
        EntryKind::TopicAltering => "topic_altering",
        EntryKind::BatchKnown => "batch_known",
        EntryKind::TransactionalIdOpened => "transactional_id_opened",
        EntryKind::TransactionJoined => "transaction_joined",
        EntryKind::TransactionDecided => "transaction_decided",
        EntryKind::TransactionSettled => "transaction_settled",
        EntryKind::TransactionalIdForgotten => "transactional_id_forgotten",
        EntryKind::OffsetsCommitted => "offsets_committed",
        EntryKind::OffsetsEnded => "offsets_ended",
        EntryKind::GroupForgotten => "group_forgotten",
    }
}
