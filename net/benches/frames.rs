//! What it costs to take requests off the stream of a connection.

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use florin_engine::format::batch::{BatchBuilder, HEADERS_NONE};
use florin_engine::model::{PartitionId, ProducerEpoch, ProducerId, TopicId};
use florin_net::limits::REQUEST_BYTES_MAX;
use florin_net::protocol::{FrameReader, Request};

const FRAME_COUNT: usize = 64;
const VALUE_BYTES: usize = 256;

/// The `number`-th capture of a producer: one batch of one record.
fn capture(number: u32) -> Request {
    let mut builder = BatchBuilder::new();
    let value = [7; VALUE_BYTES];
    builder.push(1_700_000_000_000, None, Some(&value), HEADERS_NONE).expect("a batch has room for it");
    builder.stamp(ProducerId(1 << 48), ProducerEpoch(0), number);
    Request::Produce { partition: PartitionId { topic: TopicId(2), index: 1 }, batch: builder.finish() }
}

/// The next request of the stream.
fn next_request(reader: &mut FrameReader) -> Option<(u64, Request)> {
    let frame = reader.next_frame().expect("the stream is whole")?;
    Some((frame.correlation, Request::decode(frame).expect("a frame is a request")))
}

/// Captures that came with one read, which is a copy here. They are dropped at once.
fn captures(criterion: &mut Criterion) {
    let sent: Vec<_> =
        (0..).map(capture).take(FRAME_COUNT).zip(1..).map(|(request, number)| (number, request)).collect();
    let mut stream = BytesMut::new();
    sent.iter().for_each(|(correlation, request)| request.encode(*correlation, &mut stream));
    let mut reader = FrameReader::new(REQUEST_BYTES_MAX);
    reader.buffer_mut().extend_from_slice(&stream);
    let received: Vec<_> = std::iter::from_fn(|| next_request(&mut reader)).collect();
    assert_eq!((received, reader.buffered_bytes()), (sent, 0));

    let mut group = criterion.benchmark_group("frame");
    group.throughput(Throughput::Elements(FRAME_COUNT as u64));
    group.bench_function(format!("decode {FRAME_COUNT} captures of 256 B"), |bencher| {
        bencher.iter(|| {
            reader.buffer_mut().extend_from_slice(black_box(&stream));
            while let Some(request) = next_request(&mut reader) {
                black_box(request);
            }
        });
    });
    assert_eq!(reader.buffered_bytes(), 0);
    group.finish();
}

criterion_group!(frames, captures);
criterion_main!(frames);
