use super::*;
use crate::model::{GroupId, PartitionId, TopicId};

const BYTES: usize = 1 << 20;

fn name(text: &str) -> TransactionalId {
    TransactionalId::new(text).unwrap()
}

fn key(producer: u64, epoch: u16) -> TransactionKey {
    TransactionKey { producer: ProducerId(producer), epoch: ProducerEpoch(epoch) }
}

fn partition(index: u32) -> Participant {
    Participant::Partition(PartitionId { topic: TopicId(1), index })
}

/// Opens a transactional id whose next transaction is this.
fn open(of: &mut TransactionCoordinator, id: &str, next: TransactionKey) {
    let record = of.plan_open(&name(id), next, 10_000, Realtime(1), BYTES).expect("there is room");
    of.apply(&record).unwrap();
}

fn join(of: &mut TransactionCoordinator, transaction: TransactionKey, participant: &Participant) {
    let record = of.plan_join(transaction, participant, ShardId(1), Realtime(2), BYTES).unwrap();
    of.apply(&record.expect("it joins")).unwrap();
}

fn decide(of: &mut TransactionCoordinator, transaction: TransactionKey, outcome: TransactionOutcome) {
    let next = next_of(transaction).unwrap();
    of.apply(&TransactionRecord::Decided { transaction, outcome, next, time: Realtime(3) }).unwrap();
}

/// Encodes, holds the size against what was counted, and decodes.
fn encoded(of: &TransactionCoordinator) -> Vec<u8> {
    let mut bytes = Vec::new();
    of.encode(&mut bytes);
    assert!(bytes.len() <= of.encoded_bytes() + 8, "{} bytes, {} were counted", bytes.len(), of.encoded_bytes());
    assert_eq!(TransactionCoordinator::decode(&bytes).as_ref(), Ok(of));
    bytes
}

#[test]
fn a_transaction_begins_with_its_first_participant_and_moves_the_epoch_on_when_it_ends() {
    let mut of = TransactionCoordinator::default();
    open(&mut of, "shop", key(7, 0));
    assert_eq!(of.current(&name("shop")), Some((key(7, 0), false)));
    join(&mut of, key(7, 0), &partition(0));
    join(&mut of, key(7, 0), &partition(1));
    assert_eq!(of.plan_join(key(7, 0), &partition(1), ShardId(1), Realtime(2), BYTES), Ok(None));
    assert!(of.is_ongoing(key(7, 0)));
    assert_eq!(of.ongoing().collect::<Vec<_>>(), [key(7, 0)]);
    decide(&mut of, key(7, 0), TransactionOutcome::Committed);
    assert_eq!(of.current(&name("shop")), Some((key(7, 1), false)));
    assert_eq!(of.standing(key(7, 0)), Standing::Over(TransactionOutcome::Committed));
    assert_eq!(of.standing(key(7, 1)), Standing::Current);
    assert_eq!(of.untold().count(), 2);
    encoded(&of);
}

#[test]
fn a_late_end_or_batch_of_a_transaction_cannot_touch_a_later_one() {
    let mut of = TransactionCoordinator::default();
    open(&mut of, "shop", key(7, 0));
    join(&mut of, key(7, 0), &partition(0));
    decide(&mut of, key(7, 0), TransactionOutcome::Committed);
    let was = EndRefusal::Was { outcome: TransactionOutcome::Committed, next: Some(key(7, 1)) };
    assert_eq!(of.may_end(key(7, 0)), Err(was));
    let late = of.plan_join(key(7, 0), &partition(5), ShardId(1), Realtime(2), BYTES);
    assert_eq!(late, Err(JoinRefusal::Over(TransactionOutcome::Committed)));
    join(&mut of, key(7, 1), &partition(0));
    decide(&mut of, key(7, 1), TransactionOutcome::Aborted);
    assert_eq!(of.may_end(key(7, 0)), Err(EndRefusal::Fenced));
    assert_eq!(of.may_end(key(7, 2)), Ok(()));
    assert_eq!(of.may_end(key(7, 3)), Err(EndRefusal::Unknown));
    assert_eq!(of.may_end(key(8, 0)), Err(EndRefusal::Unknown));
}

