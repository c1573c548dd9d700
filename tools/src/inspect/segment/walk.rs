//! A segment file from its first byte to its end: extents, an index, and what is neither.

use bytes::Bytes;
use florin_engine::format::extent::{ExtentHead, read_head};
use florin_engine::format::segment_index;
use florin_engine::format::stored::Stored;
use florin_engine::io::{DiskFile, UNIT_BYTES};
use florin_engine::model::{PartitionId, Position};
use florin_engine::segment::index::FileName;

use super::known::{KnownRun, Offsets, offsets};

const UNIT: u64 = UNIT_BYTES as u64;

/// What stands at a place of a segment file.
#[derive(Clone, Debug)]
pub(in crate::inspect) enum Item {
    /// An extent whose header is right.
    Extent { position: Position, head: ExtentHead },
    /// An index, in a file whose end nobody states.
    Index { position: Position, index_bytes: u32 },
    /// Nothing that can be told.
    Gap(Gap),
}

/// A part of a file in which no header of an extent is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::inspect) struct Gap {
    /// Its first byte.
    pub(in crate::inspect) position: Position,
    /// Its bytes.
    pub(in crate::inspect) bytes: u64,
    /// What is wrong at its first byte.
    pub(in crate::inspect) why: String,
    /// The disk did not give some of it.
    pub(in crate::inspect) is_unreadable: bool,
    /// Offsets that must be in it.
    pub(in crate::inspect) lost: Vec<Offsets>,
}

/// Goes through a file from header to header, and from unit to unit where there is none.
#[derive(Debug)]
pub(in crate::inspect) struct FileWalk<'a, F> {
    file: &'a F,
    name: FileName,
    runs: &'a [KnownRun],
    position: Position,
    /// Where the extents end, as the manifest says, or where the file ends.
    end: Position,
    /// The manifest says where: what it does not name has an index that has to be found.
    is_named: bool,
    /// Partition and next offset of the extent before.
    before: Option<(Position, PartitionId, u64)>,
    /// An extent that was met at the end of a gap.
    met: Option<(Position, ExtentHead)>,
}

/// What a unit begins with.
enum Begin {
    Extent(ExtentHead),
    Index(u32),
    Nothing { why: String, is_unreadable: bool },
}

impl<'a, F: DiskFile> FileWalk<'a, F> {
    /// Through `file` up to `end`. A file that the manifest does not name has no runs and may end with an index.
    pub(in crate::inspect) fn new(
        file: &'a F,
        name: FileName,
        runs: &'a [KnownRun],
        end: Position,
        is_named: bool,
    ) -> Self {
        Self { file, name, runs, position: Position(0), end, is_named, before: None, met: None }
    }

    /// What stands next; none at the end.
    pub(in crate::inspect) async fn next(&mut self) -> Option<Item> {
        if let Some((position, head)) = self.met.take() {
            return Some(self.extent(position, head));
        }
        if self.position >= self.end {
            return None;
        }
        let position = self.position;
        match self.look(position).await {
            Begin::Extent(head) => Some(self.extent(position, head)),
            Begin::Index(index_bytes) => {
                self.position = self.end;
                Some(Item::Index { position, index_bytes })
            }
            Begin::Nothing { why, is_unreadable } => Some(Item::Gap(self.gap(why, is_unreadable).await)),
        }
    }

    fn extent(&mut self, position: Position, head: ExtentHead) -> Item {
        self.position = position.plus(u64::from(head.extent_bytes));
        self.before = Some((position, head.partition, head.next_offset.0));
        Item::Extent { position, head }
    }

    async fn look(&self, position: Position) -> Begin {
        if position.plus(UNIT).0 > self.file.size_bytes() {
            let why = format!("the file has only {} bytes", self.file.size_bytes());
            return Begin::Nothing { why, is_unreadable: false };
        }
        let unit = match self.file.read(position, UNIT_BYTES).await {
            Ok(unit) => unit,
            Err(error) => return Begin::Nothing { why: format!("unreadable: {error}"), is_unreadable: true },
        };
        let nothing = |why: String| Begin::Nothing { why, is_unreadable: false };
        match read_head(&unit, &self.name.at(position)) {
            Stored::Present(head) if position.plus(u64::from(head.extent_bytes)) <= self.end => Begin::Extent(head),
            Stored::Present(head) => {
                nothing(format!("an extent of {} bytes does not end in the file", head.extent_bytes))
            }
            other => match segment_index::claimed_bytes(&unit).filter(|_| !self.is_named) {
                Some(bytes) if self.end.0 - position.0 == u64::from(bytes) => Begin::Index(bytes),
                _ => nothing(other.problem().unwrap_or_default()),
            },
        }
    }

    /// From here to the next header that is right.
    async fn gap(&mut self, why: String, is_unreadable: bool) -> Gap {
        let from = self.position;
        let mut gap = Gap { position: from, bytes: 0, why, is_unreadable, lost: Vec::new() };
        let mut position = from.plus(UNIT);
        while position < self.end {
            if position.plus(UNIT).0 > self.file.size_bytes() {
                position = self.end;
                break;
            }
            match self.look(position).await {
                Begin::Extent(head) => {
                    self.met = Some((position, head));
                    break;
                }
                Begin::Index(_) => break,
                Begin::Nothing { is_unreadable, .. } => gap.is_unreadable |= is_unreadable,
            }
            position = position.plus(UNIT);
        }
        self.position = position;
        gap.bytes = position.0 - from.0;
        gap.lost = self.lost(from, position);
        gap
    }

    /// The offsets that the runs must have between two places, by what stands around it.
    fn lost(&self, from: Position, to: Position) -> Vec<Offsets> {
        let overlapping = self.runs.iter().filter(|run| run.position < to.0 && from.0 < run.end());
        let of_run = |run: &KnownRun| {
            let before = self.before.filter(|(at, id, _)| *id == run.id() && at.0 >= run.position);
            let base_offset = before.map_or(run.base_offset, |(_, _, next_offset)| next_offset);
            let behind = self.met.as_ref().filter(|(at, head)| at.0 < run.end() && head.partition == run.id());
            let next_offset = behind.map_or(run.next_offset, |(_, head)| head.base_offset.0);
            offsets(run.id(), base_offset, next_offset)
        };
        overlapping.map(of_run).filter(|lost| lost.base_offset < lost.next_offset).collect()
    }
}

/// Reads a part of a file as bytes that can be shared.
pub(in crate::inspect) async fn read_bytes<F: DiskFile>(
    file: &F,
    position: Position,
    bytes: u64,
) -> Result<Bytes, String> {
    let length = usize::try_from(bytes).map_err(|_| "more than this host's memory".to_owned())?;
    let buffer = file.read(position, length).await.map_err(|error| error.to_string())?;
    Ok(Bytes::copy_from_slice(&buffer))
}

#[cfg(test)]
mod tests;
