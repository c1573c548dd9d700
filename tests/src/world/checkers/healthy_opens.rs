//! A start is not refused unless a fault was injected.

use florin_engine::model::ShardId;
use florin_engine::shard::open::OpenError;

use crate::world::checkers::{Checked, violation};
use crate::world::run::World;

const PROMISE: &str = "healthy directory opens";

impl World {
    /// A start was refused: whether a fault is to blame.
    pub fn may_be_refused(&self, shard: ShardId, error: &OpenError) -> Checked {
        let struck = self.faulty && !matches!(error, OpenError::Identity { .. });
        if struck {
            return Ok(());
        }
        violation(PROMISE, format!("shard {shard} was refused: {error}"))
    }
}

/// Faults strike once, so starts do not fail for ever.
pub fn never_opens() -> Checked {
    violation(PROMISE, "too many failed starts".to_owned())
}
