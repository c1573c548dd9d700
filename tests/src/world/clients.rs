//! Clients: batches with a serial number each, and producers that retry what they do not know.

use std::collections::VecDeque;
use std::io::Write;

use bytes::BytesMut;
use flate2::write::GzEncoder;
use florin_engine::format::batch::{
    BatchBuilder, HEADER_BYTES, HEADERS_NONE, Record, RecordWalk, decompress, sequence_plus,
};
use florin_engine::format::control::Partitioner;
use florin_engine::model::{PartitionId, ProducerEpoch, ProducerId};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Batches that a producer may have unanswered: the retry window that clients are promised. Not taken from the engine,
/// so that a shorter one is noticed.
pub const PIPELINE_MAX: usize = 5;

/// Records of a compressed batch of these clients.
const DECOMPRESSED_BYTES_MAX: usize = 64 * 1024;

/// How a batch of a producer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Sent, no answer yet.
    Open,
    /// Answered with "unknown", or lost in a crash: must be sent again, unchanged.
    Unknown,
    /// Acknowledged.
    Acked,
}

/// A batch that a producer still cares about.
#[derive(Clone, Copy, Debug)]
pub struct Tracked {
    /// Its serial.
    pub serial: u64,
    /// First sequence.
    pub base_sequence: u32,
    /// Records.
    pub record_count: u32,
    /// How it stands.
    pub standing: Standing,
}

/// An idempotent producer, bound to one partition.
#[derive(Clone, Debug)]
pub struct Producer {
    /// Its id.
    pub id: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
    /// Where it sends.
    pub partition: PartitionId,
    /// The sequence of its next new batch.
    pub next_sequence: u32,
    /// Batches in order, the oldest first; acknowledged ones stay a while, to be retried.
    pub tracked: VecDeque<Tracked>,
    /// It is not used any more: its partition is gone, or its state may have expired.
    pub retired: bool,
}

impl Producer {
    /// A producer that has sent nothing.
    pub fn new(id: ProducerId, epoch: ProducerEpoch, partition: PartitionId) -> Self {
        Self { id, epoch, partition, next_sequence: 0, tracked: VecDeque::new(), retired: false }
    }

    /// Batches that are not acknowledged.
    pub fn unsettled_count(&self) -> usize {
        self.tracked.iter().filter(|tracked| tracked.standing != Standing::Acked).count()
    }

    /// The first batch that must be sent again before anything new.
    pub fn first_unknown(&self) -> Option<Tracked> {
        self.tracked.iter().copied().find(|tracked| tracked.standing == Standing::Unknown)
    }

    /// Batches that were sent behind this one, as far as is known.
    pub fn newer_count(&self, serial: u64) -> usize {
        let at = self.tracked.iter().position(|tracked| tracked.serial == serial);
        at.map_or(usize::MAX, |at| self.tracked.len() - 1 - at)
    }

    /// Notes a new batch.
    pub fn track(&mut self, serial: u64, record_count: u32) {
        let base_sequence = self.next_sequence;
        self.next_sequence = sequence_plus(base_sequence, record_count);
        self.tracked.push_back(Tracked { serial, base_sequence, record_count, standing: Standing::Open });
        let settled = |tracked: &Tracked| tracked.standing == Standing::Acked;
        while self.tracked.len() > 4 * PIPELINE_MAX && self.tracked.front().is_some_and(settled) {
            self.tracked.pop_front();
        }
    }

    /// Sets how a batch stands; batches that were given up are not tracked any more.
    pub fn stands(&mut self, serial: u64, standing: Standing) {
        if let Some(tracked) = self.tracked.iter_mut().find(|tracked| tracked.serial == serial)
            && tracked.standing != Standing::Acked
        {
            tracked.standing = standing;
        }
    }

    /// A batch was refused before it was ever stored: it and everything behind it is given up, and its sequences
    /// are used again. Returns the serials that were given up.
    pub fn give_up_from(&mut self, serial: u64) -> Vec<u64> {
        let Some(at) = self.tracked.iter().position(|tracked| tracked.serial == serial) else { return Vec::new() };
        self.next_sequence = self.tracked[at].base_sequence;
        self.tracked.drain(at..).map(|tracked| tracked.serial).collect()
    }
}

/// The idempotency key of a record of the batch `serial`, which belongs to partition `index` of `count`. It begins with
/// the serial.
pub fn key_of(serial: u64, record: u32, (index, count): (u32, u32)) -> Vec<u8> {
    let key = |salt: u32| [&serial.to_le_bytes()[..], &record.to_le_bytes(), &salt.to_le_bytes()].concat();
    let belongs = |key: &Vec<u8>| Partitioner::Murmur2.partition_of(key, count) == index;
    (0..).map(key).find(belongs).expect("keys are spread over all partitions")
}

