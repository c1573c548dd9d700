//! Taking records: which partition, which batch, and whether there is room.

use bytes::Bytes;
use florin_engine::format::batch::Header;
use florin_engine::format::control::{KeySource, Partitioner};

use super::lane::Open;
use super::{AppendError, Appended, ProducerCore};
use crate::client::{Record, SendError};

/// What a record takes in the buffer besides its own bytes, as an estimate.
const RECORD_OVERHEAD_BYTES: usize = 32;

impl ProducerCore {
    /// Takes a record, whose sending began at `since_ns`: its delivery time counts from there.
    ///
    /// # Errors
    /// If there is no room, or it can never be stored. Nothing changed then, except that what lingers no longer does
    /// if there is no room.
    pub fn append(
        &mut self,
        record: &Record,
        now_ms: i64,
        since_ns: u64,
        now_ns: u64,
    ) -> Result<Appended, AppendError> {
        if let Some(ended) = &self.ended {
            return Err(AppendError::Never(ended.clone()));
        }
        let partition = self.choose(record)?;
        let cost_bytes = cost_bytes(record);
        if self.buffered_bytes > 0 && self.buffered_bytes + cost_bytes > self.rules.buffer_bytes_max {
            self.expedite();
            return Err(AppendError::Full);
        }
        let timestamp_ms = record.timestamp_ms.unwrap_or(now_ms);
        let headers: Vec<Header<'_>> =
            record.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        let deadline_ns = since_ns.saturating_add(self.rules.delivery_ns);

        let lane = &mut self.lanes[partition as usize];
        if let Some(open) = &mut lane.open
            && let Some(index) = open.push(timestamp_ms, key, value, &headers)
        {
            open.note(cost_bytes, deadline_ns);
            let batch = open.number;
            let is_full = open.record_count() >= self.rules.batch_records_max;
            self.buffered_bytes += cost_bytes;
            if is_full {
                self.seal(partition);
            }
            return Ok(Appended { batch, index, partition, is_news: is_full });
        }
        let batch = self.next_batch;
        let mut open = Open::new(batch, self.rules.batch_bytes_max, now_ns.saturating_add(self.rules.linger_ns));
        if open.push(timestamp_ms, key, value, &headers).is_none() {
            open = Open::new(batch, self.rules.server_batch_bytes_max, now_ns);
            open.try_push(timestamp_ms, key, value, &headers)
                .map_err(|error| AppendError::Never(SendError::Record(error)))?;
        }
        self.next_batch += 1;
        self.seal(partition);
        open.note(cost_bytes, deadline_ns);
        self.lanes[partition as usize].open = Some(open);
        self.active.insert(partition);
        self.buffered_bytes += cost_bytes;
        if self.rules.batch_records_max == 1 {
            self.seal(partition);
        }
        Ok(Appended { batch, index: 0, partition, is_news: true })
    }

    fn choose(&self, record: &Record) -> Result<u32, AppendError> {
        let partition_count = self.partition_count();
        if let Some(rule) = &self.topic.keys {
            let key = key_of(record, rule.source()).map_err(AppendError::Never)?;
            let belongs = rule.partitioner().partition_of(key, partition_count);
            return match record.partition.filter(|partition| *partition != belongs) {
                None => Ok(belongs),
                Some(partition) => Err(AppendError::Never(SendError::KeyElsewhere { partition, belongs })),
            };
        }
        chosen(record, partition_count).map(|partition| partition.unwrap_or(self.sticky)).map_err(AppendError::Never)
    }
}

/// The partition that a record names or its key leads to, of a topic without idempotency keys; `None`: any.
///
/// # Errors
/// If there is no such partition.
pub(in crate::client) fn chosen(record: &Record, partition_count: u32) -> Result<Option<u32>, SendError> {
    match (record.partition, &record.key) {
        (Some(partition), _) if partition < partition_count => Ok(Some(partition)),
        (Some(partition), _) => Err(SendError::Partition { partition, partition_count }),
        (None, Some(key)) => Ok(Some(Partitioner::default().partition_of(key, partition_count))),
        (None, None) => Ok(None),
    }
}

/// The idempotency key of a record.
fn key_of<'a>(record: &'a Record, source: &KeySource) -> Result<&'a [u8], SendError> {
    let missing = || SendError::KeyMissing { place: source.clone() };
    let name = match source {
        KeySource::RecordKey => return record.key.as_deref().filter(|key| !key.is_empty()).ok_or_else(missing),
        KeySource::Header(name) => name,
    };
    let mut values = record.headers.iter().filter(|(key, _)| key == name.as_bytes()).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(SendError::KeyTwice { name: name.clone() }),
        (Some(Some(value)), None) if !value.is_empty() => Ok(value),
        (None | Some(_), None) => Err(missing()),
    }
}

fn cost_bytes(record: &Record) -> usize {
    let length = |field: &Option<Bytes>| field.as_ref().map_or(0, Bytes::len);
    let headers: usize = record.headers.iter().map(|(key, value)| key.len() + length(value)).sum();
    RECORD_OVERHEAD_BYTES + length(&record.key) + length(&record.value) + headers
}
