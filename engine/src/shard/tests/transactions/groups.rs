//! Offsets of consumer groups, by themselves and in transactions.

use super::super::rig::{Rig, SMALL, refused};
use super::pair::{Pair, in_transaction};
use super::{end, next, open};
use crate::format::control::GroupOffset;
use crate::group::GroupOffsets;
use crate::limits::{OFFSET_METADATA_BYTES_MAX, OFFSETS_PER_COMMIT_MAX};
use crate::model::{GroupId, Offset, PartitionId, RequestId, TopicId, TransactionKey, TransactionOutcome};
use crate::shard::transactions::TransactionLimits;
use crate::shard::{GroupReply, GroupRequest, Reply, Request, TransactionRefusal};

fn group(text: &str) -> GroupId {
    GroupId::new(text).unwrap()
}

fn at(offset: u64) -> Vec<GroupOffset> {
    let partition = PartitionId { topic: TopicId(1), index: 0 };
    vec![GroupOffset { partition, offset: Offset(offset), metadata: "m".into() }]
}

fn commit(rig: &mut Rig, of: &str, transaction: Option<TransactionKey>, offset: u64) -> RequestId {
    let offsets = at(offset);
    rig.ask(Request::Group(GroupRequest::Commit { group: group(of), transaction, offsets }))
}

fn read(rig: &mut Rig, of: &str) -> Result<u64, Reply> {
    let id = rig.ask(Request::Group(GroupRequest::Offsets { group: group(of), after: None }));
    rig.settle();
    match rig.replies.remove(&id) {
        Some(Reply::Group(GroupReply::Offsets(offsets))) => Ok(offsets[0].0.offset.0),
        Some(other) => Err(other),
        None => panic!("it is answered"),
    }
}

#[test]
fn a_commit_is_answered_when_it_is_durable_and_outlives_a_crash() {
    let mut rig = Rig::serving();
    let unknown = refused(TransactionRefusal::UnknownGroup(group("ledger")).into());
    assert_eq!(read(&mut rig, "ledger"), Err(unknown.clone()));
    let id = commit(&mut rig, "ledger", None, 5);
    assert_eq!(rig.reply(id), None);
    rig.settle();
    assert_eq!(rig.reply(id), Some(&Reply::Group(GroupReply::Committed)));
    let mut rig = rig.crashed();
    rig.begin();
    rig.settle();
    assert_eq!(read(&mut rig, "ledger"), Ok(5));
    let id = rig.ask(Request::Group(GroupRequest::List { after: None }));
    assert_eq!(rig.reply(id), Some(&Reply::Group(GroupReply::List(vec![group("ledger")]))));
    let id = rig.ask(Request::Group(GroupRequest::Forget { group: group("ledger") }));
    rig.settle();
    assert_eq!(rig.reply(id), Some(&Reply::Group(GroupReply::Forgotten)));
    assert_eq!(read(&mut rig, "ledger"), Err(unknown));
}

#[test]
fn offsets_that_no_journal_block_holds_are_refused() {
    let mut rig = Rig::serving();
    let of = |index| GroupOffset {
        partition: PartitionId { topic: TopicId(1), index },
        offset: Offset(1),
        metadata: "m".repeat(OFFSET_METADATA_BYTES_MAX).into(),
    };
    let offsets: Vec<_> = (0..u32::try_from(OFFSETS_PER_COMMIT_MAX).unwrap()).map(of).collect();
    let id = rig.ask(Request::Group(GroupRequest::Commit { group: group("ledger"), transaction: None, offsets }));
    let Some(Reply::Refused(refusal)) = rig.reply(id) else { panic!("it is refused at once") };
    assert!(refusal.to_string().contains("larger than a journal block"), "{refusal}");
}

#[test]
fn offsets_and_records_of_a_transaction_count_together() {
    let (mut rig, partition) = Rig::with_partition();
    let transaction = open(&mut rig);
    commit(&mut rig, "ledger", None, 1);
    rig.capture(partition, in_transaction(transaction, 0));
    commit(&mut rig, "ledger", Some(transaction), 2);
    rig.settle();
    let undecided = refused(TransactionRefusal::OffsetsUndecided(group("ledger")).into());
    assert_eq!(read(&mut rig, "ledger"), Err(undecided.clone()));
    rig.ask(end(transaction, TransactionOutcome::Committed));
    assert_eq!(read(&mut rig, "ledger"), Ok(2));
    let second = next(transaction);
    commit(&mut rig, "ledger", Some(second), 3);
    rig.settle();
    let mut rig = rig.crashed();
    rig.begin();
    rig.settle();
    assert_eq!(read(&mut rig, "ledger"), Err(undecided));
    rig.ask(end(second, TransactionOutcome::Aborted));
    assert_eq!(read(&mut rig, "ledger"), Ok(2));
    let late = commit(&mut rig, "ledger", Some(second), 4);
    rig.settle();
    assert_eq!(rig.reply(late), Some(&refused(TransactionRefusal::Aborted(second).into())));
}

#[test]
fn offsets_on_another_shard_than_the_coordinator_wait_for_it() {
    let mut pair = Pair::new();
    let transaction = pair.open();
    let here = |text: &String| GroupOffsets::shard_of(&group(text), 2) == pair.participant.id;
    let of = (0..).map(|number| format!("group {number}")).find(here).expect("one of them");
    let id = commit(&mut pair.participant, &of, Some(transaction), 7);
    assert_eq!(pair.participant.shard.status().coordinator_waiting_count, 1);
    pair.pass_on();
    pair.coordinator.settle();
    pair.pass_on();
    pair.participant.settle();
    assert_eq!(pair.participant.reply(id), Some(&Reply::Group(GroupReply::Committed)));
    pair.coordinator.ask(end(transaction, TransactionOutcome::Committed));
    pair.coordinator.settle();
    pair.pass_on();
    assert_eq!(read(&mut pair.participant, &of), Ok(7));
    let elsewhere = commit(&mut pair.coordinator, &of, None, 8);
    let unknown = refused(TransactionRefusal::UnknownGroup(group(&of)).into());
    assert_eq!(pair.coordinator.reply(elsewhere), Some(&unknown));
}

#[test]
fn groups_have_as_much_room_as_a_manifest_has() {
    let mut rig = Rig::serving();
    let mut count = 0;
    let refusal = loop {
        let id = commit(&mut rig, &format!("group {count:03}"), None, 1);
        rig.settle();
        match rig.replies.remove(&id) {
            Some(Reply::Refused(refusal)) => break refusal,
            _ => count += 1,
        }
    };
    assert_eq!(refusal, TransactionRefusal::GroupsFull(rig.id).into());
    let room = TransactionLimits::of(SMALL).group_bytes_max;
    assert!((room / 64..=room / 48).contains(&count), "{count} groups in {room} bytes");
    for number in 0..count {
        let id = commit(&mut rig, &format!("group {number:03}"), None, 2);
        rig.settle();
        assert_eq!(rig.replies.remove(&id), Some(Reply::Group(GroupReply::Committed)), "known groups go on");
    }
}
