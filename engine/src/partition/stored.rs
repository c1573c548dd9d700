//! The runs of a partition, in the order of offsets.

use std::collections::VecDeque;

use crate::model::{Offset, Realtime};
use crate::segment::Run;

#[derive(Clone, Debug, Default)]
pub(super) struct StoredRuns {
    runs: VecDeque<Run>,
    bytes: u64,
}

impl StoredRuns {
    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Run> {
        self.runs.iter()
    }

    pub(super) fn end_offset(&self) -> Option<Offset> {
        self.runs.back().map(|run| run.next_offset)
    }

    /// The run that holds `offset`.
    pub(super) fn at(&self, offset: Offset) -> Option<&Run> {
        let index = self.runs.partition_point(|run| run.next_offset <= offset);
        self.runs.get(index).filter(|run| run.base_offset <= offset)
    }

    /// The first run whose last batch was appended at `time` or later: append times never go back.
    pub(super) fn appended_since(&self, time: Realtime) -> Option<&Run> {
        self.runs.get(self.runs.partition_point(|run| run.last_append_time < time))
    }

    /// Adds a run at the end. Returns whether it is one of its own: one that continues the last in its file is joined
    /// with it.
    pub(super) fn push(&mut self, run: Run) -> bool {
        self.bytes += run.bytes;
        match self.runs.back_mut().filter(|last| last.is_continued_by(&run)) {
            Some(last) => {
                *last = last.joined(&run);
                false
            }
            None => {
                self.runs.push_back(run);
                true
            }
        }
    }

    /// Puts `new` in the place of `old`, if these are all still there and follow each other.
    pub(super) fn replace(&mut self, old: &[Run], new: Run) -> bool {
        let Some(at) = old.first().and_then(|first| self.runs.iter().position(|run| run == first)) else {
            return false;
        };
        let there = self.runs.range(at..).take(old.len()).eq(old.iter());
        if there {
            self.runs.drain(at..at + old.len());
            self.runs.insert(at, new);
            self.bytes -= old.iter().map(|run| run.bytes).sum::<u64>();
            self.bytes += new.bytes;
        }
        there
    }

    /// Takes out the runs that end at `offset` or before it.
    pub(super) fn drop_to(&mut self, offset: Offset) -> Vec<Run> {
        let count = self.runs.partition_point(|run| run.next_offset <= offset);
        let dropped: Vec<Run> = self.runs.drain(..count).collect();
        self.bytes -= dropped.iter().map(|run| run.bytes).sum::<u64>();
        dropped
    }
}
