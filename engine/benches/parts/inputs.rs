//! Batches as clients send them and as a shard holds them.

use bytes::BytesMut;
use florin_engine::format::batch::{BatchBuilder, HEADERS_NONE, HeldBatch, place};
use florin_engine::model::{Offset, PartitionId, ProducerEpoch, ProducerId, Realtime, TopicId};

/// Whose batches these are.
pub const PARTITION: PartitionId = PartitionId { topic: TopicId(2), index: 1 };
/// The first producer of shard 1.
pub const PRODUCER: ProducerId = ProducerId(1 << 48);
/// Between two batches that follow each other.
pub const STEP_MS: i64 = 10;
const START_MS: i64 = 1_700_000_000_000;

/// When the client made its `number`-th batch, in Unix milliseconds.
pub fn timestamp_ms(number: u64) -> i64 {
    START_MS + STEP_MS * i64::try_from(number).expect("few batches are made")
}

/// When the shard appended it.
pub fn append_time(number: u64) -> Realtime {
    Realtime(timestamp_ms(number).unsigned_abs() * 1_000_000)
}

/// The `number`-th batch of a producer, as it is sent: so many records with values of so many bytes.
pub fn batch(number: u64, record_count: u32, value_bytes: usize) -> BytesMut {
    let mut builder = BatchBuilder::new();
    let value: Vec<u8> = (0..value_bytes).map(|at| (at % 251).to_le_bytes()[0]).collect();
    for _ in 0..record_count {
        builder.push(timestamp_ms(number), None, Some(&value), HEADERS_NONE).expect("a batch has room for it");
    }
    builder.stamp(PRODUCER, ProducerEpoch(0), u32::try_from(number).expect("few batches are made") * record_count);
    builder.finish()
}

/// The same at its place in a partition that has only such batches.
pub fn held_batch(number: u64, record_count: u32, value_bytes: usize) -> HeldBatch {
    let mut bytes = batch(number, record_count, value_bytes);
    let base_offset = Offset(number * u64::from(record_count));
    place(&mut bytes, base_offset);
    let last_offset = base_offset.plus(u64::from(record_count) - 1);
    HeldBatch { base_offset, last_offset, append_time: append_time(number), undecided: 0, bytes: bytes.freeze() }
}

/// Goes round `count` numbers in an order that no cache or predictor foresees, and comes to each of them.
#[derive(Debug)]
pub struct Scattered {
    count: u64,
    at: u64,
}

impl Scattered {
    /// A prime that divides no count used here.
    const STRIDE: u64 = 7919;

    /// Over the numbers below `count`.
    pub fn new(count: u64) -> Self {
        assert!(!count.is_multiple_of(Self::STRIDE), "every number has its turn");
        Self { count, at: 0 }
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.at = (self.at + Self::STRIDE) % self.count;
        self.at
    }
}
