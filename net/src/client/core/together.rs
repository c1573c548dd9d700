//! Records of several partitions that are stored with one request, all or none.

use std::collections::BTreeMap;

use bytes::BytesMut;
use florin_engine::format::batch::{BatchBuilder, BatchError, Header};
use florin_engine::model::{PartitionId, TransactionKey};
use florin_engine::shard::BatchReceipt;

use crate::client::{Receipt, Record, SendError};

/// A batch for each partition, and where each record is in them.
#[derive(Clone, Debug)]
pub struct Together {
    batches: Vec<(PartitionId, BytesMut)>,
    /// Of each record, in the order in which they were given: its batch, and how many are before it there.
    places: Vec<(usize, u32)>,
}

impl Together {
    /// Builds the batches of a transaction that has nothing else. A record without a time gets `now_ms`, Unix milliseconds.
    ///
    /// # Errors
    /// If a record cannot be part of any batch, or a partition has more than one batch takes.
    pub fn build(
        transaction: TransactionKey,
        records: &[(PartitionId, Record)],
        now_ms: i64,
    ) -> Result<Self, SendError> {
        let mut builders: Vec<(PartitionId, BatchBuilder)> = Vec::new();
        let mut by_partition: BTreeMap<PartitionId, usize> = BTreeMap::new();
        let mut places = Vec::with_capacity(records.len());
        for (partition, record) in records {
            let index = *by_partition.entry(*partition).or_insert_with(|| {
                let mut builder = BatchBuilder::new();
                // Every transaction has an epoch of its own, whose sequences begin with 0.
                builder.stamp(transaction.producer, transaction.epoch, 0).transactional(true);
                builders.push((*partition, builder));
                builders.len() - 1
            });
            let builder = &mut builders[index].1;
            places.push((index, builder.record_count()));
            push(builder, record, now_ms)?;
        }
        let batches = builders.into_iter().map(|(partition, builder)| (partition, builder.finish())).collect();
        Ok(Self { batches, places })
    }

    /// The batches, as they are sent however often.
    pub fn batches(&self) -> &[(PartitionId, BytesMut)] {
        &self.batches
    }

    /// Bytes of all batches.
    pub fn size_bytes(&self) -> usize {
        self.batches.iter().map(|(_, batch)| batch.len()).sum()
    }

    /// Where each record is stored, by the receipts of the batches; `None` if those are not as many.
    pub fn receipts(
        &self,
        stored: &[BatchReceipt],
        duplicate: bool,
        latency: std::time::Duration,
    ) -> Option<Vec<Receipt>> {
        let receipt = |(batch, before): &(usize, u32)| {
            let BatchReceipt { base_offset, append_time } = *stored.get(*batch)?;
            let (partition, offset) = (self.batches[*batch].0.index, base_offset.plus(u64::from(*before)));
            Some(Receipt { partition, offset, append_time, duplicate, latency })
        };
        self.places.iter().map(receipt).collect()
    }
}

fn push(builder: &mut BatchBuilder, record: &Record, now_ms: i64) -> Result<(), BatchError> {
    let headers: Vec<Header<'_>> =
        record.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
    let timestamp_ms = record.timestamp_ms.unwrap_or(now_ms);
    builder.push(timestamp_ms, record.key.as_deref(), record.value.as_deref(), &headers).map(|_| ())
}

#[cfg(test)]
mod tests;
