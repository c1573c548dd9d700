//! Record batches, built before anything is measured.

use std::convert::Infallible;
use std::io::Read;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use florin_engine::format::batch::{BatchBuilder, BatchHeader, HEADERS_NONE};

use super::stamp::PLACEHOLDER;

/// So many that no batch comes again before thousands of others.
const BATCH_COUNT_MAX: usize = 4096;
/// Large batches are fewer, so that they do not fill the memory.
const TOTAL_BYTES_MAX: usize = 128 << 20;
/// At least so many differ.
const BATCH_COUNT_MIN: usize = 16;
/// What a record takes beside its value, at most; the batch's header is rounded in.
const RECORD_OVERHEAD_BYTES: usize = 64;
/// Records claim this time; the server has its own for what it is asked by time.
const TIMESTAMP_MS: i64 = 1_700_000_000_000;
/// The same bytes in every run.
const SEED: u64 = 0x0f10_2111_0000_0001;
/// A file of payments is read whole.
const FILE_BYTES_MAX: u64 = 256 << 20;
const FIXED: u8 = b'F';

/// What the values of records hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayloadKind {
    /// The same byte throughout.
    Fixed,
    /// Bytes that do not compress.
    Random,
    /// The lines of a file, one after the other, each of its own size.
    File(PathBuf),
}

/// Batches without a producer id.
#[derive(Clone, Debug)]
pub struct Payloads {
    batches: Vec<Bytes>,
    crcs: Vec<u32>,
    record_count: u32,
    value_bytes: f64,
}

impl FromStr for PayloadKind {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "fixed" => Self::Fixed,
            "random" => Self::Random,
            path => Self::File(PathBuf::from(path)),
        })
    }
}

impl Payloads {
    /// Builds batches of `record_count` records, of `value_bytes` bytes each unless a file says what they are.
    pub fn build(kind: &PayloadKind, value_bytes: usize, record_count: u32) -> Result<Self> {
        Self::build_keyed(kind, value_bytes, record_count, None)
    }

    /// Builds batches of one record each, with a place for a key.
    pub fn build_with_keys(kind: &PayloadKind, value_bytes: usize) -> Result<Self> {
        ensure!(
            !matches!(kind, PayloadKind::File(_)),
            "records with keys have one size: --payload takes fixed or random"
        );
        Self::build_keyed(kind, value_bytes, 1, Some(&PLACEHOLDER))
    }

    fn build_keyed(kind: &PayloadKind, value_bytes: usize, record_count: u32, key: Option<&[u8]>) -> Result<Self> {
        let records = usize::try_from(record_count)?;
        let lines = match kind {
            PayloadKind::File(path) => Some(lines_of(path)?),
            PayloadKind::Fixed | PayloadKind::Random => None,
        };
        let largest = lines.as_ref().map_or(value_bytes, |lines| lines.iter().map(Vec::len).max().unwrap_or(0));
        let bytes = (largest + RECORD_OVERHEAD_BYTES).saturating_mul(records);
        let count = (TOTAL_BYTES_MAX / bytes.max(1)).clamp(BATCH_COUNT_MIN, BATCH_COUNT_MAX);
        let mut random = SplitMix(SEED);
        let mut value = vec![FIXED; value_bytes];
        let (mut all_bytes, mut next_line) = (0, 0);
        let mut batches = Vec::with_capacity(count);
        for _ in 0..count {
            let mut builder = BatchBuilder::new();
            for _ in 0..record_count {
                let value: &[u8] = match (&lines, kind) {
                    (Some(lines), _) => {
                        next_line += 1;
                        &lines[(next_line - 1) % lines.len()]
                    }
                    (None, PayloadKind::Random) => {
                        random.fill(&mut value);
                        &value
                    }
                    (None, _) => &value,
                };
                all_bytes += value.len();
                builder.push(TIMESTAMP_MS, key, Some(value), HEADERS_NONE).with_context(|| {
                    format!("{record_count} records of {} bytes are more than a batch takes", value.len())
                })?;
            }
            batches.push(builder.finish().freeze());
        }
        let crcs = batches.iter().map(|batch| Ok(BatchHeader::read(batch)?.crc())).collect::<Result<_>>()?;
        Ok(Self { batches, crcs, record_count, value_bytes: all_bytes as f64 / (count * records.max(1)) as f64 })
    }

    /// The batch of a number; numbers go round.
    pub fn batch(&self, number: usize) -> &Bytes {
        &self.batches[number % self.batches.len()]
    }

    /// The checksum of that batch, which covers everything that a server does not fill in.
    pub fn crc(&self, number: usize) -> u32 {
        self.crcs[number % self.crcs.len()]
    }

    /// Records of each batch.
    pub fn record_count(&self) -> u32 {
        self.record_count
    }

    /// Mean size of a value.
    pub fn value_bytes(&self) -> f64 {
        self.value_bytes
    }

    /// The same in whole bytes, as a label.
    #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a mean of sizes")]
    pub fn size(&self) -> u64 {
        self.value_bytes.round() as u64
    }

    /// Bytes of a batch, rounded up over all.
    pub fn batch_bytes(&self) -> u64 {
        let bytes: usize = self.batches.iter().map(Bytes::len).sum();
        bytes.div_ceil(self.batches.len()) as u64
    }

    /// How many differ.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.batches.len()
    }
}

#[expect(clippy::disallowed_methods, reason = "payloads are no file of a data directory")]
fn lines_of(path: &PathBuf) -> Result<Vec<Vec<u8>>> {
    let read = || -> Result<Vec<u8>> {
        let mut text = Vec::new();
        std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut text)?;
        ensure!(text.len() as u64 <= FILE_BYTES_MAX, "it has more than {FILE_BYTES_MAX} bytes");
        Ok(text)
    };
    let text = read().with_context(|| {
        format!("{} cannot be read: --payload takes fixed, random, or a file with a value on each line", path.display())
    })?;
    let lines: Vec<Vec<u8>> =
        text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect();
    ensure!(!lines.is_empty(), "{} has no line that is not empty", path.display());
    Ok(lines)
}

/// Bytes that do not compress and need no quality: the SplitMix64 sequence.
struct SplitMix(u64);

impl SplitMix {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(size_of::<u64>()) {
            let number = self.next().to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
