//! An index of very many idempotency keys, put into a directory that no server uses.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use florin_engine::format::keys::{BodyHash, KeyHash};
use florin_engine::format::layout::shard_path;
use florin_engine::io::blocking::{BlockingDisk, BlockingRuntime, block_on};
use florin_engine::key::KeyHasher;
use florin_engine::model::{Monotonic, Now, PartitionId, Realtime, ShardId, TopicId};
use florin_engine::shard::open::read_identity;
use florin_engine::shard::repair::import::{KeyImport, import_keys};

const SHARD: ShardId = ShardId(0);

/// Hashes of keys that are spread evenly, in their order: each lies somewhere in a stretch of its own.
struct Hashes {
    next: u64,
    count: u64,
    random: u64,
}

impl Iterator for Hashes {
    type Item = (KeyHash, BodyHash);

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.count {
            return None;
        }
        let stretch = u128::MAX / u128::from(self.count);
        let (high, low) = (self.random(), self.random());
        let within = (u128::from(high) << 64 | u128::from(low)) % stretch;
        let key = KeyHash(stretch * u128::from(self.next) + within);
        self.next += 1;
        Some((key, BodyHash(u128::from(low))))
    }
}

impl Hashes {
    /// The SplitMix64 sequence.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Puts so many keys into the partitions of a topic of shard 0, and gives the bytes of segment files then.
pub fn put(data: &Path, topic: TopicId, partition_count: u32, count: u64) -> Result<u64> {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock stands before 1970")?;
    let realtime = Realtime(u64::try_from(since_epoch.as_nanos())?);
    let each = count / u64::from(partition_count);
    let imports = (0..partition_count)
        .map(|index| {
            let keys = move |_: &KeyHasher| Hashes { next: 0, count: each, random: u64::from(index) };
            KeyImport { partition: PartitionId { topic, index }, append_time: realtime, keys }
        })
        .collect();
    let imported = block_on(async {
        let identity = read_identity(&BlockingDisk, data).await.map_err(|error| anyhow::anyhow!("{error}"))?;
        let now = Now { monotonic: Monotonic(1), realtime };
        Ok::<_, anyhow::Error>(import_keys(&BlockingRuntime, data, (&identity, SHARD), imports, now).await?)
    })?;
    ensure!(imported == each * u64::from(partition_count), "{imported} keys were put there");
    let mut bytes = 0;
    for entry in std::fs::read_dir(shard_path(data, SHARD)).context("the shard's directory cannot be listed")? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("segment") {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::Hashes;

    #[test]
    fn hashes_come_in_their_order_and_fill_the_whole_range() {
        let keys: Vec<u128> = Hashes { next: 0, count: 1000, random: 7 }.map(|(key, _)| key.0).collect();
        assert_eq!(keys.len(), 1000);
        assert!(keys.is_sorted_by(|one, other| one < other));
        assert!(keys[0] < u128::MAX / 500 && keys[999] > u128::MAX / 1000 * 998);
    }
}
