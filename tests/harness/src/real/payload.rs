//! Batches of payments that prove where they come from: everything in them follows from the batch's [`Tag`].

use bytes::BytesMut;
use florin_engine::format::batch::{BatchBuilder, BatchHeader, HEADERS_NONE, RecordWalk};
use florin_engine::model::{ProducerEpoch, ProducerId};

use super::line::{Stamp, Tag};

/// Records in one batch, at most.
const RECORD_COUNT_MAX: u32 = 5;
/// Bytes behind the readable part of a value, at most.
const FILLER_BYTES_MAX: u32 = 300;
/// Customers that pay.
const CUSTOMER_COUNT: u32 = 40;

/// A number that looks random and follows from the record's name.
fn scramble(tag: Tag, record: u32) -> u32 {
    crc32c::crc32c(format!("{tag} {record}").as_bytes())
}

/// Records in the batch of this name.
pub fn record_count(tag: Tag) -> u32 {
    1 + scramble(tag, u32::MAX) % RECORD_COUNT_MAX
}

fn customer(tag: Tag, record: u32) -> String {
    format!("customer-{}", scramble(tag, record) / 7 % CUSTOMER_COUNT)
}

/// The value of one record: its name, something to fill it, and the checksum of both.
fn value(tag: Tag, record: u32) -> String {
    let filler = (scramble(tag, record) % FILLER_BYTES_MAX) as usize;
    let text = format!("{tag} {record} {:>filler$}", "cents");
    let sum = crc32c::crc32c(text.as_bytes());
    format!("{text} {sum}")
}

/// The batch of this name, the same bytes each time.
pub fn build(tag: Tag, stamp: Option<Stamp>) -> BytesMut {
    let mut builder = BatchBuilder::new();
    for record in 0..record_count(tag) {
        let timestamp_ms = 1_700_000_000_000 + i64::from(tag.serial);
        let (key, value) = (customer(tag, record), value(tag, record));
        let pushed = builder.push(timestamp_ms, Some(key.as_bytes()), Some(value.as_bytes()), HEADERS_NONE);
        pushed.expect("a handful of small records fits a batch");
    }
    if let Some(Stamp { id, epoch, sequence }) = stamp {
        builder.stamp(ProducerId(id), ProducerEpoch(epoch), sequence);
    }
    builder.finish()
}

/// The checksum that travels in a batch.
pub fn crc(batch: &[u8]) -> u32 {
    BatchHeader::read(batch).map_or(0, BatchHeader::crc)
}

/// Which batch this is, after every record was compared with what its name says.
pub fn prove(batch: &[u8]) -> Result<Tag, String> {
    let walk = RecordWalk::new(batch).map_err(|error| error.to_string())?;
    let mut found = None;
    let mut count = 0;
    for record in walk {
        let record = record.map_err(|error| error.to_string())?;
        let text = std::str::from_utf8(record.value.unwrap_or_default()).map_err(|error| error.to_string())?;
        let tag = tag_of(text).ok_or_else(|| format!("a value without a name: {text:?}"))?;
        if *found.get_or_insert(tag) != tag {
            return Err(format!("batch {tag} holds records of another batch"));
        }
        if text != value(tag, record.offset_delta) || record.key != Some(customer(tag, record.offset_delta).as_bytes())
        {
            return Err(format!("record {} of batch {tag} is not what was sent: {text:?}", record.offset_delta));
        }
        count += 1;
    }
    let tag = found.ok_or("a batch without records")?;
    if count == record_count(tag) { Ok(tag) } else { Err(format!("batch {tag} has {count} records")) }
}

fn tag_of(text: &str) -> Option<Tag> {
    let mut words = text.split_ascii_whitespace().map(str::parse);
    let mut word = || words.next()?.ok();
    Some(Tag { run: word()?, producer: word()?, serial: word()? })
}
