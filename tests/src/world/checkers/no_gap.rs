//! A partition reads from its first offset to its end.

use florin_engine::model::PartitionId;
use florin_engine::shard::Fetched;

use crate::world::checkers::{Checked, violation};

/// What was read of a whole partition begins where it is known to begin, and ends where it ends.
pub fn is_whole(partition: PartitionId, start: u64, end: u64, fetched: &Fetched) -> Checked {
    if fetched.start_offset.0 == start && end == fetched.high_watermark.0 {
        return Ok(());
    }
    let (from, to) = (fetched.start_offset, fetched.high_watermark);
    violation("no gap", format!("{partition} holds offsets {from} to {end}, its end is {to}, its start was {start}"))
}
