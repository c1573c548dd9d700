//! What a bench asks to check what it did: shards, partitions, and batches as they are stored.

use anyhow::{Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use florin_engine::model::{Offset, PartitionId, TopicId};
use florin_engine::partition::Isolation;
use florin_engine::shard::Action;
use florin_net::protocol::{FetchedBatch, PartitionDescription, Request, RequestFrom, Response, ShardDescription};

use super::{Control, error_text};

/// Where a batch has what its client wrote: in front of it stand fields that the server fills in, and its length.
const CLIENT_BYTES_FROM: usize = 16;
/// One batch is wanted, whatever its size.
const ONE_BATCH_BYTES: u32 = 1;

/// What became of a single batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Captured {
    /// It is stored, from this offset on.
    Stored(Offset),
    /// The server says to try again.
    Retry,
}

impl Control {
    /// How every shard is doing.
    pub fn shards(&mut self) -> Result<Vec<ShardDescription>> {
        match self.ask(&Request::DescribeShards)? {
            Response::Shards(shards) => Ok(shards),
            other => bail!("the question for shards was answered with {other:?}"),
        }
    }

    /// The partitions of a topic, in their order; an error if a shard does not say how one of its own is.
    pub fn partitions(&mut self, topic: TopicId) -> Result<Vec<PartitionDescription>> {
        let Response::TopicDescribed { partitions, .. } = self.ask(&Request::DescribeTopic { topic })? else {
            bail!("the question for a topic was answered with another one");
        };
        if let Some(silent) = partitions.iter().find(|partition| partition.code != 0) {
            bail!("shard {} does not describe partition {} (code {})", silent.shard, silent.index, silent.code);
        }
        Ok(partitions)
    }

    /// Asks for one batch to be stored and waits for the answer.
    pub fn capture(&mut self, partition: PartitionId, batch: &[u8]) -> Result<Captured> {
        match self.exchange(&Request::Produce { partition, batch: BytesMut::from(batch) })? {
            Response::Produced { base_offset, duplicate: false, .. } => Ok(Captured::Stored(base_offset)),
            Response::Error(error) if error.action == Action::Retry => Ok(Captured::Retry),
            Response::Error(error) => bail!("a batch was refused: {}", error_text(&error)),
            other => bail!("a batch was answered with {other:?}"),
        }
    }

    /// Reads the batch that begins at an offset and compares it with what was sent.
    pub fn check_stored(&mut self, partition: PartitionId, offset: Offset, sent: &Bytes) -> Result<()> {
        let stored = self.batch_at(partition, offset)?;
        ensure!(stored.base_offset == offset, "partition {partition} has no batch that begins at {offset}");
        let is_same =
            stored.bytes.len() == sent.len() && stored.bytes.get(CLIENT_BYTES_FROM..) == sent.get(CLIENT_BYTES_FROM..);
        ensure!(is_same, "the batch at offset {offset} of partition {partition} is not the one that was sent");
        Ok(())
    }

    fn batch_at(&mut self, partition: PartitionId, offset: Offset) -> Result<FetchedBatch> {
        let from = RequestFrom::Offset(offset);
        let isolation = Isolation::Uncommitted;
        let fetch = Request::Fetch { partition, from, bytes_max: ONE_BATCH_BYTES, wait_ms: 0, isolation };
        let Response::Fetched(mut fetched) = self.ask(&fetch)? else {
            bail!("a fetch was answered with something else");
        };
        ensure!(!fetched.batches.is_empty(), "nothing is stored at offset {offset} of partition {partition}");
        Ok(fetched.batches.swap_remove(0))
    }
}

#[cfg(test)]
mod tests;
