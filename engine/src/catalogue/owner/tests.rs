//! The table's rules, replay and manifest section.

use proptest::prelude::*;

use super::*;
use crate::catalogue::Setting;
use crate::format::control::{KeyRuleError, TopicError};
use crate::limits::{SEGMENT_BYTES_MIN, TOPIC_PARTITION_COUNT_MAX};

fn create_plan(state: &OwnerState, name: &str, partition_count: u32) -> Result<CatalogueRecord, CreateError> {
    state.plan_create(name, partition_count, TopicSettings::default(), None)
}

fn create(state: &mut OwnerState, name: &str, partition_count: u32) -> TopicId {
    let record = create_plan(state, name, partition_count).expect("can be created");
    state.apply(&record).expect("planned");
    record.topic()
}

fn live(state: &mut OwnerState, name: &str, partition_count: u32) -> TopicId {
    let topic = create(state, name, partition_count);
    state.apply(&CatalogueRecord::Live(topic)).expect("was creating");
    topic
}

/// Begins to alter a topic; the description that is to follow.
fn altering(state: &mut OwnerState, topic: TopicId, change: TopicChange) -> TopicDescriptor {
    let record = state.plan_alter(topic, &change).expect("is live").expect("changes something");
    state.apply(&record).expect("planned");
    let CatalogueRecord::Altering(pending) = record else { panic!("{record:?}") };
    pending
}

