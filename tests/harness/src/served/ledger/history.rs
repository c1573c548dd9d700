//! One partition as far as anybody was told, and the order in which producers must stand in it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Verdict, ensure};
use crate::real::line::{Placed, Sent, Tag};

/// What was told about a partition.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// Every batch that was acknowledged, shown or read back, by its first offset.
    places: BTreeMap<u64, Placed>,
    /// Batches that were sent since everything was read back.
    begun: BTreeSet<Tag>,
    /// The highest end that anybody was told.
    end: u64,
    /// What had been told when somebody asked for the end.
    floors: BTreeMap<u32, u64>,
    /// Where the next capture must go, while nothing else is under way.
    next: Option<u64>,
}

impl History {
    pub(super) fn places(&self) -> impl Iterator<Item = &Placed> {
        self.places.values()
    }

    pub(super) fn begin(&mut self, tag: Tag) {
        self.begun.insert(tag);
    }

    /// A batch is at a place at which nobody else may be.
    pub(super) fn place(&mut self, placed: &Placed) -> Verdict {
        let before = self.places.range(..=placed.last_offset).next_back();
        if let Some((_, other)) = before.filter(|(_, other)| other.last_offset >= placed.base_offset) {
            return ensure(false, "offset given twice", || format!("{placed}, but {other} is there"));
        }
        self.places.insert(placed.base_offset, *placed);
        Ok(())
    }

    /// One behind everything that was told.
    fn told(&self) -> u64 {
        self.places.last_key_value().map_or(0, |(_, placed)| placed.last_offset + 1).max(self.end)
    }

    pub(super) fn asking_end(&mut self, asker: u32) {
        self.floors.insert(asker, self.told());
    }

    /// The end may not be before anything that had been told when it was asked for.
    pub(super) fn end_told(&mut self, asker: Option<u32>, end: u64) -> Verdict {
        let floor = asker.and_then(|asker| self.floors.remove(&asker)).unwrap_or(0);
        self.end = self.end.max(end);
        ensure(end >= floor, "end goes back", || format!("{end}, but {floor} had been told before it was asked for"))
    }

    /// A new batch was stored: at the next offset, if nothing else was under way.
    pub(super) fn next_is(&mut self, base_offset: u64) -> Verdict {
        let next = self.next.take().unwrap_or(base_offset);
        ensure(base_offset == next, "next offset", || format!("{base_offset} was given, {next} was next"))
    }

    pub(super) fn forget_next(&mut self) {
        self.next = None;
    }

    /// Everything was read, up to `end`; returns what was sent since the last time.
    pub(super) fn read_back(&mut self, end: u64) -> Result<BTreeSet<Tag>, super::Violation> {
        ensure(end >= self.told(), "end goes back", || format!("{end}, but {} had been told", self.told()))?;
        self.end = end;
        self.next = Some(end);
        self.floors.clear();
        Ok(std::mem::take(&mut self.begun))
    }
}

/// Who stands in a partition so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    /// The epoch and the next sequence of each producer.
    stamped: BTreeMap<u64, (u16, u32)>,
    /// The run and the count of the last batch of each writer without a stamp.
    plain: BTreeMap<u32, (u32, u32)>,
}

impl Order {
    /// The batch that comes next must be its writer's next one.
    pub(super) fn follows(&mut self, sent: &Sent) -> Verdict {
        let tag = sent.tag;
        let Some(stamp) = sent.stamp else {
            let place = (tag.run, tag.serial);
            let before = self.plain.insert(tag.producer, place);
            return ensure(before.is_none_or(|before| before < place), "out of order", || {
                format!("{sent} comes after run and serial {before:?}")
            });
        };
        let (epoch, next) = self.stamped.get(&stamp.id).copied().unwrap_or((0, 0));
        let expected = if stamp.epoch > epoch { 0 } else { next };
        self.stamped.insert(stamp.id, (stamp.epoch, stamp.sequence + sent.record_count));
        ensure(stamp.epoch >= epoch && stamp.sequence == expected, "out of order", || {
            format!("{sent} comes where epoch {epoch} and sequence {next} are")
        })
    }
}
