//! What fails is the shard whose disk failed, and no other; what is damaged is not opened, and everything else is.

use florin_engine::model::ShardId;

use crate::world::checkers::{Checked, Violation, violation};
use crate::world::repair::Losses;
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
        let refused = self.start_and_refuse()?;
        if refused != [damaged] {
            return violation(PROMISE, format!("shard {damaged} is damaged, those that do not open are {refused:?}"));
        }
        let said = self.cluster.refusal().map_or_else(String::new, |(_, error)| error.to_string());
        if !said.contains(&format!("shard {damaged}")) && !said.contains(&format!("shard-{damaged}")) {
            return violation(PROMISE, format!("shard {damaged} is damaged, and its refusal says: {said}"));
        }
        self.lose_power()
    }

    /// A server one of whose shards lacks a file that there is another copy of, or that holds nothing in force, is started:
    /// it opens the others. Then the power goes.
    pub fn opens_others(&mut self, lacking: ShardId) -> Checked {
        let refused = self.start_and_refuse()?;
        if refused.iter().any(|shard| *shard != lacking) {
            return violation(PROMISE, format!("shard {lacking} lacks a file, those that do not open are {refused:?}"));
        }
        self.lose_power()
    }

    fn start_and_refuse(&mut self) -> Result<Vec<ShardId>, Violation> {
        self.start();
        self.wait(|cluster| cluster.is_settled(), "shards did not open")?;
        Ok(self.cluster.refused())
    }

    /// A server whose shard has a damaged segment file is started: it opens all shards, and serves everything but the
    /// offsets that it names. Then the power goes.
    pub fn serves_around(&mut self, damaged: ShardId) -> Checked {
        self.damaged = Some(damaged);
        self.damage_seen.clear();
        self.start();
        self.settle_start()?;
        self.damaged = None;
        self.lose_power()
    }

    /// What a repair gives up could not be read.
    pub fn could_not_be_read(&self, losses: &Losses) -> Checked {
        let read = self.live_partitions();
        for (partition, gap) in losses.iter().filter(|(partition, _)| read.contains(partition)) {
            let mut reached = gap.base_offset;
            let mut seen: Vec<_> = self.damage_seen.iter().filter(|(of, ..)| of == partition).collect();
            seen.sort_unstable();
            for (_, from, to) in seen {
                if *from <= reached {
                    reached = reached.max(*to);
                }
            }
            if reached < gap.next_offset {
                return violation(PROMISE, format!("{partition}: {gap:?} is given up, and was read from {reached} on"));
            }
        }
        Ok(())
    }
}
