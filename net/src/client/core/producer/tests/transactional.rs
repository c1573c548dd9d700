//! A transactional producer: one identity per transaction, and nothing that is stamped anew.

use florin_engine::model::{ProducerEpoch, ProducerId, TransactionKey};

use super::rig::{Rig, SECOND_NS, error, info, produced, record, refused_with, rules, stamps, stored, values};
use crate::client::SendError;
use crate::client::core::producer::{AppendError, BatchOutcome, ProducerRules};
use crate::protocol::Code;

fn key(epoch: u16) -> TransactionKey {
    TransactionKey { producer: ProducerId(9), epoch: ProducerEpoch(epoch) }
}

/// With two partitions, in a transaction.
fn begun() -> Rig {
    let mut rig = Rig::without_identity(ProducerRules { transactional: true, ..rules() }, vec![0, 0]);
    rig.core.begin(key(3));
    rig
}

fn is_broken(outcome: &BatchOutcome) -> bool {
    matches!(outcome, BatchOutcome::Failed(SendError::TransactionBroken { .. }))
}

#[test]
fn batches_are_parts_of_the_transaction_and_sequences_begin_with_it() {
    let mut rig = begun();
    let sent = rig.send_all(&["a", "b"]);
    assert!(sent.iter().all(|(bytes, _)| info(bytes).transaction() == Some(key(3))));
    assert_eq!(stamps(&sent), [(3, 0), (3, 1)]);
    rig.answer(sent[0].1, produced(10));
    rig.answer(sent[1].1, produced(11));
    assert_eq!(rig.outcomes(), [(0, stored(10)), (1, stored(11))]);
    rig.core.leave();
    rig.core.begin(key(4));
    assert_eq!(stamps(&rig.send_all(&["c"])), [(4, 0)]);
    assert!(rig.sent.identities.is_empty(), "the identity comes with the transaction");
}

#[test]
fn nothing_is_taken_without_a_transaction() {
    let mut rig = Rig::without_identity(ProducerRules { transactional: true, ..rules() }, vec![0]);
    assert_eq!(rig.try_send(&record(0, "a")), Err(AppendError::Never(SendError::NoTransaction)));
    rig.core.begin(key(3));
    assert!(rig.try_send(&record(0, "a")).is_ok());
    rig.core.leave();
    assert_eq!(rig.try_send(&record(0, "b")), Err(AppendError::Never(SendError::NoTransaction)));
    assert_eq!(rig.core.failure(), None, "a transaction that was left has not failed");
}

#[test]
fn the_same_bytes_are_sent_again_after_a_lost_answer() {
    let mut rig = begun();
    let sent = rig.send_all(&["a", "b"]);
    rig.lose(&sent);
    rig.wait(SECOND_NS);
    let again = rig.take();
    assert_eq!(again.len(), 2);
    assert!(again.iter().zip(&sent).all(|(again, sent)| again.0 == sent.0));
    again.iter().for_each(|(_, attempt)| rig.answer(*attempt, produced(10)));
    assert_eq!(rig.outcomes().len(), 2);
    assert_eq!(rig.core.failure(), None);
}

#[test]
fn one_record_that_is_refused_breaks_the_whole_transaction() {
    let mut rig = begun();
    let sent = rig.send_all(&["a", "b", "c"]);
    rig.answer(sent[1].1, error(Code::TRANSACTION_ABORTED));
    let outcomes = rig.outcomes();
    assert_eq!(refused_with(&outcomes[0].1), Some(Code::TRANSACTION_ABORTED));
    assert!(outcomes[1..].iter().all(|(_, outcome)| is_broken(outcome)), "{outcomes:?}");
    assert_eq!(outcomes.len(), 3);
    assert!(matches!(rig.core.failure(), Some(SendError::TransactionBroken { .. })));
    assert!(matches!(rig.try_send(&record(1, "d")), Err(AppendError::Never(SendError::TransactionBroken { .. }))));
    assert!(rig.take().is_empty(), "nothing more of it is sent");
}

#[test]
fn a_record_whose_time_was_over_before_it_was_sent_breaks_the_transaction_too() {
    let mut rig = begun();
    rig.sent.is_closed = true;
    rig.send_all(&["a"]);
    rig.wait(60 * SECOND_NS);
    assert_eq!(rig.outcomes(), [(0, BatchOutcome::Failed(SendError::TimedOut))]);
    assert!(rig.core.failure().is_some(), "a commit would count without it");
}

#[test]
fn what_may_be_stored_of_a_broken_transaction_is_not_of_unknown_outcome() {
    let mut rig = begun();
    let sent = rig.send_all(&["a"]);
    rig.lose(&sent);
    rig.sent.is_closed = true;
    rig.wait(60 * SECOND_NS);
    assert!(rig.outcomes().iter().all(|(_, outcome)| is_broken(outcome)), "it will be aborted, so it does not count");
}

#[test]
fn a_late_answer_to_a_transaction_that_was_left_means_nothing_to_the_next_one() {
    let mut rig = begun();
    let sent = rig.send_all(&["a"]);
    rig.core.leave();
    assert!(rig.outcomes().iter().all(|(_, outcome)| is_broken(outcome)));
    rig.core.begin(key(4));
    let next = rig.send_all(&["b"]);
    rig.answer(sent[0].1, error(Code::TRANSACTION_FENCED));
    rig.answer(next[0].1, produced(12));
    assert_eq!(rig.outcomes(), [(1, stored(12))]);
    assert_eq!(values(&next[0].0), ["b"]);
}

#[test]
fn a_fenced_producer_says_so() {
    let mut rig = begun();
    let sent = rig.send_all(&["a"]);
    rig.answer(sent[0].1, error(Code::TRANSACTION_FENCED));
    assert!(
        matches!(rig.core.failure(), Some(SendError::Refused(refusal)) if refusal.code == Code::TRANSACTION_FENCED)
    );
}
