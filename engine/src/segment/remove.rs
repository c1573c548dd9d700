//! The job that removes segment files which nobody needs, and the one that finds them at a start.

use std::path::Path;

use super::SegmentTable;
use crate::format::layout::{segment_of_name, segment_path};
use crate::io::{Disk, DiskError, DiskErrorKind};
use crate::model::SegmentId;

/// Removes files. Whatever goes wrong, the next start finds what is left; returns it in words.
pub async fn remove<D: Disk>(disk: &D, directory: &Path, segments: &[SegmentId]) -> Vec<DiskError> {
    let mut errors = Vec::new();
    for segment in segments {
        match disk.remove(&segment_path(directory, *segment)).await {
            Ok(()) => {}
            Err(error) if error.kind == DiskErrorKind::NotFound => {}
            Err(error) => errors.push(error),
        }
    }
    if let Err(error) = disk.sync_directory(directory).await {
        errors.push(error);
    }
    errors
}

/// The segment files in a shard's directory, by name, in order.
pub async fn list<D: Disk>(disk: &D, directory: &Path) -> Result<Vec<SegmentId>, DiskError> {
    let names = disk.list(directory).await?;
    let mut segments: Vec<SegmentId> = names.iter().filter_map(|name| segment_of_name(name)).collect();
    segments.sort_unstable();
    Ok(segments)
}

/// Those of `found` that the table does not know.
pub fn orphans(found: &[SegmentId], table: &SegmentTable) -> Vec<SegmentId> {
    found.iter().copied().filter(|segment| table.get(*segment).is_none()).collect()
}
