//! What is kept of a search is bounded.

use super::*;
use crate::model::{ProducerEpoch, ProducerId, Realtime, TransactionKey};

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
