//! The power goes, something that a shard needs is damaged meanwhile, and an operator accepts what that took.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use florin_engine::checkpoint::slot;
use florin_engine::format::batch::base_offset;
use florin_engine::format::control::{Entry, EntryWalk};
use florin_engine::format::layout::{Copy, journal_path, manifest_path, segment_path, shard_path, superblock_path};
use florin_engine::io::Runtime;
use florin_engine::journal::recovery::{RecoveredBlock, Recovery, Told, recover};
use florin_engine::journal::write::read_superblocks;
use florin_engine::limits::MANIFEST_SLOT_COUNT;
use florin_engine::model::{PartitionId, Sequence, ShardId};
use florin_engine::shard::open::read_identity;
use florin_engine::shard::replay::replay;
use rand::Rng;

use crate::world::checkers::{Checked, repair};
use crate::world::cluster::DATA;
use crate::world::repair::changes_topics;
use crate::world::run::World;

const UNIT: u64 = 4096;
/// Bytes of noise, at most.
const NOISE_BYTES_MAX: u64 = 9000;

/// What is damaged.
#[derive(Clone, Debug)]
enum Damage {
    /// A bit of a file.
    Bit { path: PathBuf, position: u64, bit: u8 },
    /// A stretch of a file.
    Noise { path: PathBuf, position: u64, bytes: u64 },
    /// A unit cannot be read any more.
    Unreadable { path: PathBuf, position: u64 },
    /// The file is cut off.
    Truncated { path: PathBuf, bytes: u64 },
    /// The file is gone.
    Deleted { path: PathBuf },
    /// Two files have each other's content.
    Swapped { one: PathBuf, other: PathBuf },
}

/// A shard as it was before it is damaged.
struct Sound {
    shard: ShardId,
    included: Sequence,
    confirmed: Sequence,
    recovery: Recovery,
    manifest_slot: u8,
    /// Both copies of the manifest can be used.
    has_both_manifests: bool,
    /// Both copies of the superblock can be used.
    has_both_superblocks: bool,
    /// Segment files that are needed, and where their extents end.
    segments: Vec<(PathBuf, u64)>,
}

pub(super) fn play(world: &mut World) -> Checked {
    if world.faults.random_bool(0.3) {
        world.close()?;
    }
    world.lose_power()?;
    let shard = ShardId(world.faults.random_range(0..world.plan.shard_count));
    if let Some(sound) = look_at(world, shard)
        && let Some(damage) = choose(world, &sound)
    {
        let sound_slot = sound.manifest_slot;
        world.note(|| format!("shard {shard}: {damage:?}"));
        world.summary.damage_count += 1;
        strike(world, &damage);
        if !damage.is_of_nothing(sound_slot) {
            world.names_file(shard, damage.path())?;
        }
        if damage.is_of("/journal-") {
            of_journal(world, shard, &damage, &batches_hit(&sound, &damage))?;
        } else if !damage.is_of("/segment-") {
            world.opens_others(shard)?;
            let losses = world.repair_and_lose(shard)?;
            repair::costs_nothing(shard, &losses)?;
        } else {
            world.serves_around(shard)?;
            let losses = world.repair_and_lose(shard)?;
            world.could_not_be_read(&losses)?;
            world.damage_seen.clear();
        }
    }
    world.start_again()
}

/// A start refuses the shard; files that were swapped are put back, the rest is repaired.
fn of_journal(world: &mut World, shard: ShardId, damage: &Damage, hit: &BTreeSet<(PartitionId, u64)>) -> Checked {
    world.opens_without(shard)?;
    if let Damage::Swapped { one, other } = damage {
        world.notices_swap(shard)?;
        world.device.swap(one, other);
    }
    let known = world.model.partitions.clone();
    let losses = world.repair_and_lose(shard)?;
    repair::gives_up_no_more(&known, hit, &losses)
}

/// The batches in blocks that the damage hits, by where they begin; none of files that are put back.
fn batches_hit(sound: &Sound, damage: &Damage) -> BTreeSet<(PartitionId, u64)> {
    let (path, from, to) = match damage {
        Damage::Bit { path, position, .. } => (path, *position, *position + 1),
        Damage::Noise { path, position, bytes } => (path, *position, *position + *bytes),
        Damage::Unreadable { path, position } => (path, *position, *position + UNIT),
        Damage::Truncated { path, bytes } => (path, *bytes, u64::MAX),
        Damage::Deleted { path } => (path, 0, u64::MAX),
        Damage::Swapped { .. } => return BTreeSet::new(),
    };
    let directory = shard_path(Path::new(DATA), sound.shard);
    let is_hit = |block: &&RecoveredBlock| {
        let end = block.position.0 + block.bytes.len() as u64;
        journal_path(&directory, block.file) == *path && block.position.0 < to && from < end
    };
    let entries = sound.recovery.blocks.iter().filter(is_hit).flat_map(|block| {
        EntryWalk::new(block.payload(), block.entry_count).map(|entry| entry.expect("the block was sound"))
    });
    entries
        .filter_map(|entry| match entry {
            Entry::Batch { partition, batch, .. } => Some((partition, base_offset(&batch).ok()?.0)),
            Entry::Control(_) => None,
        })
        .collect()
}

