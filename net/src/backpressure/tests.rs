use super::Shared;

#[test]
fn half_of_the_whole_goes_to_whoever_comes() {
    let shared = Shared::new(100, 10);
    for taken in 0..50 {
        assert!(shared.admits(taken), "one holder may take half of everything");
        shared.take(1);
    }
    assert!(!shared.admits(50));
}

#[test]
fn a_greedy_holder_leaves_every_other_its_equal_share() {
    let shared = Shared::new(100, 10);
    shared.take(50);
    for holder in 0..10 {
        for own in 0..5 {
            assert!(shared.admits(own), "holder {holder} has only {own}");
            shared.take(1);
        }
        assert!(!shared.admits(5));
    }
    assert_eq!(shared.used(), 100);
    shared.give_back(51);
    assert!(shared.admits(5));
}

#[test]
fn what_is_taken_at_once_fits_into_the_easy_half_or_into_the_share() {
    let shared = Shared::new(100, 10);
    shared.take(40);
    assert!(shared.admits_all(40, 10) && !shared.admits_all(40, 11));
    assert!(shared.admits_all(0, 5), "another holder's share");
    shared.take(10);
    assert!(shared.admits_all(0, 5) && !shared.admits_all(0, 6) && !shared.admits_all(1, 5));
    assert!(!shared.admits_all(usize::MAX, 1));
}

#[test]
fn more_holders_than_there_is_to_share_may_still_have_one_each() {
    let shared = Shared::new(10, 1000);
    shared.take(10);
    assert!(shared.admits(0) && !shared.admits(1));
}

#[test]
#[should_panic(expected = "no more is given back than was taken")]
fn what_was_not_taken_is_not_given_back() {
    Shared::new(10, 1).give_back(1);
}
