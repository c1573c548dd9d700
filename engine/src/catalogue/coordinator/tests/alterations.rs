//! Alterations step by step: what is served meanwhile, late answers, restarts, and what else is asked for.

use super::*;
use crate::catalogue::{Setting, SettingOutOfBounds};

/// Begins to alter a topic; the description that owners are asked for.
fn altering(shard_0: &mut Coordinator, number: u64, topic: TopicId, partition_count: u32) -> TopicDescriptor {
    let record = appended(&alter(shard_0, number, topic, partition_count));
    shard_0.record_durable(&record, START);
    let CatalogueRecord::Altering(pending) = record else { panic!("{record:?}") };
    pending
}

fn opened_as(descriptor: &TopicDescriptor) -> CatalogueMessage {
    CatalogueMessage::Opened { topic: descriptor.id(), revision: descriptor.revision() }
}

fn served(shard_0: &Coordinator, topic: TopicId) -> u32 {
    let mut live = shard_0.durable().live_topics(topic);
    live.next().expect("it is live").revision()
}

#[test]
fn an_altered_description_is_in_force_when_all_owners_of_old_and_new_partitions_have_taken_it_over() {
    let mut shard_0 = new();
    let topic = live(&mut shard_0, 1, "pay");
    let record = appended(&alter(&mut shard_0, 2, topic, 3));
    let CatalogueRecord::Altering(pending) = &record else { panic!("{record:?}") };
    assert_eq!(pending.placement(), [ShardId(0), ShardId(1), ShardId(2)]);
    let actions = shard_0.record_durable(&record, START);
    let open = CatalogueMessage::Open { version: 3, descriptor: pending.clone() };
    assert_eq!(sends(&actions), [(0, open.clone()), (1, open.clone()), (2, open)], "nothing is published yet");
    assert_eq!(served(&shard_0, topic), 1);
    let record = all_answer(&mut shard_0, topic, &opened_as(pending));
    assert_eq!((&record, served(&shard_0, topic)), (&CatalogueRecord::Live(topic), 1));
    let actions = shard_0.record_durable(&record, START);
    assert_eq!(replies(&actions), [(2, CatalogueReply::Altered(pending.clone()))]);
    let publish = CatalogueMessage::Publish { version: 4, previous: 2, descriptor: pending.clone() };
    assert_eq!(sends(&actions), [(1, publish.clone()), (2, publish)]);
    assert_eq!((served(&shard_0, topic), shard_0.change_count(), shard_0.next_deadline()), (2, 0, None));
}

#[test]
fn a_late_answer_about_an_older_description_does_not_count() {
    let mut shard_0 = new();
    let topic = live(&mut shard_0, 1, "pay");
    let pending = altering(&mut shard_0, 2, topic, 4);
    for shard in 0..3 {
        assert_eq!(shard_0.message(ShardId(shard), &opened(topic)), [], "it is about the first description");
    }
    let due = START.plus_ns(CATALOGUE_RESEND_NS);
    assert_eq!(receivers(&shard_0.tick(due)), [0, 1, 2], "nobody has answered");
    let record = all_answer(&mut shard_0, topic, &opened_as(&pending));
    shard_0.record_durable(&record, START);
    let next = altering(&mut shard_0, 3, topic, 5);
    assert_eq!(next.revision(), 3);
    assert_eq!(shard_0.message(ShardId(0), &opened_as(&pending)), []);
    assert_eq!(receivers(&shard_0.tick(due.plus_ns(CATALOGUE_RESEND_NS))), [0, 1, 2]);
}

#[test]
fn what_is_as_it_is_to_be_is_answered_at_once() {
    let mut shard_0 = new();
    let topic = live(&mut shard_0, 1, "pay");
    let descriptor = shard_0.durable().topic(topic).expect("there").descriptor.clone();
    assert_eq!(alter(&mut shard_0, 2, topic, 2), replied(2, CatalogueReply::Altered(descriptor)));
    assert_eq!(shard_0.change_count(), 0);
}

