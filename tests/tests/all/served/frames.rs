//! Bad frames, one by one: the documented answer, and nobody else notices.

use std::io::Read;

use bytes::{BufMut, BytesMut};
use florin_engine::format::batch::HEADER_BYTES;
use florin_engine::model::{Offset, PartitionId, TopicId};
use florin_engine::partition::Isolation;
use florin_harness::served::wire::{Wire, WireError, batch_of};
use florin_net::limits::REQUEST_BYTES_MAX;
use florin_net::protocol::frame::put_frame;
use florin_net::protocol::{Api, ErrorResponse, Kind, ListAt, Request, RequestFrom, Response};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{GoodClient, open, partition_on, place, roomy, start};

/// A frame as it is asked for, under a right checksum.
pub fn frame(kind: Kind, version: u8, correlation: u64, head: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    put_frame(&mut out, kind, version, correlation, payload.len(), |out| out.put_slice(head));
    out.put_slice(payload);
    out.to_vec()
}

pub fn request(api: Api, correlation: u64, head: &[u8], payload: &[u8]) -> Vec<u8> {
    frame(Kind::Request(api.number()), api.version(), correlation, head, payload)
}

/// The fields with which produce and others name a partition.
pub fn partition_head(partition: PartitionId) -> Vec<u8> {
    [&partition.topic.0.to_le_bytes()[..], &partition.index.to_le_bytes()].concat()
}

/// A batch whose bytes were changed, with the checksum that goes with them.
fn changed_batch(change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut batch = batch_of(b"changed").to_vec();
    change(&mut batch);
    let checksum = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&checksum.to_be_bytes());
    batch
}

fn with_attributes(attributes: u16) -> Vec<u8> {
    changed_batch(|batch| batch[21..23].copy_from_slice(&attributes.to_be_bytes()))
}

/// A batch that says it is compressed, so that nobody looks into it.
fn compressed_batch(bytes: usize) -> Vec<u8> {
    let mut batch = batch_of(b"not really compressed").to_vec();
    batch.resize(bytes, 7);
    let length = u32::try_from(bytes - 12).expect("a megabyte");
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[21..23].copy_from_slice(&1_u16.to_be_bytes());
    let checksum = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&checksum.to_be_bytes());
    batch
}

/// What is answered with a code while the connection goes on: what it is, the code, the frame.
fn answered_frames(partition: PartitionId, batch_bytes_max: usize) -> Vec<(&'static str, u16, Vec<u8>)> {
    let produce = |payload: &[u8]| request(Api::Produce, 7, &partition_head(partition), payload);
    let produce_to = |partition| request(Api::Produce, 7, &partition_head(partition), &batch_of(b"lost"));
    let fetch = |partition, offset: u64, kind: u8| {
        let rest = [&u32::MAX.to_le_bytes()[..], &0_u32.to_le_bytes(), &[kind], &offset.to_le_bytes(), &[0]].concat();
        request(Api::Fetch, 7, &[partition_head(partition), rest].concat(), &[])
    };
    let create = |count: u32, name: &[u8]| {
        let length = u16::try_from(name.len()).expect("a short name").to_le_bytes();
        let settings = [&u32::to_le_bytes(4096)[..], &u64::to_le_bytes(1 << 20), &[0; 16]].concat();
        // Behind the name: no idempotency keys.
        request(Api::CreateTopic, 7, &[&count.to_le_bytes()[..], &settings, &length, name, &[0; 10]].concat(), &[])
    };
    let mut wrong_crc = batch_of(b"damaged on the way").to_vec();
    wrong_crc[HEADER_BYTES + 3] ^= 1;
    let other_partition = PartitionId { index: 99, ..partition };
    let other_topic = PartitionId { topic: TopicId(partition.topic.0 + 1000), index: 0 };
    vec![
        ("an api that nobody knows", 103, frame(Kind::Request(999), 0, 7, &[], &[])),
        ("a version that is not spoken", 104, frame(Kind::Request(6), 9, 7, &[], &[])),
        ("a response", 105, frame(Kind::Response(0), 0, 7, &[], &[])),
        ("a head without fields", 105, request(Api::Fetch, 7, &[], &[])),
        ("a head that ends within a field", 105, request(Api::DeleteTopic, 7, &[1, 2, 3], &[])),
        ("bytes behind the last field", 105, request(Api::InitProducer, 7, &[0], &[])),
        ("a payload where there is none", 105, request(Api::DescribeShards, 7, &[], b"payload")),
        ("no payload where there is one", 105, produce(&[])),
        ("a magic of somebody else", 105, request(Api::Negotiate, 7, b"HTTP/1.1\0\0", &[])),
        ("a name that is no UTF-8", 105, create(1, &[0xff, 0xfe])),
        ("more names than there are bytes", 105, request(Api::Metadata, 7, &[0xff; 12], &[])),
        ("a kind of offset that is not known", 105, fetch(partition, 0, 2)),
        ("a topic without a name", 14, create(1, b"")),
        ("a topic named like a folder", 14, create(1, b"..")),
        ("a topic whose name is taken", 15, create(1, b"payments")),
        ("a topic without partitions", 16, create(0, b"other")),
        ("a topic of too many partitions", 16, create(u32::MAX, b"other")),
        ("a batch damaged on the way", 23, produce(&wrong_crc)),
        ("something that is no batch", 20, produce(&[0xa5; 500])),
        ("less than the header of a batch", 20, produce(&[0; 60])),
        ("records that are garbage", 20, produce(&changed_batch(|batch| batch[HEADER_BYTES..].fill(0xff)))),
        ("a count that is not that of the records", 20, produce(&changed_batch(|batch| batch[60] = 9))),
        ("a transactional batch", 22, produce(&with_attributes(1 << 4))),
        ("a control batch", 20, produce(&with_attributes(1 << 5))),
        ("a compression that is not known", 20, produce(&with_attributes(7))),
        ("two batches at once", 20, produce(&[batch_of(b"one"), batch_of(b"two")].concat())),
        ("a batch above the limit", 20, produce(&compressed_batch(batch_bytes_max + 1))),
        ("a partition that is not there", 10, produce_to(other_partition)),
        ("a topic that is not there", 10, produce_to(other_topic)),
        ("a fetch of a topic that is not there", 10, fetch(other_topic, 0, 0)),
        ("a topic to describe that is not there", 12, request(Api::DescribeTopic, 7, &[9; 8], &[])),
        ("a fetch out of range", 21, fetch(partition, 1_000_000, 0)),
    ]
}

