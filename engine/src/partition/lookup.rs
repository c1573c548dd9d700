//! Finding offsets by time: by append time, and by the timestamps that clients gave their records.

use super::Partition;
use crate::format::batch;
use crate::model::{Offset, Realtime};
use crate::segment::Run;

/// Where the answer to a look-up is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Here it is.
    Offset(Offset),
    /// It is in this run, or, by timestamp and only where retention has cut, behind it.
    InRun(Run),
}

impl Partition {
    /// Offset of the first durable batch that was appended at `time` or later; the high watermark if there is none.
    pub fn offset_at(&self, time: Realtime) -> Lookup {
        let memory = self.memory_offset();
        let run = self.stored.appended_since(time).filter(|run| run.base_offset < memory);
        let is_later = self.held.first_at(time).is_some_and(|first| first.base_offset > memory);
        if let Some(run) = run.filter(|_| !is_later) {
            return Lookup::InRun(*run);
        }
        let found = self.held.first_at(time).map_or(self.durable_offset, |batch| batch.base_offset);
        Lookup::Offset(self.with_lost_before(found.max(self.start_offset).min(self.durable_offset)))
    }

    /// Offset of the first durable record at or behind `from` whose timestamp is `timestamp_ms` or later; the high
    /// watermark if there is none. Of a compressed batch the first record stands for all.
    pub fn offset_of_timestamp(&self, timestamp_ms: i64, from: Offset) -> Lookup {
        let memory = self.memory_offset();
        let may_hold =
            |run: &&Run| run.max_timestamp_ms >= timestamp_ms && run.next_offset > from && run.base_offset < memory;
        if let Some(run) = self.stored.iter().find(may_hold) {
            return Lookup::InRun(*run);
        }
        let wanted = self.held.since_timestamp(timestamp_ms).filter(|held| held.last_offset >= from);
        let found = wanted.map(|held| batch::offset_of_timestamp(&held.bytes, timestamp_ms)).find_map(|found| found);
        let found = found.unwrap_or(self.durable_offset).max(self.start_offset).min(self.durable_offset);
        Lookup::Offset(self.with_lost_before(found))
    }

    /// Where a look-up by time ends that found a batch at `offset`: what is lost right before it may be what was looked
    /// for, so whoever reads from here on is told of the loss. At the high watermark nothing was found.
    pub fn with_lost_before(&self, offset: Offset) -> Offset {
        let is_found = offset < self.durable_offset;
        let gaps = self.gaps.iter().rev().filter(|_| is_found);
        gaps.fold(offset, |offset, gap| if gap.next_offset == offset { gap.base_offset } else { offset })
    }
}
