//! A start is not refused unless a fault was injected.

use std::path::Path;

use florin_engine::io::Runtime;
use florin_engine::model::ShardId;
use florin_engine::shard::open::{OpenError, read_identity, recover_shard};

use crate::world::checkers::{Checked, violation};
use crate::world::cluster::DATA;
use crate::world::run::World;

const PROMISE: &str = "healthy directory opens";

impl World {
    /// Whoever looks at the directory while nobody uses it finds what a start would find.
    pub fn verifies(&mut self) -> Checked {
        for shard in (0..self.plan.shard_count).map(ShardId) {
            let found = self.on_the_side(move |runtime| async move {
                let identity = read_identity(runtime.disk(), Path::new(DATA)).await?;
                recover_shard(runtime.disk(), Path::new(DATA), &identity, shard).await
            });
            match found {
                Ok(found) if found.superblock.clean && !found.cuts.is_empty() => {
                    return violation(
                        PROMISE,
                        format!("shard {shard} was closed in order and has cuts: {:?}", found.cuts),
                    );
                }
                Ok(_) => {}
                Err(error) => self.may_be_refused(shard, &error)?,
            }
        }
        Ok(())
    }

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
