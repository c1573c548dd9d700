//! The keys and bodies of a batch's records, by the rule of its topic.

use thiserror::Error;

use std::sync::Arc;

use super::KeyHasher;
use crate::format::batch::{BatchError, BatchInfo, Compression, DecompressError, Record, RecordWalk, decompress};
use crate::format::control::{KeyRule, KeySource};
use crate::format::keys::{BodyHash, KeyHash};
use crate::limits::BATCH_DECOMPRESSED_BYTES_MAX;

/// What stands for a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordKey {
    /// Its key.
    pub key: KeyHash,
    /// Its body.
    pub body: BodyHash,
}

/// Why a batch cannot be stored under its topic's rule.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyFault {
    /// A record cannot be read.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// Its records cannot be decompressed.
    #[error(transparent)]
    Decompress(#[from] DecompressError),
    /// A record has no key, or an empty one: what every record could have tells no payment from another.
    #[error("record {index} has no idempotency key: the topic takes it from {place}")]
    Missing {
        /// The record's index in the batch.
        index: u32,
        /// Where it should be.
        place: KeySource,
    },
    /// The header that holds the key is there twice.
    #[error("record {index} has its idempotency key twice: send one header {name:?}")]
    Twice {
        /// The record's index in the batch.
        index: u32,
        /// The header.
        name: Box<str>,
    },
    /// The key belongs to another partition.
    #[error("record {index} belongs to partition {belongs} by its idempotency key: send it there")]
    Elsewhere {
        /// The record's index in the batch.
        index: u32,
        /// The partition's index.
        belongs: u32,
    },
}

/// By what rule the keys of a partition's records are found.
#[derive(Clone, Debug)]
pub struct Keying {
    rule: Arc<KeyRule>,
    hasher: KeyHasher,
    index: u32,
    partition_count: u32,
}

impl Keying {
    /// The rule of a topic of so many partitions, for the one with this index.
    pub fn new(rule: Arc<KeyRule>, hasher: KeyHasher, (index, partition_count): (u32, u32)) -> Self {
        Self { rule, hasher, index, partition_count }
    }

    /// The topic's rule.
    pub fn rule(&self) -> &KeyRule {
        &self.rule
    }

    /// What stands for a key, if it belongs to the partition; otherwise the index of the one that it belongs to.
    pub fn key(&self, key: &[u8]) -> Result<KeyHash, u32> {
        match self.rule.partitioner().partition_of(key, self.partition_count) {
            belongs if belongs == self.index => Ok(self.hasher.key(key)),
            belongs => Err(belongs),
        }
    }

    /// The keys of all records of a batch that was validated. One that is compressed takes much longer.
    ///
    /// # Errors
    /// The first record that has no key of its own, or belongs elsewhere; or records that cannot be read.
    pub fn keys_of(&self, batch: &[u8], info: &BatchInfo) -> Result<Vec<RecordKey>, KeyFault> {
        let place = (self.index, self.partition_count);
        if info.compression == Compression::None {
            return keys_of(RecordWalk::new(batch)?, &self.rule, &self.hasher, place);
        }
        let records = decompress(batch, BATCH_DECOMPRESSED_BYTES_MAX)?;
        keys_of(RecordWalk::of_decompressed(&records, info.record_count), &self.rule, &self.hasher, place)
    }
}

/// The keys of all records, in order, of a batch for partition `index` of `partition_count`.
///
/// # Errors
/// The first record that has no key of its own, or belongs elsewhere.
pub fn keys_of(
    records: RecordWalk<'_>,
    rule: &KeyRule,
    hasher: &KeyHasher,
    (index, partition_count): (u32, u32),
) -> Result<Vec<RecordKey>, KeyFault> {
    let mut keys = Vec::new();
    for record in records {
        let record = record?;
        let key = key_of(&record, rule.source())?;
        let belongs = rule.partitioner().partition_of(key, partition_count);
        if belongs != index {
            return Err(KeyFault::Elsewhere { index: record.offset_delta, belongs });
        }
        keys.push(RecordKey { key: hasher.key(key), body: body_of(&record, rule, hasher)? });
    }
    Ok(keys)
}

/// Whether two records are the same payment: the same key and the same body, byte by byte.
///
/// # Errors
/// If one of them has no key, or its headers cannot be read.
pub fn is_same_payment(one: &Record<'_>, other: &Record<'_>, rule: &KeyRule) -> Result<bool, KeyFault> {
    if key_of(one, rule.source())? != key_of(other, rule.source())? || one.value != other.value {
        return Ok(false);
    }
    for name in rule.body_headers() {
        if header_values(one, name)? != header_values(other, name)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The values of the headers of a name, in order.
fn header_values<'a>(record: &Record<'a>, name: &str) -> Result<Vec<Option<&'a [u8]>>, BatchError> {
    let mut values = Vec::new();
    for header in record.headers.clone() {
        let header = header?;
        if header.key == name.as_bytes() {
            values.push(header.value);
        }
    }
    Ok(values)
}

fn key_of<'a>(record: &Record<'a>, source: &KeySource) -> Result<&'a [u8], KeyFault> {
    let index = record.offset_delta;
    let missing = || KeyFault::Missing { index, place: source.clone() };
    let name = match source {
        KeySource::RecordKey => return record.key.filter(|key| !key.is_empty()).ok_or_else(missing),
        KeySource::Header(name) => name,
    };
    let mut found = None;
    for header in record.headers.clone() {
        let header = header?;
        if header.key != name.as_bytes() {
            continue;
        }
        if found.is_some() {
            return Err(KeyFault::Twice { index, name: name.clone() });
        }
        found = Some(header.value.filter(|key| !key.is_empty()).ok_or_else(missing)?);
    }
    found.ok_or_else(missing)
}

fn body_of(record: &Record<'_>, rule: &KeyRule, hasher: &KeyHasher) -> Result<BodyHash, BatchError> {
    let mut body = hasher.body(record.value);
    for (place, name) in (0..).zip(rule.body_headers()) {
        for header in record.headers.clone() {
            let header = header?;
            if header.key == name.as_bytes() {
                body.header(place, header.value);
            }
        }
    }
    Ok(body.finish())
}

#[cfg(test)]
mod tests;
