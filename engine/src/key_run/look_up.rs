//! The job that reads what a look-up of keys needs: tables, heads of sections, pages.

use std::collections::BTreeMap;
use std::path::Path;

use super::KeyRun;
use crate::format::keys::{self, KeyEntry, SectionMap, TableEntry};
use crate::format::layout::segment_path;
use crate::format::stored::Stored;
use crate::io::{Access, Disk, DiskError, DiskFile, UNIT_BYTES};
use crate::model::{Position, SegmentId};
use crate::segment::index::FileName;

/// A part of a key run that is not in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPiece {
    /// Where its sections are.
    Table(KeyRun),
    /// The head of a section.
    Section {
        /// The file.
        segment: SegmentId,
        /// Its row in the table.
        section: TableEntry,
    },
    /// A page.
    Page {
        /// The file.
        segment: SegmentId,
        /// Its first byte in the file.
        position: Position,
    },
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFound {
    /// The sections of a run.
    Table(Stored<Vec<TableEntry>>),
    /// The map of a section.
    Section(Stored<SectionMap>),
    /// The keys of a page.
    Page(Stored<Vec<KeyEntry>>),
}

impl KeyPiece {
    /// Its first byte in the file.
    pub fn position(&self) -> Position {
        match self {
            Self::Table(run) => run.table_position(),
            Self::Section { section, .. } => section.position,
            Self::Page { position, .. } => *position,
        }
    }

    /// The file that has it.
    pub fn segment(&self) -> SegmentId {
        match self {
            Self::Table(run) => run.segment,
            Self::Section { segment, .. } | Self::Page { segment, .. } => *segment,
        }
    }
}

impl KeyFound {
    /// What is wrong with it, if it is not sound.
    pub fn problem(&self) -> Option<String> {
        let problem = |problem: Option<String>| Some(problem.unwrap_or_default());
        match self {
            Self::Table(Stored::Present(_)) | Self::Section(Stored::Present(_)) | Self::Page(Stored::Present(_)) => {
                None
            }
            Self::Table(other) => problem(other.problem()),
            Self::Section(other) => problem(other.problem()),
            Self::Page(other) => problem(other.problem()),
        }
    }

    /// Whether the disk did not give it.
    pub fn is_unreadable(&self) -> bool {
        matches!(
            self,
            Self::Table(Stored::Unreadable(_))
                | Self::Section(Stored::Unreadable(_))
                | Self::Page(Stored::Unreadable(_))
        )
    }

    /// Bytes in memory, of what is sound.
    pub fn memory_bytes(&self) -> usize {
        match self {
            Self::Table(table) => table.present().map_or(0, |sections| size_of_val(&**sections)),
            Self::Section(map) => map.present().map_or(0, SectionMap::memory_bytes),
            Self::Page(page) => page.present().map_or(0, |entries| size_of_val(&**entries)),
        }
    }
}

/// Reads pieces, each from the file that has it, in the order in which they were asked for.
pub async fn look_up<D: Disk>(disk: &D, directory: &Path, name: FileName, pieces: &[KeyPiece]) -> Vec<KeyFound> {
    let mut files: BTreeMap<SegmentId, Result<D::File, DiskError>> = BTreeMap::new();
    let mut found = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let segment = piece.segment();
        if let std::collections::btree_map::Entry::Vacant(vacant) = files.entry(segment) {
            vacant.insert(disk.open(&segment_path(directory, segment), Access::Read).await);
        }
        let name = FileName { segment, ..name };
        found.push(match (&files[&segment], *piece) {
            (Ok(file), KeyPiece::Table(run)) => KeyFound::Table(read_table(file, name, &run).await),
            (Ok(file), KeyPiece::Section { section, .. }) => {
                KeyFound::Section(read_section(file, name, &section).await)
            }
            (Ok(file), KeyPiece::Page { position, .. }) => KeyFound::Page(read_page(file, name, position).await),
            (Err(error), KeyPiece::Table(_)) => KeyFound::Table(Stored::Unreadable(error.clone())),
            (Err(error), KeyPiece::Section { .. }) => KeyFound::Section(Stored::Unreadable(error.clone())),
            (Err(error), KeyPiece::Page { .. }) => KeyFound::Page(Stored::Unreadable(error.clone())),
        });
    }
    for file in files.into_values().flatten() {
        file.close().await;
    }
    found
}

/// The sections of a run.
pub(super) async fn read_table<F: DiskFile>(file: &F, name: FileName, run: &KeyRun) -> Stored<Vec<TableEntry>> {
    let position = run.table_position();
    match file.read(position, run.table_bytes as usize).await {
        Ok(bytes) => keys::decode_table(&bytes, &name.at(position), run.position),
        Err(error) => Stored::Unreadable(error),
    }
}

/// The map of a section, which is what its row in the table says.
pub(super) async fn read_section<F: DiskFile>(file: &F, name: FileName, section: &TableEntry) -> Stored<SectionMap> {
    let bytes = match file.read(section.position, section.head_bytes as usize).await {
        Ok(bytes) => bytes,
        Err(error) => return Stored::Unreadable(error),
    };
    match keys::decode_section(&bytes, &name.at(section.position)) {
        Stored::Present(map) if TableEntry::of(section.position, &map.head) != *section => {
            Stored::Damaged("the section is not what the table of its run says".to_owned())
        }
        other => other,
    }
}

async fn read_page<F: DiskFile>(file: &F, name: FileName, position: Position) -> Stored<Vec<KeyEntry>> {
    match file.read(position, UNIT_BYTES).await {
        Ok(bytes) => keys::decode_page(&bytes, &name.at(position)),
        Err(error) => Stored::Unreadable(error),
    }
}
