//! Formats a data directory: every file at its final size, every unit of the journal written once.

use std::path::{Path, PathBuf};

use crate::checkpoint::slot;
use crate::format::block::JournalName;
use crate::format::checksum::Chain;
use crate::format::identity::{IDENTITY_BYTES, IDENTITY_FILE_BYTES, Identity};
use crate::format::layout::{self, Copy, Geometry, GeometryError};
use crate::format::manifest::{Manifest, ManifestTooLarge};
use crate::format::superblock::{ManifestName, RingFile, SUPERBLOCK_BYTES, Superblock};
use crate::format::virgin;
use crate::io::{Disk, DiskError, DiskErrorKind, DiskFile, UNIT_BYTES};
use crate::limits::{MANIFEST_SLOT_COUNT, SCAN_READ_BYTES, SHARD_COUNT_MAX};
use crate::model::{Epoch, FileIndex, Id128, Position, Realtime, Sequence, ShardId};

/// What a new directory shall be.
#[derive(Clone, Debug)]
pub struct FormatSettings {
    /// Its random name.
    pub directory_id: Id128,
    /// One secret random name per shard: as many shards as names.
    pub journal_ids: Vec<Id128>,
    /// Sizes, the same for every shard.
    pub geometry: Geometry,
    /// Now.
    pub created: Realtime,
}

