//! How the server is doing, in words for people and in one status for those that ask by themselves.

use std::fmt::Write;

use crate::metrics::ShardCounters;
use crate::protocol::ShardState;
use crate::server::shared::{ServerShared, SharedShard};

#[cfg(test)]
mod tests;

/// How the server is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// Every shard takes captures, and nothing is in its way.
    Ready,
    /// Every shard takes captures, and somebody should look at what will stop one if it goes on.
    Degraded,
    /// A shard does not take captures, or the server is ending.
    NotReady,
}

/// How it is doing, and a text of it: the status, and of each shard its state, what is wrong, and what it stores.
pub(super) fn health(shared: &ServerShared) -> (Health, String) {
    let is_degraded = shared.shards.iter().any(|shard| complaints(&shard.counters).next().is_some());
    let (health, name) = match (shared.is_ready(), is_degraded) {
        (true, false) => (Health::Ready, "ready"),
        (true, true) => (Health::Degraded, "degraded"),
        (false, _) => (Health::NotReady, "not ready"),
    };
    let mut text = format!("{name}\n");
    for (number, shard) in shared.shards.iter().enumerate() {
        let _ = write!(text, "shard {number}: {}", state_name(shard.state()));
        if !shard.problem().is_empty() {
            let _ = write!(text, " ({})", shard.problem());
        }
        text.push('\n');
        put_storage(&mut text, shard);
    }
    (health, text)
}

fn state_name(state: ShardState) -> &'static str {
    match state {
        ShardState::Starting => "starting",
        ShardState::Serving => "serving",
        ShardState::Failed => "failed",
        ShardState::Stopping => "stopping",
        ShardState::NotOpen => "not open",
    }
}

/// What will stop a shard if nobody looks at it, and what to do.
fn complaints(of: &ShardCounters) -> impl Iterator<Item = &'static str> {
    let all = [
        (
            &of.disk_full,
            "the disk is full: captures go on until the journal is full: make room, or shorten the retention of topics",
        ),
        (
            &of.manifest_full,
            "the manifest has no room for more runs: captures go on until the journal is full: use fewer partitions per \
             shard, larger segments, or a shorter retention",
        ),
        (
            &of.clock_suspended,
            "the wall clock jumped: nothing expires and nothing is cut: look at it, then `florin clock confirm`",
        ),
    ];
    all.into_iter().filter(|(counter, _)| counter.get() != 0).map(|(_, words)| words)
}

/// What a shard stores, once it is open.
fn put_storage(text: &mut String, shard: &SharedShard) {
    let of = &shard.counters;
    if of.journal_ring_bytes.get() == 0 {
        return;
    }
    for complaint in complaints(of) {
        let _ = writeln!(text, "  degraded: {complaint}");
    }
    let _ = writeln!(
        text,
        "  at rest: {} segment files, {} bytes, {} not synced; {} cold reads, {} requests wait for one",
        of.segments.get(),
        of.stored_bytes.get(),
        of.unsynced_bytes.get(),
        of.cold_reads.get(),
        of.cold_waiting.get()
    );
    let _ = writeln!(
        text,
        "  idempotency keys: {} not at rest, {} bytes of others in memory; {} reads, {} requests wait for one",
        of.keys_recent.get(),
        of.keys_cached_bytes.get(),
        of.keys_reads.get(),
        of.keys_waiting.get()
    );
    let _ = writeln!(
        text,
        "  transactions: {} open in partitions, {} decided and not settled; {} transactional ids, {} groups",
        of.open_transactions.get(),
        of.unsettled_transactions.get(),
        of.transactional_ids.get(),
        of.groups.get()
    );
    let _ = writeln!(
        text,
        "  in use: {} of {} bytes of memory, {} of {} bytes of the journal, {} of {} bytes of the manifest",
        of.held_bytes.get(),
        of.held_bytes_max.get(),
        of.journal_used_bytes.get(),
        of.journal_ring_bytes.get(),
        of.manifest_run_bytes.get(),
        of.manifest_run_bytes_max.get()
    );
}
