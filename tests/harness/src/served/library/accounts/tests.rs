//! Each outcome that does not hold is found.

use super::{Contents, Outcome, Sending, judge, judge_consumed, record_value};

fn sending(serial: u32, outcome: Outcome) -> Sending {
    Sending { producer: 1, serial, partition: 0, outcome }
}

fn stored(serial: u32, offset: u64) -> Sending {
    sending(serial, Outcome::Stored { partition: 0, offset })
}

/// Records of the only producer in the only partition.
fn contents(serials: &[u32]) -> Contents {
    let records = (0..).zip(serials).map(|(offset, serial)| (offset, record_value(1, *serial).into_bytes()));
    [(0, records.collect())].into()
}

#[test]
fn outcomes_that_hold_are_accepted() {
    let sendings =
        [stored(0, 0), sending(1, Outcome::TimedOut), sending(2, Outcome::Unknown), sending(3, Outcome::Unknown)];
    assert_eq!(judge(&sendings, &contents(&[0, 2])), Ok(()));
    assert_eq!(judge(&[sending(0, Outcome::StoredSomewhere)], &contents(&[0])), Ok(()));
}

#[test]
fn outcomes_that_do_not_hold_are_found() {
    let wrong = |sendings: &[Sending], serials: &[u32]| {
        judge(sendings, &contents(serials)).expect_err("it is wrong").split(':').next().map(str::to_owned)
    };
    let outcome = Some("wrong outcome".to_owned());
    assert_eq!(wrong(&[stored(0, 0), stored(1, 1)], &[0]), outcome);
    assert_eq!(wrong(&[stored(0, 1), stored(1, 0)], &[0, 1]), outcome);
    assert_eq!(wrong(&[sending(0, Outcome::TimedOut)], &[0]), outcome);
    assert_eq!(wrong(&[sending(0, Outcome::NotStored("refused".to_owned()))], &[0]), outcome);
    assert_eq!(wrong(&[sending(0, Outcome::StoredSomewhere)], &[]), outcome);
    assert_eq!(wrong(&[sending(0, Outcome::Unknown)], &[0, 0]), Some("stored twice".to_owned()));
    assert_eq!(wrong(&[stored(1, 0), stored(0, 1)], &[1, 0]), Some("out of order".to_owned()));
    assert_eq!(wrong(&[stored(0, 0)], &[0, 7]), Some("never sent".to_owned()));
}

#[test]
fn gaps_and_other_bytes_are_found() {
    let mut gap = contents(&[0, 1]);
    gap.get_mut(&0).expect("it is there")[1].0 = 2;
    assert!(judge(&[stored(0, 0), stored(1, 2)], &gap).is_err_and(|what| what.starts_with("gap")));
    let mut other = contents(&[0]);
    other.get_mut(&0).expect("it is there")[0].1[0] ^= 1;
    assert!(judge(&[stored(0, 0)], &other).is_err_and(|what| what.starts_with("other bytes")));
}

#[test]
fn consumer_that_missed_or_repeated_something_is_found() {
    assert_eq!(judge_consumed(&contents(&[0, 1]), &contents(&[0, 1])), Ok(()));
    assert!(judge_consumed(&contents(&[0]), &contents(&[0, 1])).is_err());
    assert!(judge_consumed(&contents(&[0, 1, 1]), &contents(&[0, 1])).is_err());
    assert!(judge_consumed(&contents(&[1, 0]), &contents(&[0, 1])).is_err());
}
