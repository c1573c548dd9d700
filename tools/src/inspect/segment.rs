//! `florin inspect segment`: the segment files of a shard, and the extents of one of them.

pub(super) mod extents;
pub(super) mod known;
mod stream;
pub(super) mod walk;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use florin_engine::format::extent::ExtentPlace;
use florin_engine::format::layout::segment_path;
use florin_engine::format::segment_index;
use florin_engine::format::stored::Stored;
use florin_engine::io::blocking::{BlockingDisk, block_on};
use florin_engine::io::{Access, Disk, DiskErrorKind, DiskFile, UNIT_BYTES};
use florin_engine::model::{Position, SegmentId, ShardId};
use florin_engine::segment::remove;
use serde::Serialize;

use super::{DirectoryView, View, conclude, line, read_shard, show};
use crate::cli::SegmentLook;
use crate::directory::{Directory, state_word};
use crate::output;
use crate::size::counted;
use crate::table::{Align, Table};
use extents::{Level, lost_words};
use known::{Known, KnownRun, Offsets};
use stream::{Extents, Source};
use walk::{FileWalk, Gap, Item, read_bytes};

/// The segment files of a shard.
#[derive(Debug, Serialize)]
pub(super) struct SegmentsView<'a> {
    shard: u16,
    problem: Option<String>,
    manifest_generation: Option<u64>,
    segments: Vec<SegmentView<'a>>,
}

/// One of them.
#[derive(Debug, Serialize)]
struct SegmentView<'a> {
    segment: u64,
    file: String,
    state: &'static str,
    problem: Option<String>,
    is_named: bool,
    is_shared: bool,
    file_bytes: Option<u64>,
    end: u64,
    index: &'static str,
    index_bytes: u32,
    extent_count: u64,
    batch_count: u64,
    partition_count: usize,
    key_run_count: usize,
    runs: Vec<KnownRun>,
    damage: Vec<DamageView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extents: Option<Extents<'a>>,
}

/// A part of a file that is not what was written.
#[derive(Debug, Serialize)]
struct DamageView {
    position: u64,
    damage_bytes: u64,
    what: String,
    lost: Vec<Offsets>,
}

/// Shows what was asked for.
pub(super) fn run(look: &SegmentLook) -> Result<ExitCode> {
    let (directory, shard) = read_shard(&look.look, look.shard)?;
    let known = match block_on(Known::read(&BlockingDisk, &directory, shard)) {
        Ok(known) => known,
        Err(problem) => return show(&of_shard(&directory, SegmentsView::lost(shard, problem)), look.look.json),
    };
    let source;
    let Some(segment) = look.segment.map(SegmentId) else {
        let view = block_on(list(&BlockingDisk, &directory, &known));
        return show(&of_shard(&directory, view), look.look.json);
    };
    let mut view = SegmentsView::of(&known);
    let summary = block_on(view_of(&BlockingDisk, &directory, &known, segment));
    ensure!(
        summary.is_named || summary.file_bytes.is_some(),
        "shard {shard} has no segment file {segment}: `florin inspect segment {} --shard {shard}` lists those that it has",
        directory.path.display()
    );
    let path = segment_path(&directory.shard_path(shard), segment);
    let file = block_on(BlockingDisk.open(&path, Access::Read)).ok();
    let end = Position(summary.end);
    let has_keys = summary.key_run_count > 0;
    view.segments.push(summary);
    let Some(file) = file.filter(|_| !has_keys) else { return show(&of_shard(&directory, view), look.look.json) };
    source = Source { known, segment, file, end };
    let level = if look.deep { Level::Records } else { Level::Extents };
    let extents = source.extents(level);
    if look.look.json {
        view.segments[0].extents = Some(extents);
        return show(&of_shard(&directory, view), true);
    }
    let mut text = String::new();
    view.render(&mut text);
    output::stream(|out| {
        out.write_all(text.as_bytes())?;
        extents.each(|text| out.write_all(text.as_bytes()))
    })?;
    view.segments[0].extents = Some(extents);
    Ok(conclude(view.problem()))
}

fn of_shard<'a, 'b>(directory: &'a Directory, view: SegmentsView<'b>) -> DirectoryView<'a, SegmentsView<'b>> {
    DirectoryView { directory: &directory.path, shards: vec![view] }
}

