//! One change under way, and the clients that wait for it.

use std::collections::BTreeSet;

use super::CatalogueAction;
use crate::catalogue::CatalogueReply;
use crate::limits::{CATALOGUE_PENDING_MAX, CATALOGUE_WAIT_NS};
use crate::model::{Monotonic, RequestId, ShardId};

/// What a change is to achieve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Create,
    Alter,
    Delete,
}

/// How far a change has come.
#[derive(Debug)]
pub(super) enum Stage {
    /// Its first record is appended, not durable.
    Beginning,
    /// Its first record is durable; these owners have not answered.
    Asking { unanswered: BTreeSet<ShardId>, resend_at: Monotonic },
    /// Its last record is appended, not durable.
    Ending,
}

#[derive(Debug)]
pub(super) struct Change {
    pub(super) direction: Direction,
    pub(super) stage: Stage,
    pub(super) waiters: Vec<Waiter>,
}

#[derive(Debug)]
pub(super) struct Waiter {
    request: RequestId,
    until: Monotonic,
}

impl Change {
    /// Whether there was room for another client to wait.
    pub(super) fn join(&mut self, request: RequestId, now: Monotonic) -> bool {
        let room = self.waiters.len() < CATALOGUE_PENDING_MAX;
        if room {
            self.waiters.push(Waiter { request, until: now.plus_ns(CATALOGUE_WAIT_NS) });
        }
        room
    }

    /// Answers everybody who waits.
    pub(super) fn reply_all(self, reply: &CatalogueReply) -> Vec<CatalogueAction> {
        let to = |waiter: Waiter| CatalogueAction::Reply { request: waiter.request, reply: reply.clone() };
        self.waiters.into_iter().map(to).collect()
    }

    /// Lets go of those who waited long enough.
    pub(super) fn reply_late(&mut self, now: Monotonic) -> Vec<CatalogueAction> {
        let late = self.waiters.extract_if(.., |waiter| waiter.until <= now);
        late.map(|waiter| CatalogueAction::Reply { request: waiter.request, reply: CatalogueReply::StillWorking })
            .collect()
    }

    /// When something is to be repeated or somebody has waited long enough.
    pub(super) fn next_deadline(&self) -> Option<Monotonic> {
        let resend_at = match &self.stage {
            Stage::Asking { resend_at, .. } => Some(*resend_at),
            Stage::Beginning | Stage::Ending => None,
        };
        self.waiters.iter().map(|waiter| waiter.until).chain(resend_at).min()
    }
}
