//! Opens a shard: recovers its journal, rebuilds its state, raises its epoch, and hands over what can serve.
//!
//! Nothing recovered is shown before everything that was read is synced, the new epoch and every end are durable in
//! the superblock, and the epoch's first block is durable.

use std::path::{Path, PathBuf};

use super::replay::{ReplayError, ShardState};
use super::{Shard, ShardStart};
use crate::checkpoint::slot::{self, NoManifest};
use crate::format::identity::{IDENTITY_BYTES, Identity};
use crate::format::layout::{Geometry, identity_path, shard_path};
use crate::format::stored::Stored;
use crate::format::superblock::{FileUse, RingFile, Superblock};
use crate::io::{Access, Disk, DiskError, DiskErrorKind, DiskFile, Runtime};
use crate::journal::append::{Journal, JournalStart};
use crate::journal::recovery::{CutUnit, Damage, Recovery};
use crate::journal::ring::Ring;
use crate::journal::write::{NoSuperblock, SuperblockFiles, read_superblocks};
use crate::limits::{
    BLOCKS_IN_FLIGHT_DEFAULT, CACHED_BYTES_DEFAULT, CLOCK_SETTLE_NS_DEFAULT, KEY_CACHE_BYTES_DEFAULT,
    SEGMENT_UNSYNCED_BYTES_DEFAULT,
};
use crate::marks::{self, Mark};
use crate::model::{Epoch, FileIndex, Position, SegmentId, Sequence, ShardId};
use crate::segment::{SegmentTable, remove};

mod files;
mod recovered;

pub use recovered::{RecoveredShard, recover_shard};

use recovered::Found;

/// How a shard is opened.
#[derive(Clone, Copy, Debug)]
pub struct OpenSettings {
    /// Journal blocks being written at the same time.
    pub blocks_in_flight: usize,
    /// Memory for batches: at least as much as the journal's files together. None: [`CACHED_BYTES_DEFAULT`] more than
    /// that.
    pub memory_bytes: Option<u64>,
    /// Memory for parts of key runs that were read: filters of two bytes for each idempotency key, mostly.
    pub key_cache_bytes: u64,
    /// A segment file is synced whenever so many bytes of it are not.
    pub segment_unsynced_bytes: usize,
    /// So long after the start nothing expires by the wall clock, which may be set right meanwhile.
    pub clock_settle_ns: u64,
}

impl Default for OpenSettings {
    fn default() -> Self {
        Self {
            blocks_in_flight: BLOCKS_IN_FLIGHT_DEFAULT,
            memory_bytes: None,
            key_cache_bytes: KEY_CACHE_BYTES_DEFAULT,
            segment_unsynced_bytes: SEGMENT_UNSYNCED_BYTES_DEFAULT,
            clock_settle_ns: CLOCK_SETTLE_NS_DEFAULT,
        }
    }
}

/// Why a directory or a shard is not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// There is no identity: the directory was never formatted, or is not the right one.
    #[error("{path} is not a Florin data directory: {problem}")]
    Identity {
        /// The directory.
        path: PathBuf,
        /// What was found.
        problem: String,
    },
    /// The shard's superblocks are lost.
    #[error("shard {shard}: {error}")]
    Superblock {
        /// The shard.
        shard: ShardId,
        /// What was found.
        error: NoSuperblock,
    },
    /// The shard's manifest is lost.
    #[error("shard {shard}: {error}")]
    Manifest {
        /// The shard.
        shard: ShardId,
        /// What was found.
        error: NoManifest,
    },
    /// The journal is damaged.
    #[error("shard {shard}: the journal is damaged in {} places; the first: {}", damage.len(), first_place(damage))]
    Journal {
        /// The shard.
        shard: ShardId,
        /// Every finding; at least one.
        damage: Vec<Damage>,
    },
    /// Manifest and journal contradict each other.
    #[error("shard {shard}: {error}")]
    Replay {
        /// The shard.
        shard: ShardId,
        /// What was found.
        error: ReplayError,
    },
    /// Too little memory is allowed for what the journal can hold.
    #[error(
        "shard {shard}: {memory_bytes} bytes of memory for batches are less than the {ring_bytes} bytes of its journal: allow at least as many"
    )]
    Memory {
        /// The shard.
        shard: ShardId,
        /// What is allowed.
        memory_bytes: u64,
        /// What the journal's files have together.
        ring_bytes: u64,
    },
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// What opening a shard found and did.
#[derive(Clone, Debug)]
pub struct OpenReport {
    /// The shard.
    pub shard: ShardId,
    /// Whether it had been closed in order.
    pub was_clean: bool,
    /// The epoch that was raised.
    pub epoch: Epoch,
    /// The last block of the epochs before.
    pub last_sequence: Sequence,
    /// Blocks that were read.
    pub block_count: usize,
    /// Remains of a last write that nobody was told about.
    pub cuts: Vec<CutUnit>,
    /// Copies that were damaged and are mended from the other one.
    pub notes: Vec<String>,
}

