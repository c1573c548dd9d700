//! What a partition does with a producer's stamp.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use florin_engine::format::batch::{ProducerStamp, SEQUENCE_COUNT, sequence_plus};
use florin_engine::limits::PRODUCER_WINDOW_BATCHES;
use florin_engine::model::{Offset, ProducerEpoch, ProducerId, Sequence};
use florin_engine::producer::{Admission, ProducerTable, Receipt};

use crate::inputs::{PRODUCER, Scattered, append_time};

/// A partition to which producers send batches of one record, in an order that nobody foresees.
struct Rig {
    table: ProducerTable,
    turns: Scattered,
    /// Of each producer the next sequence, and where its last batch is.
    producers: Vec<(u32, Offset)>,
    batch_count: u64,
}

impl Rig {
    /// All producers have a full window.
    fn new(producer_count: u16) -> Self {
        let mut rig = Self {
            table: ProducerTable::default(),
            turns: Scattered::new(u64::from(producer_count)),
            producers: vec![(0, Offset(0)); usize::from(producer_count)],
            batch_count: 0,
        };
        for _ in 0..usize::from(producer_count) * PRODUCER_WINDOW_BATCHES {
            assert_eq!(rig.send_next(), Admission::New);
        }
        assert_eq!(rig.table.len(), usize::from(producer_count));
        rig
    }

    fn stamp(producer: u64, base_sequence: u32) -> ProducerStamp {
        ProducerStamp::new(ProducerId(PRODUCER.0 + producer), ProducerEpoch(0), base_sequence, 1)
    }

    /// The next producer sends its next batch, which is admitted and applied.
    fn send_next(&mut self) -> Admission {
        let producer = self.turns.next();
        let (next_sequence, last_offset) = &mut self.producers[usize::try_from(producer).expect("an index")];
        let (stamp, crc) = (Self::stamp(producer, *next_sequence), *next_sequence);
        let admission = self.table.check(&stamp, crc);
        self.batch_count += 1;
        let base_offset = Offset(self.batch_count);
        let sequence = Sequence(self.batch_count / 16);
        self.table.apply(&stamp, crc, Receipt { base_offset, append_time: append_time(self.batch_count), sequence });
        (*next_sequence, *last_offset) = (sequence_plus(*next_sequence, 1), base_offset);
        admission
    }

    /// The next producer sends its last batch again. Returns what becomes of it, and where it is.
    fn send_again(&mut self) -> (Admission, Offset) {
        let producer = self.turns.next();
        let (next_sequence, last_offset) = self.producers[usize::try_from(producer).expect("an index")];
        let last_sequence = sequence_plus(next_sequence, SEQUENCE_COUNT - 1);
        (self.table.check(&Self::stamp(producer, last_sequence), last_sequence), last_offset)
    }
}

/// With one producer and with many.
pub fn sequence_check(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("producer");
    group.throughput(Throughput::Elements(1));
    for producer_count in [1, 10_000] {
        let mut rig = Rig::new(producer_count);
        let (Admission::Duplicate(receipt), offset) = rig.send_again() else { panic!("a retry is a duplicate") };
        assert_eq!(receipt.base_offset, offset, "a retry gets the original's receipt");
        group.bench_function(format!("next in sequence, of 1 in {producer_count}"), |bencher| {
            bencher.iter(|| black_box(rig.send_next()));
        });
        group.bench_function(format!("duplicate, of 1 in {producer_count}"), |bencher| {
            bencher.iter(|| black_box(rig.send_again()));
        });
    }
    group.finish();
}
