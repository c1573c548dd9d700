//! Where consumer groups have come to.

use florin_engine::group::GroupOffsets;
use florin_engine::model::Realtime;

use super::Client;
use super::command::Route;
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
        match self.inner.request(&what, self.shard_of_group(group), request, true)? {
            Response::OffsetsCommitted => Ok(()),
            _ => Err(self.inner.unexpected(&what)),
        }
    }

    /// How far a group has come, in the order of partitions, and when each was noted. It is waited, within the request
    /// timeout, until transactions with offsets of the group are decided.
    ///
    /// # Errors
    /// If nothing was ever noted for the group, or its shard does not answer in time.
    pub fn offsets(&self, group: &GroupId) -> Result<Vec<(GroupOffset, Realtime)>, ClientError> {
        let what = format!("asking for the offsets of group {group}");
        let mut all: Vec<(GroupOffset, Realtime)> = Vec::new();
        loop {
            let after = all.last().map(|(last, _)| last.partition);
            let request = Request::FetchOffsets { group: group.clone(), after };
            let Response::Offsets(page) = self.inner.request(&what, self.shard_of_group(group), request, true)? else {
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
    /// If a shard does not answer in time.
    pub fn groups(&self) -> Result<Vec<GroupId>, ClientError> {
        let mut all: Vec<GroupId> = Vec::new();
        for shard in 0..self.server().shard_count {
            let what = format!("listing the groups of shard {shard}");
            let mut after = None;
            loop {
                let request = Request::ListGroups { after };
                let Response::Groups(page) = self.inner.request(&what, Route::Shard(shard), request, true)? else {
                    return Err(self.inner.unexpected(&what));
                };
                let Some(last) = page.last() else { break };
                after = Some(last.clone());
                all.extend(page);
            }
        }
        Ok(all)
    }

    /// Forgets a group with all its offsets. If the answer is lost, it may turn out to be forgotten when asked again.
    ///
    /// # Errors
    /// If nothing was ever noted for it, a transaction with its offsets is open, or its shard does not answer in time.
    pub fn forget_group(&self, group: &GroupId) -> Result<(), ClientError> {
        let what = format!("forgetting group {group}");
        let request = Request::ForgetGroup { group: group.clone() };
        match self.inner.request(&what, self.shard_of_group(group), request, false)? {
            Response::GroupForgotten => Ok(()),
            _ => Err(self.inner.unexpected(&what)),
        }
    }
}
