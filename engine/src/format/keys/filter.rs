//! A filter over the keys of a section: a binary fuse filter with 16 bits per key.
//!
//! Graf and Lemire, "Binary Fuse Filters: Fast and Smaller Than Xor Filters", 2022, <https://arxiv.org/abs/2201.01174>,
//! with three hashes and no duplicates. It never denies a key that it was built from; of other keys it takes one of
//! 65 536 for one of them. What stands on disk is the seed, the length of a segment and the fingerprints; where a key's
//! fingerprints stand is decided by `xorf`, and golden bytes hold it to that.

use std::fmt;

use xorf::{BinaryFuse16, BinaryFuse16Ref, DmaSerializable, Filter, FilterRef};
use zerocopy::IntoBytes;

use super::KeyHash;

/// The filter of a section.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyFilter {
    descriptor: [u8; BinaryFuse16::DESCRIPTOR_LEN],
    fingerprints: Box<[u16]>,
}

/// Why there is no filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// None was found for these keys.
    #[error("no filter was found for {key_count} keys")]
    NotBuilt {
        /// How many keys there are.
        key_count: usize,
    },
    /// The numbers contradict each other.
    #[error("a filter of {fingerprint_count} fingerprints with segments of {segment_length} cannot be")]
    Impossible {
        /// Fingerprints found.
        fingerprint_count: usize,
        /// Length of a segment found.
        segment_length: u32,
    },
}

/// Fingerprints of a key.
const ARITY: u32 = 3;

const _: () = assert!(BinaryFuse16::DESCRIPTOR_LEN == 20);

impl KeyFilter {
    /// The filter of these keys, which are sorted. The same keys always give the same filter.
    ///
    /// # Errors
    /// If none is found, which does not happen to hashes.
    pub fn build(keys: impl Iterator<Item = KeyHash>) -> Result<Self, FilterError> {
        let mut halves: Vec<u64> = keys.map(KeyHash::high).collect();
        halves.dedup();
        let not_built = FilterError::NotBuilt { key_count: halves.len() };
        let filter = BinaryFuse16::try_from(&halves).map_err(|_| not_built)?;
        let mut descriptor = [0; BinaryFuse16::DESCRIPTOR_LEN];
        filter.dma_copy_descriptor_to(&mut descriptor);
        let filter = Self { descriptor, fingerprints: filter.fingerprints };
        // A key that is denied is a payment made twice: nobody else is trusted with it.
        let view = filter.view();
        if halves.iter().all(|half| view.contains(half)) { Ok(filter) } else { Err(not_built) }
    }

    /// The filter with these parts.
    ///
    /// # Errors
    /// If a key could not be looked up in it.
    pub fn of_parts(seed: u64, segment_length: u32, fingerprints: Vec<u16>) -> Result<Self, FilterError> {
        let fingerprint_count = fingerprints.len();
        let impossible = FilterError::Impossible { fingerprint_count, segment_length };
        let count = u32::try_from(fingerprint_count).map_err(|_| impossible)?;
        let behind_first = (ARITY - 1).checked_mul(segment_length).ok_or(impossible)?;
        let segment_count_length = count.checked_sub(behind_first).ok_or(impossible)?;
        let fits = segment_length.is_power_of_two()
            && segment_count_length > 0
            && segment_count_length.is_multiple_of(segment_length);
        if !fits {
            return Err(impossible);
        }
        let mut descriptor = [0; BinaryFuse16::DESCRIPTOR_LEN];
        descriptor[..8].copy_from_slice(&seed.to_le_bytes());
        for (place, number) in
            descriptor[8..].chunks_exact_mut(4).zip([segment_length, segment_length - 1, segment_count_length])
        {
            place.copy_from_slice(&number.to_le_bytes());
        }
        Ok(Self { descriptor, fingerprints: fingerprints.into_boxed_slice() })
    }

    /// Whether the key may be one of those that it was built from.
    pub fn may_hold(&self, key: KeyHash) -> bool {
        self.view().contains(&key.high())
    }

    /// What its hashes begin with.
    pub fn seed(&self) -> u64 {
        u64::from_le_bytes(*self.descriptor.first_chunk().expect("the first eight bytes"))
    }

    /// Fingerprints of a segment.
    pub fn segment_length(&self) -> u32 {
        u32::from_le_bytes(*self.descriptor[8..].first_chunk().expect("the four bytes behind them"))
    }

    /// All fingerprints.
    pub fn fingerprints(&self) -> &[u16] {
        &self.fingerprints
    }

    fn view(&self) -> BinaryFuse16Ref<'_> {
        BinaryFuse16Ref::from_dma(&self.descriptor, self.fingerprints.as_bytes())
    }

    /// Bytes in memory.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(self.fingerprints())
    }
}

impl fmt::Debug for KeyFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyFilter({} fingerprints)", self.fingerprints().len())
    }
}
