//! The identity of a data directory: two equal copies of 4096 bytes in the file `identity`.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::layout::FORMAT_VERSION;
use super::stored::{MEANINGLESS, Stored};
use crate::limits::{SHARD_COUNT_MAX, UNIT_BYTES};
use crate::model::{Id128, Realtime};

/// Bytes of one copy.
pub const IDENTITY_BYTES: usize = UNIT_BYTES;
/// Bytes of the file: two copies.
pub const IDENTITY_FILE_BYTES: usize = 2 * IDENTITY_BYTES;

const MAGIC: [u8; 8] = *b"FLRNIDEN";
const CHECKED_FROM: usize = 12;

/// Which directory this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Random name of the directory.
    pub directory_id: Id128,
    /// Shards, fixed at format.
    pub shard_count: u16,
    /// When it was formatted.
    pub created: Realtime,
}

/// The layout of one copy; the rest of the unit is zero.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct IdentityLayout {
    magic: [u8; 8],
    checksum: U32,
    version: U16,
    shard_count: U16,
    directory_id: [u8; 16],
    created: U64,
}

const _: () = assert!(size_of::<IdentityLayout>() == 40);
const _: () = assert!(std::mem::offset_of!(IdentityLayout, directory_id) == 16);

impl Identity {
    /// One copy.
    pub fn encode(&self) -> [u8; IDENTITY_BYTES] {
        let mut layout = IdentityLayout {
            magic: MAGIC,
            checksum: U32::ZERO,
            version: U16::new(FORMAT_VERSION),
            shard_count: U16::new(self.shard_count),
            directory_id: self.directory_id.0,
            created: U64::new(self.created.0),
        };
        let mut bytes = [0; IDENTITY_BYTES];
        bytes[..size_of::<IdentityLayout>()].copy_from_slice(layout.as_bytes());
        layout.checksum = U32::new(crc32c::crc32c(&bytes[CHECKED_FROM..]));
        bytes[..size_of::<IdentityLayout>()].copy_from_slice(layout.as_bytes());
        bytes
    }

    /// Reads one copy.
    pub fn decode(bytes: &[u8]) -> Stored<Self> {
        let Ok((layout, _)) = IdentityLayout::ref_from_prefix(bytes) else {
            return Stored::Damaged(format!("only {} bytes", bytes.len()));
        };
        if bytes.len() != IDENTITY_BYTES {
            return Stored::Damaged(format!("{} bytes instead of {IDENTITY_BYTES}", bytes.len()));
        }
        if bytes.iter().all(|byte| *byte == 0) {
            return Stored::Absent;
        }
        if layout.magic != MAGIC {
            return Stored::Damaged("not an identity (magic)".to_owned());
        }
        if layout.checksum.get() != crc32c::crc32c(&bytes[CHECKED_FROM..]) {
            return Stored::Damaged("checksum does not match".to_owned());
        }
        if layout.version.get() != FORMAT_VERSION {
            return Stored::OtherVersion(layout.version.get());
        }
        if !(1..=SHARD_COUNT_MAX).contains(&layout.shard_count.get()) {
            return Stored::Damaged(format!("{} shards", layout.shard_count.get()));
        }
        let identity = Self {
            directory_id: Id128(layout.directory_id),
            shard_count: layout.shard_count.get(),
            created: Realtime(layout.created.get()),
        };
        if identity.encode() != bytes {
            return Stored::Damaged(MEANINGLESS.to_owned());
        }
        Stored::Present(identity)
    }
}

#[cfg(test)]
mod tests;
