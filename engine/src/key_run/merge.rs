//! The job that puts key runs of a partition together: one pass over all of them, the later one counts, and what has
//! expired goes.

use std::cell::Cell;

use super::KeyRun;
use super::look_up::read_table;
use super::write::{KeyWriter, KeyWriting};
use crate::format::keys::{self, KeyEntry, KeyHash, TableEntry};
use crate::format::layout::segment_path;
use crate::format::stored::Stored;
use crate::io::{Access, Disk, DiskError, DiskFile, Runtime, UNIT_BYTES};
use crate::model::{PartitionId, Position, Realtime, SegmentId};
use crate::segment::index::FileName;

/// Pages that are read from one run at a time.
pub(super) const PAGES_READ: usize = 64;
/// Bytes that the head of a section takes at most.
const HEAD_BYTES_MAX: usize = 512 * 1024;

/// What is to be put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyMerge {
    /// The partition.
    pub partition: PartitionId,
    /// Its runs, each going on where the one before ends.
    pub runs: Vec<KeyRun>,
    /// The new file.
    pub segment: SegmentId,
    /// Keys appended before this have expired; none if nothing may expire now.
    pub expired_before: Option<Realtime>,
    /// What is damaged is left out, instead of ending the merge.
    pub leaves_out_damage: bool,
}

/// Why key runs were not put together. They stay as they are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyMergeError {
    /// A run cannot be read as a whole.
    #[error("key run in segment {segment}, at byte {position}: {what}")]
    Damaged {
        /// The file.
        segment: SegmentId,
        /// Where in it.
        position: Position,
        /// What is wrong there.
        what: String,
    },
    /// The new run could not be written.
    #[error(transparent)]
    Write(#[from] DiskError),
    /// The shard ends: nobody waits for it.
    #[error("the shard ends")]
    Stopped,
}

/// Carries out a merge; the new file and its name are durable. None: everything had expired, and there is no file. When
/// `must_stop` becomes true it is given up.
///
/// # Errors
/// If a run is damaged or the disk fails. A file may be there then; it does not count.
pub async fn merge<R: Runtime>(
    runtime: &R,
    writing: KeyWriting<'_>,
    plan: &KeyMerge,
    must_stop: &Cell<bool>,
) -> Result<Option<KeyRun>, KeyMergeError> {
    let mut sources = Vec::with_capacity(plan.runs.len());
    let mut result = open_all(runtime, writing, plan, &mut sources).await.map(|()| None);
    if result.is_ok() {
        let mut writer = None;
        result = merge_all(runtime, writing, plan, (&mut sources, must_stop), &mut writer).await;
        if let Some(writer) = writer {
            writer.close().await;
        }
    }
    for source in sources {
        source.file.close().await;
    }
    result
}

async fn open_all<R: Runtime>(
    runtime: &R,
    writing: KeyWriting<'_>,
    plan: &KeyMerge,
    sources: &mut Vec<SourceOn<R>>,
) -> Result<(), KeyMergeError> {
    for run in &plan.runs {
        let damaged = |what: String| KeyMergeError::Damaged { segment: run.segment, position: run.position, what };
        let opened = runtime.disk().open(&segment_path(writing.directory, run.segment), Access::Read).await;
        let file = match opened {
            Ok(file) => file,
            Err(_) if plan.leaves_out_damage => continue,
            Err(error) => return Err(damaged(error.to_string())),
        };
        let name = FileName { journal_id: writing.journal_id, shard: writing.shard, segment: run.segment };
        let leaves_out_damage = plan.leaves_out_damage;
        let sections = Vec::new().into_iter();
        sources.push(Source { file, name, sections, pages: (run.position, 0), leaves_out_damage });
        let source = sources.last_mut().expect("it was just added");
        match read_table(&source.file, name, run).await {
            Stored::Present(sections) => source.sections = sections.into_iter(),
            _ if plan.leaves_out_damage => source.sections = source.walk(run).await.into_iter(),
            other => return Err(damaged(other.problem().unwrap_or_default())),
        }
    }
    Ok(())
}

async fn merge_all<'a, R: Runtime>(
    runtime: &'a R,
    writing: KeyWriting<'a>,
    plan: &KeyMerge,
    (sources, must_stop): (&mut [SourceOn<R>], &Cell<bool>),
    writer: &mut Option<KeyWriter<'a, R>>,
) -> Result<Option<KeyRun>, KeyMergeError> {
    let mut step = Step { out: Vec::new(), last: None, ahead: vec![Vec::new(); sources.len()] };
    loop {
        if must_stop.get() {
            return Err(KeyMergeError::Stopped);
        }
        for (source, ahead) in sources.iter_mut().zip(&mut step.ahead) {
            source.fill(ahead).await?;
        }
        let is_at_end: Vec<bool> = sources.iter().map(Source::is_at_end).collect();
        let (room, expired_before) = (writing.section_entry_count_max, plan.expired_before);
        let taken = runtime.compute(move || step.take(&is_at_end, room, expired_before)).await;
        step = taken.map_err(|(source, what)| KeyMergeError::Damaged {
            segment: plan.runs[source].segment,
            position: plan.runs[source].position,
            what,
        })?;
        let is_end = sources.iter().all(Source::is_at_end) && step.ahead.iter().all(Vec::is_empty);
        if step.out.len() == room || (is_end && !step.out.is_empty()) {
            if writer.is_none() {
                writer.insert(KeyWriter::create(runtime, writing, plan.segment).await?).begin(plan.partition);
            }
            let writer = writer.as_mut().expect("it was just made");
            writer.section(std::mem::take(&mut step.out)).await?;
        }
        if is_end {
            break;
        }
    }
    let Some(writer) = writer else { return Ok(None) };
    let (first, last) = (plan.runs.first().expect("there are keys"), plan.runs.last().expect("there are keys"));
    let run = writer.finish(first.base_offset, last.next_offset).await?;
    writer.sync().await?;
    runtime.disk().sync_directory(writing.directory).await?;
    Ok(Some(run))
}

