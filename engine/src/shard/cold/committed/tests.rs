//! What is kept of a search is bounded.

use super::*;
use crate::model::{ProducerEpoch, ProducerId, Realtime, RequestId, TopicId, TransactionKey};
use crate::shard::OffsetAt;
use crate::shard::cold::waiting::Waiter;

/// The marker at an offset, of the aborted transaction of a producer that began there.
fn marker(at: u64, producer: u64, first: u64) -> HeldBatch {
    let transaction = TransactionKey { producer: ProducerId(producer), epoch: ProducerEpoch(0) };
    let marker = Marker { transaction, outcome: TransactionOutcome::Aborted, first_offset: Offset(first) };
    let offset = Offset(at);
    let bytes = marker.build(0).freeze();
    HeldBatch { base_offset: offset, last_offset: offset, append_time: Realtime(0), undecided: 0, bytes }
}

#[test]
fn what_is_kept_of_aborted_transactions_is_bounded_and_tells_of_the_front() {
    let asked = Offset(10);
    let mut search = AbortSearch::beginning_at(asked);
    let many = 3 * ABORTED_KEPT_MAX as u64;
    // Those that begin later end earlier.
    let markers: Vec<_> = (0..many).map(|i| marker(many + i, i, many - i)).collect();
    for batch in &markers {
        search.see(asked, std::iter::once(batch));
        assert!(search.aborted.len() <= ABORTED_KEPT_MAX);
    }
    assert!(search.known_to > asked && search.covers(asked) && !search.covers(search.known_to));
    let known: Vec<_> = search.aborted.iter().map(|aborted| aborted.first_offset.0).collect();
    assert_eq!(known, (1..search.known_to.0).rev().collect::<Vec<_>>(), "all of the front, as they ended");
}

#[test]
fn whoever_reads_on_lets_go_of_what_ended_before() {
    let mut search = AbortSearch::beginning_at(Offset(0));
    let many = 3 * ABORTED_KEPT_MAX as u64;
    for at in 1..many {
        search.see(Offset(at.saturating_sub(5)), std::iter::once(&marker(at, at, at - 1)));
    }
    assert!(search.aborted.len() <= ABORTED_KEPT_MAX && search.known_to == Offset(u64::MAX));
    assert!(search.covers(Offset(many - 5)) && !search.covers(Offset(0)));
}

fn partition(index: u32) -> PartitionId {
    PartitionId { topic: TopicId(1), index }
}

/// A search from `from` on that has seen up to `next`.
fn search(from: u64, next: u64) -> AbortSearch {
    let mut search = AbortSearch::beginning_at(Offset(from));
    search.see(Offset(from), std::iter::once(&marker(next - 1, 9, from)));
    search
}

#[test]
fn searches_of_several_places_are_kept_and_the_one_that_was_used_least_lately_goes() {
    let mut kept = KeptSearches::default();
    kept.keep(partition(0), search(0, 100));
    kept.keep(partition(0), search(40, 50));
    assert!(kept.tells(partition(0), Offset(45)) && !kept.tells(partition(0), Offset(100)));
    let taken = kept.take(partition(0), Offset(45)).expect("two cover it");
    assert_eq!(taken.next, Offset(100), "the one that tells most");
    kept.keep(partition(0), taken);
    for index in (1..).take(COLD_SEARCHES_MAX - 1) {
        kept.keep(partition(index), search(0, 10));
    }
    assert!(kept.take(partition(0), Offset(45)).is_some(), "it was used after the other one");
    assert!(kept.take(partition(0), Offset(45)).is_none());
}

#[test]
fn what_all_who_wait_have_found_is_bounded_and_what_is_kept_for_nobody_gives_way() {
    let mut cold = Cold::new();
    cold.searches.keep(partition(0), search(0, 10));
    let waiting = search(0, 20);
    cold.waiting_aborted_count = COLD_ABORTED_MAX - 1;
    assert!(cold.has_room_for(&waiting));
    assert_eq!(cold.searches.aborted_count(), 0);
    cold.waiting_aborted_count = COLD_ABORTED_MAX;
    assert!(!cold.has_room_for(&waiting));
}

#[test]
fn whoever_waits_counts_while_another_of_its_partition_has_its_turn() {
    let mut cold = Cold::new();
    for id in 0..3 {
        let want = Want::Offset { at: OffsetAt::Start };
        let waiter = Waiter { id: RequestId(id), want, from: Offset(0), search: Some(search(0, 10)) };
        cold.wait(partition(0), waiter);
    }
    let first = cold.take_first(partition(0)).expect("three wait");
    assert_eq!((first.id, cold.waiting_count, cold.waiting_aborted_count), (RequestId(0), 2, 2));
    cold.wait(partition(0), first);
    let second = cold.take_first(partition(0)).expect("three wait");
    cold.wait_in_front(partition(0), second);
    let order: Vec<_> = std::iter::from_fn(|| cold.take_first(partition(0))).map(|waiter| waiter.id.0).collect();
    assert_eq!((order, cold.waiting_count, cold.waiting_aborted_count), (vec![1, 2, 0], 0, 0));
    assert!(cold.waiting.is_empty());
}
