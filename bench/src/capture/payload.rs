//! Record batches, built before anything is measured.

use anyhow::{Context, Result};
use bytes::Bytes;
use florin_engine::format::batch::{BatchBuilder, HEADERS_NONE};

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

/// Batches without a producer id, which differ in every record.
#[derive(Clone, Debug)]
pub struct Payloads {
    batches: Vec<Bytes>,
}

impl Payloads {
    /// Builds batches of `record_count` records of `value_bytes` bytes each.
    pub fn build(value_bytes: usize, record_count: u32) -> Result<Self> {
        let records = usize::try_from(record_count)?;
        let bytes = (value_bytes + RECORD_OVERHEAD_BYTES).saturating_mul(records);
        let count = (TOTAL_BYTES_MAX / bytes.max(1)).clamp(BATCH_COUNT_MIN, BATCH_COUNT_MAX);
        let mut random = SplitMix(SEED);
        let mut value = vec![0; value_bytes];
        let mut batches = Vec::with_capacity(count);
        for _ in 0..count {
            let mut builder = BatchBuilder::new();
            for _ in 0..record_count {
                random.fill(&mut value);
                builder.push(TIMESTAMP_MS, None, Some(&value), HEADERS_NONE).with_context(|| {
                    format!("{record_count} records of {value_bytes} bytes are more than a batch takes")
                })?;
            }
            batches.push(builder.finish().freeze());
        }
        Ok(Self { batches })
    }

    /// The batch of a number; numbers go round.
    pub fn batch(&self, number: usize) -> &Bytes {
        &self.batches[number % self.batches.len()]
    }

    /// How many differ.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.batches.len()
    }
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
