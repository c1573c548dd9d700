//! A damaged shard is repaired, what is lost is what was announced, and nothing is damaged afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use florin_engine::journal::recovery::SalvageError;
use florin_engine::model::{PartitionId, ShardId};
use florin_engine::shard::repair::RepairError;

use crate::world::checkers::{Checked, Violation, violation};
use crate::world::model::PartitionFacts;
use crate::world::repair::Losses;

const PROMISE: &str = "repair";

/// A repair can be planned, and carried out.
pub fn succeeds<T>(shard: ShardId, repaired: Result<T, RepairError>) -> Result<T, Violation> {
    repaired.or_else(|error| violation(PROMISE, format!("shard {shard} cannot be repaired: {error}")))
}

/// Files that were swapped are noticed; whoever puts them back loses nothing.
pub fn is_noticed(shard: ShardId, planned: &Result<Option<Losses>, RepairError>) -> Checked {
    if matches!(planned, Ok(None)) {
        return violation(PROMISE, format!("shard {shard}: files were swapped, and nothing is said to be wrong"));
    }
    Ok(())
}

/// Whether it is a segment file.
pub fn is_segment(path: &Path) -> bool {
    path.to_string_lossy().contains("/segment-")
}

/// A damaged file is among those that a plan names.
pub fn is_named(shard: ShardId, damaged: &Path, named: &[PathBuf]) -> Checked {
    if named.iter().any(|path| path == damaged) {
        return Ok(());
    }
    violation(PROMISE, format!("shard {shard}: {} is damaged, named are {named:?}", damaged.display()))
}

/// Whether what the disk does not give must be copied to a sound one first.
pub fn asks_for_copy(error: &RepairError) -> bool {
    let is_unreadable = |error: &SalvageError| matches!(error, SalvageError::Unreadable { .. });
    match error {
        RepairError::Unreadable { .. } => true,
        RepairError::Journal { error, .. } => is_unreadable(error),
        _ => false,
    }
}

/// What is announced stays the same until it is in force.
pub fn is_as_announced(shard: ShardId, before: &Losses, now: &Losses) -> Checked {
    if before == now {
        return Ok(());
    }
    violation(PROMISE, format!("shard {shard}: {now:?} would be lost, {before:?} was announced"))
}

/// What there is another copy of is made again, and nothing is given up for it.
pub fn costs_nothing(shard: ShardId, losses: &Losses) -> Checked {
    if losses.is_empty() {
        return Ok(());
    }
    violation(PROMISE, format!("shard {shard} lacked a copy, and {losses:?} was given up"))
}

/// Batches that somebody knows of are given up only if they stood where the damage is.
pub fn gives_up_no_more(
    known: &BTreeMap<PartitionId, PartitionFacts>,
    hit: &BTreeSet<(PartitionId, u64)>,
    losses: &Losses,
) -> Checked {
    for (partition, gap) in losses {
        let Some(facts) = known.get(partition) else { continue };
        let mut given_up = facts.batches.range(gap.base_offset.0..gap.next_offset.0);
        if let Some((at, serial)) = given_up.find(|(at, _)| !hit.contains(&(*partition, **at))) {
            return violation(
                PROMISE,
                format!("{partition}: batch {serial} at {at} is sound, and {gap:?} is given up"),
            );
        }
    }
    Ok(())
}

/// What was repaired is sound.
pub fn is_sound(shard: ShardId, left: Option<Losses>) -> Checked {
    match left {
        Some(losses) => violation(PROMISE, format!("shard {shard} is damaged after its repair: {losses:?}")),
        None => Ok(()),
    }
}
