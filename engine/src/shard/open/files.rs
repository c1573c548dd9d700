//! The files of a shard while it is opened: what was read is made durable, what was cut is cleared.

use std::path::{Path, PathBuf};

use super::ShardFiles;
use crate::checkpoint::slot;
use crate::format::layout::{journal_path, manifest_path};
use crate::format::superblock::{FileUse, Superblock};
use crate::format::virgin;
use crate::io::{Access, Disk, DiskError, DiskErrorKind, DiskFile, DiskOperation};
use crate::journal::recovery::RecoveredBlock;
use crate::journal::write::SuperblockFiles;
use crate::limits::{BLOCKS_IN_FLIGHT_MAX, MANIFEST_SLOT_COUNT, SCAN_READ_BYTES, UNIT_BYTES};
use crate::model::{FileIndex, Position};

/// Writes blocks that nothing states to be durable once more, in place, with the same bytes: at most those of the
/// last window. A sync that failed before may have dropped them from a cache that a read still sees; a write that
/// succeeds leaves no doubt, and one that is torn changes nothing.
pub(super) async fn write_again<D: Disk>(
    files: &ShardFiles<D>,
    blocks: impl Iterator<Item = &RecoveredBlock>,
) -> Result<(), DiskError> {
    for block in blocks {
        let file = &files.ring[usize::from(block.file.0)];
        let mut buffer = file.allocate(block.bytes.len());
        buffer.copy_from_slice(&block.bytes);
        file.write_durable(buffer, block.position).await.result?;
    }
    Ok(())
}

/// Opens every file for writing, and syncs what was read: it may have been in a cache only.
pub(super) async fn open_files<D: Disk>(
    disk: &D,
    shard_directory: &Path,
    superblock: &Superblock,
) -> Result<ShardFiles<D>, DiskError> {
    let geometry = superblock.geometry;
    let mut ring = Vec::new();
    for (index, file) in geometry.files().zip(&superblock.files) {
        let path = journal_path(shard_directory, index);
        let handle = disk.open(&path, Access::Durable).await?;
        check_size(&handle, path, geometry.file_bytes)?;
        if file.state != FileUse::Free {
            handle.sync().await?;
        }
        ring.push(handle);
    }
    for number in 0..MANIFEST_SLOT_COUNT {
        let path = manifest_path(shard_directory, number);
        let handle = disk.open(&path, Access::Read).await?;
        let checked = check_size(&handle, path, slot::file_bytes(geometry));
        handle.close().await;
        checked?;
    }
    let superblocks = SuperblockFiles::open(disk, shard_directory).await?;
    Ok(ShardFiles { directory: shard_directory.to_owned(), ring, superblocks })
}

/// A file that is not as long as it was formatted is damage, also while nothing in it is needed.
fn check_size<F: DiskFile>(file: &F, path: PathBuf, formatted_bytes: u64) -> Result<(), DiskError> {
    if file.size_bytes() == formatted_bytes {
        return Ok(());
    }
    let kind = DiskErrorKind::Short { asked_bytes: formatted_bytes, done_bytes: file.size_bytes() };
    let detail = "the size of the file, and the size it was formatted with".to_owned();
    Err(DiskError { operation: DiskOperation::Open, path, position: None, kind, detail })
}

/// Makes everything behind the accepted end that blocks in flight can have touched virgin again, so that writing can
/// go on there. What is overwritten was cut: nobody was told about it.
pub(super) async fn clear_tail<D: Disk>(
    files: &ShardFiles<D>,
    superblock: &Superblock,
    index: FileIndex,
    end: Position,
) -> Result<(), DiskError> {
    let geometry = superblock.geometry;
    let window = (BLOCKS_IN_FLIGHT_MAX * geometry.block_bytes_max()) as u64;
    let until = geometry.file_bytes.min(end.0 + window);
    let file = &files.ring[usize::from(index.0)];
    let mut position = end;
    while position.0 < until {
        let length = usize::try_from(until - position.0).map_or(SCAN_READ_BYTES, |left| left.min(SCAN_READ_BYTES));
        let mut buffer = file.allocate(length);
        for (number, unit) in buffer.chunks_mut(UNIT_BYTES).enumerate() {
            let at = position.plus((number * UNIT_BYTES) as u64);
            virgin::encode(unit, superblock.name.journal_id, index, at);
        }
        file.write_durable(buffer, position).await.result?;
        position = position.plus(length as u64);
    }
    Ok(())
}
