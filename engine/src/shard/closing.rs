//! The end of a shard that is closed in order: everything durable and answered, everything at rest as far as there is time
//! and space for it, a last checkpoint, and the superblock that closes the journal.

use super::Shard;
use crate::marks::{self, Mark};
use crate::model::{Now, Sequence};

impl Shard {
    /// Up to where everything is taken to rest before the last checkpoint, if that comes next: then the ring holds
    /// nothing, and the next start reads nothing of it.
    pub(super) fn closing_up_to(&self) -> Option<Sequence> {
        let is_next = self.stopping && self.journal.is_idle() && !self.last_checkpoint_tried;
        is_next.then(|| self.journal.marks().durable())
    }

    /// Whether the shard closes and has taken to rest what it could in the time that there is for that.
    pub(super) fn is_rest_time_over(&self, now: Now) -> bool {
        self.stopping && self.rest_until <= now.monotonic
    }

    /// Once everything is durable, answered and, where that was possible, at rest: a last checkpoint, then the superblock
    /// that closes the journal.
    pub(super) fn close_when_quiet(&mut self) {
        let quiet = |shard: &Self| {
            shard.failed.is_none()
                && shard.journal.is_idle()
                && shard.waiting.is_empty()
                && shard.checkpointing.is_idle()
                && shard.segments.is_idle()
                && shard.cold.is_idle()
                && shard.keyed.is_idle()
        };
        if quiet(self) && !self.last_checkpoint_tried {
            self.last_checkpoint_tried = true;
            self.begin_checkpoint();
        }
        if quiet(self) && self.last_checkpoint_tried {
            self.journal.close();
            self.end_catalogue_changes();
            self.superblock.close();
        }
    }

    /// The last manifest of a shard that closes is durable and includes everything up to `sequence`: if that is all, and
    /// at rest, the ring is left empty.
    pub(super) fn pass_last_file(&mut self, sequence: Sequence) {
        let is_last =
            self.last_checkpoint_tried && self.journal.is_idle() && self.journal.marks().appended() == sequence;
        if !is_last {
            return;
        }
        if self.geometry().files().all(|file| !self.is_needed(file)) {
            marks::hit(Mark::ClosedEmpty);
            self.journal.ring_mut().pass_active();
        } else {
            marks::hit(Mark::ClosedWithRest);
        }
    }
}
