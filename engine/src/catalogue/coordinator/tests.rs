//! Shard 0's protocol step by step: losses, doubles, restarts and races.

use super::*;
use crate::catalogue::TopicNameError;
use crate::limits::{CATALOGUE_WAIT_NS, TOPIC_PARTITION_COUNT_MAX};

mod alterations;

const START: Monotonic = Monotonic(1_000);

/// Three shards, nothing there.
fn new() -> Coordinator {
    Coordinator::new(OwnerState::new(3))
}

fn request(number: u64) -> RequestId {
    RequestId(number)
}

fn create(shard_0: &mut Coordinator, request: RequestId, name: &str, partition_count: u32) -> Vec<CatalogueAction> {
    shard_0.create(request, name, partition_count, TopicSettings::default(), None, START)
}

fn alter(shard_0: &mut Coordinator, number: u64, topic: TopicId, partition_count: u32) -> Vec<CatalogueAction> {
    let change = TopicChange { partition_count: Some(partition_count), ..TopicChange::default() };
    shard_0.alter(request(number), topic, &change, START)
}

/// An owner's answer about the first description.
fn opened(topic: TopicId) -> CatalogueMessage {
    CatalogueMessage::Opened { topic, revision: 1 }
}

fn replied(number: u64, reply: CatalogueReply) -> Vec<CatalogueAction> {
    vec![CatalogueAction::Reply { request: request(number), reply }]
}

fn appended(actions: &[CatalogueAction]) -> CatalogueRecord {
    match actions {
        [CatalogueAction::Append(record)] => record.clone(),
        _ => panic!("not exactly one append: {actions:?}"),
    }
}

fn sends(actions: &[CatalogueAction]) -> Vec<(u16, CatalogueMessage)> {
    let send = |action: &CatalogueAction| match action {
        CatalogueAction::Send { to, message } => Some((to.0, message.clone())),
        CatalogueAction::Append(_) | CatalogueAction::Reply { .. } => None,
    };
    actions.iter().filter_map(send).collect()
}

fn receivers(actions: &[CatalogueAction]) -> Vec<u16> {
    sends(actions).into_iter().map(|(to, _)| to).collect()
}

fn replies(actions: &[CatalogueAction]) -> Vec<(u64, CatalogueReply)> {
    let reply = |action: &CatalogueAction| match action {
        CatalogueAction::Reply { request, reply } => Some((request.0, reply.clone())),
        CatalogueAction::Append(_) | CatalogueAction::Send { .. } => None,
    };
    actions.iter().filter_map(reply).collect()
}

/// All owners answer; the record that follows.
fn all_answer(shard_0: &mut Coordinator, topic: TopicId, message: &CatalogueMessage) -> CatalogueRecord {
    let owners = shard_0.durable().topic(topic).expect("there").wanted().owners();
    let mut actions = Vec::new();
    for owner in owners {
        assert!(actions.is_empty(), "nothing happens before the last owner has answered");
        actions = shard_0.message(owner, message);
    }
    appended(&actions)
}

fn creating(shard_0: &mut Coordinator, number: u64, name: &str) -> TopicId {
    let record = appended(&create(shard_0, request(number), name, 2));
    shard_0.record_durable(&record, START);
    record.topic()
}

fn live(shard_0: &mut Coordinator, number: u64, name: &str) -> TopicId {
    let topic = creating(shard_0, number, name);
    let record = all_answer(shard_0, topic, &opened(topic));
    let actions = shard_0.record_durable(&record, START);
    assert!(matches!(replies(&actions).as_slice(), [(_, CatalogueReply::Created(_))]));
    topic
}

fn deleting(shard_0: &mut Coordinator, number: u64, topic: TopicId) {
    let record = appended(&shard_0.delete(request(number), topic, START));
    shard_0.record_durable(&record, START);
}

/// What a restart finds: what was durable.
fn restarted(shard_0: &Coordinator) -> Coordinator {
    let mut section = Vec::new();
    shard_0.durable().encode(&mut section);
    Coordinator::new(OwnerState::decode(3, &section).expect("own bytes"))
}

