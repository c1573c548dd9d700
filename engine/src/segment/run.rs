//! A run: where a stretch of a partition stands in a segment file.

use bytes::{Buf, BufMut, TryGetError};

use crate::model::{Offset, Position, Realtime, SegmentId};

/// Offsets `base_offset` to below `next_offset` of a partition, in extents that follow each other in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The file.
    pub segment: SegmentId,
    /// Its first byte in the file.
    pub position: Position,
    /// Bytes of its extents, a multiple of the unit.
    pub bytes: u64,
    /// Offset of its first record.
    pub base_offset: Offset,
    /// Offset of the first record behind it.
    pub next_offset: Offset,
    /// Append time of its first batch.
    pub first_append_time: Realtime,
    /// Append time of its last batch.
    pub last_append_time: Realtime,
    /// The latest timestamp of a record, in Unix milliseconds of the clients' clocks.
    pub max_timestamp_ms: i64,
}

impl Run {
    /// Bytes that [`Run::encode`] writes.
    pub const ENCODED_BYTES: usize = 64;

    /// The first byte behind it in the file.
    pub fn end(&self) -> Position {
        self.position.plus(self.bytes)
    }

    /// Whether a file can have all its bytes.
    pub fn is_in_a_file(&self) -> bool {
        self.position.0.checked_add(self.bytes).is_some_and(|end| i64::try_from(end).is_ok())
    }

    /// Whether `later` goes on where this ends, in offsets and in the file.
    pub fn is_continued_by(&self, later: &Self) -> bool {
        self.segment == later.segment && self.end() == later.position && self.next_offset == later.base_offset
    }

    /// Both as one; `later` continues this.
    pub fn joined(&self, later: &Self) -> Self {
        assert!(self.is_continued_by(later), "runs are joined where one continues the other");
        Self {
            bytes: self.bytes + later.bytes,
            next_offset: later.next_offset,
            last_append_time: later.last_append_time,
            max_timestamp_ms: self.max_timestamp_ms.max(later.max_timestamp_ms),
            ..*self
        }
    }

    /// Writes it, little-endian: segment, position, bytes, base offset, next offset, first append time, last append
    /// time, maximum timestamp.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_u64_le(self.segment.0);
        out.put_u64_le(self.position.0);
        out.put_u64_le(self.bytes);
        out.put_u64_le(self.base_offset.0);
        out.put_u64_le(self.next_offset.0);
        out.put_u64_le(self.first_append_time.0);
        out.put_u64_le(self.last_append_time.0);
        out.put_i64_le(self.max_timestamp_ms);
    }

    /// Reads what [`Run::encode`] wrote.
    pub fn decode(buf: &mut impl Buf) -> Result<Self, TryGetError> {
        Ok(Self {
            segment: SegmentId(buf.try_get_u64_le()?),
            position: Position(buf.try_get_u64_le()?),
            bytes: buf.try_get_u64_le()?,
            base_offset: Offset(buf.try_get_u64_le()?),
            next_offset: Offset(buf.try_get_u64_le()?),
            first_append_time: Realtime(buf.try_get_u64_le()?),
            last_append_time: Realtime(buf.try_get_u64_le()?),
            max_timestamp_ms: buf.try_get_i64_le()?,
        })
    }
}
