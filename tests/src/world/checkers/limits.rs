//! A shard pushes back only for a reason.

use florin_engine::shard::Refusal;

use crate::world::checkers::{Checked, violation};

/// Small worlds never fill a queue, so no capture is told to wait for one.
pub fn pushback_is_due(refusal: &Refusal) -> Checked {
    match refusal {
        Refusal::Busy(shard) => violation("limits", format!("shard {shard} is busy with next to nothing")),
        _ => Ok(()),
    }
}
