//! The records of a compressed batch, as Kafka's clients write them: gzip (RFC 1952), snappy (bare, or in the frames of the
//! Java library by Xerial), lz4 (frames), zstd (RFC 8878). What comes out is bounded, whatever the bytes claim.

use std::io::{self, Read};

use thiserror::Error;

use super::error::BatchError;
use super::header::{BatchHeader, Compression, HEADER_BYTES};

/// Before the blocks of Java's snappy: a magic, and two version numbers.
const XERIAL_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const XERIAL_HEADER_BYTES: usize = XERIAL_MAGIC.len() + 8;

/// The largest window that zstd may ask for, as a power of two: 16 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 24;

/// Why the records of a batch cannot be looked into.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecompressError {
    /// The batch has no header, or is not compressed.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The bytes are not what the batch's attributes say.
    #[error("the records cannot be decompressed as {}: {what}", compression.name())]
    Stream {
        /// What they should be.
        compression: Compression,
        /// What the decoder said.
        what: String,
    },
    /// There is more than allowed.
    #[error("the records have more than {bytes_max} bytes when they are decompressed: send fewer per batch")]
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
}

/// The records of `batch`, which is compressed: at most `bytes_max` bytes. Takes time in proportion to both.
///
/// # Errors
/// If the bytes are not what the header says, or would give more.
pub fn decompress(batch: &[u8], bytes_max: usize) -> Result<Vec<u8>, DecompressError> {
    let header = BatchHeader::read(batch)?;
    let compression = header.compression()?;
    let compressed = &batch[HEADER_BYTES..];
    let stream = |error: io::Error| DecompressError::Stream { compression, what: error.to_string() };
    match compression {
        Compression::None => Ok(compressed.to_vec()),
        Compression::Gzip => read_bounded(flate2::read::GzDecoder::new(compressed), bytes_max).map_err(stream)?,
        Compression::Snappy => snappy(compressed, bytes_max),
        Compression::Lz4 => read_bounded(lz4_flex::frame::FrameDecoder::new(compressed), bytes_max).map_err(stream)?,
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(compressed).map_err(stream)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(stream)?;
            read_bounded(decoder, bytes_max).map_err(stream)?
        }
    }
}

fn read_bounded(decoder: impl Read, bytes_max: usize) -> io::Result<Result<Vec<u8>, DecompressError>> {
    let mut out = Vec::new();
    decoder.take(bytes_max as u64 + 1).read_to_end(&mut out)?;
    Ok(if out.len() > bytes_max { Err(DecompressError::TooLarge { bytes_max }) } else { Ok(out) })
}

fn snappy(compressed: &[u8], bytes_max: usize) -> Result<Vec<u8>, DecompressError> {
    let mut out = Vec::new();
    if !compressed.starts_with(&XERIAL_MAGIC) {
        snappy_block(compressed, bytes_max, &mut out)?;
        return Ok(out);
    }
    let cut_off = || snappy_error("a block is cut off");
    let mut rest = compressed.get(XERIAL_HEADER_BYTES..).ok_or_else(cut_off)?;
    while !rest.is_empty() {
        let (length, behind) = rest.split_first_chunk().ok_or_else(cut_off)?;
        let (block, behind) = behind.split_at_checked(u32::from_be_bytes(*length) as usize).ok_or_else(cut_off)?;
        snappy_block(block, bytes_max, &mut out)?;
        rest = behind;
    }
    Ok(out)
}

/// Appends what a block gives; the block says first how much that is.
fn snappy_block(block: &[u8], bytes_max: usize, out: &mut Vec<u8>) -> Result<(), DecompressError> {
    let bytes = snap::raw::decompress_len(block).map_err(snappy_error)?;
    let end = out.len().saturating_add(bytes);
    if end > bytes_max {
        return Err(DecompressError::TooLarge { bytes_max });
    }
    let begin = out.len();
    out.resize(end, 0);
    let written = snap::raw::Decoder::new().decompress(block, &mut out[begin..]).map_err(snappy_error)?;
    out.truncate(begin + written);
    Ok(())
}

fn snappy_error(what: impl ToString) -> DecompressError {
    DecompressError::Stream { compression: Compression::Snappy, what: what.to_string() }
}

#[cfg(test)]
mod tests;
