//! InitProducer: an identity from the port's shard.

use florin_engine::shard::Request;

use crate::io::Network;
use crate::server::core::{Core, Pending, Waiter};

/// Asks the port's shard: every shard mints ids of its own.
pub(super) fn init<N: Network>(core: &Core<N>, pending: Pending<N::Stream>) {
    let shard = pending.connection.shard;
    core.ask(shard, Request::InitProducer, Waiter::Client(pending));
}