/// Every segment file of a shard, named or found.
async fn list<'a, D: Disk>(disk: &D, directory: &Directory, known: &Known) -> SegmentsView<'a> {
    let mut view = SegmentsView::of(known);
    let mut segments: Vec<SegmentId> = known.segments().collect();
    match remove::list(disk, &directory.shard_path(known.shard)).await {
        Ok(found) => segments.extend(found),
        Err(error) => view.problem = Some(format!("which segment files there are is not known: {error}")),
    }
    segments.sort_unstable();
    segments.dedup();
    for segment in segments {
        view.segments.push(view_of(disk, directory, known, segment).await);
    }
    view
}

/// A segment file by the headers of its extents.
async fn view_of<'a, D: Disk>(disk: &D, directory: &Directory, known: &Known, segment: SegmentId) -> SegmentView<'a> {
    let path = segment_path(&directory.shard_path(known.shard), segment);
    let mut view = SegmentView::of(known, segment, directory.relative(&path));
    let file = match disk.open(&path, Access::Read).await {
        Ok(file) => file,
        Err(error) => {
            if error.kind == DiskErrorKind::NotFound {
                let lost = known.runs(segment).iter().map(KnownRun::offsets).collect();
                view.damage(0, view.end, "the segment file is gone".to_owned(), lost);
            }
            view.index = "unreadable";
            view.problem = Some(format!("{} is not shown: {error}", view.file));
            return view;
        }
    };
    view.file_bytes = Some(file.size_bytes());
    if view.key_run_count > 0 {
        // No extents are in it.
        file.close().await;
        return view;
    }
    if !view.is_named {
        view.end = file.size_bytes() / UNIT_BYTES as u64 * UNIT_BYTES as u64;
    }
    let name = known.name(segment);
    let mut walk = FileWalk::new(&file, name, known.runs(segment), Position(view.end), view.is_named);
    let mut end = view.end;
    while let Some(item) = walk.next().await {
        match item {
            Item::Extent { head, .. } => {
                view.extent_count += 1;
                view.batch_count += u64::from(head.entry_count);
            }
            Item::Index { position, index_bytes } => (end, view.index_bytes) = (position.0, index_bytes),
            Item::Gap(gap) => view.gap(gap),
        }
    }
    view.end = end;
    if view.index_bytes > 0 {
        view.check_index(&file, name.at(Position(end))).await;
    }
    file.close().await;
    view
}

impl SegmentsView<'_> {
    fn of(known: &Known) -> Self {
        Self {
            shard: known.shard.0,
            problem: known.problem.clone(),
            manifest_generation: known.manifest_generation,
            segments: Vec::new(),
        }
    }

    fn lost(shard: ShardId, problem: String) -> Self {
        Self { shard: shard.0, problem: Some(problem), manifest_generation: None, segments: Vec::new() }
    }
}