#[test]
fn a_topic_becomes_live_when_all_owners_have_opened_it() {
    let mut shard_0 = new();
    let record = appended(&create(&mut shard_0, request(1), "pay", 2));
    let topic = record.topic();
    assert_eq!(shard_0.durable().topic_count(), 0, "nothing counts before it is durable");
    let actions = shard_0.record_durable(&record, START);
    let CatalogueRecord::Creating(descriptor) = record else { panic!("{record:?}") };
    let open = CatalogueMessage::Open { version: 1, descriptor: descriptor.clone() };
    assert_eq!(sends(&actions), [(0, open.clone()), (1, open)]);
    let record = all_answer(&mut shard_0, topic, &opened(topic));
    assert_eq!(record, CatalogueRecord::Live(topic));
    let actions = shard_0.record_durable(&record, START);
    assert_eq!(replies(&actions), [(1, CatalogueReply::Created(descriptor.clone()))]);
    let publish = CatalogueMessage::Publish { version: 2, previous: 0, descriptor };
    assert_eq!(sends(&actions), [(1, publish.clone()), (2, publish)]);
    assert_eq!((shard_0.change_count(), shard_0.next_deadline()), (0, None));
}

#[test]
fn a_topic_is_gone_when_all_owners_have_closed_it() {
    let mut shard_0 = new();
    let topic = live(&mut shard_0, 1, "pay");
    let record = appended(&shard_0.delete(request(2), topic, START));
    let actions = shard_0.record_durable(&record, START);
    let close = CatalogueMessage::Close { version: 3, topic };
    let retract = CatalogueMessage::Retract { version: 3, previous: 2, topic };
    assert_eq!(sends(&actions), [(0, close.clone()), (1, close), (1, retract.clone()), (2, retract)]);
    let record = all_answer(&mut shard_0, topic, &CatalogueMessage::Closed { topic });
    let actions = shard_0.record_durable(&record, START);
    assert_eq!(actions, replied(2, CatalogueReply::Deleted(topic)));
    assert_eq!(shard_0.delete(request(3), topic, START), replied(3, CatalogueReply::Deleted(topic)));
    assert_eq!(shard_0.delete(request(4), TopicId(77), START), replied(4, CatalogueReply::NotFound(TopicId(77))));
    assert!(live(&mut shard_0, 5, "pay") > topic, "the name is free, the id is not");
}

#[test]
fn an_unanswered_open_is_repeated_to_those_who_did_not_answer() {
    let mut shard_0 = new();
    let topic = creating(&mut shard_0, 1, "pay");
    shard_0.message(ShardId(0), &opened(topic));
    let due = START.plus_ns(CATALOGUE_RESEND_NS);
    assert_eq!(shard_0.next_deadline(), Some(due));
    assert_eq!(shard_0.tick(Monotonic(due.0 - 1)), []);
    assert_eq!(receivers(&shard_0.tick(due)), [1]);
    assert_eq!(shard_0.tick(due), [], "and not again before the time is up");
    assert_eq!(receivers(&shard_0.tick(due.plus_ns(CATALOGUE_RESEND_NS))), [1]);
}

/// A version that a crash takes back would make owners refuse what is asked afterwards with a lower one.
#[test]
fn messages_carry_the_durable_version_not_the_appended_one() {
    let mut shard_0 = new();
    let topic = creating(&mut shard_0, 1, "pay");
    appended(&create(&mut shard_0, request(2), "other", 1));
    assert_eq!((shard_0.ahead().version(), shard_0.durable().version()), (2, 1));
    let descriptor = shard_0.durable().topic(topic).expect("there").descriptor.clone();
    let open = CatalogueMessage::Open { version: 1, descriptor };
    assert_eq!(sends(&shard_0.tick(START.plus_ns(CATALOGUE_RESEND_NS))), [(0, open.clone()), (1, open)]);
}

#[test]
fn doubled_late_and_foreign_answers_change_nothing() {
    let mut shard_0 = new();
    let topic = creating(&mut shard_0, 1, "pay");
    let (opened, closed) = (opened(topic), CatalogueMessage::Closed { topic });
    assert_eq!(shard_0.message(ShardId(0), &opened), []);
    for (from, message) in [(0, &opened), (2, &opened), (1, &closed), (0, &closed)] {
        assert_eq!(shard_0.message(ShardId(from), message), []);
    }
    let record = appended(&shard_0.message(ShardId(1), &opened));
    assert_eq!(shard_0.message(ShardId(1), &opened), [], "the record is on its way");
    shard_0.record_durable(&record, START);
    assert_eq!(shard_0.message(ShardId(1), &opened), [], "the topic is live");
    deleting(&mut shard_0, 2, topic);
    assert_eq!(shard_0.message(ShardId(0), &opened), []);
    assert_eq!(shard_0.message(ShardId(1), &opened), []);
    assert_eq!(shard_0.change_count(), 1, "a late Opened closes nothing");
}

