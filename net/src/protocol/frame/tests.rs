use bytes::{BufMut, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{
    FLAG_RESPONSE, FRAME_HEADER_BYTES, Frame, FrameError, FrameReader, Kind, LENGTH_BYTES, PAYLOAD_COPIED_BYTES_MAX,
    checksum, put_frame,
};
use crate::limits::REQUEST_BYTES_MAX;
use crate::protocol::tests::{frame_of, reader_of};

const LENGTH_MIN: u32 = 20;

fn encoded(kind: Kind, version: u8, correlation: u64, head: &[u8], payload: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    put_frame(&mut out, kind, version, correlation, payload.len(), |out| out.put_slice(head));
    out.put_slice(payload);
    out
}

fn example() -> BytesMut {
    encoded(Kind::Request(6), 2, 0x0807_0605_0403_0201, b"head", b"payload")
}

/// Gives bytes that were changed the checksum that belongs to them.
fn seal(bytes: &mut [u8], head_bytes: usize) {
    let sum = checksum(&bytes[..FRAME_HEADER_BYTES + head_bytes]);
    bytes[4..8].copy_from_slice(&sum.to_le_bytes());
}

#[test]
fn a_header_is_laid_out_as_the_page_says() {
    let bytes = example();
    let mut covered = bytes[..4].to_vec();
    covered.extend_from_slice(&bytes[8..28]);
    let mut expected = vec![31, 0, 0, 0];
    expected.extend_from_slice(&crc32c::crc32c(&covered).to_le_bytes());
    expected.extend_from_slice(&[4, 0, 0, 0, 6, 0, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expected.extend_from_slice(b"headpayload");
    assert_eq!(bytes, expected);
    let response = encoded(Kind::Response(0x0102), 0, 0, b"", b"");
    assert_eq!(response[..4], [20, 0, 0, 0]);
    assert_eq!(response[8..], [0, 0, 0, 0, 2, 1, 0, FLAG_RESPONSE, 0, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn a_frame_that_is_cut_off_at_any_byte_is_waited_for() {
    let bytes = example();
    for received in 0..bytes.len() {
        let mut reader = reader_of(&bytes[..received]);
        assert_eq!(reader.next_frame(), Ok(None), "{received} bytes");
        let missing_bytes = if received < LENGTH_BYTES { FRAME_HEADER_BYTES } else { bytes.len() } - received;
        assert_eq!(reader.missing_bytes(), missing_bytes, "{received} bytes");
        reader.buffer_mut().extend_from_slice(&bytes[received..]);
        assert_eq!(reader.missing_bytes(), 0);
        assert_eq!(reader.next_frame(), Ok(Some(frame_of(&bytes))), "{received} bytes, then the rest");
        assert_eq!(reader.next_frame(), Ok(None));
    }
}

#[test]
fn every_flipped_bit_of_header_and_head_is_refused_before_the_payload_is_there() {
    let bytes = example();
    let payload_start = FRAME_HEADER_BYTES + b"head".len();
    for bit in 0..payload_start * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(reader_of(&flipped).next_frame().is_err(), "bit {bit}");
        // A head that claims to be longer is waited for, to the end of the frame at the most.
        let is_of_head_bytes = (8..12).contains(&(bit / 8));
        let early = reader_of(&flipped[..payload_start]).next_frame();
        assert!(early.is_err() || (early == Ok(None) && is_of_head_bytes), "bit {bit} without the payload");
    }
}

#[test]
fn payload_is_handed_on_as_it_came() {
    let bytes = example();
    for bit in (FRAME_HEADER_BYTES + b"head".len()) * 8..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(frame_of(&flipped).payload, flipped[28..], "bit {bit}");
    }
}

#[test]
fn a_length_of_less_than_a_header_is_refused_at_once() {
    for length in 0..LENGTH_MIN {
        let mut reader = reader_of(&length.to_le_bytes());
        let bytes = u64::from(length) + 4;
        assert_eq!(reader.next_frame(), Err(FrameError::Malformed { bytes, head_bytes: 0, flags: 0 }));
        assert_eq!(reader.missing_bytes(), 0, "nothing more is wanted");
    }
    assert_eq!(LENGTH_MIN as usize, FRAME_HEADER_BYTES - LENGTH_BYTES);
    assert_eq!(reader_of(&LENGTH_MIN.to_le_bytes()).next_frame(), Ok(None));
}

#[test]
fn a_length_above_the_limit_is_refused_at_once_and_one_at_the_limit_is_not() {
    for (length, is_refused) in
        [(REQUEST_BYTES_MAX - 4, false), (REQUEST_BYTES_MAX - 3, true), (u32::MAX as usize, true)]
    {
        let mut reader = FrameReader::new(REQUEST_BYTES_MAX);
        reader.buffer_mut().put_u32_le(u32::try_from(length).unwrap());
        let refusal = FrameError::TooLarge { bytes: length as u64 + 4, bytes_max: REQUEST_BYTES_MAX };
        assert_eq!(reader.next_frame(), if is_refused { Err(refusal) } else { Ok(None) });
        assert_eq!(reader.missing_bytes(), if is_refused { 0 } else { REQUEST_BYTES_MAX - 4 });
    }
    let words = FrameError::TooLarge { bytes: 542_393_671, bytes_max: REQUEST_BYTES_MAX }.to_string();
    assert!(words.contains("is this Florin's port?"), "{words}");
}

#[test]
fn a_frame_of_exactly_the_limit_is_taken() {
    let payload = vec![7; REQUEST_BYTES_MAX - FRAME_HEADER_BYTES];
    let mut reader = FrameReader::new(REQUEST_BYTES_MAX);
    reader.buffer_mut().extend_from_slice(&encoded(Kind::Request(6), 0, 1, b"", &payload));
    assert_eq!(reader.next_frame().unwrap().unwrap().payload, payload);
}

#[test]
fn a_head_that_is_longer_than_its_frame_is_refused_under_a_right_checksum() {
    let mut bytes = encoded(Kind::Request(1), 0, 1, b"head", b"");
    bytes[8] = 5;
    bytes.put_u8(0);
    seal(&mut bytes, 5);
    let refusal = FrameError::Malformed { bytes: 28, head_bytes: 5, flags: 0 };
    assert_eq!(reader_of(&bytes).next_frame(), Err(refusal));
    bytes[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    let refusal = FrameError::Malformed { bytes: 28, head_bytes: u32::MAX, flags: 0 };
    assert_eq!(reader_of(&bytes).next_frame(), Err(refusal));
}

#[test]
fn a_flag_that_is_not_known_is_refused_under_a_right_checksum() {
    for bit in 1..8 {
        let mut bytes = encoded(Kind::Response(0), 0, 1, b"head", b"");
        bytes[15] |= 1 << bit;
        seal(&mut bytes, 4);
        let refusal = FrameError::Malformed { bytes: 28, head_bytes: 4, flags: bytes[15] };
        assert_eq!(reader_of(&bytes).next_frame(), Err(refusal));
    }
}

#[test]
fn a_wrong_checksum_is_told_beside_the_right_one() {
    let mut bytes = example();
    let computed = checksum(&bytes[..28]);
    bytes[4..8].copy_from_slice(&0x0102_0304_u32.to_le_bytes());
    let refusal = FrameError::Checksum { claimed: 0x0102_0304, computed };
    assert_eq!(reader_of(&bytes).next_frame(), Err(refusal));
    assert_eq!(reader_of(&bytes[..28]).next_frame(), Err(refusal), "also before the payload is there");
}

#[test]
fn a_small_payload_that_is_kept_does_not_keep_what_was_received_around_it() {
    let mut reader = reader_of(&vec![0; 1 << 20]);
    reader.buffer_mut().clear();
    reader.buffer_mut().extend_from_slice(&example());
    let buffer = reader.buffer.as_ptr_range();
    let frame = reader.next_frame().unwrap().unwrap();
    assert_eq!(frame.payload.capacity(), frame.payload.len(), "memory of its own");
    drop(frame.head);
    reader.buffer_mut().reserve(1 << 20);
    assert_eq!(reader.buffer.as_ptr(), buffer.start, "the buffer is used again");
}

#[test]
fn a_large_payload_is_not_copied_and_leaves_no_buffer_behind() {
    let payload = vec![1; PAYLOAD_COPIED_BYTES_MAX + 1];
    let mut reader = reader_of(&encoded(Kind::Request(6), 0, 1, b"head", &payload));
    let start = reader.buffer.as_ptr();
    let frame = reader.next_frame().unwrap().unwrap();
    assert_eq!(frame.payload, payload);
    assert_eq!(frame.payload.as_ptr(), start.wrapping_add(FRAME_HEADER_BYTES + 4));
    assert_eq!(reader.buffer.capacity(), 0);
}

fn any_frame() -> impl Strategy<Value = (Frame, BytesMut)> {
    let kind = prop_oneof![any::<u16>().prop_map(Kind::Request), any::<u16>().prop_map(Kind::Response)];
    let bytes = || prop_oneof![vec(any::<u8>(), 0..40), vec(any::<u8>(), 0..3000)];
    (kind, any::<u8>(), any::<u64>(), bytes(), bytes()).prop_map(|(kind, version, correlation, head, payload)| {
        let encoded = encoded(kind, version, correlation, &head, &payload);
        let (head, payload) = (head.into(), BytesMut::from(payload.as_slice()));
        (Frame { kind, version, correlation, head, payload }, encoded)
    })
}

proptest! {
    #[test]
    fn a_stream_that_is_cut_anywhere_gives_the_frames_that_were_sent(
        sent in vec(any_frame(), 0..8),
        cuts in vec(1..700_usize, 1..40),
    ) {
        let stream: Vec<u8> = sent.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
        let mut reader = FrameReader::new(8192);
        let mut received = Vec::new();
        let (mut rest, mut cuts) = (stream.as_slice(), cuts.into_iter().cycle());
        while !rest.is_empty() {
            let (chunk, behind) = rest.split_at(cuts.next().unwrap().min(rest.len()));
            reader.buffer_mut().extend_from_slice(chunk);
            rest = behind;
            while let Some(frame) = reader.next_frame().unwrap() {
                received.push(frame);
            }
            prop_assert!(reader.missing_bytes() > 0, "a reader that waits says for how much");
        }
        prop_assert_eq!(reader.buffered_bytes(), 0);
        let sent: Vec<_> = sent.into_iter().map(|(frame, _)| frame).collect();
        prop_assert_eq!(received, sent);
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_never_make_a_reader_hold_a_frame(
        chunks in vec(prop_oneof![
            vec(any::<u8>(), 0..100),
            (0..600_u32).prop_map(|length| length.to_le_bytes().to_vec()),
            any_frame().prop_map(|(_, bytes)| bytes.to_vec()),
        ], 0..30),
    ) {
        let bytes_max = 512;
        let mut reader = FrameReader::new(bytes_max);
        'stream: for chunk in chunks {
            reader.buffer_mut().extend_from_slice(&chunk);
            loop {
                let before = reader.buffered_bytes();
                let wanted = reader.missing_bytes();
                match reader.next_frame() {
                    Ok(Some(frame)) => {
                        let taken = FRAME_HEADER_BYTES + frame.head.len() + frame.payload.len();
                        prop_assert!(taken <= bytes_max);
                        prop_assert_eq!(reader.buffered_bytes() + taken, before);
                    }
                    Ok(None) => {
                        prop_assert!(wanted > 0 && before + wanted <= bytes_max);
                        break;
                    }
                    Err(error) => {
                        prop_assert_eq!(reader.next_frame(), Err(error), "it stays refused");
                        break 'stream;
                    }
                }
            }
            prop_assert!(reader.buffered_bytes() < bytes_max);
        }
    }
}
