//! The idempotency keys of one partition: those of batches that only the journal has, in memory, and the runs of all others.
//!
//! What is known of a key is looked for in memory first and then run by run, the latest first: the first that has it
//! counts. Runs are on disk; a look-up says what it needs of them and is asked again when that was read.
//!
//! When runs are put together they stay beside the new one as its spares, until that is put together with others: keys
//! may outlive their records, so each that was put together stands twice. A run that was just written has no spare.

use crate::format::keys::{KeyEntry, KeyHash};
use crate::format::stored::Stored;
use crate::key::{Keying, Known, RecordKey};
use crate::key_run::KeyRun;
use crate::key_run::look_up::KeyPiece;
use crate::key_run::write::KeyPart;
use crate::model::{Offset, PartitionId, Position, Realtime};

mod codec;
mod pieces;
mod recent;

pub use codec::{KEY_RUN_SET_BYTES, KeysDecodeError};
pub use pieces::KeyPieces;
use recent::RecentKeys;

/// What a look-up comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyLookUp {
    /// Nothing came under the key within the window.
    New,
    /// Something did. Its block need not be durable yet.
    Known(Known),
    /// This must be read first.
    Needs(KeyPiece),
    /// A run cannot be read: whether the key is known nobody can tell.
    Unanswerable(String),
}

/// A run of a partition, and those that it was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRunSet {
    /// What is asked.
    pub run: KeyRun,
    /// What is asked where that is damaged: they follow each other, and hold all that it holds.
    pub spares: Vec<KeyRun>,
}

impl KeyRunSet {
    /// The run and its spares.
    pub fn all(&self) -> impl Iterator<Item = &KeyRun> {
        std::iter::once(&self.run).chain(&self.spares)
    }
}

/// The keys of a partition.
#[derive(Clone, Debug)]
pub struct PartitionKeys {
    keying: Keying,
    recent: RecentKeys,
    sets: Vec<KeyRunSet>,
    /// Keys below are at rest.
    rest_offset: Offset,
}

impl PartitionKeys {
    /// The keys of a partition that has none yet.
    pub fn new(keying: Keying) -> Self {
        Self { keying, recent: RecentKeys::default(), sets: Vec::new(), rest_offset: Offset(0) }
    }

    /// By what rule they are found.
    pub fn keying(&self) -> &Keying {
        &self.keying
    }

    /// Its runs with their spares, in the order of offsets.
    pub fn sets(&self) -> &[KeyRunSet] {
        &self.sets
    }

    /// Every run that it has a use for.
    pub fn all_runs(&self) -> impl Iterator<Item = &KeyRun> {
        self.sets.iter().flat_map(KeyRunSet::all)
    }

    /// Keys below are at rest, or have none.
    pub fn rest_offset(&self) -> Offset {
        self.rest_offset
    }

    /// Keys in memory.
    pub fn recent_count(&self) -> usize {
        self.recent.len()
    }

    /// Keys below were at rest, or lost, before anything was noted.
    pub(super) fn begin_at(&mut self, offset: Offset) {
        assert_eq!(self.recent.len(), 0, "where keys begin is set before any is noted");
        self.rest_offset = self.rest_offset.max(offset);
    }

    /// A batch of these records was placed.
    pub fn append(&mut self, base_offset: Offset, append_time: Realtime, records: &[RecordKey]) {
        for (record, at) in records.iter().zip(0..) {
            let RecordKey { key, body } = *record;
            self.recent.push(KeyEntry { key, body, offset: base_offset.plus(at), append_time });
        }
    }

    /// The keys of offsets below `to` that are not at rest, to be written; none if there are none.
    pub fn unflushed(&self, partition: PartitionId, to: Offset) -> Option<KeyPart> {
        let (base_offset, next_offset) = (self.rest_offset, to);
        let chunks = self.recent.chunks(base_offset, next_offset);
        (!chunks.is_empty()).then_some(KeyPart { partition, base_offset, next_offset, chunks })
    }

    /// Keys below `to` are at rest: in `run`, unless none of them had to be written.
    ///
    /// # Panics
    /// If the run does not go on where the last one ends.
    pub fn at_rest(&mut self, run: Option<KeyRun>, to: Offset) {
        if let Some(run) = run {
            let end = self.sets.last().map_or(run.base_offset, |last| last.run.next_offset);
            assert!(run.base_offset >= end && run.next_offset <= to, "key runs follow each other");
            self.sets.push(KeyRunSet { run, spares: Vec::new() });
        }
        self.rest_offset = self.rest_offset.max(to);
    }

    /// Lets go of memory of what is at rest, at most `count_max` keys at a time. How many those were.
    pub fn forget_at_rest(&mut self, count_max: usize) -> usize {
        self.recent.forget(self.rest_offset, count_max)
    }

