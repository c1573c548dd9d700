//! The table's rules, replay and manifest section.

use proptest::prelude::*;

use super::*;
use crate::format::control::TopicError;

fn create(state: &mut OwnerState, name: &str, partition_count: u32) -> TopicId {
    let record = state.plan_create(name, partition_count).expect("can be created");
    state.apply(&record).expect("planned");
    record.topic()
}

fn live(state: &mut OwnerState, name: &str, partition_count: u32) -> TopicId {
    let topic = create(state, name, partition_count);
    state.apply(&CatalogueRecord::Live(topic)).expect("was creating");
    topic
}

fn delete(state: &mut OwnerState, topic: TopicId) {
    let record = state.plan_delete(topic).expect("is live");
    state.apply(&record).expect("planned");
    state.apply(&CatalogueRecord::Deleted(topic)).expect("was deleting");
}

fn section(state: &OwnerState) -> Vec<u8> {
    let mut out = Vec::new();
    state.encode(&mut out);
    out
}

fn refusal(state: &OwnerState, record: &CatalogueRecord) -> Impossible {
    let mut after = state.clone();
    let CatalogueError::ImpossibleRecord { topic, reason } = after.apply(record).expect_err("impossible");
    assert_eq!(topic, record.topic());
    assert_eq!(&after, state, "a refused record changes nothing");
    reason
}

#[test]
fn a_topic_is_created_served_and_deleted() {
    let mut state = OwnerState::new(2);
    let topic = create(&mut state, "pay", 3);
    let state_of = |state: &OwnerState| state.topic(topic).map(|topic| topic.state);
    assert_eq!(state_of(&state), Some(TopicState::Creating));
    assert_eq!(state.live_topics(TopicId(0)).count(), 0);
    state.apply(&CatalogueRecord::Live(topic)).expect("possible");
    assert_eq!((state_of(&state), state.live_version()), (Some(TopicState::Live), 2));
    assert_eq!(state.live_topics(TopicId(0)).count(), 1);
    state.apply(&CatalogueRecord::Deleting(topic)).expect("possible");
    assert_eq!((state_of(&state), state.live_version()), (Some(TopicState::Deleting), 3));
    assert_eq!(state.live_topics(TopicId(0)).count(), 0);
    assert!(state.topic_named("pay").is_some(), "the name is taken until the topic is gone");
    state.apply(&CatalogueRecord::Deleted(topic)).expect("possible");
    assert_eq!((state_of(&state), state.live_version(), state.version()), (None, 3, 4));
    assert!(state.topic_named("pay").is_none());
}

#[test]
fn ids_are_never_reused_after_deletion_and_restart() {
    let mut state = OwnerState::new(1);
    let first = live(&mut state, "pay", 1);
    delete(&mut state, first);
    let mut restarted = OwnerState::decode(1, &section(&state)).expect("own bytes");
    let second = live(&mut restarted, "pay", 1);
    assert!(second > first);
    assert_eq!(restarted.plan_delete(first), Err(DeleteError::Gone));
    assert_eq!(restarted.plan_delete(TopicId(second.0 + 1)), Err(DeleteError::NotFound));
    assert_eq!(restarted.plan_delete(TopicId(0)), Err(DeleteError::NotFound));
}

#[test]
fn names_are_unique_until_the_topic_is_gone() {
    let mut state = OwnerState::new(1);
    let topic = create(&mut state, "pay", 1);
    let taken = |state: &OwnerState| match state.plan_create("pay", 1) {
        Err(CreateError::NameTaken { topic, state }) => Some((topic, state)),
        _ => None,
    };
    assert_eq!(taken(&state), Some((topic, TopicState::Creating)));
    assert_eq!(state.plan_delete(topic), Err(DeleteError::Creating));
    state.apply(&CatalogueRecord::Live(topic)).expect("possible");
    assert_eq!(taken(&state), Some((topic, TopicState::Live)));
    state.apply(&CatalogueRecord::Deleting(topic)).expect("possible");
    assert_eq!(taken(&state), Some((topic, TopicState::Deleting)));
    assert_eq!(state.plan_delete(topic), Err(DeleteError::Deleting));
    state.apply(&CatalogueRecord::Deleted(topic)).expect("possible");
    assert_eq!(taken(&state), None);
}

