//! What each byte of a sound directory is needed for, read with the engine's own decoders and without a server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use florin_engine::format::extent::{self, EXTENT_ENTRY_BYTES, EXTENT_HEADER_BYTES, ExtentPlace};
use florin_engine::format::layout::{Copy, identity_path};
use florin_engine::format::layout::{journal_path, manifest_path, segment_path, shard_path, superblock_path};
use florin_engine::format::manifest::Manifest;
use florin_engine::format::stored::Stored;
use florin_engine::format::superblock::{RingFile, Superblock};
use florin_engine::io::blocking::{BlockingDisk, block_on};
use florin_engine::limits::MANIFEST_SLOT_COUNT;
use florin_engine::model::{FileIndex, PartitionId, Position, SegmentId, ShardId};
use florin_engine::segment::Run;
use florin_engine::shard::open::{read_identity, recover_shard};

/// A file of a data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileName {
    /// Which directory it is.
    Identity,
    /// A superblock copy of a shard.
    Superblock(u16, Copy),
    /// A manifest slot of a shard.
    Manifest(u16, u8),
    /// A ring file of a shard.
    Ring(u16, u16),
    /// A segment file of a shard.
    Segment(u16, u64),
}

/// The kinds of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// The identity.
    Identity,
    /// Superblock copies.
    Superblock,
    /// Manifest slots.
    Manifest,
    /// Ring files of the journal.
    Ring,
    /// Segment files.
    Segment,
}

impl FileKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Identity, Self::Superblock, Self::Manifest, Self::Ring, Self::Segment];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Superblock => "superblock copy",
            Self::Manifest => "manifest slot",
            Self::Ring => "journal ring file",
            Self::Segment => "segment file",
        }
    }
}

impl FileName {
    /// Its kind.
    pub fn kind(self) -> FileKind {
        match self {
            Self::Identity => FileKind::Identity,
            Self::Superblock(..) => FileKind::Superblock,
            Self::Manifest(..) => FileKind::Manifest,
            Self::Ring(..) => FileKind::Ring,
            Self::Segment(..) => FileKind::Segment,
        }
    }

    /// The shard whose it is, if it is not the whole directory's.
    pub fn shard(self) -> Option<u16> {
        match self {
            Self::Identity => None,
            Self::Superblock(shard, _) | Self::Manifest(shard, _) | Self::Ring(shard, _) | Self::Segment(shard, _) => {
                Some(shard)
            }
        }
    }

    /// Where it is in a directory.
    pub fn path(self, directory: &Path) -> PathBuf {
        let shard = shard_path(directory, ShardId(self.shard().unwrap_or(0)));
        match self {
            Self::Identity => identity_path(directory),
            Self::Superblock(_, copy) => superblock_path(&shard, copy),
            Self::Manifest(_, slot) => manifest_path(&shard, slot),
            Self::Ring(_, file) => journal_path(&shard, FileIndex(file)),
            Self::Segment(_, segment) => segment_path(&shard, SegmentId(segment)),
        }
    }

    /// Its path below the directory, in words.
    pub fn text(self) -> String {
        self.path(Path::new("")).display().to_string()
    }
}

/// Offsets of a partition, the first and the one behind the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Of which partition.
    pub partition: PartitionId,
    /// The first.
    pub from: u64,
    /// The one behind the last.
    pub to: u64,
}

/// Bytes of a segment file, and the offsets that cannot be read without them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The first byte.
    pub begin: u64,
    /// The one behind the last.
    pub end: u64,
    /// What is lost with any of them.
    pub span: Span,
}

/// A segment file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SegmentLayout {
    /// Whole extents.
    pub extents: Vec<Piece>,
    /// Their parts: headers, tables and padding, which are needed for all offsets of the extent, and batches.
    pub pieces: Vec<Piece>,
}

/// One shard.
#[derive(Clone, Debug)]
pub struct ShardLayout {
    /// The superblock in force.
    pub superblock: Superblock,
    /// Bytes of a copy of the manifest in force that are used.
    pub manifest_bytes: u64,
    /// The partitions of live topics that it has.
    pub partitions: Vec<PartitionId>,
    /// Its segment files.
    pub segments: BTreeMap<u64, SegmentLayout>,
}

impl ShardLayout {
    /// A ring file as the superblock knows it.
    pub fn ring_file(&self, file: u16) -> &RingFile {
        &self.superblock.files[usize::from(file)]
    }
}

