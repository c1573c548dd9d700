//! No batch is older than its first sending.

use florin_engine::model::Realtime;

use crate::world::checkers::{Checked, violation};
use crate::world::model::SentBatch;

/// A batch was appended when it was sent, or later.
pub fn is_behind_sending(serial: u64, sent: &SentBatch, time: Realtime) -> Checked {
    if time < sent.sent_at {
        return violation("append time", format!("batch {serial} was appended before it was sent"));
    }
    Ok(())
}
