//! Names and sizes of the files in a data directory.

use std::path::{Path, PathBuf};

use crate::io::UNIT_BYTES;
use crate::limits;
use crate::model::{FileIndex, SegmentId, ShardId};

use super::block::BLOCK_HEADER_BYTES;
use super::control::ENTRY_HEADER_BYTES;

/// Version of every layout at rest. Another one is refused: nothing is read on a guess.
pub const FORMAT_VERSION: u16 = 3;

/// Sizes that are fixed when a shard is formatted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Ring files of the journal.
    pub file_count: u16,
    /// Bytes of one ring file.
    pub file_bytes: u64,
    /// Bytes of one copy of a manifest.
    pub manifest_bytes: u64,
}

/// A geometry that cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GeometryError {
    /// Too few or too many ring files.
    #[error(
        "{0} journal files: choose from {min} to {max}",
        min = limits::RING_FILE_COUNT_MIN,
        max = limits::RING_FILE_COUNT_MAX
    )]
    FileCount(u16),
    /// Ring files too small, too large or not a multiple of the unit.
    #[error(
        "journal files of {0} bytes: choose a multiple of {UNIT_BYTES} from {min} to {max}",
        min = limits::RING_FILE_BYTES_MIN,
        max = limits::RING_FILE_BYTES_MAX
    )]
    FileBytes(u64),
    /// Manifest copies too small, too large or not a multiple of the unit.
    #[error(
        "manifest copies of {0} bytes: choose a multiple of {UNIT_BYTES} from {min} to {max}",
        min = limits::MANIFEST_BYTES_MIN,
        max = limits::MANIFEST_BYTES_MAX
    )]
    ManifestBytes(u64),
}

impl Default for Geometry {
    fn default() -> Self {
        Self {
            file_count: limits::RING_FILE_COUNT_DEFAULT,
            file_bytes: limits::RING_FILE_BYTES_DEFAULT,
            manifest_bytes: limits::MANIFEST_BYTES_DEFAULT,
        }
    }
}

impl Geometry {
    /// Refuses sizes outside the limits.
    pub fn check(&self) -> Result<(), GeometryError> {
        let unit = UNIT_BYTES as u64;
        if !(limits::RING_FILE_COUNT_MIN..=limits::RING_FILE_COUNT_MAX).contains(&self.file_count) {
            return Err(GeometryError::FileCount(self.file_count));
        }
        let file_range = limits::RING_FILE_BYTES_MIN..=limits::RING_FILE_BYTES_MAX;
        if !file_range.contains(&self.file_bytes) || !self.file_bytes.is_multiple_of(unit) {
            return Err(GeometryError::FileBytes(self.file_bytes));
        }
        let manifest_range = limits::MANIFEST_BYTES_MIN..=limits::MANIFEST_BYTES_MAX;
        if !manifest_range.contains(&self.manifest_bytes) || !self.manifest_bytes.is_multiple_of(unit) {
            return Err(GeometryError::ManifestBytes(self.manifest_bytes));
        }
        Ok(())
    }

    /// The largest block: a block never spans files.
    pub fn block_bytes_max(&self) -> usize {
        usize::try_from(self.file_bytes).map_or(limits::BLOCK_BYTES_MAX, |bytes| bytes.min(limits::BLOCK_BYTES_MAX))
    }

    /// The largest record batch that fits into a block of this journal.
    pub fn batch_bytes_max(&self) -> usize {
        let room = self.block_bytes_max() - BLOCK_HEADER_BYTES - ENTRY_HEADER_BYTES - 8;
        room.min(limits::BATCH_BYTES_MAX)
    }

    /// Bytes at the end of the last free ring file that only control entries may use, so that topics can still be
    /// deleted when captures are refused.
    pub fn reserve_bytes(&self) -> u64 {
        let unit = UNIT_BYTES as u64;
        (self.file_bytes / 8 / unit * unit).max(4 * unit)
    }

    /// Bytes of all ring files.
    pub fn ring_bytes(&self) -> u64 {
        u64::from(self.file_count) * self.file_bytes
    }

    /// All ring files, in order.
    pub fn files(&self) -> impl Iterator<Item = FileIndex> + use<> {
        (0..self.file_count).map(FileIndex)
    }
}

/// `bytes` rounded up to whole units.
pub fn unit_aligned(bytes: usize) -> usize {
    bytes.next_multiple_of(UNIT_BYTES)
}

/// The identity file of a data directory.
pub fn identity_path(directory: &Path) -> PathBuf {
    directory.join("identity")
}

/// The name under which the identity is written before it is renamed into place.
pub fn identity_draft_path(directory: &Path) -> PathBuf {
    directory.join("identity.draft")
}

/// The directory of one shard.
pub fn shard_path(directory: &Path, shard: ShardId) -> PathBuf {
    directory.join(format!("shard-{shard}"))
}

/// Which of the two superblock copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Copy {
    /// Written first.
    A,
    /// Written when the first is durable.
    B,
}

impl Copy {
    /// The other copy.
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// A superblock copy of a shard.
pub fn superblock_path(shard_directory: &Path, copy: Copy) -> PathBuf {
    shard_directory.join(match copy {
        Copy::A => "superblock-a",
        Copy::B => "superblock-b",
    })
}

/// A manifest slot of a shard.
pub fn manifest_path(shard_directory: &Path, slot: u8) -> PathBuf {
    shard_directory.join(format!("manifest-{slot}"))
}

/// A ring file of a shard's journal.
pub fn journal_path(shard_directory: &Path, file: FileIndex) -> PathBuf {
    shard_directory.join(format!("journal-{:03}", file.0))
}

const SEGMENT_PREFIX: &str = "segment-";

/// A segment file of a shard.
pub fn segment_path(shard_directory: &Path, segment: SegmentId) -> PathBuf {
    shard_directory.join(format!("{SEGMENT_PREFIX}{:012}", segment.0))
}

/// The segment that has this file name, if it is one's.
pub fn segment_of_name(name: &str) -> Option<SegmentId> {
    let digits = name.strip_prefix(SEGMENT_PREFIX)?;
    let segment = SegmentId(digits.parse().ok()?);
    (segment <= SegmentId::MAX && format!("{:012}", segment.0) == digits).then_some(segment)
}

#[cfg(test)]
mod tests;
