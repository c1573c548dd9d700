//! Negotiate: who is there, and what is spoken.

use std::sync::atomic::Ordering;

use florin_engine::limits::{FETCH_BYTES_MAX, PRODUCER_WINDOW_BATCHES};

use crate::io::Network;
use crate::limits::{CONNECTION_REQUESTS_MAX, REQUEST_BYTES_MAX};
use crate::protocol::{API_VERSIONS, Negotiated, Response};
use crate::server::core::{Core, Pending};

const NANOSECONDS_PER_MILLISECOND: u64 = 1_000_000;

/// Introduces the server.
pub(super) fn negotiate<N: Network>(core: &Core<N>, pending: Pending<N::Stream>, client: &str) {
    let connection = &pending.connection;
    tracing::debug!(peer = %connection.peer, shard = %connection.shard, client, "negotiated");
    connection.set_negotiated();
    let small = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    let idle_ms = core.settings.patience.idle_ns / NANOSECONDS_PER_MILLISECOND;
    let negotiated = Negotiated {
        directory_id: core.shared.directory_id,
        shard: connection.shard.0,
        shard_count: u16::try_from(core.shared.shards.len()).expect("shards are bounded"),
        server: concat!("florin ", env!("CARGO_PKG_VERSION")).to_owned(),
        request_bytes_max: small(REQUEST_BYTES_MAX),
        batch_bytes_max: small(core.shared.batch_bytes_max.load(Ordering::Relaxed)),
        fetch_bytes_max: small(FETCH_BYTES_MAX),
        requests_max: small(CONNECTION_REQUESTS_MAX),
        retry_window_batches: small(PRODUCER_WINDOW_BATCHES),
        idle_ms: u32::try_from(idle_ms).unwrap_or(u32::MAX),
        apis: API_VERSIONS.to_vec(),
    };
    core.answer_now(pending, &Response::Negotiated(negotiated));
}