impl SegmentView<'_> {
    fn of(known: &Known, segment: SegmentId, file: String) -> Self {
        let named = known.file(segment);
        let partition_count = known.partition_count(segment);
        let state = match (named, &known.problem) {
            (Some(named), _) => named.state,
            (None, None) => "orphan",
            (None, Some(_)) => "unknown",
        };
        let index_bytes = named.map_or(0, |named| named.index_bytes);
        Self {
            segment: segment.0,
            file,
            state,
            problem: None,
            is_named: named.is_some(),
            is_shared: partition_count > 1,
            file_bytes: None,
            end: named.map_or(0, |named| named.end),
            index: "none",
            index_bytes,
            extent_count: 0,
            batch_count: 0,
            partition_count,
            key_run_count: known.key_run_count(segment),
            runs: known.runs(segment).to_vec(),
            damage: Vec::new(),
            extents: None,
        }
    }

    fn damage(&mut self, position: u64, damage_bytes: u64, what: String, lost: Vec<Offsets>) {
        self.damage.push(DamageView { position, damage_bytes, what, lost });
    }

    fn gap(&mut self, gap: Gap) {
        if gap.is_unreadable {
            let what =
                format!("{}: the disk cannot read some of {} bytes at byte {}", self.file, gap.bytes, gap.position);
            self.problem.get_or_insert(what);
        }
        self.damage(gap.position.0, gap.bytes, gap.why, gap.lost);
    }

    async fn check_index<F: DiskFile>(&mut self, file: &F, place: ExtentPlace) {
        let bytes = u64::from(self.index_bytes);
        if place.position.0 + bytes > file.size_bytes() {
            self.index = "damaged";
            let what = format!("the file has only {} bytes, so its index is cut off", file.size_bytes());
            return self.damage(place.position.0, bytes, what, Vec::new());
        }
        match read_bytes(file, place.position, bytes).await {
            Ok(read) => {
                let stored = segment_index::decode(&read, &place);
                self.index = state_word(&stored);
                if !matches!(stored, Stored::Present(_)) {
                    let what = format!("the index: {}", stored.problem().unwrap_or_default());
                    self.damage(place.position.0, bytes, what, Vec::new());
                }
            }
            Err(why) => {
                self.index = "unreadable";
                self.problem.get_or_insert(format!("{}: its index cannot be read: {why}", self.file));
            }
        }
    }

    /// Whose offsets are in it, in few words.
    fn offsets(&self) -> String {
        match self.runs.as_slice() {
            [] if self.key_run_count > 0 => {
                format!("idempotency keys, {}", counted(self.key_run_count as u64, "run", "runs"))
            }
            [] => "none that is needed".to_owned(),
            [run] => run.offsets().words(),
            runs => {
                let others = counted(runs.len() as u64 - 1, "other run", "other runs");
                format!("{} and {others}", runs[0].offsets().words())
            }
        }
    }

    fn add_to(&self, table: &mut Table) {
        table.row(vec![
            self.segment.to_string(),
            self.state.to_owned(),
            if self.is_shared { "yes" } else { "no" }.to_owned(),
            self.file_bytes.map_or_else(|| "missing".to_owned(), |bytes| bytes.to_string()),
            self.end.to_string(),
            self.extent_count.to_string(),
            self.batch_count.to_string(),
            self.runs.len().to_string(),
            self.partition_count.to_string(),
            self.index.to_owned(),
            self.offsets(),
        ]);
        for DamageView { position, damage_bytes, what, lost } in &self.damage {
            let lost = lost_words(lost);
            table.line(format!("    at byte {position} ({damage_bytes} bytes): DAMAGED: {what}{lost}"));
        }
        if let Some(problem) = &self.problem {
            table.line(format!("    {problem}"));
        }
    }
}

impl View for SegmentsView<'_> {
    fn render(&self, out: &mut String) {
        let manifest = self.manifest_generation.map_or("no manifest".to_owned(), |number| format!("manifest {number}"));
        line(out, &format!("shard {}: segment files by {manifest}", self.shard));
        if let Some(problem) = &self.problem {
            line(out, &format!("  {problem}"));
        }
        if self.segments.is_empty() {
            return line(out, "  no segment files");
        }
        let columns = [
            ("SEGMENT", Align::Right),
            ("STATE", Align::Left),
            ("SHARED", Align::Left),
            ("FILE BYTES", Align::Right),
            ("EXTENTS END", Align::Right),
            ("EXTENTS", Align::Right),
            ("BATCHES", Align::Right),
            ("RUNS", Align::Right),
            ("PARTITIONS", Align::Right),
            ("INDEX", Align::Left),
            ("OFFSETS", Align::Left),
        ];
        let mut table = Table::new(&columns);
        self.segments.iter().for_each(|segment| segment.add_to(&mut table));
        table.render(out, 2);
    }

    fn problem(&self) -> Option<String> {
        let unread = |segment: &SegmentView<'_>| {
            let is_unread = segment.extents.as_ref().is_some_and(|extents| extents.is_unreadable());
            is_unread.then(|| format!("{}: the disk cannot read some of it", segment.file))
        };
        let of_segment = |segment: &SegmentView<'_>| segment.problem.clone().or_else(|| unread(segment));
        let problem = self.problem.clone().or_else(|| self.segments.iter().find_map(of_segment));
        problem.map(|problem| format!("shard {}: {problem}", self.shard))
    }
}
