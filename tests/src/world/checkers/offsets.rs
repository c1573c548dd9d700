//! No offset names two batches.

use florin_engine::model::Offset;

use crate::world::checkers::{Checked, violation};
use crate::world::model::Model;

impl Model {
    /// A batch at `base` lies between those that are known.
    pub fn overlaps_nothing(&self, serial: u64, base: Offset) -> Checked {
        let sent = &self.sent[&serial];
        let (partition, end) = (sent.partition, base.0 + sent.record_count);
        let Some(facts) = self.partitions.get(&partition) else { return Ok(()) };
        let Some((at, other)) = facts.batches.range(..end).next_back() else { return Ok(()) };
        if at + self.sent[other].record_count > base.0 {
            let what = format!("{partition}: batch {serial} at {base} overlaps batch {other} at {at}");
            return violation("offsets never minted twice", what);
        }
        Ok(())
    }
}
