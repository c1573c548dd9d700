//! Transactions: coordinated here or elsewhere, with every message and block in the test's hands.

mod aborted_reads;
mod groups;
mod pair;
mod telling;
mod together;

use pair::{ID, Pair, in_transaction, key_of, name};

use super::rig::{Rig, SECOND_NS, batch, refused, stamped};
use crate::format::control::{KeyRule, KeySource, Partitioner};
use crate::limits::COORDINATOR_WAIT_NS;
use crate::model::{Offset, PartitionId, ProducerEpoch, ProducerId, TransactionKey, TransactionOutcome};
use crate::partition::Isolation;
use crate::shard::{
    Event, FetchFrom, OffsetAt, Refusal, Reply, Request, TransactionRefusal, TransactionReply, TransactionRequest,
};
use crate::transaction::{Ended, TransactionMessage, Verdict};

/// Opens the transactional id on a shard of one, and returns its next transaction.
fn open(rig: &mut Rig) -> TransactionKey {
    let id = rig.ask(Request::Transaction(TransactionRequest::Open { name: name(ID), timeout_ms: 10_000 }));
    rig.settle();
    match rig.replies.remove(&id) {
        Some(Reply::Transaction(TransactionReply::Opened { next, .. })) => next,
        other => panic!("{other:?}"),
    }
}

fn end(transaction: TransactionKey, outcome: TransactionOutcome) -> Request {
    Request::Transaction(TransactionRequest::End { transaction, outcome })
}

fn ended(outcome: TransactionOutcome, next: TransactionKey) -> Reply {
    Reply::Transaction(TransactionReply::Ended { outcome, next })
}

fn next(transaction: TransactionKey) -> TransactionKey {
    TransactionKey { epoch: ProducerEpoch(transaction.epoch.0 + 1), ..transaction }
}

/// Base offsets of what a reader of what is committed is shown, and producer and epoch of what was aborted in it.
fn committed(rig: &mut Rig, partition: PartitionId, from: u64) -> (Vec<u64>, Vec<TransactionKey>) {
    let from = FetchFrom::Offset(Offset(from));
    let isolation = Isolation::Committed;
    match rig.answer(Request::Fetch { partition, from, bytes_max: 1 << 20, wait_ns: 0, isolation }) {
        Reply::Fetched(fetched) => (
            fetched.batches.iter().map(|batch| batch.base_offset.0).collect(),
            fetched.aborted.iter().map(|aborted| aborted.transaction).collect(),
        ),
        other => panic!("{other:?}"),
    }
}

#[test]
fn where_a_transaction_writes_and_its_batch_are_one_write_if_its_coordinator_is_here() {
    let (mut rig, partition) = Rig::with_partition();
    let transaction = open(&mut rig);
    let captured = rig.capture(partition, in_transaction(transaction, 0));
    assert_eq!((rig.blocks.len(), rig.reply(captured)), (1, None));
    rig.finish_block();
    assert!(matches!(rig.reply(captured), Some(Reply::Captured { base_offset: Offset(0), .. })));
    let committed = rig.ask(end(transaction, TransactionOutcome::Committed));
    assert_eq!((rig.blocks.len(), rig.reply(committed)), (1, None));
    rig.finish_block();
    assert_eq!(rig.reply(committed), Some(&ended(TransactionOutcome::Committed, next(transaction))));
    assert_eq!(rig.shard.status().unsettled_transaction_count, 0, "its marker is in the same block");
    assert_eq!(rig.end(partition), Reply::Offset(Offset(2)));
}

#[test]
fn nobody_hears_of_a_decision_before_its_block_is_durable() {
    let (mut rig, partition) = Rig::with_partition();
    let transaction = open(&mut rig);
    rig.capture(partition, in_transaction(transaction, 0));
    rig.settle();
    let first = rig.ask(end(transaction, TransactionOutcome::Committed));
    let again = rig.ask(end(transaction, TransactionOutcome::Committed));
    let against = rig.ask(end(transaction, TransactionOutcome::Aborted));
    let list = rig.ask(Request::Transaction(TransactionRequest::List { after: None }));
    assert!([first, again, against, list].iter().all(|id| rig.reply(*id).is_none()));
    assert_eq!(committed(&mut rig, partition, 0), (vec![], vec![]), "nor is what it commits shown");
    rig.settle();
    assert_eq!(rig.reply(first), Some(&ended(TransactionOutcome::Committed, next(transaction))));
    assert_eq!(rig.reply(again), rig.reply(first));
    let committed_before = TransactionRefusal::Committed(transaction).into();
    assert_eq!(rig.reply(against), Some(&refused(committed_before)));
    assert_eq!(committed(&mut rig, partition, 0), (vec![0, 1], vec![]));
}

