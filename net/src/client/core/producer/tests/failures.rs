//! Outcomes that are no receipts, and what may follow them.

use florin_engine::model::{ProducerEpoch, ProducerId};

use super::rig::{
    Rig, SECOND_NS, error, info, is_unknown, produced, record, refused_with, rules, stamp, stamps, stored, values,
};
use crate::client::SendError;
use crate::client::core::producer::{AppendError, BatchOutcome, ProducerRules};
use crate::protocol::Code;

#[test]
fn what_was_never_sent_times_out_and_what_was_sent_is_of_unknown_outcome() {
    let mut rig = Rig::new(ProducerRules { batches_in_flight_max: 1, ..rules() });
    let sent = rig.send_all(&["sent", "kept"]);
    rig.wait(60 * SECOND_NS);
    let outcomes = rig.outcomes();
    assert!(is_unknown(&outcomes[0].1));
    assert_eq!(outcomes[1], (1, BatchOutcome::Failed(SendError::TimedOut)));
    rig.answer(sent[0].1, produced(0));
    assert!(rig.outcomes().is_empty(), "an outcome is told once");
    assert!(rig.take().is_empty(), "nothing is sent again after its outcome was told");
    assert_eq!(rig.core.buffered_bytes(), 0);
}

#[test]
fn what_was_refused_until_its_deadline_is_not_stored_unless_an_answer_was_lost() {
    let mut rig = Rig::new(rules());
    let sent = rig.send_all(&["a"]);
    rig.answer(sent[0].1, error(Code::BUSY));
    rig.sent.is_closed = true;
    rig.wait(60 * SECOND_NS);
    assert_eq!(refused_with(&rig.outcomes()[0].1), Some(Code::BUSY));

    let mut rig = Rig::new(rules());
    let sent = rig.send_all(&["a"]);
    rig.lose(&sent);
    rig.wait(SECOND_NS);
    let again = rig.take();
    rig.answer(again[0].1, error(Code::BUSY));
    rig.sent.is_closed = true;
    rig.wait(60 * SECOND_NS);
    assert!(is_unknown(&rig.outcomes()[0].1));
}

#[test]
fn after_an_unknown_outcome_the_partition_goes_on_under_a_raised_epoch() {
    let mut rig = Rig::new(rules());
    let first = rig.send_all(&["a"]);
    rig.wait(60 * SECOND_NS);
    assert!(is_unknown(&rig.outcomes()[0].1));
    let next = rig.send_all(&["b", "c"]);
    assert_eq!(stamp(&first[0].0), (0, 0));
    assert_eq!(stamps(&next), [(1, 0), (1, 1)]);
    // The late answer to the old bytes, which the new epoch fences, is not about this producer.
    rig.answer(first[0].1, error(Code::FENCED));
    rig.answer(next[0].1, produced(0));
    assert_eq!(rig.outcomes(), [(1, stored(0))]);
}

#[test]
fn an_unknown_outcome_leaves_other_partitions_their_epoch() {
    let mut rig = Rig::without_identity(rules(), vec![0, 1]);
    rig.core.on_identity(ProducerId(70), ProducerEpoch(0));
    rig.send(0, "a");
    rig.pump();
    rig.wait(30 * SECOND_NS);
    rig.send(1, "b");
    rig.pump();
    let sent = rig.take();
    rig.wait(30 * SECOND_NS);
    rig.answer(sent[1].1, produced(0));
    rig.send(1, "c");
    rig.pump();
    assert_eq!(stamp(&rig.take()[0].0), (0, 1));
    assert_eq!(rig.outcomes().len(), 2);
}

#[test]
fn batches_behind_an_unknown_one_are_answered_first_and_restamped_only_if_they_are_not_stored() {
    let mut rig = Rig::new(rules());
    rig.send(0, "a");
    rig.now_ns += SECOND_NS;
    let sent = rig.send_all(&["b", "c", "d"]);
    rig.wait(59 * SECOND_NS);
    assert_eq!(rig.outcomes().len(), 1);
    rig.answer(sent[1].1, error(Code::OUT_OF_ORDER));
    rig.lose(&sent[2..3]);
    rig.now_ns += SECOND_NS / 10;
    assert!(rig.take().is_empty());
    rig.answer(sent[3].1, error(Code::OUT_OF_ORDER));
    let outcomes = rig.outcomes();
    assert!(outcomes.len() == 1 && outcomes[0].0 == 2 && is_unknown(&outcomes[0].1));
    let again = rig.take();
    assert_eq!(stamps(&again), [(1, 0), (1, 1)]);
    assert_eq!(again.iter().flat_map(|(bytes, _)| values(bytes)).collect::<Vec<_>>(), ["b", "d"]);
}

#[test]
fn a_refused_batch_ends_alone_and_those_behind_it_are_restamped() {
    let mut rig = Rig::new(rules());
    let sent = rig.send_all(&["bad", "good"]);
    rig.answer(sent[0].1, error(Code(20)));
    assert!(rig.take().is_empty());
    rig.answer(sent[1].1, error(Code::UNKNOWN_PRODUCER));
    rig.wait(SECOND_NS);
    let again = rig.take();
    assert_eq!(stamp(&again[0].0), (1, 0));
    assert_eq!(values(&again[0].0), ["good"]);
    assert_eq!(refused_with(&rig.outcomes()[0].1), Some(Code(20)));
}