/// Builds a batch whose records carry `serial`, of a topic that has idempotency keys.
pub fn keyed_batch(
    serial: u64,
    (key_serial, place): (u64, (u32, u32)),
    record_count: u32,
    value_bytes_max: usize,
    stamp: Option<(ProducerId, ProducerEpoch, u32)>,
    random: &mut ChaCha8Rng,
) -> BytesMut {
    let keys = |index| key_of(key_serial, index, place);
    build(serial, keys, record_count, value_bytes_max, stamp, random)
}

/// Builds a batch whose records carry `serial`.
pub fn batch(
    serial: u64,
    record_count: u32,
    value_bytes_max: usize,
    stamp: Option<(ProducerId, ProducerEpoch, u32)>,
    random: &mut ChaCha8Rng,
) -> BytesMut {
    build(serial, |_| serial.to_le_bytes().to_vec(), record_count, value_bytes_max, stamp, random)
}

fn build(
    serial: u64,
    keys: impl Fn(u32) -> Vec<u8>,
    record_count: u32,
    value_bytes_max: usize,
    stamp: Option<(ProducerId, ProducerEpoch, u32)>,
    random: &mut ChaCha8Rng,
) -> BytesMut {
    let mut builder = BatchBuilder::new();
    if let Some((id, epoch, base_sequence)) = stamp {
        builder.stamp(id, epoch, base_sequence);
    }
    let filler = vec![serial.to_le_bytes()[0]; random.random_range(1..=value_bytes_max)];
    for index in 0..record_count {
        let key = keys(index);
        builder
            .push(timestamp_ms(serial, index.into()), Some(&key), Some(&filler), HEADERS_NONE)
            .expect("small batches fit");
    }
    builder.finish()
}

/// The records of a batch, and one more under this key; none of one that is compressed.
pub fn with_new_record(batch: &[u8], key: Vec<u8>) -> Option<BytesMut> {
    let mut builder = BatchBuilder::new();
    for record in RecordWalk::new(batch).ok()? {
        let record = record.expect("it was built here");
        builder.push(0, record.key, record.value, HEADERS_NONE).expect("small batches fit");
    }
    builder.push(0, Some(&key), Some(b"new"), HEADERS_NONE).expect("small batches fit");
    Some(builder.finish())
}

/// The same batch with its records compressed.
pub fn compressed(batch: &[u8]) -> BytesMut {
    let (header, records) = batch.split_at(HEADER_BYTES);
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(records).expect("memory takes it");
    let records = encoder.finish().expect("memory takes it");
    let mut bytes = BytesMut::from(header);
    bytes.extend_from_slice(&records);
    let length = i32::try_from(bytes.len() - 12).expect("batches are small");
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    // The lower byte of the attributes: gzip.
    bytes[22] |= 1;
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes
}

/// The records of a batch under another stamp; none of one that is compressed.
pub fn under_stamp(batch: &[u8], (id, epoch, base_sequence): (ProducerId, ProducerEpoch, u32)) -> Option<BytesMut> {
    let mut builder = BatchBuilder::new();
    for record in RecordWalk::new(batch).ok()? {
        let record = record.expect("it was built here");
        builder.push(0, record.key, record.value, HEADERS_NONE).expect("small batches fit");
    }
    builder.stamp(id, epoch, base_sequence);
    Some(builder.finish())
}

/// The latest timestamp of a record.
pub const TIMESTAMP_MS_MAX: i64 = 999;

/// The timestamp of a record of the batch `serial`: those of batches that follow each other jump, as those of many
/// clients do.
pub fn timestamp_ms(serial: u64, record: u64) -> i64 {
    let jumps = serial.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    i64::try_from((jumps + record) % 1000).expect("it is small")
}

/// The number that these clients write into the key of every record.
pub fn serial_of(batch: &[u8]) -> Option<u64> {
    let serial = |record: Record<'_>| record.key?.first_chunk().copied().map(u64::from_le_bytes);
    match RecordWalk::new(batch) {
        Ok(mut records) => serial(records.next()?.ok()?),
        Err(_) => {
            let records = decompress(batch, DECOMPRESSED_BYTES_MAX).ok()?;
            serial(RecordWalk::of_decompressed(&records, 1).next()?.ok()?)
        }
    }
}