#[test]
fn a_decided_transaction_is_told_until_every_participant_has_noted_it() {
    let mut of = TransactionCoordinator::default();
    open(&mut of, "shop", key(7, 0));
    let group = Participant::Group(GroupId::new("ledger").unwrap());
    join(&mut of, key(7, 0), &partition(0));
    join(&mut of, key(7, 0), &group);
    decide(&mut of, key(7, 0), TransactionOutcome::Aborted);
    assert!(!of.participant_ended(key(7, 0), &partition(0)));
    assert!(!of.participant_ended(key(7, 0), &partition(0)), "said twice");
    assert_eq!(of.untold_of(key(7, 0)), [(group.clone(), ShardId(1))]);
    assert_eq!(of.to_settle().count(), 0);
    assert!(of.participant_ended(key(7, 0), &group));
    assert_eq!(of.to_settle().collect::<Vec<_>>(), [key(7, 0)]);
    encoded(&of);
    of.apply(&TransactionRecord::Settled { transaction: key(7, 0) }).unwrap();
    assert_eq!((of.unsettled_count(), of.untold().count()), (0, 0));
    assert_eq!(of.encoded_bytes(), ID_BYTES + 4);
}

#[test]
fn whoever_opens_a_transactional_id_again_fences_the_one_before() {
    let mut of = TransactionCoordinator::default();
    open(&mut of, "shop", key(7, 0));
    let again = TransactionRecord::Opened { name: name("shop"), next: key(7, 0), timeout_ms: 1, time: Realtime(1) };
    assert!(of.apply(&again).is_err(), "the same epoch");
    join(&mut of, key(7, 0), &partition(0));
    let over = TransactionRecord::Opened { name: name("shop"), next: key(7, 1), timeout_ms: 1, time: Realtime(1) };
    assert!(of.apply(&over).is_err(), "a transaction is going on");
    decide(&mut of, key(7, 0), TransactionOutcome::Aborted);
    open(&mut of, "shop", key(7, 2));
    assert_eq!(of.may_end(key(7, 1)), Err(EndRefusal::Fenced));
    assert_eq!(of.standing(key(7, 1)), Standing::Over(TransactionOutcome::Aborted));
    assert_eq!(of.last(&name("shop")), Some(Ended { transaction: key(7, 0), outcome: TransactionOutcome::Aborted }));
    open(&mut of, "other", key(9, 0));
    let stolen = TransactionRecord::Opened { name: name("shop"), next: key(9, 1), timeout_ms: 1, time: Realtime(1) };
    assert!(of.apply(&stolen).is_err(), "a producer of another transactional id");
}

#[test]
fn a_transactional_id_goes_on_with_another_producer_when_its_epochs_are_used_up() {
    let mut of = TransactionCoordinator::default();
    let last = key(7, 32_767);
    assert_eq!(next_of(last), None);
    assert_eq!(next_of(key(7, 32_766)), Some(last));
    open(&mut of, "shop", last);
    join(&mut of, last, &partition(0));
    let outcome = TransactionOutcome::Committed;
    of.apply(&TransactionRecord::Decided { transaction: last, outcome, next: key(8, 0), time: Realtime(3) }).unwrap();
    assert_eq!(of.may_end(last), Err(EndRefusal::Was { outcome, next: Some(key(8, 0)) }));
    assert_eq!(of.standing(last), Standing::Over(outcome));
    assert_eq!(of.may_end(key(8, 0)), Ok(()));
    open(&mut of, "shop", key(8, 1));
    assert_eq!(of.may_end(last), Err(EndRefusal::Was { outcome, next: None }), "another instance has it");
    assert_eq!(of.status(&name("shop")).unwrap().unnoted.len(), 1);
    encoded(&of);
}

