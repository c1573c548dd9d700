//! A retry gets the offset and time of the first answer, and what was shown keeps them.

use florin_engine::model::{Offset, Realtime};
use florin_engine::producer::ProducerError;

use crate::world::checkers::{Checked, violation};
use crate::world::clients::{PIPELINE_MAX, Producer};
use crate::world::model::SentBatch;

const PROMISE: &str = "original answer";

/// A batch stays where it was.
pub fn is_where_it_was(serial: u64, sent: &SentBatch, base: Offset, time: Realtime) -> Checked {
    match sent.receipt {
        Some((first_base, first_time)) if (first_base, first_time) != (base, time) => {
            violation(PROMISE, format!("batch {serial} at {first_base} ({first_time}) is now at {base} ({time})"))
        }
        _ => Ok(()),
    }
}

/// A retry within the window of a producer in use is not refused for its sequence.
pub fn retry_may_be_refused(serial: u64, sent: &SentBatch, producer: &Producer, error: &ProducerError) -> Checked {
    let newer = producer.newer_count(serial);
    let behind_window = matches!(error, ProducerError::DuplicateBeyondWindow { .. }) && newer >= PIPELINE_MAX;
    if sent.receipt.is_some() && !producer.retired && !behind_window {
        return violation(PROMISE, format!("batch {serial} is stored and was refused: {error}"));
    }
    if matches!(error, ProducerError::SequenceConflict { .. }) && !producer.retired {
        return violation(PROMISE, format!("a retry of batch {serial} conflicts: {error}"));
    }
    Ok(())
}
