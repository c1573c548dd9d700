//! The job that reads batches back from a segment file: one large read, every checksum on the way checked.

use std::borrow::Cow;
use std::path::Path;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use super::Run;
use super::index::{self, FileName, SegmentIndex};
use super::table::SegmentFile;
use super::write::to_bytes;
use crate::format::batch::HeldBatch;
use crate::format::extent::{self, DamagedBatch};
use crate::format::layout::segment_path;
use crate::format::segment_index::IndexEntry;
use crate::format::stored::Stored;
use crate::io::{Access, Disk, DiskError, DiskErrorKind, DiskFile, UNIT_BYTES};
use crate::limits::COLD_READ_BYTES;
use crate::model::{Id128, Offset, PartitionId, Realtime, ShardId};

/// Where in a run to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// With the extent that holds this offset.
    Offset(Offset),
    /// With the first extent that has a batch of this append time or later.
    AppendTime(Realtime),
    /// With the first extent that has a record of this timestamp or later, in Unix milliseconds.
    Timestamp(i64),
}

/// What to read. The files stay where they are meanwhile.
#[derive(Clone, Debug)]
pub struct ReadPlan {
    /// The journal's secret id.
    pub journal_id: Id128,
    /// The shard.
    pub shard: ShardId,
    /// Whose batches.
    pub partition: PartitionId,
    /// The run they are in.
    pub run: Run,
    /// Its file.
    pub file: SegmentFile,
    /// Where to begin.
    pub target: Target,
    /// Bytes of extents to read at most, unless the first alone is larger.
    pub bytes_max: usize,
    /// So many bytes are asked for at a time, one extent after the other, so that nobody else waits long for the disk
    /// or for this one's checksums; `None` asks for everything at once.
    pub piece_bytes: Option<usize>,
    /// What is known of the file's extents.
    pub index: Option<Rc<SegmentIndex>>,
}

/// A stretch of a partition as it was read. What is missing between `base_offset` and `next_offset` is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Where it begins.
    pub base_offset: Offset,
    /// Where it ends.
    pub next_offset: Offset,
    /// The batches that are right, in order.
    pub batches: Vec<HeldBatch>,
    /// The rest, in order.
    pub damaged: Vec<DamagedBatch>,
    /// Some of the rest the disk did not give: it may the next time.
    pub is_unreadable: bool,
}

/// What came of a read.
#[derive(Clone, Debug)]
pub struct ReadDone {
    /// The extents of the file, if they had to be looked for.
    pub index: Option<Rc<SegmentIndex>>,
    /// The batches; an error says nothing about them.
    pub result: Result<Chunk, DiskError>,
}

impl Chunk {
    /// Bytes of the batches.
    pub fn bytes(&self) -> usize {
        self.batches.iter().map(|batch| batch.bytes.len()).sum()
    }

    /// Where the damage that covers this offset begins and ends.
    pub fn damage_at(&self, offset: Offset) -> Option<&DamagedBatch> {
        self.damaged.iter().find(|damaged| damaged.base_offset <= offset && offset < damaged.next_offset)
    }
}

/// Reads a run from end to end, a stretch at a time.
#[derive(Debug)]
pub struct RunReader {
    plan: ReadPlan,
    offset: Offset,
}

impl RunReader {
    /// Reads `run` of a partition, which is in `file`.
    pub fn new(journal_id: Id128, shard: ShardId, partition: PartitionId, run: Run, file: SegmentFile) -> Self {
        let target = Target::Offset(run.base_offset);
        let plan = ReadPlan {
            journal_id,
            shard,
            partition,
            run,
            file,
            target,
            bytes_max: COLD_READ_BYTES,
            piece_bytes: None,
            index: None,
        };
        Self { plan, offset: run.base_offset }
    }

    /// Begins with the batch that holds `offset`, or with the first one if that lies before the run.
    pub fn starting_at(mut self, offset: Offset) -> Self {
        self.offset = self.offset.max(offset);
        self
    }

    /// The next stretch; none at the end of the run.
    pub async fn next<D: Disk>(&mut self, disk: &D, directory: &Path) -> Option<Result<Chunk, DiskError>> {
        if self.offset >= self.plan.run.next_offset {
            return None;
        }
        self.plan.target = Target::Offset(self.offset);
        let done = read(disk, directory, &self.plan, &async || {}).await;
        if done.index.is_some() {
            self.plan.index = done.index;
        }
        match &done.result {
            Ok(chunk) => self.offset = chunk.next_offset,
            Err(_) => self.offset = self.plan.run.next_offset,
        }
        Some(done.result)
    }
}