#[test]
fn a_second_create_of_the_same_name_waits_with_the_first() {
    let mut shard_0 = new();
    let first = appended(&create(&mut shard_0, request(1), "pay", 2));
    assert_eq!(create(&mut shard_0, request(2), "pay", 2), [], "before it is durable");
    assert_eq!(create(&mut shard_0, request(3), "pay", 3), replied(3, CatalogueReply::StillWorking), "another topic");
    shard_0.record_durable(&first, START);
    assert_eq!(create(&mut shard_0, request(4), "pay", 2), [], "while owners are asked");
    let topic = first.topic();
    let record = all_answer(&mut shard_0, topic, &opened(topic));
    assert_eq!(create(&mut shard_0, request(5), "pay", 2), [], "before the last record is durable");
    let told = replies(&shard_0.record_durable(&record, START));
    assert_eq!(told.iter().map(|(request, _)| *request).collect::<Vec<_>>(), [1, 2, 4, 5]);
    assert!(told.iter().all(|(_, reply)| matches!(reply, CatalogueReply::Created(d) if d.id() == topic)));
    assert_eq!(create(&mut shard_0, request(6), "pay", 2), replied(6, CatalogueReply::NameTaken { topic }));
}

#[test]
fn names_and_ids_are_given_out_once_before_anything_is_durable() {
    let mut shard_0 = new();
    let first = appended(&create(&mut shard_0, request(1), "a", 1));
    let second = appended(&create(&mut shard_0, request(2), "b", 1));
    assert_eq!((first.topic(), second.topic()), (TopicId(1), TopicId(2)));
    assert_eq!((shard_0.ahead().topic_count(), shard_0.durable().topic_count()), (2, 0));
}

#[test]
fn a_delete_that_races_a_create_is_told_to_ask_again() {
    let mut shard_0 = new();
    let record = appended(&create(&mut shard_0, request(1), "pay", 2));
    let topic = record.topic();
    assert_eq!(shard_0.delete(request(2), topic, START), replied(2, CatalogueReply::StillWorking));
    shard_0.record_durable(&record, START);
    assert_eq!(shard_0.delete(request(3), topic, START), replied(3, CatalogueReply::StillWorking));
    let record = all_answer(&mut shard_0, topic, &opened(topic));
    assert_eq!(shard_0.delete(request(4), topic, START), replied(4, CatalogueReply::StillWorking));
    shard_0.record_durable(&record, START);
    let record = appended(&shard_0.delete(request(5), topic, START));
    assert_eq!(create(&mut shard_0, request(6), "pay", 2), replied(6, CatalogueReply::StillWorking));
    assert_eq!(shard_0.delete(request(7), topic, START), [], "a second delete waits with the first");
    shard_0.record_durable(&record, START);
    let record = all_answer(&mut shard_0, topic, &CatalogueMessage::Closed { topic });
    let told = replies(&shard_0.record_durable(&record, START));
    assert_eq!(told, [(5, CatalogueReply::Deleted(topic)), (7, CatalogueReply::Deleted(topic))]);
}

#[test]
fn a_client_that_waited_long_enough_is_told_to_ask_again_while_the_work_goes_on() {
    let mut shard_0 = new();
    let topic = creating(&mut shard_0, 1, "pay");
    let late = START.plus_ns(CATALOGUE_WAIT_NS);
    let told = replies(&shard_0.tick(late));
    assert_eq!(told, [(1, CatalogueReply::StillWorking)]);
    assert_eq!(shard_0.create(request(2), "pay", 2, TopicSettings::default(), None, late), [], "it may join again");
    let record = all_answer(&mut shard_0, topic, &opened(topic));
    let told = replies(&shard_0.record_durable(&record, late));
    assert!(matches!(told.as_slice(), [(2, CatalogueReply::Created(_))]));
}

