//! Where consumer groups have come to.

use florin_engine::group::GroupOffsets;
use florin_engine::model::Realtime;

use super::call::Repetition;
use super::command::Route;
use super::{Client, Listed};
use crate::client::{ClientError, GroupId, GroupOffset, TransactionKey};
use crate::protocol::{Request, Response};

impl Client {
    fn shard_of_group(&self, group: &GroupId) -> Route {
        Route::Shard(GroupOffsets::shard_of(group, self.server().shard_count).0)
    }

    /// Notes how far a group has come, on stable storage, all offsets or none. What was noted before for these partitions
    /// is replaced, also by a lower offset.
    ///
    /// # Errors
    /// If it is refused, or the group's shard does not answer in time: then it is noted or not, and may be asked for again.
    pub fn commit_offsets(&self, group: &GroupId, offsets: Vec<GroupOffset>) -> Result<(), ClientError> {
        self.note_offsets(group, None, offsets)
    }

    pub(super) fn note_offsets(
        &self,
        group: &GroupId,
        transaction: Option<TransactionKey>,
        offsets: Vec<GroupOffset>,
    ) -> Result<(), ClientError> {
        let what = format!("noting offsets of group {group}");
        let request = Request::CommitOffsets { group: group.clone(), transaction, offsets };
        // The same offsets noted twice are noted.
        match self.inner.request(&what, self.shard_of_group(group), request, Repetition::Repeatable)? {
            Response::OffsetsCommitted => Ok(()),
            _ => Err(self.inner.unexpected(&what)),
        }
    }

    /// How far a group has come, in the order of partitions, and when each was noted. It is waited, within the request
    /// timeout, until transactions with offsets of the group are decided. More than 1024 offsets come with several requests,
    /// and what is noted in between shows in those that come later.
    ///
    /// # Errors
    /// If nothing was ever noted for the group, or its shard does not answer in time.
    pub fn offsets(&self, group: &GroupId) -> Result<Vec<(GroupOffset, Realtime)>, ClientError> {
        let what = format!("asking for the offsets of group {group}");
        let mut all: Vec<(GroupOffset, Realtime)> = Vec::new();
        loop {
            let after = all.last().map(|(last, _)| last.partition);
            let request = Request::FetchOffsets { group: group.clone(), after };
            let Response::Offsets(page) =
                self.inner.request(&what, self.shard_of_group(group), request, Repetition::Read)?
            else {
                return Err(self.inner.unexpected(&what));
            };
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }

    /// All groups, shard by shard, each shard's in the order of their names.
    ///
    /// # Errors
    /// If no shard answers in time, or the server cannot be reached.
    pub fn groups(&self) -> Result<Listed<GroupId>, ClientError> {
        self.of_every_shard(|shard| self.groups_of(shard))
    }

    fn groups_of(&self, shard: u16) -> Result<Vec<GroupId>, ClientError> {
        let what = format!("listing the groups of shard {shard}");
        let mut all: Vec<GroupId> = Vec::new();
        loop {
            let request = Request::ListGroups { after: all.last().cloned() };
            match self.inner.request(&what, Route::Shard(shard), request, Repetition::Read)? {
                Response::Groups(page) if page.is_empty() => return Ok(all),
                Response::Groups(page) => all.extend(page),
                _ => return Err(self.inner.unexpected(&what)),
            }
        }
    }

    /// Forgets a group with all its offsets. If the answer is lost, it may turn out to be forgotten when asked again.
    ///
    /// # Errors
    /// If nothing was ever noted for it, a transaction with its offsets is open, or its shard does not answer in time.
    pub fn forget_group(&self, group: &GroupId) -> Result<(), ClientError> {
        let what = format!("forgetting group {group}");
        let request = Request::ForgetGroup { group: group.clone() };
        match self.inner.request(&what, self.shard_of_group(group), request, Repetition::Once)? {
            Response::GroupForgotten => Ok(()),
            _ => Err(self.inner.unexpected(&what)),
        }
    }
}
