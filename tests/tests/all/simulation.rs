//! Worlds that every test run plays: a few seeds, the failures of the past, and a disk that lies.

use florin_tests::sweep::{Kind, seeds_of};
use florin_tests::world::{Outcome, Plan, Summary, play, play_checkpoint};

fn world(seed: u64, lying_disk: bool) -> Outcome {
    let mut plan = Plan::of(seed);
    plan.lying_disk = lying_disk;
    play(&plan)
}

#[test]
fn fifty_worlds_with_crashes_break_no_promise() {
    let mut over_count = 0;
    for seed in 1..=50 {
        let outcome = world(seed, false);
        assert_eq!(outcome.violation, None, "seed {seed}");
        let summary = outcome.summary;
        // A disk broke what it is trusted with, and that was noticed: nothing can be asked of this world any more.
        if summary.over_count > 0 {
            over_count += 1;
            continue;
        }
        assert!(summary.operation_count >= 500, "seed {seed} did too little: {summary:?}");
        assert!(summary.kill_count + summary.power_loss_count >= 1, "seed {seed} never crashed: {summary:?}");
    }
    assert!(over_count <= 3, "{over_count} worlds ended early");
}

#[test]
fn two_restarts_in_a_row_after_every_kind_of_cut_show_the_same() {
    let mut all = Summary::default();
    for seed in 2001..=2120 {
        let mut plan = Plan::of(seed);
        plan.ends_twice = true;
        let outcome = play(&plan);
        assert_eq!(outcome.violation, None, "seed {seed}");
        all = all.plus(&outcome.summary);
    }
    // Torn tails, full journals whose last file goes on behind a cut, fronts that retention cut, and gaps.
    let kinds = [all.cut_count, all.full_count, all.cut_front_count, all.repair_count, all.loss_count];
    assert!(kinds.iter().all(|count| *count > 20), "some kind of cut hardly occurred: {all:?}");
}

#[test]
fn the_power_may_go_at_every_event_of_a_checkpoint() {
    let (mut cut_count, mut end_count) = (0, 0);
    for seed in 3001..=3004 {
        let plan = Plan::of(seed);
        for event_count in 0.. {
            let cut = play_checkpoint(&plan, 150, event_count);
            assert_eq!(cut.outcome.violation, None, "seed {seed}, power lost {event_count} events behind the request");
            if cut.had_ended {
                end_count += 1;
                break;
            }
            cut_count += 1;
        }
    }
    assert!(cut_count > 100 && end_count == 4, "{cut_count} cuts, {end_count} checkpoints that ended");
}

#[test]
fn worlds_that_once_broke_a_promise_break_none() {
    for (seed, sentence) in seeds_of(include_str!("../../seeds.txt"), Kind::Engine).expect("it has seeds") {
        assert_eq!(world(seed, false).violation, None, "seed {seed}: {sentence}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_the_same_answers() {
    for seed in [3, 17, 4711] {
        let (first, second) = (world(seed, false), world(seed, false));
        assert_eq!((first.digest, first.summary), (second.digest, second.summary), "seed {seed}");
    }
}

#[test]
fn different_seeds_give_different_worlds() {
    assert_ne!(world(1, false).digest, world(2, false).digest);
}

#[test]
fn a_disk_that_acknowledges_volatile_writes_is_noticed() {
    let noticed = (1..=20).filter(|seed| world(*seed, true).violation.is_some()).count();
    assert!(noticed >= 10, "only {noticed} of 20 worlds noticed that acknowledged writes were lost");
}
