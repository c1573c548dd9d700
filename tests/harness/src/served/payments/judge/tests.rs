use std::collections::BTreeMap;

use super::{Answer, Answers, Payment, judge};
use crate::served::library::accounts::Contents;

fn payment(key: &str, amount: u32) -> Payment {
    Payment::new(key.to_owned(), amount)
}

fn contents(payments: &[Payment]) -> Contents {
    BTreeMap::from([(0, (0..).zip(payments.iter().map(|payment| payment.value().into_bytes())).collect())])
}

const fn stored(offset: u64) -> Answer {
    Answer::Stored { partition: 0, offset }
}

const fn conflict(offset: u64) -> Answer {
    Answer::Conflict { partition: 0, offset }
}

fn told(answers: &[(Payment, Answer)]) -> Answers {
    let mut all = Answers::default();
    answers.iter().for_each(|(payment, answer)| all.note(payment.clone(), *answer).expect("told once"));
    all
}

#[test]
fn right_answers_hold() {
    let there = contents(&[payment("a", 1), payment("b", 2)]);
    let answers = told(&[(payment("a", 1), stored(0)), (payment("b", 2), stored(1)), (payment("b", 3), conflict(1))]);
    let places = judge(&answers, &there).expect("they hold");
    assert_eq!(places, BTreeMap::from([("a".to_owned(), (0, 0)), ("b".to_owned(), (0, 1))]));
}

#[test]
fn every_wrong_answer_is_found() {
    let there = contents(&[payment("a", 1), payment("b", 2)]);
    let wrong = [
        (payment("a", 1), stored(1)),
        (payment("a", 2), stored(0)),
        (payment("a", 1), conflict(0)),
        (payment("c", 1), stored(2)),
        (payment("c", 1), conflict(0)),
    ];
    for answer in wrong {
        assert!(judge(&told(std::slice::from_ref(&answer)), &there).is_err(), "{answer:?}");
    }
    let mut answers = told(&[(payment("a", 1), stored(0))]);
    assert!(answers.note(payment("a", 1), stored(0)).is_ok());
    assert!(answers.note(payment("a", 1), stored(3)).is_err(), "a payment has one receipt");
}

#[test]
fn a_key_that_is_stored_twice_a_gap_and_other_bytes_are_found() {
    let answers = Answers::default();
    let is_wrong = |there: &Contents, words: &str| judge(&answers, there).expect_err(words).starts_with(words);
    assert!(is_wrong(&contents(&[payment("a", 1), payment("a", 2)]), "stored twice"));
    let gap = BTreeMap::from([(0, vec![(1, payment("a", 1).value().into_bytes())])]);
    assert!(is_wrong(&gap, "gap"));
    assert!(is_wrong(&BTreeMap::from([(0, vec![(0, b"a 1 2".to_vec())])]), "other bytes"));
}
