//! An owner's answers to lost, doubled and late messages, and its manifest section.

use proptest::prelude::*;

use super::*;
use crate::catalogue::TopicSettings;

const SHARD: ShardId = ShardId(1);

fn topic(id: u64) -> TopicDescriptor {
    TopicDescriptor::new(TopicId(id), &format!("t{id}"), vec![ShardId(0), SHARD, SHARD]).expect("valid")
}

/// The description that follows, with a partition more on this shard.
fn altered(before: &TopicDescriptor) -> TopicDescriptor {
    let settings = TopicSettings { retention_ns: Some(9), ..TopicSettings::default() };
    before.altered(settings, &[ShardId(0), SHARD]).expect("valid").expect("there are more revisions")
}

fn opened(id: u64) -> CatalogueMessage {
    CatalogueMessage::Opened { topic: TopicId(id), revision: 1 }
}

fn closed(id: u64) -> CatalogueMessage {
    CatalogueMessage::Closed { topic: TopicId(id) }
}

fn appended(action: OwnedAction) -> OwnedRecord {
    match action {
        OwnedAction::Append(record) => record,
        OwnedAction::Answer(_) | OwnedAction::Wait | OwnedAction::Refuse(_) => panic!("not appended: {action:?}"),
    }
}

/// Opens topic `id` durably, asked at `version`.
fn open(owned: &mut OwnedPartitions, version: u64, id: u64) {
    let record = appended(owned.on_open(version, &topic(id)));
    assert_eq!(owned.record_durable(&record), opened(id));
}

/// Closes topic `id` durably, asked at `version`.
fn close(owned: &mut OwnedPartitions, version: u64, id: u64) {
    let record = appended(owned.on_close(version, TopicId(id)));
    assert_eq!(owned.record_durable(&record), closed(id));
}

fn new() -> OwnedPartitions {
    OwnedPartitions::new(OwnedState::new(SHARD))
}

fn restarted(owned: &OwnedPartitions) -> OwnedPartitions {
    let mut section = Vec::new();
    owned.durable().encode(&mut section);
    let recovered = OwnedState::decode(SHARD, &section).expect("own bytes");
    assert_eq!(&recovered, owned.durable());
    OwnedPartitions::new(recovered)
}

#[test]
fn an_open_is_answered_only_when_it_is_durable() {
    let mut owned = new();
    let record = appended(owned.on_open(1, &topic(1)));
    assert_eq!(owned.on_open(1, &topic(1)), OwnedAction::Wait);
    assert_eq!((owned.ahead().topics().count(), owned.durable().topics().count()), (1, 0));
    assert_eq!(owned.record_durable(&record), opened(1));
    assert_eq!(owned.on_open(2, &topic(1)), OwnedAction::Answer(opened(1)));
    let partitions = owned.durable().partitions().map(|partition| partition.index).collect::<Vec<_>>();
    assert_eq!(partitions, [1, 2]);
}

#[test]
fn a_close_is_answered_only_when_it_is_durable() {
    let mut owned = new();
    open(&mut owned, 1, 1);
    let record = appended(owned.on_close(3, TopicId(1)));
    assert_eq!(owned.on_close(3, TopicId(1)), OwnedAction::Wait);
    assert_eq!(owned.durable().topics().count(), 1);
    assert_eq!(owned.record_durable(&record), closed(1));
    assert_eq!(owned.on_close(4, TopicId(1)), OwnedAction::Answer(closed(1)));
}

#[test]
fn a_late_open_after_a_close_does_not_resurrect() {
    let mut owned = new();
    open(&mut owned, 1, 1);
    let record = appended(owned.on_close(3, TopicId(1)));
    assert_eq!(owned.on_open(2, &topic(1)), OwnedAction::Refuse(OwnedRefusal::Stale), "while it closes");
    owned.record_durable(&record);
    assert_eq!(owned.on_open(2, &topic(1)), OwnedAction::Refuse(OwnedRefusal::Stale), "when it is closed");
    let mut owned = restarted(&owned);
    assert_eq!(owned.on_open(2, &topic(1)), OwnedAction::Refuse(OwnedRefusal::Stale), "after a restart");
    assert_eq!(owned.on_close(5, TopicId(1)), OwnedAction::Answer(closed(1)));
}