/// Carries out a plan. `rest` is waited for ahead of each piece, if it is read in pieces.
pub async fn read<D: Disk>(disk: &D, directory: &Path, plan: &ReadPlan, rest: &impl AsyncFn()) -> ReadDone {
    let path = segment_path(directory, plan.run.segment);
    let file = match disk.open(&path, Access::Read).await {
        Ok(file) => file,
        Err(error) if error.kind == DiskErrorKind::NotFound => {
            return ReadDone { index: None, result: Ok(plan.all_damaged("the segment file is gone")) };
        }
        Err(error) => return ReadDone { index: None, result: Err(error) },
    };
    let name = FileName { journal_id: plan.journal_id, shard: plan.shard, segment: plan.run.segment };
    let known = plan.index.as_deref().filter(|index| index.end >= plan.run.end());
    let loaded = match known {
        Some(_) => None,
        None => Some(Rc::new(index::load(&file, name, &plan.file, plan.index.as_deref()).await)),
    };
    let index = loaded.as_deref().or(known).expect("it was known or loaded");
    let mut chunk = plan.read_chunk(&file, name, index, rest).await;
    chunk.is_unreadable |= index.is_unreadable;
    file.close().await;
    ReadDone { index: loaded.filter(|index| !index.is_unreadable), result: Ok(chunk) }
}

impl ReadPlan {
    async fn read_chunk<F: DiskFile>(
        &self,
        file: &F,
        name: FileName,
        index: &SegmentIndex,
        rest: &impl AsyncFn(),
    ) -> Chunk {
        // Entries are in the order of places and do not overlap.
        let from = index.entries.partition_point(|entry| entry.position < self.run.position);
        let to = index.entries.partition_point(|entry| entry.end() <= self.run.end());
        let entries = self.of_run(index.entries.get(from..to).unwrap_or_default());
        let entries = &*entries;
        let first = self.first_entry(entries);
        let Some(begin) = entries.get(first) else {
            return self.all_damaged("no extent of it can be told from the file");
        };
        let base_offset = self.begin_offset(entries, first);
        let chosen: Vec<IndexEntry> = self.chosen(&entries[first..]).collect();
        let end = chosen.last().map_or(begin.end(), IndexEntry::end);
        let next_offset = entries.get(first + chosen.len()).map_or(self.run.next_offset, |entry| entry.base_offset);
        let mut chunk =
            Chunk { base_offset, next_offset, batches: Vec::new(), damaged: Vec::new(), is_unreadable: false };
        let bytes = usize::try_from(end.0 - begin.position.0).expect("a read is at most a few MiB");
        let at_once = match self.piece_bytes {
            None => file.read(begin.position, bytes).await.ok(),
            Some(_) => None,
        };
        match at_once {
            Some(buffer) => {
                let all = to_bytes(&buffer);
                for entry in &chosen {
                    let at = usize::try_from(entry.position.0 - begin.position.0).expect("inside the read");
                    let found = extent::decode(&all.slice(at..), &name.at(entry.position));
                    self.take(entry, found, &mut chunk);
                }
            }
            // Each by itself: to ask for less at a time, or to learn which of them cannot be read.
            None => {
                for entry in &chosen {
                    let found = match self.read_extent(file, entry, rest).await {
                        Ok(bytes) => extent::decode(&bytes, &name.at(entry.position)),
                        Err(error) => Stored::Unreadable(error),
                    };
                    self.take(entry, found, &mut chunk);
                }
            }
        }
        let offsets = chunk.base_offset..=chunk.next_offset;
        chunk.batches.retain(|batch| offsets.contains(&batch.base_offset) && offsets.contains(&batch.next_offset()));
        chunk.name_gaps();
        chunk
    }

