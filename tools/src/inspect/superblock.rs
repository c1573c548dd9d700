//! `florin inspect superblock`.

use florin_engine::format::layout::{Copy, superblock_path};
use florin_engine::format::stored::Stored;
use florin_engine::format::superblock::{FileUse, RingFile, Superblock};
use florin_engine::io::Disk;
use florin_engine::model::{FileIndex, ShardId};
use serde::Serialize;

use super::{View, line, read_superblocks};
use crate::directory::{Directory, state_word};
use crate::size::Size;
use crate::table::{Align, Table};

/// The superblocks of a shard.
#[derive(Debug, Serialize)]
pub(super) struct SuperblockView {
    shard: u16,
    in_force: Option<&'static str>,
    problem: Option<String>,
    copies: Vec<CopyView>,
}

#[derive(Debug, Serialize)]
struct CopyView {
    copy: &'static str,
    file: String,
    state: &'static str,
    problem: Option<String>,
    contents: Option<Contents>,
}

#[derive(Debug, Serialize)]
struct Contents {
    generation: u64,
    epoch: u64,
    epoch_first_sequence: u64,
    confirmed_sequence: u64,
    clean: bool,
    manifest: ManifestView,
    journal_file_count: u16,
    journal_file_bytes: u64,
    manifest_bytes: u64,
    files: Vec<FileView>,
}

#[derive(Debug, Serialize)]
struct ManifestView {
    slot: u8,
    generation: u64,
    checksum: u32,
}

#[derive(Debug, Serialize)]
struct FileView {
    file: u16,
    state: &'static str,
    lap: u64,
    confirmed_bytes: u64,
    first_sequence: u64,
    last_sequence: u64,
}

/// Both copies of a shard's superblock, and which is in force.
pub(super) async fn view<D: Disk>(disk: &D, directory: &Directory, shard: ShardId) -> SuperblockView {
    let copies = match read_superblocks(disk, directory, shard).await {
        Ok(copies) => copies,
        Err(problem) => {
            return SuperblockView { shard: shard.0, in_force: None, problem: Some(problem), copies: Vec::new() };
        }
    };
    let shard_path = directory.shard_path(shard);
    let (in_force, problem) = match copies.choose() {
        Ok(chosen) => (Some(word(opposite(chosen.overwrite_first))), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let copy_view = |copy: Copy, stored: &Stored<Superblock>| CopyView {
        copy: word(copy),
        file: directory.relative(&superblock_path(&shard_path, copy)),
        state: state_word(stored),
        problem: stored.problem(),
        contents: stored.present().map(Contents::of),
    };
    let copies = vec![copy_view(Copy::A, &copies.a), copy_view(Copy::B, &copies.b)];
    SuperblockView { shard: shard.0, in_force, problem, copies }
}

/// The copy's name, the same in text and JSON.
pub(super) fn word(copy: Copy) -> &'static str {
    match copy {
        Copy::A => "a",
        Copy::B => "b",
    }
}

fn opposite(copy: Copy) -> Copy {
    match copy {
        Copy::A => Copy::B,
        Copy::B => Copy::A,
    }
}

/// What a ring file is used for, the same in text and JSON.
pub(super) fn use_word(state: FileUse) -> &'static str {
    match state {
        FileUse::Free => "free",
        FileUse::Open => "open",
        FileUse::Sealed => "sealed",
    }
}

impl Contents {
    fn of(superblock: &Superblock) -> Self {
        let file_view = |(index, file): (FileIndex, &RingFile)| FileView {
            file: index.0,
            state: use_word(file.state),
            lap: file.lap.0,
            confirmed_bytes: file.confirmed_bytes,
            first_sequence: file.first_sequence.0,
            last_sequence: file.last_sequence.0,
        };
        Self {
            generation: superblock.generation,
            epoch: superblock.epoch.0,
            epoch_first_sequence: superblock.epoch_first_sequence.0,
            confirmed_sequence: superblock.confirmed_sequence.0,
            clean: superblock.clean,
            manifest: ManifestView {
                slot: superblock.manifest.slot,
                generation: superblock.manifest.generation,
                checksum: superblock.manifest.checksum,
            },
            journal_file_count: superblock.geometry.file_count,
            journal_file_bytes: superblock.geometry.file_bytes,
            manifest_bytes: superblock.geometry.manifest_bytes,
            files: superblock.geometry.files().zip(&superblock.files).map(file_view).collect(),
        }
    }

    fn render(&self, out: &mut String) {
        let closed = if self.clean { "closed in order" } else { "not closed in order" };
        line(out, &format!("    generation  {}, {closed}", self.generation));
        line(out, &format!("    epoch       {}, from block {} on", self.epoch, self.epoch_first_sequence));
        line(out, &format!("    confirmed   up to block {}", self.confirmed_sequence));
        let ManifestView { slot, generation, checksum } = &self.manifest;
        line(out, &format!("    manifest    {generation} in slot {slot}, checksum {checksum:08x}"));
        let (count, bytes) = (self.journal_file_count, Size(self.journal_file_bytes));
        line(
            out,
            &format!("    sizes       {count} journal files of {bytes}, manifests of {}", Size(self.manifest_bytes)),
        );
        let mut table = Table::new(&[
            ("FILE", Align::Left),
            ("STATE", Align::Left),
            ("LAP", Align::Right),
            ("CONFIRMED BYTES", Align::Right),
            ("FIRST", Align::Right),
            ("LAST", Align::Right),
        ]);
        for file in &self.files {
            table.row(vec![
                format!("journal-{:03}", file.file),
                file.state.to_owned(),
                file.lap.to_string(),
                file.confirmed_bytes.to_string(),
                file.first_sequence.to_string(),
                file.last_sequence.to_string(),
            ]);
        }
        table.render(out, 4);
    }
}

impl View for SuperblockView {
    fn render(&self, out: &mut String) {
        let in_force = self.in_force.map_or("none is in force".to_owned(), |copy| format!("copy {copy} is in force"));
        line(out, &format!("shard {}: {in_force}", self.shard));
        for copy in &self.copies {
            line(out, &format!("  copy {} ({}): {}", copy.copy, copy.file, copy.state));
            if let Some(problem) = &copy.problem {
                line(out, &format!("    {problem}"));
            }
            if let Some(contents) = &copy.contents {
                contents.render(out);
            }
        }
    }

    fn problem(&self) -> Option<String> {
        self.problem.as_ref().map(|problem| format!("shard {}: {problem}", self.shard))
    }
}
