//! The settings of a topic, and changes of them, as fields of heads. Whether a topic can have them is for the catalogue
//! to say.

use bytes::{BufMut, BytesMut};
use florin_engine::catalogue::{TopicChange, TopicSettings};

use super::field::{FieldError, FieldReader};

/// Bytes of settings in a head.
pub(super) const SETTINGS_BYTES: usize = 28;

/// What a change sets, as bits of its field `sets`.
const PARTITION_COUNT: u8 = 1 << 0;
const RECORD_BYTES_MAX: u8 = 1 << 1;
const SEGMENT_BYTES: u8 = 1 << 2;
const RETENTION_BYTES: u8 = 1 << 3;
const RETENTION_NS: u8 = 1 << 4;
const ALL: u8 = PARTITION_COUNT | RECORD_BYTES_MAX | SEGMENT_BYTES | RETENTION_BYTES | RETENTION_NS;

pub(super) fn put_settings(out: &mut BytesMut, settings: &TopicSettings) {
    out.put_u32_le(settings.record_bytes_max);
    out.put_u64_le(settings.segment_bytes);
    out.put_u64_le(settings.retention_bytes.unwrap_or(0));
    out.put_u64_le(settings.retention_ns.unwrap_or(0));
}

pub(super) fn settings(reader: &mut FieldReader<'_>) -> Result<TopicSettings, FieldError> {
    Ok(TopicSettings {
        record_bytes_max: reader.u32("record_bytes_max")?,
        segment_bytes: reader.u64("segment_bytes")?,
        retention_bytes: kept(reader.u64("retention_bytes")?),
        retention_ns: kept(reader.u64("retention_ns")?),
    })
}

pub(super) fn put_change(out: &mut BytesMut, change: &TopicChange) {
    let sets = [
        (PARTITION_COUNT, change.partition_count.is_some()),
        (RECORD_BYTES_MAX, change.record_bytes_max.is_some()),
        (SEGMENT_BYTES, change.segment_bytes.is_some()),
        (RETENTION_BYTES, change.retention_bytes.is_some()),
        (RETENTION_NS, change.retention_ns.is_some()),
    ];
    out.put_u8(sets.into_iter().filter(|(_, is_set)| *is_set).map(|(bit, _)| bit).sum());
    out.put_u32_le(change.partition_count.unwrap_or(0));
    out.put_u32_le(change.record_bytes_max.unwrap_or(0));
    out.put_u64_le(change.segment_bytes.unwrap_or(0));
    out.put_u64_le(change.retention_bytes.flatten().unwrap_or(0));
    out.put_u64_le(change.retention_ns.flatten().unwrap_or(0));
}

pub(super) fn change(reader: &mut FieldReader<'_>) -> Result<TopicChange, FieldError> {
    let sets = reader.u8("sets")?;
    if sets & !ALL != 0 {
        return Err(FieldError::Value { field: "sets", value: u64::from(sets) });
    }
    let partition_count = reader.u32("partition_count")?;
    let record_bytes_max = reader.u32("record_bytes_max")?;
    let segment_bytes = reader.u64("segment_bytes")?;
    let retention_bytes = reader.u64("retention_bytes")?;
    let retention_ns = reader.u64("retention_ns")?;
    Ok(TopicChange {
        partition_count: set("partition_count", sets & PARTITION_COUNT != 0, partition_count)?,
        record_bytes_max: set("record_bytes_max", sets & RECORD_BYTES_MAX != 0, record_bytes_max)?,
        segment_bytes: set("segment_bytes", sets & SEGMENT_BYTES != 0, segment_bytes)?,
        retention_bytes: set("retention_bytes", sets & RETENTION_BYTES != 0, retention_bytes)?.map(kept),
        retention_ns: set("retention_ns", sets & RETENTION_NS != 0, retention_ns)?.map(kept),
    })
}

/// 0 stands for everything.
fn kept(number: u64) -> Option<u64> {
    (number != 0).then_some(number)
}

/// A field that is not set is 0.
fn set<T: Copy + Into<u64>>(field: &'static str, is_set: bool, value: T) -> Result<Option<T>, FieldError> {
    match (is_set, value.into()) {
        (true, _) => Ok(Some(value)),
        (false, 0) => Ok(None),
        (false, value) => Err(FieldError::Value { field, value }),
    }
}
