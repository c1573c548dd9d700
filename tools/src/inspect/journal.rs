//! `florin inspect journal`.

use florin_engine::checkpoint::slot;
use florin_engine::format::layout::journal_path;
use florin_engine::format::superblock::{FileUse, Superblock};
use florin_engine::io::{Disk, UNIT_BYTES};
use florin_engine::journal::recovery::{Damage, Told, examine, examined_bytes, later_laps};
use florin_engine::journal::scan::{FileImage, read_file};
use florin_engine::model::{Sequence, ShardId};
use serde::Serialize;

use super::ring_file::{BlockView, Detail, Item, Judgement, RunView};
use super::superblock::use_word;
use super::{View, line, read_superblocks};
use crate::cli::JournalLook;
use crate::directory::Directory;
use crate::table::{Align, Table};

#[cfg(test)]
mod tests;

/// The journal of a shard.
#[derive(Debug, Default, Serialize)]
pub(super) struct JournalView {
    shard: u16,
    problem: Option<String>,
    epoch: u64,
    clean: bool,
    confirmed_sequence: u64,
    last_sequence: u64,
    /// Everything that recovery calls damage; what has a place is shown there.
    damage_count: usize,
    /// What has no place.
    damage: Vec<String>,
    files: Vec<FileView>,
}

#[derive(Debug, Serialize)]
struct FileView {
    file: u16,
    path: String,
    state: &'static str,
    lap: u64,
    confirmed_bytes: u64,
    problem: Option<String>,
    /// What the disk did not give, whether or not it was asked for by sequence.
    #[serde(skip)]
    unreadable_bytes: u64,
    blocks: Vec<BlockView>,
    runs: Vec<RunView>,
}

/// Every file of a shard's ring and what recovery makes of it.
pub(super) async fn view<D: Disk>(disk: &D, directory: &Directory, shard: ShardId, look: &JournalLook) -> JournalView {
    let lost = |problem: String| JournalView { shard: shard.0, problem: Some(problem), ..JournalView::default() };
    let copies = match read_superblocks(disk, directory, shard).await {
        Ok(copies) => copies,
        Err(problem) => return lost(problem),
    };
    let superblock = match copies.choose() {
        Ok(chosen) => chosen.superblock,
        Err(error) => return lost(format!("its journal cannot be told from other bytes: {error}")),
    };
    if let Some(file) = look.file.filter(|file| *file >= superblock.geometry.file_count) {
        let last = superblock.geometry.file_count - 1;
        return lost(format!("there is no journal file {file}: they are 0 to {last}"));
    }
    if superblock.files.iter().any(|file| !file.confirmed_bytes.is_multiple_of(UNIT_BYTES as u64)) {
        return lost("the superblock vouches for a part of a unit, which no writer ever did".to_owned());
    }
    let shard_path = directory.shard_path(shard);
    let included = match slot::read(disk, &shard_path, &superblock).await {
        Ok(read) => read.manifest.sequence,
        Err(_) => first_held(&superblock),
    };
    let mut images = Vec::new();
    for index in superblock.geometry.files() {
        images.push(read_file(disk, &shard_path, index, superblock.geometry.file_bytes).await);
    }
    let needed: Vec<FileImage> = images
        .iter()
        .flatten()
        .map(|image| image.front(examined_bytes(&superblock, &superblock.files[usize::from(image.file.0)])))
        .filter(|front| !front.bytes.is_empty())
        .collect();
    let later = slot::later_manifests(disk, &shard_path, &superblock).await;
    let mut recovery = examine(&superblock, Told::by(included).and(later.sequence), &needed);
    let later = later_laps(disk, &shard_path, &superblock).await;
    recovery.damage.splice(0..0, later.map(Damage::of_later_lap));
    let judgement = Judgement::new(&superblock, &recovery);
    let files = superblock.geometry.files().zip(&superblock.files).zip(&images);
    let files = files.filter(|((index, _), _)| look.file.is_none_or(|only| only == index.0));
    let files = files.map(|((index, file), image)| {
        let (blocks, runs) = match image {
            Ok(image) => select(judgement.items(image, detail(look)), look),
            Err(_) => (Vec::new(), Vec::new()),
        };
        FileView {
            file: index.0,
            path: directory.relative(&journal_path(&shard_path, index)),
            state: use_word(file.state),
            lap: file.lap.0,
            confirmed_bytes: file.confirmed_bytes,
            problem: image.as_ref().err().map(ToString::to_string),
            unreadable_bytes: image.as_ref().map_or(0, |image| (image.unreadable.len() * UNIT_BYTES) as u64),
            blocks,
            runs,
        }
    });
    let without_place = recovery.damage.iter().filter(|damage| damage.position.is_none());
    JournalView {
        shard: shard.0,
        problem: None,
        epoch: superblock.epoch.0,
        clean: superblock.clean,
        confirmed_sequence: superblock.confirmed_sequence.0,
        last_sequence: recovery.last_sequence.0,
        files: files.collect(),
        damage_count: recovery.damage.len(),
        damage: without_place.map(ToString::to_string).collect(),
    }
}

