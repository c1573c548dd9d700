//! Fetch: durable batches, now or when there are some.

use florin_engine::limits::FETCH_BYTES_MAX;
use florin_engine::model::PartitionId;
use florin_engine::partition::Isolation;
use florin_engine::shard::{FetchFrom, Request};

use super::produce::owner;
use crate::io::Network;
use crate::limits::FORWARDED_FETCH_BYTES_MAX;
use crate::protocol::{Code, ErrorResponse, RequestFrom, Response};
use crate::server::core::{Core, Pending, Waiter};

const NANOSECONDS_PER_MILLISECOND: u64 = 1_000_000;

/// Asks the owner for batches.
pub(super) fn fetch<N: Network>(
    core: &Core<N>,
    pending: Pending<N::Stream>,
    partition: PartitionId,
    (from, isolation): (RequestFrom, Isolation),
    bytes_max: u32,
    wait_ms: u32,
) {
    let waiting = pending.connection.polls().borrow().len();
    if wait_ms > 0 && !core.polls.admits(waiting) {
        let message =
            "too many fetches wait on this connection for what the server has room for: wait for fewer at once";
        return core.answer_now(pending, &Response::Error(ErrorResponse::new(Code::OVERLOADED, message)));
    }
    let from = match from {
        RequestFrom::Offset(offset) => FetchFrom::Offset(offset),
        RequestFrom::Time(time) => FetchFrom::Time(time),
    };
    let wait_ns = u64::from(wait_ms) * NANOSECONDS_PER_MILLISECOND;
    let shard = owner(core, pending.connection.shard, partition);
    let is_here = core.shared.executor_of(shard) == core.mesh.executor();
    let limit = if is_here { FETCH_BYTES_MAX } else { FORWARDED_FETCH_BYTES_MAX };
    let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX).min(limit);
    core.ask(shard, Request::Fetch { partition, from, bytes_max, wait_ns, isolation }, Waiter::Client(pending));
}
