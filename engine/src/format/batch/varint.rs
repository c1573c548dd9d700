//! Zigzag varints (as in Protocol Buffers), and a cursor over a batch that reads them and never panics.

use bytes::{BufMut, BytesMut};

use super::error::RecordFault;

const VARINT32_BYTES_MAX: usize = 5;
const VARINT64_BYTES_MAX: usize = 10;

/// The rest of some bytes of a batch, and where they end in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    end_position: usize,
}

impl<'a> Cursor<'a> {
    /// Over `batch` from `position` to its end.
    pub(super) fn new(batch: &'a [u8], position: usize) -> Self {
        Self { rest: &batch[position..], end_position: batch.len() }
    }

    /// Bytes from the start of the batch.
    pub(super) fn position(&self) -> usize {
        self.end_position - self.rest.len()
    }

    /// Bytes left.
    pub(super) fn left_bytes(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn byte(&mut self) -> Result<u8, RecordFault> {
        let (&byte, rest) = self.rest.split_first().ok_or(RecordFault::CutOff { position: self.position() })?;
        self.rest = rest;
        Ok(byte)
    }

    pub(super) fn take(&mut self, bytes: usize) -> Result<&'a [u8], RecordFault> {
        let (taken, rest) =
            self.rest.split_at_checked(bytes).ok_or(RecordFault::CutOff { position: self.position() })?;
        self.rest = rest;
        Ok(taken)
    }

    /// Cuts off the next `bytes` as a cursor of their own.
    pub(super) fn split(&mut self, bytes: usize) -> Result<Self, RecordFault> {
        let rest = self.take(bytes)?;
        Ok(Self { rest, end_position: self.position() })
    }

    pub(super) fn varint32(&mut self) -> Result<i32, RecordFault> {
        let position = self.position();
        let raw = self.varint(VARINT32_BYTES_MAX)?;
        let raw = u32::try_from(raw).map_err(|_| RecordFault::Varint { position })?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    pub(super) fn varint64(&mut self) -> Result<i64, RecordFault> {
        let raw = self.varint(VARINT64_BYTES_MAX)?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    /// A length that is never null.
    pub(super) fn length(&mut self) -> Result<usize, RecordFault> {
        let length = self.varint32()?;
        usize::try_from(length).map_err(|_| RecordFault::Length { length, position: self.position() })
    }

    /// Bytes behind their length; -1 is null.
    pub(super) fn nullable(&mut self) -> Result<Option<&'a [u8]>, RecordFault> {
        let length = self.varint32()?;
        match usize::try_from(length) {
            Ok(bytes) => self.take(bytes).map(Some),
            Err(_) if length == -1 => Ok(None),
            Err(_) => Err(RecordFault::Length { length, position: self.position() }),
        }
    }

    /// Seven bits a byte, the lowest first; the value must fit 64 bits.
    fn varint(&mut self, bytes_max: usize) -> Result<u64, RecordFault> {
        let position = self.position();
        let mut value = 0_u64;
        for (index, &byte) in self.rest.iter().take(bytes_max).enumerate() {
            let bits = u64::from(byte & 0x7f);
            let shift = 7 * index;
            // The tenth byte holds the 64th bit alone: anything above would be shifted out unseen.
            if shift == 63 && bits > 1 {
                return Err(RecordFault::Varint { position });
            }
            value |= bits << shift;
            if byte < 0x80 {
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        if self.rest.len() < bytes_max {
            Err(RecordFault::CutOff { position })
        } else {
            Err(RecordFault::Varint { position })
        }
    }
}

/// Appends a value as varint; one of 32 bits takes the same bytes as in a field of 32.
pub(super) fn put_varint(out: &mut BytesMut, value: i64) {
    let mut raw = zigzag(value);
    while raw >= 0x80 {
        let [low, ..] = raw.to_le_bytes();
        out.put_u8(low | 0x80);
        raw >>= 7;
    }
    let [low, ..] = raw.to_le_bytes();
    out.put_u8(low);
}

/// Bytes that [`put_varint`] appends.
pub(super) fn varint_bytes(value: i64) -> usize {
    let bits = 64 - (zigzag(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}
