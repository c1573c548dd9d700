//! Repairs a damaged shard while nobody uses it: an operator accepts what is lost, and the shard goes on around it.
//!
//! First a plan is made, which only reads: what is damaged, and which offsets are lost for good. Carried out, it writes
//! what is left of the journal and of damaged runs into fresh segment files, and a manifest that names the lost offsets
//! as gaps; the superblocks, written last, put it in force and let go of all ring files. Until then a crash changes
//! nothing, and afterwards a start finds a shard that was never damaged. Nothing that was damaged is written over before:
//! whoever carries out a plan has kept [`RepairPlan::damaged_files`] elsewhere.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::replay::{Accepted, LossBound, ReplayError, ShardState, replay, replay_salvage};
use crate::catalogue::{COORDINATOR, OwnerState};
use crate::checkpoint::slot::{self, NoManifest, ReadManifest};
use crate::format::control::ENTRY_HEADER_BYTES;
use crate::format::identity::Identity;
use crate::format::layout::{journal_path, segment_path, shard_path};
use crate::format::manifest::Manifest;
use crate::format::superblock::{FileUse, RingFile, Superblock};
use crate::io::{Disk, DiskError};
use crate::journal::recovery::{
    Damage, RecoveredBlock, Salvage, SalvageError, Told, Wrong, examine, examined_bytes, later_laps, salvage,
};
use crate::journal::scan::{read_front, read_rest};
use crate::journal::write::{ChosenSuperblock, NoSuperblock, read_superblocks};
use crate::limits::{BATCH_RECORD_COUNT_MAX, SEGMENT_UNSYNCED_BYTES_DEFAULT};
use crate::model::{FileIndex, PartitionId, Position, Realtime, SegmentId, Sequence, ShardId};
use crate::partition::Gap;
use crate::segment::remove;
use crate::segment::salvage::{DamagedRun, has_index};
use crate::segment::write::Writing;
use files::Missing;
pub use keys::DamagedKeys;

mod carry_out;
mod files;
pub mod import;
mod keys;
mod runs;

/// Bytes of a journal block that a batch takes at least: its header, and the entry's.
const BATCH_ENTRY_BYTES_MIN: u64 = (crate::format::batch::HEADER_BYTES + ENTRY_HEADER_BYTES) as u64;

/// Why a shard is not repaired.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RepairError {
    /// No superblock: without the journal's id nothing of the shard can be told from garbage.
    #[error("shard {shard}: {error}: nothing can be repaired without one; restore the shard's directory from a copy")]
    Superblock {
        /// The shard.
        shard: ShardId,
        /// What was found.
        error: NoSuperblock,
    },
    /// No manifest: what the shard is made of is not known.
    #[error("shard {shard}: {error}: nothing can be repaired without it; restore the shard's directory from a copy")]
    Manifest {
        /// The shard.
        shard: ShardId,
        /// What was found.
        error: NoManifest,
    },
    /// Something else must be done first.
    #[error("shard {shard}: {error}")]
    Journal {
        /// The shard.
        shard: ShardId,
        /// What.
        error: SalvageError,
    },
    /// What is left contradicts itself: what is lost cannot be told.
    #[error(
        "shard {shard}: what is left of the journal contradicts itself ({error}): restore the shard's directory from a copy"
    )]
    Contradiction {
        /// The shard.
        shard: ShardId,
        /// What was found.
        error: ReplayError,
    },
    /// The disk does not give some of what is at rest.
    #[error(
        "shard {shard}: {what}: the disk cannot read it, so nobody knows what is lost; copy the directory to a sound device with a tool that retries, then repair the copy"
    )]
    Unreadable {
        /// The shard.
        shard: ShardId,
        /// What the disk said.
        what: String,
    },
    /// What is lost now is not what the plan says.
    #[error("shard {0}: something changed since the plan was made: plan again")]
    Changed(ShardId),
    /// Keys cannot be imported.
    #[error("shard {shard}: no keys are imported: {what}; nothing was changed")]
    Import {
        /// The shard.
        shard: ShardId,
        /// Why.
        what: String,
    },
    /// There is no room for what must be written.
    #[error("shard {shard}: {what}: nothing was changed")]
    Manifested {
        /// The shard.
        shard: ShardId,
        /// Why.
        what: String,
    },
    /// The disk failed. What was damaged before is as it was, unless it was a superblock that failed: then plan again.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// What a repair of a shard would do.
