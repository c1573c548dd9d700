//! What a fetch brings are the batches of its partition, as they were sent, in their order and without a gap.

use florin_engine::format::batch;
use florin_engine::model::PartitionId;
use florin_engine::partition::HeldBatch;
use florin_net::protocol::{FetchResponse, FetchedBatch};

use crate::wire::ground::Ground;
use crate::world::Violation;
use crate::world::checkers::{Checked, violation};

/// A fetch as it was asked for.
#[derive(Clone, Copy, Debug)]
pub(in crate::wire) struct AskedFetch {
    /// From which partition.
    pub(in crate::wire) partition: PartitionId,
    /// From which offset on.
    pub(in crate::wire) from: u64,
    /// Bytes at most.
    pub(in crate::wire) bytes_max: usize,
    /// Where the partition was known to end when this was asked.
    pub(in crate::wire) known_end: u64,
}

impl Ground {
    /// Takes the answer to a fetch; the serials of its batches.
    pub(in crate::wire) fn fetched(&self, asked: &AskedFetch, fetched: &FetchResponse) -> Result<Vec<u64>, Violation> {
        let AskedFetch { partition, from, bytes_max, known_end } = *asked;
        self.starts_at_zero(partition, fetched.start_offset)?;
        self.ends_at(partition, known_end, fetched.high_watermark)?;
        fits(asked, fetched, bytes_max)?;
        let mut serials = Vec::new();
        let (mut expected, mut last_time) = (None, None);
        for batch in &fetched.batches {
            let held = held(partition, batch)?;
            let (base, last) = (held.base_offset.0, held.last_offset.0);
            let is_next = expected.map_or(base <= from && from <= last, |expected| expected == base);
            if !is_next {
                let wanted = expected.unwrap_or(from);
                return violation("order", format!("{partition}: batch at {base} where {wanted} must come"));
            }
            if last_time.is_some_and(|last_time| held.append_time < last_time) {
                return violation("order", format!("{partition}: append time goes back at {base}"));
            }
            if last >= fetched.high_watermark.0 {
                return violation("durability", format!("{partition}: offset {last} is shown beyond the end"));
            }
            serials.push(self.model.borrow_mut().shown(partition, &held)?);
            (expected, last_time) = (Some(last + 1), Some(held.append_time));
        }
        self.count(|summary| summary.shown_count += serials.len() as u64);
        Ok(serials)
    }
}

/// At least one batch if there is one, and not more bytes than were asked for unless it is one.
fn fits(asked: &AskedFetch, fetched: &FetchResponse, bytes_max: usize) -> Checked {
    let AskedFetch { partition, from, .. } = *asked;
    let bytes: usize = fetched.batches.iter().map(|batch| batch.bytes.len()).sum();
    if fetched.batches.is_empty() && from < fetched.high_watermark.0 {
        return violation("answers fit", format!("{partition}: nothing from {from} on, before the end"));
    }
    if bytes > bytes_max && fetched.batches.len() > 1 {
        return violation("answers fit", format!("{partition}: {bytes} bytes, {bytes_max} were asked for"));
    }
    Ok(())
}

fn held(partition: PartitionId, batch: &FetchedBatch) -> Result<HeldBatch, Violation> {
    let FetchedBatch { base_offset, append_time, bytes } = batch;
    match batch::last_offset(bytes) {
        Ok(last_offset) => Ok(HeldBatch {
            base_offset: *base_offset,
            last_offset,
            append_time: *append_time,
            undecided: 0,
            bytes: bytes.clone(),
        }),
        Err(error) => violation("bytes", format!("{partition} offset {base_offset}: {error}")),
    }
}
