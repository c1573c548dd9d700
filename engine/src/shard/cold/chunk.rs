//! What a stretch that was read holds of what is asked for.

use crate::format::batch;
use crate::io::DiskError;
use crate::marks::{self, Mark};
use crate::model::{Offset, PartitionId, SegmentId};
use crate::partition::{HeldBatch, take_bytes};
use crate::segment::read::Chunk;
use crate::shard::report::Report;
use crate::shard::request::OffsetAt;

/// What an operator should hear of a read.
pub(super) fn report_of(
    partition: PartitionId,
    segment: SegmentId,
    result: &Result<Chunk, DiskError>,
) -> Option<Report> {
    match result {
        Err(error) => {
            marks::hit(Mark::ReadFailed);
            Some(Report::ReadFailed { partition, segment, error: error.clone() })
        }
        Ok(chunk) => {
            let (first, last) = (chunk.damaged.first()?, chunk.damaged.last()?);
            marks::hit(Mark::ReadDamaged);
            Some(Report::Damaged {
                partition,
                segment,
                from: first.base_offset,
                to: last.next_offset,
                count: chunk.damaged.len(),
                why: first.why.clone(),
            })
        }
    }
}

/// Batches of the chunk from the one that holds `asked`. `Err`: it is damaged, from where to where.
pub(super) fn from_chunk(chunk: &Chunk, asked: Offset, bytes_max: usize) -> Result<Vec<HeldBatch>, (Offset, Offset)> {
    Ok(take_bytes(following(chunk, asked)?, bytes_max))
}

/// Batches of the chunk that follow each other without a gap, from the one that holds `asked`. `Err`: it is damaged, from
/// where to where.
pub(super) fn following(
    chunk: &Chunk,
    asked: Offset,
) -> Result<impl Iterator<Item = &HeldBatch> + Clone, (Offset, Offset)> {
    if let Some(damaged) = chunk.damage_at(asked) {
        return Err((damaged.base_offset, damaged.next_offset));
    }
    let first = chunk.batches.partition_point(|batch| batch.last_offset < asked);
    let mut expected = chunk.batches.get(first).map(|batch| batch.base_offset);
    Ok(chunk.batches[first..].iter().take_while(move |batch| {
        let follows = expected == Some(batch.base_offset);
        expected = Some(batch.next_offset());
        follows
    }))
}

/// The first offset in the chunk at or behind `from` that is what is looked for; `None`: it is not there. `Err`:
/// damage stands before it.
pub(super) fn first_in(chunk: &Chunk, at: OffsetAt, from: Offset) -> Result<Option<Offset>, (Offset, Offset)> {
    let offset_in = |batch: &HeldBatch| match at {
        OffsetAt::Time(time) => (batch.append_time >= time).then_some(batch.base_offset.max(from)),
        OffsetAt::Timestamp(ms) => batch::offset_of_timestamp(&batch.bytes, ms).filter(|offset| *offset >= from),
        OffsetAt::Start | OffsetAt::End | OffsetAt::Stable => Some(batch.base_offset),
    };
    let found = chunk.batches.iter().filter(|batch| batch.last_offset >= from).find_map(offset_in);
    let limit = found.unwrap_or(chunk.next_offset);
    let before = chunk.damaged.iter().find(|damaged| damaged.next_offset > from && damaged.base_offset < limit);
    match before {
        Some(damaged) => Err((damaged.base_offset, damaged.next_offset)),
        None => Ok(found),
    }
}