#[derive(Debug)]
pub struct RepairPlan {
    shard: ShardId,
    directory: PathBuf,
    accepted: Realtime,
    shard_count: u16,
    /// What is in force.
    chosen: ChosenSuperblock,
    /// The same, with what the journal shows of later ones.
    superblock: Superblock,
    manifest_generation: u64,
    missing: Missing,
    state: ShardState,
    last: (Sequence, crate::format::checksum::Chain),
    /// What is wrong with the journal.
    pub journal_damage: Vec<Damage>,
    /// Stretches of journal blocks that were durable and are gone.
    pub lost_blocks: Vec<(Sequence, Sequence)>,
    /// Journal blocks behind the last one may have been acknowledged and are gone without a trace.
    pub end_is_unknown: bool,
    /// Damaged runs.
    pub damaged_runs: Vec<(PartitionId, DamagedRun)>,
    /// Segment files whose index is damaged: nothing is lost with it.
    pub damaged_indexes: Vec<SegmentId>,
    /// Damaged key runs.
    pub damaged_keys: Vec<(PartitionId, DamagedKeys)>,
    /// Segment files that no manifest names: a start removes them.
    orphans: Vec<SegmentId>,
    /// Damaged copies of which the other one is whole.
    pub notes: Vec<String>,
    /// Bytes of batches that are left of the journal and are written anew.
    pub salvaged_bytes: u64,
}

/// Finds out what is damaged in a shard and what a repair would give up; `None`: nothing is damaged. Only reads.
pub async fn plan<D: Disk>(
    disk: &D,
    directory: &Path,
    identity: &Identity,
    shard: ShardId,
    accepted: Realtime,
) -> Result<Option<RepairPlan>, RepairError> {
    let plan = examine_shard(disk, directory, identity, shard, accepted).await?;
    Ok(Some(plan).filter(|plan| !plan.is_sound()))
}

/// The same of a shard that may be sound: then nothing is to be repaired.
async fn examine_shard<D: Disk>(
    disk: &D,
    directory: &Path,
    identity: &Identity,
    shard: ShardId,
    accepted: Realtime,
) -> Result<RepairPlan, RepairError> {
    let path = shard_path(directory, shard);
    let (chosen, manifest, journal) = read_shard(disk, &path, identity, shard).await?;
    let notes = [&chosen.notes[..], &manifest.notes].concat();
    let manifest = manifest.manifest;
    let catalogue = match journal.bound {
        Some(_) if shard != COORDINATOR => Some(catalogue(disk, directory, identity, accepted).await?),
        _ => None,
    };
    let accepted_loss = Accepted {
        time: accepted,
        catalogue: catalogue.as_ref().map(|(catalogue, _)| catalogue),
        is_complete: catalogue.as_ref().is_some_and(|(_, is_complete)| *is_complete),
    };
    let state = journal.state(identity.shard_count, &manifest, accepted_loss);
    let mut state = state.map_err(|error| RepairError::Contradiction { shard, error })?;
    let found = remove::list(disk, &path).await?;
    found.last().iter().for_each(|last| state.segments.skip_past(**last));
    let orphans = remove::orphans(&found, &state.segments);
    let unsynced_bytes = Cell::new(0);
    let writing = writing(&path, &journal.superblock, &unsynced_bytes);
    let damaged_runs = runs::damaged_runs(disk, writing, &state).await;
    let mut damaged_runs = damaged_runs.map_err(|what| RepairError::Unreadable { shard, what })?;
    runs::rescue(&mut damaged_runs, &journal.blocks);
    let damaged_keys = keys::damaged_keys(disk, writing, &state, &damaged_runs).await;
    let damaged_keys = damaged_keys.map_err(|what| RepairError::Unreadable { shard, what })?;
    let mut damaged_indexes = Vec::new();
    for (segment, file) in state.segments.files().filter(|(_, file)| file.index_bytes > 0) {
        if !has_index(disk, writing, segment, *file).await? {
            damaged_indexes.push(segment);
        }
    }
    let missing = Missing::find(disk, &path, &journal.superblock).await?;
    let salvaged = state.partitions.values().map(|partition| partition.unflushed_bytes() as u64);
    Ok(RepairPlan {
        shard,
        salvaged_bytes: salvaged.sum(),
        missing,
        accepted,
        shard_count: identity.shard_count,
        manifest_generation: journal.manifest_generation,
        last: journal.last,
        journal_damage: journal.damage,
        lost_blocks: journal.lost,
        end_is_unknown: journal.end_is_unknown,
        directory: path,
        superblock: journal.superblock,
        chosen,
        state,
        damaged_runs,
        damaged_indexes,
        damaged_keys,
        orphans,
        notes,
    })
}

