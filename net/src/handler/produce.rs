//! Produce: a batch goes to the shard that has the partition.

use bytes::BytesMut;
use florin_engine::model::{PartitionId, ShardId};
use florin_engine::shard::Request;

use crate::io::Network;
use crate::server::core::{Core, Pending, Waiter};

/// Asks the owner to store a batch.
pub(super) fn produce<N: Network>(
    core: &Core<N>,
    pending: Pending<N::Stream>,
    partition: PartitionId,
    batch: BytesMut,
) {
    let shard = owner(core, pending.connection.shard, partition);
    core.ask(shard, Request::Capture { partition, batch }, Waiter::Client(pending));
}

/// The shard to ask about a partition; the port's own one if it is not known: that one says so.
pub(super) fn owner<N: Network>(core: &Core<N>, port: ShardId, partition: PartitionId) -> ShardId {
    let shard = core.owner_of(port, partition).unwrap_or(port);
    if shard != port {
        core.counters().misrouted.add(1);
    }
    shard
}
