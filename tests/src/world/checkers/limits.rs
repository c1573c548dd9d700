//! A shard pushes back only for a reason, and holds no more than it may.

use florin_engine::limits::{BLOCK_BYTES_MAX, COLD_WAITING_MAX, REQUESTS_WAITING_MAX};
use florin_engine::shard::{Refusal, ShardStatus};

use crate::world::checkers::{Checked, violation};
use crate::world::run::World;

const PROMISE: &str = "limits";

/// Small worlds never fill a queue, so no capture is told to wait for one.
pub fn pushback_is_due(refusal: &Refusal) -> Checked {
    match refusal {
        Refusal::Busy(shard) => violation(PROMISE, format!("shard {shard} is busy with next to nothing")),
        _ => Ok(()),
    }
}

impl World {
    /// Memory, what waits, what is not synced and what of the journal and of a manifest is used are within their bounds.
    pub fn within_limits(&self) -> Checked {
        let run_bytes_max = |status: &ShardStatus| match self.summary.repair_count {
            0 => status.manifest_run_bytes_max,
            _ => u64::MAX,
        };
        let unsynced_bytes_max = (self.plan.segment_unsynced_bytes + BLOCK_BYTES_MAX) as u64;
        for status in self.cluster.statuses() {
            let held = [
                ("bytes in memory", status.held_bytes as u64, status.held_bytes_max as u64),
                ("requests waiting", status.waiting_count as u64, REQUESTS_WAITING_MAX as u64),
                ("requests waiting for a read", status.cold_waiting_count as u64, COLD_WAITING_MAX as u64),
                ("bytes not synced", status.unsynced_bytes, unsynced_bytes_max),
                ("bytes of the journal", status.journal_used_bytes, status.journal_bytes),
                // A repair leaves as many runs as it must.
                ("bytes of runs in a manifest", status.manifest_run_bytes, run_bytes_max(&status)),
            ];
            if let Some((what, count, most)) = held.into_iter().find(|(_, count, most)| count > most) {
                return violation(PROMISE, format!("shard {}: {count} {what}, {most} may be", status.shard));
            }
        }
        Ok(())
    }
}
