//! One shard's directory, look by look.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use florin_engine::format::layout::{Copy, manifest_path, segment_of_name, superblock_path};
use florin_engine::format::superblock::Superblock;
use florin_engine::io::blocking::{BlockingDisk, block_on};
use florin_engine::journal::write::read_superblocks;
use florin_engine::limits::MANIFEST_SLOT_COUNT;
use florin_engine::model::{Id128, SegmentId, ShardId};

use super::{FoundFile, Span, WriteTime, files_of};

/// Times of files go in steps of some milliseconds: a superblock that was written so lately may have been written again
/// under the same time.
const SAME_TIME: Duration = Duration::from_millis(50);

/// A shard that is watched.
#[derive(Debug)]
pub(super) struct ShardWatch {
    folder: PathBuf,
    directory_id: Id128,
    shard: ShardId,
    /// When the superblock was written last, and when that was first seen.
    superblock: Option<(WriteTime, Instant)>,
    progress: Progress,
}

/// What one look found.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) disk_bytes: u64,
    pub(super) checkpoints: Vec<Span>,
    pub(super) segment_write: Option<Span>,
}

/// How far the shard is, as its files tell.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Of the manifest in force.
    generation: Option<u64>,
    /// When each manifest slot was written last.
    manifests: Option<Vec<WriteTime>>,
    /// A manifest was written since the last checkpoint; this was the last look before.
    manifest_since: Option<Instant>,
    segment_bytes: Option<BTreeMap<SegmentId, u64>>,
}

impl ShardWatch {
    pub(super) fn new(folder: PathBuf, directory_id: Id128, shard: ShardId) -> Self {
        Self { folder, directory_id, shard, superblock: None, progress: Progress::default() }
    }

    /// Looks for the first time: what is there is no news.
    pub(super) fn begin(&mut self, now: Instant) -> Result<()> {
        self.look(now, now)?;
        Ok(())
    }

    /// Looks again; `last` is when it was looked before.
    pub(super) fn look(&mut self, last: Instant, now: Instant) -> Result<Look> {
        let files = files_of(&self.folder)?;
        let mut found = Look { disk_bytes: files.iter().map(|file| file.disk_bytes).sum(), ..Look::default() };
        let segments = files.iter().filter_map(|file| Some((segment_of(file)?, file.size_bytes))).collect();
        found.segment_write = self.progress.segments(segments, last, now);
        let written = |path: PathBuf| files.iter().find(|file| file.path == path).map(|file| file.written);
        let slots = (0..MANIFEST_SLOT_COUNT).filter_map(|slot| written(manifest_path(&self.folder, slot)));
        self.progress.manifests(slots.collect(), last);
        if let Some(written) = written(superblock_path(&self.folder, Copy::A))
            && self.is_news(written, now)
            && let Some(superblock) = self.read_superblock()
        {
            found.checkpoints = self.progress.superblock(superblock.manifest.generation, last, now);
        }
        Ok(found)
    }

    fn is_news(&mut self, written: WriteTime, now: Instant) -> bool {
        match self.superblock {
            Some((known, seen)) if known == written => now.duration_since(seen) < SAME_TIME,
            _ => {
                self.superblock = Some((written, now));
                true
            }
        }
    }

    /// The one in force. While one copy is being written the other one is whole; if neither is, the next look tells.
    fn read_superblock(&self) -> Option<Superblock> {
        let copies = block_on(read_superblocks(&BlockingDisk, &self.folder, self.directory_id, self.shard));
        Some(copies.choose().ok()?.superblock)
    }
}

fn segment_of(file: &FoundFile) -> Option<SegmentId> {
    segment_of_name(file.path.file_name()?.to_str()?)
}

impl Progress {
    /// Takes the sizes of all segment files, and tells whether one of them has grown.
    pub(super) fn segments(&mut self, sizes: BTreeMap<SegmentId, u64>, last: Instant, now: Instant) -> Option<Span> {
        let known = self.segment_bytes.replace(sizes)?;
        let bytes = |segment: &SegmentId| known.get(segment).copied().unwrap_or(0);
        let grown = self.segment_bytes.iter().flatten().any(|(segment, size)| *size > bytes(segment));
        grown.then_some(Span { begun: last, ended: now })
    }

    /// Takes the times of all manifest slots.
    pub(super) fn manifests(&mut self, written: Vec<WriteTime>, last: Instant) {
        let is_first = self.manifests.is_none();
        let has_changed = self.manifests.as_ref() != Some(&written);
        if !is_first && has_changed && self.manifest_since.is_none() {
            self.manifest_since = Some(last);
        }
        self.manifests = Some(written);
    }

    /// Takes the generation of the manifest in force, and tells of each checkpoint since the last one.
    pub(super) fn superblock(&mut self, generation: u64, last: Instant, now: Instant) -> Vec<Span> {
        let known = self.generation.replace(generation).unwrap_or(generation);
        let count = usize::try_from(generation.saturating_sub(known)).unwrap_or(usize::MAX);
        if count == 0 {
            return Vec::new();
        }
        let begun = self.manifest_since.take().unwrap_or(last);
        vec![Span { begun, ended: now }; count]
    }
}