/// What ends a connection that has negotiated: what it is, the code, the bytes.
fn ending_bytes(partition: PartitionId) -> Vec<(&'static str, u16, Vec<u8>)> {
    let with_length = |bytes: u32| {
        let mut frame = frame(Kind::Request(1), 0, 7, &[0; 12], &[]);
        frame[..4].copy_from_slice(&bytes.to_le_bytes());
        frame
    };
    let changed = |at: usize, value: u8| {
        let mut frame = request(Api::Produce, 7, &partition_head(partition), &batch_of(b"lost"));
        frame[at] = value;
        frame
    };
    let mut hello = vec![0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03];
    hello.resize(517, 0x5a);
    let above = u32::try_from(REQUEST_BYTES_MAX - 3).expect("a megabyte");
    vec![
        ("a frame of 2 GiB", 101, with_length(1 << 31)),
        ("a frame of 4 GiB", 101, with_length(u32::MAX)),
        ("a frame of one byte too many", 101, with_length(above)),
        ("a frame that is shorter than its header", 100, with_length(19)),
        ("a frame without a length", 100, with_length(0)),
        ("a head that is longer than its frame", 100, changed(9, 0xff)),
        ("a flag that nobody knows", 100, changed(15, 0x80)),
        ("a correlation that was damaged", 102, changed(16, 0x55)),
        ("a head that was damaged", 102, changed(25, 0x55)),
        ("a checksum that was damaged", 102, changed(5, 0x55)),
        ("a request in HTTP", 101, b"GET / HTTP/1.1\r\nHost: florin\r\n\r\n".to_vec()),
        ("the hello of TLS", 101, hello),
    ]
}

/// Reads the error that announces the close, and the close: in order, so that no network throws the error away.
fn read_close(wire: &mut Wire) -> Result<ErrorResponse, String> {
    let (_, response) = wire.receive().map_err(|error| format!("no error before the close: {error:?}"))?;
    let Response::Error(error) = response else { return Err(format!("{response:?} is no error")) };
    match wire.stream().read(&mut [0]) {
        Ok(0) => Ok(error),
        other => Err(format!("{other:?} behind the error {error}")),
    }
}

