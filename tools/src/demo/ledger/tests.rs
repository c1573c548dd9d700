use super::{Bounds, Ledger, moved};
use crate::demo::capture::Stored;
use crate::demo::check::PartitionSum;
use crate::demo::payments::{Cents, Payment, all};

const STORED: [Stored; 4] = [
    Stored { partition: 0, offset: 0 },
    Stored { partition: 1, offset: 0 },
    Stored { partition: 1, offset: 1 },
    Stored { partition: 0, offset: 1 },
];
/// The first payment of partition 1 is cut.
const BOUNDS: [Bounds; 2] = [Bounds { start: 0, end: 2 }, Bounds { start: 1, end: 2 }];

fn payments() -> Vec<Payment> {
    all().expect("the file is sound")[..4].to_vec()
}

fn sum_of(indexes: &[usize]) -> PartitionSum {
    let payments = payments();
    let mut sum = PartitionSum::default();
    indexes.iter().for_each(|index| sum.add(payments[*index].cents));
    sum
}

fn ledger(bounds: [Bounds; 2], left: [PartitionSum; 2]) -> Ledger {
    Ledger::new(&payments(), &STORED, &[sum_of(&[0, 3]), sum_of(&[1, 2])], bounds.to_vec(), left.to_vec())
}

fn left() -> [PartitionSum; 2] {
    [sum_of(&[0, 3]), sum_of(&[2])]
}

#[test]
fn what_was_cut_and_what_is_left_are_all_there_was() {
    let ledger = ledger(BOUNDS, left());
    assert_eq!(ledger.cut, [PartitionSum::default(), sum_of(&[1])]);
    assert_eq!((ledger.cut_sum(), ledger.left_sum()), (sum_of(&[1]), sum_of(&[0, 2, 3])));
    assert!(ledger.displaced().is_empty() && ledger.unbalanced(sum_of(&[0, 1, 2, 3])).is_empty());
}

#[test]
fn a_payment_that_is_missing_behind_the_cut_upsets_the_ledger() {
    let ledger = ledger(BOUNDS, [sum_of(&[0]), sum_of(&[2])]);
    assert_eq!(ledger.displaced(), ["partition 0 is from 0 to 2: 0 cut, 1 left"]);
    let unbalanced = ledger.unbalanced(sum_of(&[0, 1, 2, 3]));
    assert_eq!(unbalanced.len(), 2, "the partition and all of them: {unbalanced:?}");
    assert!(unbalanced[0].starts_with("partition 0: had 2 payments of "), "{unbalanced:?}");
    assert!(unbalanced[1].starts_with("all partitions: had 4 payments of "), "{unbalanced:?}");
}

#[test]
fn a_payment_that_came_back_upsets_the_ledger() {
    let ledger = ledger(BOUNDS, [sum_of(&[0, 3]), sum_of(&[1, 2])]);
    assert_eq!(ledger.displaced(), ["partition 1 is from 1 to 2: 1 cut, 2 left"]);
    assert_eq!(ledger.unbalanced(sum_of(&[0, 1, 2, 3])).len(), 2);
}

#[test]
fn a_cent_too_much_or_too_little_upsets_the_ledger() {
    let mut other = left();
    other[1].cents = Cents(other[1].cents.0 + 1);
    let dearer = ledger(BOUNDS, other);
    assert!(dearer.displaced().is_empty(), "as many as there were");
    assert_eq!(dearer.unbalanced(sum_of(&[0, 1, 2, 3])).len(), 2);
    // One partition has what another lost: all of them together do not show it.
    other[0].cents = Cents(other[0].cents.0 - 1);
    let unbalanced = ledger(BOUNDS, other).unbalanced(sum_of(&[0, 1, 2, 3]));
    assert_eq!(unbalanced.len(), 2, "{unbalanced:?}");
    assert!(unbalanced.iter().all(|line| line.starts_with("partition ")), "{unbalanced:?}");
    let sent = PartitionSum { payment_count: 4, cents: Cents(sum_of(&[0, 1, 2, 3]).cents.0 + 1) };
    assert_eq!(ledger(BOUNDS, left()).unbalanced(sent).len(), 1, "it was sent and never came");
}

#[test]
fn a_partition_that_begins_or_ends_elsewhere_is_found() {
    // Acknowledgements say that one payment is below offset 1; the partition begins at 1 and would end at 2.
    let late = [BOUNDS[0], Bounds { start: 1, end: 3 }];
    assert_eq!(ledger(late, left()).displaced(), ["partition 1 is from 1 to 3: 1 cut, 1 left"]);
    let beyond = [BOUNDS[0], Bounds { start: 7, end: 8 }];
    assert_eq!(ledger(beyond, left()).displaced(), ["partition 1 is from 7 to 8: 2 cut, 1 left"]);
}

#[test]
fn bounds_that_moved_are_found() {
    assert!(moved(&BOUNDS, &BOUNDS).is_empty());
    let again = [BOUNDS[0], Bounds { start: 0, end: 2 }];
    assert_eq!(moved(&BOUNDS, &again), ["partition 1 was from 1 to 2, now from 0 to 2"]);
    let shorter = [BOUNDS[0], Bounds { start: 1, end: 1 }];
    assert_eq!(moved(&BOUNDS, &shorter), ["partition 1 was from 1 to 2, now from 1 to 1"]);
    assert_eq!(moved(&BOUNDS, &BOUNDS[..1]), ["2 partitions, now 1"]);
}
