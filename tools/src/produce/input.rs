//! Reads records from lines: plain ones with the key in a column, or JSON.
//!
//! A line that cannot be a record is a value, not an error: whoever reads decides whether to stop or to skip it, and
//! what was read before it stands.

use std::io::{self, BufRead, BufReader, Read};

use bytes::Bytes;
use florin_engine::limits::BATCH_BYTES_MAX;
use florin_net::client::Record;

use super::json;

#[cfg(test)]
mod tests;

/// A line is a record and a record is in a batch: what is longer than this is never stored. JSON may spend six bytes
/// on one of its value, hence the room.
const LINE_BYTES_MAX: usize = 8 * BATCH_BYTES_MAX;

/// What is asked of the input at once.
const READ_BYTES: usize = 64 * 1024;

/// How a line becomes a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineFormat {
    /// The whole line is the value; the key may be one of its columns.
    Plain {
        /// Where the key is, if there is one.
        key: Option<KeyColumn>,
    },
    /// The line is a JSON object; see [`json::parse`]. A line of nothing but white space is passed over.
    Json,
}

/// Where a plain line has its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyColumn {
    /// Counted from 1.
    pub number: usize,
    /// What stands between columns.
    pub delimiter: Delimiter,
}

/// What stands between the columns of a plain line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimiter {
    /// Any run of spaces and tabs; those at the beginning and end of a line delimit nothing.
    Whitespace,
    /// Each occurrence of one byte.
    Byte(u8),
}

/// What was read of one line.
#[derive(Clone, Debug, PartialEq)]
pub struct InputLine {
    /// Its number in the input, from 1, the skipped header included.
    pub number: u64,
    /// The record, or why it is none.
    pub record: Result<Record, String>,
}

/// Lines and what they mean.
#[derive(Debug)]
pub struct Input<R> {
    reader: BufReader<R>,
    format: LineFormat,
    partition: Option<u32>,
    line_number: u64,
    bytes_read: u64,
    line: Vec<u8>,
}

impl<R: Read> Input<R> {
    /// Reads records; those that name no partition go to `partition` if there is one.
    pub fn new(reader: R, format: LineFormat, partition: Option<u32>) -> Self {
        let reader = BufReader::with_capacity(READ_BYTES, reader);
        Self { reader, format, partition, line_number: 0, bytes_read: 0, line: Vec::new() }
    }

    /// Whether the next line may have to be waited for.
    pub fn is_buffer_empty(&self) -> bool {
        self.reader.buffer().is_empty()
    }

    /// The number of the line that was read last; 0 before the first.
    pub fn line_number(&self) -> u64 {
        self.line_number
    }

    /// Bytes of the lines read so far.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// Passes over one line, whatever it is.
    ///
    /// # Errors
    /// If the input cannot be read.
    pub fn skip_line(&mut self) -> io::Result<()> {
        self.read_line().map(|_| ())
    }

    /// The next record or bad line, or nothing at the end of the input.
    ///
    /// # Errors
    /// If the input cannot be read.
    pub fn next_line(&mut self) -> io::Result<Option<InputLine>> {
        loop {
            let Some(whole) = self.read_line()? else { return Ok(None) };
            let is_blank = self.line.iter().all(u8::is_ascii_whitespace);
            if whole && is_blank && self.format == LineFormat::Json {
                continue;
            }
            let parsed = if whole { self.parse() } else { Err(format!("longer than {LINE_BYTES_MAX} bytes")) };
            let record = parsed.map(|record| Record { partition: record.partition.or(self.partition), ..record });
            return Ok(Some(InputLine { number: self.line_number, record }));
        }
    }

    fn parse(&self) -> Result<Record, String> {
        match &self.format {
            LineFormat::Plain { key } => parse_plain(&self.line, *key),
            LineFormat::Json => json::parse(&self.line),
        }
    }

    /// Reads a line without its end into `line`: whether all of it is there, or nothing at the end of the input. What
    /// is too long is passed over up to its end.
    fn read_line(&mut self) -> io::Result<Option<bool>> {
        self.line.clear();
        let read_max = LINE_BYTES_MAX as u64 + 2;
        let read_bytes = self.reader.by_ref().take(read_max).read_until(b'\n', &mut self.line)?;
        if read_bytes == 0 {
            return Ok(None);
        }
        self.line_number += 1;
        self.bytes_read += read_bytes as u64;
        let mut whole = true;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            self.line.pop_if(|last| *last == b'\r');
        } else if self.line.len() > LINE_BYTES_MAX {
            whole = false;
            self.bytes_read += self.reader.skip_until(b'\n')? as u64;
        }
        Ok(Some(whole && self.line.len() <= LINE_BYTES_MAX))
    }
}

fn parse_plain(line: &[u8], key_column: Option<KeyColumn>) -> Result<Record, String> {
    let value = Bytes::copy_from_slice(line);
    let key = key_column.map(|column| column.find(line)).transpose()?;
    Ok(Record { key: key.map(Bytes::copy_from_slice), value: Some(value), ..Record::default() })
}

impl KeyColumn {
    fn find(self, line: &[u8]) -> Result<&[u8], String> {
        assert!(self.number > 0, "columns are counted from 1");
        let mut columns: Box<dyn Iterator<Item = &[u8]>> = match self.delimiter {
            Delimiter::Whitespace => {
                Box::new(line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|column| !column.is_empty()))
            }
            Delimiter::Byte(delimiter) => Box::new(line.split(move |byte| *byte == delimiter)),
        };
        let mut count = 0;
        for column in columns.by_ref() {
            count += 1;
            if count == self.number {
                return Ok(column);
            }
        }
        let columns = if count == 1 { "column" } else { "columns" };
        Err(format!("has {count} {columns} and the key is in column {}", self.number))
    }
}
