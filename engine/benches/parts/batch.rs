//! The check of what a client sends, and the checksum alone, which is its floor.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use florin_engine::format::batch::{BatchError, batch_crc, validate};
use florin_engine::limits::BATCH_BYTES_MAX;

use crate::inputs::batch;

/// Batches from one small record to one as large as a batch may be.
pub fn validation(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("batch");
    for (name, record_count, value_bytes) in
        [("1 record of 256 B", 1, 256), ("1000 records of 256 B", 1000, 256), ("1 record of 1 MB", 1, 1_000_000)]
    {
        let batch = batch(7, record_count, value_bytes);
        let info = validate(&batch, BATCH_BYTES_MAX).expect("what the builder makes is valid");
        assert_eq!((info.record_count, info.crc), (record_count, batch_crc(&batch)));
        let mut damaged = batch.clone();
        *damaged.last_mut().expect("a batch has bytes") ^= 1;
        let refused = validate(&damaged, BATCH_BYTES_MAX).expect_err("a bit is wrong");
        assert!(matches!(refused, BatchError::Checksum { .. }), "{refused}");

        group.throughput(Throughput::Bytes(batch.len() as u64));
        group.bench_function(format!("validate {name}"), |bencher| {
            bencher.iter(|| validate(black_box(&batch), BATCH_BYTES_MAX));
        });
        group.bench_function(format!("checksum {name}"), |bencher| bencher.iter(|| batch_crc(black_box(&batch))));
    }
    group.finish();
}
