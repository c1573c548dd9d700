//! What a shard holds, found without changing anything: the first steps of every start, and all of one for those who
//! only want to look.

use std::path::Path;

use super::OpenError;
use crate::checkpoint::slot::{self, ReadManifest};
use crate::format::identity::Identity;
use crate::format::layout::shard_path;
use crate::format::superblock::Superblock;
use crate::io::Disk;
use crate::journal::recovery::{CutUnit, Recovery, Told, recover};
use crate::journal::write::read_superblocks;
use crate::model::ShardId;
use crate::shard::replay::{ShardState, replay};

/// A shard as a start would find it.
#[derive(Debug)]
pub struct RecoveredShard {
    /// The superblock in force.
    pub superblock: Superblock,
    /// What manifest and journal say together.
    pub state: ShardState,
    /// Remains of a last write that nobody was told about: a start cuts them off.
    pub cuts: Vec<CutUnit>,
    /// Copies that are damaged; the other one is used.
    pub notes: Vec<String>,
}

/// What is read before anything is decided.
pub(super) struct Found {
    pub(super) manifest: ReadManifest,
    pub(super) recovery: Recovery,
    pub(super) state: ShardState,
}

/// Recovers a shard of a directory that no other process uses, and writes nothing.
///
/// # Errors
/// Those for which a start refuses the shard.
pub async fn recover_shard<D: Disk>(
    disk: &D,
    directory: &Path,
    identity: &Identity,
    shard: ShardId,
) -> Result<RecoveredShard, OpenError> {
    let shard_directory = shard_path(directory, shard);
    let copies = read_superblocks(disk, &shard_directory, identity.directory_id, shard).await;
    let chosen = copies.choose().map_err(|error| OpenError::Superblock { shard, error })?;
    let found = find(disk, &shard_directory, &chosen.superblock, identity.shard_count).await?;
    Ok(RecoveredShard {
        superblock: chosen.superblock,
        state: found.state,
        cuts: found.recovery.cuts,
        notes: [chosen.notes, found.manifest.notes].concat(),
    })
}

/// Reads the manifest in force and the journal, and replays the one behind the other.
pub(super) async fn find<D: Disk>(
    disk: &D,
    shard_directory: &Path,
    superblock: &Superblock,
    shard_count: u16,
) -> Result<Found, OpenError> {
    let shard = superblock.name.shard;
    let manifest = slot::read(disk, shard_directory, superblock).await;
    let manifest = manifest.map_err(|error| OpenError::Manifest { shard, error })?;
    let later = slot::later_manifests(disk, shard_directory, superblock).await;
    let told = Told::by(manifest.manifest.sequence).and(later.sequence);
    let recovery = recover(disk, shard_directory, superblock, told).await;
    if !recovery.damage.is_empty() {
        return Err(OpenError::Journal { shard, damage: recovery.damage });
    }
    let state = replay(superblock.name, shard_count, &manifest.manifest, &recovery.blocks);
    let state = state.map_err(|error| OpenError::Replay { shard, error })?;
    Ok(Found { manifest, recovery, state })
}
