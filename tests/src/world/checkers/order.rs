//! Batches of a partition follow each other, and append times do not go back.

use florin_engine::model::{PartitionId, Realtime};
use florin_engine::partition::HeldBatch;

use crate::world::checkers::{Checked, violation};

const PROMISE: &str = "order";

/// Where the next batch of an answer must begin.
#[derive(Clone, Copy, Debug)]
pub struct Following {
    from: u64,
    next: Option<(u64, Realtime)>,
}

impl Following {
    /// An answer to a read from this offset.
    pub fn from(from: u64) -> Self {
        Self { from, next: None }
    }

    /// Takes the next batch of the answer.
    pub fn take(&mut self, partition: PartitionId, held: &HeldBatch) -> Checked {
        let base = held.base_offset;
        let begins_right = match self.next {
            None => base.0 <= self.from && self.from <= held.last_offset.0,
            Some((next, _)) => base.0 == next,
        };
        if !begins_right {
            let must = self.next.map_or(self.from, |(next, _)| next);
            return violation(PROMISE, format!("{partition}: a batch at {base} where {must} must come"));
        }
        if self.next.is_some_and(|(_, time)| held.append_time < time) {
            return violation(PROMISE, format!("{partition}: append time goes back at {base}"));
        }
        self.next = Some((held.last_offset.0 + 1, held.append_time));
        Ok(())
    }
}