#[test]
fn the_next_description_replaces_the_one_before_and_counts_when_it_is_durable() {
    let mut owned = new();
    open(&mut owned, 1, 1);
    let next = altered(&topic(1));
    assert!(owned.is_news(&next) && !owned.is_news(&topic(1)));
    let record = appended(owned.on_open(3, &next));
    assert_eq!(owned.on_open(3, &next), OwnedAction::Wait);
    assert_eq!(owned.on_open(2, &topic(1)), OwnedAction::Refuse(OwnedRefusal::Stale), "a late Open");
    assert_eq!(owned.in_force(TopicId(1)), Some(&topic(1)));
    let answer = CatalogueMessage::Opened { topic: TopicId(1), revision: 2 };
    assert_eq!(owned.record_durable(&record), answer);
    assert_eq!(owned.in_force(TopicId(1)), Some(&next));
    assert_eq!(owned.on_open(3, &next), OwnedAction::Answer(answer));
    let partitions = owned.durable().partitions().map(|partition| partition.index).collect::<Vec<_>>();
    assert_eq!(partitions, [1, 2, 4]);
    let mut owned = restarted(&owned);
    assert_eq!(owned.on_open(2, &topic(1)), OwnedAction::Refuse(OwnedRefusal::Stale), "after a restart");
    close(&mut owned, 5, 1);
    assert_eq!(owned.on_open(3, &next), OwnedAction::Refuse(OwnedRefusal::Stale), "when it is closed");
}

