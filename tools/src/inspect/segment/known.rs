//! What the manifest in force says about segment files: which there are, where they end, whose runs are in them.

use std::collections::BTreeMap;

use florin_engine::checkpoint::slot;
use florin_engine::io::Disk;
use florin_engine::model::{Id128, PartitionId, Position, SegmentId, ShardId, TopicId};
use florin_engine::segment::index::FileName;
use serde::Serialize;

use crate::directory::Directory;
use crate::inspect::read_superblocks;
use crate::sections::{self, Contents, RunView, SegmentView};

/// The segment files of a shard by its manifest.
#[derive(Debug)]
pub(in crate::inspect) struct Known {
    /// The shard.
    pub(in crate::inspect) shard: ShardId,
    /// The manifest in force, if it can be read.
    pub(in crate::inspect) manifest_generation: Option<u64>,
    /// Why nobody knows which files are needed.
    pub(in crate::inspect) problem: Option<String>,
    files: BTreeMap<SegmentId, SegmentView>,
    runs: BTreeMap<SegmentId, Vec<KnownRun>>,
    key_runs: BTreeMap<SegmentId, usize>,
    // Secret: needed for checksums, shown to nobody.
    journal_id: Id128,
}

/// A run, with the partition that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(in crate::inspect) struct KnownRun {
    /// The topic.
    pub(in crate::inspect) topic: u64,
    /// The partition's index in it.
    pub(in crate::inspect) partition: u32,
    /// Its first byte in the file.
    pub(in crate::inspect) position: u64,
    /// Its bytes.
    pub(in crate::inspect) bytes: u64,
    /// Offset of its first record.
    pub(in crate::inspect) base_offset: u64,
    /// Offset of the first record behind it.
    pub(in crate::inspect) next_offset: u64,
}

/// Offsets that are at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(in crate::inspect) struct Offsets {
    /// The topic.
    pub(in crate::inspect) topic: u64,
    /// The partition's index in it.
    pub(in crate::inspect) partition: u32,
    /// The first of them.
    pub(in crate::inspect) base_offset: u64,
    /// The first behind them.
    pub(in crate::inspect) next_offset: u64,
}

impl Known {
    /// Reads what the shard's superblock in force and its manifest say.
    ///
    /// # Errors
    /// Without a superblock extents cannot be told from other bytes.
    pub(in crate::inspect) async fn read<D: Disk>(
        disk: &D,
        directory: &Directory,
        shard: ShardId,
    ) -> Result<Self, String> {
        let copies = read_superblocks(disk, directory, shard).await?;
        let chosen = copies.choose();
        let superblock =
            chosen.map_err(|error| format!("its segment files cannot be told from other bytes: {error}"))?.superblock;
        let mut known = Self {
            shard,
            manifest_generation: None,
            problem: None,
            files: BTreeMap::new(),
            runs: BTreeMap::new(),
            key_runs: BTreeMap::new(),
            journal_id: superblock.name.journal_id,
        };
        match slot::read(disk, &directory.shard_path(shard), &superblock).await {
            Ok(read) => {
                known.manifest_generation = Some(read.manifest.generation);
                for contents in sections::decode(&read.manifest, directory.shard_count) {
                    match contents {
                        Ok(contents) => known.take(contents),
                        Err(problem) => known.problem = Some(format!("which files are needed is not known: {problem}")),
                    }
                }
            }
            Err(error) => known.problem = Some(format!("which files are needed is not known: {error}")),
        }
        known.runs.values_mut().for_each(|runs| runs.sort_by_key(|run| run.position));
        Ok(known)
    }

