//! What becomes of a batch by what is known of its keys: all of it or nothing.

use std::collections::BTreeMap;

use super::RecordKey;
use crate::format::keys::BodyHash;
use crate::model::{Offset, Realtime};

/// What is known of a key within the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The body that came under it.
    pub body: BodyHash,
    /// Where its record is.
    pub offset: Offset,
    /// When it was appended.
    pub append_time: Realtime,
}

/// What is said of one record of a batch that is not appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyVerdict {
    /// Its key is not known: sent by itself it is appended.
    New,
    /// It is stored already: the original receipt.
    Duplicate {
        /// Where.
        offset: Offset,
        /// When it was appended.
        append_time: Realtime,
    },
    /// Another body is stored under its key.
    Conflict {
        /// Where.
        offset: Offset,
        /// When that was appended.
        append_time: Realtime,
    },
    /// A record before it in the batch has the same key.
    Repeated {
        /// The index of the first one.
        first: u32,
    },
}

impl KeyVerdict {
    /// Whether another body is stored under the record's key.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }
}

/// What becomes of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchVerdict {
    /// No key is known: it is appended.
    New,
    /// Every record is stored already, under the same body: the original receipts.
    Duplicate(Vec<(Offset, Realtime)>),
    /// Nothing of it is appended; one for each record.
    Mixed(Vec<KeyVerdict>),
}

/// Judges a batch of these records, of whose keys this is known, record by record.
///
/// # Panics
/// If there are none, or not as much is known as there are records: a batch has records.
pub fn judge(records: &[RecordKey], known: &[Option<Known>]) -> BatchVerdict {
    assert!(!records.is_empty() && records.len() == known.len(), "a batch has records");
    let mut firsts = BTreeMap::new();
    let mut verdicts = Vec::with_capacity(records.len());
    for ((index, record), known) in (0_u32..).zip(records).zip(known) {
        let first = *firsts.entry(record.key).or_insert(index);
        verdicts.push(match *known {
            _ if first != index => KeyVerdict::Repeated { first },
            None => KeyVerdict::New,
            Some(Known { body, offset, append_time }) if body == record.body => {
                KeyVerdict::Duplicate { offset, append_time }
            }
            Some(Known { offset, append_time, .. }) => KeyVerdict::Conflict { offset, append_time },
        });
    }
    if verdicts.iter().all(|verdict| *verdict == KeyVerdict::New) {
        return BatchVerdict::New;
    }
    let receipt = |verdict: &KeyVerdict| match verdict {
        KeyVerdict::Duplicate { offset, append_time } => Some((*offset, *append_time)),
        _ => None,
    };
    let receipts: Option<Vec<_>> = verdicts.iter().map(receipt).collect();
    receipts.map_or(BatchVerdict::Mixed(verdicts), BatchVerdict::Duplicate)
}

#[cfg(test)]
mod tests;