#[test]
fn a_decision_that_fails_to_be_written_is_unknown() {
    let (mut rig, partition) = Rig::with_partition();
    let transaction = open(&mut rig);
    rig.capture(partition, in_transaction(transaction, 0));
    rig.settle();
    let id = rig.ask(end(transaction, TransactionOutcome::Committed));
    rig.fail_block();
    assert_eq!(rig.reply(id), Some(&refused(Refusal::OutcomeUnknown(rig.id))));
    assert_eq!(committed(&mut rig, partition, 0), (vec![], vec![]));
}

#[test]
fn a_late_end_or_batch_cannot_touch_a_later_transaction() {
    let (mut rig, partition) = Rig::with_partition();
    let first = open(&mut rig);
    rig.capture(partition, in_transaction(first, 0));
    rig.ask(end(first, TransactionOutcome::Aborted));
    rig.settle();
    let second = next(first);
    rig.capture(partition, in_transaction(second, 0));
    rig.settle();
    // A retry of the end of the first, and a batch of it that comes late.
    let late = rig.ask(end(first, TransactionOutcome::Committed));
    assert_eq!(rig.reply(late), Some(&refused(TransactionRefusal::Aborted(first).into())));
    let late = rig.capture(partition, in_transaction(first, 1));
    assert!(matches!(rig.reply(late), Some(Reply::Refused(Refusal::Producer(_)))));
    rig.ask(end(second, TransactionOutcome::Committed));
    rig.settle();
    assert_eq!(committed(&mut rig, partition, 0), (vec![0, 1, 2, 3], vec![first]));
}

#[test]
fn a_batch_of_a_transaction_that_is_over_is_refused_wherever_it_goes() {
    let (mut rig, partition) = Rig::with_partition();
    let other = rig.create("other");
    let transaction = open(&mut rig);
    rig.capture(partition, in_transaction(transaction, 0));
    rig.ask(end(transaction, TransactionOutcome::Committed));
    rig.settle();
    let late = rig.capture(other, in_transaction(transaction, 0));
    assert_eq!(rig.reply(late), Some(&refused(TransactionRefusal::Committed(transaction).into())));
    let retry = rig.capture(partition, in_transaction(transaction, 0));
    assert!(matches!(rig.reply(retry), Some(Reply::Captured { base_offset: Offset(0), duplicate: true, .. })));
    let more = rig.capture(partition, in_transaction(transaction, 1));
    assert_eq!(rig.reply(more), Some(&refused(TransactionRefusal::Committed(transaction).into())));
}

