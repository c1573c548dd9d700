//! Reads and writes manifest slots. A slot file holds two copies of a manifest, written one after the other.

use std::path::Path;

use bytes::Bytes;

use crate::format::layout::{Geometry, manifest_path};
use crate::format::manifest::{EncodedManifest, Manifest};
use crate::format::stored::Stored;
use crate::format::superblock::{ManifestName, Superblock};
use crate::io::{Access, Disk, DiskError, DiskErrorKind, DiskFile, DiskOperation, UNIT_BYTES};
use crate::limits::{MANIFEST_SLOT_COUNT, SCAN_READ_BYTES};
use crate::marks::{self, Mark};
use crate::model::{Position, Sequence};

/// Bytes of a slot file.
pub fn file_bytes(geometry: Geometry) -> u64 {
    2 * geometry.manifest_bytes
}

/// Where the copies begin.
pub fn copy_positions(geometry: Geometry) -> [Position; 2] {
    [Position(0), Position(geometry.manifest_bytes)]
}

const ABSENT: ManifestCopy = ManifestCopy { stored: Stored::Absent, checksum: None };

/// The named manifest is in neither copy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("manifest {generation} in slot {slot} cannot be used: first copy: {first}; second copy: {second}", 
    slot = name.slot, generation = name.generation)]
pub struct NoManifest {
    /// The manifest that the superblock names.
    pub name: ManifestName,
    /// What is wrong with the first copy.
    pub first: String,
    /// What is wrong with the second copy.
    pub second: String,
}

/// The manifest in force.
#[derive(Clone, Debug)]
pub struct ReadManifest {
    /// Its contents.
    pub manifest: Manifest,
    /// What is wrong with the other copy, if anything is.
    pub notes: Vec<String>,
}

/// One copy of a slot.
#[derive(Clone, Debug)]
pub struct ManifestCopy {
    /// What was found.
    pub stored: Stored<Manifest>,
    /// The checksum of its first unit, as it stands there.
    pub checksum: Option<u32>,
}

/// Writes both copies of a manifest durably into `slot`, and reads them back: a write that the disk lost, or put where the
/// other copy stands, is an error here and not the end of the shard when it is needed.
pub async fn write<D: Disk>(
    disk: &D,
    shard_directory: &Path,
    geometry: Geometry,
    slot: u8,
    manifest: &EncodedManifest,
) -> Result<(), DiskError> {
    let path = manifest_path(shard_directory, slot);
    let file = disk.open(&path, Access::Durable).await?;
    let result = write_copies(&file, geometry, manifest).await;
    file.close().await;
    result?;
    let file = disk.open(&path, Access::Read).await?;
    let read = differing_position(&file, geometry, manifest).await;
    file.close().await;
    match read? {
        None => Ok(()),
        Some(position) => Err(DiskError {
            operation: DiskOperation::Write,
            path,
            position: Some(position),
            kind: DiskErrorKind::Failed,
            detail: "it was reported as done, and other bytes are read back".to_owned(),
        }),
    }
}

/// Where a copy is first not what was written.
async fn differing_position<F: DiskFile>(
    file: &F,
    geometry: Geometry,
    manifest: &EncodedManifest,
) -> Result<Option<Position>, DiskError> {
    for copy in copy_positions(geometry) {
        for (number, chunk) in manifest.bytes.chunks(SCAN_READ_BYTES).enumerate() {
            let position = copy.plus((number * SCAN_READ_BYTES) as u64);
            if file.read(position, chunk.len()).await?[..] != *chunk {
                return Ok(Some(position));
            }
        }
    }
    Ok(None)
}

async fn write_copies<F: DiskFile>(file: &F, geometry: Geometry, manifest: &EncodedManifest) -> Result<(), DiskError> {
    for copy in copy_positions(geometry) {
        for (number, chunk) in manifest.bytes.chunks(SCAN_READ_BYTES).enumerate() {
            let mut buffer = file.allocate(chunk.len());
            buffer.copy_from_slice(chunk);
            let position = copy.plus((number * SCAN_READ_BYTES) as u64);
            file.write_durable(buffer, position).await.result?;
        }
    }
    Ok(())
}

