//! What a shard has done about keys, in files of the test's own.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

use crate::io::blocking::{BlockingDisk, block_on};
use crate::key_run::KeyRun;
use crate::key_run::look_up::{KeyFound, KeyPiece, look_up};
use crate::key_run::merge::{KeyMerge, merge};
use crate::key_run::write::{KeyWriting, write_runs};
use crate::model::{Id128, ShardId};
use crate::segment::index::FileName;
use crate::segment::tests::StillRuntime;
use crate::shard::Event;
use crate::shard::request::{DeriveKeys, ReadKeys};
use crate::shard::rest::{KeyFilePlan, RestPlan};

const JOURNAL_ID: Id128 = Id128([9; 16]);
const SHARD: ShardId = ShardId(0);

pub(super) struct KeyWork {
    directory: tempfile::TempDir,
    /// Keys that are looked for in compressed batches.
    pub(super) derives: VecDeque<DeriveKeys>,
    /// Reads of key runs.
    pub(super) reads: VecDeque<ReadKeys>,
    /// Key runs that are put together.
    pub(super) merges: VecDeque<Rc<KeyMerge>>,
    /// Times that a look-up let others have their turn.
    pub(super) turn_count: usize,
}

impl Default for KeyWork {
    fn default() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self { directory, derives: VecDeque::new(), reads: VecDeque::new(), merges: VecDeque::new(), turn_count: 0 }
    }
}

impl KeyWork {
    fn writing(&self, section_entry_count_max: usize) -> KeyWriting<'_> {
        KeyWriting {
            directory: self.directory.path(),
            journal_id: JOURNAL_ID,
            shard: SHARD,
            section_entry_count_max,
            unsynced_bytes_max: 65_536,
            rest_factor: 0,
        }
    }

    pub(super) fn write(&self, plan: &RestPlan, file: &KeyFilePlan) -> Vec<KeyRun> {
        let writing = self.writing(plan.section_entry_count_max);
        block_on(write_runs(&StillRuntime, writing, file.segment, &file.parts)).expect("keys are written")
    }

    /// Completes what began first of one kind.
    pub(super) fn next(&mut self) -> Option<Event> {
        self.end_derive().or_else(|| self.end_read()).or_else(|| self.end_merge())
    }

    pub(super) fn end_derive(&mut self) -> Option<Event> {
        let DeriveKeys { partition, keying, batch, info } = self.derives.pop_front()?;
        let result = keying.keys_of(&batch, &info);
        Some(Event::KeysDerived { partition, batch, result })
    }

    pub(super) fn end_read(&mut self) -> Option<Event> {
        let ReadKeys { partition, pieces } = self.reads.pop_front()?;
        self.turn_count += usize::from(pieces.is_empty());
        let found = pieces.iter().map(|piece| (*piece, self.read(*piece))).collect();
        Some(Event::KeysRead { partition, found })
    }

    pub(super) fn read(&self, piece: KeyPiece) -> KeyFound {
        let name = FileName { journal_id: JOURNAL_ID, shard: SHARD, segment: piece.segment() };
        block_on(look_up(&BlockingDisk, self.directory.path(), name, &[piece])).pop().expect("one was asked for")
    }

    pub(super) fn end_merge(&mut self) -> Option<Event> {
        let plan = self.merges.pop_front()?;
        let merged = block_on(merge(&StillRuntime, self.writing(100), &plan, &Cell::new(false)));
        Some(Event::KeysMerged(merged))
    }
}
