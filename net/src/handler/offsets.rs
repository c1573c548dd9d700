//! ListOffsets: where a partition begins, ends, or was at a time.

use florin_engine::model::PartitionId;
use florin_engine::shard::{OffsetAt, Request};

use super::produce::owner;
use crate::io::Network;
use crate::protocol::ListAt;
use crate::server::core::{Core, Pending, Waiter};

/// Asks the owner for an offset.
pub(super) fn list<N: Network>(core: &Core<N>, pending: Pending<N::Stream>, partition: PartitionId, at: ListAt) {
    let at = match at {
        ListAt::Start => OffsetAt::Start,
        ListAt::End => OffsetAt::End,
        ListAt::Stable => OffsetAt::Stable,
        ListAt::Time(time) => OffsetAt::Time(time),
        ListAt::Timestamp(ms) => OffsetAt::Timestamp(ms),
    };
    let shard = owner(core, pending.connection.shard, partition);
    core.ask(shard, Request::ListOffset { partition, at }, Waiter::Client(pending));
}