/// The open files of a shard.
#[derive(Clone)]
pub struct ShardFiles<D: Disk> {
    /// The shard's directory.
    pub directory: PathBuf,
    /// Ring files, open for durable writes, in order.
    pub ring: Vec<D::File>,
    /// Superblock copies.
    pub superblocks: SuperblockFiles<D::File>,
}

/// A shard that is about to serve.
pub struct Opened<D: Disk> {
    /// Its state.
    pub shard: Shard,
    /// Its files.
    pub files: ShardFiles<D>,
    /// What was found.
    pub report: OpenReport,
    /// A segment file is synced whenever so many bytes of it are not.
    pub segment_unsynced_bytes: usize,
}

/// Reads which directory this is.
pub async fn read_identity<D: Disk>(disk: &D, directory: &Path) -> Result<Identity, OpenError> {
    let wrong = |problem: String| OpenError::Identity { path: directory.to_owned(), problem };
    let path = identity_path(directory);
    let file = match disk.open(&path, Access::Read).await {
        Ok(file) => file,
        Err(error) if error.kind == DiskErrorKind::NotFound => {
            let what = "it has no identity; format it, or check that the right volume is mounted";
            return Err(wrong(what.to_owned()));
        }
        Err(error) => return Err(error.into()),
    };
    let mut copies = [0, IDENTITY_BYTES].map(|_| Stored::Absent);
    for (copy, stored) in (0u64..).zip(&mut copies) {
        *stored = match file.read(Position(copy * IDENTITY_BYTES as u64), IDENTITY_BYTES).await {
            Ok(bytes) => Identity::decode(&bytes),
            Err(error) => Stored::Unreadable(error),
        };
    }
    file.close().await;
    match copies {
        [Stored::Present(first), Stored::Present(second)] if first != second => {
            Err(wrong("its two identities differ".to_owned()))
        }
        [Stored::Present(identity), _] | [_, Stored::Present(identity)] => Ok(identity),
        [Stored::Unreadable(error), _] => Err(error.into()),
        [first, _] => Err(wrong(format!("its identity is {}", first.problem().unwrap_or_default()))),
    }
}

/// Opens one shard of a directory. `cuts_are` is told which remains of a last write are cut off, before anything is written:
/// nothing tells of them afterwards.
///
/// # Errors
/// If the shard is damaged, or the disk fails; what is acknowledged is as it was.
pub async fn open_shard<R: Runtime>(
    runtime: &R,
    directory: &Path,
    identity: &Identity,
    shard: ShardId,
    settings: OpenSettings,
    cuts_are: impl FnOnce(&[CutUnit]),
) -> Result<Opened<R::Disk>, OpenError> {
    let disk = runtime.disk();
    let shard_directory = shard_path(directory, shard);
    let copies = read_superblocks(disk, &shard_directory, identity.directory_id, shard).await;
    let chosen = copies.choose().map_err(|error| OpenError::Superblock { shard, error })?;
    let old = chosen.superblock;
    let memory_bytes_max = settings.memory_for(shard, old.geometry)?;
    let Found { manifest, recovery, mut state } =
        recovered::find(disk, &shard_directory, &old, identity.shard_count).await?;
    cuts_are(&recovery.cuts);
    let found = remove::list(disk, &shard_directory).await?;
    found.last().iter().for_each(|last| state.segments.skip_past(**last));
    let orphans = remove::orphans(&found, &state.segments);
    let missing = missing_segments(&found, &state.segments);
    let files = files::open_files(disk, &shard_directory, &old).await?;
    files.superblocks.write_copy(&old, chosen.overwrite_first.other()).await?;
    files::write_again(&files, recovery.unconfirmed(&old)).await?;
    let active = if old.clean { recovery.tail_file } else { last_resort(&recovery, &state) };
    if let Some(file) = active.filter(|_| !old.clean) {
        marks::hit(Mark::LastFileGoesOn);
        let end = Position(recovery.files[usize::from(file.0)].confirmed_bytes);
        files::clear_tail(&files, &old, file, end).await?;
    }

    let mut report = OpenReport {
        shard,
        was_clean: old.clean,
        epoch: old.epoch.next(),
        last_sequence: recovery.last_sequence,
        block_count: recovery.blocks.len(),
        cuts: recovery.cuts.clone(),
        notes: [chosen.notes, manifest.notes, missing].concat(),
    };
    let base = raised(&old, &recovery, active);
    let start = JournalStart {
        name: base.name,
        epoch: base.epoch,
        epoch_first_sequence: base.epoch_first_sequence,
        last_sequence: base.confirmed_sequence,
        last_chain: base.confirmed_chain,
        blocks_in_flight: settings.blocks_in_flight,
    };
    drop(recovery);
    let journal = Journal::new(start, Ring::restore(base.geometry, &base.files, active));
    let manifest_generation = manifest.manifest.generation;
    let start = ShardStart {
        journal,
        superblock: base,
        state,
        manifest_generation,
        memory_bytes_max,
        key_cache_bytes_max: settings.key_cache_bytes,
        clock_settle_ns: settings.clock_settle_ns,
    };
    let mut shard = Shard::new(start, runtime.now());
    if manifest.manifest.sequence < report.last_sequence {
        report.notes.extend(checkpoint_recovered(disk, &files, &mut shard, chosen.other_slot).await);
    }
    let superblock = shard.opening_superblock();
    files.superblocks.write(&superblock, chosen.overwrite_first).await?;
    // Now neither superblock copy names them.
    if !orphans.is_empty() {
        let errors = remove::remove(disk, &shard_directory, &orphans).await;
        report.notes.extend(errors.iter().map(|error| format!("a segment file that nobody needs stays: {error}")));
    }
    shard.begin_epoch(runtime.now());
    Ok(Opened { shard, files, report, segment_unsynced_bytes: settings.segment_unsynced_bytes })
}

