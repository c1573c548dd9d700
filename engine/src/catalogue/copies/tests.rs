//! Copies that start late, lose messages, or get them twice.

use super::*;
use crate::catalogue::{CatalogueAction, CatalogueRecord, Coordinator, OwnerState, TopicSettings};
use crate::limits::CATALOGUE_PENDING_MAX;
use crate::model::ShardId;

/// Shard 0 with topics 1 to `topic_count` live.
fn table(topic_count: usize) -> OwnerState {
    let mut state = OwnerState::new(2);
    for number in 0..topic_count {
        let record = state.plan_create(&format!("t{number}"), 1, TopicSettings::default(), None).expect("room");
        state.apply(&record).expect("planned");
        state.apply(&CatalogueRecord::Live(record.topic())).expect("was creating");
    }
    state
}

fn sent(actions: Vec<CatalogueAction>) -> Vec<CatalogueMessage> {
    let message = |action| match action {
        CatalogueAction::Send { message, .. } => Some(message),
        CatalogueAction::Append(_) | CatalogueAction::Reply { .. } => None,
    };
    actions.into_iter().filter_map(message).collect()
}

fn answers(shard_0: &mut Coordinator, request: &CatalogueMessage) -> Vec<CatalogueMessage> {
    sent(shard_0.message(ShardId(1), request))
}

fn descriptor(id: u64) -> TopicDescriptor {
    TopicDescriptor::new(TopicId(id), &format!("t{id}"), vec![ShardId(1)]).expect("valid")
}

/// Copies that are complete and empty.
fn empty() -> TopicCopies {
    let mut copies = TopicCopies::new();
    let cursor = CopyCursor::default();
    copies.message(&CatalogueMessage::CopyPart { cursor, descriptor: None, ask_again: false }, Monotonic(0));
    assert_eq!(copies.version(), Some(0));
    copies
}

#[test]
fn a_shard_that_starts_gets_a_whole_copy_page_by_page() {
    for topic_count in [0, 1, CATALOGUE_PENDING_MAX - 1, CATALOGUE_PENDING_MAX, 3 * CATALOGUE_PENDING_MAX + 1] {
        let mut shard_0 = Coordinator::new(table(topic_count));
        let mut copies = TopicCopies::new();
        let mut requests = 0;
        while let Some(request) = copies.tick(Monotonic(5)) {
            requests += 1;
            assert_eq!(copies.version(), None, "incomplete copies are not shown");
            let answers = answers(&mut shard_0, &request);
            assert!(answers.len() <= CATALOGUE_PENDING_MAX);
            answers.iter().for_each(|answer| copies.message(answer, Monotonic(5)));
        }
        assert_eq!(requests, topic_count / CATALOGUE_PENDING_MAX + 1);
        assert_eq!(copies.version(), Some(shard_0.durable().live_version()));
        assert!(copies.topics().eq(shard_0.durable().live_topics(TopicId(0))));
        let request = copies.tick(copies.next_deadline()).expect("asks again after a while");
        assert_eq!(answers_count(&mut shard_0, &request), 0, "nothing is missing");
    }
}

fn answers_count(shard_0: &mut Coordinator, request: &CatalogueMessage) -> usize {
    answers(shard_0, request).len()
}

#[test]
fn a_copy_survives_lost_and_doubled_parts() {
    let mut shard_0 = Coordinator::new(table(100));
    let mut copies = TopicCopies::new();
    let mut number = 0;
    let mut now = Monotonic(0);
    while copies.version().is_none() {
        if let Some(request) = copies.tick(now) {
            for answer in answers(&mut shard_0, &request) {
                number += 1;
                if number % 7 != 0 {
                    copies.message(&answer, now);
                    copies.message(&answer, now);
                }
            }
        }
        now = copies.next_deadline();
        assert!(number < 5_000, "every request gets further");
    }
    assert_eq!(copies.topics().count(), 100);
}

#[test]
fn changes_are_taken_in_order_and_only_once() {
    let mut copies = empty();
    let now = Monotonic(9);
    let publish = |id, version, previous| CatalogueMessage::Publish { version, previous, descriptor: descriptor(id) };
    let retract = CatalogueMessage::Retract { version: 7, previous: 4, topic: TopicId(1) };
    copies.message(&publish(1, 2, 0), now);
    copies.message(&publish(2, 4, 2), now);
    copies.message(&retract, now);
    let ids = |copies: &TopicCopies| copies.topics().map(|topic| topic.id().0).collect::<Vec<_>>();
    assert_eq!((ids(&copies), copies.version()), (vec![2], Some(7)));
    copies.message(&publish(1, 2, 0), now);
    copies.message(&retract, now);
    assert_eq!((ids(&copies), copies.version()), (vec![2], Some(7)), "a late Publish does not resurrect");
    assert!(copies.topic_named("t1").is_none() && copies.topic_named("t2").is_some());
    assert_eq!(copies.topic(TopicId(2)).map(TopicDescriptor::name), Some("t2"));
}

#[test]
fn a_publish_of_a_known_topic_replaces_its_description_also_when_there_are_as_many_as_there_may_be() {
    let mut copies = empty();
    let now = Monotonic(9);
    let publish =
        |descriptor: TopicDescriptor, version| CatalogueMessage::Publish { version, previous: version - 1, descriptor };
    for id in 1..=TOPIC_COUNT_MAX as u64 {
        copies.message(&publish(descriptor(id), id), now);
    }
    let altered = descriptor(7).altered(TopicSettings::default(), &[ShardId(0)]).expect("valid").expect("more");
    let version = TOPIC_COUNT_MAX as u64 + 1;
    copies.message(&publish(altered.clone(), version), now);
    assert_eq!((copies.topic(TopicId(7)), copies.version()), (Some(&altered), Some(version)));
    assert_eq!(copies.topic_named("t7"), Some(&altered));
    copies.message(&publish(descriptor(7), 7), now);
    assert_eq!(copies.topic(TopicId(7)), Some(&altered), "a late Publish brings no older description back");
}

#[test]
fn a_lost_change_is_noticed_by_the_next_one() {
    let mut copies = empty();
    assert!(copies.tick(Monotonic(1)).is_some());
    assert!(copies.tick(Monotonic(2)).is_none());
    copies.message(&CatalogueMessage::Publish { version: 4, previous: 2, descriptor: descriptor(2) }, Monotonic(3));
    assert_eq!((copies.version(), copies.topics().count()), (Some(0), 0), "a gap is not filled by guessing");
    let cursor = CopyCursor::default();
    assert_eq!(copies.tick(Monotonic(3)), Some(CatalogueMessage::CopyRequest { have: Some(0), cursor }));
}

#[test]
fn a_newer_copy_replaces_one_that_is_being_received() {
    let mut copies = TopicCopies::new();
    let part = |version, from, id: Option<u64>| CatalogueMessage::CopyPart {
        cursor: CopyCursor { version, from: TopicId(from) },
        descriptor: id.map(descriptor),
        ask_again: false,
    };
    let now = Monotonic(0);
    copies.message(&part(2, 0, Some(1)), now);
    copies.message(&part(4, 0, Some(3)), now);
    copies.message(&part(2, 2, None), now);
    assert_eq!(copies.version(), None);
    copies.message(&part(4, 4, None), now);
    let ids = copies.topics().map(|topic| topic.id().0).collect::<Vec<_>>();
    assert_eq!((ids, copies.version()), (vec![3], Some(4)));
}
