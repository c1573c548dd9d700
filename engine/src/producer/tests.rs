//! The rules one by one, against a model, as bytes, and the mint.

mod bytes;
mod mint;
mod model;
mod rules;

use super::{Admission, ProducerTable, Receipt};
use crate::format::batch::ProducerStamp;
use crate::model::{Offset, ProducerEpoch, ProducerId, Realtime, Sequence};

const HALF: u32 = 1 << 30;
const SEQUENCE_MAX: u32 = i32::MAX.cast_unsigned();

/// The batch of producer `id` that begins at `base_sequence`.
fn stamp(id: u64, epoch: u16, base_sequence: u32, record_count: u32) -> ProducerStamp {
    ProducerStamp::new(ProducerId(id), ProducerEpoch(epoch), base_sequence, record_count)
}

/// The receipt of the `number`th batch; all three of its parts differ.
fn receipt(number: u64) -> Receipt {
    Receipt { base_offset: Offset(number * 10), append_time: Realtime(number * 1000), sequence: Sequence(number + 7) }
}

/// Applies a batch that must be new.
fn accept(table: &mut ProducerTable, stamp: ProducerStamp, crc: u32, receipt: Receipt) {
    assert_eq!(table.check(&stamp, crc), Admission::New, "{stamp:?}");
    table.apply(&stamp, crc, receipt);
}

/// A table where producer 1 of epoch 0 has stored `batch_count` batches of ten records: the nth, from 0, begins at
/// sequence 10 n, has checksum n and receipt n + 1.
fn table_of(batch_count: u32) -> ProducerTable {
    let mut table = ProducerTable::new(4);
    for batch in 0..batch_count {
        accept(&mut table, stamp(1, 0, batch * 10, 10), batch, receipt(u64::from(batch) + 1));
    }
    table
}

/// A table where producer 1 has come to the sequence `next`, at least 2^30 + 5, the last five by batches of one record
/// with checksum 9; the last has receipt 7.
fn table_at(next: u32) -> ProducerTable {
    let mut table = ProducerTable::new(4);
    let long = next - 5;
    accept(&mut table, stamp(1, 0, 0, HALF), 9, receipt(1));
    accept(&mut table, stamp(1, 0, HALF, long - HALF), 9, receipt(2));
    for batch in 0..5 {
        accept(&mut table, stamp(1, 0, long + batch, 1), 9, receipt(u64::from(batch) + 3));
    }
    table
}
