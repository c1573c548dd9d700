//! `florin inspect extent`: one extent, part by part.

use std::process::ExitCode;

use anyhow::{Result, anyhow, bail, ensure};
use florin_engine::format::extent::{ExtentHead, examine};
use florin_engine::format::layout::segment_path;
use florin_engine::io::blocking::{BlockingDisk, BlockingFile, block_on};
use florin_engine::io::{Access, Disk, DiskFile, UNIT_BYTES};
use florin_engine::limits::{BATCH_BYTES_MAX, EXTENT_BYTES_TARGET};
use florin_engine::model::{Position, SegmentId};
use serde::Serialize;

use super::segment::extents::{ExtentView, Level};
use super::segment::known::{Known, KnownRun, Offsets};
use super::segment::walk::{FileWalk, Item, read_bytes};
use super::{DirectoryView, View, line, read_shard, show};
use crate::cli::ExtentLook;

const UNIT: u64 = UNIT_BYTES as u64;
/// Bytes that are read where no header says how long an extent is: more than any has.
const UNKNOWN_EXTENT_BYTES: u64 = (EXTENT_BYTES_TARGET + 2 * BATCH_BYTES_MAX) as u64;

/// One extent of a shard's segment file.
#[derive(Debug, Serialize)]
struct OneExtentView {
    shard: u16,
    segment: u64,
    file: String,
    problem: Option<String>,
    run: Option<KnownRun>,
    extent: Option<ExtentView>,
}

/// What stands at the asked place.
enum Place {
    Extent(ExtentHead),
    /// A header that is not right; what must be in it.
    Damaged(Vec<Offsets>),
}

/// Shows what was asked for.
pub(super) fn run(look: &ExtentLook) -> Result<ExitCode> {
    let position = Position(look.position);
    ensure!(
        position.0.is_multiple_of(UNIT),
        "extents begin at multiples of {UNIT}, and {position} is none: `florin inspect segment` lists where they begin"
    );
    let (directory, shard) = read_shard(&look.look, look.shard)?;
    let known = block_on(Known::read(&BlockingDisk, &directory, shard));
    let known = known.map_err(|problem| anyhow!("shard {shard}: {problem}"))?;
    let segment = SegmentId(look.segment);
    let path = segment_path(&directory.shard_path(shard), segment);
    let file = block_on(BlockingDisk.open(&path, Access::Read))?;
    let whole = file.size_bytes() / UNIT * UNIT;
    let end = Position(known.file(segment).map_or(whole, |named| named.end));
    let place = block_on(find(&file, &known, segment, end, position))?;
    let run = known.run_at(segment, position).copied();
    let mut view = OneExtentView {
        shard: shard.0,
        segment: segment.0,
        file: directory.relative(&path),
        problem: known.problem.clone(),
        run,
        extent: None,
    };
    let level = if look.deep { Level::Records } else { Level::Entries };
    let (bytes, lost) = match &place {
        Place::Extent(head) => (u64::from(head.extent_bytes), Vec::new()),
        Place::Damaged(lost) => (UNKNOWN_EXTENT_BYTES.min(whole.saturating_sub(position.0)), lost.clone()),
    };
    match (block_on(read_bytes(&file, position, bytes.max(UNIT))), place) {
        (Ok(bytes), _) => {
            let found = examine(&bytes, &known.name(segment).at(position));
            view.extent = Some(ExtentView::of(position, &found, run.as_ref(), lost, level));
        }
        (Err(why), place) => {
            view.problem.get_or_insert(format!("{} at byte {position}: {why}", view.file));
            if let Place::Extent(head) = place {
                view.extent = Some(ExtentView::unread(position, &head, run.as_ref(), &why));
            }
        }
    }
    show(&DirectoryView { directory: &directory.path, shards: vec![view] }, look.look.json)
}

/// Goes from header to header to the place.
async fn find(
    file: &BlockingFile,
    known: &Known,
    segment: SegmentId,
    end: Position,
    position: Position,
) -> Result<Place> {
    ensure!(position < end, "the extents of segment file {segment} end at byte {end}, before byte {position}");
    let is_named = known.file(segment).is_some();
    let mut walk = FileWalk::new(file, known.name(segment), known.runs(segment), end, is_named);
    while let Some(item) = walk.next().await {
        match item {
            Item::Extent { position: at, head } if at == position => return Ok(Place::Extent(head)),
            Item::Extent { position: at, head } => {
                let behind = at.plus(u64::from(head.extent_bytes));
                if position < behind {
                    bail!(
                        "no extent begins at byte {position}: it is inside of the one from byte {at} to below {behind}"
                    );
                }
            }
            Item::Index { position: at, .. } => {
                bail!("the extents of segment file {segment} end at byte {at}, where an index begins")
            }
            Item::Gap(gap) if position.0 < gap.position.0 + gap.bytes => return Ok(Place::Damaged(gap.lost)),
            Item::Gap(_) => {}
        }
    }
    bail!("the extents of segment file {segment} end before byte {position}")
}

impl View for OneExtentView {
    fn render(&self, out: &mut String) {
        line(out, &format!("shard {}: extent in {}", self.shard, self.file));
        if let Some(problem) = &self.problem {
            line(out, &format!("  {problem}"));
        }
        if let Some(run) = &self.run {
            line(out, &format!("  {:<17}{}", "run", run.offsets().words()));
        }
        if let Some(extent) = &self.extent {
            extent.render_fields(out);
        }
    }

    fn problem(&self) -> Option<String> {
        self.problem.as_ref().map(|problem| format!("shard {}: {problem}", self.shard))
    }
}
