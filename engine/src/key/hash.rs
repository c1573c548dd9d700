//! Keyed hashes that stand for idempotency keys and for the bodies that came under them.
//!
//! SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012,
//! <https://www.aumasson.jp/siphash/siphash.pdf>), keyed with the secret id of the shard's journal, so that nobody
//! outside can look for two that collide. Of n keys in a partition's window two have the same hash with a probability of
//! about n² / 2^129: below 1.5e-17 for a hundred billion keys. A key that collides is answered as the other one, which has
//! another body, unless the bodies collide as well.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};

use crate::format::keys::{BodyHash, KeyHash};
use crate::model::Id128;

/// What hashes begin with, so that a key and a body of the same bytes have nothing to do with each other.
const OF_KEY: u8 = 1;
const OF_BODY: u8 = 2;

/// Marks a value that is not there: no length is as large.
const NULL: u64 = u64::MAX;

/// Hashes keys and bodies of one shard.
#[derive(Clone)]
pub struct KeyHasher(SipHasher24);

/// The hash of one body, part by part.
#[derive(Clone)]
pub struct BodyHasher(SipHasher24);

impl std::fmt::Debug for KeyHasher {
    /// The key of the hash is a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyHasher")
    }
}

impl KeyHasher {
    /// The hasher of the shard whose journal has this id.
    pub fn new(journal_id: Id128) -> Self {
        Self(SipHasher24::new_with_key(&journal_id.0))
    }

    /// What stands for a key.
    pub fn key(&self, key: &[u8]) -> KeyHash {
        let mut hasher = self.0;
        hasher.write_u8(OF_KEY);
        hasher.write(key);
        KeyHash(hasher.finish128().as_u128())
    }

    /// The hash of a body with this value; the headers that belong to it follow.
    pub fn body(&self, value: Option<&[u8]>) -> BodyHasher {
        let mut body = BodyHasher(self.0);
        body.0.write_u8(OF_BODY);
        body.part(value);
        body
    }
}

impl BodyHasher {
    /// Adds a header of the topic's list: its place there, and its value in the record. To be called in the order of the
    /// list, and for one that the record has more than once in the order of the record.
    pub fn header(&mut self, place: u8, value: Option<&[u8]>) {
        self.0.write_u8(place);
        self.part(value);
    }

    /// What stands for the body.
    pub fn finish(self) -> BodyHash {
        BodyHash(self.0.finish128().as_u128())
    }

    fn part(&mut self, part: Option<&[u8]>) {
        let bytes = part.map_or(NULL, |part| part.len() as u64);
        self.0.write(&bytes.to_le_bytes());
        self.0.write(part.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests;
