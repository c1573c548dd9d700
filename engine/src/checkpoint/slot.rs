//! Reads and writes manifest slots. A slot file holds two copies of a manifest, written one after the other.

use std::path::Path;

use bytes::Bytes;

use crate::format::layout::{Geometry, manifest_path};
use crate::format::manifest::{EncodedManifest, Manifest};
use crate::format::stored::Stored;
use crate::format::superblock::{ManifestName, Superblock};
use crate::io::{Access, Disk, DiskError, DiskErrorKind, DiskFile, UNIT_BYTES};
use crate::limits::SCAN_READ_BYTES;
use crate::marks::{self, Mark};
use crate::model::Position;

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

/// Writes both copies of a manifest durably into `slot`.
pub async fn write<D: Disk>(
    disk: &D,
    shard_directory: &Path,
    geometry: Geometry,
    slot: u8,
    manifest: &EncodedManifest,
) -> Result<(), DiskError> {
    let file = disk.open(&manifest_path(shard_directory, slot), Access::Durable).await?;
    let result = write_copies(&file, geometry, manifest).await;
    file.close().await;
    result
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