#[test]
fn there_is_room_for_so_many_bytes() {
    let mut of = TransactionCoordinator::default();
    // A quarter is kept for what known ones write to.
    let opens =
        |of: &TransactionCoordinator, max| of.plan_open(&name("shop"), key(7, 1), 1, Realtime(1), max).is_some();
    let enough = (ID_BYTES + 4) * JOIN_SHARE / (JOIN_SHARE - 1);
    assert_eq!((opens(&of, enough - 2), opens(&of, enough)), (false, true));
    open(&mut of, "shop", key(7, 0));
    assert!(opens(&of, 0), "it takes no more");
    let bytes_max = of.encoded_bytes() + participant_bytes(&partition(0)) + UNSETTLED_BYTES;
    let joins =
        |max| of.plan_join(key(7, 0), &partition(0), ShardId(0), Realtime(1), max).map(|record| record.is_some());
    assert_eq!((joins(bytes_max - 1), joins(bytes_max)), (Err(JoinRefusal::NoRoom), Ok(true)));
    join(&mut of, key(7, 0), &partition(0));
    assert_eq!(of.encoded_bytes(), bytes_max);
    decide(&mut of, key(7, 0), TransactionOutcome::Committed);
    assert_eq!(of.encoded_bytes(), bytes_max, "a decision takes no room");
    encoded(&of);
}

#[test]
fn idle_transactional_ids_are_forgotten_unless_a_transaction_is_going_on() {
    let mut of = TransactionCoordinator::default();
    open(&mut of, "idle", key(7, 0));
    open(&mut of, "busy", key(8, 0));
    join(&mut of, key(8, 0), &partition(0));
    assert_eq!(of.idle(Realtime(100), 99).count(), 0);
    assert_eq!(of.idle(Realtime(101), 99).collect::<Vec<_>>(), [ProducerId(7)]);
    assert!(of.apply(&TransactionRecord::Forgotten { producer: ProducerId(8) }).is_err());
    of.apply(&TransactionRecord::Forgotten { producer: ProducerId(7) }).unwrap();
    assert_eq!((of.current(&name("idle")), of.id_count()), (None, 1));
    encoded(&of);
}

#[test]
fn behind_a_loss_nothing_goes_on_and_decisions_that_are_left_hold() {
    let mut of = TransactionCoordinator::default();
    open(&mut of, "a", key(7, 0));
    join(&mut of, key(7, 0), &partition(0));
    decide(&mut of, key(7, 0), TransactionOutcome::Committed);
    join(&mut of, key(7, 1), &partition(0));
    of.after_loss();
    assert_eq!(of.id_count(), 0);
    assert_eq!(of.standing(key(7, 0)), Standing::Over(TransactionOutcome::Committed));
    assert_eq!(of.standing(key(7, 1)), Standing::Over(TransactionOutcome::Aborted));
    encoded(&of);
}

#[test]
fn a_coordinator_has_these_golden_bytes() {
    let mut of = TransactionCoordinator::default();
    open(&mut of, "a", key(0x0102, 3));
    join(&mut of, key(0x0102, 3), &partition(4));
    decide(&mut of, key(0x0102, 3), TransactionOutcome::Committed);
    join(&mut of, key(0x0102, 4), &Participant::Group(GroupId::new("g").unwrap()));
    let hex: String = encoded(&of).iter().map(|byte| format!("{byte:02x}")).collect();
    let golden = "01000000 0100 61 0201000000000000 0400 10270000 0200000000000000 \
                  01 0201000000000000 0300 01 \
                  01 0200000000000000 0100 0100 02 0100 67 \
                  01000000 0201000000000000 0300 01 0100 0100 01 0100000000000000 04000000";
    assert_eq!(hex, golden.replace(' ', ""));
    let bytes = encoded(&of);
    for length in 0..bytes.len() {
        assert!(TransactionCoordinator::decode(&bytes[..length]).is_err(), "cut to {length}");
    }
    assert!(TransactionCoordinator::decode(&[&bytes[..], &[0]].concat()).is_err(), "longer");
}
