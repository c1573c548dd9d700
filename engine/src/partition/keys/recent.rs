//! The keys of batches that are not at rest: entries in the order of offsets, and where each key is among them.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashTable;

use crate::format::keys::{KeyEntry, KeyHash};
use crate::model::Offset;

/// Entries of a chunk: so many are handed over, or copied if somebody holds them, at once.
const CHUNK_ENTRY_COUNT: usize = 1024;

/// Entries of offsets that follow each other. Every record of a topic with keys has one, so an offset says where its
/// entry is.
#[derive(Clone, Debug, Default)]
pub(super) struct RecentKeys {
    /// All but the last are full.
    chunks: VecDeque<Arc<Vec<KeyEntry>>>,
    /// Offset of the first entry of the first chunk.
    chunk_offset: Offset,
    /// Entries below are not there any more.
    start_offset: Offset,
    /// The latest entry of each key. Keys are hashes under a secret, and nothing goes through the table in its order.
    table: HashTable<Offset>,
}

/// What finds a key in the table; filters use the other half.
fn hash(key: KeyHash) -> u64 {
    u64::try_from(key.0 & u128::from(u64::MAX)).expect("half of the bits")
}

fn entry_at(chunks: &VecDeque<Arc<Vec<KeyEntry>>>, chunk_offset: Offset, offset: Offset) -> &KeyEntry {
    let index = usize::try_from(offset.0 - chunk_offset.0).expect("entries are in memory");
    &chunks[index / CHUNK_ENTRY_COUNT][index % CHUNK_ENTRY_COUNT]
}

impl RecentKeys {
    /// The offset behind the last entry.
    fn end_offset(&self) -> Offset {
        let full = self.chunks.len().saturating_sub(1) * CHUNK_ENTRY_COUNT;
        let last = self.chunks.back().map_or(0, |chunk| chunk.len());
        self.chunk_offset.plus((full + last) as u64)
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        usize::try_from(self.end_offset().0 - self.start_offset.0).expect("entries are in memory")
    }

    /// Adds the entry of the next offset.
    ///
    /// # Panics
    /// If it is that of another one.
    pub(super) fn push(&mut self, entry: KeyEntry) {
        if self.chunks.is_empty() {
            (self.chunk_offset, self.start_offset) = (entry.offset, entry.offset);
        }
        assert_eq!(entry.offset, self.end_offset(), "keys are noted in the order of offsets");
        match self.chunks.back_mut().filter(|chunk| chunk.len() < CHUNK_ENTRY_COUNT) {
            // Whoever writes a part of this chunk keeps it as it is.
            Some(chunk) => Arc::make_mut(chunk).push(entry),
            None => {
                let mut chunk = Vec::with_capacity(CHUNK_ENTRY_COUNT);
                chunk.push(entry);
                self.chunks.push_back(Arc::new(chunk));
            }
        }
        let (chunks, chunk_offset) = (&self.chunks, self.chunk_offset);
        let of = |offset: &Offset| entry_at(chunks, chunk_offset, *offset).key;
        let found = self.table.entry(hash(entry.key), |offset| of(offset) == entry.key, |offset| hash(of(offset)));
        match found {
            hashbrown::hash_table::Entry::Occupied(mut latest) => *latest.get_mut() = entry.offset,
            hashbrown::hash_table::Entry::Vacant(place) => {
                place.insert(entry.offset);
            }
        }
    }

    /// The latest entry of a key.
    pub(super) fn get(&self, key: KeyHash) -> Option<&KeyEntry> {
        let of = |offset: &Offset| entry_at(&self.chunks, self.chunk_offset, *offset);
        self.table.find(hash(key), |offset| of(offset).key == key).map(of)
    }

    /// The chunks that hold the entries of offsets `from` to below `to`, and perhaps others.
    pub(super) fn chunks(&self, from: Offset, to: Offset) -> Vec<Arc<Vec<KeyEntry>>> {
        let begin = self.chunks.partition_point(|chunk| chunk[chunk.len() - 1].offset < from);
        let end = self.chunks.partition_point(|chunk| chunk[0].offset < to);
        self.chunks.range(begin..end.max(begin)).cloned().collect()
    }

    /// Lets go of entries of offsets below `to`, at most `count_max` of them. How many those were.
    pub(super) fn forget(&mut self, to: Offset, count_max: usize) -> usize {
        let mut count = 0;
        while count < count_max && self.start_offset < to.min(self.end_offset()) {
            let KeyEntry { key, offset, .. } = *entry_at(&self.chunks, self.chunk_offset, self.start_offset);
            if let Ok(latest) = self.table.find_entry(hash(key), |latest| *latest == offset) {
                latest.remove();
            }
            self.start_offset = offset.plus(1);
            count += 1;
            if self.start_offset.0 - self.chunk_offset.0 == CHUNK_ENTRY_COUNT as u64 {
                self.chunks.pop_front();
                self.chunk_offset = self.start_offset;
            }
        }
        if self.len() == 0 {
            // The last chunk may be filled in part: the next entry begins a new one.
            self.chunks.clear();
            (self.chunk_offset, self.table) = (self.start_offset, HashTable::new());
        }
        count
    }
}