impl Damage {
    /// Whether it is of a file with this in its path.
    fn is_of(&self, part: &str) -> bool {
        self.path().to_string_lossy().contains(part)
    }

    /// Whether it hits bytes of a manifest that is not in force, which nobody looks at.
    fn is_of_nothing(&self, manifest_slot: u8) -> bool {
        let is_of_bytes = matches!(self, Self::Bit { .. } | Self::Noise { .. } | Self::Unreadable { .. });
        is_of_bytes && self.is_of("/manifest-") && !self.is_of(&format!("/manifest-{manifest_slot}"))
    }

    /// The file, or one of two.
    fn path(&self) -> &Path {
        match self {
            Self::Bit { path, .. }
            | Self::Noise { path, .. }
            | Self::Unreadable { path, .. }
            | Self::Truncated { path, .. }
            | Self::Deleted { path } => path,
            Self::Swapped { one, .. } => one,
        }
    }
}

/// What the shard needs; `None`: it would not open as it is, after a fault that was injected.
fn look_at(world: &World, shard: ShardId) -> Option<Sound> {
    world.on_the_side(move |runtime| async move {
        let disk = runtime.disk();
        let identity = read_identity(disk, Path::new(DATA)).await.ok()?;
        let path = shard_path(Path::new(DATA), shard);
        let chosen = read_superblocks(disk, &path, identity.directory_id, shard).await.choose().ok()?;
        let read = slot::read(disk, &path, &chosen.superblock).await.ok()?;
        let (manifest, has_both_manifests) = (read.manifest, read.notes.is_empty());
        let recovery = recover(disk, &path, &chosen.superblock, Told::by(manifest.sequence)).await;
        let state = replay(chosen.superblock.name, identity.shard_count, &manifest, &recovery.blocks).ok()?;
        let segments = state.segments.files().map(|(id, file)| (segment_path(&path, id), file.end.0));
        let segments = segments.collect();
        let (included, confirmed) = (manifest.sequence, chosen.superblock.confirmed_sequence);
        let manifest_slot = chosen.superblock.manifest.slot;
        recovery.damage.is_empty().then_some(Sound {
            shard,
            included,
            confirmed,
            recovery,
            manifest_slot,
            has_both_manifests,
            has_both_superblocks: chosen.notes.is_empty(),
            segments,
        })
    })
}

/// Damage that is noticed for sure, and that takes no change of a topic with it.
fn choose(world: &mut World, sound: &Sound) -> Option<Damage> {
    if !sound.segments.is_empty() && world.faults.random_bool(0.5) {
        return choose_segment(world, sound);
    }
    if world.faults.random_bool(0.2) {
        return choose_copy(world, sound);
    }
    let blocks = &sound.recovery.blocks;
    if blocks.is_empty() {
        return None;
    }
    let victim = &blocks[world.faults.random_range(0..blocks.len())];
    let path_of = |block: &RecoveredBlock| journal_path(&shard_path(Path::new(DATA), sound.shard), block.file);
    if world.faults.random_bool(0.25) {
        let file = [victim.file];
        let bytes = world.plan.geometry.file_bytes - UNIT;
        let path = path_of(victim);
        let shorter = Damage::Truncated { path: path.clone(), bytes };
        let damage = if world.faults.random_bool(0.5) { Damage::Deleted { path } } else { shorter };
        return is_noticed(sound, true, |block| file.contains(&block.file)).then_some(damage);
    }
    if world.faults.random_bool(0.15) {
        let other = &blocks[world.faults.random_range(0..blocks.len())];
        let files = [victim.file, other.file];
        let damage = Damage::Swapped { one: path_of(victim), other: path_of(other) };
        let is_right = victim.file != other.file && is_noticed(sound, true, |block| files.contains(&block.file));
        return is_right.then_some(damage);
    }
    if !is_noticed(sound, false, |block| block.sequence == victim.sequence) {
        return None;
    }
    let position = victim.position.0 + world.faults.random_range(0..victim.bytes.len() as u64);
    let path = path_of(victim);
    if world.faults.random_bool(0.2) {
        return Some(Damage::Unreadable { path, position: position / UNIT * UNIT });
    }
    Some(Damage::Bit { path, position, bit: world.faults.random_range(0..8) })
}