/// Reads what everything else of a shard depends on.
async fn read_shard<D: Disk>(
    disk: &D,
    path: &Path,
    identity: &Identity,
    shard: ShardId,
) -> Result<(ChosenSuperblock, ReadManifest, Left), RepairError> {
    let copies = read_superblocks(disk, path, identity.directory_id, shard).await;
    let chosen = copies.choose().map_err(|error| RepairError::Superblock { shard, error })?;
    let manifest = slot::read(disk, path, &chosen.superblock).await;
    let manifest = manifest.map_err(|error| RepairError::Manifest { shard, error })?;
    let later: Vec<_> = later_laps(disk, path, &chosen.superblock).await.collect();
    let mut superblock = chosen.superblock.clone();
    for (file, lap) in &later {
        // As the superblock said that is gone.
        let opened = RingFile { state: FileUse::Open, lap: *lap, ..RingFile::default() };
        superblock.files[usize::from(file.0)] = opened;
        superblock.clean = false;
    }
    let later_manifests = slot::later_manifests(disk, path, &superblock).await;
    let told = Told::by(manifest.manifest.sequence).and(later_manifests.sequence);
    let mut journal = Left::of_journal(disk, path, superblock, told).await;
    if let Ok(journal) = &mut journal {
        journal.manifest_generation = manifest.manifest.generation.max(later_manifests.generation);
        journal.damage.splice(0..0, later.into_iter().map(Damage::of_later_lap));
    }
    let journal = journal.map_err(|error| RepairError::Journal { shard, error })?;
    Ok((chosen, manifest, journal))
}

/// Shard 0's table of topics, as far as it is left, and whether nothing of it is lost.
async fn catalogue<D: Disk>(
    disk: &D,
    directory: &Path,
    identity: &Identity,
    accepted: Realtime,
) -> Result<(OwnerState, bool), RepairError> {
    let shard = COORDINATOR;
    let (_, ReadManifest { manifest, .. }, journal) =
        read_shard(disk, &shard_path(directory, shard), identity, shard).await?;
    let accepted = Accepted { time: accepted, catalogue: None, is_complete: false };
    let state = journal.state(identity.shard_count, &manifest, accepted);
    let state = state.map_err(|error| RepairError::Contradiction { shard, error })?;
    Ok((state.owner.expect("shard 0 has the table of all topics"), journal.bound.is_none()))
}

/// What is left of a journal.
struct Left {
    /// Its state, with what its blocks show of later ones.
    superblock: Superblock,
    blocks: Vec<RecoveredBlock>,
    last: (Sequence, crate::format::checksum::Chain),
    damage: Vec<Damage>,
    lost: Vec<(Sequence, Sequence)>,
    end_is_unknown: bool,
    bound: Option<LossBound>,
    /// The latest generation of a manifest, named or not.
    manifest_generation: u64,
}

impl Left {
    async fn of_journal<D: Disk>(
        disk: &D,
        path: &Path,
        superblock: Superblock,
        told: Told,
    ) -> Result<Self, SalvageError> {
        let mut images = Vec::new();
        let mut unread = Vec::new();
        for (index, file) in superblock.geometry.files().zip(&superblock.files) {
            let front_bytes = examined_bytes(&superblock, file);
            if front_bytes == 0 {
                continue;
            }
            match read_front(disk, path, index, superblock.geometry.file_bytes, front_bytes).await {
                Ok(image) => images.push(image),
                Err(error) if !error.is_absence() => {
                    return Err(SalvageError::Unreadable { file: index, position: Position(0) });
                }
                Err(error) => {
                    images.extend(read_rest(disk, path, index, superblock.geometry.file_bytes).await);
                    unread.push(Damage { file: Some(index), position: None, wrong: Wrong::File(error) });
                }
            }
        }
        let mut recovery = examine(&superblock, told, &images);
        recovery.damage.splice(0..0, unread);
        if recovery.damage.is_empty() {
            return Ok(Self {
                superblock,
                last: (recovery.last_sequence, recovery.last_chain),
                blocks: recovery.blocks,
                damage: Vec::new(),
                lost: Vec::new(),
                end_is_unknown: false,
                bound: None,
                manifest_generation: 0,
            });
        }
        let left = salvage(&superblock, told, &images, &recovery)?;
        let bound = bound_of(&left);
        let Salvage { blocks, lost, last_sequence, last_chain, end_is_unknown, .. } = left;
        let last = (last_sequence.max(told.included), last_chain);
        let (damage, manifest_generation) = (recovery.damage, 0);
        Ok(Self { superblock, blocks, last, damage, lost, end_is_unknown, bound, manifest_generation })
    }

