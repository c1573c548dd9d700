//! CRC-32C (Castagnoli) as every layout of ours uses it: seeded with an identity, so that bytes of another
//! directory or journal never check out here.

use crate::model::Id128;

/// Start value of a checksum, derived from a secret or unique identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(u32);

impl Seed {
    /// The seed that belongs to `id`.
    pub fn of(id: Id128) -> Self {
        Self(crc32c::crc32c(&id.0))
    }

    /// The checksum of `bytes` under this seed.
    pub fn checksum(self, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(self.0, bytes)
    }
}

/// What a block passes on to the next one: its header checksum in the high and its body checksum in the low half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chain(pub u64);

impl Chain {
    /// The link that a block with these checksums hands on.
    pub fn of(header_checksum: u32, body_checksum: u32) -> Self {
        Self(u64::from(header_checksum) << 32 | u64::from(body_checksum))
    }
}
