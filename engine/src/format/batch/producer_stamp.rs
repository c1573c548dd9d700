//! Who sent a batch, and where it stands among the producer's: the header fields behind exactly-once storage.

use crate::model::{ProducerEpoch, ProducerId};

/// Producer sequences run from 0 to `i32::MAX` and then from 0 again, as in Kafka.
pub const SEQUENCE_COUNT: u32 = 1 << 31;

/// The sequence `count` records after `sequence`, wrapping as Kafka does.
pub fn sequence_plus(sequence: u32, count: u32) -> u32 {
    assert!(sequence < SEQUENCE_COUNT, "sequence {sequence} is not one of a producer");
    sequence.wrapping_add(count) % SEQUENCE_COUNT
}

/// How many records `to` comes after `from` at the least: 0 if they are equal, always below [`SEQUENCE_COUNT`].
pub fn sequence_distance(from: u32, to: u32) -> u32 {
    assert!(from < SEQUENCE_COUNT && to < SEQUENCE_COUNT, "sequence {from} or {to} is not one of a producer");
    to.wrapping_sub(from) % SEQUENCE_COUNT
}

/// The producer and the sequences of a batch's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerStamp {
    /// The producer.
    pub id: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
    /// Sequence of the first record, below [`SEQUENCE_COUNT`].
    pub base_sequence: u32,
    /// Sequence of the last record; less than the first if the sequence wrapped within the batch.
    pub last_sequence: u32,
}

impl ProducerStamp {
    /// The stamp of `record_count` records from `base_sequence` on.
    ///
    /// # Panics
    /// If there are no records or the sequence is [`SEQUENCE_COUNT`] or more.
    pub fn new(id: ProducerId, epoch: ProducerEpoch, base_sequence: u32, record_count: u32) -> Self {
        assert!((1..=SEQUENCE_COUNT).contains(&record_count), "a batch has at least one record");
        Self { id, epoch, base_sequence, last_sequence: sequence_plus(base_sequence, record_count - 1) }
    }

    /// Records in the batch.
    pub fn record_count(&self) -> u32 {
        sequence_distance(self.base_sequence, self.last_sequence) + 1
    }

    /// The sequence with which the next batch begins.
    pub fn next_sequence(&self) -> u32 {
        sequence_plus(self.last_sequence, 1)
    }
}
