//! Outcomes held against what is stored.

use std::collections::BTreeMap;

/// The records of each partition with their offsets.
pub type Contents = BTreeMap<u32, Vec<(u64, Vec<u8>)>>;

/// What a producer was told of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is stored there.
    Stored {
        /// Its partition.
        partition: u32,
        /// Its offset.
        offset: u64,
    },
    /// It is stored, nobody knows where.
    StoredSomewhere,
    /// It is not stored: its time was over.
    TimedOut,
    /// It is not stored, and why.
    NotStored(String),
    /// It may be stored or not.
    Unknown,
}

impl Outcome {
    /// A word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Stored { .. } => "stored",
            Self::StoredSomewhere => "stored somewhere",
            Self::TimedOut => "timed out",
            Self::NotStored(_) => "not stored",
            Self::Unknown => "unknown",
        }
    }
}

/// A record that a producer was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sending {
    /// Which producer.
    pub producer: u32,
    /// Its count of records, in the order of sending.
    pub serial: u32,
    /// To which partition.
    pub partition: u32,
    /// What became of it.
    pub outcome: Outcome,
}

/// The value of a record: who it is, and a checksum of that.
pub fn record_value(producer: u32, serial: u32) -> String {
    let name = format!("{producer} {serial}");
    format!("{name} {}", crc32c::crc32c(name.as_bytes()))
}

fn name_of(value: &[u8]) -> Option<(u32, u32)> {
    let text = std::str::from_utf8(value).ok()?;
    let mut words = text.split(' ');
    let (producer, serial) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    (text == record_value(producer, serial)).then_some((producer, serial))
}

/// Whether what is stored fits every outcome.
///
/// # Errors
/// The first that does not.
pub fn judge(sendings: &[Sending], contents: &Contents) -> Result<(), String> {
    let mut places: BTreeMap<(u32, u32), (u32, u64)> = BTreeMap::new();
    for (partition, records) in contents {
        let mut latest = BTreeMap::new();
        for (expected, (offset, value)) in (0..).zip(records) {
            let at = format!("partition {partition}, offset {offset}");
            if *offset != expected {
                return Err(format!("gap: {at} stands where {expected} must be"));
            }
            let name = name_of(value).ok_or_else(|| format!("other bytes: {at} holds {value:?}"))?;
            if let Some(first) = places.insert(name, (*partition, *offset)) {
                return Err(format!("stored twice: record {name:?} at {first:?} and {at}"));
            }
            if latest.insert(name.0, name.1).is_some_and(|before| before > name.1) {
                return Err(format!("out of order: record {name:?} at {at}"));
            }
        }
    }
    for sending in sendings {
        let place = places.remove(&(sending.producer, sending.serial));
        let fits = match &sending.outcome {
            Outcome::Stored { partition, offset } => {
                place == Some((*partition, *offset)) && *partition == sending.partition
            }
            Outcome::StoredSomewhere => place.is_some_and(|(partition, _)| partition == sending.partition),
            Outcome::TimedOut | Outcome::NotStored(_) => place.is_none(),
            Outcome::Unknown => place.is_none_or(|(partition, _)| partition == sending.partition),
        };
        if !fits {
            return Err(format!("wrong outcome: {sending:?} is at {place:?}"));
        }
    }
    places.first_key_value().map_or(Ok(()), |place| Err(format!("never sent: {place:?}")))
}

/// Whether a consumer was shown exactly what is stored.
///
/// # Errors
/// The first difference.
pub fn judge_consumed(seen: &Contents, contents: &Contents) -> Result<(), String> {
    for (partition, records) in contents {
        let shown = seen.get(partition).map_or(&[][..], Vec::as_slice);
        let difference = (0..records.len().max(shown.len())).find(|index| records.get(*index) != shown.get(*index));
        if let Some(index) = difference {
            let (stored, shown) = (records.get(index), shown.get(index));
            return Err(format!("partition {partition}: the consumer was shown {shown:?}, stored is {stored:?}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
