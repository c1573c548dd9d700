//! Participants hear how a transaction ended, whatever was lost on the way and whoever was started again.

use super::super::rig::SECOND_NS;
use super::pair::Pair;
use super::{committed, end, next};
use crate::limits::TRANSACTION_RESEND_NS;
use crate::model::TransactionOutcome;

#[test]
fn a_participant_asks_what_became_of_a_transaction_that_nobody_told_it_the_end_of() {
    let mut pair = Pair::new();
    let transaction = pair.open();
    pair.capture(transaction, 0);
    pair.coordinator.ask(end(transaction, TransactionOutcome::Aborted));
    pair.coordinator.settle();
    pair.coordinator.tells.clear();
    pair.participant.tick_after(121 * SECOND_NS);
    pair.pass_on();
    pair.coordinator.settle();
    pair.pass_on();
    pair.participant.settle();
    assert_eq!(committed(&mut pair.participant, pair.partition, 0), (vec![0, 1], vec![transaction]));
}

#[test]
fn what_is_due_to_be_told_again_is_not_put_off_by_the_next_decision() {
    let mut pair = Pair::new();
    let first = pair.open();
    pair.capture(first, 0);
    pair.coordinator.ask(end(first, TransactionOutcome::Committed));
    pair.coordinator.settle();
    pair.coordinator.tells.clear();
    let second = next(first);
    pair.capture(second, 0);
    pair.coordinator.pass(TRANSACTION_RESEND_NS);
    pair.coordinator.ask(end(second, TransactionOutcome::Committed));
    pair.coordinator.settle();
    pair.coordinator.tells.clear();
    pair.coordinator.tick_after(0);
    assert_eq!(pair.coordinator.tells.len(), 2, "both are told again");
}

#[test]
fn what_was_decided_before_a_restart_is_told_after_it() {
    let mut pair = Pair::new();
    let transaction = pair.open();
    pair.capture(transaction, 0);
    pair.coordinator.ask(end(transaction, TransactionOutcome::Committed));
    pair.coordinator.settle();
    let mut pair = pair.crashed();
    pair.coordinator.tick_after(SECOND_NS);
    pair.pass_on();
    pair.participant.settle();
    assert_eq!(committed(&mut pair.participant, pair.partition, 0), (vec![0, 1], vec![]));
    // One that was going on is aborted when its time is over, counted from the start.
    let transaction = next(transaction);
    pair.capture(transaction, 0);
    let mut pair = pair.crashed();
    pair.coordinator.tick_after(10 * SECOND_NS);
    pair.coordinator.settle();
    pair.pass_on();
    pair.participant.settle();
    assert_eq!(committed(&mut pair.participant, pair.partition, 2), (vec![2, 3], vec![transaction]));
}

#[test]
fn nothing_of_transactions_is_due_before_the_epoch_has_begun() {
    let mut pair = Pair::new();
    let transaction = pair.open();
    pair.capture(transaction, 0);
    pair.coordinator.ask(end(transaction, TransactionOutcome::Committed));
    pair.coordinator.settle();
    let mut coordinator = pair.coordinator.crashed();
    coordinator.begin();
    assert_eq!(coordinator.shard.status().unsettled_transaction_count, 1);
    coordinator.tick_after(0);
    coordinator.settle();
    coordinator.tick_after(0);
    assert_eq!(coordinator.tells.len(), 1, "it is told again at once");
}
