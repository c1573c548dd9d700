//! Everything that can be said of the bytes at an extent's place, right or wrong: for those who look at damage. Reads
//! that serve anybody go through [`decode`](super::decode).

use bytes::Bytes;
use zerocopy::FromBytes;

use super::{
    EXTENT_ENTRY_BYTES, EXTENT_HEADER_BYTES, ExtentEntryLayout, ExtentHead, ExtentLayout, ExtentPlace, MAGIC, Seed,
    check_batch, extent_bytes, read_head,
};
use crate::model::{Offset, Realtime};

/// Whether a part of an extent is what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// It is.
    Right,
    /// It is not.
    Wrong(String),
    /// Nobody can tell, because of something else.
    Unknown(String),
}

impl Check {
    /// Whether it is what was written.
    pub fn is_right(&self) -> bool {
        *self == Self::Right
    }
}

/// A batch as the table of an extent describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExaminedEntry {
    /// Offset of its first record.
    pub base_offset: Offset,
    /// Offset of the first record behind it.
    pub next_offset: Offset,
    /// When it was appended.
    pub append_time: Realtime,
    /// Its first byte in the extent.
    pub position: usize,
    /// Its length.
    pub batch_bytes: u32,
    /// Its checksum, as its client made it.
    pub crc: u32,
    /// What stands there; nothing if that would be outside of the extent.
    pub batch: Bytes,
    /// Whether that is the batch.
    pub check: Check,
}

/// What was found at the place of an extent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExaminedExtent {
    /// The header as it stands, to be believed if `header` is right; none if no extent begins here.
    pub head: Option<ExtentHead>,
    /// Whether the header is right, its checksum and its place included.
    pub header: Check,
    /// Whether the table is right: its checksum, and that it agrees with itself and the header.
    pub table: Check,
    /// Whether everything behind the batches is zero.
    pub padding: Check,
    /// The table's entries as they stand; none if there is no telling how many there are.
    pub entries: Vec<ExaminedEntry>,
}

/// Examines what stands at `place`; `bytes` begins there and may go on behind the extent.
pub fn examine(bytes: &Bytes, place: &ExtentPlace) -> ExaminedExtent {
    let header = match read_head(bytes, place).problem() {
        None => Check::Right,
        Some(problem) => Check::Wrong(problem),
    };
    let layout = ExtentLayout::ref_from_prefix(bytes).ok().map(|(layout, _)| layout);
    let head = layout.filter(|layout| layout.magic == MAGIC).map(ExtentLayout::head);
    let unknown = |why: &str| Check::Unknown(why.to_owned());
    let without_table = |why: &str| ExaminedExtent {
        head,
        header: header.clone(),
        table: unknown(why),
        padding: unknown(why),
        entries: Vec::new(),
    };
    let Some(head) = head else { return without_table("there is no extent") };
    let (count, total) = (head.entry_count as usize, head.extent_bytes as usize);
    if count == 0 || extent_bytes(count, head.batches_bytes as usize) != total {
        return without_table("the header's sizes contradict each other");
    }
    if bytes.len() < total {
        return without_table("the extent is longer than what could be read");
    }
    let table_end = EXTENT_HEADER_BYTES + count * EXTENT_ENTRY_BYTES;
    let table = &bytes[EXTENT_HEADER_BYTES..table_end];
    let batches_end = table_end + head.batches_bytes as usize;
    let entries = entries(&bytes.slice(..batches_end), table, table_end, &head);
    let table = if Seed::of(place.journal_id).checksum(table) == head.table_checksum {
        contradiction(&entries, &head, batches_end).map_or(Check::Right, Check::Wrong)
    } else {
        Check::Wrong("checksum of the extent's table does not match".to_owned())
    };
    let padding = match bytes[batches_end..total].iter().position(|byte| *byte != 0) {
        None => Check::Right,
        Some(at) => Check::Wrong(format!("byte {} of the extent is not zero", batches_end + at)),
    };
    ExaminedExtent { head: Some(head), header, table, padding, entries }
}

fn entries(bytes: &Bytes, table: &[u8], table_end: usize, head: &ExtentHead) -> Vec<ExaminedEntry> {
    let layouts = <[ExtentEntryLayout]>::ref_from_bytes(table).expect("the table is whole entries");
    let start = |entry: &ExtentEntryLayout| Offset(head.base_offset.0.saturating_add(entry.offset_delta.get().into()));
    let ends = layouts.iter().skip(1).map(start).chain([head.next_offset]);
    let mut position = table_end;
    let read = |(entry, next_offset): (&ExtentEntryLayout, Offset)| {
        let (base_offset, batch_bytes, crc) = (start(entry), entry.batch_bytes.get(), entry.crc.get());
        let begin = position;
        position = position.saturating_add(batch_bytes as usize);
        let batch = if position <= bytes.len() { bytes.slice(begin..position) } else { Bytes::new() };
        let check = match check_batch(&batch, base_offset, next_offset, crc) {
            _ if position > bytes.len() => Check::Unknown("the table places it outside of the extent".to_owned()),
            Ok(()) => Check::Right,
            Err(why) => Check::Wrong(why),
        };
        let append_time = Realtime(entry.append_time.get());
        ExaminedEntry { base_offset, next_offset, append_time, position: begin, batch_bytes, crc, batch, check }
    };
    layouts.iter().zip(ends).map(read).collect()
}

/// What a table with the right checksum says that cannot be.
fn contradiction(entries: &[ExaminedEntry], head: &ExtentHead, batches_end: usize) -> Option<String> {
    if entries.first().is_some_and(|first| first.base_offset != head.base_offset) {
        return Some("the extent's table does not begin where its header does".to_owned());
    }
    let mut last_time = Realtime(0);
    for entry in entries {
        if entry.next_offset <= entry.base_offset || entry.append_time < last_time {
            return Some(format!("the extent's table contradicts itself at offset {}", entry.base_offset));
        }
        last_time = entry.append_time;
    }
    let last = entries.last()?;
    let fits = last.position + last.batch_bytes as usize == batches_end && last_time == head.last_append_time;
    (!fits).then(|| "the extent's table does not fit its header".to_owned())
}

#[cfg(test)]
mod tests;
