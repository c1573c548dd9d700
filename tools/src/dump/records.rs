//! The records of a partition in the order of their offsets, a stretch at a time, with a word for all that is missing.

use std::path::{Path, PathBuf};

use anyhow::Result;
use florin_engine::format::batch::{BatchError, BatchHeader, HeldBatch, RecordWalk};
use florin_engine::format::extent::DamagedBatch;
use florin_engine::format::layout::shard_path;
use florin_engine::format::superblock::Superblock;
use florin_engine::io::blocking::block_on;
use florin_engine::io::{Disk, DiskError, DiskErrorKind};
use florin_engine::limits::COLD_READ_BYTES;
use florin_engine::model::{Offset, PartitionId};
use florin_engine::partition::Partition;
use florin_engine::segment::Run;
use florin_engine::segment::read::{Chunk, RunReader};
use florin_engine::shard::replay::ShardState;

use crate::consume::lines::Lines;
use crate::consume::print::Shown;
use crate::inspect::batch::compression_word;
use crate::output;
use crate::time::rfc3339;

const NOWHERE: &str = "neither a segment file nor the journal holds them";

/// How complete what was shown is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Everything that was asked for.
    Complete,
    /// Something was skipped that cannot be shown, whoever asks again.
    Damaged,
    /// Something was skipped that the disk did not give: it may another time.
    Unreadable,
}

/// Shows records of one shard.
pub(super) struct Dump<'a, D> {
    disk: &'a D,
    shard_directory: PathBuf,
    superblock: &'a Superblock,
    state: &'a ShardState,
    lines: Lines,
    is_damaged: bool,
    is_unreadable: bool,
}

/// What of a partition is still to be shown.
struct Wanted {
    partition: PartitionId,
    next: Offset,
    end: Offset,
}

impl<'a, D: Disk> Dump<'a, D> {
    pub(super) fn new(
        disk: &'a D,
        directory: &Path,
        superblock: &'a Superblock,
        state: &'a ShardState,
        lines: Lines,
    ) -> Self {
        let shard_directory = shard_path(directory, superblock.name.shard);
        Self { disk, shard_directory, superblock, state, lines, is_damaged: false, is_unreadable: false }
    }

    /// Shows offsets `from` to below `end` of a partition.
    pub(super) fn partition(&mut self, partition: &Partition, from: Offset, end: Offset) -> Result<Outcome> {
        let mut wanted = Wanted { partition: partition.id(), next: from, end };
        for run in partition.runs().filter(|run| run.next_offset > from) {
            if run.base_offset >= end || self.lines.is_done() {
                break;
            }
            self.pass_gaps(partition, &mut wanted)?;
            self.run(run, &mut wanted)?;
        }
        self.pass_gaps(partition, &mut wanted)?;
        while wanted.next < end && !self.lines.is_done() {
            let batches = partition.read(wanted.next, partition.durable_offset(), COLD_READ_BYTES).unwrap_or_default();
            if batches.is_empty() {
                let memory = partition.memory_offset();
                let to = if memory > wanted.next { memory } else { end };
                self.skip(&mut wanted, to, NOWHERE, false)?;
            }
            batches.iter().try_for_each(|batch| self.batch(batch, &mut wanted))?;
        }
        self.lines.write()?;
        Ok(match (self.is_damaged, self.is_unreadable) {
            (true, _) => Outcome::Damaged,
            (false, true) => Outcome::Unreadable,
            (false, false) => Outcome::Complete,
        })
    }

    /// Goes on behind what is lost for good: that is no damage any more, but whoever reads is told.
    fn pass_gaps(&mut self, partition: &Partition, wanted: &mut Wanted) -> Result<()> {
        while let Some(gap) = partition.gap_at(wanted.next).filter(|_| wanted.next < wanted.end) {
            self.lines.write()?;
            let to = gap.next_offset.min(wanted.end);
            let (partition, from, accepted) = (wanted.partition, wanted.next, rfc3339(gap.accepted));
            output::complain(&format!(
                "partition {partition}: offsets {from} to below {to} are LOST, as an operator accepted at {accepted}"
            ));
            wanted.next = to;
        }
        Ok(())
    }

