//! What was read from segment files and may be asked for again: stretches of partitions, and the indexes of files.
//! Bounded; what was used least lately goes first.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::limits::{COLD_CACHE_BYTES_MAX, INDEX_CACHE_BYTES_MAX};
use crate::model::{Offset, PartitionId, SegmentId};
use crate::segment::index::SegmentIndex;
use crate::segment::read::Chunk;

#[derive(Debug)]
struct Entry<T> {
    value: Rc<T>,
    bytes: usize,
    used: u64,
}

/// Values by key, as many as there is room for.
#[derive(Debug)]
pub(super) struct Cache<K, T> {
    entries: BTreeMap<K, Entry<T>>,
    bytes: usize,
    bytes_max: usize,
    clock: u64,
}

/// Stretches of partitions, by where they begin.
pub(super) type ChunkCache = Cache<(PartitionId, Offset), Chunk>;
/// Indexes of files.
pub(super) type IndexCache = Cache<SegmentId, SegmentIndex>;

impl ChunkCache {
    pub(super) fn chunks() -> Self {
        Self::new(COLD_CACHE_BYTES_MAX)
    }

    /// The stretch that holds this offset.
    pub(super) fn covering(&mut self, partition: PartitionId, offset: Offset) -> Option<Rc<Chunk>> {
        let (key, entry) = self.entries.range(..=(partition, offset)).next_back()?;
        let covers = key.0 == partition && offset < entry.value.next_offset;
        let key = *key;
        if covers { self.get(&key) } else { None }
    }

    /// Keeps a stretch in place of whatever begins within it, so that it is found by every offset that it holds.
    pub(super) fn keep(&mut self, partition: PartitionId, chunk: Rc<Chunk>) {
        let inside = (partition, chunk.base_offset)..(partition, chunk.next_offset);
        let keys: Vec<_> = self.entries.range(inside).map(|(key, _)| *key).collect();
        keys.iter().for_each(|key| self.remove(key));
        let bytes = chunk.bytes();
        self.insert((partition, chunk.base_offset), chunk, bytes);
    }

    /// Forgets what is of this partition.
    pub(super) fn forget(&mut self, partition: PartitionId) {
        let range = (partition, Offset(0))..=(partition, Offset(u64::MAX));
        let keys: Vec<_> = self.entries.range(range).map(|(key, _)| *key).collect();
        keys.iter().for_each(|key| self.remove(key));
    }
}

impl IndexCache {
    pub(super) fn indexes() -> Self {
        Self::new(INDEX_CACHE_BYTES_MAX)
    }
}

impl<K: Ord + Copy, T> Cache<K, T> {
    fn new(bytes_max: usize) -> Self {
        Self { entries: BTreeMap::new(), bytes: 0, bytes_max, clock: 0 }
    }

    pub(super) fn get(&mut self, key: &K) -> Option<Rc<T>> {
        self.clock += 1;
        let entry = self.entries.get_mut(key)?;
        entry.used = self.clock;
        Some(Rc::clone(&entry.value))
    }

    /// Keeps a value; others go if there is no room. The newest always stays.
    pub(super) fn insert(&mut self, key: K, value: Rc<T>, bytes: usize) {
        self.remove(&key);
        self.clock += 1;
        self.bytes += bytes;
        self.entries.insert(key, Entry { value, bytes, used: self.clock });
        while self.bytes > self.bytes_max && self.entries.len() > 1 {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| *key);
            self.remove(&oldest.expect("there is more than one"));
        }
    }

    pub(super) fn remove(&mut self, key: &K) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests;
