//! Transactions and groups: requests go to the shard that coordinates the transactional id, or that keeps the group.

use florin_engine::group::GroupOffsets;
use florin_engine::model::{GroupId, ShardId, TransactionKey, TransactionalId};
use florin_engine::shard::{GroupRequest, Request, TransactionRequest};
use florin_engine::transaction::{coordinator_of, shard_of};

use crate::io::Network;
use crate::server::core::{Core, Pending, Waiter};

/// Asks the coordinator of a transactional id.
pub(super) fn of_id<N: Network>(
    core: &Core<N>,
    pending: Pending<N::Stream>,
    name: &TransactionalId,
    request: TransactionRequest,
) {
    let shard = coordinator_of(name, core.shard_count());
    ask(core, pending, shard, Request::Transaction(request));
}

/// Asks the coordinator of a transaction.
pub(super) fn of_transaction<N: Network>(
    core: &Core<N>,
    pending: Pending<N::Stream>,
    transaction: TransactionKey,
    request: TransactionRequest,
) {
    let shard = coordinator(core, pending.connection.shard, transaction);
    ask(core, pending, shard, Request::Transaction(request));
}

/// Asks the shard that keeps a group.
pub(super) fn of_group<N: Network>(
    core: &Core<N>,
    pending: Pending<N::Stream>,
    group: &GroupId,
    request: GroupRequest,
) {
    let shard = GroupOffsets::shard_of(group, core.shard_count());
    ask(core, pending, shard, Request::Group(request));
}

/// Asks the port's shard.
pub(super) fn of_port<N: Network>(core: &Core<N>, pending: Pending<N::Stream>, request: Request) {
    let shard = pending.connection.shard;
    core.ask(shard, request, Waiter::Client(pending));
}

/// The shard that coordinates a transaction; the port's own one if no shard does: that one says so.
pub(super) fn coordinator<N: Network>(core: &Core<N>, port: ShardId, transaction: TransactionKey) -> ShardId {
    let shard = shard_of(transaction.producer);
    if shard.0 < core.shard_count() { shard } else { port }
}

fn ask<N: Network>(core: &Core<N>, pending: Pending<N::Stream>, shard: ShardId, request: Request) {
    if pending.connection.shard != shard {
        core.counters().misrouted.add(1);
    }
    core.ask(shard, request, Waiter::Client(pending));
}