fn detail(look: &JournalLook) -> Detail {
    match look {
        JournalLook { deep: true, .. } => Detail::Records,
        JournalLook { entries: true, .. } => Detail::Entries,
        JournalLook { .. } => Detail::Blocks,
    }
}

/// Without a manifest nobody knows which blocks it includes: those before the first that is still held.
pub(crate) fn first_held(superblock: &Superblock) -> Sequence {
    let held = superblock.files.iter().filter(|file| file.state != FileUse::Free && file.confirmed_bytes > 0);
    let first = held.map(|file| file.first_sequence).min();
    first.map_or(superblock.confirmed_sequence, |first| Sequence(first.0.saturating_sub(1)))
}

/// The blocks that were asked for; what is not a block has no sequence and is left out when one is asked for.
fn select(items: Vec<Item>, look: &JournalLook) -> (Vec<BlockView>, Vec<RunView>) {
    let range = look.from.unwrap_or(0)..=look.to.unwrap_or(u64::MAX);
    let by_sequence = look.from.is_some() || look.to.is_some();
    let (mut blocks, mut runs) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            Item::Block(block) if range.contains(&block.sequence) => blocks.push(block),
            Item::Run(run) if !by_sequence => runs.push(run),
            Item::Block(_) | Item::Run(_) => {}
        }
    }
    (blocks, runs)
}

impl View for JournalView {
    fn render(&self, out: &mut String) {
        if let Some(problem) = &self.problem {
            return line(out, &format!("shard {}: {problem}", self.shard));
        }
        let closed = if self.clean { "closed in order" } else { "not closed in order" };
        let (epoch, confirmed, last) = (self.epoch, self.confirmed_sequence, self.last_sequence);
        line(out, &format!("shard {}: epoch {epoch}, {closed}", self.shard));
        line(out, &format!("  confirmed up to block {confirmed}, whole and in order up to block {last}"));
        for file in &self.files {
            file.render(out);
        }
        for damage in &self.damage {
            line(out, &format!("  {damage}"));
        }
        if self.damage_count > 0 {
            line(out, "  a start refuses this journal: florin verify tells what is wrong with all of the directory");
        }
    }

    fn problem(&self) -> Option<String> {
        let problem = self.problem.clone().or_else(|| self.files.iter().find_map(FileView::problem));
        problem.map(|problem| format!("shard {}: {problem}", self.shard))
    }
}

impl FileView {
    /// What of it could not be shown.
    fn problem(&self) -> Option<String> {
        let Self { path, unreadable_bytes, .. } = self;
        match &self.problem {
            Some(problem) => Some(format!("{path} is not shown: {problem}")),
            None if *unreadable_bytes > 0 => {
                Some(format!("{path}: the disk cannot read {unreadable_bytes} bytes of it"))
            }
            None => None,
        }
    }

    fn render(&self, out: &mut String) {
        let FileView { path, state, lap, confirmed_bytes, .. } = self;
        line(out, &format!("  {path}: {state}, lap {lap}, {confirmed_bytes} bytes confirmed"));
        if let Some(problem) = &self.problem {
            return line(out, &format!("    {problem}"));
        }
        let mut table = Table::new(&[
            ("POSITION", Align::Right),
            ("SEQUENCE", Align::Right),
            ("EPOCH", Align::Right),
            ("DURABLE", Align::Right),
            ("ENTRIES", Align::Right),
            ("BYTES", Align::Right),
            ("VERDICT", Align::Left),
        ]);
        let mut runs = self.runs.iter().peekable();
        for block in &self.blocks {
            while let Some(run) = runs.next_if(|run| run.position < block.position) {
                table.line(run.line());
            }
            block.add_to(&mut table);
        }
        for run in runs {
            table.line(run.line());
        }
        table.render(out, 4);
    }
}

impl BlockView {
    fn add_to(&self, table: &mut Table) {
        let problem = self.problem.as_ref().map_or(String::new(), |problem| format!(": {problem}"));
        table.row(vec![
            self.position.to_string(),
            self.sequence.to_string(),
            self.epoch.to_string(),
            self.durable_sequence.to_string(),
            self.entry_count.to_string(),
            self.block_bytes.to_string(),
            format!("{}{problem}", self.verdict.word()),
        ]);
        for entry in self.entries.iter().flatten() {
            table.line(format!("    {}", entry.line()));
            if let Some(records) = entry.records() {
                records.lines(|line| table.line(format!("      {line}")));
            }
        }
    }
}

impl RunView {
    fn line(&self) -> String {
        let problem = self.problem.as_ref().map_or(String::new(), |problem| format!(": {problem}"));
        let holds = match self.holds {
            "virgin" => "as formatted",
            "earlier_lap" => "blocks of an earlier lap",
            "misplaced_block" => "a block of another place",
            "unreadable" => "not readable",
            _ => "no block header",
        };
        let end = self.position + self.run_bytes;
        format!("bytes {} to {end}: {holds}, {}{problem}", self.position, self.verdict.word())
    }
}