#[test]
fn a_fenced_producer_ends_with_everything_it_has() {
    let mut rig = Rig::new(ProducerRules { batches_in_flight_max: 2, ..rules() });
    let sent = rig.send_all(&["fenced", "under way", "kept"]);
    rig.answer(sent[0].1, error(Code::FENCED));
    let outcomes = rig.outcomes();
    assert_eq!(refused_with(&outcomes[0].1), Some(Code::FENCED));
    assert!(is_unknown(&outcomes[1].1));
    assert_eq!(refused_with(&outcomes[2].1), Some(Code::FENCED));
    let refused = rig.try_send(&record(0, "later"));
    assert!(matches!(refused, Err(AppendError::Never(SendError::Refused(error))) if error.code == Code::FENCED));
}

#[test]
fn a_forgotten_producer_gets_a_new_id_and_sends_what_is_not_stored_under_it() {
    let mut rig = Rig::new(rules());
    let first = rig.send_all(&["a"]);
    rig.answer(first[0].1, produced(0));
    let sent = rig.send_all(&["b", "c"]);
    rig.answer(sent[0].1, error(Code::UNKNOWN_PRODUCER));
    rig.answer(sent[1].1, error(Code::UNKNOWN_PRODUCER));
    rig.wait(SECOND_NS);
    assert_eq!(rig.sent.identities, [0]);
    rig.core.on_identity(ProducerId(71), ProducerEpoch(0));
    rig.pump();
    let again = rig.take();
    assert_eq!(info(&again[0].0).producer.unwrap().id, ProducerId(71));
    assert_eq!(stamps(&again), [(0, 0), (0, 1)]);
    assert_eq!(rig.outcomes(), [(0, stored(0))]);
}

#[test]
fn a_forgotten_producer_does_not_send_again_what_may_be_stored() {
    let mut rig = Rig::new(rules());
    let first = rig.send_all(&["a"]);
    rig.answer(first[0].1, produced(0));
    let sent = rig.send_all(&["b"]);
    rig.lose(&sent);
    rig.wait(SECOND_NS);
    let again = rig.take();
    rig.answer(again[0].1, error(Code::UNKNOWN_PRODUCER));
    assert!(is_unknown(&rig.outcomes()[1].1));
    rig.wait(SECOND_NS);
    assert!(rig.take().is_empty());
}

#[test]
fn a_duplicate_beyond_the_window_is_stored_without_a_receipt() {
    let mut rig = Rig::new(rules());
    let sent = rig.send_all(&["a"]);
    rig.answer(sent[0].1, error(Code::DUPLICATE_BEYOND_WINDOW));
    assert_eq!(rig.outcomes(), [(0, BatchOutcome::Failed(SendError::StoredReceiptLost { partition: 0 }))]);
    assert_eq!(stamps(&rig.send_all(&["b"])), [(0, 1)], "it was stored: the sequence goes on");
}

#[test]
fn without_idempotence_nothing_that_may_be_stored_is_sent_again() {
    let mut rig = Rig::without_identity(ProducerRules { idempotent: false, ..rules() }, vec![0]);
    let sent = rig.send_all(&["lost", "refused", "doubtful"]);
    rig.lose(&sent[..1]);
    rig.answer(sent[1].1, error(Code::BUSY));
    rig.answer(sent[2].1, error(Code::OUTCOME_UNKNOWN));
    let outcomes = rig.outcomes();
    assert!(outcomes.len() == 2 && is_unknown(&outcomes[0].1) && is_unknown(&outcomes[1].1));
    rig.wait(SECOND_NS);
    let again = rig.take();
    assert_eq!(again.len(), 1, "only what was certainly not stored");
    assert_eq!(values(&again[0].0), ["refused"]);
    rig.answer(again[0].1, produced(3));
    assert_eq!(rig.outcomes(), [(1, stored(3))]);
}

#[test]
fn a_failed_write_of_the_server_is_asked_about_again_with_the_same_bytes() {
    let mut rig = Rig::new(rules());
    let sent = rig.send_all(&["a"]);
    rig.answer(sent[0].1, error(Code::OUTCOME_UNKNOWN));
    rig.wait(SECOND_NS);
    let again = rig.take();
    assert_eq!(again[0].0, sent[0].0);
    rig.answer(again[0].1, error(Code(20)));
    assert!(is_unknown(&rig.outcomes()[0].1), "the first attempt may have stored it");
}

#[test]
fn a_deleted_topic_ends_its_producer() {
    let mut rig = Rig::new(rules());
    let sent = rig.send_all(&["a"]);
    rig.answer(sent[0].1, error(Code::UNKNOWN_TOPIC));
    rig.core.on_topic(None);
    assert_eq!(refused_with(&rig.outcomes()[0].1), Some(Code::UNKNOWN_TOPIC));
    assert!(matches!(rig.try_send(&record(0, "b")), Err(AppendError::Never(SendError::Refused(_)))));
}

#[test]
fn a_closed_producer_flushes_nothing_silently() {
    let mut rig = Rig::new(ProducerRules { batches_in_flight_max: 1, ..rules() });
    rig.send_all(&["sent", "kept"]);
    rig.core.close();
    let outcomes = rig.outcomes();
    assert!(is_unknown(&outcomes[0].1));
    assert_eq!(outcomes[1].1, BatchOutcome::Failed(SendError::Closed));
}

#[test]
fn no_epoch_follows_the_last_one() {
    let mut rig = Rig::without_identity(rules(), vec![0]);
    rig.core.on_identity(ProducerId(70), ProducerEpoch(32_767));
    rig.send_all(&["a"]);
    rig.wait(60 * SECOND_NS);
    assert!(is_unknown(&rig.outcomes()[0].1));
    assert!(rig.send_all(&["b"]).is_empty());
    let ended = BatchOutcome::Failed(SendError::EpochsUsedUp { epoch: ProducerEpoch(32_767) });
    assert_eq!(rig.outcomes(), [(1, ended)]);
}
