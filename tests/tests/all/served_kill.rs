//! The real server under load, killed again and again.

use std::path::Path;
use std::str::FromStr;

use florin_harness::real::directory::reason_to_skip;
use florin_harness::served::kill::{Ending, Harness, endings};
use florin_harness::served::server::{Server, Start};
use florin_harness::served::wire::Wire;
use florin_harness::served::{library, payments, transfers};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Kills of a server under load.
const KILL_COUNT: u32 = 50;

/// Kills of a server that the client library speaks to.
const LIBRARY_KILL_COUNT: u32 = 12;

/// Kills of a server that stores payments by their keys.
const PAYMENT_KILL_COUNT: u32 = 100;

/// Kills of a server that carries transactions out.
const TRANSFER_KILL_COUNT: u32 = 40;

/// A number that a longer or another run sets.
pub fn from_environment<T: FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn a_real_server_killed_fifty_times_under_load_keeps_every_acked_record_once_and_at_its_offset() {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    if let Some(reason) = reason_to_skip(parent) {
        println!("SKIP a_real_server_killed_fifty_times_under_load: {reason}");
        return;
    }
    let seed: u64 = from_environment("FLORIN_SEED", 1);
    let kill_count = from_environment("FLORIN_ROUNDS", KILL_COUNT);
    // A failure leaves the directory behind, to be looked at.
    let directory = tempfile::Builder::new().prefix("killed-").tempdir_in(parent).expect("a directory").keep();
    let mut harness = Harness::new(&directory.join("data"), seed);
    let endings = endings(kill_count);
    let mut played = 0;
    let outcome = endings.iter().try_for_each(|ending| {
        played += 1;
        harness.round(*ending)
    });
    if let Err(what) = outcome.and_then(|()| harness.finish()) {
        panic!(
            "round {played} ({:?}): {what}\n{:#?}\ndirectory {} (kept); again with:\n  \
             FLORIN_SEED={seed} FLORIN_ROUNDS={kill_count} cargo test -p florin-tests killed_fifty_times -- --nocapture",
            endings.get(played - 1),
            harness.totals(),
            directory.display(),
        );
    }
    let count = |wanted: Ending| endings.iter().filter(|ending| **ending == wanted).count();
    let totals = harness.totals();
    println!(
        "seed {seed}: killed {} times under load, {} during start-up, {} while stopping; {} stopped in order; {totals:#?}",
        count(Ending::Kill),
        count(Ending::KillStarting),
        count(Ending::KillStopping),
        count(Ending::Stop),
    );
    assert!(totals.acked > 20 * u64::from(kill_count), "there was hardly anything to lose: {totals:?}");
    assert!(totals.shown > 0 && totals.duplicates > 0, "nobody read or sent again: {totals:?}");
    std::fs::remove_dir_all(directory).expect("it was ours");
}

#[test]
fn client_library_through_twelve_kills_gives_each_record_one_outcome_that_holds() {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    if let Some(reason) = reason_to_skip(parent) {
        println!("SKIP client_library_through_twelve_kills: {reason}");
        return;
    }
    let seed: u64 = from_environment("FLORIN_SEED", 1);
    let kill_count = from_environment("FLORIN_ROUNDS", LIBRARY_KILL_COUNT);
    let directory = tempfile::Builder::new().prefix("killed-").tempdir_in(parent).expect("a directory").keep();
    let summary = library::play(&directory.join("data"), seed, kill_count).unwrap_or_else(|what| {
        panic!(
            "{what}\ndirectory {} (kept); again with:\n  FLORIN_SEED={seed} FLORIN_ROUNDS={kill_count} \
             cargo test -p florin-tests client_library_through -- --nocapture",
            directory.display(),
        )
    });
    println!("seed {seed}: {kill_count} kills; {summary:#?}");
    let stored = summary.outcomes.get("stored").copied().unwrap_or(0);
    assert!(stored > 10 * u64::from(kill_count), "there was hardly anything to lose: {summary:?}");
    std::fs::remove_dir_all(directory).expect("it was ours");
}

