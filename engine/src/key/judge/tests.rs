use proptest::prelude::*;

use super::*;
use crate::format::keys::KeyHash;

fn record(key: u128, body: u128) -> RecordKey {
    RecordKey { key: KeyHash(key), body: BodyHash(body) }
}

/// Keys below 10 are known, under a body that is ten times the key.
fn known(record: &RecordKey) -> Option<Known> {
    let key = record.key;
    let place = u64::try_from(key.0).unwrap();
    (key.0 < 10).then_some(Known {
        body: BodyHash(key.0 * 10),
        offset: Offset(place),
        append_time: Realtime(100 + place),
    })
}

fn judged(records: &[RecordKey]) -> BatchVerdict {
    let known: Vec<_> = records.iter().map(known).collect();
    judge(records, &known)
}

#[test]
fn a_batch_of_new_keys_is_appended() {
    assert_eq!(judged(&[record(10, 0), record(11, 0)]), BatchVerdict::New);
}

#[test]
fn a_batch_that_is_stored_already_gets_the_original_receipts() {
    let receipts = vec![(Offset(3), Realtime(103)), (Offset(1), Realtime(101))];
    assert_eq!(judged(&[record(3, 30), record(1, 10)]), BatchVerdict::Duplicate(receipts));
}

#[test]
fn of_a_batch_with_known_and_new_keys_nothing_is_appended_and_each_record_is_told() {
    let verdicts = vec![
        KeyVerdict::New,
        KeyVerdict::Duplicate { offset: Offset(2), append_time: Realtime(102) },
        KeyVerdict::Conflict { offset: Offset(4), append_time: Realtime(104) },
    ];
    assert_eq!(judged(&[record(12, 0), record(2, 20), record(4, 41)]), BatchVerdict::Mixed(verdicts));
}

#[test]
fn a_key_that_comes_twice_in_a_batch_is_never_appended_twice() {
    let new_twice = vec![KeyVerdict::New, KeyVerdict::Repeated { first: 0 }];
    assert_eq!(judged(&[record(12, 5), record(12, 5)]), BatchVerdict::Mixed(new_twice));
    let stored = KeyVerdict::Duplicate { offset: Offset(2), append_time: Realtime(102) };
    let stored_twice = vec![stored, KeyVerdict::Repeated { first: 0 }];
    assert_eq!(judged(&[record(2, 20), record(2, 20)]), BatchVerdict::Mixed(stored_twice));
}

#[test]
fn another_body_under_a_known_key_is_a_conflict_although_it_is_all_there_is() {
    let conflict = vec![KeyVerdict::Conflict { offset: Offset(0), append_time: Realtime(100) }];
    assert_eq!(judged(&[record(0, 1)]), BatchVerdict::Mixed(conflict));
}

proptest! {
    #[test]
    fn a_batch_is_appended_only_if_no_key_is_known_and_none_comes_twice(
        keys in prop::collection::vec((0_u128..20, 0_u128..200), 1..12),
    ) {
        let records: Vec<_> = keys.iter().map(|(key, body)| record(*key, *body)).collect();
        let distinct: std::collections::BTreeSet<_> = keys.iter().map(|(key, _)| key).collect();
        let is_new = keys.iter().all(|(key, _)| *key >= 10) && distinct.len() == keys.len();
        match judged(&records) {
            BatchVerdict::New => prop_assert!(is_new),
            BatchVerdict::Duplicate(receipts) => {
                prop_assert!(keys.iter().all(|(key, body)| *key < 10 && *body == key * 10));
                prop_assert!(receipts.iter().map(|(offset, _)| u128::from(offset.0)).eq(keys.iter().map(|(key, _)| *key)));
            }
            BatchVerdict::Mixed(verdicts) => {
                prop_assert!(!is_new);
                prop_assert_eq!(verdicts.len(), keys.len());
            }
        }
    }
}
