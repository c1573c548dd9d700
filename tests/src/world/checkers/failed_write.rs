//! A shard notices a failed write on its journal or superblock, and acknowledges nothing after it.

use florin_engine::model::{RequestId, ShardId};
use florin_engine::shard::Reply;

use crate::world::checkers::{Checked, violation};
use crate::world::run::World;

const PROMISE: &str = "a failed write ends acks";
/// Virtual time in which any disk operation ends.
const WRITE_PATIENCE_NS: u64 = 250_000_000;

impl World {
    /// A journal or superblock write that failed must have stopped its shard.
    pub fn check_failed_writes(&mut self) -> Checked {
        if self.watched.is_empty() {
            return Ok(());
        }
        let armed = self.device.disarm();
        let is_armed = |path: &str| armed.iter().any(|injection| injection.path_contains == path);
        let (waiting, struck): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.watched).into_iter().partition(|(_, path)| is_armed(path));
        self.watched = waiting;
        armed.into_iter().for_each(|injection| self.device.inject(injection));
        for (shard, path) in struck {
            let _ = self.executor.run_for(WRITE_PATIENCE_NS);
            self.take_seen()?;
            let status = self.cluster.statuses().into_iter().find(|status| status.shard == shard);
            if status.is_some_and(|status| status.failed.is_none()) {
                return violation(PROMISE, format!("shard {shard} goes on after a failed write on {path}"));
            }
        }
        Ok(())
    }

    /// An answer to a request that was sent after the shard had failed acknowledges nothing new.
    pub fn acknowledges_nothing_new(&self, shard: ShardId, id: RequestId, reply: &Reply) -> Checked {
        let after_failure = self.failed_before.get(&shard).is_some_and(|first| id >= *first);
        if after_failure && matches!(reply, Reply::Captured { duplicate: false, .. } | Reply::Checkpointed { .. }) {
            return violation(PROMISE, format!("shard {shard} answered {reply:?} after it had failed"));
        }
        Ok(())
    }
}