/// Why a directory was not formatted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// There is a Florin directory already.
    #[error("{0} is a Florin data directory already: nothing was changed")]
    AlreadyFormatted(PathBuf),
    /// A format was begun and not finished.
    #[error("{0} holds an unfinished format: remove the directory and format again")]
    Unfinished(PathBuf),
    /// Something else is in the directory.
    #[error("{path} is not empty (it holds {name:?}): choose an absent or empty directory")]
    NotEmpty {
        /// The directory.
        path: PathBuf,
        /// The first name in it.
        name: String,
    },
    /// Too few or too many shards.
    #[error("{0} shards: choose from 1 to {SHARD_COUNT_MAX}")]
    ShardCount(usize),
    /// Impossible sizes.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
    /// The empty state does not fit into a manifest slot.
    #[error(transparent)]
    Manifest(#[from] ManifestTooLarge),
    /// The disk failed; the directory is left unfinished.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// The file that may stand in a directory before it is formatted: the lock of the process that formats it.
pub const LOCK_NAME: &str = "lock";

/// Formats `directory`, which must be absent or empty. The identity is named last: a directory without it was never
/// finished.
pub async fn format<D: Disk>(disk: &D, directory: &Path, settings: &FormatSettings) -> Result<(), FormatError> {
    settings.geometry.check()?;
    let shard_count = u16::try_from(settings.journal_ids.len()).unwrap_or(u16::MAX);
    if !(1..=SHARD_COUNT_MAX).contains(&shard_count) {
        return Err(FormatError::ShardCount(settings.journal_ids.len()));
    }
    prepare_directory(disk, directory).await?;
    let draft = disk.create(&layout::identity_draft_path(directory), IDENTITY_FILE_BYTES as u64).await?;
    for (number, journal_id) in (0..shard_count).zip(&settings.journal_ids) {
        let name = JournalName { journal_id: *journal_id, shard: ShardId(number) };
        format_shard(disk, directory, settings, name).await?;
    }
    disk.sync_directory(directory).await?;
    let identity = Identity { directory_id: settings.directory_id, shard_count, created: settings.created };
    let mut buffer = draft.allocate(IDENTITY_FILE_BYTES);
    for copy in buffer.chunks_mut(IDENTITY_BYTES) {
        copy.copy_from_slice(&identity.encode());
    }
    draft.write_unsynced(buffer, Position(0)).await.result?;
    draft.sync().await?;
    draft.close().await;
    disk.rename(&layout::identity_draft_path(directory), &layout::identity_path(directory)).await?;
    disk.sync_directory(directory).await?;
    Ok(())
}

async fn prepare_directory<D: Disk>(disk: &D, directory: &Path) -> Result<(), FormatError> {
    match disk.list(directory).await {
        Ok(names) => {
            let has = |name: &str| names.iter().any(|found| found == name);
            if has("identity") {
                return Err(FormatError::AlreadyFormatted(directory.to_owned()));
            }
            if has("identity.draft") {
                return Err(FormatError::Unfinished(directory.to_owned()));
            }
            if let Some(name) = names.into_iter().find(|name| name != LOCK_NAME) {
                return Err(FormatError::NotEmpty { path: directory.to_owned(), name });
            }
        }
        Err(error) if error.kind == DiskErrorKind::NotFound => disk.create_directory(directory).await?,
        Err(error) => return Err(error.into()),
    }
    // Also of a directory that was there: nobody knows whether whoever made it has synced its name.
    let parent = match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    Ok(disk.sync_directory(parent).await?)
}

async fn format_shard<D: Disk>(
    disk: &D,
    directory: &Path,
    settings: &FormatSettings,
    name: JournalName,
) -> Result<(), FormatError> {
    let shard_directory = layout::shard_path(directory, name.shard);
    let geometry = settings.geometry;
    disk.create_directory(&shard_directory).await?;
    for file in geometry.files() {
        write_virgin(disk, &layout::journal_path(&shard_directory, file), geometry, name.journal_id, file).await?;
    }
    let empty = Manifest {
        directory_id: settings.directory_id,
        shard: name.shard,
        generation: 1,
        sequence: Sequence(0),
        sections: Vec::new(),
    };
    let encoded = empty.encode(geometry.manifest_bytes)?;
    for number in 0..MANIFEST_SLOT_COUNT {
        let path = layout::manifest_path(&shard_directory, number);
        let file = disk.create(&path, slot::file_bytes(geometry)).await?;
        if number == 0 {
            for copy in slot::copy_positions(geometry) {
                let mut buffer = file.allocate(encoded.bytes.len());
                buffer.copy_from_slice(&encoded.bytes);
                file.write_unsynced(buffer, copy).await.result?;
            }
        }
        file.sync().await?;
        file.close().await;
    }
    let superblock = Superblock {
        directory_id: settings.directory_id,
        name,
        geometry,
        generation: 1,
        epoch: Epoch(0),
        epoch_first_sequence: Sequence(1),
        confirmed_sequence: Sequence(0),
        confirmed_chain: Chain(0),
        clean: true,
        manifest: ManifestName { slot: 0, generation: 1, checksum: encoded.checksum },
        files: vec![RingFile::default(); usize::from(geometry.file_count)],
    };
    for copy in [Copy::A, Copy::B] {
        let file = disk.create(&layout::superblock_path(&shard_directory, copy), SUPERBLOCK_BYTES as u64).await?;
        let mut buffer = file.allocate(SUPERBLOCK_BYTES);
        superblock.encode(&mut buffer);
        file.write_unsynced(buffer, Position(0)).await.result?;
        file.sync().await?;
        file.close().await;
    }
    disk.sync_directory(&shard_directory).await?;
    Ok(())
}

/// Creates a ring file at `path`, where nothing may stand, and writes every unit of it once.
pub async fn write_virgin<D: Disk>(
    disk: &D,
    path: &Path,
    geometry: Geometry,
    journal_id: Id128,
    index: FileIndex,
) -> Result<(), DiskError> {
    let file = disk.create(path, geometry.file_bytes).await?;
    let mut position = Position(0);
    while position.0 < geometry.file_bytes {
        let left = geometry.file_bytes - position.0;
        let length = usize::try_from(left).map_or(SCAN_READ_BYTES, |left| left.min(SCAN_READ_BYTES));
        let mut buffer = file.allocate(length);
        for (number, unit) in buffer.chunks_mut(UNIT_BYTES).enumerate() {
            virgin::encode(unit, journal_id, index, position.plus((number * UNIT_BYTES) as u64));
        }
        file.write_unsynced(buffer, position).await.result?;
        position = position.plus(length as u64);
    }
    file.sync().await?;
    file.close().await;
    Ok(())
}

#[cfg(test)]
mod tests;
