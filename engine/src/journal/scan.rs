//! Reads ring files and says what stands at each unit, without judging it.

use std::path::Path;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, StreamExt};

use super::decision::{Body, Header};
use crate::format::block::{CheckedHead, JournalName, Place, read_head};
use crate::format::layout::journal_path;
use crate::format::virgin;
use crate::io::{Access, Disk, DiskError, DiskErrorKind, DiskFile, UNIT_BYTES};
use crate::limits::{SCAN_READ_BYTES, SCAN_READS};
use crate::model::{FileIndex, Lap, Position};

/// The bytes of a ring file, with the units that could not be read.
#[derive(Clone, Debug)]
pub struct FileImage {
    /// Which file.
    pub file: FileIndex,
    /// Its contents, from the front; unreadable units are zero here.
    pub bytes: Bytes,
    /// Positions of units that the disk did not give.
    pub unreadable: Vec<Position>,
}

/// What stands at one unit, and how far it reaches.
#[derive(Clone, Debug)]
pub struct Found {
    /// The ring file.
    pub file: FileIndex,
    /// The unit's position.
    pub position: Position,
    /// What it is.
    pub header: Header,
    /// The block, for [`Header::Block`] and [`Header::Misplaced`].
    pub block: Option<CheckedHead>,
    /// The block's body.
    pub body: Body,
    /// Bytes to the next unit that is not part of this.
    pub reach_bytes: u64,
}

/// Reads a ring file of `file_bytes`. An error means that the file itself is missing or of the wrong size.
pub async fn read_file<D: Disk>(
    disk: &D,
    shard_directory: &Path,
    file: FileIndex,
    file_bytes: u64,
) -> Result<FileImage, DiskError> {
    read_front(disk, shard_directory, file, file_bytes, file_bytes).await
}

/// The same of its first `front_bytes`, a multiple of the unit: the image ends there.
pub async fn read_front<D: Disk>(
    disk: &D,
    shard_directory: &Path,
    file: FileIndex,
    file_bytes: u64,
    front_bytes: u64,
) -> Result<FileImage, DiskError> {
    let path = journal_path(shard_directory, file);
    let handle = disk.open(&path, Access::Read).await?;
    let image = FileImage { file, bytes: Bytes::new(), unreadable: Vec::new() };
    if handle.size_bytes() != file_bytes {
        let kind = DiskErrorKind::Short { asked_bytes: file_bytes, done_bytes: handle.size_bytes() };
        let detail = "the size of the file, and the size it was formatted with".to_owned();
        handle.close().await;
        return Err(DiskError { operation: crate::io::DiskOperation::Open, path, position: None, kind, detail });
    }
    read_image(handle, image, front_bytes.min(file_bytes)).await
}

/// Reads what there is of a ring file that is shorter than it was formatted, or longer; the rest counts as zero.
pub async fn read_rest<D: Disk>(
    disk: &D,
    shard_directory: &Path,
    file: FileIndex,
    file_bytes: u64,
) -> Result<FileImage, DiskError> {
    let handle = disk.open(&journal_path(shard_directory, file), Access::Read).await?;
    let there_bytes = handle.size_bytes().min(file_bytes) / UNIT_BYTES as u64 * UNIT_BYTES as u64;
    let image = FileImage { file, bytes: Bytes::new(), unreadable: Vec::new() };
    let mut image = read_image(handle, image, there_bytes).await?;
    let mut bytes = BytesMut::from(&image.bytes[..]);
    bytes.resize(usize::try_from(file_bytes).expect("a ring file is at most 1 GiB"), 0);
    image.bytes = bytes.freeze();
    Ok(image)
}

