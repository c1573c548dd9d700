//! Batches are put together for a segment file, and copied without more, which is the floor.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput};
use florin_engine::format::extent::{ExtentPlace, decode, encode, extent_bytes};
use florin_engine::format::stored::Stored;
use florin_engine::limits::EXTENT_BYTES_TARGET;
use florin_engine::model::{Id128, Position, SegmentId, ShardId};

use crate::inputs::{PARTITION, held_batch, timestamp_ms};

const PLACE: ExtentPlace = ExtentPlace {
    journal_id: Id128([3; 16]),
    shard: ShardId(2),
    segment: SegmentId(5),
    position: Position(1024 * 1024),
};

/// Extents of the size at which a shard begins the next one.
pub fn encoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("extent");
    for (name, value_bytes) in [("batches of 256 B", 256), ("batches of 64 kB", 64_000)] {
        let count = (EXTENT_BYTES_TARGET / held_batch(0, 1, value_bytes).bytes.len()) as u64;
        let batches: Vec<_> = (0..count).map(|number| held_batch(number, 1, value_bytes)).collect();
        let batches_bytes = batches.iter().map(|batch| batch.bytes.len()).sum();
        let latest_ms = timestamp_ms(count - 1);
        // What an extent does not fill stays zero, so the buffer need not be cleared in between.
        let mut out = vec![0; extent_bytes(batches.len(), batches_bytes)];
        let head = encode(&PLACE, PARTITION, &batches, latest_ms, &mut out);
        let Stored::Present(extent) = decode(&Bytes::copy_from_slice(&out), &PLACE) else { panic!("it is readable") };
        assert_eq!((extent.head, extent.batches.as_slice(), extent.damaged.len()), (head, batches.as_slice(), 0));

        group.throughput(Throughput::Bytes(batches_bytes as u64));
        group.bench_function(format!("encode {count} {name}"), |bencher| {
            bencher.iter(|| encode(&PLACE, PARTITION, black_box(&batches), latest_ms, black_box(&mut out)));
        });
        group.bench_function(format!("copy {count} {name}"), |bencher| {
            bencher.iter(|| {
                let (out, mut at) = (black_box(&mut out), 0);
                for batch in black_box(&batches) {
                    out[at..at + batch.bytes.len()].copy_from_slice(&batch.bytes);
                    at += batch.bytes.len();
                }
            });
        });
    }
    group.finish();
}
