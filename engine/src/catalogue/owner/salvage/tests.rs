//! Records behind lost ones.

use super::*;
use crate::catalogue::{TopicChange, TopicSettings};

/// Every record that leads from an empty table through creations, alterations and deletions.
fn history() -> Vec<CatalogueRecord> {
    let mut state = OwnerState::new(3);
    let mut records = Vec::new();
    let mut apply = |state: &mut OwnerState, record: CatalogueRecord| {
        state.apply(&record).expect("planned");
        records.push(record);
    };
    let create = |state: &OwnerState, name| state.plan_create(name, 2, TopicSettings::default(), None).expect("room");
    let more = |partition_count| TopicChange { partition_count: Some(partition_count), ..TopicChange::default() };
    let creating = create(&state, "pay");
    let pay = creating.topic();
    apply(&mut state, creating);
    apply(&mut state, CatalogueRecord::Live(pay));
    let creating = create(&state, "refund");
    let refund = creating.topic();
    apply(&mut state, creating);
    apply(&mut state, CatalogueRecord::Live(refund));
    for partition_count in [3, 5] {
        let altering = state.plan_alter(refund, &more(partition_count)).expect("is live").expect("changes something");
        apply(&mut state, altering);
        apply(&mut state, CatalogueRecord::Live(refund));
    }
    apply(&mut state, CatalogueRecord::Deleting(pay));
    apply(&mut state, CatalogueRecord::Deleted(pay));
    let creating = create(&state, "pay");
    let again = creating.topic();
    apply(&mut state, creating);
    apply(&mut state, CatalogueRecord::Live(again));
    apply(&mut state, CatalogueRecord::Deleting(refund));
    apply(&mut state, CatalogueRecord::Deleted(refund));
    records
}

fn salvaged(records: &[CatalogueRecord]) -> OwnerState {
    let mut state = OwnerState::new(3);
    for record in records {
        state.salvage(record).unwrap_or_else(|error| panic!("{error}: {records:?}"));
    }
    state
}

fn section(state: &OwnerState) -> Vec<u8> {
    let mut out = Vec::new();
    state.encode(&mut out);
    out
}

#[test]
fn without_a_loss_records_are_taken_as_they_are() {
    let mut state = OwnerState::new(3);
    history().iter().for_each(|record| state.apply(record).expect("planned"));
    assert_eq!(salvaged(&history()), state);
}

#[test]
fn whatever_stretch_is_lost_the_rest_gives_a_table_that_a_manifest_can_hold() {
    let records = history();
    for from in 0..records.len() {
        for to in from + 1..=records.len() {
            let rest = [&records[..from], &records[to..]].concat();
            let mut state = salvaged(&rest);
            let counted = state.topics().map(|topic| topic.wanted().placement().len() as u64).sum::<u64>();
            assert_eq!(state.partition_counts.iter().sum::<u64>(), counted, "without {from}..{to}");
            // As a repair does: a manifest holds that ids are not more than records.
            state.skip((to - from) as u64).expect("room");
            assert_eq!(OwnerState::decode(3, &section(&state)).as_ref(), Ok(&state), "without {from}..{to}");
        }
    }
}

#[test]
fn the_name_of_a_lost_deletion_goes_to_the_topic_that_was_created_behind_it() {
    let records = history();
    let deletion = records.iter().position(|record| matches!(record, CatalogueRecord::Deleting(_))).expect("one");
    let rest = [&records[..deletion], &records[deletion + 2..deletion + 4]].concat();
    let state = salvaged(&rest);
    let topic = state.topic_named("pay").expect("it is there");
    assert_eq!((topic.descriptor.id(), topic.state), (TopicId(3), TopicState::Live));
    assert_eq!(state.topic(TopicId(1)), None);
    assert_eq!(state.topic_id_next(), TopicId(4));
}

#[test]
fn a_topic_whose_creation_is_lost_is_known_again_by_an_alteration() {
    let records = history();
    let altering = records.iter().position(|record| matches!(record, CatalogueRecord::Altering(_))).expect("one");
    let creating_next = CatalogueRecord::Creating(
        TopicDescriptor::new(TopicId(9), "next", vec![crate::model::ShardId(0)]).expect("a topic"),
    );
    let state = salvaged(&[creating_next, records[altering].clone()]);
    let topic = state.topic_named("refund").expect("it is there");
    assert_eq!((topic.state, topic.descriptor.revision()), (TopicState::Creating, 2));
    assert_eq!(topic.descriptor.partition_count(), 3);
}

#[test]
fn what_no_loss_explains_is_refused_and_changes_nothing() {
    let mut state = salvaged(&history()[..4]);
    let before = state.clone();
    let low = TopicDescriptor::new(TopicId(1), "other", vec![crate::model::ShardId(0)]).expect("a topic");
    let far = TopicDescriptor::new(TopicId(7), "other", vec![crate::model::ShardId(3)]).expect("a topic");
    assert!(state.salvage(&CatalogueRecord::Creating(low)).is_err(), "its id was given out");
    assert!(state.salvage(&CatalogueRecord::Creating(far)).is_err(), "no directory of three has shard 3");
    assert_eq!(state, before);
    state.salvage(&CatalogueRecord::Deleting(TopicId(1))).expect("it is live");
    assert!(state.salvage(&CatalogueRecord::Live(TopicId(1))).is_err(), "it is being deleted");
    assert!(state.salvage(&CatalogueRecord::Deleting(TopicId(1))).is_err(), "it is being deleted already");
}
