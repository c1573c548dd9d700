//! The entries of a journal block, each as one line or one JSON object.

use bytes::Bytes;
use florin_engine::format::batch::{self, BatchHeader, Compression};
use florin_engine::format::control::{Control, Entry, EntryKind, EntryWalk};
use florin_engine::model::{PartitionId, Realtime, TopicId};
use serde::Serialize;

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

#[derive(Debug, Default, Serialize)]
struct BatchView {
    batch_bytes: usize,
    base_offset: Option<u64>,
    last_offset: Option<u64>,
    record_count: Option<u32>,
    compression: Option<&'static str>,
    producer_id: Option<u64>,
    producer_epoch: Option<u16>,
    base_sequence: Option<u32>,
}

/// Every entry of a payload. What cannot be read ends the list, with the problem.
pub(super) fn views(payload: &Bytes, entry_count: u32) -> Vec<EntryView> {
    let mut views = Vec::new();
    let mut position = 0;
    for entry in EntryWalk::new(payload.clone(), entry_count) {
        let view = match &entry {
            Ok(entry) => EntryView::of(entry),
            Err(error) => EntryView { kind: "unreadable", problem: Some(error.to_string()), ..EntryView::default() },
        };
        views.push(EntryView { payload_position: position, ..view });
        position += entry.as_ref().map_or(0, Entry::encoded_bytes);
    }
    views
}

impl EntryView {
    fn of(entry: &Entry) -> Self {
        let kind = kind_word(entry.kind());
        let view = Self { kind, entry_bytes: entry.encoded_bytes(), ..Self::default() };
        match entry {
            Entry::Batch { partition, append_time, batch } => {
                let problem = batch::validate(batch, batch.len()).err().map(|error| error.to_string());
                let batch = Some(BatchView::of(batch));
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
}

impl BatchView {
    fn of(bytes: &[u8]) -> Self {
        let view = Self { batch_bytes: bytes.len(), ..Self::default() };
        let Ok(header) = BatchHeader::read(bytes) else { return view };
        let stamp = batch::validate(bytes, bytes.len()).ok().and_then(|info| info.producer);
        Self {
            base_offset: batch::base_offset(bytes).ok().map(|offset| offset.0),
            last_offset: batch::last_offset(bytes).ok().map(|offset| offset.0),
            record_count: header.record_count().ok(),
            compression: header.compression().ok().map(compression_word),
            producer_id: stamp.map(|stamp| stamp.id.0),
            producer_epoch: stamp.map(|stamp| stamp.epoch.0),
            base_sequence: stamp.map(|stamp| stamp.base_sequence),
            ..view
        }
    }

    fn words(&self) -> String {
        let mut words = match (self.base_offset, self.last_offset) {
            (Some(base), Some(last)) => format!("offsets {base} to {last}, "),
            _ => String::new(),
        };
        if let Some(count) = self.record_count {
            words.push_str(&format!("{count} {}, ", if count == 1 { "record" } else { "records" }));
        }
        words.push_str(&format!("{} bytes", self.batch_bytes));
        if let Some(compression) = self.compression.filter(|word| *word != "none") {
            words.push_str(&format!(", {compression}"));
        }
        if let (Some(id), Some(epoch), Some(sequence)) = (self.producer_id, self.producer_epoch, self.base_sequence) {
            words.push_str(&format!(", producer {id} epoch {epoch} sequence {sequence}"));
        }
        words
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
    }
}

fn compression_word(compression: Compression) -> &'static str {
    match compression {
        Compression::None => "none",
        Compression::Gzip => "gzip",
        Compression::Snappy => "snappy",
        Compression::Lz4 => "lz4",
        Compression::Zstd => "zstd",
    }
}