/// The finding that says where to look first. That blocks are missing has no place: what shows it has one.
fn first_place(damage: &[Damage]) -> &Damage {
    damage.iter().find(|damage| damage.file.is_some()).unwrap_or(&damage[0])
}

impl OpenSettings {
    /// Bytes of memory for the batches of a shard, which are at least what its journal can hold.
    fn memory_for(&self, shard: ShardId, geometry: Geometry) -> Result<u64, OpenError> {
        let ring_bytes = geometry.ring_bytes();
        let memory_bytes = self.memory_bytes.unwrap_or(ring_bytes + CACHED_BYTES_DEFAULT);
        if memory_bytes < ring_bytes {
            return Err(OpenError::Memory { shard, memory_bytes, ring_bytes });
        }
        Ok(memory_bytes)
    }
}

/// Segment files that the manifest names and that are not there: only reads of what they held fail.
fn missing_segments(found: &[SegmentId], table: &SegmentTable) -> Vec<String> {
    let missing = table.files().filter(|(segment, _)| found.binary_search(segment).is_err());
    missing.map(|(segment, _)| format!("segment file {segment} is gone: what it held cannot be read")).collect()
}

/// The file to go on in after a crash when there is no other: every file holds batches that are needed. Otherwise a
/// fresh file is taken, and what the crash left behind is never looked at again.
pub(super) fn last_resort(recovery: &Recovery, state: &ShardState) -> Option<FileIndex> {
    let is_needed = |index: FileIndex| state.partitions.values().any(|partition| partition.needs_file(index));
    let usable = |(number, file): (u16, &RingFile)| file.confirmed_bytes == 0 || !is_needed(FileIndex(number));
    let has_usable = (0u16..).zip(&recovery.files).any(usable);
    recovery.tail_file.filter(|_| !has_usable)
}

/// The superblock's contents with the epoch raised and every end that recovery found. Writing goes on in `active`, if
/// there is one; other files with blocks are sealed where the last accepted block ends, and after a crash a file
/// without blocks is free.
pub(super) fn raised(old: &Superblock, recovery: &Recovery, active: Option<FileIndex>) -> Superblock {
    let seal = |(index, file): (FileIndex, &RingFile)| match file.state {
        FileUse::Free | FileUse::Sealed => *file,
        FileUse::Open if active == Some(index) => *file,
        FileUse::Open if file.confirmed_bytes > 0 => RingFile { state: FileUse::Sealed, ..*file },
        FileUse::Open if old.clean => *file,
        FileUse::Open => RingFile { lap: file.lap, ..RingFile::default() },
    };
    Superblock {
        epoch: old.epoch.next(),
        epoch_first_sequence: recovery.last_sequence.next(),
        confirmed_sequence: recovery.last_sequence,
        confirmed_chain: recovery.last_chain,
        clean: false,
        files: old.geometry.files().zip(&recovery.files).map(seal).collect(),
        ..old.clone()
    }
}

/// Writes what was recovered into a manifest, so that ring files which hold nothing else are free. A failure is no
/// harm: the old manifest and the journal still say everything. Returns what went wrong, in words.
pub(super) async fn checkpoint_recovered<D: Disk>(
    disk: &D,
    files: &ShardFiles<D>,
    shard: &mut Shard,
    other_slot: Option<u8>,
) -> Option<String> {
    let (write, unnamed) = match shard.opening_manifest(other_slot) {
        Ok(manifest) => manifest,
        Err(error) => return Some(format!("no checkpoint at start: {error}")),
    };
    let geometry = shard.superblock.stored().geometry;
    match slot::write(disk, &files.directory, geometry, write.slot, &write.manifest).await {
        Ok(()) => {
            shard.name_opening_manifest(unnamed);
            None
        }
        Err(error) => Some(format!("no checkpoint at start: {error}")),
    }
}

#[cfg(test)]
mod tests;
