//! The idempotency keys of one partition: those of batches that only the journal has, in memory, and the runs of all others.
//!
//! What is known of a key is looked for in memory first and then run by run, the latest first: the first that has it
//! counts. Runs are on disk; a look-up says what it needs of them and is asked again when that was read.

use std::collections::{BTreeMap, VecDeque};

use crate::format::keys::{BodyHash, KeyEntry, KeyHash};
use crate::format::stored::Stored;
use crate::key::{Known, RecordKey};
use crate::key_run::KeyRun;
use crate::key_run::look_up::KeyPiece;
use crate::model::{Offset, Position, Realtime, Sequence};

mod pieces;

pub use pieces::KeyPieces;

/// What a look-up comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyLookUp {
    /// Nothing came under the key within the window.
    New,
    /// Something did, in a block that need not be durable yet.
    Recent(Known, Sequence),
    /// Something did, and is at rest.
    AtRest(Known),
    /// This must be read first.
    Needs(KeyPiece),
    /// A run cannot be read: whether the key is known nobody can tell.
    Unanswerable(String),
}

/// The keys of a partition.
#[derive(Clone, Debug, Default)]
pub struct PartitionKeys {
    recent: BTreeMap<KeyHash, Recent>,
    /// Every key of a batch that is not at rest, by its offset; those from `rest_offset` on.
    order: VecDeque<(Offset, KeyHash)>,
    runs: Vec<KeyRun>,
    /// Keys below are at rest.
    rest_offset: Offset,
}

/// What came under a key and is not at rest.
#[derive(Clone, Copy, Debug)]
struct Recent {
    body: BodyHash,
    offset: Offset,
    append_time: Realtime,
    sequence: Sequence,
}

impl PartitionKeys {
    /// The keys of a partition whose runs are these, each going on where the one before ends, up to `rest_offset`.
    pub fn new(runs: Vec<KeyRun>, rest_offset: Offset) -> Self {
        Self { runs, rest_offset, ..Self::default() }
    }

    /// Its runs, in the order of offsets.
    pub fn runs(&self) -> &[KeyRun] {
        &self.runs
    }

    /// Keys below are at rest, or have none.
    pub fn rest_offset(&self) -> Offset {
        self.rest_offset
    }

    /// Keys in memory.
    pub fn recent_count(&self) -> usize {
        self.order.len()
    }

    /// A batch of these records was placed.
    pub fn append(&mut self, base_offset: Offset, append_time: Realtime, sequence: Sequence, records: &[RecordKey]) {
        for (record, at) in records.iter().zip(0..) {
            let offset = base_offset.plus(at);
            self.recent.insert(record.key, Recent { body: record.body, offset, append_time, sequence });
            self.order.push_back((offset, record.key));
        }
    }

    /// The keys of offsets below `to` that are not at rest. A key that came again behind `to`, because it had expired, is not
    /// among them: memory knows the later one.
    pub fn unflushed(&self, to: Offset) -> Vec<KeyEntry> {
        let below = self.order.iter().take_while(|(offset, _)| *offset < to);
        let entry = |(offset, key): &(Offset, KeyHash)| {
            let recent = self.recent.get(key).filter(|recent| recent.offset == *offset)?;
            Some(KeyEntry { key: *key, body: recent.body, offset: *offset, append_time: recent.append_time })
        };
        below.filter_map(entry).collect()
    }

    /// Keys below `to` are at rest: in `run`, unless none of them had to be written.
    ///
    /// # Panics
    /// If the run does not go on where the last one ends.
    pub fn at_rest(&mut self, run: Option<KeyRun>, to: Offset) {
        if let Some(run) = run {
            let end = self.runs.last().map_or(run.base_offset, |last| last.next_offset);
            assert!(run.base_offset >= end && run.next_offset <= to, "key runs follow each other");
            self.runs.push(run);
        }
        self.rest_offset = self.rest_offset.max(to);
    }

    /// Lets go of memory of what is at rest, at most `count_max` keys at a time. Whether there is more.
    pub fn forget_at_rest(&mut self, count_max: usize) -> bool {
        for _ in 0..count_max {
            let Some((offset, key)) = self.order.pop_front_if(|(offset, _)| *offset < self.rest_offset) else {
                return false;
            };
            if self.recent.get(&key).is_some_and(|recent| recent.offset == offset) {
                self.recent.remove(&key);
            }
        }
        self.order.front().is_some_and(|(offset, _)| *offset < self.rest_offset)
    }

    /// The runs of `old`, all still there, were put together as `new`, or had expired. Returns whether they were.
    pub fn merged(&mut self, old: &[KeyRun], new: Option<KeyRun>) -> bool {
        let Some(at) = old.first().and_then(|first| self.runs.iter().position(|run| run == first)) else {
            return false;
        };
        let there = self.runs[at..].starts_with(old);
        if there {
            self.runs.splice(at..at + old.len(), new);
        }
        there
    }

    /// What is known of a key. What was appended before `expired_before` has expired; none: nothing has.
    pub fn look_up(&self, key: KeyHash, expired_before: Option<Realtime>, pieces: &KeyPieces) -> KeyLookUp {
        let is_fresh = |append_time: Realtime| expired_before.is_none_or(|before| append_time >= before);
        if let Some(recent) = self.recent.get(&key) {
            let Recent { body, offset, append_time, sequence } = *recent;
            let known = Known { body, offset, append_time };
            return if is_fresh(append_time) { KeyLookUp::Recent(known, sequence) } else { KeyLookUp::New };
        }
        // An earlier run may reach as far in time as a later one: a clock that went back keeps append times where they were.
        for run in self.runs.iter().rev().filter(|run| is_fresh(run.last_append_time)) {
            match look_into(run, key, pieces) {
                KeyLookUp::New => {}
                KeyLookUp::AtRest(known) if !is_fresh(known.append_time) => return KeyLookUp::New,
                found => return found,
            }
        }
        KeyLookUp::New
    }
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
            KeyLookUp::AtRest(Known { body, offset, append_time })
        }
        Err(_) => KeyLookUp::New,
    }
}

#[cfg(test)]
mod tests;