/// What is read and not written yet.
struct Step {
    /// The next section.
    out: Vec<KeyEntry>,
    /// The last key that was taken, also if it had expired.
    last: Option<KeyHash>,
    /// Keys of each run, in descending order: the next one is the last.
    ahead: Vec<Vec<KeyEntry>>,
}

impl Step {
    /// Takes keys until the section is full, or some run must be read on.
    ///
    /// # Errors
    /// If the keys of a run are out of order: which, and what is wrong.
    fn take(
        mut self,
        is_at_end: &[bool],
        room: usize,
        expired_before: Option<Realtime>,
    ) -> Result<Self, (usize, String)> {
        while self.out.len() < room {
            let must_read = self.ahead.iter().zip(is_at_end).any(|(ahead, at_end)| ahead.is_empty() && !at_end);
            let next = self.ahead.iter().filter_map(|ahead| ahead.last()).map(|entry| entry.key).min();
            let Some(next) = next.filter(|_| !must_read) else { break };
            let mut latest: Option<(usize, KeyEntry)> = None;
            for (source, ahead) in self.ahead.iter_mut().enumerate() {
                let found = ahead.pop_if(|entry| entry.key == next).map(|entry| (source, entry));
                let is_later =
                    |(_, entry): &(usize, KeyEntry)| latest.is_none_or(|(_, latest)| entry.offset > latest.offset);
                latest = found.filter(is_later).or(latest);
            }
            let (source, entry) = latest.expect("some run has the least key");
            if self.last.is_some_and(|last| last >= next) {
                return Err((source, "keys of its pages are out of order".to_owned()));
            }
            self.last = Some(next);
            if expired_before.is_none_or(|before| entry.append_time >= before) {
                self.out.push(entry);
            }
        }
        Ok(self)
    }
}

type SourceOn<R> = Source<<<R as Runtime>::Disk as Disk>::File>;

/// A run that is being read from its first key to its last.
struct Source<F> {
    file: F,
    name: FileName,
    sections: std::vec::IntoIter<TableEntry>,
    /// The next page of the section that is being read, and how many are left.
    pages: (Position, usize),
    leaves_out_damage: bool,
}

impl<F: DiskFile> Source<F> {
    /// Whether nothing is left on disk.
    fn is_at_end(&self) -> bool {
        self.pages.1 == 0 && self.sections.len() == 0
    }

    /// The sections of a run whose table is damaged, up to the first whose head is damaged as well.
    async fn walk(&self, run: &KeyRun) -> Vec<TableEntry> {
        let mut sections = Vec::new();
        let mut position = run.position;
        while position < run.table_position() {
            let left = usize::try_from(run.table_position().0 - position.0).unwrap_or(usize::MAX);
            let Ok(bytes) = self.file.read(position, left.min(HEAD_BYTES_MAX)).await else { break };
            let Stored::Present(map) = keys::decode_section(&bytes, &self.name.at(position)) else { break };
            sections.push(TableEntry::of(position, &map.head));
            position = position.plus(map.head.section_bytes());
        }
        sections
    }

    /// Reads on, if nothing that was read is left.
    async fn fill(&mut self, ahead: &mut Vec<KeyEntry>) -> Result<(), KeyMergeError> {
        while ahead.is_empty() && !self.is_at_end() {
            self.read(ahead).await?;
        }
        Ok(())
    }

    /// Reads the next pages.
    async fn read(&mut self, ahead: &mut Vec<KeyEntry>) -> Result<(), KeyMergeError> {
        if self.pages.1 == 0
            && let Some(section) = self.sections.next()
        {
            let first = section.position.plus(section.head_bytes.into());
            self.pages = (first, section.page_count as usize);
        }
        let (position, left) = self.pages;
        // Of pages that the disk does not give, those beside them may be there.
        let count = if self.leaves_out_damage { left.min(1) } else { left.min(PAGES_READ) };
        self.pages = (position.plus((count * UNIT_BYTES) as u64), left - count);
        let segment = self.name.segment;
        let damaged = |position: Position, what: String| KeyMergeError::Damaged { segment, position, what };
        let bytes = match self.file.read(position, count * UNIT_BYTES).await {
            Ok(bytes) => bytes,
            Err(_) if self.leaves_out_damage => return Ok(()),
            Err(error) => return Err(damaged(position, error.to_string())),
        };
        for (index, page) in bytes.chunks_exact(UNIT_BYTES).enumerate() {
            let at = position.plus((index * UNIT_BYTES) as u64);
            match keys::decode_page(page, &self.name.at(at)) {
                Stored::Present(entries) => ahead.extend(entries),
                _ if self.leaves_out_damage => {}
                other => return Err(damaged(at, other.problem().unwrap_or_default())),
            }
        }
        ahead.reverse();
        Ok(())
    }
}
