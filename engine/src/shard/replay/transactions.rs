//! Transactions and groups from the manifest and from the journal.

use bytes::Buf;

use super::{Mode, ReplayError, ShardState, in_manifest};
use crate::format::manifest::{Manifest, Module};
use crate::group::GroupOffsets;
use crate::model::{PartitionId, TopicId};
use crate::transaction::TransactionCoordinator;

/// Reads what the manifest knows of transactions and groups.
pub(super) fn read(state: &mut ShardState, manifest: &Manifest) -> Result<(), ReplayError> {
    if let Some(section) = manifest.section(Module::Coordinator) {
        state.coordinator = TransactionCoordinator::decode(&section.bytes).map_err(in_manifest)?;
    }
    if let Some(section) = manifest.section(Module::Groups) {
        state.groups = GroupOffsets::decode(&section.bytes).map_err(in_manifest)?;
    }
    match manifest.section(Module::Transactions) {
        Some(section) => read_open(state, &section.bytes),
        None => Ok(()),
    }
}

/// Reads the open transactions of partitions.
fn read_open(state: &mut ShardState, section: &[u8]) -> Result<(), ReplayError> {
    let mut bytes = section;
    let cut_off = |_| in_manifest("section of open transactions is cut off");
    for _ in 0..bytes.try_get_u32_le().map_err(cut_off)? {
        let topic = TopicId(bytes.try_get_u64_le().map_err(cut_off)?);
        let id = PartitionId { topic, index: bytes.try_get_u32_le().map_err(cut_off)? };
        let Some(partition) = state.partitions.get_mut(&id) else {
            return Err(in_manifest(format!("open transactions of unknown partition {id}")));
        };
        let read = partition.decode_transactions(&mut bytes);
        read.map_err(|error| in_manifest(format!("partition {id}: {error}")))?;
    }
    if bytes.is_empty() { Ok(()) } else { Err(in_manifest("open transactions go on behind their end")) }
}

/// Whether a record could be taken; behind lost blocks some cannot.
pub(super) fn done<E: ToString>(applied: Result<(), E>, mode: Mode<'_>) -> Result<(), String> {
    match mode {
        Mode::Strict => applied.map_err(|error| error.to_string()),
        Mode::Salvage(_) => Ok(()),
    }
}