#[test]
fn impossible_records_are_refused_and_change_nothing() {
    let mut state = OwnerState::new(2);
    let creating = create(&mut state, "creating", 1);
    let live = live(&mut state, "live", 1);
    let topic = |id, name, shard| {
        CatalogueRecord::Creating(TopicDescriptor::new(TopicId(id), name, vec![ShardId(shard)]).expect("valid"))
    };
    for (record, reason) in [
        (topic(2, "x", 0), Impossible::IdNotNext),
        (topic(4, "x", 0), Impossible::IdNotNext),
        (topic(3, "live", 0), Impossible::NameTaken),
        (topic(3, "x", 2), Impossible::ShardUnknown),
        (CatalogueRecord::Live(live), Impossible::NotCreating),
        (CatalogueRecord::Live(TopicId(3)), Impossible::NotCreating),
        (CatalogueRecord::Deleting(creating), Impossible::NotLive),
        (CatalogueRecord::Deleted(creating), Impossible::NotDeleting),
        (CatalogueRecord::Deleted(live), Impossible::NotDeleting),
        (CatalogueRecord::Deleted(TopicId(9)), Impossible::NotDeleting),
    ] {
        assert_eq!(refusal(&state, &record), reason, "{record:?}");
    }
    let mut exhausted = section(&OwnerState::new(1));
    exhausted[..8].fill(0xff);
    exhausted[16..24].fill(0xff);
    let exhausted = OwnerState::decode(1, &exhausted).expect("possible");
    assert_eq!(refusal(&exhausted, &topic(u64::MAX, "x", 0)), Impossible::Exhausted);
}

#[test]
fn creation_is_refused_outside_the_limits() {
    let mut state = OwnerState::new(1);
    assert_eq!(state.plan_create("a/b", 1), Err(CreateError::Name(TopicNameError::Character { position: 1 })));
    for partition_count in [0, TOPIC_PARTITION_COUNT_MAX + 1] {
        assert_eq!(state.plan_create("a", partition_count), Err(CreateError::PartitionCount { partition_count }));
    }
    for number in 0..TOPIC_COUNT_MAX {
        create(&mut state, &format!("t{number}"), 1);
    }
    assert_eq!(state.plan_create("a", 1), Err(CreateError::TooManyTopics));
    let next = TopicDescriptor::new(state.topic_id_next(), "a", vec![ShardId(0)]).expect("valid");
    assert_eq!(refusal(&state, &CatalogueRecord::Creating(next)), Impossible::TooManyTopics);
    assert_eq!(OwnerState::decode(1, &section(&state)), Ok(state));
}

#[test]
fn placement_begins_with_the_least_loaded_shard() {
    let mut state = OwnerState::new(3);
    let placement = |state: &OwnerState, topic| {
        let topic = state.topic(topic).expect("there");
        topic.descriptor.placement().iter().map(|shard| shard.0).collect::<Vec<_>>()
    };
    let first = live(&mut state, "a", 4);
    assert_eq!(placement(&state, first), [0, 1, 2, 0]);
    let second = live(&mut state, "b", 2);
    assert_eq!(placement(&state, second), [1, 2]);
    delete(&mut state, first);
    let third = create(&mut state, "c", 4);
    assert_eq!(placement(&state, third), [0, 1, 2, 0]);
}

#[test]
fn a_manifest_section_has_these_golden_bytes() {
    let mut state = OwnerState::new(2);
    live(&mut state, "ab", 3);
    create(&mut state, "c", 1);
    let hex = section(&state).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let counters = "0300000000000000 0200000000000000 0300000000000000 02000000";
    let first = "0100000000000000 02 0300000002000000 000001000000 6162";
    let second = "0200000000000000 01 0100000001000000 0100 63";
    assert_eq!(hex, format!("{counters}{first}{second}").replace(' ', ""));
}

