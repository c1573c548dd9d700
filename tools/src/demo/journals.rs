//! What the superblocks of a stopped server say of its journals: how often each went round, and how many checkpoints let
//! it.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use florin_engine::io::blocking::{BlockingDisk, block_on};
use florin_engine::journal::write::read_superblocks;

use crate::directory::Directory;

/// The journal of a shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    /// Its shard.
    pub shard: u16,
    /// Size of its ring.
    pub ring_bytes: u64,
    /// How often each of its files was taken into use, at least: again only after a checkpoint made it free.
    pub lap_count: u64,
    /// Checkpoints, those of every start and every stop included.
    pub checkpoint_count: u64,
}

/// The journals of all shards of a directory that nobody uses.
///
/// # Errors
/// If it cannot be read, or a shard has no superblock.
pub fn read(path: &Path) -> Result<Vec<Journal>> {
    block_on(async {
        let directory = Directory::read(&BlockingDisk, path).await?;
        let id = directory.directory_id.context("the data directory has no identity")?;
        let mut journals = Vec::new();
        for shard in directory.shards(None) {
            let copies = read_superblocks(&BlockingDisk, &directory.shard_path(shard), id, shard).await;
            let chosen = copies.choose().map_err(|problem| anyhow!("the superblock of shard {shard}: {problem}"))?;
            let superblock = chosen.superblock;
            let geometry = superblock.geometry;
            journals.push(Journal {
                shard: shard.0,
                ring_bytes: u64::from(geometry.file_count) * geometry.file_bytes,
                lap_count: superblock.files.iter().map(|file| file.lap.0).min().unwrap_or(0),
                checkpoint_count: superblock.manifest.generation,
            });
        }
        Ok(journals)
    })
}
