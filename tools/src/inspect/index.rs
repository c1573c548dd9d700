//! `florin inspect index`: the index of a segment file, entry by entry, held against the headers in the file.

use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, ensure};
use florin_engine::format::extent::read_head;
use florin_engine::format::layout::segment_path;
use florin_engine::format::segment_index::{self, IndexEntry};
use florin_engine::format::stored::Stored;
use florin_engine::io::blocking::{BlockingDisk, block_on};
use florin_engine::io::{Access, Disk, DiskFile, UNIT_BYTES};
use florin_engine::model::{Position, SegmentId};
use florin_engine::segment::index::FileName;
use serde::Serialize;

use super::segment::known::Known;
use super::segment::walk::{FileWalk, Item, read_bytes};
use super::{DirectoryView, View, line, read_shard, show};
use crate::cli::IndexLook;
use crate::directory::state_word;
use crate::table::{Align, Table};
use crate::time::rfc3339;

/// The index of a shard's segment file.
#[derive(Debug, Serialize)]
struct IndexView {
    shard: u16,
    segment: u64,
    file: String,
    position: u64,
    index_bytes: u32,
    state: &'static str,
    problem: Option<String>,
    entries: Vec<EntryView>,
    missing: Vec<u64>,
    /// What could not be read.
    #[serde(skip)]
    unread: Option<String>,
}

#[derive(Debug, Serialize)]
struct EntryView {
    position: u64,
    extent_bytes: u32,
    base_offset: u64,
    last_append_time: String,
    max_timestamp_ms: i64,
    agrees: bool,
    problem: Option<String>,
}

/// Shows what was asked for.
pub(super) fn run(look: &IndexLook) -> Result<ExitCode> {
    let (directory, shard) = read_shard(&look.look, look.shard)?;
    let known = block_on(Known::read(&BlockingDisk, &directory, shard));
    let known = known.map_err(|problem| anyhow!("shard {shard}: {problem}"))?;
    let segment = SegmentId(look.segment);
    let path = segment_path(&directory.shard_path(shard), segment);
    let file = block_on(BlockingDisk.open(&path, Access::Read))?;
    let (position, index_bytes, heads) = block_on(find(&file, &known, segment))?;
    ensure!(
        index_bytes > 0,
        "segment file {segment} has no index: only a sealed one has, and `florin inspect segment` shows which are"
    );
    let name = known.name(segment);
    let bytes = block_on(read_bytes(&file, position, u64::from(index_bytes)));
    let bytes = bytes.map_err(|why| anyhow!(why)).with_context(|| format!("the index of segment file {segment}"))?;
    let stored = segment_index::decode(&bytes, &name.at(position));
    let entries = stored.present().cloned().unwrap_or_else(|| segment_index::standing_entries(&bytes));
    let mut view = IndexView {
        shard: shard.0,
        segment: segment.0,
        file: directory.relative(&path),
        position: position.0,
        index_bytes,
        state: state_word(&stored),
        problem: stored.problem(),
        entries: Vec::new(),
        missing: Vec::new(),
        unread: known.problem.clone(),
    };
    for entry in &entries {
        let (shown, is_read) = block_on(EntryView::of(&file, name, entry, position));
        if !is_read {
            view.unread.get_or_insert(format!("{} at byte {}: the disk cannot read it", view.file, entry.position));
        }
        view.entries.push(shown);
    }
    view.missing = heads.into_iter().filter(|at| !entries.iter().any(|entry| entry.position.0 == *at)).collect();
    show(&DirectoryView { directory: &directory.path, shards: vec![view] }, look.look.json)
}

/// Where the index stands, how long it is, and where extents begin.
async fn find<F: DiskFile>(file: &F, known: &Known, segment: SegmentId) -> Result<(Position, u32, Vec<u64>)> {
    let named = known.file(segment);
    let whole = file.size_bytes() / UNIT_BYTES as u64 * UNIT_BYTES as u64;
    let end = Position(named.map_or(whole, |named| named.end));
    let mut found = (end, named.map_or(0, |named| named.index_bytes), Vec::new());
    let mut walk = FileWalk::new(file, known.name(segment), known.runs(segment), end, named.is_some());
    while let Some(item) = walk.next().await {
        match item {
            Item::Extent { position, .. } => found.2.push(position.0),
            Item::Index { position, index_bytes } => (found.0, found.1) = (position, index_bytes),
            Item::Gap(_) => {}
        }
    }
    Ok(found)
}

impl EntryView {
    /// An entry held against the header at its place; whether that could be read.
    async fn of<F: DiskFile>(file: &F, name: FileName, entry: &IndexEntry, end: Position) -> (Self, bool) {
        let is_inside = entry.position.0.is_multiple_of(UNIT_BYTES as u64) && entry.position < end;
        let read = if is_inside { Some(file.read(entry.position, UNIT_BYTES).await) } else { None };
        let problem = match &read {
            None => Some("no extent can stand there".to_owned()),
            Some(Err(error)) => Some(format!("the header cannot be read: {error}")),
            Some(Ok(unit)) => match read_head(unit, &name.at(entry.position)) {
                Stored::Present(head) if IndexEntry::of(entry.position, &head) == *entry => None,
                Stored::Present(_) => Some("the extent's header says something else".to_owned()),
                other => Some(format!("the extent's header is {}", other.problem().unwrap_or_default())),
            },
        };
        let is_read = !matches!(read, Some(Err(_)));
        let view = Self {
            position: entry.position.0,
            extent_bytes: entry.extent_bytes,
            base_offset: entry.base_offset.0,
            last_append_time: rfc3339(entry.last_append_time),
            max_timestamp_ms: entry.max_timestamp_ms,
            agrees: problem.is_none(),
            problem,
        };
        (view, is_read)
    }
}

impl View for IndexView {
    fn render(&self, out: &mut String) {
        let Self { shard, file, position, index_bytes, state, .. } = self;
        line(out, &format!("shard {shard}: index in {file} at byte {position}, {index_bytes} bytes: {state}"));
        if let Some(problem) = &self.problem {
            line(out, &format!("  {problem}; its entries are shown as they stand"));
        }
        let columns = [
            ("POSITION", Align::Right),
            ("EXTENT BYTES", Align::Right),
            ("BASE OFFSET", Align::Right),
            ("LAST APPEND", Align::Left),
            ("MAX TIMESTAMP", Align::Right),
            ("HEADER", Align::Left),
        ];
        let mut table = Table::new(&columns);
        for entry in &self.entries {
            let problem = entry.problem.as_ref().map(|problem| format!("DAMAGED: {problem}"));
            table.row(vec![
                entry.position.to_string(),
                entry.extent_bytes.to_string(),
                entry.base_offset.to_string(),
                entry.last_append_time.clone(),
                entry.max_timestamp_ms.to_string(),
                problem.unwrap_or_else(|| "agrees".to_owned()),
            ]);
        }
        table.render(out, 2);
        for position in &self.missing {
            line(out, &format!("  DAMAGED: an extent begins at byte {position}, and no entry names it"));
        }
    }

    fn problem(&self) -> Option<String> {
        self.unread.as_ref().map(|problem| format!("shard {}: {problem}", self.shard))
    }
}
