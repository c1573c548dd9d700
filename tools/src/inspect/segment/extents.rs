//! Extents as they are shown: what their headers say, which part is right, and what is in them.

use std::fmt::Write;

use florin_engine::format::extent::{Check, ExaminedEntry, ExaminedExtent, ExtentHead};
use florin_engine::model::{PartitionId, Position};
use serde::Serialize;

use super::known::{KnownRun, Offsets, offsets};
use crate::inspect::batch::BatchView;
use crate::inspect::records::Records;
use crate::time::rfc3339;

/// How much of an extent is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::inspect) enum Level {
    /// What is said of it as a whole.
    Extents,
    /// Its table as well.
    Entries,
    /// The records of its batches as well.
    Records,
}

/// An extent, or what stands in its place.
#[derive(Debug, Serialize)]
pub(in crate::inspect) struct ExtentView {
    position: u64,
    fields: Option<Fields>,
    header: CheckView,
    table: CheckView,
    padding: CheckView,
    is_needed: bool,
    damaged_batch_count: usize,
    lost: Vec<Offsets>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<Vec<EntryView>>,
}

/// What the header says. It can be believed if the header is right.
#[derive(Debug, Serialize)]
struct Fields {
    topic: u64,
    partition: u32,
    base_offset: u64,
    next_offset: u64,
    last_append_time: String,
    max_timestamp_ms: i64,
    entry_count: u32,
    batches_bytes: u32,
    extent_bytes: u32,
}

/// Whether a part is what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::inspect) struct CheckView {
    state: &'static str,
    problem: Option<String>,
}

/// An entry of the table, and the batch that it describes.
#[derive(Debug, Serialize)]
struct EntryView {
    position: u64,
    base_offset: u64,
    next_offset: u64,
    append_time: String,
    batch_bytes: u32,
    crc: u32,
    check: CheckView,
    batch: Option<BatchView>,
}

impl ExtentView {
    /// Of what was found at a place. `run` is what the manifest says to be there, `lost` the offsets that must be there
    /// if the header does not say them.
    pub(in crate::inspect) fn of(
        position: Position,
        found: &ExaminedExtent,
        run: Option<&KnownRun>,
        lost: Vec<Offsets>,
        level: Level,
    ) -> Self {
        let view = |entry: &ExaminedEntry| EntryView::of(position, found, entry, level);
        Self {
            position: position.0,
            fields: found.head.as_ref().map(Fields::of),
            header: CheckView::of(&found.header),
            table: CheckView::of(&found.table),
            padding: CheckView::of(&found.padding),
            is_needed: run.is_some(),
            damaged_batch_count: found.entries.iter().filter(|entry| !entry.check.is_right()).count(),
            lost: if found.header.is_right() { lost_offsets(found, run) } else { lost },
            entries: (level >= Level::Entries).then(|| found.entries.iter().map(view).collect()),
        }
    }

    /// Of an extent that the disk did not give, behind its header.
    pub(in crate::inspect) fn unread(position: Position, head: &ExtentHead, run: Option<&KnownRun>, why: &str) -> Self {
        let unknown = CheckView { state: "unknown", problem: Some(format!("unreadable: {why}")) };
        let whole = offsets(head.partition, head.base_offset.0, head.next_offset.0);
        Self {
            position: position.0,
            fields: Some(Fields::of(head)),
            header: CheckView::of(&Check::Right),
            table: unknown.clone(),
            padding: unknown,
            is_needed: run.is_some(),
            damaged_batch_count: 0,
            lost: run.and_then(|run| whole.within(run)).into_iter().collect(),
            entries: None,
        }
    }

    /// What is wrong with it, in words.
    pub(in crate::inspect) fn damage(&self) -> Option<String> {
        let parts = [&self.header, &self.table, &self.padding];
        let part = parts.iter().find(|part| part.state != "right").and_then(|part| part.problem.clone());
        let batches = (self.damaged_batch_count > 0).then(|| format!("{} of its batches", self.damaged_batch_count));
        let what = part.or(batches)?;
        Some(format!("DAMAGED: {what}{}", lost_words(&self.lost)))
    }

    /// The extent as one line, and what is to be shown of it below.
    pub(in crate::inspect) fn render(&self, out: &mut String) {
        let place = format!("at byte {}", self.position);
        let said = self.fields.as_ref().map_or_else(|| "no extent".to_owned(), Fields::words);
        let damage = self.damage().unwrap_or_else(|| "right".to_owned());
        let unneeded = if self.is_needed { "" } else { ", in no run" };
        let _ = writeln!(out, "    {place}: {said}{unneeded}, {damage}");
        for entry in self.entries.iter().flatten() {
            entry.render(out);
        }
    }