/// A file of which there is another copy, or that holds nothing in force, is damaged in any way.
fn choose_copy(world: &mut World, sound: &Sound) -> Option<Damage> {
    let directory = shard_path(Path::new(DATA), sound.shard);
    if sound.has_both_manifests && world.faults.random_bool(0.3) {
        return Some(one_manifest(world, manifest_path(&directory, sound.manifest_slot)));
    }
    let path = if sound.has_both_superblocks && world.faults.random_bool(0.5) {
        superblock_path(&directory, [Copy::A, Copy::B][world.faults.random_range(0..2)])
    } else {
        let others: Vec<u8> = (0..MANIFEST_SLOT_COUNT).filter(|slot| *slot != sound.manifest_slot).collect();
        manifest_path(&directory, others[world.faults.random_range(0..others.len())])
    };
    any_damage(world, path)
}

/// Damage to one of the two copies of the manifest in force.
fn one_manifest(world: &mut World, path: PathBuf) -> Damage {
    let copy_bytes = world.plan.geometry.manifest_bytes;
    let start = [0, copy_bytes][world.faults.random_range(0..2)];
    let (position, bit) = (start + world.faults.random_range(0..copy_bytes), world.faults.random_range(0..8));
    match world.faults.random_range(0..3) {
        0 => Damage::Bit { path, position: position.min(start + UNIT), bit },
        1 => Damage::Unreadable { path, position: position / UNIT * UNIT },
        _ => Damage::Noise { path, position: start, bytes: world.faults.random_range(1..NOISE_BYTES_MAX) },
    }
}

/// Any damage to a file, but that another one stands in its place.
fn any_damage(world: &mut World, path: PathBuf) -> Option<Damage> {
    let size_bytes = world.device.snapshot().size_bytes(&path)?;
    let position = world.faults.random_range(0..size_bytes);
    Some(match world.faults.random_range(0..5) {
        0 => Damage::Deleted { path },
        1 => Damage::Truncated { path, bytes: position / UNIT * UNIT },
        2 => {
            let bytes = world.faults.random_range(1..=(size_bytes - position).min(NOISE_BYTES_MAX));
            Damage::Noise { path, position, bytes }
        }
        3 => Damage::Unreadable { path, position: position / UNIT * UNIT },
        _ => Damage::Bit { path, position, bit: world.faults.random_range(0..8) },
    })
}

fn choose_segment(world: &mut World, sound: &Sound) -> Option<Damage> {
    let (path, end) = sound.segments[world.faults.random_range(0..sound.segments.len())].clone();
    // What was cut off before, and nobody needed, is not there any more.
    let bytes = world.device.snapshot().size_bytes(&path)?.min(end);
    if bytes == 0 {
        return None;
    }
    let position = world.faults.random_range(0..bytes);
    Some(match world.faults.random_range(0..8) {
        0 => Damage::Deleted { path },
        1 => Damage::Truncated { path, bytes: position / UNIT * UNIT },
        2 => {
            let bytes = world.faults.random_range(1..=(bytes - position).min(NOISE_BYTES_MAX));
            Damage::Noise { path, position, bytes }
        }
        3 => Damage::Unreadable { path, position: position / UNIT * UNIT },
        4 => {
            let (other, _) = sound.segments[world.faults.random_range(0..sound.segments.len())].clone();
            world.device.snapshot().size_bytes(&other)?;
            return (other != path).then_some(Damage::Swapped { one: path, other });
        }
        _ => Damage::Bit { path, position, bit: world.faults.random_range(0..8) },
    })
}

/// Whether the loss of these blocks is noticed, and takes no change of a topic with it.
fn is_noticed(sound: &Sound, whole_files: bool, is_hit: impl Fn(&RecoveredBlock) -> bool) -> bool {
    let blocks = &sound.recovery.blocks;
    let left = blocks.iter().filter(|block| !is_hit(block));
    let stated = left.map(|block| block.durable_sequence).fold(sound.confirmed, Sequence::max);
    let hit = || blocks.iter().filter(|block| is_hit(block));
    let is_stated = whole_files || hit().all(|block| block.sequence <= stated);
    is_stated && !hit().any(|block| block.sequence > sound.included && changes_topics(block))
}

fn strike(world: &mut World, damage: &Damage) {
    let summary = &mut world.summary;
    *match damage {
        Damage::Bit { .. } => &mut summary.bit_flip_count,
        Damage::Noise { .. } => &mut summary.noise_count,
        Damage::Unreadable { .. } => &mut summary.unreadable_count,
        Damage::Truncated { .. } => &mut summary.truncated_count,
        Damage::Deleted { .. } => &mut summary.deleted_count,
        Damage::Swapped { .. } => &mut summary.swapped_count,
    } += 1;
    match damage {
        Damage::Bit { path, position, bit } => world.device.flip_bit(path, *position, *bit),
        Damage::Noise { path, position, bytes } => {
            world.device.corrupt_range(path, *position, *bytes, &mut world.faults);
        }
        Damage::Unreadable { path, position } => world.device.make_unreadable(path, *position, UNIT),
        Damage::Truncated { path, bytes } => world.device.truncate(path, *bytes),
        Damage::Deleted { path } => world.device.delete(path),
        Damage::Swapped { one, other } => world.device.swap(one, other),
    }
}
