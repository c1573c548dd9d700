//! The job that writes key runs: keys sorted and put into sections away from the shard's thread, everything synced before
//! it counts.

use std::path::Path;
use std::sync::Arc;

use super::KeyRun;
use crate::format::keys::{
    self, FilterError, KeyEntry, PAGE_ENTRY_COUNT_MAX, SECTION_ENTRY_COUNT_MAX, SectionMap, TableEntry,
};
use crate::format::layout::segment_path;
use crate::io::{Disk, DiskError, DiskErrorKind, DiskFile, DiskOperation, Runtime, UNIT_BYTES};
use crate::limits::EXTENT_BYTES_TARGET;
use crate::model::{Id128, Offset, PartitionId, Position, Realtime, SegmentId, ShardId};
use crate::segment::index::FileName;

/// Whose keys are written, and how.
#[derive(Clone, Copy, Debug)]
pub struct KeyWriting<'a> {
    /// The shard's directory.
    pub directory: &'a Path,
    /// The journal's secret id.
    pub journal_id: Id128,
    /// The shard.
    pub shard: ShardId,
    /// Keys of one section, at most; 1 to [`SECTION_ENTRY_COUNT_MAX`].
    pub section_entry_count_max: usize,
    /// The file is synced whenever so many bytes of it are not: a flush of the device takes them along.
    pub unsynced_bytes_max: usize,
    /// How long the writer rests after each write, as a multiple of what the write took.
    pub rest_factor: u32,
}

/// The keys of a stretch of a partition, to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPart {
    /// The partition.
    pub partition: PartitionId,
    /// The first offset of the stretch.
    pub base_offset: Offset,
    /// The first offset behind it.
    pub next_offset: Offset,
    /// Chunks of the keys of these offsets and perhaps of others, in any order; of a key that is there twice, the one with
    /// the higher offset counts.
    pub chunks: Vec<Arc<Vec<KeyEntry>>>,
}

/// Writes a new file with a run for each part, and syncs it. Nothing counts before its name is durable:
/// that is for the caller, who may have written other files.
pub async fn write_runs<R: Runtime>(
    runtime: &R,
    writing: KeyWriting<'_>,
    segment: SegmentId,
    parts: &[KeyPart],
) -> Result<Vec<KeyRun>, DiskError> {
    let mut writer = KeyWriter::create(runtime, writing, segment).await?;
    let mut result = write_parts(&mut writer, parts).await;
    if result.is_ok()
        && let Err(error) = writer.sync().await
    {
        result = Err(error);
    }
    writer.close().await;
    result
}

async fn write_parts<R: Runtime>(writer: &mut KeyWriter<'_, R>, parts: &[KeyPart]) -> Result<Vec<KeyRun>, DiskError> {
    let mut runs = Vec::with_capacity(parts.len());
    for part in parts {
        let to_sort = part.clone();
        let entries = writer.runtime.compute(move || sorted(&to_sort)).await;
        writer.begin(part.partition);
        let section_entry_count_max = writer.writing.section_entry_count_max;
        for section in entries.chunks(section_entry_count_max) {
            writer.section(section.to_vec()).await?;
        }
        runs.push(writer.finish(part.base_offset, part.next_offset).await?);
    }
    Ok(runs)
}

/// The keys of a part in order; of those that are there twice the later one.
fn sorted(part: &KeyPart) -> Vec<KeyEntry> {
    let all = part.chunks.iter().flat_map(|chunk| chunk.iter());
    let mut entries: Vec<_> =
        all.filter(|entry| (part.base_offset..part.next_offset).contains(&entry.offset)).copied().collect();
    entries.sort_unstable_by_key(|entry| (entry.key, std::cmp::Reverse(entry.offset)));
    entries.dedup_by_key(|entry| entry.key);
    entries
}

/// Writes one file, run by run.
pub(crate) struct KeyWriter<'a, R: Runtime> {
    runtime: &'a R,
    writing: KeyWriting<'a>,
    name: FileName,
    file: <R::Disk as Disk>::File,
    /// Where the next section goes.
    position: Position,
    unsynced_bytes: usize,
    run: Forming,
}

/// The run that is being written.
struct Forming {
    partition: PartitionId,
    position: Position,
    sections: Vec<TableEntry>,
    entry_count: u64,
    first_append_time: Realtime,
    last_append_time: Realtime,
}

impl Forming {
    fn new(partition: PartitionId, position: Position) -> Self {
        Self {
            partition,
            position,
            sections: Vec::new(),
            entry_count: 0,
            first_append_time: Realtime(u64::MAX),
            last_append_time: Realtime(0),
        }
    }
}