    fn state(&self, shard_count: u16, manifest: &Manifest, accepted: Accepted<'_>) -> Result<ShardState, ReplayError> {
        if self.damage.is_empty() {
            return replay(self.superblock.name, shard_count, manifest, &self.blocks);
        }
        replay_salvage(self.superblock.name, shard_count, manifest, &self.blocks, self.bound, accepted)
    }
}

/// What the lost blocks can have held at most.
fn bound_of(left: &Salvage) -> Option<LossBound> {
    let last_lost = match left.lost.last() {
        _ if left.end_is_unknown => Sequence(u64::MAX),
        Some((_, last)) => *last,
        None => return None,
    };
    let batch_count = left.lost_bytes / BATCH_ENTRY_BYTES_MIN + 1;
    Some(LossBound {
        last_lost,
        offset_count: batch_count * u64::from(BATCH_RECORD_COUNT_MAX),
        entry_count: left.lost_bytes / ENTRY_HEADER_BYTES as u64 + 1,
    })
}

fn writing<'a>(directory: &'a Path, superblock: &Superblock, unsynced_bytes: &'a Cell<usize>) -> Writing<'a> {
    Writing {
        directory,
        journal_id: superblock.name.journal_id,
        shard: superblock.name.shard,
        unsynced_bytes_max: SEGMENT_UNSYNCED_BYTES_DEFAULT,
        unsynced_bytes,
    }
}

impl RepairPlan {
    /// Whether nothing is damaged.
    fn is_sound(&self) -> bool {
        let is_at_rest_whole =
            self.damaged_runs.is_empty() && self.damaged_indexes.is_empty() && self.damaged_keys.is_empty();
        is_at_rest_whole && self.journal_damage.is_empty() && self.missing.is_empty() && self.notes.is_empty()
    }

    /// Which shard.
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    /// The offsets that are given up, as the gaps that stand for them: those of the journal, and those of runs.
    pub fn losses(&self) -> Vec<(PartitionId, Gap)> {
        let mut losses: BTreeMap<PartitionId, Vec<Gap>> = BTreeMap::new();
        for (id, partition) in &self.state.partitions {
            let new = partition.gaps().filter(|gap| gap.accepted == self.accepted);
            losses.entry(*id).or_default().extend(new.copied());
        }
        for (id, damaged) in &self.damaged_runs {
            let start_offset = self.state.partitions[id].start_offset();
            let still_lost = damaged.still_lost().into_iter();
            let gaps = still_lost.filter(|(_, to)| *to > start_offset).map(|(from, to)| Gap {
                base_offset: from.max(start_offset),
                next_offset: to,
                accepted: self.accepted,
            });
            losses.entry(*id).or_default().extend(gaps);
        }
        losses.values_mut().for_each(|gaps| gaps.sort_unstable());
        losses.into_iter().flat_map(|(id, gaps)| gaps.into_iter().map(move |gap| (id, gap))).collect()
    }

    /// Files that hold damage, or that a repair or the start behind it writes over or removes: to be kept elsewhere before
    /// it is carried out. Some may be missing.
    pub fn damaged_files(&self) -> Vec<PathBuf> {
        use crate::format::layout::{Copy, manifest_path, superblock_path};
        let superblock = &self.superblock;
        let mut files: Vec<PathBuf> =
            [Copy::A, Copy::B].map(|copy| superblock_path(&self.directory, copy)).into_iter().collect();
        files.push(manifest_path(&self.directory, superblock.manifest.slot));
        if !self.journal_damage.is_empty() {
            let needed = |index: &FileIndex| superblock.files[usize::from(index.0)].state != FileUse::Free;
            let ring = superblock.geometry.files().filter(needed);
            files.extend(ring.map(|index| journal_path(&self.directory, index)));
            // Batches of lost blocks may have been on their way to rest.
            files.extend(self.orphans.iter().map(|segment| segment_path(&self.directory, *segment)));
        }
        let mut segments: Vec<SegmentId> = self.damaged_runs.iter().map(|(_, damaged)| damaged.run.segment).collect();
        segments.extend(&self.damaged_indexes);
        segments.extend(self.damaged_keys.iter().map(|(_, damaged)| damaged.run.segment));
        segments.sort_unstable();
        segments.dedup();
        files.extend(segments.into_iter().map(|segment| segment_path(&self.directory, segment)));
        files
    }

    /// Files that are missing, or not as long as they were formatted, and are made anew.
    pub fn missing_files(&self) -> Vec<PathBuf> {
        self.missing.paths(&self.directory)
    }
}