    fn take(&mut self, contents: Contents) {
        match contents {
            Contents::Partitions(partitions) => {
                for end in partitions.partitions {
                    for run in &end.runs {
                        let runs = self.runs.entry(SegmentId(run.segment)).or_default();
                        runs.push(KnownRun::of(end.topic, end.partition, run));
                    }
                }
            }
            Contents::Segments(segments) => {
                self.files.extend(segments.files.into_iter().map(|file| (SegmentId(file.segment), file)));
            }
            Contents::Keys(keys) => {
                for run in keys.partitions.iter().flat_map(|partition| &partition.key_runs) {
                    for run in std::iter::once(run).chain(&run.spares) {
                        *self.key_runs.entry(SegmentId(run.segment)).or_default() += 1;
                    }
                }
            }
            Contents::Catalogue(_)
            | Contents::Producers(_)
            | Contents::ProducerIds(_)
            | Contents::Clock(_)
            | Contents::Transactions(_)
            | Contents::Coordinator(_)
            | Contents::Groups(_) => {}
        }
    }

    /// The files that the manifest names.
    pub(in crate::inspect) fn segments(&self) -> impl Iterator<Item = SegmentId> {
        self.files.keys().copied()
    }

    /// What the manifest says about a file; nothing if it does not name it.
    pub(in crate::inspect) fn file(&self, segment: SegmentId) -> Option<&SegmentView> {
        self.files.get(&segment)
    }

    /// The runs in a file, by their places.
    pub(in crate::inspect) fn runs(&self, segment: SegmentId) -> &[KnownRun] {
        self.runs.get(&segment).map_or(&[], Vec::as_slice)
    }

    /// How many key runs are in a file.
    pub(in crate::inspect) fn key_run_count(&self, segment: SegmentId) -> usize {
        self.key_runs.get(&segment).copied().unwrap_or_default()
    }

    /// How many partitions have a run in a file.
    pub(in crate::inspect) fn partition_count(&self, segment: SegmentId) -> usize {
        let mut partitions: Vec<_> = self.runs(segment).iter().map(KnownRun::id).collect();
        partitions.sort_unstable();
        partitions.dedup();
        partitions.len()
    }

    /// The run of a file that has bytes at a position.
    pub(in crate::inspect) fn run_at(&self, segment: SegmentId, position: Position) -> Option<&KnownRun> {
        self.runs(segment).iter().find(|run| run.position <= position.0 && position.0 < run.end())
    }

    /// The file by all that its extents know of it.
    pub(in crate::inspect) fn name(&self, segment: SegmentId) -> FileName {
        FileName { journal_id: self.journal_id, shard: self.shard, segment }
    }
}

impl KnownRun {
    fn of(topic: u64, partition: u32, run: &RunView) -> Self {
        let RunView { position, bytes, base_offset, next_offset, .. } = *run;
        Self { topic, partition, position, bytes, base_offset, next_offset }
    }

    /// The partition.
    pub(in crate::inspect) fn id(&self) -> PartitionId {
        PartitionId { topic: TopicId(self.topic), index: self.partition }
    }

    /// The first byte behind it.
    pub(in crate::inspect) fn end(&self) -> u64 {
        self.position.saturating_add(self.bytes)
    }

    /// Its partition and offsets.
    pub(in crate::inspect) fn offsets(&self) -> Offsets {
        offsets(self.id(), self.base_offset, self.next_offset)
    }
}

/// Offsets of a partition.
pub(in crate::inspect) fn offsets(id: PartitionId, base_offset: u64, next_offset: u64) -> Offsets {
    Offsets { topic: id.topic.0, partition: id.index, base_offset, next_offset }
}

impl Offsets {
    /// `1/0: 0 to below 6`.
    pub(in crate::inspect) fn words(&self) -> String {
        let Self { topic, partition, base_offset, next_offset } = self;
        format!("{topic}/{partition}: {base_offset} to below {next_offset}")
    }

    /// The same, of those that a run has as well.
    pub(in crate::inspect) fn within(&self, run: &KnownRun) -> Option<Self> {
        let base_offset = self.base_offset.max(run.base_offset);
        let next_offset = self.next_offset.min(run.next_offset);
        let same = (self.topic, self.partition) == (run.topic, run.partition);
        (same && base_offset < next_offset).then_some(Self { base_offset, next_offset, ..*self })
    }
}