/// Reads the manifest that the superblock names, from whichever copy is whole.
pub async fn read<D: Disk>(
    disk: &D,
    shard_directory: &Path,
    superblock: &Superblock,
) -> Result<ReadManifest, NoManifest> {
    let [first, second] = read_copies(disk, shard_directory, superblock, superblock.manifest.slot).await;
    let named = |copy: ManifestCopy| match copy.stored {
        Stored::Present(manifest) if manifest.generation != superblock.manifest.generation => {
            Err(format!("holds manifest {}", manifest.generation))
        }
        Stored::Present(_) if copy.checksum != Some(superblock.manifest.checksum) => {
            Err("is not the one that the superblock names".to_owned())
        }
        Stored::Present(manifest) => Ok(manifest),
        other => Err(other.problem().unwrap_or_default()),
    };
    match (named(first), named(second)) {
        (Ok(manifest), Ok(_)) => Ok(ReadManifest { manifest, notes: Vec::new() }),
        (Ok(manifest), Err(problem)) => Ok(ReadManifest { manifest, notes: vec![note("second", &problem)] }),
        (Err(problem), Ok(manifest)) => Ok(ReadManifest { manifest, notes: vec![note("first", &problem)] }),
        (Err(first), Err(second)) => Err(NoManifest { name: superblock.manifest, first, second }),
    }
}

/// A manifest of a later generation than the one in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaterManifests {
    /// The latest generation; 0 if there is none.
    pub generation: u64,
    /// The newest block that one of them includes; it was durable before the manifest was written.
    pub sequence: Sequence,
}

/// What is left of manifests that were written behind the one in force, and were not named any more.
pub async fn later_manifests<D: Disk>(disk: &D, shard_directory: &Path, superblock: &Superblock) -> LaterManifests {
    let mut found = LaterManifests::default();
    for slot in (0..MANIFEST_SLOT_COUNT).filter(|slot| *slot != superblock.manifest.slot) {
        // What cannot be read says nothing.
        let Ok(file) = disk.open(&manifest_path(shard_directory, slot), Access::Read).await else { continue };
        for position in copy_positions(superblock.geometry) {
            let Ok(unit) = file.read(position, UNIT_BYTES).await else { continue };
            let head = Manifest::head(&unit, superblock.directory_id, superblock.name.shard);
            let later = head.filter(|(generation, _)| *generation > superblock.manifest.generation);
            let (generation, sequence) = later.unwrap_or_default();
            found.generation = found.generation.max(generation);
            found.sequence = found.sequence.max(sequence);
        }
        file.close().await;
    }
    found
}

fn note(copy: &str, problem: &str) -> String {
    marks::hit(Mark::ManifestCopyLost);
    format!("the {copy} copy of the manifest {problem}; the other copy is used")
}

/// Reads both copies of a slot.
pub async fn read_copies<D: Disk>(
    disk: &D,
    shard_directory: &Path,
    superblock: &Superblock,
    slot: u8,
) -> [ManifestCopy; 2] {
    let path = manifest_path(shard_directory, slot);
    let file = match disk.open(&path, Access::Read).await {
        Ok(file) => file,
        Err(error) if error.kind == DiskErrorKind::NotFound => return [ABSENT, ABSENT],
        Err(error) => return [(); 2].map(|()| ManifestCopy { stored: Stored::Unreadable(error.clone()), ..ABSENT }),
    };
    let mut copies = [ABSENT, ABSENT];
    for (position, copy) in copy_positions(superblock.geometry).into_iter().zip(&mut copies) {
        match read_copy(&file, superblock.geometry, position).await {
            Ok(bytes) => {
                copy.stored = Manifest::decode(&bytes, superblock.directory_id, superblock.name.shard);
                copy.checksum = Manifest::stored_checksum(&bytes);
            }
            Err(error) => copy.stored = Stored::Unreadable(error),
        }
    }
    file.close().await;
    copies
}

/// Reads as much of a copy as its first unit claims, at most the whole copy.
async fn read_copy<F: DiskFile>(file: &F, geometry: Geometry, position: Position) -> Result<Bytes, DiskError> {
    let first = file.read(position, UNIT_BYTES).await?;
    let claimed = Manifest::encoded_bytes(&first).unwrap_or(0);
    let fits = (UNIT_BYTES as u64..=geometry.manifest_bytes).contains(&claimed);
    if !fits || !claimed.is_multiple_of(UNIT_BYTES as u64) {
        return Ok(Bytes::copy_from_slice(&first));
    }
    let total = usize::try_from(claimed).expect("a manifest is at most 256 MiB");
    let mut bytes = Vec::with_capacity(total);
    while bytes.len() < total {
        let length = SCAN_READ_BYTES.min(total - bytes.len());
        let buffer = file.read(position.plus(bytes.len() as u64), length).await?;
        bytes.extend_from_slice(&buffer);
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests;