    /// The runs of these sets, or all spares of one, still there, were put together as `new`, or had expired. Returns the runs
    /// that nobody has a use for any more; none if the old ones are not there.
    pub fn merged(&mut self, old: &[KeyRun], new: Option<KeyRun>) -> Option<Vec<KeyRun>> {
        let first = old.first()?;
        if let Some(set) = self.sets.iter_mut().find(|set| set.spares == old) {
            return Some(std::mem::replace(&mut set.spares, new.into_iter().collect()));
        }
        let at = self.sets.iter().position(|set| set.run == *first)?;
        let there = self.sets.get(at..at + old.len())?;
        if !there.iter().map(|set| &set.run).eq(old) {
            return None;
        }
        let new_set = new.map(|run| KeyRunSet { run, spares: old.to_vec() });
        let is_over = new_set.is_none();
        let gone: Vec<KeyRunSet> = self.sets.splice(at..at + old.len(), new_set).collect();
        let spares = gone.iter().flat_map(|set| set.all().skip(usize::from(!is_over)));
        Some(spares.copied().collect())
    }

    /// Lets go of runs in which everything was appended before this. Returns them.
    pub fn expire(&mut self, expired_before: Realtime) -> Vec<KeyRun> {
        let has_expired = |set: &&KeyRunSet| set.run.last_append_time < expired_before;
        let count = self.sets.iter().take_while(has_expired).count();
        self.sets.drain(..count).flat_map(|set| set.all().copied().collect::<Vec<_>>()).collect()
    }

    /// Everything is at rest in these.
    pub fn settle(&mut self, sets: Vec<KeyRunSet>, rest_offset: Offset) {
        *self = Self { sets, rest_offset, ..Self::new(self.keying.clone()) };
    }

    /// What is known of a key. What was appended before `expired_before` has expired; none: nothing has.
    pub fn look_up(&self, key: KeyHash, expired_before: Option<Realtime>, pieces: &KeyPieces) -> KeyLookUp {
        let is_fresh = |append_time: Realtime| expired_before.is_none_or(|before| append_time >= before);
        if let Some(entry) = self.recent.get(key) {
            let KeyEntry { body, offset, append_time, .. } = *entry;
            let known = Known { body, offset, append_time };
            return if is_fresh(append_time) { KeyLookUp::Known(known) } else { KeyLookUp::New };
        }
        // An earlier run may reach as far in time as a later one: a clock that went back keeps append times where they were.
        for set in self.sets.iter().rev().filter(|set| is_fresh(set.run.last_append_time)) {
            match look_into_set(set, key, pieces) {
                KeyLookUp::New => {}
                KeyLookUp::Known(known) if !is_fresh(known.append_time) => return KeyLookUp::New,
                found => return found,
            }
        }
        KeyLookUp::New
    }
}

/// What a run knows of a key; where it is damaged, what its spares do.
fn look_into_set(set: &KeyRunSet, key: KeyHash, pieces: &KeyPieces) -> KeyLookUp {
    let found = look_into(&set.run, key, pieces);
    if !matches!(found, KeyLookUp::Unanswerable(_)) || set.spares.is_empty() {
        return found;
    }
    let spares = set.spares.iter().rev().map(|spare| look_into(spare, key, pieces));
    let mut told = spares.filter(|found| *found != KeyLookUp::New);
    told.next().unwrap_or(KeyLookUp::New)
}

/// What a run knows of a key.
fn look_into(run: &KeyRun, key: KeyHash, pieces: &KeyPieces) -> KeyLookUp {
    let lost = |place: Position, problem: Option<String>| {
        let what = problem.unwrap_or_default();
        KeyLookUp::Unanswerable(format!("keys in segment {}, at byte {place}: {what}", run.segment))
    };
    let sections = match pieces.table(run) {
        None => return KeyLookUp::Needs(KeyPiece::Table(*run)),
        Some(Stored::Present(sections)) => sections,
        Some(other) => return lost(run.table_position(), other.problem()),
    };
    let Some(at) = sections.partition_point(|section| section.first_key <= key).checked_sub(1) else {
        return KeyLookUp::New;
    };
    let section = sections[at];
    let map = match pieces.section(run.segment, section.position) {
        None => return KeyLookUp::Needs(KeyPiece::Section { segment: run.segment, section }),
        Some(Stored::Present(map)) => map,
        Some(other) => return lost(section.position, other.problem()),
    };
    let Some(page) = map.page_of(key).filter(|_| map.may_hold(key)) else { return KeyLookUp::New };
    let position = map.page_position(section.position, page);
    let entries = match pieces.page(run.segment, position) {
        None => return KeyLookUp::Needs(KeyPiece::Page { segment: run.segment, position }),
        Some(Stored::Present(entries)) => entries,
        Some(other) => return lost(position, other.problem()),
    };
    match entries.binary_search_by_key(&key, |entry| entry.key) {
        Ok(found) => {
            let KeyEntry { body, offset, append_time, .. } = entries[found];
            KeyLookUp::Known(Known { body, offset, append_time })
        }
        Err(_) => KeyLookUp::New,
    }
}

#[cfg(test)]
mod tests;
