//! Frames by their length alone, and the answer that the load expects.

use bytes::BytesMut;
use florin_engine::model::{Offset, Realtime};
use florin_net::protocol::{Api, FRAME_HEADER_BYTES, Response};

/// Bytes of the length at the front of a frame, which counts what follows it.
const LENGTH_BYTES: usize = 4;
/// Where a frame has the number that its answer repeats.
const CORRELATION_AT: usize = 16;

/// Bytes of one connection that are not cut into frames yet.
#[derive(Debug, Default)]
pub struct Received {
    buffer: Vec<u8>,
    taken: usize,
}

impl Received {
    /// Takes what was received.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.taken == self.buffer.len() {
            self.buffer.clear();
            self.taken = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The frame at the front, if it is whole, with its number.
    pub fn front(&self) -> Option<(u64, &[u8])> {
        let rest = &self.buffer[self.taken..];
        let length = u32::from_le_bytes(*rest.first_chunk::<LENGTH_BYTES>()?);
        let bytes = usize::try_from(length).ok()?.max(FRAME_HEADER_BYTES - LENGTH_BYTES) + LENGTH_BYTES;
        let frame = rest.get(..bytes)?;
        let correlation = u64::from_le_bytes(*frame[CORRELATION_AT..].first_chunk()?);
        Some((correlation, frame))
    }

    /// Whether all that was received was taken.
    pub fn is_empty(&self) -> bool {
        self.taken == self.buffer.len()
    }

    /// Drops the frame at the front, of so many bytes.
    pub fn drop_front(&mut self, bytes: usize) {
        self.taken += bytes;
    }
}

/// Appends the answer to a produce request.
pub fn put_answer(out: &mut BytesMut, correlation: u64) {
    let response = Response::Produced { base_offset: Offset(0), append_time: Realtime(1), duplicate: false };
    response.encode(Api::Produce, correlation, out);
}