#[test]
fn a_shard_that_gets_its_first_partition_by_an_alteration_begins_with_that_description() {
    let mut owned = new();
    let elsewhere = TopicDescriptor::new(TopicId(1), "t1", vec![ShardId(0)]).expect("valid");
    let next = altered(&elsewhere);
    let record = appended(owned.on_open(3, &next));
    assert_eq!(owned.in_force(TopicId(1)), Some(&next), "nothing else is known yet");
    assert_eq!(owned.record_durable(&record), CatalogueMessage::Opened { topic: TopicId(1), revision: 2 });
    assert_eq!(owned.durable().partitions().map(|partition| partition.index).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_restart_before_the_close_is_durable_leaves_the_topic_open() {
    let mut owned = new();
    open(&mut owned, 1, 1);
    appended(owned.on_close(3, TopicId(1)));
    let mut owned = restarted(&owned);
    assert_eq!(owned.on_open(2, &topic(1)), OwnedAction::Answer(opened(1)), "shard 0 ignores it while deleting");
    close(&mut owned, 3, 1);
    assert_eq!(owned.on_open(2, &topic(1)), OwnedAction::Refuse(OwnedRefusal::Stale));
}

#[test]
fn an_open_that_a_close_of_another_topic_overtook_succeeds_when_it_is_sent_again() {
    let mut owned = new();
    open(&mut owned, 1, 1);
    close(&mut owned, 6, 1);
    assert_eq!(owned.on_open(4, &topic(2)), OwnedAction::Refuse(OwnedRefusal::Stale));
    open(&mut owned, 6, 2);
}

#[test]
fn closed_topics_leave_one_number_behind() {
    let mut owned = new();
    for round in 0..10_000 {
        open(&mut owned, 4 * round + 1, round + 1);
        close(&mut owned, 4 * round + 3, round + 1);
    }
    let mut section = Vec::new();
    owned.ahead().encode(&mut section);
    assert_eq!(section.len(), 12);
    assert_eq!(owned.on_open(4 * 9_999 + 1, &topic(10_000)), OwnedAction::Refuse(OwnedRefusal::Stale));
}

#[test]
fn opens_that_contradict_the_placement_are_refused() {
    let mut owned = new();
    open(&mut owned, 1, 1);
    let other = TopicDescriptor::new(TopicId(1), "other", vec![SHARD]).expect("valid");
    assert_eq!(owned.on_open(2, &other), OwnedAction::Refuse(OwnedRefusal::OtherDescriptor));
    let other = altered(&other);
    assert_eq!(owned.on_open(2, &other), OwnedAction::Refuse(OwnedRefusal::OtherDescriptor));
    let skipped = altered(&altered(&topic(1)));
    assert_eq!(owned.on_open(2, &skipped), OwnedAction::Refuse(OwnedRefusal::OtherDescriptor));
    let elsewhere = TopicDescriptor::new(TopicId(2), "elsewhere", vec![ShardId(0)]).expect("valid");
    assert_eq!(owned.on_open(2, &elsewhere), OwnedAction::Refuse(OwnedRefusal::NotPlacedHere));
    for id in 2..=TOPIC_COUNT_MAX as u64 {
        open(&mut owned, 2, id);
    }
    assert_eq!(owned.on_open(2, &topic(9_999)), OwnedAction::Refuse(OwnedRefusal::TooManyTopics));
}

#[test]
fn impossible_records_are_refused_and_change_nothing() {
    let mut owned = new();
    open(&mut owned, 1, 1);
    let state = owned.durable();
    let elsewhere = TopicDescriptor::new(TopicId(2), "elsewhere", vec![ShardId(0)]).expect("valid");
    for (record, expected) in [
        (OwnedRecord::Opened(topic(1)), Impossible::NotNext),
        (OwnedRecord::Opened(altered(&altered(&topic(1)))), Impossible::NotNext),
        (OwnedRecord::Opened(elsewhere), Impossible::NotPlacedHere),
        (OwnedRecord::Closed { topic: TopicId(2), version: 9 }, Impossible::NotOpen),
    ] {
        let mut after = state.clone();
        let reason = expected;
        let error = CatalogueError::ImpossibleRecord { topic: record.topic(), reason };
        assert_eq!(after.apply(&record), Err(error));
        assert_eq!(&after, state);
    }
}

#[test]
fn a_manifest_section_has_these_golden_bytes_and_refuses_others() {
    let mut owned = new();
    open(&mut owned, 1, 1);
    close(&mut owned, 3, 1);
    open(&mut owned, 5, 2);
    open(&mut owned, 5, 3);
    let mut section = Vec::new();
    owned.ahead().encode(&mut section);
    let hex = section.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let settings = "00001000 0000001000000000 0000000000000000 0000000000000000";
    let second = format!("0200000000000000 0300000002000000 01000000{settings} 000001000100 7432");
    let third = format!("0300000000000000 0300000002000000 01000000{settings} 000001000100 7433");
    assert_eq!(hex, format!("030000000000000002000000{second}{third}").replace(' ', ""));

    for length in 0..section.len() {
        assert_eq!(OwnedState::decode(SHARD, &section[..length]), Err(SectionError::Truncated), "{length} bytes");
    }
    assert_eq!(OwnedState::decode(ShardId(2), &section), Err(SectionError::Placement { topic: TopicId(2) }));
    let longer = [section.as_slice(), &[0]].concat();
    assert_eq!(OwnedState::decode(SHARD, &longer), Err(SectionError::Leftover { left_bytes: 1 }));
    section[12] = 3;
    assert_eq!(OwnedState::decode(SHARD, &section), Err(SectionError::Order { topic: TopicId(3) }));
}

fn section(state: &OwnedState) -> Vec<u8> {
    let mut section = Vec::new();
    state.encode(&mut section);
    section
}

/// Some topics, each altered so many times, and the highest version of a Close.
fn any_state() -> impl Strategy<Value = OwnedState> {
    (any::<u64>(), prop::collection::btree_map(any::<u64>(), 0..4_u8, 0..12)).prop_map(|(version, topics)| {
        let mut state = OwnedState::new(SHARD);
        let gone = topic(0);
        state.apply(&OwnedRecord::Opened(gone.clone())).expect("it is placed here");
        state.apply(&OwnedRecord::Closed { topic: gone.id(), version }).expect("it is open");
        for (id, alterations) in topics {
            let described = (0..alterations).fold(topic(id), |before, _| altered(&before));
            state.apply(&OwnedRecord::Opened(described)).expect("it is placed here");
        }
        state
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_state_survives_its_encoding(state in any_state()) {
        prop_assert_eq!(OwnedState::decode(SHARD, &section(&state)), Ok(state));
    }

    #[test]
    fn arbitrary_sections_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = OwnedState::decode(SHARD, &bytes);
    }

    #[test]
    fn a_damaged_section_is_refused_or_means_exactly_its_bytes(
        state in any_state(), position in any::<prop::sample::Index>(), flip in 1u8..,
    ) {
        let mut damaged = section(&state);
        let position = position.index(damaged.len());
        damaged[position] ^= flip;
        if let Ok(state) = OwnedState::decode(SHARD, &damaged) {
            prop_assert_eq!(section(&state), damaged);
        }
    }
}

#[test]
fn what_shard_0_knows_is_taken_over_if_it_is_of_the_same_topic() {
    let mut state = OwnedState::new(SHARD);
    let (first, second) = (topic(1), altered(&topic(1)));
    let third = altered(&second);
    state.restore(&first).unwrap();
    state.restore(&third).expect("alterations in between may be lost");
    state.restore(&second).expect("shard 0 may know less");
    assert_eq!(state.topic(TopicId(1)), Some(&third));
    let refused = |descriptor: TopicDescriptor, reason| {
        let topic = descriptor.id();
        let error = state.clone().restore(&descriptor).unwrap_err();
        assert_eq!(error, CatalogueError::ImpossibleRecord { topic, reason });
    };
    let named = TopicDescriptor::new(TopicId(1), "other", vec![ShardId(0), SHARD, SHARD]).unwrap();
    refused(named, Impossible::NotNext);
    let moved = TopicDescriptor::new(TopicId(1), "t1", vec![SHARD, SHARD]).unwrap();
    refused(moved, Impossible::NotNext);
    refused(TopicDescriptor::new(TopicId(2), "t2", vec![ShardId(0)]).unwrap(), Impossible::NotPlacedHere);
}