#[test]
fn payments_sent_again_through_a_hundred_kills_are_stored_exactly_once_by_their_key() {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    if let Some(reason) = reason_to_skip(parent) {
        println!("SKIP payments_sent_again_through_a_hundred_kills: {reason}");
        return;
    }
    let seed: u64 = from_environment("FLORIN_SEED", 1);
    let kill_count = from_environment("FLORIN_ROUNDS", PAYMENT_KILL_COUNT);
    let directory = tempfile::Builder::new().prefix("killed-").tempdir_in(parent).expect("a directory").keep();
    let summary = payments::play(&directory.join("data"), seed, kill_count).unwrap_or_else(|what| {
        panic!(
            "{what}\ndirectory {} (kept); again with:\n  FLORIN_SEED={seed} FLORIN_ROUNDS={kill_count} \
             cargo test -p florin-tests payments_sent_again -- --nocapture",
            directory.display(),
        )
    });
    println!("seed {seed}: {kill_count} kills; {summary:#?}");
    assert!(summary.stored > 10 * u64::from(kill_count), "there was hardly anything to lose: {summary:?}");
    let is_tried = summary.unanswered > 0 && summary.duplicates > 0 && summary.conflicts > 0;
    assert!(is_tried, "nothing was sent again: {summary:?}");
    std::fs::remove_dir_all(directory).expect("it was ours");
}

#[test]
fn transactions_through_forty_kills_count_each_order_once_or_not_at_all() {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    if let Some(reason) = reason_to_skip(parent) {
        println!("SKIP transactions_through_forty_kills: {reason}");
        return;
    }
    let seed: u64 = from_environment("FLORIN_SEED", 1);
    let kill_count = from_environment("FLORIN_ROUNDS", TRANSFER_KILL_COUNT);
    let directory = tempfile::Builder::new().prefix("killed-").tempdir_in(parent).expect("a directory").keep();
    let summary = transfers::play(&directory.join("data"), seed, kill_count).unwrap_or_else(|what| {
        panic!(
            "{what}\ndirectory {} (kept); again with:\n  FLORIN_SEED={seed} FLORIN_ROUNDS={kill_count} \
             cargo test -p florin-tests transactions_through -- --nocapture",
            directory.display(),
        )
    });
    println!("seed {seed}: {kill_count} kills; {summary:#?}");
    assert!(summary.passed > 5 * u64::from(kill_count), "there was hardly anything to lose: {summary:?}");
    let is_tried = summary.committed > 0 && summary.aborted > 0 && summary.lost_id > 0;
    assert!(is_tried, "nothing went wrong: {summary:?}");
    std::fs::remove_dir_all(directory).expect("it was ours");
}

#[test]
fn killed_server_with_clients_starts_again_on_its_ports_at_once_and_a_second_one_there_does_not() {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    if let Some(reason) = reason_to_skip(parent) {
        println!("SKIP killed_server_with_clients_starts_again_on_its_ports_at_once: {reason}");
        return;
    }
    let place = tempfile::Builder::new().prefix("killed-").tempdir_in(parent).expect("a directory");
    let seed = u64::from(std::process::id());
    let port = library::free_ports(&mut ChaCha8Rng::seed_from_u64(seed)).expect("there are free ports");
    let at = |name: &str| {
        let start = Start::new(place.path().join(name)).listen(format!("127.0.0.1:{port}"));
        start.with(&["--http", "off", "--allow-cow"])
    };
    let start = || Server::start(&at("data")).unwrap_or_else(|ended| panic!("not started: {}", ended.log));
    let mut server = start();
    // These stay open: the kernel still has the killed server's side of them when the next one starts.
    let mut wires = Vec::new();
    for _ in 0..3 {
        for shard in 0..2 {
            let mut wire = Wire::open(server.address_of(shard)).expect("it answers");
            wire.metadata().expect("it answers");
            wires.push(wire);
        }
        server.kill();
        server = start();
    }
    let second = Server::start(&at("other")).err().expect("the ports are in use");
    assert!(second.log.contains("cannot listen") && !second.status.success(), "{}", second.log);
    assert!(Wire::open(server.address_of(0)).is_ok());
}
