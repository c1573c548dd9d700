//! What is read is what was sent, behind the fields that the server fills in.

use florin_engine::format::batch;
use florin_engine::model::PartitionId;
use florin_engine::partition::HeldBatch;

use crate::world::checkers::{Violation, violation};
use crate::world::clients::serial_of;
use crate::world::model::Model;

const PROMISE: &str = "bytes";
/// The server fills in what lies before: the base offset, and the leader epoch behind the length.
const UNCHANGED_FROM: usize = 16;
const LENGTH_FIELD: std::ops::Range<usize> = 8..12;

impl Model {
    /// The serial of a batch that was read, if it is one that was sent there.
    pub fn is_as_sent(&self, partition: PartitionId, held: &HeldBatch) -> Result<u64, Violation> {
        let wrong = |what: String| violation(PROMISE, format!("{partition} offset {}: {what}", held.base_offset));
        let Some(serial) = serial_of(&held.bytes) else { return wrong("not a batch of these clients".to_owned()) };
        let Some(sent) = self.sent.get(&serial).filter(|sent| sent.partition == partition) else {
            return wrong(format!("batch {serial} was never sent there"));
        };
        let equal = sent.bytes.len() == held.bytes.len()
            && sent.bytes[UNCHANGED_FROM..] == held.bytes[UNCHANGED_FROM..]
            && sent.bytes[LENGTH_FIELD] == held.bytes[LENGTH_FIELD];
        if !equal || batch::base_offset(&held.bytes) != Ok(held.base_offset) {
            return wrong("other bytes than were sent".to_owned());
        }
        if held.last_offset.0 + 1 - held.base_offset.0 != sent.record_count {
            return wrong("wrong number of records".to_owned());
        }
        Ok(serial)
    }
}
