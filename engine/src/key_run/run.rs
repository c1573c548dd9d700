//! A key run: where the keys of a stretch of a partition stand.

use bytes::{Buf, BufMut, TryGetError};

use crate::io::UNIT_BYTES;
use crate::model::{Offset, Position, Realtime, SegmentId};

/// The keys of offsets `base_offset` to below `next_offset` of a partition: sections and their table, in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRun {
    /// The file.
    pub segment: SegmentId,
    /// Its first byte in the file.
    pub position: Position,
    /// Bytes of its sections and of their table, a multiple of the unit.
    pub bytes: u64,
    /// Bytes of the table, which ends it; a multiple of the unit.
    pub table_bytes: u32,
    /// Keys in it, at least 1.
    pub entry_count: u64,
    /// The first offset whose key it would have.
    pub base_offset: Offset,
    /// The first offset behind them.
    pub next_offset: Offset,
    /// Append time of its oldest key.
    pub first_append_time: Realtime,
    /// Append time of its latest key.
    pub last_append_time: Realtime,
}

impl KeyRun {
    /// Bytes that [`KeyRun::encode`] writes.
    pub const ENCODED_BYTES: usize = 68;

    /// The first byte behind it in the file.
    pub fn end(&self) -> Position {
        self.position.plus(self.bytes)
    }

    /// Where its table stands.
    pub fn table_position(&self) -> Position {
        Position(self.end().0 - u64::from(self.table_bytes))
    }

    /// Whether a file can have it.
    pub fn is_possible(&self) -> bool {
        let unit_bytes = UNIT_BYTES as u64;
        let whole = |bytes: u64| bytes > 0 && bytes.is_multiple_of(unit_bytes);
        self.position.0.checked_add(self.bytes).is_some_and(|end| i64::try_from(end).is_ok())
            && whole(self.bytes)
            && whole(self.table_bytes.into())
            && self.position.0.is_multiple_of(unit_bytes)
            && u64::from(self.table_bytes) < self.bytes
            && self.entry_count > 0
            && self.base_offset < self.next_offset
            && self.first_append_time <= self.last_append_time
    }

    /// Writes it, little-endian: segment, position, bytes, table bytes (u32), entry count, base offset, next offset, first
    /// append time, last append time.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_u64_le(self.segment.0);
        out.put_u64_le(self.position.0);
        out.put_u64_le(self.bytes);
        out.put_u32_le(self.table_bytes);
        out.put_u64_le(self.entry_count);
        out.put_u64_le(self.base_offset.0);
        out.put_u64_le(self.next_offset.0);
        out.put_u64_le(self.first_append_time.0);
        out.put_u64_le(self.last_append_time.0);
    }

    /// Reads what [`KeyRun::encode`] wrote.
    pub fn decode(buf: &mut impl Buf) -> Result<Self, TryGetError> {
        Ok(Self {
            segment: SegmentId(buf.try_get_u64_le()?),
            position: Position(buf.try_get_u64_le()?),
            bytes: buf.try_get_u64_le()?,
            table_bytes: buf.try_get_u32_le()?,
            entry_count: buf.try_get_u64_le()?,
            base_offset: Offset(buf.try_get_u64_le()?),
            next_offset: Offset(buf.try_get_u64_le()?),
            first_append_time: Realtime(buf.try_get_u64_le()?),
            last_append_time: Realtime(buf.try_get_u64_le()?),
        })
    }
}