#[test]
fn served_bad_requests_are_answered_with_their_codes_and_the_connection_goes_on() {
    let Some(place) = place("bad requests") else { return };
    let server = start(&roomy(&place));
    let mut wire = Wire::connect(server.address_of(0)).expect("it listens");
    let negotiated = wire.negotiate().expect("it negotiates");
    let topic = wire.create_topic("payments", 4).expect("it is made");
    let (good, bad) = (partition_on(&topic, 1), partition_on(&topic, 0));
    let good = GoodClient::start(server.address_of(1), good);
    wire.produce(bad, b"the only one").expect("it is stored");
    let batch_bytes_max = usize::try_from(negotiated.batch_bytes_max).expect("a megabyte");
    let cases = answered_frames(bad, batch_bytes_max);
    let spoken = [u64::from(Api::Produce.version()); 2];
    for (what, code, frame) in &cases {
        wire.send_bytes(frame).expect("it is read");
        let (correlation, response) = wire.receive().unwrap_or_else(|error| panic!("{what}: {error:?}"));
        let Response::Error(error) = response else { panic!("{what}: {response:?}") };
        assert_eq!((error.code.0, correlation), (*code, 7), "{what}: {error}");
        assert!(!error.message.is_empty(), "{what}: code {code} says nothing");
        match code {
            21 => assert_eq!(error.details, [0, 1], "{what}: start and high watermark"),
            104 => assert_eq!(error.details, spoken, "{what}: the versions spoken"),
            _ => {}
        }
    }
    let (largest, partition) = (compressed_batch(batch_bytes_max), partition_on(&topic, 1));
    let largest = wire.produce_batch(PartitionId { index: partition.index + 2, ..partition }, largest[..].into());
    assert_eq!(largest, Ok(Offset(0)), "a batch at the limit is stored");
    // All of them in one write.
    let all: Vec<u8> = cases.iter().flat_map(|(_, _, frame)| frame.clone()).collect();
    wire.send_bytes(&all).expect("it is read");
    let mut codes = Vec::new();
    for _ in &cases {
        match wire.receive() {
            Ok((7, Response::Error(error))) => codes.push(error.code.0),
            other => panic!("{other:?}"),
        }
    }
    let mut expected: Vec<_> = cases.iter().map(|(_, code, _)| *code).collect();
    codes.sort_unstable();
    expected.sort_unstable();
    assert_eq!(codes, expected);
    // Nothing of all that was stored.
    assert_eq!(wire.read_all(bad).expect("it can be read"), [(0, b"the only one".to_vec())]);
    assert_eq!(wire.list_offset(bad, ListAt::End).expect("it has an end"), Offset(1));
    good.finish();
    assert!(server.stop().status.success());
}

#[test]
fn served_what_cannot_be_cut_into_frames_is_told_why_and_closed_in_order() {
    let Some(place) = place("bad frames") else { return };
    let server = start(&roomy(&place));
    let topic = open(server.address_of(0)).create_topic("payments", 4).expect("it is made");
    let partition = partition_on(&topic, 0);
    let good = GoodClient::start(server.address_of(0), partition_on(&topic, 1));
    for (what, code, bytes) in ending_bytes(partition) {
        // Alone, and with a lot behind it that the server does not want to read.
        for more in [0, 200_000] {
            let mut wire = open(server.address_of(0));
            wire.send_bytes(&bytes).expect("it is read");
            wire.send_bytes(&vec![0x20; more]).expect("it is read");
            let error = read_close(&mut wire).unwrap_or_else(|error| panic!("{what} and {more} bytes: {error}"));
            assert_eq!(error.code.0, code, "{what}: {error}");
            if code == 101 {
                assert_eq!(error.details[0], REQUEST_BYTES_MAX as u64, "{what}: the limit");
            }
        }
    }
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..50 {
        let mut bytes = vec![0; 4096];
        random.fill_bytes(&mut bytes);
        let mut wire = Wire::connect(server.address_of(0)).expect("it listens");
        wire.send_bytes(&bytes).expect("it is read");
        let error = read_close(&mut wire).unwrap_or_else(|error| panic!("random bytes {bytes:x?}: {error}"));
        assert!((100..=102).contains(&error.code.0), "{error}");
    }
    good.finish();
    assert!(server.stop().status.success());
}

#[test]
fn served_whoever_does_not_negotiate_first_is_told_so_and_closed_in_order() {
    let Some(place) = place("no negotiation") else { return };
    let server = start(&roomy(&place));
    let mut good = open(server.address_of(0));
    let topic = good.create_topic("payments", 4).expect("it is made");
    let partition = partition_on(&topic, 0);
    let from = RequestFrom::Offset(Offset(0));
    let fetch = Request::Fetch { partition, from, bytes_max: 1, wait_ms: 0, isolation: Isolation::Uncommitted };
    let produce = Request::Produce { partition, batch: batch_of(&[7; 10_000]) };
    let encode = |request: &Request| {
        let mut out = BytesMut::new();
        request.encode(7, &mut out);
        out.to_vec()
    };
    let cases = [
        ("a fetch", 106, encode(&fetch)),
        ("many captures", 106, encode(&produce).repeat(60)),
        ("a magic of somebody else", 105, request(Api::Negotiate, 7, b"HTTP/1.1\0\0", &[])),
        ("an api that nobody knows", 103, frame(Kind::Request(999), 0, 7, &[], &[]).repeat(10_000)),
        ("a response", 105, frame(Kind::Response(0), 0, 7, &[], &[])),
    ];
    for (what, code, bytes) in cases {
        let mut wire = Wire::connect(server.address_of(0)).expect("it listens");
        wire.send_bytes(&bytes).expect("it is read");
        let error = read_close(&mut wire).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(error.code.0, code, "{what}: {error}");
    }
    assert_eq!(good.read_all(partition), Ok(Vec::new()), "nothing of that was stored");
    assert_eq!(good.produce(partition, b"first"), Ok(Offset(0)));
    let lost: Result<_, WireError> =
        Wire::connect(server.address_of(0)).and_then(|mut wire| wire.produce(partition, b""));
    assert_eq!(lost.map_err(|error| error.code()), Err(Some(106)));
    assert!(server.stop().status.success());
}
