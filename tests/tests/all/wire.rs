//! Worlds of clients around the whole server: a few seeds, twice the same, and a disk that lies.

use florin_tests::sweep::{Kind, seeds_of};
use florin_tests::wire::{Outcome, Plan, Summary, play, play_commit};

fn played(seed: u64) -> Outcome {
    let outcome = play(&Plan::of(seed));
    assert_eq!(outcome.violation, None, "seed {seed}");
    outcome
}

#[test]
fn worlds_of_clients_with_crashes_and_broken_connections_break_no_promise() {
    for seed in 1..=40 {
        let summary = played(seed).summary;
        assert!(summary.operation_count >= 500, "seed {seed} did too little: {summary:?}");
        assert!(summary.kill_count + summary.power_loss_count >= 1, "seed {seed} never crashed: {summary:?}");
        assert!(summary.verified_count >= 50, "seed {seed} stored too little: {summary:?}");
    }
}

#[test]
fn every_kind_of_fault_and_of_harm_occurs() {
    let all = (1001..=1060).map(|seed| played(seed).summary).fold(Summary::default(), |all, one| all.plus(&one));
    let network = [
        all.connect_refused_count,
        all.accept_failed_count,
        all.part_count,
        all.stall_count,
        all.reset_count,
        all.end_count,
        all.silence_count,
        all.full_count,
    ];
    let ends = [all.kill_count, all.power_loss_count, all.stop_count, all.early_end_count];
    let harm = [all.garbage_count, all.half_frame_count, all.deaf_count, all.storm_count, all.wrong_count];
    let server = [all.paused_count, all.forwarded_count, all.timed_out_count];
    let clients = [all.lost_count, all.retry_count, all.duplicate_count, all.unknown_count, all.library_outcome_count];
    let payments = [all.paid_count, all.known_payment_count, all.conflict_count, all.read_payment_count];
    let moves = [
        all.committed_move_count,
        all.aborted_move_count,
        all.fenced_move_count,
        all.together_count,
        all.late_end_count,
        all.watched_count,
        all.read_move_count,
    ];
    for counts in [&network[..], &ends, &harm, &server, &clients, &payments, &moves] {
        assert!(counts.iter().all(|count| *count >= 10), "something hardly occurred: {all:#?}");
    }
    assert!(all.disk_fault_count > 0, "no write of the disk failed: {all:#?}");
}

#[test]
fn the_server_may_end_at_every_event_of_a_commit() {
    let (mut cut_count, mut over_count) = (0, 0);
    for seed in 3001..=3006 {
        let plan = Plan { shard_count: 3, executor_count: 2, ..Plan::of(seed) };
        // Whoever goes away before it is told is not told at all.
        for event_count in 0..400 {
            let cut = play_commit(&plan, event_count, seed % 2 == 0);
            assert_eq!(cut.outcome.violation, None, "seed {seed}, ended {event_count} events behind the request");
            if cut.was_over {
                over_count += 1;
                break;
            }
            cut_count += 1;
        }
    }
    assert!(cut_count > 1000 && over_count >= 4, "{cut_count} cuts, {over_count} commits that were over");
}

#[test]
fn worlds_of_clients_that_once_broke_a_promise_break_none() {
    for (seed, sentence) in seeds_of(include_str!("../../seeds.txt"), Kind::Clients).expect("it has seeds") {
        assert_eq!(play(&Plan::of(seed)).violation, None, "seed {seed}: {sentence}");
    }
}

#[test]
fn the_same_seed_gives_the_same_world_of_clients() {
    let digests: Vec<u64> = (2001..=2006).map(|seed| played(seed).digest).collect();
    assert_eq!(digests, (2001..=2006).map(|seed| played(seed).digest).collect::<Vec<_>>());
    assert!(digests.windows(2).all(|pair| pair[0] != pair[1]), "different seeds are different worlds: {digests:?}");
}

#[test]
fn clients_notice_a_disk_that_acknowledges_what_is_not_durable() {
    let notices = |seed: &u64| play(&Plan { lying_disk: true, ..Plan::of(*seed) }).violation.is_some();
    let noticed = (3001..=3020).filter(notices).count();
    assert!(noticed >= 10, "only {noticed} of 20 worlds noticed");
}