async fn read_image<F: DiskFile>(handle: F, mut image: FileImage, file_bytes: u64) -> Result<FileImage, DiskError> {
    let total = usize::try_from(file_bytes).expect("a ring file is at most 1 GiB");
    let mut bytes = BytesMut::with_capacity(total);
    let read = async |at: usize| {
        let (position, length) = (Position(at as u64), SCAN_READ_BYTES.min(total - at));
        (position, length, handle.read(position, length).await)
    };
    // The disk goes on while this thread copies what it gave.
    let mut reads = stream::iter((0..total).step_by(SCAN_READ_BYTES)).map(read).buffered(SCAN_READS);
    while let Some((position, length, result)) = reads.next().await {
        match result {
            Ok(buffer) => bytes.extend_from_slice(&buffer),
            Err(_) => read_units(&handle, position, length, &mut bytes, &mut image.unreadable).await,
        }
    }
    drop(reads);
    handle.close().await;
    image.bytes = bytes.freeze();
    Ok(image)
}

/// Reads unit by unit after a larger read failed, so that only the units that are really lost count as lost.
async fn read_units<F: DiskFile>(
    handle: &F,
    from: Position,
    length: usize,
    bytes: &mut BytesMut,
    unreadable: &mut Vec<Position>,
) {
    for at in (0..length).step_by(UNIT_BYTES) {
        let position = from.plus(at as u64);
        match handle.read(position, UNIT_BYTES).await {
            Ok(buffer) => bytes.extend_from_slice(&buffer),
            Err(_) => {
                unreadable.push(position);
                bytes.resize(bytes.len() + UNIT_BYTES, 0);
            }
        }
    }
}

impl FileImage {
    /// Its first `bytes`, a multiple of the unit.
    pub fn front(&self, bytes: u64) -> Self {
        let end = usize::try_from(bytes).unwrap_or(usize::MAX).min(self.bytes.len());
        let unreadable = self.unreadable.iter().copied().filter(|position| position.0 < end as u64).collect();
        Self { file: self.file, bytes: self.bytes.slice(..end), unreadable }
    }

    /// Says what stands at the unit at `position`, for a file that is in `lap`.
    pub fn look(&self, name: JournalName, lap: Lap, position: Position) -> Found {
        let at = usize::try_from(position.0).expect("positions lie inside the file");
        let unit = &self.bytes[at..at + UNIT_BYTES];
        let found =
            |header, block, body, reach_bytes| Found { file: self.file, position, header, block, body, reach_bytes };
        let one = UNIT_BYTES as u64;
        if self.unreadable.binary_search(&position).is_ok() {
            return found(Header::Unreadable, None, Body::None, one);
        }
        if virgin::matches(unit, name.journal_id, self.file, position) {
            return found(Header::Virgin, None, Body::None, one);
        }
        let Some(block) = read_head(unit, name) else {
            return found(Header::Garbage, None, Body::None, one);
        };
        let stands_at = Place { file: self.file, lap: block.head.place.lap, position };
        if block.head.place != stands_at || block.head.place.lap > lap {
            return found(Header::Misplaced, Some(block), Body::None, one);
        }
        if block.head.place.lap < lap {
            return found(Header::StaleLap, None, Body::None, one);
        }
        let end = (at + block.head.block_bytes()).min(self.bytes.len());
        let body = self.body(name, &block, at, end);
        found(Header::Block, Some(block), body, (end - at) as u64)
    }

    fn body(&self, name: JournalName, block: &CheckedHead, at: usize, end: usize) -> Body {
        let lost = |position: &Position| (at as u64..end as u64).contains(&position.0);
        if self.unreadable.iter().any(lost) {
            Body::Unreadable
        } else if block.body_matches(name, &self.bytes[at..end]) {
            Body::Good
        } else {
            Body::Bad
        }
    }

    /// The whole of a good block found at `position`.
    pub fn block_bytes(&self, position: Position, block: &CheckedHead) -> Bytes {
        let from = usize::try_from(position.0).expect("positions lie inside the file");
        self.bytes.slice(from..from + block.head.block_bytes())
    }
}

#[cfg(test)]
mod tests;
