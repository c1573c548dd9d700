//! Which ring files hold what is nowhere else at rest. To find out takes a look at every partition, and is asked with
//! every event: what was found is kept until something is taken to rest or dropped.

use std::collections::BTreeMap;

use super::Shard;
use crate::model::{FileIndex, Sequence};

/// What was found of sealed ring files, by their last block: a file that is used again has another one.
#[derive(Debug, Default)]
pub(super) struct NeededFiles {
    found: BTreeMap<(FileIndex, Sequence), bool>,
}

impl NeededFiles {
    /// Something was taken to rest or dropped: files may not be needed any more.
    pub(super) fn forget(&mut self) {
        self.found.clear();
    }
}

impl Shard {
    /// Whether any partition needs a ring file.
    pub(super) fn is_needed(&self, file: FileIndex) -> bool {
        self.partitions.values().any(|partition| partition.needs_file(file))
    }

    /// The same of a sealed file, into which nothing more is placed.
    fn is_sealed_file_needed(&mut self, file: FileIndex) -> bool {
        let key = (file, self.journal.ring().file(file).last_sequence);
        match self.needed.found.get(&key) {
            Some(needed) => *needed,
            None => {
                let needed = self.is_needed(file);
                self.needed.found.insert(key, needed);
                needed
            }
        }
    }

    /// Last block of the oldest ring file that takes no more blocks and holds what is nowhere else at rest.
    pub(super) fn oldest_needed_file(&mut self) -> Option<Sequence> {
        let mut oldest = None;
        for file in self.geometry().files() {
            if self.journal.ring().is_sealed(file) && self.is_sealed_file_needed(file) {
                let last = self.journal.ring().file(file).last_sequence;
                oldest = Some(oldest.map_or(last, |oldest: Sequence| oldest.min(last)));
            }
        }
        oldest
    }

    /// Whether there is a ring file that takes no more blocks and that nobody needs.
    pub(super) fn has_unneeded_file(&mut self) -> bool {
        let mut files = self.geometry().files();
        files.any(|file| self.journal.ring().is_sealed(file) && !self.is_sealed_file_needed(file))
    }
}
