//! A batch that was found right, and its records.

use bytes::Bytes;
use florin_engine::format::batch::{Header, RecordWalk};
use florin_engine::model::{Offset, Realtime};

/// Records that were stored together, from the asked offset on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumedBatch {
    /// Their partition.
    pub partition: u32,
    /// When they were appended.
    pub append_time: Realtime,
    /// Offset of the first record that is handed out: later than the batch's first if reading began within it.
    pub first_offset: Offset,
    /// Offset of the last record.
    pub last_offset: Offset,
    pub(crate) base_offset: Offset,
    pub(crate) base_timestamp_ms: i64,
    pub(crate) bytes: Bytes,
}

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumedRecord<'a> {
    /// Its offset.
    pub offset: Offset,
    /// Its time, in Unix milliseconds of its producer's clock.
    pub timestamp_ms: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
    /// Its headers.
    pub headers: Vec<Header<'a>>,
}

impl ConsumedBatch {
    /// The records, in order.
    pub fn records(&self) -> impl Iterator<Item = ConsumedRecord<'_>> {
        let walk = RecordWalk::new(&self.bytes).expect("the batch was validated and is not compressed");
        let skipped = usize::try_from(self.first_offset.0 - self.base_offset.0).expect("a batch fits in memory");
        walk.skip(skipped).map(|record| {
            let record = record.expect("every record was validated");
            ConsumedRecord {
                offset: self.base_offset.plus(u64::from(record.offset_delta)),
                timestamp_ms: self.base_timestamp_ms + record.timestamp_delta_ms,
                key: record.key,
                value: record.value,
                headers: record.headers.map(|header| header.expect("every header was validated")).collect(),
            }
        })
    }

    /// How many records there are.
    pub fn record_count(&self) -> u64 {
        self.last_offset.0 - self.first_offset.0 + 1
    }

    /// The whole batch as its producer built it, with its place.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}
