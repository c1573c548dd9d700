//! To which partition a key belongs.

/// How keys are spread over the partitions of a topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Partitioner {
    /// Murmur2 without its sign bit, as Kafka's Java client does it when a record has a key.
    #[default]
    Murmur2 = 1,
    /// CRC-32, as librdkafka's `consistent` and `consistent_random` do it.
    Crc32 = 2,
}

impl Partitioner {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Murmur2, Self::Crc32];

    /// The partitioner with this number.
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|partitioner| *partitioner as u8 == number)
    }

    /// Its name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Murmur2 => "murmur2",
            Self::Crc32 => "crc32",
        }
    }

    /// The partition of a key. It depends on the number of partitions: most keys go elsewhere when some are added.
    ///
    /// # Panics
    /// If there are no partitions: topics have at least one.
    pub fn partition_of(self, key: &[u8], partition_count: u32) -> u32 {
        match self {
            Self::Murmur2 => (murmur2(key) & 0x7fff_ffff) % partition_count,
            Self::Crc32 => crc32fast::hash(key) % partition_count,
        }
    }
}

/// Murmur2 as in Kafka's Java client (`org.apache.kafka.common.utils.Utils.murmur2`).
fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const MULTIPLIER: u32 = 0x5bd1_e995;
    const SHIFT: u32 = 24;
    // Kafka mixes in the length as a 32-bit number, and keys never exceed a batch.
    let mut hash = SEED ^ u32::try_from(data.len()).unwrap_or(u32::MAX);
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut word = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        word ^= word >> SHIFT;
        hash = hash.wrapping_mul(MULTIPLIER) ^ word.wrapping_mul(MULTIPLIER);
    }
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests;
