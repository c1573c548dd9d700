//! What tests of frames, requests and responses share.

use bytes::{Bytes, BytesMut};
use florin_engine::format::batch::{BatchBuilder, HEADERS_NONE, place};
use florin_engine::format::control::{KeyRule, KeySource, Partitioner};
use florin_engine::limits::{KEY_BODY_HEADERS_MAX, KEY_WINDOW_DAYS_MAX, KEY_WINDOW_DAYS_MIN};
use florin_engine::model::{Offset, ProducerEpoch, ProducerId};
use proptest::prelude::*;

use super::{Frame, FrameReader};

pub(super) const TIME_NS: u64 = 1_700_000_000_123_456_789;
pub(super) const PRODUCER: ProducerId = ProducerId((1 << 48) + 5);

/// The bytes of a golden text: on each line hexadecimal digits, then words that say what they are.
pub(super) fn golden(text: &str) -> BytesMut {
    let digits: String = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// A reader that was given these bytes.
pub(super) fn reader_of(bytes: &[u8]) -> FrameReader {
    let mut reader = FrameReader::new(crate::limits::RESPONSE_BYTES_MAX);
    reader.buffer_mut().extend_from_slice(bytes);
    reader
}

/// The one frame that these bytes are.
pub(super) fn frame_of(bytes: &[u8]) -> Frame {
    let mut reader = reader_of(bytes);
    let frame = reader.next_frame().unwrap().expect("a whole frame");
    assert_eq!(reader.buffered_bytes(), 0, "bytes behind the frame");
    frame
}

/// A frame with the same fields and one more byte of them.
pub(super) fn with_byte_left_over(frame: &Frame) -> Frame {
    let head = frame.head.iter().copied().chain([0]).collect();
    Frame { head, ..frame.clone() }
}

/// The frame with its fields cut off at every byte.
pub(super) fn cut_off_everywhere(frame: &Frame) -> impl Iterator<Item = Frame> {
    (0..frame.head.len()).map(|bytes| Frame { head: frame.head.slice(..bytes), ..frame.clone() })
}

/// The batch that goldens carry, not placed yet.
pub(super) fn batch() -> BytesMut {
    let mut builder = BatchBuilder::new();
    builder.push(1_700_000_000_000, Some(b"card-1"), Some(b"12.50 EUR"), HEADERS_NONE).unwrap();
    builder.stamp(PRODUCER, ProducerEpoch(0), 0);
    builder.finish()
}

/// The same at an offset.
pub(super) fn placed_batch(base_offset: u64) -> Bytes {
    let mut batch = batch();
    place(&mut batch, Offset(base_offset));
    batch.freeze()
}

/// A rule of idempotency keys.
pub(super) fn rule() -> KeyRule {
    let source = KeySource::Header("payment-id".into());
    KeyRule::new(source, 90, vec!["amount".into()], Partitioner::Murmur2).expect("a rule")
}

/// Any rule of idempotency keys.
pub(super) fn any_rule() -> impl Strategy<Value = KeyRule> {
    let source =
        prop_oneof![Just(KeySource::RecordKey), "[a-z]{1,64}".prop_map(|name| KeySource::Header(name.into())),];
    // No letters: none of them holds the key.
    let body = prop::collection::btree_set("[0-9]{1,64}", 0..=KEY_BODY_HEADERS_MAX);
    let days = KEY_WINDOW_DAYS_MIN..=KEY_WINDOW_DAYS_MAX;
    (source, days, body, 0..Partitioner::ALL.len()).prop_map(|(source, days, body, partitioner)| {
        let body = body.into_iter().map(Into::into).collect();
        KeyRule::new(source, days, body, Partitioner::ALL[partitioner]).expect("within the limits")
    })
}
