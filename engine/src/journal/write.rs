//! The jobs that put blocks and superblocks on stable storage.

use std::path::Path;

use crate::format::layout::{Copy, superblock_path};
use crate::format::stored::Stored;
use crate::format::superblock::{SUPERBLOCK_BYTES, Superblock};
use crate::io::{Access, Disk, DiskError, DiskErrorKind, DiskFile};
use crate::marks::{self, Mark};
use crate::model::{Id128, Position, ShardId};

/// Both superblock copies of a shard, open for durable writes.
#[derive(Clone)]
pub struct SuperblockFiles<F> {
    a: F,
    b: F,
}

/// Both copies as they were read.
#[derive(Clone, Debug)]
pub struct SuperblockCopies {
    /// Copy A.
    pub a: Stored<Superblock>,
    /// Copy B.
    pub b: Stored<Superblock>,
}

/// The superblock in force.
#[derive(Clone, Debug)]
pub struct ChosenSuperblock {
    /// Its contents.
    pub superblock: Superblock,
    /// The copy that the next update overwrites first: the one that is not needed.
    pub overwrite_first: Copy,
    /// The manifest slot that the other copy names, if it can be read.
    pub other_slot: Option<u8>,
    /// What is wrong with the other copy, if anything is; the next update mends it.
    pub notes: Vec<String>,
}

/// Neither copy can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no usable superblock: copy a: {a}; copy b: {b}")]
pub struct NoSuperblock {
    /// What is wrong with copy A.
    pub a: String,
    /// What is wrong with copy B.
    pub b: String,
}

impl<F: DiskFile> SuperblockFiles<F> {
    /// Opens both copies.
    pub async fn open<D: Disk<File = F>>(disk: &D, shard_directory: &Path) -> Result<Self, DiskError> {
        let a = disk.open(&superblock_path(shard_directory, Copy::A), Access::Durable).await?;
        let b = disk.open(&superblock_path(shard_directory, Copy::B), Access::Durable).await?;
        Ok(Self { a, b })
    }

    /// Writes both copies, one after the other is durable. After an error neither may be counted on.
    pub async fn write(&self, superblock: &Superblock, first: Copy) -> Result<(), DiskError> {
        self.write_copy(superblock, first).await?;
        self.write_copy(superblock, first.other()).await
    }

    /// Writes one copy.
    pub async fn write_copy(&self, superblock: &Superblock, copy: Copy) -> Result<(), DiskError> {
        let file = if copy == Copy::A { &self.a } else { &self.b };
        let mut buffer = file.allocate(SUPERBLOCK_BYTES);
        superblock.encode(&mut buffer);
        file.write_durable(buffer, Position(0)).await.result
    }

    /// Closes both.
    pub async fn close(self) {
        self.a.close().await;
        self.b.close().await;
    }
}

/// Reads both copies of a shard's superblock.
pub async fn read_superblocks<D: Disk>(
    disk: &D,
    shard_directory: &Path,
    directory_id: Id128,
    shard: ShardId,
) -> SuperblockCopies {
    let mut copies = [Copy::A, Copy::B].map(|_| Stored::Absent);
    for (copy, stored) in [Copy::A, Copy::B].into_iter().zip(&mut copies) {
        *stored = match read_whole(disk, &superblock_path(shard_directory, copy), SUPERBLOCK_BYTES).await {
            Ok(bytes) => Superblock::decode(&bytes, directory_id, shard),
            Err(error) if error.kind == DiskErrorKind::NotFound => Stored::Absent,
            Err(error) => Stored::Unreadable(error),
        };
    }
    let [a, b] = copies;
    SuperblockCopies { a, b }
}

/// Reads the first `bytes` of a file.
pub async fn read_whole<D: Disk>(disk: &D, path: &Path, bytes: usize) -> Result<Vec<u8>, DiskError> {
    let file = disk.open(path, Access::Read).await?;
    let result = file.read(Position(0), bytes).await.map(|buffer| buffer.to_vec());
    file.close().await;
    result
}

impl SuperblockCopies {
    /// The newer of the usable copies.
    pub fn choose(&self) -> Result<ChosenSuperblock, NoSuperblock> {
        let note = |copy: &str, stored: &Stored<Superblock>| {
            stored.problem().map(|problem| format!("superblock {copy} {problem}; the other copy is used"))
        };
        let (superblock, overwrite_first) = match (&self.a, &self.b) {
            (Stored::Present(a), Stored::Present(b)) if a.age() == b.age() && a != b => {
                let what = || format!("both copies claim generation {} and differ", a.generation);
                return Err(NoSuperblock { a: what(), b: what() });
            }
            (Stored::Present(a), Stored::Present(b)) if b.age() > a.age() => (b, Copy::A),
            (Stored::Present(a), _) => (a, Copy::B),
            (_, Stored::Present(b)) => (b, Copy::A),
            (a, b) => {
                let words = |stored: &Stored<Superblock>| stored.problem().unwrap_or_default();
                return Err(NoSuperblock { a: words(a), b: words(b) });
            }
        };
        let other = if overwrite_first == Copy::A { &self.a } else { &self.b };
        let other_slot = other.present().map(|other| other.manifest.slot);
        let notes: Vec<String> = [note("a", &self.a), note("b", &self.b)].into_iter().flatten().collect();
        if !notes.is_empty() {
            marks::hit(Mark::SuperblockCopyLost);
        }
        Ok(ChosenSuperblock { superblock: superblock.clone(), overwrite_first, other_slot, notes })
    }
}

#[cfg(test)]
mod tests;