#[test]
fn too_many_changes_or_waiters_are_told_to_come_back() {
    let mut shard_0 = new();
    let max = CATALOGUE_PENDING_MAX as u64;
    for number in 0..max {
        creating(&mut shard_0, number, &format!("t{number}"));
    }
    assert_eq!(create(&mut shard_0, request(900), "more", 1), replied(900, CatalogueReply::Busy));
    for number in 1..max {
        assert_eq!(create(&mut shard_0, request(1_000 + number), "t0", 2), []);
    }
    assert_eq!(create(&mut shard_0, request(2_000), "t0", 2), replied(2_000, CatalogueReply::Busy));
    let topic = TopicId(1);
    let record = all_answer(&mut shard_0, topic, &opened(topic));
    assert_eq!(replies(&shard_0.record_durable(&record, START)).len(), CATALOGUE_PENDING_MAX);
    creating(&mut shard_0, 901, "more");
    assert_eq!(shard_0.delete(request(902), topic, START), replied(902, CatalogueReply::Busy));
}

#[test]
fn requests_outside_the_limits_are_refused_at_once() {
    let mut shard_0 = new();
    let name = CatalogueReply::InvalidName(TopicNameError::Empty);
    assert_eq!(create(&mut shard_0, request(1), "", 1), replied(1, name));
    let partition_count = TOPIC_PARTITION_COUNT_MAX + 1;
    let count =
        CatalogueReply::InvalidPartitionCount { asked: partition_count, least: 1, most: TOPIC_PARTITION_COUNT_MAX };
    assert_eq!(create(&mut shard_0, request(2), "a", partition_count), replied(2, count));
}

#[test]
fn a_restart_at_any_step_continues_where_the_journal_ends() {
    let mut shard_0 = new();
    let record = appended(&create(&mut shard_0, request(1), "pay", 2));
    let topic = record.topic();
    assert_eq!(restarted(&shard_0).resume(START), [], "what was not durable never happened");
    shard_0.record_durable(&record, START);
    shard_0.message(ShardId(1), &opened(topic));

    let mut shard_0 = restarted(&shard_0);
    assert_eq!(shard_0.next_deadline(), Some(Monotonic(0)), "due at once");
    assert_eq!(receivers(&shard_0.resume(START)), [0, 1], "all owners are asked again");
    assert_eq!(create(&mut shard_0, request(2), "pay", 2), [], "clients may join what was recovered");
    let record = all_answer(&mut shard_0, topic, &opened(topic));

    let mut again = restarted(&shard_0);
    assert_eq!(receivers(&again.resume(START)), [0, 1], "the last record was not durable");
    shard_0.record_durable(&record, START);
    let mut shard_0 = restarted(&shard_0);
    assert_eq!(shard_0.resume(START), [], "it is live");

    deleting(&mut shard_0, 3, topic);
    let mut shard_0 = restarted(&shard_0);
    let close = CatalogueMessage::Close { version: 3, topic };
    assert_eq!(sends(&shard_0.resume(START)), [(0, close.clone()), (1, close)]);
    let record = all_answer(&mut shard_0, topic, &CatalogueMessage::Closed { topic });
    shard_0.record_durable(&record, START);
    let mut shard_0 = restarted(&shard_0);
    assert_eq!(shard_0.resume(START), []);
    assert!(live(&mut shard_0, 4, "pay") > topic, "ids are not reused after a restart");
}

#[test]
fn a_failed_shard_answers_everybody_and_takes_nothing_more() {
    let mut shard_0 = new();
    let topic = live(&mut shard_0, 1, "old");
    creating(&mut shard_0, 2, "pay");
    create(&mut shard_0, request(3), "pay", 2);
    appended(&shard_0.delete(request(4), topic, START));
    let mut told = replies(&shard_0.fail_all());
    told.sort_by_key(|(request, _)| *request);
    assert_eq!(told, [2, 3, 4].map(|number| (number, CatalogueReply::OutcomeUnknown)));
    assert_eq!(shard_0.fail_all(), [], "and only once");
    assert_eq!(create(&mut shard_0, request(5), "new", 1), replied(5, CatalogueReply::Unavailable));
    assert_eq!(shard_0.delete(request(6), topic, START), replied(6, CatalogueReply::Unavailable));
    assert_eq!(shard_0.message(ShardId(0), &opened(topic)), []);
    assert_eq!((shard_0.tick(Monotonic(u64::MAX)), shard_0.next_deadline()), (vec![], None));
    let ask = CatalogueMessage::CopyRequest { have: None, cursor: CopyCursor::default() };
    assert_eq!(shard_0.message(ShardId(2), &ask).len(), 2, "what is durable is still told");
}
