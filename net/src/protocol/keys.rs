//! What is said of idempotency keys: the rule of a topic, receipts record by record, and what is known of the records of
//! a batch that was not stored.

use bytes::{BufMut, BytesMut};
use florin_engine::format::control::{KeyRule, KeySource, Partitioner};
use florin_engine::key::KeyVerdict;
use florin_engine::limits::{BATCH_RECORD_COUNT_MAX, KEY_BODY_HEADERS_MAX, KEY_HEADER_BYTES_MAX};
use florin_engine::model::{Offset, Realtime};
use florin_engine::shard::KeyReceipt;

use super::field::{FieldError, FieldReader, put_count, put_text};
use crate::limits::TEXT_BYTES_MAX;

/// Bytes in a head of a topic without a rule, or with one that names no header.
pub(super) const RULE_BYTES_MIN: usize = size_of::<u32>() + size_of::<u16>() + size_of::<u32>();
/// Bytes in a head of the longest rule.
pub(super) const RULE_BYTES_MAX: usize =
    RULE_BYTES_MIN + KEY_HEADER_BYTES_MAX + KEY_BODY_HEADERS_MAX * (size_of::<u16>() + KEY_HEADER_BYTES_MAX);
/// Bytes in a head of what is known of a record.
pub(super) const VERDICT_BYTES: usize = size_of::<u8>() + 2 * size_of::<u64>();
/// Bytes in a head of a receipt.
pub(super) const RECEIPT_BYTES: usize = 2 * size_of::<u64>();

/// Bytes in a head.
pub(super) fn rule_bytes(rule: Option<&KeyRule>) -> usize {
    let Some(rule) = rule else { return RULE_BYTES_MIN };
    let headers = rule.body_headers().iter().map(|name| size_of::<u16>() + name.len());
    RULE_BYTES_MIN + name_of(rule.source()).len() + headers.sum::<usize>()
}

fn name_of(source: &KeySource) -> &str {
    match source {
        KeySource::RecordKey => "",
        KeySource::Header(name) => name,
    }
}

/// Appends a topic's rule; all fields are 0 or empty if it has none.
pub(super) fn put_rule(out: &mut BytesMut, rule: Option<&KeyRule>) {
    let Some(rule) = rule else { return out.put_bytes(0, RULE_BYTES_MIN) };
    out.put_u8(match rule.source() {
        KeySource::RecordKey => 1,
        KeySource::Header(_) => 2,
    });
    out.put_u8(rule.partitioner() as u8);
    out.put_u16_le(rule.window_days());
    put_text(out, name_of(rule.source()));
    put_count(out, rule.body_headers().len());
    rule.body_headers().iter().for_each(|name| put_text(out, name));
}

/// Reads a topic's rule, if it has one.
pub(super) fn rule(reader: &mut FieldReader<'_>) -> Result<Option<KeyRule>, FieldError> {
    let (source, partitioner) = (reader.u8("key_source")?, reader.u8("key_partitioner")?);
    let window_days = reader.u16("key_window_days")?;
    // How long a name may be is for the rule to say, with its own words.
    let header = reader.text("key_header", TEXT_BYTES_MAX)?;
    let count = reader.count("body_headers", usize::from(u8::MAX), size_of::<u16>())?;
    let body_headers: Vec<Box<str>> =
        (0..count).map(|_| reader.text("name", TEXT_BYTES_MAX).map(Into::into)).collect::<Result<_, _>>()?;
    let source = match (source, header) {
        (0, "") if partitioner == 0 && window_days == 0 && body_headers.is_empty() => return Ok(None),
        (1, "") => KeySource::RecordKey,
        (2, name) => KeySource::Header(name.into()),
        (source, _) => return Err(FieldError::Value { field: "key_source", value: u64::from(source) }),
    };
    let wrong = FieldError::Value { field: "key_partitioner", value: u64::from(partitioner) };
    let partitioner = Partitioner::of_number(partitioner).ok_or(wrong)?;
    KeyRule::new(source, window_days, body_headers, partitioner).map(Some).map_err(FieldError::KeyRule)
}

/// Appends receipts behind their number.
pub(super) fn put_receipts(out: &mut BytesMut, receipts: &[KeyReceipt]) {
    put_count(out, receipts.len());
    for KeyReceipt { offset, append_time } in receipts {
        out.put_u64_le(offset.0);
        out.put_u64_le(append_time.0);
    }
}

/// Reads what [`put_receipts`] writes.
pub(super) fn receipts(reader: &mut FieldReader<'_>) -> Result<Vec<KeyReceipt>, FieldError> {
    let count = reader.count("receipts", BATCH_RECORD_COUNT_MAX as usize, RECEIPT_BYTES)?;
    (0..count).map(|_| receipt(reader)).collect()
}

/// Reads one receipt.
pub(super) fn receipt(reader: &mut FieldReader<'_>) -> Result<KeyReceipt, FieldError> {
    let (offset, append_time) = (Offset(reader.u64("offset")?), Realtime(reader.u64("append_time")?));
    Ok(KeyReceipt { offset, append_time })
}

/// Appends what is known of each record behind their number.
pub(super) fn put_verdicts(out: &mut BytesMut, verdicts: &[KeyVerdict]) {
    put_count(out, verdicts.len());
    for verdict in verdicts {
        let (number, place, time) = match *verdict {
            KeyVerdict::New => (0, 0, 0),
            KeyVerdict::Duplicate { offset, append_time } => (1, offset.0, append_time.0),
            KeyVerdict::Conflict { offset, append_time } => (2, offset.0, append_time.0),
            KeyVerdict::Repeated { first } => (3, u64::from(first), 0),
        };
        out.put_u8(number);
        out.put_u64_le(place);
        out.put_u64_le(time);
    }
}

/// Reads what [`put_verdicts`] writes.
pub(super) fn verdicts(reader: &mut FieldReader<'_>) -> Result<Vec<KeyVerdict>, FieldError> {
    let count = reader.count("records", BATCH_RECORD_COUNT_MAX as usize, VERDICT_BYTES)?;
    let mut verdicts: Vec<KeyVerdict> = Vec::with_capacity(count);
    for index in 0..count as u64 {
        let (number, place, time) = (reader.u8("verdict")?, reader.u64("place")?, reader.u64("append_time")?);
        let (offset, append_time) = (Offset(place), Realtime(time));
        verdicts.push(match (number, place, time) {
            (0, 0, 0) => KeyVerdict::New,
            (1, ..) => KeyVerdict::Duplicate { offset, append_time },
            (2, ..) => KeyVerdict::Conflict { offset, append_time },
            (3, first, 0) if first < index => KeyVerdict::Repeated { first: u32::try_from(first).expect("counted") },
            (0 | 3, place, _) => return Err(FieldError::Value { field: "place", value: place }),
            (number, ..) => return Err(FieldError::Value { field: "verdict", value: u64::from(number) }),
        });
    }
    Ok(verdicts)
}
