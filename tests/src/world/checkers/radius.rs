//! What fails is the shard whose disk failed, and no other; what is damaged is not opened, and everything else is.

use florin_engine::model::ShardId;

use crate::world::checkers::{Checked, violation};
use crate::world::run::World;

const PROMISE: &str = "radius";

impl World {
    /// A shard says that it has failed: a fault was injected on its files since the server was started.
    pub fn has_reason_to_fail(&self, shard: ShardId) -> Checked {
        if self.struck.contains(&shard) {
            return Ok(());
        }
        violation(PROMISE, format!("shard {shard} failed, and nothing was wrong with its files"))
    }

    /// A server whose shard has a damaged journal is started: it refuses that one and opens the others. Then the power
    /// goes.
    pub fn opens_without(&mut self, damaged: ShardId) -> Checked {
        self.start();
        self.wait(|cluster| cluster.is_settled(), "shards did not open")?;
        let refused = self.cluster.refused();
        if refused != [damaged] {
            return violation(PROMISE, format!("shard {damaged} is damaged, those that do not open are {refused:?}"));
        }
        self.lose_power()
    }
}
