//! What is written into a batch each time that it is sent: idempotency keys, of the partition that it goes to, and who sends
//! it and with which sequence.

use anyhow::{Context, Result};
use florin_engine::format::control::Partitioner;
use florin_engine::model::{PartitionId, TransactionKey};

/// What stands in a batch until its key is written there.
pub const PLACEHOLDER: [u8; KEY_BYTES] = [0xee; KEY_BYTES];

const KEY_BYTES: usize = 16;
/// Where the checksum of a batch stands, and from where on it covers the batch.
const CRC_AT: usize = 17;
const CHECKED_FROM: usize = 21;
/// Where attributes, producer id, epoch and base sequence of a batch stand.
const ATTRIBUTES_AT: usize = 21;
const PRODUCER_AT: usize = 43;
const EPOCH_AT: usize = 51;
const SEQUENCE_AT: usize = 53;
/// The attribute of a batch that belongs to a transaction.
const TRANSACTIONAL: u8 = 0x10;
/// Connections have numbers of their own below this.
const CONNECTION_SHIFT: u32 = 40;

/// The keys of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyStamp {
    at: usize,
    partition_count: u32,
    /// Of the run, so that no key comes again in another one.
    salt: u64,
    next: u64,
}

impl KeyStamp {
    /// For batches like this one, of a topic with so many partitions.
    ///
    /// # Errors
    /// If the batch has no placeholder.
    pub fn of(batch: &[u8], partition_count: u32, salt: u64) -> Result<Self> {
        let at = batch.windows(KEY_BYTES).position(|window| window == PLACEHOLDER);
        Ok(Self { at: at.context("the batch has no place for a key")?, partition_count, salt, next: 0 })
    }

    /// The same for the connection of this number.
    pub fn of_connection(&self, number: usize) -> Self {
        Self { next: (number as u64) << CONNECTION_SHIFT, ..self.clone() }
    }

    /// Writes a key that belongs to the partition, and the checksum that follows from it.
    pub fn put(&mut self, batch: &mut [u8], partition: PartitionId) {
        let key = loop {
            self.next += 1;
            let key = [self.salt.to_le_bytes(), self.next.to_le_bytes()].concat();
            if Partitioner::Murmur2.partition_of(&key, self.partition_count) == partition.index {
                break key;
            }
        };
        batch[self.at..self.at + KEY_BYTES].copy_from_slice(&key);
        put_checksum(batch);
    }
}

/// Writes which producer sends the batch, in which epoch, from which sequence on, and whether it is part of a transaction.
pub fn put_producer(batch: &mut [u8], producer: TransactionKey, base_sequence: u32, is_transactional: bool) {
    batch[ATTRIBUTES_AT + 1] |= if is_transactional { TRANSACTIONAL } else { 0 };
    batch[PRODUCER_AT..EPOCH_AT].copy_from_slice(&producer.producer.0.to_be_bytes());
    batch[EPOCH_AT..SEQUENCE_AT].copy_from_slice(&producer.epoch.0.to_be_bytes());
    batch[SEQUENCE_AT..SEQUENCE_AT + size_of::<u32>()].copy_from_slice(&base_sequence.to_be_bytes());
    put_checksum(batch);
}

fn put_checksum(batch: &mut [u8]) {
    let crc = crc32c::crc32c(&batch[CHECKED_FROM..]);
    batch[CRC_AT..CHECKED_FROM].copy_from_slice(&crc.to_be_bytes());
}

#[cfg(test)]
mod tests;
