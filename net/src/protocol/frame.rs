//! Frames: a header of 24 bytes, a head, a payload.
//!
//! The checksum is a CRC-32C (Castagnoli, as in RFC 3720) over the length at byte 0, the header from byte 8 on and the
//! head: everything but itself and the payload. Record batches carry a checksum that their producer computed.

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a frame's header.
pub const FRAME_HEADER_BYTES: usize = size_of::<FrameHeader>();
/// Bytes of the field that gives the length of what follows it.
pub const LENGTH_BYTES: usize = 4;

/// From here on the checksum covers the header, and the length before it.
const CHECKED_FROM: usize = 8;
const FLAG_RESPONSE: u8 = 1;
/// Payloads up to this size get memory of their own. Without that, a batch of 100 bytes that is held for days would
/// hold on to the whole buffer that it was received in.
const PAYLOAD_COPIED_BYTES_MAX: usize = 128 * 1024;

/// The layout of a header.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct FrameHeader {
    /// Bytes behind this field: the rest of the header, head and payload.
    bytes: U32,
    checksum: U32,
    head_bytes: U32,
    /// Of a request its api, of a response its code, 0 being success.
    kind: U16,
    version: u8,
    flags: u8,
    correlation: U64,
}

const _: () = assert!(FRAME_HEADER_BYTES == 24);
const _: () = assert!(std::mem::offset_of!(FrameHeader, bytes) == 0);
const _: () = assert!(std::mem::offset_of!(FrameHeader, checksum) == LENGTH_BYTES);
const _: () = assert!(std::mem::offset_of!(FrameHeader, head_bytes) == CHECKED_FROM);
const _: () = assert!(std::mem::offset_of!(FrameHeader, kind) == 12);
const _: () = assert!(std::mem::offset_of!(FrameHeader, correlation) == 16);

/// Which direction a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From a client, with the number of its api.
    Request(u16),
    /// From a server, with a code; 0 is success.
    Response(u16),
}

/// A whole frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Request or response, and which.
    pub kind: Kind,
    /// The version of the api.
    pub version: u8,
    /// Chosen by the client for a request, repeated in its response.
    pub correlation: u64,
    /// The fields, their checksum found right. Shares the memory of what was received around it: not to be kept.
    pub head: Bytes,
    /// Record batches, not checked yet. May be kept: it holds on to little more than itself.
    pub payload: BytesMut,
}

/// Why a stream cannot be cut into frames. Nothing that follows on the connection can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The length is above the limit.
    #[error("a frame of {bytes} bytes is above the limit of {bytes_max}: send smaller frames; is this Florin's port?")]
    TooLarge {
        /// Bytes of the frame, its length field included.
        bytes: u64,
        /// The limit.
        bytes_max: usize,
    },
    /// The length is less than a header, or the head is longer than the frame, or a flag is not known.
    #[error("a frame's header contradicts itself ({bytes} bytes, {head_bytes} of them head, flags {flags:#04x})")]
    Malformed {
        /// Bytes of the frame, its length field included.
        bytes: u64,
        /// Bytes of its head.
        head_bytes: u32,
        /// Its flags.
        flags: u8,
    },
    /// The header or the head are not what was sent.
    #[error("a frame's checksum is {claimed:#010x} but its bytes give {computed:#010x}: damaged on the way")]
    Checksum {
        /// The field as found.
        claimed: u32,
        /// Over header and head.
        computed: u32,
    },
}

/// Cuts a stream of bytes into frames. Holds at most one frame and what was read behind it.
#[derive(Debug)]
pub struct FrameReader {
    buffer: BytesMut,
    bytes_max: usize,
    /// Whether the header and head at the front were found right already, while their payload is on its way.
    is_checked: bool,
}

impl FrameReader {
    /// A reader that refuses frames above `bytes_max`, length field included.
    pub fn new(bytes_max: usize) -> Self {
        Self { buffer: BytesMut::new(), bytes_max, is_checked: false }
    }