impl<'a, R: Runtime> KeyWriter<'a, R> {
    /// A new file.
    pub(crate) async fn create(runtime: &'a R, writing: KeyWriting<'a>, segment: SegmentId) -> Result<Self, DiskError> {
        assert!((1..=SECTION_ENTRY_COUNT_MAX).contains(&writing.section_entry_count_max), "sections are bounded");
        let file = runtime.disk().create(&segment_path(writing.directory, segment), 0).await?;
        let name = FileName { journal_id: writing.journal_id, shard: writing.shard, segment };
        let run = Forming::new(PartitionId::default(), Position(0));
        Ok(Self { runtime, writing, name, file, position: Position(0), unsynced_bytes: 0, run })
    }

    /// Begins a run where the last one ended.
    pub(crate) fn begin(&mut self, partition: PartitionId) {
        self.run = Forming::new(partition, self.position);
    }

    /// Writes the next section of the run, which goes on behind the last one: at least one key, and not more than there may
    /// be.
    pub(crate) async fn section(&mut self, entries: Vec<KeyEntry>) -> Result<(), DiskError> {
        self.run.entry_count += entries.len() as u64;
        for entry in &entries {
            self.run.first_append_time = self.run.first_append_time.min(entry.append_time);
            self.run.last_append_time = self.run.last_append_time.max(entry.append_time);
        }
        let (name, partition, position) = (self.name, self.run.partition, self.position);
        let encoded = self.runtime.compute(move || encode(name, partition, position, &entries)).await;
        let (section, bytes) = encoded.map_err(|error| self.without_filter(&error))?;
        self.run.sections.push(section);
        self.write(&bytes).await
    }

    /// A section of which no filter can be made: nothing of it is on the disk.
    fn without_filter(&self, error: &FilterError) -> DiskError {
        DiskError {
            operation: DiskOperation::Write,
            path: segment_path(self.writing.directory, self.name.segment),
            position: Some(self.position),
            kind: DiskErrorKind::Failed,
            detail: error.to_string(),
        }
    }

    /// Writes the table of the run, which has at least one section.
    pub(crate) async fn finish(&mut self, base_offset: Offset, next_offset: Offset) -> Result<KeyRun, DiskError> {
        let sections = std::mem::take(&mut self.run.sections);
        let mut table = vec![0; keys::table_bytes(sections.len())];
        keys::encode_table(&self.name.at(self.position), self.run.position, &sections, &mut table);
        self.write(&table).await?;
        Ok(KeyRun {
            segment: self.name.segment,
            position: self.run.position,
            bytes: self.position.0 - self.run.position.0,
            table_bytes: u32::try_from(table.len()).expect("a table is smaller than its run"),
            entry_count: self.run.entry_count,
            base_offset,
            next_offset,
            first_append_time: self.run.first_append_time,
            last_append_time: self.run.last_append_time,
        })
    }

    /// Makes everything durable.
    pub(crate) async fn sync(&mut self) -> Result<(), DiskError> {
        self.unsynced_bytes = 0;
        self.file.sync().await
    }

    /// Closes the file.
    pub(crate) async fn close(self) {
        self.file.close().await;
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        for piece in bytes.chunks(EXTENT_BYTES_TARGET) {
            let begun = self.runtime.monotonic();
            let mut buffer = self.file.allocate(piece.len());
            buffer.copy_from_slice(piece);
            self.file.write_unsynced(buffer, self.position).await.result?;
            self.position = self.position.plus(piece.len() as u64);
            self.unsynced_bytes += piece.len();
            if self.unsynced_bytes >= self.writing.unsynced_bytes_max {
                self.sync().await?;
            }
            let took_ns = self.runtime.monotonic().0.saturating_sub(begun.0);
            let rest_ns = took_ns.saturating_mul(u64::from(self.writing.rest_factor));
            if rest_ns > 0 {
                self.runtime.sleep(rest_ns).await;
            }
        }
        Ok(())
    }
}

/// A section as bytes, and its row in the table.
fn encode(
    name: FileName,
    partition: PartitionId,
    position: Position,
    entries: &[KeyEntry],
) -> Result<(TableEntry, Vec<u8>), FilterError> {
    let map = SectionMap::build(partition, entries)?;
    let section_bytes = usize::try_from(map.head.section_bytes()).expect("a section is bounded");
    let mut bytes = vec![0; section_bytes];
    let (head, pages) = bytes.split_at_mut(map.head.head_bytes as usize);
    keys::encode_section(&name.at(position), &map, head);
    let of_pages = entries.chunks(PAGE_ENTRY_COUNT_MAX).zip(pages.chunks_exact_mut(UNIT_BYTES));
    for (index, (entries, page)) in of_pages.enumerate() {
        keys::encode_page(&name.at(map.page_position(position, index)), entries, page);
    }
    Ok((TableEntry::of(position, &map.head), bytes))
}