#[test]
fn whoever_asks_for_a_topic_that_is_being_changed_asks_again() {
    let mut shard_0 = new();
    let working = |number| replied(number, CatalogueReply::StillWorking);
    let created = appended(&create(&mut shard_0, request(1), "pay", 2));
    let topic = created.topic();
    assert_eq!(alter(&mut shard_0, 2, topic, 3), working(2), "while it is created");
    shard_0.record_durable(&created, START);
    let record = all_answer(&mut shard_0, topic, &opened(topic));
    assert_eq!(alter(&mut shard_0, 3, topic, 3), working(3), "before its last record is durable");
    shard_0.record_durable(&record, START);

    let pending = altering(&mut shard_0, 4, topic, 3);
    assert_eq!(alter(&mut shard_0, 5, topic, 3), working(5), "also for the same");
    assert_eq!(shard_0.delete(request(6), topic, START), working(6));
    let taken = replied(7, CatalogueReply::NameTaken { topic });
    assert_eq!(create(&mut shard_0, request(7), "pay", 2), taken, "it is live all the time");
    let record = all_answer(&mut shard_0, topic, &opened_as(&pending));
    assert_eq!(alter(&mut shard_0, 8, topic, 3), working(8));
    shard_0.record_durable(&record, START);
    assert_eq!(alter(&mut shard_0, 9, topic, 3), replied(9, CatalogueReply::Altered(pending)));

    deleting(&mut shard_0, 10, topic);
    assert_eq!(alter(&mut shard_0, 11, topic, 4), working(11), "while it is deleted");
    let record = all_answer(&mut shard_0, topic, &CatalogueMessage::Closed { topic });
    shard_0.record_durable(&record, START);
    assert_eq!(alter(&mut shard_0, 12, topic, 4), replied(12, CatalogueReply::NotFound(topic)));
}

#[test]
fn alterations_that_cannot_be_are_refused_with_the_reason() {
    let mut shard_0 = new();
    let topic = live(&mut shard_0, 1, "pay");
    assert_eq!(alter(&mut shard_0, 2, TopicId(77), 3), replied(2, CatalogueReply::NotFound(TopicId(77))));
    let lowered = CatalogueReply::InvalidPartitionCount { asked: 1, least: 2, most: TOPIC_PARTITION_COUNT_MAX };
    assert_eq!(alter(&mut shard_0, 3, topic, 1), replied(3, lowered));
    let change = TopicChange { segment_bytes: Some(1), ..TopicChange::default() };
    let (least, most) = Setting::SegmentBytes.bounds().into_inner();
    let error = SettingOutOfBounds { setting: Setting::SegmentBytes, asked: 1, least, most };
    let refused = replied(4, CatalogueReply::InvalidSetting(error));
    assert_eq!(shard_0.alter(request(4), topic, &change, START), refused);
    shard_0.fail_all();
    assert_eq!(alter(&mut shard_0, 5, topic, 3), replied(5, CatalogueReply::Unavailable));
}

#[test]
fn a_restart_at_any_step_of_an_alteration_continues_where_the_journal_ends() {
    let mut shard_0 = new();
    let topic = live(&mut shard_0, 1, "pay");
    let record = appended(&alter(&mut shard_0, 2, topic, 3));
    assert_eq!(restarted(&shard_0).resume(START), [], "what was not durable never happened");
    shard_0.record_durable(&record, START);
    let CatalogueRecord::Altering(pending) = record else { panic!("{record:?}") };
    shard_0.message(ShardId(1), &opened_as(&pending));

    let mut shard_0 = restarted(&shard_0);
    assert_eq!(served(&shard_0, topic), 1);
    let open = CatalogueMessage::Open { version: 3, descriptor: pending.clone() };
    assert_eq!(sends(&shard_0.resume(START)), [(0, open.clone()), (1, open.clone()), (2, open)], "all are asked again");
    assert_eq!(shard_0.delete(request(3), topic, START), replied(3, CatalogueReply::StillWorking));
    let record = all_answer(&mut shard_0, topic, &opened_as(&pending));
    let mut again = restarted(&shard_0);
    assert_eq!(receivers(&again.resume(START)), [0, 1, 2], "the last record was not durable");
    shard_0.record_durable(&record, START);
    let mut shard_0 = restarted(&shard_0);
    assert_eq!((shard_0.resume(START), served(&shard_0, topic)), (vec![], 2));
}

#[test]
fn a_failed_shard_tells_who_waits_for_an_alteration_that_its_outcome_is_unknown() {
    let mut shard_0 = new();
    let topic = live(&mut shard_0, 1, "pay");
    let pending = altering(&mut shard_0, 2, topic, 3);
    assert_eq!(replies(&shard_0.fail_all()), [(2, CatalogueReply::OutcomeUnknown)]);
    assert_eq!(shard_0.message(ShardId(0), &opened_as(&pending)), []);
    assert_eq!(served(&shard_0, topic), 1, "what is durable is still told");
}