#[test]
fn nonsense_in_a_manifest_section_is_refused() {
    let mut state = OwnerState::new(2);
    live(&mut state, "ab", 1);
    create(&mut state, "cd", 1);
    let good = section(&state);
    // Counters end at 28; a topic takes 8 + 1 + 8 + 2 + 2 bytes.
    let (first, second) = (TopicId(1), TopicId(2));
    for (position, byte, error) in [
        (0, 1, SectionError::Counters),
        (8, 4, SectionError::Counters),
        (16, 0, SectionError::Counters),
        (16, 2, SectionError::Order { topic: second }),
        (24, 3, SectionError::Truncated),
        (24, 1, SectionError::Leftover { left_bytes: 21 }),
        (27, 1, SectionError::TopicCount { topic_count: 0x0100_0002 }),
        (28, 0, SectionError::Order { topic: TopicId(0) }),
        (28, 2, SectionError::Order { topic: second }),
        (36, 0, SectionError::State { topic: first, state: 0 }),
        (36, 4, SectionError::State { topic: first, state: 4 }),
        (43, 1, SectionError::Topic { topic: first, error: TopicError::Reserved }),
        (45, 2, SectionError::Placement { topic: first }),
    ] {
        let mut damaged = good.clone();
        damaged[position] = byte;
        assert_eq!(OwnerState::decode(2, &damaged), Err(error), "byte {position}");
    }
    let mut twice = good.clone();
    let length = twice.len();
    twice[length - 2..].copy_from_slice(b"ab");
    assert_eq!(OwnerState::decode(2, &twice), Err(SectionError::NameTwice { topic: second }));
    for length in 0..good.len() {
        assert_eq!(OwnerState::decode(2, &good[..length]), Err(SectionError::Truncated), "{length} bytes");
    }
}

/// Drives a table with plans chosen by `choices`, and returns it with the records applied.
fn driven(shard_count: u16, choices: &[(u8, u8)]) -> (OwnerState, Vec<CatalogueRecord>) {
    let mut state = OwnerState::new(shard_count);
    let mut records = Vec::new();
    for (kind, which) in choices {
        let count = state.topic_count().max(1);
        let chosen = state.topics().nth(usize::from(*which) % count).map(|topic| topic.descriptor.id());
        let record = match (kind % 4, chosen) {
            (1, Some(topic)) => CatalogueRecord::Live(topic),
            (2, Some(topic)) => CatalogueRecord::Deleting(topic),
            (3, Some(topic)) => CatalogueRecord::Deleted(topic),
            _ => match state.plan_create(&format!("t{}", which % 16), u32::from(which % 7) + 1) {
                Ok(record) => record,
                Err(_) => continue,
            },
        };
        if state.apply(&record).is_ok() {
            records.push(record);
        }
    }
    (state, records)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn replay_of_records_from_any_manifest_gives_the_same_table(
        choices in prop::collection::vec(any::<(u8, u8)>(), 0..120), cut in any::<prop::sample::Index>(),
    ) {
        let (state, records) = driven(3, &choices);
        let cut = cut.index(records.len() + 1);
        let mut replayed = OwnerState::new(3);
        records[..cut].iter().for_each(|record| replayed.apply(record).expect("possible"));
        let mut replayed = OwnerState::decode(3, &section(&replayed)).expect("own bytes");
        records[cut..].iter().for_each(|record| replayed.apply(record).expect("possible"));
        prop_assert_eq!(section(&replayed), section(&state));
        prop_assert_eq!(replayed, state);
    }

    #[test]
    fn partitions_stay_balanced_while_topics_are_created(
        shard_count in 1u16..9, partition_counts in prop::collection::vec(1u32..40, 1..30),
    ) {
        let mut state = OwnerState::new(shard_count);
        for (number, partition_count) in partition_counts.into_iter().enumerate() {
            create(&mut state, &format!("t{number}"), partition_count);
            let (min, max) = (state.partition_counts.iter().min(), state.partition_counts.iter().max());
            prop_assert!(max.expect("shards") - min.expect("shards") <= 1);
        }
    }

    #[test]
    fn arbitrary_sections_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = OwnerState::decode(2, &bytes);
    }

    #[test]
    fn a_damaged_section_is_refused_or_means_exactly_its_bytes(
        choices in prop::collection::vec(any::<(u8, u8)>(), 0..40),
        position in any::<prop::sample::Index>(),
        flip in 1u8..,
    ) {
        let mut damaged = section(&driven(3, &choices).0);
        let position = position.index(damaged.len());
        damaged[position] ^= flip;
        if let Ok(state) = OwnerState::decode(3, &damaged) {
            prop_assert_eq!(section(&state), damaged);
        }
    }
}
