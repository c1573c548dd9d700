//! What a bench asks to check what it did: shards and partitions.

use anyhow::{Result, bail};
use florin_engine::model::TopicId;
use florin_net::protocol::{PartitionDescription, Request, Response, ShardDescription};

use super::Control;

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
}