fn partitions(partition_count: u32) -> TopicChange {
    TopicChange { partition_count: Some(partition_count), ..TopicChange::default() }
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
fn an_altered_topic_is_served_under_the_old_description_until_the_new_one_is_in_force() {
    let mut state = OwnerState::new(2);
    let topic = live(&mut state, "pay", 2);
    let before = state.topic(topic).expect("there").descriptor.clone();
    let change = TopicChange { retention_ns: Some(Some(7)), ..partitions(3) };
    let pending = altering(&mut state, topic, change);
    assert_eq!((pending.revision(), pending.settings().retention_ns), (2, Some(7)));
    assert_eq!(pending.placement(), [ShardId(0), ShardId(1), ShardId(0)], "what is there stays where it is");
    assert_eq!(state.topic(topic).map(|topic| topic.state), Some(TopicState::Altering));
    assert_eq!(state.live_topics(TopicId(0)).collect::<Vec<_>>(), [&before]);
    assert_eq!((state.version(), state.live_version()), (3, 2), "what is shown has not changed yet");
    state.apply(&CatalogueRecord::Live(topic)).expect("possible");
    assert_eq!(state.live_topics(TopicId(0)).collect::<Vec<_>>(), [&pending]);
    assert_eq!((state.version(), state.live_version()), (4, 4));
    assert_eq!(state.topic(topic).map(|topic| topic.state), Some(TopicState::Live));

    let forever = TopicChange { retention_ns: Some(None), ..TopicChange::default() };
    let pending = altering(&mut state, topic, forever);
    assert_eq!((pending.revision(), pending.settings()), (3, &TopicSettings::default()));
    state.apply(&CatalogueRecord::Live(topic)).expect("possible");
    delete(&mut state, topic);
    assert_eq!(state.partition_counts, [0, 0], "every partition went with the topic");
}

#[test]
fn what_is_as_it_is_to_be_is_not_altered() {
    let mut state = OwnerState::new(1);
    let topic = live(&mut state, "pay", 2);
    let same = TopicChange {
        retention_bytes: Some(None),
        record_bytes_max: Some(TopicSettings::default().record_bytes_max),
        ..partitions(2)
    };
    assert_eq!(state.plan_alter(topic, &same), Ok(None));
    assert_eq!(state.plan_alter(topic, &TopicChange::default()), Ok(None));
}

#[test]
fn alterations_are_refused_outside_the_limits_and_while_the_topic_is_not_at_rest() {
    let mut state = OwnerState::new(1);
    assert_eq!(state.plan_alter(TopicId(1), &partitions(1)), Err(AlterError::NotFound));
    let topic = create(&mut state, "pay", 2);
    let under_way = |state| Err(AlterError::UnderWay { state });
    assert_eq!(state.plan_alter(topic, &partitions(3)), under_way(TopicState::Creating));
    state.apply(&CatalogueRecord::Live(topic)).expect("possible");
    for asked in [0, 1, TOPIC_PARTITION_COUNT_MAX + 1] {
        let refused = Err(AlterError::PartitionCount { asked, least: 2, most: TOPIC_PARTITION_COUNT_MAX });
        assert_eq!(state.plan_alter(topic, &partitions(asked)), refused, "{asked} partitions");
    }
    let tiny = TopicChange { record_bytes_max: Some(1), ..TopicChange::default() };
    let Err(AlterError::Setting(error)) = state.plan_alter(topic, &tiny) else { panic!("not refused") };
    assert_eq!((error.setting, error.asked), (Setting::RecordBytesMax, 1));
    altering(&mut state, topic, partitions(3));
    assert_eq!(state.plan_alter(topic, &partitions(4)), under_way(TopicState::Altering));
    assert_eq!(state.plan_delete(topic), Err(DeleteError::Altering));
    state.apply(&CatalogueRecord::Live(topic)).expect("possible");
    delete(&mut state, topic);
    assert_eq!(state.plan_alter(topic, &partitions(4)), Err(AlterError::NotFound));
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
    let taken = |state: &OwnerState| match create_plan(state, "pay", 1) {
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
    let altered = self::live(&mut state, "altered", 1);
    self::altering(&mut state, altered, partitions(2));
    let of = |id, name, shard| TopicDescriptor::new(id, name, vec![ShardId(shard)]).expect("valid");
    let topic = |id, name, shard| CatalogueRecord::Creating(of(TopicId(id), name, shard));
    let next = |before: &TopicDescriptor, added: &[u16]| {
        let added: Vec<_> = added.iter().map(|shard| ShardId(*shard)).collect();
        before.altered(TopicSettings::default(), &added).expect("valid").expect("more")
    };
    // Partitions were dealt out in turn, so the topic that is live has its one on shard 1.
    let altering = |id, added: &[u16]| CatalogueRecord::Altering(next(&of(id, "live", 1), added));
    for (record, reason) in [
        (topic(3, "x", 0), Impossible::IdNotNext),
        (topic(5, "x", 0), Impossible::IdNotNext),
        (topic(4, "live", 0), Impossible::NameTaken),
        (topic(4, "x", 2), Impossible::ShardUnknown),
        (CatalogueRecord::Live(live), Impossible::NotOpening),
        (CatalogueRecord::Live(TopicId(9)), Impossible::NotOpening),
        (altering(creating, &[]), Impossible::NotLive),
        (altering(altered, &[]), Impossible::NotLive),
        (altering(TopicId(9), &[]), Impossible::NotLive),
        (altering(live, &[2]), Impossible::ShardUnknown),
        (CatalogueRecord::Altering(of(live, "live", 0)), Impossible::NotNext),
        (CatalogueRecord::Altering(next(&of(live, "other", 1), &[])), Impossible::NotNext),
        (CatalogueRecord::Altering(next(&of(live, "live", 0), &[])), Impossible::NotNext),
        (CatalogueRecord::Deleting(altered), Impossible::NotLive),
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
    assert_eq!(create_plan(&state, "a/b", 1), Err(CreateError::Name(TopicNameError::Character { position: 1 })));
    for partition_count in [0, TOPIC_PARTITION_COUNT_MAX + 1] {
        assert_eq!(create_plan(&state, "a", partition_count), Err(CreateError::PartitionCount { partition_count }));
    }
    let settings = TopicSettings { segment_bytes: 1, ..TopicSettings::default() };
    let Err(CreateError::Setting(error)) = state.plan_create("a", 1, settings, None) else { panic!("not refused") };
    assert_eq!((error.setting, error.asked), (Setting::SegmentBytes, 1));
    for number in 0..TOPIC_COUNT_MAX {
        create(&mut state, &format!("t{number}"), 1);
    }
    assert_eq!(create_plan(&state, "a", 1), Err(CreateError::TooManyTopics));
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
    let pending = altering(&mut state, second, partitions(4));
    assert_eq!(pending.placement().iter().map(|shard| shard.0).collect::<Vec<_>>(), [1, 2, 0, 1]);
    let next = create(&mut state, "d", 1);
    assert_eq!(placement(&state, next), [2], "partitions that are to come count already");
}

#[test]
fn a_manifest_section_has_these_golden_bytes() {
    let mut state = OwnerState::new(2);
    let altered = live(&mut state, "ab", 3);
    create(&mut state, "c", 1);
    altering(&mut state, altered, TopicChange { retention_bytes: Some(Some(0x0102)), ..partitions(4) });
    let hex = section(&state).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let counters = "0400000000000000 0200000000000000 0300000000000000 02000000";
    let (chosen, kept) = ("00001000 0000001000000000", "0000000000000000 0000000000000000");
    let first = format!("0100000000000000 04 0300000002000000 01000000{chosen}{kept} 000001000000 6162");
    let retention = "0201000000000000 0000000000000000";
    let pending = format!("0400000002000000 02000000{chosen}{retention} 0000010000000000 6162");
    let second = format!("0200000000000000 01 0100000001000000 01000000{chosen}{kept} 0100 63");
    assert_eq!(hex, format!("{counters}{first}{pending}{second}").replace(' ', ""));
    assert_eq!(OwnerState::decode(2, &section(&state)), Ok(state));
}

#[test]
fn nonsense_in_a_manifest_section_is_refused() {
    let mut state = OwnerState::new(2);
    live(&mut state, "ab", 1);
    create(&mut state, "cd", 1);
    let good = section(&state);
    // Counters end at 28; a topic takes 8 + 1 + 40 + 2 + 2 bytes.
    let (first, second) = (TopicId(1), TopicId(2));
    for (position, byte, error) in [
        (0, 1, SectionError::Counters),
        (8, 4, SectionError::Counters),
        (16, 0, SectionError::Counters),
        (16, 2, SectionError::Order { topic: second }),
        (24, 3, SectionError::Truncated),
        (24, 1, SectionError::Leftover { left_bytes: 53 }),
        (27, 1, SectionError::TopicCount { topic_count: 0x0100_0002 }),
        (28, 0, SectionError::Order { topic: TopicId(0) }),
        (28, 2, SectionError::Order { topic: second }),
        (36, 0, SectionError::State { topic: first, state: 0 }),
        (36, 5, SectionError::State { topic: first, state: 5 }),
        (43, 1, SectionError::Topic { topic: first, error: TopicError::KeyRule(KeyRuleError::Bytes) }),
        (77, 2, SectionError::Placement { topic: first }),
    ] {
        let mut damaged = good.clone();
        damaged[position] = byte;
        assert_eq!(OwnerState::decode(2, &damaged), Err(error), "byte {position}");
    }
    altering(&mut state, first, partitions(2));
    let altered = section(&state);
    assert_eq!(altered[36], 4);
    for (position, byte) in [(81 + 8, 3), (81 + 40, 1), (81 + 44, b'x')] {
        let mut damaged = altered.clone();
        damaged[position] = byte;
        assert_eq!(OwnerState::decode(2, &damaged), Err(SectionError::Pending { topic: first }), "byte {position}");
    }
    let mut twice = good.clone();
    let length = twice.len();
    twice[length - 2..].copy_from_slice(b"ab");
    assert_eq!(OwnerState::decode(2, &twice), Err(SectionError::NameTwice { topic: second }));
    for length in 0..good.len() {
        assert_eq!(OwnerState::decode(2, &good[..length]), Err(SectionError::Truncated), "{length} bytes");
    }
}

/// Some change; it may be none.
fn change(which: u8) -> TopicChange {
    TopicChange {
        retention_ns: (which & 1 > 0).then_some(Some(u64::from(which) + 1)),
        segment_bytes: (which & 2 > 0).then_some(SEGMENT_BYTES_MIN),
        partition_count: (which & 4 > 0).then_some(u32::from(which >> 3)),
        ..TopicChange::default()
    }
}

/// Drives a table with plans chosen by `choices`, and returns it with the records applied.
fn driven(shard_count: u16, choices: &[(u8, u8)]) -> (OwnerState, Vec<CatalogueRecord>) {
    let mut state = OwnerState::new(shard_count);
    let mut records = Vec::new();
    for (kind, which) in choices {
        let count = state.topic_count().max(1);
        let chosen = state.topics().nth(usize::from(*which) % count).map(|topic| topic.descriptor.id());
        let record = match (kind % 5, chosen) {
            (1, Some(topic)) => CatalogueRecord::Live(topic),
            (2, Some(topic)) => CatalogueRecord::Deleting(topic),
            (3, Some(topic)) => CatalogueRecord::Deleted(topic),
            (4, Some(topic)) => match state.plan_alter(topic, &change(*which)) {
                Ok(Some(record)) => record,
                Ok(None) | Err(_) => continue,
            },
            _ => match create_plan(&state, &format!("t{}", which % 16), u32::from(which % 7) + 1) {
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
