//! What a partition need not keep any longer: decided from its runs and times, in force with a checkpoint.

use super::Partition;
use crate::model::{Offset, Realtime};
use crate::segment::Run;

/// How long a topic keeps its records; each of both may cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Bytes at rest of each partition that are kept at least; none keeps everything.
    pub bytes: Option<u64>,
    /// Nanoseconds behind its append time for which a record is kept at least; none keeps everything.
    pub ns: Option<u64>,
}

/// Why something was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CutReason {
    /// It was kept for as long as it must be.
    Age = 1,
    /// Behind it there is as much as must be kept.
    Size = 2,
}

/// A decision to keep nothing below an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The first offset that stays.
    pub to: Offset,
    /// Bytes that go.
    pub bytes: u64,
    /// Why.
    pub reason: CutReason,
    /// What the wall clock showed.
    pub time: Realtime,
}

/// Everything that was cut so far: the start of the partition says how many records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CutTotals {
    /// Bytes cut.
    pub bytes: u64,
    /// What the wall clock showed at the last cut; 0 if there was none.
    pub time: Realtime,
    /// Why the last cut was made.
    pub reason: Option<CutReason>,
}

impl CutTotals {
    /// With one more cut.
    pub(super) fn with(&self, cut: &Cut) -> Self {
        Self { bytes: self.bytes.saturating_add(cut.bytes), time: cut.time, reason: Some(cut.reason) }
    }
}

/// What goes together: a run, or a batch that is in memory only.
struct Piece {
    next_offset: Offset,
    bytes: u64,
    append_time: Realtime,
}

impl Partition {
    /// Decides what to cut; nothing while an earlier decision is not in force. Whole runs go, and batches that are not
    /// at rest yet when no run is left before them, unless they have idempotency keys: those outlive them, and are taken to
    /// rest with them.
    pub fn plan_cut(&mut self, retention: &Retention, now: Realtime) -> Option<Cut> {
        if self.cut_ahead.is_some() || (retention.bytes.is_none() && retention.ns.is_none()) {
            return None;
        }
        let mut left_bytes = self.stored.bytes() + self.held.unflushed_bytes() as u64;
        let mut cut: Option<Cut> = None;
        for piece in self.pieces() {
            left_bytes -= piece.bytes;
            let aged = retention.ns.is_some_and(|ns| now.since_ns(piece.append_time) >= ns);
            let spare = retention.bytes.is_some_and(|bytes| left_bytes >= bytes);
            if !aged && !spare {
                break;
            }
            let reason = if aged { CutReason::Age } else { CutReason::Size };
            let bytes = cut.map_or(0, |cut| cut.bytes) + piece.bytes;
            cut = Some(Cut { to: piece.next_offset, bytes, reason, time: now });
        }
        // Nothing is left of what is lost behind a cut.
        while let Some(cut) = &mut cut
            && let Some(gap) = self.gaps.at(cut.to)
        {
            cut.to = gap.next_offset;
        }
        self.cut_ahead = cut;
        cut
    }

    fn pieces(&self) -> impl Iterator<Item = Piece> {
        let run =
            |run: &Run| Piece { next_offset: run.next_offset, bytes: run.bytes, append_time: run.last_append_time };
        let durable = if self.keys.is_some() { self.flushed_offset() } else { self.durable_offset };
        let held = self.held.unflushed_range().map(|held| &held.batch);
        let held = held.take_while(move |batch| batch.last_offset < durable).map(|batch| Piece {
            next_offset: batch.next_offset(),
            bytes: batch.bytes.len() as u64,
            append_time: batch.append_time,
        });
        self.stored.iter().map(run).chain(held)
    }

    /// The decision that is not in force yet.
    pub fn cut_ahead(&self) -> Option<&Cut> {
        self.cut_ahead.as_ref()
    }

    /// Forgets a decision that no snapshot states.
    pub fn drop_cut_ahead(&mut self) {
        self.cut_ahead = None;
    }

    /// A checkpoint with this decision is in force: what is below is gone. Returns the runs that nobody needs any
    /// more, and the bytes that memory let go.
    pub fn settle_cut(&mut self, cut: &Cut) -> (Vec<Run>, usize) {
        if self.cut_ahead == Some(*cut) {
            self.cut_ahead = None;
        }
        self.cuts = self.cuts.with(cut);
        self.start_offset = self.start_offset.max(cut.to);
        self.held.flush_to(cut.to);
        let bytes = self.held.drop_to(cut.to);
        self.transactions.forget_below(self.memory_offset());
        self.gaps.drop_to(cut.to);
        (self.stored.drop_to(cut.to), bytes)
    }
}
