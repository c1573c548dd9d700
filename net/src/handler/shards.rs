//! DescribeShards, and ConfirmClock for the port's shard.

use florin_engine::shard::Request;

use crate::io::Network;
use crate::protocol::Response;
use crate::server::core::{Core, Pending, Waiter};

/// Says how every shard is doing, as it was published last: shards of other cores are not asked.
pub(super) fn describe<N: Network>(core: &Core<N>, pending: Pending<N::Stream>) {
    core.publish();
    let shards = (0..).zip(&core.shared.shards).map(|(number, shard)| shard.describe(number)).collect();
    core.answer_now(pending, &Response::Shards(shards));
}

/// Asks the port's shard to trust its clock again.
pub(super) fn confirm_clock<N: Network>(core: &Core<N>, pending: Pending<N::Stream>) {
    let shard = pending.connection.shard;
    core.ask(shard, Request::ConfirmClock, Waiter::Client(pending));
}
