//! Section `Keys`: where idempotency keys are at rest.

use florin_engine::catalogue::OwnedState;
use florin_engine::format::manifest::Section;
use florin_engine::key::KeyHasher;
use florin_engine::key_run::KeyRun;
use florin_engine::model::{Id128, Offset, PartitionId};
use florin_engine::partition::Partition;
use serde::Serialize;

use super::Contents;
use crate::time::rfc3339;

/// The key runs of a shard.
#[derive(Debug, Serialize)]
pub struct Keys {
    /// Partitions whose topics have idempotency keys.
    pub partitions: Vec<PartitionKeysView>,
}

/// The key runs of a partition.
#[derive(Debug, Serialize)]
pub struct PartitionKeysView {
    /// The topic.
    pub topic: u64,
    /// The partition's index in it.
    pub partition: u32,
    /// Its runs, in the order of offsets.
    pub key_runs: Vec<KeyRunView>,
}

/// A key run.
#[derive(Debug, Serialize)]
pub struct KeyRunView {
    /// The file.
    pub segment: u64,
    /// Where it begins there.
    pub position: u64,
    /// Its bytes.
    pub bytes: u64,
    /// Keys in it.
    pub entry_count: u64,
    /// The first offset whose key it would have.
    pub base_offset: u64,
    /// The first offset behind them.
    pub next_offset: u64,
    /// Append time of its oldest key.
    pub first_append_time: String,
    /// Append time of its latest key.
    pub last_append_time: String,
    /// The runs that it was made of, which say the same.
    pub spares: Vec<KeyRunView>,
}

impl KeyRunView {
    fn of(run: &KeyRun, spares: &[KeyRun]) -> Self {
        Self {
            segment: run.segment.0,
            position: run.position.0,
            bytes: run.bytes,
            entry_count: run.entry_count,
            base_offset: run.base_offset.0,
            next_offset: run.next_offset.0,
            first_append_time: rfc3339(run.first_append_time),
            last_append_time: rfc3339(run.last_append_time),
            spares: spares.iter().map(|spare| Self::of(spare, &[])).collect(),
        }
    }
}

/// `ends`: where each open partition goes on, in the order of section `Partitions`.
pub(super) fn decode(
    section: &Section,
    owned: &OwnedState,
    ends: &[(PartitionId, Offset)],
) -> Result<Contents, String> {
    let mut bytes = &section.bytes[..];
    let mut partitions = Vec::new();
    for (id, next_offset) in ends {
        let descriptor = owned.topic(id.topic).ok_or_else(|| format!("partition {id} has no topic"))?;
        // Nothing is looked up: what hashes keys does not matter.
        let mut partition = Partition::of(descriptor, *id, &KeyHasher::new(Id128::default()));
        let Some(keys) = partition.keys_mut() else { continue };
        keys.decode_runs(&mut bytes, *next_offset).map_err(|error| format!("partition {id}: {error}"))?;
        let key_runs = keys.sets().iter().map(|set| KeyRunView::of(&set.run, &set.spares)).collect();
        partitions.push(PartitionKeysView { topic: id.topic.0, partition: id.index, key_runs });
    }
    if bytes.is_empty() {
        Ok(Contents::Keys(Keys { partitions }))
    } else {
        Err(format!("{} bytes are left behind it", bytes.len()))
    }
}
