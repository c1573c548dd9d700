//! A producer table as bytes, for the manifest. Little-endian.
//!
//! Table: producer count `u32`; then the producers, in the order of their ids. Producer: id `u64`, epoch `u16`,
//! batch count `u16`, records accepted in the epoch `u64`; then the batches, oldest first. Batch: first sequence
//! `u32`, last sequence `u32` with the highest bit set if idempotency keys answered it, CRC-32C `u32`, base offset `u64`,
//! append time in Unix nanoseconds `u64`, journal block `u64`.

use bytes::{Buf, BufMut, TryGetError};
use thiserror::Error;

use super::window::{Entry, Window};
use super::{ProducerTable, Receipt};
use crate::format::batch::SEQUENCE_COUNT;
use crate::limits::PRODUCER_WINDOW_BATCHES;
use crate::model::{Offset, ProducerEpoch, ProducerId, Realtime, Sequence};

const COUNT_BYTES: usize = 4;
const PRODUCER_HEADER_BYTES: usize = 20;
const ENTRY_BYTES: usize = 36;
/// Set beside the last sequence of a batch that idempotency keys answered.
const KNOWN: u32 = SEQUENCE_COUNT;

/// Encoded bytes of one producer whose window is full. A table takes 4 bytes more than its producers.
pub const PRODUCER_BYTES_MAX: usize = PRODUCER_HEADER_BYTES + PRODUCER_WINDOW_BATCHES * ENTRY_BYTES;

const _: () = assert!(SEQUENCE_COUNT == 1 << 31);
const _: () = assert!(PRODUCER_WINDOW_BATCHES >= 1 && PRODUCER_WINDOW_BATCHES <= u16::MAX as usize);

/// Why bytes are not a producer table. The bytes were checksummed before: it is damage, or another format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProducerDecodeError {
    /// The bytes end within the table.
    #[error("producer table is cut off: {needed_bytes} bytes are needed, {found_bytes} are left")]
    CutOff {
        /// Bytes of the field.
        needed_bytes: usize,
        /// Bytes there are.
        found_bytes: usize,
    },
    /// More producers than the partition may know.
    #[error("producer table of {count} producers is above the limit of {count_max}")]
    Count {
        /// Producers claimed.
        count: u32,
        /// The limit.
        count_max: usize,
    },
    /// An id is not above the one before, or a number is above what the layout of a batch holds.
    #[error("producer {id} of epoch {epoch} behind {previous:?}: ids must rise, and fit 63 bits; epochs fit 15")]
    Identity {
        /// The producer.
        id: ProducerId,
        /// Its epoch.
        epoch: ProducerEpoch,
        /// The producer before it.
        previous: Option<ProducerId>,
    },
    /// No batch, or more than a window holds.
    #[error("producer {id} has {batch_count} batches: a window holds 1 to {PRODUCER_WINDOW_BATCHES}")]
    BatchCount {
        /// The producer.
        id: ProducerId,
        /// Batches claimed.
        batch_count: u16,
    },
    /// A batch lies where the partition or the journal has not come to yet.
    #[error(
        "producer {id} has a batch that is later than the partition, which goes on at offset {next_offset}, or its journal"
    )]
    Beyond {
        /// The producer.
        id: ProducerId,
        /// Where the partition goes on.
        next_offset: Offset,
    },
    /// The batches of a window do not follow each other, or not up to the number of records accepted.
    #[error("producer {id} has batches that do not follow each other up to {accepted_count} records")]
    Window {
        /// The producer.
        id: ProducerId,
        /// Records accepted, as found.
        accepted_count: u64,
    },
}

impl From<TryGetError> for ProducerDecodeError {
    fn from(error: TryGetError) -> Self {
        Self::CutOff { needed_bytes: error.requested, found_bytes: error.available }
    }
}

impl ProducerTable {
    /// Bytes that [`ProducerTable::encode`] writes.
    pub fn encoded_bytes(&self) -> usize {
        let producers = self.producers.values();
        let bytes = producers.map(|producer| PRODUCER_HEADER_BYTES + producer.window.entries().len() * ENTRY_BYTES);
        COUNT_BYTES + bytes.sum::<usize>()
    }

