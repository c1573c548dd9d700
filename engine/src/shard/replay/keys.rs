//! Key runs of partitions, from the manifest.
//!
//! Section `Keys`: for each partition of section `Partitions` whose topic has idempotency keys, in the same order, what
//! [`crate::partition::keys::PartitionKeys::encode`] writes.

use super::{ReplayError, ShardState, in_manifest};
use crate::key_run::KeyRun;

/// Tells partitions by what rule their records have keys, and gives them their runs.
pub(super) fn read(state: &mut ShardState, section: Option<&[u8]>) -> Result<(), ReplayError> {
    let mut bytes = section.unwrap_or_default();
    for (id, partition) in &mut state.partitions {
        let descriptor = state.owned.topic(id.topic).expect("partitions and their topics agree");
        partition.take_rule(descriptor, &state.hasher);
        let next_offset = partition.next_offset();
        let Some(keys) = partition.keys_mut() else { continue };
        let read = keys.decode_runs(&mut bytes, next_offset);
        read.map_err(|error| in_manifest(format!("partition {id}: {error}")))?;
        let segments = &state.segments;
        let is_there = |run: &KeyRun| segments.get(run.segment).is_some_and(|file| run.end() <= file.end);
        if !keys.all_runs().all(is_there) {
            return Err(in_manifest(format!("partition {id} has a key run that is in no segment file")));
        }
    }
    if bytes.is_empty() { Ok(()) } else { Err(in_manifest("key runs of more partitions than there are")) }
}
