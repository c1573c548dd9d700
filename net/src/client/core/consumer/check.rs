//! Whether a fetched batch is what its producer built, and the one that is next.

use florin_engine::format::batch::{self, Compression};
use florin_engine::limits::BATCH_BYTES_MAX;
use florin_engine::model::Offset;

use crate::client::BatchFault;
use crate::client::core::batch_view::ConsumedBatch;
use crate::protocol::FetchedBatch;

/// The batch without what lies before `next`, the offset to read next; none if reading begins at a time.
/// `may_begin_before` holds for the first batch of an answer only.
pub(super) fn consumed(
    partition: u32,
    next: Option<Offset>,
    may_begin_before: bool,
    fetched: FetchedBatch,
) -> Result<ConsumedBatch, BatchFault> {
    let info = batch::validate(&fetched.bytes, BATCH_BYTES_MAX)?;
    if info.compression != Compression::None {
        return Err(BatchFault::Compressed);
    }
    // Neither is covered by the checksum; the last follows from a count that is.
    let (first, last) = (batch::base_offset(&fetched.bytes)?, batch::last_offset(&fetched.bytes)?);
    let next = next.unwrap_or(first);
    // The answer's table is covered by the frame's checksum; the batch's own offset by none.
    let is_next = if may_begin_before { first <= next && next <= last } else { first == next };
    if !is_next || first != fetched.base_offset {
        return Err(BatchFault::Misplaced { first, last });
    }
    Ok(ConsumedBatch {
        partition,
        append_time: fetched.append_time,
        first_offset: next,
        last_offset: last,
        base_offset: first,
        base_timestamp_ms: info.base_timestamp_ms,
        bytes: fetched.bytes,
    })
}