    fn run(&mut self, run: &Run, wanted: &mut Wanted) -> Result<()> {
        let name = self.superblock.name;
        let file = *self.state.segments.get(run.segment).expect("replay refuses a run without a file");
        let reader = RunReader::new(name.journal_id, name.shard, wanted.partition, *run, file);
        let mut reader = reader.starting_at(wanted.next);
        while let Some(read) = block_on(reader.next(self.disk, &self.shard_directory)) {
            match read {
                Ok(chunk) => self.chunk(run, &chunk, wanted)?,
                Err(error) => self.skip(wanted, run.next_offset, &error.to_string(), is_unreadable(&error))?,
            }
            if wanted.next >= wanted.end || self.lines.is_done() {
                break;
            }
        }
        Ok(())
    }

    fn chunk(&mut self, run: &Run, chunk: &Chunk, wanted: &mut Wanted) -> Result<()> {
        let mut damaged = chunk.damaged.iter().peekable();
        for batch in &chunk.batches {
            while let Some(before) = damaged.next_if(|damaged| damaged.base_offset < batch.base_offset) {
                self.damage(run, before, chunk, wanted)?;
            }
            self.batch(batch, wanted)?;
        }
        damaged.try_for_each(|behind| self.damage(run, behind, chunk, wanted))
    }

    fn damage(&mut self, run: &Run, damaged: &DamagedBatch, chunk: &Chunk, wanted: &mut Wanted) -> Result<()> {
        let why = format!("segment file {} of shard {}: {}", run.segment, self.superblock.name.shard, damaged.why);
        self.skip(wanted, damaged.next_offset, &why, chunk.is_unreadable)
    }

    /// Shows the records of a batch that are wanted.
    fn batch(&mut self, batch: &HeldBatch, wanted: &mut Wanted) -> Result<()> {
        if batch.last_offset < wanted.next || batch.base_offset >= wanted.end {
            return Ok(());
        }
        if batch.base_offset > wanted.next {
            self.skip(wanted, batch.base_offset, NOWHERE, false)?;
        }
        match self.records(batch, wanted) {
            Ok(()) => {
                wanted.next = batch.next_offset();
                Ok(())
            }
            Err(Stop::Batch(why)) => self.skip(wanted, batch.next_offset(), &why, false),
            Err(Stop::Output(error)) => Err(error),
        }
    }

    fn records(&mut self, batch: &HeldBatch, wanted: &mut Wanted) -> Result<(), Stop> {
        let header = BatchHeader::read(&batch.bytes)?;
        let walk = match RecordWalk::new(&batch.bytes) {
            Err(BatchError::Compressed) => {
                let compression = header.compression().map_or("in some way", compression_word);
                return Err(Stop::Batch(format!("a batch that is compressed ({compression}), which is not decoded")));
            }
            walk => walk?,
        };
        for record in walk {
            let record = record?;
            let offset = batch.base_offset.plus(u64::from(record.offset_delta));
            if offset < wanted.next || offset >= wanted.end {
                continue;
            }
            let headers: Result<Vec<_>, BatchError> = record.headers.collect();
            self.lines
                .put(&Shown {
                    partition: wanted.partition.index,
                    offset: offset.0,
                    append_time: batch.append_time,
                    timestamp_ms: header.base_timestamp_ms().saturating_add(record.timestamp_delta_ms),
                    key: record.key,
                    value: record.value,
                    headers: headers?.iter().map(|header| (header.key, header.value)).collect(),
                })
                .map_err(Stop::Output)?;
            wanted.next = offset.plus(1);
        }
        Ok(())
    }

    /// Says that what is wanted below `to` is not shown, and goes on there.
    fn skip(&mut self, wanted: &mut Wanted, to: Offset, why: &str, is_unreadable: bool) -> Result<()> {
        let to = to.min(wanted.end);
        if wanted.next >= to {
            return Ok(());
        }
        // What stands before it comes before it, also where both go to the same terminal.
        self.lines.write()?;
        let (partition, from) = (wanted.partition, wanted.next);
        output::complain(&format!("partition {partition}: offsets {from} to below {to} are SKIPPED: {why}"));
        wanted.next = to;
        self.is_damaged |= !is_unreadable;
        self.is_unreadable |= is_unreadable;
        Ok(())
    }
}

/// Why the records of a batch were not shown to the end.
enum Stop {
    /// The batch is not what it must be.
    Batch(String),
    /// Nobody takes them.
    Output(anyhow::Error),
}

impl From<BatchError> for Stop {
    fn from(error: BatchError) -> Self {
        Self::Batch(format!("a batch that is not valid: {error}"))
    }
}

/// Whether a failed operation says nothing about what is stored.
fn is_unreadable(error: &DiskError) -> bool {
    !matches!(error.kind, DiskErrorKind::NotFound | DiskErrorKind::Short { .. })
}
