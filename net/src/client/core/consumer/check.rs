//! Whether a fetched batch is what its producer built, and the one that is next.

use florin_engine::format::batch::{self, Compression, StoredBatch};
use florin_engine::model::Offset;
use florin_engine::transaction::AbortedTransaction;

use crate::client::BatchFault;
use crate::client::core::batch_view::ConsumedBatch;
use crate::protocol::FetchedBatch;

/// What a fetched batch is.
#[derive(Debug)]
pub(super) enum Checked {
    /// Records to be handed out.
    Batch(ConsumedBatch),
    /// Nothing that counts; what follows it begins here.
    PassedOver {
        /// The offset behind it.
        next: Offset,
    },
}

/// The batch without what lies before `next`, the offset to read next; none if reading begins at a time.
/// `may_begin_before` holds for the first batch of an answer only. Batches of `aborted` transactions do not count.
pub(super) fn checked(
    partition: u32,
    next: Option<Offset>,
    may_begin_before: bool,
    aborted: &[AbortedTransaction],
    fetched: FetchedBatch,
) -> Result<Checked, BatchFault> {
    let stored = batch::validate_stored(&fetched.bytes)?;
    // Neither is covered by the checksum; the last follows from a count that is.
    let (first, last) = (batch::base_offset(&fetched.bytes)?, batch::last_offset(&fetched.bytes)?);
    let next = next.unwrap_or(first);
    // The answer's table is covered by the frame's checksum; the batch's own offset by none.
    let is_next = if may_begin_before { first <= next && next <= last } else { first == next };
    if !is_next || first != fetched.base_offset {
        return Err(BatchFault::Misplaced { first, last });
    }
    let StoredBatch::Records(info) = stored else { return Ok(Checked::PassedOver { next: last.plus(1) }) };
    let is_aborted = |transaction| aborted.iter().any(|aborted| aborted.transaction == transaction);
    if info.transaction().is_some_and(is_aborted) {
        return Ok(Checked::PassedOver { next: last.plus(1) });
    }
    if info.compression != Compression::None {
        return Err(BatchFault::Compressed);
    }
    Ok(Checked::Batch(ConsumedBatch {
        partition,
        append_time: fetched.append_time,
        first_offset: next,
        last_offset: last,
        base_offset: first,
        base_timestamp_ms: info.base_timestamp_ms,
        bytes: fetched.bytes,
    }))
}
