//! Offsets of consumer groups.

use super::super::request::{GroupReply, GroupRequest, Reply};
use super::super::{Refusal, Shard, TransactionRefusal};
use super::questions::Waiting;
use crate::format::block::block_bytes;
use crate::format::control::{ENTRY_ALIGN_BYTES, ENTRY_HEADER_BYTES, GroupOffset, OffsetRecord, Participant};
use crate::group::{GroupOffsets, OffsetsRefusal};
use crate::limits::{LISTED_COUNT_MAX, OFFSETS_PER_COMMIT_MAX};
use crate::model::{GroupId, Now, PartitionId, RequestId, TransactionKey};

impl Shard {
    /// Does what is asked about a group.
    pub(in crate::shard) fn group_request(&mut self, id: RequestId, request: GroupRequest, now: Now) {
        match request {
            GroupRequest::Commit { group, transaction, offsets } => {
                self.commit_offsets(id, group, transaction, offsets, now);
            }
            GroupRequest::Offsets { group, after } => self.group_offsets(id, &group, after),
            GroupRequest::List { after } => {
                let groups = self.transactions.groups.groups(after.as_ref()).take(LISTED_COUNT_MAX);
                let reply = GroupReply::List(groups.cloned().collect());
                self.answer_when_all_durable(id, Reply::Group(reply));
            }
            GroupRequest::Forget { group } => self.forget_group(id, group),
        }
    }

    fn commit_offsets(
        &mut self,
        id: RequestId,
        group: GroupId,
        transaction: Option<TransactionKey>,
        offsets: Vec<GroupOffset>,
        now: Now,
    ) {
        if let Some(refusal) = self.offsets_refusal(&group, transaction, &offsets) {
            return self.refuse(id, refusal);
        }
        let Some(transaction) = transaction else { return self.note_commit(id, group, None, offsets, now) };
        let participant = Participant::Group(group.clone());
        let is_asked = self.transactions.questions.is_open(transaction, &participant);
        if !is_asked && self.transactions.groups.is_open(&group, transaction) {
            return self.note_commit(id, group, Some(transaction), offsets, now);
        }
        self.join_or_ask(transaction, participant, Waiting::Offsets { id, offsets }, now);
    }

    /// The coordinator has noted that the transaction commits offsets of the group.
    pub(super) fn commit_joined(
        &mut self,
        id: RequestId,
        group: GroupId,
        transaction: TransactionKey,
        offsets: Vec<GroupOffset>,
        now: Now,
    ) {
        match self.offsets_refusal(&group, Some(transaction), &offsets) {
            Some(refusal) => self.refuse(id, refusal),
            None => self.note_commit(id, group, Some(transaction), offsets, now),
        }
    }

    fn note_commit(
        &mut self,
        id: RequestId,
        group: GroupId,
        transaction: Option<TransactionKey>,
        offsets: Vec<GroupOffset>,
        now: Now,
    ) {
        let record = OffsetRecord::Committed { group, transaction, offsets, time: now.realtime };
        match self.note_offsets(record) {
            Ok(appended) => self.answer_when_durable(id, appended.sequence, Reply::Group(GroupReply::Committed)),
            Err(refusal) => self.refuse(id, refusal),
        }
    }

    fn offsets_refusal(
        &self,
        group: &GroupId,
        transaction: Option<TransactionKey>,
        offsets: &[GroupOffset],
    ) -> Option<Refusal> {
        if !(1..=OFFSETS_PER_COMMIT_MAX).contains(&offsets.len()) {
            return Some(TransactionRefusal::Together("the number of offsets is out of its bounds").into());
        }
        if GroupOffsets::shard_of(group, self.shard_count) != self.id {
            return Some(TransactionRefusal::UnknownGroup(group.clone()).into());
        }
        let entry_bytes = ENTRY_HEADER_BYTES + OffsetRecord::committed_bytes(group, offsets);
        if block_bytes(entry_bytes.next_multiple_of(ENTRY_ALIGN_BYTES)) > self.geometry().block_bytes_max() {
            let what = "the offsets are larger than a journal block: commit fewer, or with shorter metadata";
            return Some(TransactionRefusal::Together(what).into());
        }
        let bytes_max = self.transactions.group_bytes_max;
        let checked = self.transactions.groups.check_room(group, transaction, offsets, bytes_max);
        checked.err().map(|refusal| self.of_offsets(group, refusal))
    }

    fn of_offsets(&self, group: &GroupId, refusal: OffsetsRefusal) -> Refusal {
        match refusal {
            OffsetsRefusal::NoRoom => TransactionRefusal::GroupsFull(self.id),
            OffsetsRefusal::Undecided(_) => TransactionRefusal::OffsetsUndecided(group.clone()),
        }
        .into()
    }

    fn group_offsets(&mut self, id: RequestId, group: &GroupId, after: Option<PartitionId>) {
        let reply = match self.transactions.groups.offsets(group, after, OFFSETS_PER_COMMIT_MAX) {
            Ok(Some(offsets)) => Reply::Group(GroupReply::Offsets(offsets)),
            Ok(None) => Reply::Refused(TransactionRefusal::UnknownGroup(group.clone()).into()),
            Err(refusal) => Reply::Refused(self.of_offsets(group, refusal)),
        };
        self.answer_when_all_durable(id, reply);
    }

    fn forget_group(&mut self, id: RequestId, group: GroupId) {
        let refusal = match self.transactions.groups.standing(&group) {
            None => TransactionRefusal::UnknownGroup(group).into(),
            Some(true) => TransactionRefusal::OffsetsUndecided(group).into(),
            Some(false) => match self.note_offsets(OffsetRecord::Forgotten { group }) {
                Ok(appended) => {
                    let reply = Reply::Group(GroupReply::Forgotten);
                    return self.answer_when_durable(id, appended.sequence, reply);
                }
                Err(refusal) => refusal,
            },
        };
        self.answer_when_all_durable(id, Reply::Refused(refusal));
    }
}
