//! A record batch as a shard takes it from a client, stores it, finds records in it, and gives it to a consumer.
//!
//! Input: flags, the batch. With [`REPAIR`] its length and its checksum are made right.
//!
//! Memory: none. A batch is checked, placed and walked where it lies.

use bytes::{Bytes, BytesMut};
use florin_engine::format::batch::{
    self, BatchBuilder, BatchError, BatchHeader, BatchInfo, Compression, HEADER_BYTES, HEADERS_NONE, Header, HeldBatch,
    LEADER_EPOCH, Record, RecordWalk,
};
use florin_engine::limits::{BATCH_BYTES_MAX, BATCH_RECORD_COUNT_MAX};
use florin_engine::model::{Offset, ProducerEpoch, ProducerId, Realtime};

use super::{Memory, REPAIR, put};

const LENGTH_AT: usize = 8;
const CRC_AT: usize = 17;
const CHECKED_FROM: usize = 21;
pub(crate) const ATTRIBUTES_AT: usize = 22;

/// See [`Target::run`](super::Target::run).
pub fn run(memory: Memory, input: &[u8]) -> usize {
    let Some((flags, batch)) = input.split_first() else { return 0 };
    let mut bytes = batch.to_vec();
    if flags & REPAIR != 0 {
        repair(&mut bytes);
    }
    unchecked(memory, &bytes);
    let checked = memory.within("a batch", 0, || batch::validate(&bytes, BATCH_BYTES_MAX));
    let Ok(info) = checked else { return 0 };
    check_info(&bytes, &info);
    if info.compression == Compression::None {
        check_records(memory, &bytes, &info);
    } else {
        assert!(matches!(RecordWalk::new(&bytes), Err(BatchError::Compressed)), "nobody looks into it");
        assert_eq!(info.largest_record_bytes as usize, bytes.len(), "all of it counts as one record");
    }
    check_place(bytes, &info);
    1
}

/// Makes length and checksum of a batch right, if there is a whole header.
pub(crate) fn repair(batch: &mut [u8]) {
    if batch.len() < HEADER_BYTES {
        return;
    }
    let length = i32::try_from(batch.len() - LENGTH_AT - size_of::<i32>()).expect("an input is short");
    put(batch, LENGTH_AT, &length.to_be_bytes());
    let crc = crc32c::crc32c(&batch[CHECKED_FROM..]);
    put(batch, CRC_AT, &crc.to_be_bytes());
}

/// What is read of a batch that nobody checked: by those who look at damage, and of batches that were checked when they
/// came and lie on a disk since.
fn unchecked(memory: Memory, bytes: &[u8]) {
    let counts = memory.within("an unchecked batch", 0, || {
        let place = (batch::size_bytes(bytes), batch::base_offset(bytes), batch::last_offset(bytes));
        let found = batch::offset_of_timestamp(bytes, 0);
        let records = RecordWalk::new(bytes).into_iter().flatten();
        let counts = records.map(|record| record.map_or(0, |record| record.headers.count() + 1));
        (place, found, counts.sum::<usize>())
    });
    let ((size, first, last), found, count) = counts;
    assert!(count <= 2 * bytes.len(), "records and headers take a byte at least");
    assert!(size.is_ok_and(|bytes| bytes >= HEADER_BYTES) || size.is_err(), "a batch is a header at least");
    if let (Ok(first), Ok(last)) = (first, last) {
        assert!(first <= last && found.is_none_or(|found| (first..=last).contains(&found)));
    }
}

fn check_info(bytes: &[u8], info: &BatchInfo) {
    assert!((1..=BATCH_RECORD_COUNT_MAX).contains(&info.record_count), "a batch has records, within the limit");
    assert_eq!(info.last_offset_delta, info.record_count - 1);
    assert_eq!(info.crc, batch::batch_crc(bytes));
    assert_eq!(batch::size_bytes(bytes), Ok(bytes.len()));
    assert!(bytes.len() <= BATCH_BYTES_MAX && info.largest_record_bytes as usize <= bytes.len());
    if let Some(stamp) = &info.producer {
        assert_eq!(stamp.record_count(), info.record_count, "every record has its sequence");
        assert!(stamp.epoch.0 <= i16::MAX.cast_unsigned() && stamp.id.0 <= i64::MAX.cast_unsigned());
    }
}

