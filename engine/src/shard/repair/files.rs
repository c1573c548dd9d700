//! Files of fixed size that are missing or of another size: they are made anew, because a start refuses a shard without
//! them.

use std::path::{Path, PathBuf};

use crate::checkpoint::slot;
use crate::format::layout::{Copy, journal_path, manifest_path, superblock_path};
use crate::format::superblock::{SUPERBLOCK_BYTES, Superblock};
use crate::io::{Access, Disk, DiskError, DiskErrorKind, DiskFile};
use crate::journal::create::write_virgin;
use crate::limits::MANIFEST_SLOT_COUNT;
use crate::marks::{self, Mark};
use crate::model::{FileIndex, Position};

/// Files to be made anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Missing {
    superblocks: Vec<Copy>,
    manifests: Vec<u8>,
    ring: Vec<FileIndex>,
}

impl Missing {
    /// Looks at all files of fixed size.
    pub(super) async fn find<D: Disk>(disk: &D, directory: &Path, superblock: &Superblock) -> Result<Self, DiskError> {
        let geometry = superblock.geometry;
        let mut missing = Self::default();
        for copy in [Copy::A, Copy::B] {
            if !is_there(disk, &superblock_path(directory, copy), SUPERBLOCK_BYTES as u64).await? {
                missing.superblocks.push(copy);
            }
        }
        for number in 0..MANIFEST_SLOT_COUNT {
            if !is_there(disk, &manifest_path(directory, number), slot::file_bytes(geometry)).await? {
                missing.manifests.push(number);
            }
        }
        for index in geometry.files() {
            if !is_there(disk, &journal_path(directory, index), geometry.file_bytes).await? {
                missing.ring.push(index);
            }
        }
        Ok(missing)
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Their paths.
    pub(super) fn paths(&self, directory: &Path) -> Vec<PathBuf> {
        let superblocks = self.superblocks.iter().map(|copy| superblock_path(directory, *copy));
        let manifests = self.manifests.iter().map(|number| manifest_path(directory, *number));
        let ring = self.ring.iter().map(|index| journal_path(directory, *index));
        superblocks.chain(manifests).chain(ring).collect()
    }

    /// Makes what is needed to write anything: superblock copies, with what is in force, and the slots that it does not
    /// name; and writes the ring files, which get their names last. Nothing that is read for a repair changes.
    pub(super) async fn make_first<D: Disk>(
        &self,
        disk: &D,
        directory: &Path,
        superblock: &Superblock,
    ) -> Result<(), DiskError> {
        for copy in &self.superblocks {
            let path = superblock_path(directory, *copy);
            let draft = draft(disk, &path, SUPERBLOCK_BYTES as u64).await?;
            let mut buffer = draft.allocate(SUPERBLOCK_BYTES);
            superblock.encode(&mut buffer);
            draft.write_unsynced(buffer, Position(0)).await.result?;
            put_in_place(disk, directory, draft, &path).await?;
        }
        for number in self.manifests.iter().filter(|number| **number != superblock.manifest.slot) {
            make_slot(disk, directory, superblock, *number).await?;
        }
        for index in &self.ring {
            let draft_path = draft_path(&journal_path(directory, *index));
            remove_if_there(disk, &draft_path).await?;
            write_virgin(disk, &draft_path, superblock.geometry, superblock.name.journal_id, *index).await?;
        }
        Ok(())
    }

    /// Makes the rest, once nothing in force needs what they held: `superblock` is the one before.
    pub(super) async fn make_last<D: Disk>(
        &self,
        disk: &D,
        directory: &Path,
        superblock: &Superblock,
    ) -> Result<(), DiskError> {
        for number in self.manifests.iter().filter(|number| **number == superblock.manifest.slot) {
            make_slot(disk, directory, superblock, *number).await?;
        }
        for index in &self.ring {
            let path = journal_path(directory, *index);
            rename_over(disk, directory, &draft_path(&path), &path).await?;
            marks::hit(Mark::RepairRingFile);
        }
        Ok(())
    }
}

async fn is_there<D: Disk>(disk: &D, path: &Path, bytes: u64) -> Result<bool, DiskError> {
    match disk.open(path, Access::Read).await {
        Ok(file) => {
            let is_whole = file.size_bytes() == bytes;
            file.close().await;
            Ok(is_whole)
        }
        Err(error) if error.kind == DiskErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

async fn make_slot<D: Disk>(disk: &D, directory: &Path, superblock: &Superblock, number: u8) -> Result<(), DiskError> {
    let path = manifest_path(directory, number);
    let draft = draft(disk, &path, slot::file_bytes(superblock.geometry)).await?;
    put_in_place(disk, directory, draft, &path).await
}

fn draft_path(path: &Path) -> PathBuf {
    path.with_extension("draft")
}

async fn draft<D: Disk>(disk: &D, path: &Path, bytes: u64) -> Result<D::File, DiskError> {
    let draft_path = draft_path(path);
    remove_if_there(disk, &draft_path).await?;
    disk.create(&draft_path, bytes).await
}

async fn put_in_place<D: Disk>(disk: &D, directory: &Path, draft: D::File, path: &Path) -> Result<(), DiskError> {
    draft.sync().await?;
    draft.close().await;
    rename_over(disk, directory, &draft_path(path), path).await
}

/// A file gets its name only when it is whole.
async fn rename_over<D: Disk>(disk: &D, directory: &Path, draft_path: &Path, path: &Path) -> Result<(), DiskError> {
    disk.rename(draft_path, path).await?;
    disk.sync_directory(directory).await
}

async fn remove_if_there<D: Disk>(disk: &D, path: &Path) -> Result<(), DiskError> {
    match disk.remove(path).await {
        Err(error) if error.kind == DiskErrorKind::NotFound => Ok(()),
        result => result,
    }
}