    /// The extents that can be of the run. Where a write was lost another one may stand that was written there before and
    /// never counted: it is none of them.
    fn of_run<'a>(&self, entries: &'a [IndexEntry]) -> Cow<'a, [IndexEntry]> {
        let offsets = self.run.base_offset..self.run.next_offset;
        let rises = entries.is_sorted_by(|one, next| one.base_offset < next.base_offset);
        if rises && entries.iter().all(|entry| offsets.contains(&entry.base_offset)) {
            return Cow::Borrowed(entries);
        }
        let mut next = offsets.start;
        let is_next = |entry: &&IndexEntry| {
            let is_next = entry.base_offset >= next && entry.base_offset < offsets.end;
            next = if is_next { entry.base_offset.plus(1) } else { next };
            is_next
        };
        Cow::Owned(entries.iter().filter(is_next).copied().collect())
    }

    /// Of a file that ends within the extent what is there: the rest is zero, as it would be if the file grew again.
    async fn read_extent<F: DiskFile>(
        &self,
        file: &F,
        entry: &IndexEntry,
        rest: &impl AsyncFn(),
    ) -> Result<Bytes, DiskError> {
        let extent_bytes = entry.extent_bytes as usize;
        let behind = usize::try_from(file.size_bytes().saturating_sub(entry.position.0)).unwrap_or(usize::MAX);
        let there_bytes = match behind / UNIT_BYTES * UNIT_BYTES {
            0 => extent_bytes,
            whole => whole.min(extent_bytes),
        };
        let mut bytes = BytesMut::with_capacity(extent_bytes);
        while bytes.len() < there_bytes {
            let left = there_bytes - bytes.len();
            let piece_bytes = self.piece_bytes.map_or(left, |piece_bytes| left.min(piece_bytes));
            if self.piece_bytes.is_some() {
                rest().await;
            }
            bytes.extend_from_slice(&file.read(entry.position.plus(bytes.len() as u64), piece_bytes).await?);
        }
        bytes.resize(extent_bytes, 0);
        Ok(bytes.freeze())
    }

    /// The extent to begin with. Extents that cannot be told leave gaps, which may hold what is looked for: then the
    /// one before the gap, so that the damage is named.
    fn first_entry(&self, entries: &[IndexEntry]) -> usize {
        let found = match self.target {
            Target::Offset(offset) => {
                return entries.partition_point(|entry| entry.base_offset <= offset).saturating_sub(1);
            }
            Target::AppendTime(time) => entries.partition_point(|entry| entry.last_append_time < time),
            Target::Timestamp(timestamp_ms) => entries.partition_point(|entry| entry.max_timestamp_ms < timestamp_ms),
        };
        let before = found.checked_sub(1).and_then(|before| entries.get(before));
        match (before, entries.get(found)) {
            (Some(before), Some(entry)) if before.end() != entry.position => found - 1,
            (Some(_), None) => found - 1,
            _ => found,
        }
    }

    /// Where the chunk begins: a gap before the first extent of the run belongs to it.
    fn begin_offset(&self, entries: &[IndexEntry], first: usize) -> Offset {
        if first == 0 { self.run.base_offset } else { entries[first].base_offset }
    }

    /// The extents that one read brings: those that follow each other in the file, up to the bytes wanted.
    fn chosen<'a>(&self, entries: &'a [IndexEntry]) -> impl Iterator<Item = IndexEntry> + 'a {
        let bytes_max = self.bytes_max as u64;
        let begin = entries[0].position;
        let mut end = begin;
        entries
            .iter()
            .take_while(move |entry| {
                let follows = entry.position == end;
                let fits = end == begin || entry.end().0 - begin.0 <= bytes_max;
                end = entry.end();
                follows && fits
            })
            .copied()
    }

    /// Takes what was found where the index names an extent.
    fn take(&self, entry: &IndexEntry, found: Stored<extent::Extent>, chunk: &mut Chunk) {
        let why = match found {
            Stored::Present(extent) if extent.head.partition != self.partition => {
                format!("an extent of partition {}", extent.head.partition)
            }
            Stored::Present(extent) if extent.head.base_offset != entry.base_offset => {
                format!("an extent that begins at offset {}", extent.head.base_offset)
            }
            Stored::Present(extent)
                if extent.head.next_offset > self.run.next_offset
                    || chunk.batches.last().is_some_and(|last| extent.head.base_offset < last.next_offset()) =>
            {
                format!("an extent of offsets {} to below {}", extent.head.base_offset, extent.head.next_offset)
            }
            Stored::Present(extent) => {
                chunk.batches.extend(extent.batches);
                chunk.damaged.extend(extent.damaged);
                return;
            }
            other => {
                chunk.is_unreadable |= matches!(&other, Stored::Unreadable(error) if !error.is_absence());
                other.problem().unwrap_or_default()
            }
        };
        // Where the extent ended only its header could tell; the gap is closed from what stands around it.
        let base_offset = entry.base_offset.max(chunk.base_offset);
        chunk.damaged.push(DamagedBatch { base_offset, next_offset: base_offset, why });
    }

    fn all_damaged(&self, why: &str) -> Chunk {
        let (base_offset, next_offset) = (self.run.base_offset, self.run.next_offset);
        let damaged = vec![DamagedBatch { base_offset, next_offset, why: why.to_owned() }];
        Chunk { base_offset, next_offset, batches: Vec::new(), damaged, is_unreadable: false }
    }
}

impl Chunk {
    /// Everything between the batches that are there is damaged; says how far each damage reaches.
    fn name_gaps(&mut self) {
        let reasons = std::mem::take(&mut self.damaged);
        let why_at = |from: Offset, to: Offset| {
            let inside = reasons.iter().find(|damaged| from <= damaged.base_offset && damaged.base_offset < to);
            inside.map_or_else(|| "no extent can be told here".to_owned(), |damaged| damaged.why.clone())
        };
        let mut expected = self.base_offset;
        let mut gaps = Vec::new();
        let starts = self.batches.iter().map(|batch| (batch.base_offset, batch.next_offset()));
        for (start, next) in starts.chain([(self.next_offset, self.next_offset)]) {
            if start > expected {
                let why = why_at(expected, start);
                gaps.push(DamagedBatch { base_offset: expected, next_offset: start, why });
            }
            expected = expected.max(next);
        }
        self.damaged = gaps;
    }
}

#[cfg(test)]
mod tests;