/// Every record and header is read, and a batch that is built of them is the same one, if its numbers were as short as they
/// can be.
fn check_records(memory: Memory, bytes: &[u8], info: &BatchInfo) {
    let walk = || RecordWalk::new(bytes).expect("it is not compressed").map(|record| record.expect("it was checked"));
    let count = memory.within("records", 0, || {
        walk().fold(0, |count, record| {
            record.headers.for_each(|header| assert!(header.is_ok(), "it was checked"));
            count + 1
        })
    });
    assert_eq!(count, info.record_count as usize, "as many records as the header says");
    let time_ms = |record: &Record<'_>| info.base_timestamp_ms + record.timestamp_delta_ms;
    assert_eq!(walk().map(|record| time_ms(&record)).max(), Some(info.max_timestamp_ms));
    let largest = walk().map(|record| record.size_bytes).max();
    assert_eq!(largest, Some(info.largest_record_bytes as usize));
    let mut builder = BatchBuilder::new();
    for record in walk() {
        let headers: Vec<Header<'_>> = record.headers.clone().map(|header| header.expect("it was checked")).collect();
        if builder.push(time_ms(&record), record.key, record.value, &headers).is_err() {
            // The times of records lie further apart than those of the first one and the others may.
            return;
        }
    }
    if let Some(stamp) = &info.producer {
        builder.stamp(stamp.id, stamp.epoch, stamp.base_sequence);
    }
    let built = builder.finish();
    let again = batch::validate(&built, BATCH_BYTES_MAX).expect("what is built is right");
    assert_eq!((again.record_count, again.producer), (info.record_count, info.producer));
    let begins_at_first = walk().next().is_some_and(|first| first.timestamp_delta_ms == 0);
    if begins_at_first {
        assert!(built.len() <= bytes.len(), "numbers are as short as they can be");
        let same = built.len() != bytes.len() || built[CRC_AT..] == bytes[CRC_AT..];
        assert!(same, "there is one shortest encoding of the records");
    }
}

/// The batch gets a place and keeps everything else.
fn check_place(mut bytes: Vec<u8>, info: &BatchInfo) {
    let first = Offset(u64::from(info.crc));
    let last = first.plus(u64::from(info.last_offset_delta));
    batch::place(&mut bytes, first);
    assert_eq!(batch::validate(&bytes, BATCH_BYTES_MAX), Ok(*info), "a place changes nothing that is covered");
    assert_eq!((batch::base_offset(&bytes), batch::last_offset(&bytes)), (Ok(first), Ok(last)));
    let header = BatchHeader::read(&bytes).expect("it was checked");
    assert_eq!(header.leader_epoch(), LEADER_EPOCH);
    let found = batch::offset_of_timestamp(&bytes, info.max_timestamp_ms);
    assert!(found.is_some_and(|found| (first..=last).contains(&found)), "the latest record is found");
    if let Some(later) = info.max_timestamp_ms.checked_add(1) {
        assert_eq!(batch::offset_of_timestamp(&bytes, later), None, "nothing is later than the latest");
    }
}

/// A batch with these values, as it is stored.
pub(super) fn placed_batch(base_offset: u64, values: &[&[u8]]) -> BytesMut {
    let mut builder = BatchBuilder::new();
    for value in values {
        builder.push(1000, Some(b"key"), Some(value), HEADERS_NONE).expect("a small record");
    }
    builder.stamp(ProducerId(9), ProducerEpoch(1), 0);
    let mut batch = builder.finish();
    batch::place(&mut batch, Offset(base_offset));
    batch
}

/// The same as a shard holds it.
pub(super) fn held_batch(base_offset: u64, values: &[&[u8]]) -> HeldBatch {
    let bytes = Bytes::from(placed_batch(base_offset, values));
    let last_offset = batch::last_offset(&bytes).expect("it was placed");
    HeldBatch { base_offset: Offset(base_offset), last_offset, append_time: Realtime(5), undecided: 0, bytes }
}

/// See [`Target::seeds`](super::Target::seeds).
pub fn seeds() -> Vec<Vec<u8>> {
    let headers = [Header { key: b"trace", value: Some(&[1, 2]) }, Header { key: b"empty", value: None }];
    let mut builder = BatchBuilder::new();
    builder.push(1_700_000_000_000, Some(b"order-1"), Some(b"capture 12.50 EUR"), &headers).expect("it fits");
    builder.push(1_700_000_000_005, None, Some(&[b'v'; 70]), HEADERS_NONE).expect("it fits");
    builder.push(1_699_999_999_997, Some(b"k"), None, &headers[1..]).expect("it fits");
    let with_all = builder.finish();
    let mut seeds = vec![input(0, &with_all), input(REPAIR, &with_all)];
    let one = placed_batch(41, &[b"one"]);
    seeds.push(input(0, &one));
    for compression in 1..=4 {
        let mut compressed = one.clone();
        compressed[ATTRIBUTES_AT] = compression;
        seeds.push(input(REPAIR, &compressed));
    }
    seeds
}

fn input(flags: u8, batch: &[u8]) -> Vec<u8> {
    [&[flags], batch].concat()
}
