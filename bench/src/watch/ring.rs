//! The journal of a server that does not run, as its next start will find it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use florin_engine::checkpoint::slot;
use florin_engine::format::layout::{journal_path, shard_path};
use florin_engine::io::blocking::{BlockingDisk, block_on};
use florin_engine::journal::recovery::{Told, examined_bytes, recover};
use florin_engine::journal::write::read_superblocks;
use florin_engine::model::ShardId;

use super::identity_of;

/// What a start reads of the journals of all shards.
#[derive(Clone, Debug, Default)]
pub struct Ring {
    /// Bytes of all files.
    pub bytes: u64,
    /// Files that a start reads, and how many bytes of each from the front.
    pub files: Vec<(PathBuf, u64)>,
    /// These bytes of all of them.
    pub file_bytes: u64,
    /// Blocks in them that a start takes.
    pub block_count: u64,
    /// Their bytes: what is replayed.
    pub block_bytes: u64,
}

impl Ring {
    /// What part of the ring is replayed.
    pub fn replayed_share(&self) -> f64 {
        self.block_bytes as f64 / self.bytes.max(1) as f64
    }

    /// Examines the journals of a directory that no server uses. Damage is an error.
    pub fn of(data: &Path) -> Result<Self> {
        let identity = identity_of(data)?;
        let mut ring = Self::default();
        for shard in (0..identity.shard_count).map(ShardId) {
            let folder = shard_path(data, shard);
            let found = ring.add(&folder, shard, identity.directory_id);
            found.with_context(|| format!("the journal of shard {shard} in {}", data.display()))?;
        }
        Ok(ring)
    }

    fn add(&mut self, folder: &Path, shard: ShardId, directory: florin_engine::model::Id128) -> Result<()> {
        let copies = block_on(read_superblocks(&BlockingDisk, folder, directory, shard));
        let superblock = copies.choose()?.superblock;
        let manifest = block_on(slot::read(&BlockingDisk, folder, &superblock))?;
        let included = manifest.manifest.sequence;
        let recovery = block_on(recover(&BlockingDisk, folder, &superblock, Told::by(included)));
        ensure!(recovery.damage.is_empty(), "it is damaged: {}", recovery.damage[0]);
        self.bytes += superblock.geometry.ring_bytes();
        for (index, file) in superblock.geometry.files().zip(&superblock.files) {
            let bytes = examined_bytes(&superblock, file);
            if bytes > 0 {
                self.files.push((journal_path(folder, index), bytes));
                self.file_bytes += bytes;
            }
        }
        self.block_count += recovery.blocks.len() as u64;
        self.block_bytes += recovery.blocks.iter().map(|block| block.bytes.len() as u64).sum::<u64>();
        Ok(())
    }
}
