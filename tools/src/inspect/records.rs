//! The records of a batch, each as one line or one JSON object, with no more than the beginning of what is long.

use bytes::Bytes;
use florin_engine::format::batch::{self, BatchError, BatchHeader, Record, RecordWalk};
use florin_engine::model::{Offset, PartitionId, Realtime};
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use crate::consume::print::{JsonRecord, Shown, put_escaped};
use crate::time::rfc3339;

#[cfg(test)]
mod tests;

/// Bytes shown of a key, a value, the name of a header or its value.
const PREVIEW_BYTES: usize = 64;
/// Headers shown of a record.
const PREVIEW_HEADERS: usize = 8;

/// The records of a batch whose checksum is right. They are walked when they are shown, so that no more than one is in
/// memory beside the batch.
#[derive(Clone, Debug)]
pub(super) struct Records {
    /// Index of the batch's partition.
    partition: u32,
    /// When it was appended.
    append_time: Realtime,
    /// Offset of its first record.
    base_offset: Offset,
    /// The batch.
    batch: Bytes,
}

#[derive(Debug, Serialize)]
struct RecordView<'a> {
    #[serde(flatten)]
    record: JsonRecord<'a>,
    key_bytes: Option<usize>,
    value_bytes: Option<usize>,
    header_count: usize,
}

impl Records {
    /// Of a placed batch that is valid.
    pub(super) fn of(partition: PartitionId, append_time: Realtime, batch: &Bytes) -> Option<Self> {
        let base_offset = batch::base_offset(batch).ok()?;
        Some(Self { partition: partition.index, append_time, base_offset, batch: batch.clone() })
    }

    /// Why there is nothing to show, if so.
    pub(super) fn problem(&self) -> Option<String> {
        match RecordWalk::new(&self.batch) {
            Ok(_) => None,
            Err(BatchError::Compressed) => Some("the records are compressed, and not decoded here".to_owned()),
            Err(error) => Some(error.to_string()),
        }
    }

    /// Hands over one line per record. What cannot be read ends them, and is said.
    pub(super) fn lines(&self, mut put: impl FnMut(String)) {
        if let Some(problem) = self.problem() {
            return put(problem);
        }
        self.walk(|found| match found {
            Ok((shown, record)) => put(line(&shown, &record)),
            Err(error) => put(format!("DAMAGED: {error}")),
        });
    }

    fn walk<'a>(&'a self, mut put: impl FnMut(Result<(Shown<'a>, Record<'a>), BatchError>)) {
        let (Ok(header), Ok(records)) = (BatchHeader::read(&self.batch), RecordWalk::new(&self.batch)) else { return };
        for record in records {
            put(record.map(|record| (self.shown(&record, header.base_timestamp_ms()), record)));
        }
    }

    fn shown<'a>(&self, record: &Record<'a>, base_timestamp_ms: i64) -> Shown<'a> {
        let headers = record.headers.clone().map_while(Result::ok).take(PREVIEW_HEADERS);
        Shown {
            partition: self.partition,
            offset: self.base_offset.plus(u64::from(record.offset_delta)).0,
            append_time: self.append_time,
            timestamp_ms: base_timestamp_ms.saturating_add(record.timestamp_delta_ms),
            key: record.key.map(preview),
            value: record.value.map(preview),
            headers: headers.map(|header| (preview(header.key), header.value.map(preview))).collect(),
        }
    }
}

impl Serialize for Records {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.problem().is_some() {
            return serializer.serialize_none();
        }
        let mut list = serializer.serialize_seq(None)?;
        let mut result = Ok(());
        self.walk(|found| {
            if let (Ok((shown, record)), true) = (found, result.is_ok()) {
                result = list.serialize_element(&RecordView {
                    record: shown.json(),
                    key_bytes: record.key.map(<[u8]>::len),
                    value_bytes: record.value.map(<[u8]>::len),
                    header_count: record.headers.left_count(),
                });
            }
        });
        result?;
        list.end()
    }
}

/// The beginning of bytes: whole characters of what is UTF-8.
fn preview(bytes: &[u8]) -> &[u8] {
    match std::str::from_utf8(bytes) {
        Ok(text) => &bytes[..text.floor_char_boundary(PREVIEW_BYTES)],
        Err(_) => &bytes[..bytes.len().min(PREVIEW_BYTES)],
    }
}

fn line(shown: &Shown<'_>, record: &Record<'_>) -> String {
    let time = rfc3339(shown.append_time);
    let mut out = format!("offset {}  appended {time}  timestamp {}", shown.offset, shown.timestamp_ms).into_bytes();
    let mut put = |name: &str, bytes: Option<&[u8]>, whole: Option<&[u8]>| {
        out.extend_from_slice(name.as_bytes());
        put_escaped(&mut out, bytes);
        put_rest(&mut out, bytes, whole);
    };
    put("  key ", shown.key, record.key);
    put("  value ", shown.value, record.value);
    let whole = record.headers.clone().map_while(Result::ok);
    for ((name, value), whole) in shown.headers.iter().zip(whole) {
        put("  header ", Some(name), Some(whole.key));
        put("=", *value, whole.value);
    }
    let left = record.headers.left_count().saturating_sub(shown.headers.len());
    if left > 0 {
        out.extend_from_slice(format!("  ({left} more headers)").as_bytes());
    }
    // Whatever was no UTF-8 is escaped.
    String::from_utf8_lossy(&out).into_owned()
}

fn put_rest(out: &mut Vec<u8>, shown: Option<&[u8]>, whole: Option<&[u8]>) {
    let (shown, whole) = (shown.map_or(0, <[u8]>::len), whole.map_or(0, <[u8]>::len));
    if shown < whole {
        out.extend_from_slice(format!("... ({whole} bytes)").as_bytes());
    }
}