/// A directory.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Its shards, in order.
    pub shards: Vec<ShardLayout>,
}

impl Layout {
    /// Reads a directory that nobody uses.
    ///
    /// # Errors
    /// If it is not sound.
    pub fn read(directory: &Path) -> Result<Self, String> {
        let identity = block_on(read_identity(&BlockingDisk, directory)).map_err(|error| error.to_string())?;
        let shards = (0..identity.shard_count).map(|number| {
            let shard = ShardId(number);
            let recovered = block_on(recover_shard(&BlockingDisk, directory, &identity, shard));
            let recovered = recovered.map_err(|error| error.to_string())?;
            if let Some(note) = recovered.notes.first() {
                return Err(format!("shard {shard}: {note}"));
            }
            let superblock = recovered.superblock;
            let path = manifest_path(&shard_path(directory, shard), superblock.manifest.slot);
            let first = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            let manifest_bytes = Manifest::encoded_bytes(&first).ok_or_else(|| format!("{}", path.display()))?;
            let mut segments: BTreeMap<u64, SegmentLayout> = BTreeMap::new();
            for partition in recovered.state.partitions.values() {
                for run in partition.runs() {
                    let segment = segments.entry(run.segment.0).or_default();
                    read_run(directory, &superblock, partition.id(), run, segment)?;
                }
            }
            let partitions = recovered.state.partitions.keys().copied().collect();
            Ok(ShardLayout { superblock, manifest_bytes, partitions, segments })
        });
        Ok(Self { shards: shards.collect::<Result<_, String>>()? })
    }

    /// All files of a kind.
    pub fn files(&self, kind: FileKind) -> Vec<FileName> {
        let shards = || (0_u16..).zip(&self.shards);
        match kind {
            FileKind::Identity => vec![FileName::Identity],
            FileKind::Superblock => shards()
                .flat_map(|(shard, _)| [Copy::A, Copy::B].map(|copy| FileName::Superblock(shard, copy)))
                .collect(),
            FileKind::Manifest => shards()
                .flat_map(|(shard, _)| (0..MANIFEST_SLOT_COUNT).map(move |slot| FileName::Manifest(shard, slot)))
                .collect(),
            FileKind::Ring => shards()
                .flat_map(|(shard, layout)| {
                    (0..layout.superblock.geometry.file_count).map(move |file| FileName::Ring(shard, file))
                })
                .collect(),
            FileKind::Segment => shards()
                .flat_map(|(shard, layout)| layout.segments.keys().map(move |id| FileName::Segment(shard, *id)))
                .collect(),
        }
    }
}

/// The extents of a run, and the parts of each.
fn read_run(
    directory: &Path,
    superblock: &Superblock,
    partition: PartitionId,
    run: &Run,
    layout: &mut SegmentLayout,
) -> Result<(), String> {
    let shard = superblock.name.shard;
    let path = segment_path(&shard_path(directory, shard), run.segment);
    let bytes = Bytes::from(std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?);
    let mut at = run.position;
    while at < run.end() {
        let place = ExtentPlace { journal_id: superblock.name.journal_id, shard, segment: run.segment, position: at };
        let from = usize::try_from(at.0).map_err(|error| error.to_string())?;
        let extent = match extent::decode(&bytes.slice(from.min(bytes.len())..), &place) {
            Stored::Present(extent) if extent.damaged.is_empty() && extent.head.partition == partition => extent,
            other => return Err(format!("{} at byte {at}: {other:?}", path.display())),
        };
        let head = extent.head;
        let end = at.plus(u64::from(head.extent_bytes));
        let whole = Span { partition, from: head.base_offset.0, to: head.next_offset.0 };
        layout.extents.push(Piece { begin: at.0, end: end.0, span: whole });
        let table_bytes = EXTENT_HEADER_BYTES + head.entry_count as usize * EXTENT_ENTRY_BYTES;
        let mut next = at.plus(table_bytes as u64);
        layout.pieces.push(Piece { begin: at.0, end: next.0, span: whole });
        for batch in &extent.batches {
            let behind: Position = next.plus(batch.bytes.len() as u64);
            let span = Span { partition, from: batch.base_offset.0, to: batch.next_offset().0 };
            layout.pieces.push(Piece { begin: next.0, end: behind.0, span });
            next = behind;
        }
        if next < end {
            layout.pieces.push(Piece { begin: next.0, end: end.0, span: whole });
        }
        at = end;
    }
    Ok(())
}