#[test]
fn a_long_poll_of_what_is_committed_waits_until_the_transaction_in_front_is_decided() {
    let (mut rig, partition) = Rig::with_partition();
    let transaction = open(&mut rig);
    let wait = |rig: &mut Rig, from| {
        let from = FetchFrom::Offset(Offset(from));
        let isolation = Isolation::Committed;
        rig.ask(Request::Fetch { partition, from, bytes_max: 1 << 20, wait_ns: SECOND_NS, isolation })
    };
    let (at_start, further) = (wait(&mut rig, 0), {
        rig.capture(partition, in_transaction(transaction, 0));
        rig.settle();
        wait(&mut rig, 1)
    });
    for sequence in 1..4 {
        rig.capture(partition, in_transaction(transaction, sequence));
        rig.settle();
        assert_eq!((rig.reply(at_start), rig.reply(further)), (None, None), "the stable offset has not moved");
    }
    rig.ask(end(transaction, TransactionOutcome::Committed));
    rig.settle();
    let base_offsets = |id| match rig.reply(id) {
        Some(Reply::Fetched(fetched)) => fetched.batches.iter().map(|batch| batch.base_offset.0).next(),
        other => panic!("{other:?}"),
    };
    assert_eq!((base_offsets(at_start), base_offsets(further)), (Some(0), Some(1)));
    // Whoever waits at the end again is woken by the next batch that counts.
    let again = wait(&mut rig, 5);
    assert_eq!(rig.reply(again), None);
    let next_one = next(transaction);
    rig.capture(partition, in_transaction(next_one, 0));
    rig.settle();
    assert_eq!(rig.reply(again), None);
    rig.ask(end(next_one, TransactionOutcome::Committed));
    rig.settle();
    assert!(matches!(rig.reply(again), Some(Reply::Fetched(fetched)) if !fetched.batches.is_empty()));
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted_by_a_journal_entry() {
    let (mut rig, partition) = Rig::with_partition();
    let transaction = open(&mut rig);
    rig.capture(partition, in_transaction(transaction, 0));
    rig.settle();
    rig.tick_after(10 * SECOND_NS - 1);
    rig.settle();
    assert_eq!(rig.shard.status().open_transaction_count, 1);
    rig.tick_after(1);
    assert_eq!(rig.blocks.len(), 1);
    rig.settle();
    assert_eq!(committed(&mut rig, partition, 0), (vec![0, 1], vec![transaction]));
    let id = rig.ask(end(transaction, TransactionOutcome::Committed));
    assert_eq!(rig.reply(id), Some(&refused(TransactionRefusal::Aborted(transaction).into())));
    let id = rig.ask(end(transaction, TransactionOutcome::Aborted));
    assert_eq!(rig.reply(id), Some(&ended(TransactionOutcome::Aborted, next(transaction))));
}

#[test]
fn whoever_lost_its_transactional_id_is_never_told_what_the_other_instance_goes_on_with() {
    let (mut rig, partition) = Rig::with_partition();
    for outcome in [TransactionOutcome::Committed, TransactionOutcome::Aborted] {
        let transaction = open(&mut rig);
        rig.capture(partition, in_transaction(transaction, 0));
        rig.ask(end(transaction, outcome));
        rig.settle();
        let again = rig.ask(end(transaction, outcome));
        assert_eq!(rig.reply(again), Some(&ended(outcome, next(transaction))), "it has it still");
        open(&mut rig);
        let fenced = TransactionRefusal::Fenced(transaction);
        let (told_commit, told_abort) = match outcome {
            TransactionOutcome::Committed => {
                (TransactionRefusal::Committed(transaction), TransactionRefusal::Committed(transaction))
            }
            TransactionOutcome::Aborted => (TransactionRefusal::Aborted(transaction), fenced),
        };
        let commit = rig.ask(end(transaction, TransactionOutcome::Committed));
        assert_eq!(rig.reply(commit), Some(&refused(told_commit.into())));
        let abort = rig.ask(end(transaction, TransactionOutcome::Aborted));
        assert_eq!(rig.reply(abort), Some(&refused(told_abort.into())));
    }
}

#[test]
fn an_instance_that_takes_over_aborts_what_is_going_on_and_is_told_how_the_last_one_ended() {
    let (mut rig, partition) = Rig::with_partition();
    let first = open(&mut rig);
    rig.capture(partition, in_transaction(first, 0));
    rig.settle();
    let id = rig.ask(Request::Transaction(TransactionRequest::Open { name: name(ID), timeout_ms: 5 }));
    rig.settle();
    let second = next(next(first));
    let last = Some(Ended { transaction: first, outcome: TransactionOutcome::Aborted });
    assert_eq!(rig.reply(id), Some(&Reply::Transaction(TransactionReply::Opened { next: second, last })));
    for of_the_first in [first, next(first)] {
        let late = rig.capture(partition, in_transaction(of_the_first, 1));
        assert!(matches!(rig.reply(late), Some(Reply::Refused(_))), "{of_the_first}");
    }
    let late = rig.ask(end(next(first), TransactionOutcome::Committed));
    assert_eq!(rig.reply(late), Some(&refused(TransactionRefusal::Fenced(next(first)).into())));
    rig.capture(partition, in_transaction(second, 0));
    rig.ask(end(second, TransactionOutcome::Committed));
    rig.settle();
    assert_eq!(committed(&mut rig, partition, 0), (vec![0, 1, 2, 3], vec![first]));
}

#[test]
fn a_transaction_holds_back_what_is_committed_behind_it_until_it_ends() {
    let (mut rig, partition) = Rig::with_partition();
    let transaction = open(&mut rig);
    rig.capture(partition, batch(b"before"));
    rig.capture(partition, in_transaction(transaction, 0));
    rig.capture(partition, batch(b"behind"));
    rig.settle();
    assert_eq!(committed(&mut rig, partition, 0), (vec![0], vec![]));
    assert_eq!(rig.shown(partition, 0).0, [0, 1, 2], "who wants to see everything does");
    assert_eq!(rig.answer(Request::ListOffset { partition, at: OffsetAt::Stable }), Reply::Offset(Offset(1)));
    let from = FetchFrom::Offset(Offset(1));
    let isolation = Isolation::Committed;
    let poll = rig.ask(Request::Fetch { partition, from, bytes_max: 1, wait_ns: SECOND_NS, isolation });
    rig.capture(partition, batch(b"more"));
    rig.settle();
    assert_eq!(rig.reply(poll), None, "it waits for the end of the transaction");
    rig.ask(end(transaction, TransactionOutcome::Committed));
    rig.settle();
    let Some(Reply::Fetched(fetched)) = rig.reply(poll) else { panic!("{:?}", rig.reply(poll)) };
    assert_eq!((fetched.batches[0].base_offset, fetched.stable_offset), (Offset(1), Offset(5)));
    let Reply::Partitions(partitions) = rig.answer(Request::DescribePartitions { topic: partition.topic }) else {
        panic!("partitions")
    };
    assert_eq!((partitions[0].open_transaction_count, partitions[0].oldest_transaction), (0, None));
}

#[test]
fn topics_with_idempotency_keys_take_no_batch_that_could_be_taken_back() {
    let mut rig = Rig::serving();
    let keys = KeyRule::new(KeySource::RecordKey, 1, Vec::new(), Partitioner::Murmur2).ok();
    let settings = crate::catalogue::TopicSettings::default();
    let id = rig.ask(Request::CreateTopic { name: "keyed".to_owned(), partition_count: 1, settings, keys });
    rig.settle();
    let Some(Reply::TopicCreated(topic)) = rig.reply(id) else { panic!("{:?}", rig.reply(id)) };
    let partition = PartitionId { topic: topic.id(), index: 0 };
    let transaction = open(&mut rig);
    let refusal = refused(TransactionRefusal::KeyedTopic(partition.topic).into());
    assert_eq!(rig.answer(Request::Capture { partition, batch: in_transaction(transaction, 0) }), refusal);
    assert_eq!(rig.answer(Request::CaptureTogether { batches: vec![(partition, batch(b"x"))] }), refusal);
}

#[test]
fn a_batch_cannot_go_past_the_transaction_of_its_producer() {
    let (mut rig, partition) = Rig::with_partition();
    let transaction = open(&mut rig);
    rig.capture(partition, in_transaction(transaction, 0));
    let TransactionKey { producer, epoch } = transaction;
    let past = rig.answer(Request::Capture { partition, batch: stamped(b"x", producer.0, epoch.0, 1) });
    assert_eq!(past, refused(TransactionRefusal::OutsideTransaction(partition).into()));
}

#[test]
fn a_producer_without_a_transactional_id_has_no_transactions() {
    let (mut rig, partition) = Rig::with_partition();
    let nobody = TransactionKey { producer: ProducerId(99), epoch: ProducerEpoch(0) };
    let aborted = refused(TransactionRefusal::Aborted(nobody).into());
    assert_eq!(rig.answer(Request::Capture { partition, batch: in_transaction(nobody, 0) }), aborted);
    let unknown = refused(TransactionRefusal::UnknownTransaction(nobody).into());
    assert_eq!(rig.answer(end(nobody, TransactionOutcome::Committed)), unknown);
    let far = TransactionKey { producer: ProducerId(7 << 48), epoch: ProducerEpoch(0) };
    let unknown = refused(TransactionRefusal::UnknownTransaction(far).into());
    assert_eq!(rig.answer(Request::Capture { partition, batch: in_transaction(far, 0) }), unknown);
}

#[test]
fn a_batch_waits_until_the_coordinator_on_another_shard_has_noted_durably_where_it_goes() {
    let mut pair = Pair::new();
    let transaction = pair.open();
    let captured = pair.participant.capture(pair.partition, in_transaction(transaction, 0));
    let more = pair.participant.capture(pair.partition, in_transaction(transaction, 1));
    assert_eq!(pair.participant.shard.status().coordinator_waiting_count, 2);
    pair.pass_on();
    assert!(pair.coordinator.tells.is_empty(), "the note is not durable");
    pair.coordinator.settle();
    pair.pass_on();
    pair.participant.settle();
    assert!(matches!(pair.participant.reply(captured), Some(Reply::Captured { base_offset: Offset(0), .. })));
    assert!(matches!(pair.participant.reply(more), Some(Reply::Captured { base_offset: Offset(1), .. })));
    assert_eq!(pair.participant.tells.len(), 0, "one question is enough");
}

#[test]
fn participants_on_other_shards_are_told_when_the_decision_is_durable_and_until_they_have_noted_it() {
    let mut pair = Pair::new();
    let transaction = pair.open();
    pair.capture(transaction, 0);
    let id = pair.coordinator.ask(end(transaction, TransactionOutcome::Committed));
    assert!(pair.coordinator.tells.is_empty(), "the decision is not durable");
    pair.coordinator.settle();
    assert_eq!(pair.coordinator.reply(id), Some(&ended(TransactionOutcome::Committed, next(transaction))));
    assert_eq!(pair.coordinator.tells.pop_front().map(|(to, _)| to), Some(pair.participant.id), "this one is lost");
    pair.coordinator.tick_after(SECOND_NS);
    pair.pass_on();
    assert!(pair.participant.tells.is_empty(), "the marker is not durable");
    pair.participant.settle();
    assert_eq!(committed(&mut pair.participant, pair.partition, 0), (vec![0, 1], vec![]));
    assert_eq!(pair.coordinator.shard.status().unsettled_transaction_count, 1);
    pair.pass_on();
    pair.coordinator.settle();
    assert_eq!(pair.coordinator.shard.status().unsettled_transaction_count, 0);
    // Said again, it changes nothing.
    let verdict = Verdict::Over(TransactionOutcome::Committed);
    let participant = pair.name_of_partition();
    let message = TransactionMessage::Tell { transaction, participant, verdict };
    pair.participant.event(Event::Message { from: pair.coordinator.id, message: message.into() });
    assert!(pair.participant.blocks.is_empty());
}

#[test]
fn an_old_answer_of_a_coordinator_lets_no_batch_into_a_transaction_that_is_over() {
    let mut pair = Pair::new();
    let transaction = pair.open();
    let first = pair.participant.capture(pair.partition, in_transaction(transaction, 0));
    pair.pass_on();
    pair.coordinator.settle();
    let (_, old_answer) = pair.coordinator.tells.pop_front().expect("an answer");
    pair.coordinator.ask(end(transaction, TransactionOutcome::Aborted));
    pair.coordinator.settle();
    pair.pass_on();
    let aborted = refused(TransactionRefusal::Aborted(transaction).into());
    assert_eq!(pair.participant.reply(first), Some(&aborted));
    // The same batch comes once more, and then the answer that was under way for so long.
    let again = pair.participant.capture(pair.partition, in_transaction(transaction, 0));
    pair.participant.event(Event::Message { from: pair.coordinator.id, message: old_answer.into() });
    assert_eq!(pair.participant.reply(again), None);
    pair.pass_on();
    pair.coordinator.settle();
    pair.pass_on();
    assert_eq!(pair.participant.reply(again), Some(&aborted));
    assert_eq!(pair.participant.shard.status().open_transaction_count, 0);
}

#[test]
fn whoever_waits_for_a_coordinator_that_does_not_answer_is_told_to_retry() {
    let mut pair = Pair::new();
    let transaction = pair.open();
    let id = pair.participant.capture(pair.partition, in_transaction(transaction, 0));
    pair.participant.tells.clear();
    pair.participant.tick_after(SECOND_NS);
    assert_eq!(pair.participant.tells.len(), 1, "it is asked again");
    pair.participant.tick_after(COORDINATOR_WAIT_NS);
    let silent = TransactionRefusal::CoordinatorSilent(pair.coordinator.id);
    assert_eq!(pair.participant.reply(id), Some(&refused(silent.into())));
    assert_eq!(pair.participant.shard.status().coordinator_waiting_count, 0);
}

#[test]
fn there_is_no_more_of_transactions_than_a_manifest_has_room_for() {
    let mut rig = Rig::serving();
    let mut count = 0;
    let refusal = loop {
        let name = name(&format!("transactional id {count}"));
        let id = rig.ask(Request::Transaction(TransactionRequest::Open { name, timeout_ms: 1 }));
        rig.settle();
        match rig.replies.remove(&id) {
            Some(Reply::Transaction(_)) => count += 1,
            Some(Reply::Refused(refusal)) => break refusal,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refusal, TransactionRefusal::NoRoom(rig.id).into());
    assert!((5..50).contains(&count), "{count}");
    let transaction = key_of(&rig, "transactional id 0");
    let refusal = (0..20).find_map(|number| {
        let partition = rig.create(&format!("payments-{number}"));
        let id = rig.capture(partition, in_transaction(transaction, 0));
        rig.settle();
        match rig.replies.remove(&id) {
            Some(Reply::Refused(refusal)) => Some(refusal),
            _ => None,
        }
    });
    assert_eq!(refusal, Some(TransactionRefusal::NoRoom(rig.id).into()));
}
