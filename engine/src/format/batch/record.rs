//! The records of an uncompressed batch, one after the other, borrowed from its bytes.

use std::iter::FusedIterator;

use super::error::{BatchError, RecordFault};
use super::header::{BatchHeader, Compression, HEADER_BYTES};
use super::varint::Cursor;

/// One record.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// The record's offset less that of the first in the batch: its index.
    pub offset_delta: u32,
    /// The record's timestamp less the batch's base timestamp, in milliseconds.
    pub timestamp_delta_ms: i64,
    /// Bytes of the record in its batch, its length field included.
    pub size_bytes: usize,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value.
    pub value: Option<&'a [u8]>,
    /// The headers, not looked at yet.
    pub headers: HeaderWalk<'a>,
}

/// One header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The name, by convention UTF-8.
    pub key: &'a [u8],
    /// The value.
    pub value: Option<&'a [u8]>,
}

/// Iterates over the records of a batch; after an error it is at its end.
///
/// Ends without an error only if there are as many records as the header says and no bytes behind them. What is
/// wrong within a record's headers shows only when [`Record::headers`] is walked.
#[derive(Clone, Debug)]
pub struct RecordWalk<'a> {
    cursor: Cursor<'a>,
    record_count: u32,
    next_index: u32,
    done: bool,
}

impl<'a> RecordWalk<'a> {
    /// Over `batch`, which is one whole batch; neither its length nor its checksum is looked at.
    ///
    /// # Errors
    /// If there is no header of a batch with records, or they are compressed.
    pub fn new(batch: &'a [u8]) -> Result<Self, BatchError> {
        let header = BatchHeader::read(batch)?;
        if header.compression()? != Compression::None {
            return Err(BatchError::Compressed);
        }
        let record_count = header.record_count()?;
        Ok(Self { cursor: Cursor::new(batch, HEADER_BYTES), record_count, next_index: 0, done: false })
    }

    /// Over the records of a compressed batch as [`decompress`](super::decompress) gave them; `record_count` is what the
    /// batch's header says. Places in errors count from the first of these bytes.
    pub fn of_decompressed(records: &'a [u8], record_count: u32) -> Self {
        Self { cursor: Cursor::new(records, 0), record_count, next_index: 0, done: false }
    }

    fn record(&mut self, index: u32) -> Result<Record<'a>, RecordFault> {
        let start = self.cursor.position();
        let bytes = self.cursor.length()?;
        let mut body = self.cursor.split(bytes)?;
        let size_bytes = self.cursor.position() - start;
        let attributes = body.byte()?;
        if attributes != 0 {
            return Err(RecordFault::Attributes { attributes, position: body.position() });
        }
        let timestamp_delta_ms = body.varint64()?;
        let offset_delta = body.varint32()?;
        if u32::try_from(offset_delta) != Ok(index) {
            return Err(RecordFault::OffsetDelta { offset_delta });
        }
        let key = body.nullable()?;
        let value = body.nullable()?;
        let left_count = body.length()?;
        let headers = HeaderWalk { cursor: body, record_index: index, left_count, done: false };
        Ok(Record { offset_delta: index, timestamp_delta_ms, size_bytes, key, value, headers })
    }
}

impl<'a> Iterator for RecordWalk<'a> {
    type Item = Result<Record<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let index = self.next_index;
        if index == self.record_count {
            self.done = true;
            let trailing_bytes = self.cursor.left_bytes();
            return (trailing_bytes > 0).then_some(Err(BatchError::TrailingBytes { trailing_bytes }));
        }
        self.next_index += 1;
        let record = self.record(index);
        self.done = record.is_err();
        Some(record.map_err(|fault| BatchError::Record { index, fault }))
    }
}

impl FusedIterator for RecordWalk<'_> {}

/// Iterates over the headers of a record; after an error it is at its end.
///
/// Ends without an error only if there are as many headers as the record says and they end with it.
#[derive(Clone, Debug)]
pub struct HeaderWalk<'a> {
    cursor: Cursor<'a>,
    record_index: u32,
    left_count: usize,
    done: bool,
}

impl<'a> HeaderWalk<'a> {
    /// Headers not walked yet, as the record claims; never reserve memory by it.
    pub fn left_count(&self) -> usize {
        self.left_count
    }

    fn header(&mut self) -> Result<Header<'a>, RecordFault> {
        let key_bytes = self.cursor.length()?;
        let key = self.cursor.take(key_bytes)?;
        let value = self.cursor.nullable()?;
        Ok(Header { key, value })
    }
}

impl<'a> Iterator for HeaderWalk<'a> {
    type Item = Result<Header<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let index = self.record_index;
        if self.left_count == 0 {
            self.done = true;
            let (left_bytes, position) = (self.cursor.left_bytes(), self.cursor.position());
            let fault = RecordFault::LeftOver { left_bytes, position };
            return (left_bytes > 0).then_some(Err(BatchError::Record { index, fault }));
        }
        self.left_count -= 1;
        let header = self.header();
        self.done = header.is_err();
        Some(header.map_err(|fault| BatchError::Record { index, fault }))
    }
}

impl FusedIterator for HeaderWalk<'_> {}
