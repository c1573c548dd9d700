//! What was acknowledged or shown stays where it is: nothing is lost, no end goes back, no offset is given twice.

use std::collections::BTreeSet;

use florin_engine::model::{Offset, PartitionId};
use florin_net::protocol::{Code, ErrorResponse};

use super::AskedFetch;
use crate::wire::ground::Ground;
use crate::world::checkers::{Checked, violation};

impl Ground {
    /// Somebody was told where a partition ends; `known_end` is where it was known to end when that was asked.
    pub(in crate::wire) fn ends_at(&self, partition: PartitionId, known_end: u64, end: Offset) -> Checked {
        if end.0 < known_end {
            return violation("durability", format!("{partition} ends at {end}, it ended at {known_end} before"));
        }
        // An answer that was long on its way says less than others have heard meanwhile.
        if end.0 > self.known_end(partition) {
            return self.model.borrow_mut().ends_at(partition, end);
        }
        Ok(())
    }

    /// No topic of this world lets anything go.
    pub(in crate::wire) fn starts_at_zero(&self, partition: PartitionId, start: Offset) -> Checked {
        if start.0 == 0 { Ok(()) } else { violation("durability", format!("{partition} begins at {start}")) }
    }

    /// A fetch was refused: for its offset only if that does not exist.
    pub(in crate::wire) fn fetch_refused(&self, asked: &AskedFetch, error: &ErrorResponse) -> Checked {
        if error.code != Code::OFFSET_OUT_OF_RANGE {
            return self.is_no_blame(error);
        }
        let [start, end] = error.details;
        self.starts_at_zero(asked.partition, Offset(start))?;
        self.ends_at(asked.partition, asked.known_end, Offset(end))?;
        if asked.from <= end {
            return violation("durability", format!("{} cannot be read: {error}", asked.partition));
        }
        Ok(())
    }

    /// A partition was read from its first offset to `end`: everything that anybody knows of it must be there.
    pub(in crate::wire) fn is_whole(&self, partition: PartitionId, end: u64, serials: &[u64]) -> Checked {
        let model = self.model.borrow();
        let read: BTreeSet<u64> = serials.iter().copied().collect();
        let Some(facts) = model.partitions.get(&partition) else { return Ok(()) };
        if facts.end > end {
            return violation("durability", format!("{partition} was read up to {end}, it ended at {}", facts.end));
        }
        match facts.batches.iter().find(|(_, serial)| !read.contains(serial)) {
            Some((at, serial)) => violation("durability", format!("{partition}: batch {serial} at {at} is gone")),
            None => Ok(()),
        }
    }
}
