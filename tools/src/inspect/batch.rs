//! What the header of a record batch says.

use florin_engine::format::batch::{self, BatchHeader, Compression, StoredBatch};
use serde::Serialize;

use super::records::Records;

/// A batch; what it does not have is nothing.
#[derive(Debug, Default, Serialize)]
pub(super) struct BatchView {
    batch_bytes: usize,
    base_offset: Option<u64>,
    last_offset: Option<u64>,
    record_count: Option<u32>,
    compression: Option<&'static str>,
    producer_id: Option<u64>,
    producer_epoch: Option<u16>,
    base_sequence: Option<u32>,
    is_transactional: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_transaction: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<Records>,
}

impl BatchView {
    /// Of a batch, with its records if they are to be shown.
    pub(super) fn of(bytes: &[u8], records: Option<Records>) -> Self {
        let view = Self { batch_bytes: bytes.len(), records, ..Self::default() };
        let Ok(header) = BatchHeader::read(bytes) else { return view };
        let stored = batch::validate_stored(bytes).ok();
        let stamp = match stored {
            Some(StoredBatch::Records(info)) => info.producer,
            _ => None,
        };
        let marker = match stored {
            Some(StoredBatch::Marker(marker)) => Some(marker),
            _ => None,
        };
        let producer = stamp.map(|stamp| (stamp.id, stamp.epoch));
        let producer = producer.or(marker.map(|marker| (marker.transaction.producer, marker.transaction.epoch)));
        Self {
            base_offset: batch::base_offset(bytes).ok().map(|offset| offset.0),
            last_offset: batch::last_offset(bytes).ok().map(|offset| offset.0),
            record_count: header.record_count().ok(),
            compression: header.compression().ok().map(compression_word),
            producer_id: producer.map(|(id, _)| id.0),
            producer_epoch: producer.map(|(_, epoch)| epoch.0),
            base_sequence: stamp.map(|stamp| stamp.base_sequence),
            is_transactional: header.is_transactional(),
            ends_transaction: marker.map(|marker| marker.outcome.name()),
            ..view
        }
    }

    /// Its records, if they are to be shown.
    pub(super) fn records(&self) -> Option<&Records> {
        self.records.as_ref()
    }

    pub(super) fn words(&self) -> String {
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
        if let (Some(outcome), Some(id), Some(epoch)) = (self.ends_transaction, self.producer_id, self.producer_epoch) {
            words.push_str(&format!(", transaction {id}:{epoch} {outcome}"));
        } else if self.is_transactional {
            words.push_str(", part of a transaction");
        }
        words
    }
}

/// The compression's name, the same in text and JSON.
pub(crate) fn compression_word(compression: Compression) -> &'static str {
    match compression {
        Compression::None => "none",
        Compression::Gzip => "gzip",
        Compression::Snappy => "snappy",
        Compression::Lz4 => "lz4",
        Compression::Zstd => "zstd",
    }
}