    /// Appends the table; equal tables give equal bytes.
    pub fn encode(&self, out: &mut impl BufMut) {
        let Ok(count) = u32::try_from(self.producers.len()) else {
            panic!("{} producers are above any limit", self.producers.len());
        };
        out.put_u32_le(count);
        for (id, producer) in &self.producers {
            let Ok(batch_count) = u16::try_from(producer.window.entries().len()) else {
                panic!("a window holds at most {PRODUCER_WINDOW_BATCHES} batches");
            };
            out.put_u64_le(id.0);
            out.put_u16_le(producer.epoch.0);
            out.put_u16_le(batch_count);
            out.put_u64_le(producer.window.accepted_count());
            for entry in producer.window.entries() {
                encode_entry(entry, out);
            }
        }
    }

    /// Reads a table that may know `count_max` producers; what follows it stays in `buf`.
    ///
    /// # Errors
    /// If the bytes are not what [`ProducerTable::encode`] writes.
    pub fn decode(buf: &mut impl Buf, count_max: usize) -> Result<Self, ProducerDecodeError> {
        let mut table = Self::new(count_max);
        let count = buf.try_get_u32_le()?;
        if usize::try_from(count).map_or(true, |count| count > count_max) {
            return Err(ProducerDecodeError::Count { count, count_max });
        }
        let mut previous = None;
        for _ in 0..count {
            let (id, epoch, window) = decode_producer(buf, previous)?;
            table.insert(id, epoch, window);
            previous = Some(id);
        }
        Ok(table)
    }
}

fn decode_producer(
    buf: &mut impl Buf,
    previous: Option<ProducerId>,
) -> Result<(ProducerId, ProducerEpoch, Window), ProducerDecodeError> {
    let id = ProducerId(buf.try_get_u64_le()?);
    let epoch = ProducerEpoch(buf.try_get_u16_le()?);
    let batch_count = buf.try_get_u16_le()?;
    let accepted_count = buf.try_get_u64_le()?;
    let is_above = previous.is_none_or(|previous| previous < id);
    if !is_above || i64::try_from(id.0).is_err() || i16::try_from(epoch.0).is_err() {
        return Err(ProducerDecodeError::Identity { id, epoch, previous });
    }
    let batch_count_fits = (1..=PRODUCER_WINDOW_BATCHES).contains(&usize::from(batch_count));
    if !batch_count_fits {
        return Err(ProducerDecodeError::BatchCount { id, batch_count });
    }
    let window_error = ProducerDecodeError::Window { id, accepted_count };
    let mut entries = Vec::with_capacity(usize::from(batch_count));
    for _ in 0..batch_count {
        entries.push(decode_entry(buf)?.ok_or(window_error)?);
    }
    let window = Window::from_parts(&entries, accepted_count).ok_or(window_error)?;
    Ok((id, epoch, window))
}

fn encode_entry(entry: &Entry, out: &mut impl BufMut) {
    out.put_u32_le(entry.base_sequence);
    out.put_u32_le(entry.last_sequence | if entry.is_known { KNOWN } else { 0 });
    out.put_u32_le(entry.crc);
    out.put_u64_le(entry.receipt.base_offset.0);
    out.put_u64_le(entry.receipt.append_time.0);
    out.put_u64_le(entry.receipt.sequence.0);
}

/// The next batch, or nothing if its sequences are none.
fn decode_entry(buf: &mut impl Buf) -> Result<Option<Entry>, TryGetError> {
    let (base_sequence, last_sequence) = (buf.try_get_u32_le()?, buf.try_get_u32_le()?);
    let entry = Entry {
        base_sequence,
        last_sequence: last_sequence & !KNOWN,
        is_known: last_sequence & KNOWN != 0,
        crc: buf.try_get_u32_le()?,
        receipt: Receipt {
            base_offset: Offset(buf.try_get_u64_le()?),
            append_time: Realtime(buf.try_get_u64_le()?),
            sequence: Sequence(buf.try_get_u64_le()?),
        },
    };
    Ok((entry.base_sequence < SEQUENCE_COUNT).then_some(entry))
}