    /// Where to append what was received, and nothing else may be done to it.
    pub fn buffer_mut(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Bytes received and not taken as frames yet.
    pub fn buffered_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// The next whole frame; `None` if more bytes are needed.
    ///
    /// # Errors
    /// If the stream cannot be cut; ask no further. An impossible length is noticed as soon as it is there, damage of
    /// header or head as soon as they are there, without their payload.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some(length) = self.buffer.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let bytes = u64::from(u32::from_le_bytes(*length)) + LENGTH_BYTES as u64;
        let whole_bytes = match usize::try_from(bytes) {
            Ok(whole_bytes) if whole_bytes <= self.bytes_max => whole_bytes,
            _ => return Err(FrameError::TooLarge { bytes, bytes_max: self.bytes_max }),
        };
        if whole_bytes < FRAME_HEADER_BYTES {
            return Err(FrameError::Malformed { bytes, head_bytes: 0, flags: 0 });
        }
        let Ok((header, _)) = FrameHeader::read_from_prefix(&self.buffer) else { return Ok(None) };
        let head_bytes = header.head_bytes.get();
        let head_end = usize::try_from(head_bytes).unwrap_or(usize::MAX).saturating_add(FRAME_HEADER_BYTES);
        if head_end > whole_bytes || header.flags & !FLAG_RESPONSE != 0 {
            return Err(FrameError::Malformed { bytes, head_bytes, flags: header.flags });
        }
        if self.buffer.len() < head_end {
            return Ok(None);
        }
        if !self.is_checked {
            let (claimed, computed) = (header.checksum.get(), checksum(&self.buffer[..head_end]));
            if computed != claimed {
                return Err(FrameError::Checksum { claimed, computed });
            }
            self.is_checked = true;
        }
        if self.buffer.len() < whole_bytes {
            return Ok(None);
        }
        self.is_checked = false;
        Ok(Some(self.take(&header, head_end, whole_bytes)))
    }

    /// Takes the frame at the front, which is whole and checked.
    fn take(&mut self, header: &FrameHeader, head_end: usize, whole_bytes: usize) -> Frame {
        let mut frame = self.buffer.split_to(whole_bytes);
        let mut payload = frame.split_off(head_end);
        if payload.len() <= PAYLOAD_COPIED_BYTES_MAX {
            payload = BytesMut::from(payload.as_ref());
        }
        if whole_bytes > PAYLOAD_COPIED_BYTES_MAX {
            // What follows begins in memory of its own: neither an idle connection nor a payload that is kept holds on
            // to what a large frame needed.
            self.buffer = BytesMut::from(self.buffer.as_ref());
        }
        frame.advance(FRAME_HEADER_BYTES);
        let number = header.kind.get();
        let kind = if header.flags & FLAG_RESPONSE == 0 { Kind::Request(number) } else { Kind::Response(number) };
        let (version, correlation) = (header.version, header.correlation.get());
        Frame { kind, version, correlation, head: frame.freeze(), payload }
    }

    /// Bytes that the frame at the front still lacks, as far as its length is known; 0 if it is whole or refused. Room
    /// for them is not to be made before they come: four bytes of a stranger are no reason to take a megabyte.
    pub fn missing_bytes(&self) -> usize {
        let Some(length) = self.buffer.first_chunk::<LENGTH_BYTES>() else {
            return FRAME_HEADER_BYTES - self.buffer.len();
        };
        let whole = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX).saturating_add(LENGTH_BYTES);
        let is_refused = whole > self.bytes_max || whole < FRAME_HEADER_BYTES;
        if is_refused { 0 } else { whole.saturating_sub(self.buffer.len()) }
    }
}

/// The checksum of a frame that begins with these bytes and whose head ends where they do.
fn checksum(header_and_head: &[u8]) -> u32 {
    let length = crc32c::crc32c(&header_and_head[..LENGTH_BYTES]);
    crc32c::crc32c_append(length, &header_and_head[CHECKED_FROM..])
}

/// Appends a frame without its payload, which must follow with exactly `payload_bytes`. `put_head` appends the head.
///
/// # Panics
/// If the frame is longer than a length can tell: the caller's broken invariant.
pub fn put_frame(
    out: &mut BytesMut,
    kind: Kind,
    version: u8,
    correlation: u64,
    payload_bytes: usize,
    put_head: impl FnOnce(&mut BytesMut),
) {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME_HEADER_BYTES]);
    put_head(out);
    let head_bytes = out.len() - start - FRAME_HEADER_BYTES;
    let bytes = FRAME_HEADER_BYTES - LENGTH_BYTES + head_bytes + payload_bytes;
    let (number, flags) = match kind {
        Kind::Request(api) => (api, 0),
        Kind::Response(code) => (code, FLAG_RESPONSE),
    };
    let mut header = FrameHeader {
        bytes: U32::new(u32::try_from(bytes).expect("frames are bounded")),
        checksum: U32::ZERO,
        head_bytes: U32::new(u32::try_from(head_bytes).expect("heads are bounded")),
        kind: U16::new(number),
        version,
        flags,
        correlation: U64::new(correlation),
    };
    out[start..start + FRAME_HEADER_BYTES].copy_from_slice(header.as_bytes());
    header.checksum = U32::new(checksum(&out[start..]));
    out[start..start + FRAME_HEADER_BYTES].copy_from_slice(header.as_bytes());
}

#[cfg(test)]
mod tests;