    /// Everything, field by field.
    pub(in crate::inspect) fn render_fields(&self, out: &mut String) {
        match &self.fields {
            Some(fields) => fields.render(out),
            None => out.push_str("  no extent begins here\n"),
        }
        for (part, check) in [("header", &self.header), ("table", &self.table), ("padding", &self.padding)] {
            let problem = check.problem.as_ref().map_or(String::new(), |problem| format!(": {problem}"));
            let _ = writeln!(out, "  {part:<17}{}{problem}", check.state);
        }
        let _ = writeln!(out, "  {:<17}{}", "needed", if self.is_needed { "yes" } else { "no run has it" });
        for lost in &self.lost {
            let _ = writeln!(out, "  {:<17}{}", "lost", lost.words());
        }
        for entry in self.entries.iter().flatten() {
            entry.render(out);
        }
    }
}

/// The offsets of its run that an extent does not give although its header is right.
fn lost_offsets(found: &ExaminedExtent, run: Option<&KnownRun>) -> Vec<Offsets> {
    let (Some(head), Some(run)) = (&found.head, run) else { return Vec::new() };
    let of = |id: PartitionId, base: u64, next: u64| offsets(id, base, next).within(run);
    if head.partition != run.id() {
        return vec![offsets(run.id(), run.base_offset, run.next_offset)];
    }
    if !found.table.is_right() || !found.padding.is_right() {
        return of(head.partition, head.base_offset.0, head.next_offset.0).into_iter().collect();
    }
    let damaged = found.entries.iter().filter(|entry| !entry.check.is_right());
    damaged.filter_map(|entry| of(head.partition, entry.base_offset.0, entry.next_offset.0)).collect()
}

/// Offsets that cannot be read, in words.
pub(in crate::inspect) fn lost_words(lost: &[Offsets]) -> String {
    if lost.is_empty() {
        return String::new();
    }
    let lost: Vec<String> = lost.iter().map(|lost| format!("offsets {}", lost.words())).collect();
    format!("; {} cannot be read", lost.join(", "))
}

impl Fields {
    fn of(head: &ExtentHead) -> Self {
        Self {
            topic: head.partition.topic.0,
            partition: head.partition.index,
            base_offset: head.base_offset.0,
            next_offset: head.next_offset.0,
            last_append_time: rfc3339(head.last_append_time),
            max_timestamp_ms: head.max_timestamp_ms,
            entry_count: head.entry_count,
            batches_bytes: head.batches_bytes,
            extent_bytes: head.extent_bytes,
        }
    }

    fn words(&self) -> String {
        let Self { topic, partition, base_offset, next_offset, entry_count, extent_bytes, last_append_time, .. } = self;
        let batches = if *entry_count == 1 { "batch" } else { "batches" };
        format!(
            "{extent_bytes} bytes, {topic}/{partition}: {base_offset} to below {next_offset}, {entry_count} {batches} up to \
             {last_append_time}"
        )
    }

    fn render(&self, out: &mut String) {
        let rows = [
            ("partition", format!("{}/{}", self.topic, self.partition)),
            ("offsets", format!("{} to below {}", self.base_offset, self.next_offset)),
            ("last append time", self.last_append_time.clone()),
            ("max timestamp", self.max_timestamp_ms.to_string()),
            ("batches", format!("{} of {} bytes", self.entry_count, self.batches_bytes)),
            ("extent bytes", self.extent_bytes.to_string()),
        ];
        for (name, value) in rows {
            let _ = writeln!(out, "  {name:<17}{value}");
        }
    }
}

impl CheckView {
    fn of(check: &Check) -> Self {
        match check {
            Check::Right => Self { state: "right", problem: None },
            Check::Wrong(problem) => Self { state: "wrong", problem: Some(problem.clone()) },
            Check::Unknown(problem) => Self { state: "unknown", problem: Some(problem.clone()) },
        }
    }
}

impl EntryView {
    fn of(position: Position, found: &ExaminedExtent, entry: &ExaminedEntry, level: Level) -> Self {
        let partition = found.head.as_ref().map(|head| head.partition);
        let is_right = entry.check.is_right();
        let records = partition.filter(|_| is_right && level >= Level::Records);
        let records = records.and_then(|id| Records::of(id, entry.append_time, &entry.batch));
        Self {
            position: position.0 + entry.position as u64,
            base_offset: entry.base_offset.0,
            next_offset: entry.next_offset.0,
            append_time: rfc3339(entry.append_time),
            batch_bytes: entry.batch_bytes,
            crc: entry.crc,
            check: CheckView::of(&entry.check),
            batch: is_right.then(|| BatchView::of(&entry.batch, records)),
        }
    }

    fn render(&self, out: &mut String) {
        let Self { position, base_offset, next_offset, append_time, crc, .. } = self;
        let said = match (&self.batch, &self.check.problem) {
            (Some(batch), _) => batch.words(),
            (None, problem) => {
                let problem = problem.as_deref().unwrap_or_default();
                format!("offsets {base_offset} to below {next_offset}, DAMAGED: {problem}")
            }
        };
        let _ = writeln!(out, "      batch at byte {position}: {said}, crc {crc:08x}, at {append_time}");
        if let Some(records) = self.batch.as_ref().and_then(BatchView::records) {
            records.lines(|line| {
                let _ = writeln!(out, "        {line}");
            });
        }
    }
}
