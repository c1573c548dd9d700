//! Offsets that are lost for good: damage that an operator accepted, so that the partition goes on around it.
//!
//! A gap is part of the ledger: it has its place between runs, it is shown to whoever reads into it, and no batch is ever
//! placed in it.

use bytes::{Buf, BufMut, TryGetError};

use super::Partition;
use crate::model::{Offset, Realtime};

/// Offsets `base_offset` to below `next_offset`, which nobody can read any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// The first lost offset.
    pub base_offset: Offset,
    /// The first offset behind them.
    pub next_offset: Offset,
    /// What the wall clock showed when the loss was accepted.
    pub accepted: Realtime,
}

impl Gap {
    /// Bytes that [`Gap::encode`] writes.
    pub const ENCODED_BYTES: usize = 24;

    /// Writes it, little-endian: base offset, next offset, time of acceptance.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_u64_le(self.base_offset.0);
        out.put_u64_le(self.next_offset.0);
        out.put_u64_le(self.accepted.0);
    }

    /// Reads what [`Gap::encode`] wrote.
    pub fn decode(buf: &mut impl Buf) -> Result<Self, TryGetError> {
        Ok(Self {
            base_offset: Offset(buf.try_get_u64_le()?),
            next_offset: Offset(buf.try_get_u64_le()?),
            accepted: Realtime(buf.try_get_u64_le()?),
        })
    }
}

/// The gaps of a partition, in the order of offsets; none overlaps another one.
#[derive(Clone, Debug, Default)]
pub(super) struct Gaps(Vec<Gap>);

impl Gaps {
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Gap> {
        self.0.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn end_offset(&self) -> Option<Offset> {
        self.0.last().map(|gap| gap.next_offset)
    }

    /// The gap that holds `offset`.
    pub(super) fn at(&self, offset: Offset) -> Option<&Gap> {
        let index = self.0.partition_point(|gap| gap.next_offset <= offset);
        self.0.get(index).filter(|gap| gap.base_offset <= offset)
    }

    /// Adds a gap; one that touches a neighbour of the same time becomes one with it.
    pub(super) fn insert(&mut self, gap: Gap) {
        let at = self.0.partition_point(|other| other.base_offset < gap.base_offset);
        let is_free = self.0.get(at).is_none_or(|later| gap.next_offset <= later.base_offset)
            && at.checked_sub(1).is_none_or(|before| self.0[before].next_offset <= gap.base_offset);
        assert!(gap.base_offset < gap.next_offset && is_free, "offsets are lost once");
        self.0.insert(at, gap);
        self.0.dedup_by(|later, before| {
            let joins = before.next_offset == later.base_offset && before.accepted == later.accepted;
            if joins {
                before.next_offset = later.next_offset;
            }
            joins
        });
    }

    /// Takes out the gaps that end at `offset` or before it.
    pub(super) fn drop_to(&mut self, offset: Offset) {
        self.0.retain(|gap| gap.next_offset > offset);
    }
}

impl Partition {
    /// Its gaps, in the order of offsets.
    pub fn gaps(&self) -> impl DoubleEndedIterator<Item = &Gap> {
        self.gaps.iter()
    }

    /// How many gaps it has.
    pub fn gap_count(&self) -> usize {
        self.gaps.len()
    }

    /// The gap that holds `offset`.
    pub fn gap_at(&self, offset: Offset) -> Option<&Gap> {
        self.gaps.at(offset)
    }
}

#[cfg(test)]
mod tests;
