//! The real server on a disk in memory whose power is cut, which lies, freezes or is full.

use std::path::Path;
use std::time::Duration;

use florin_engine::model::{PartitionId, TopicId};
use florin_harness::power::campaign::{Broken, Plan, Totals, play};
use florin_harness::power::cut::{Honesty, durable};
use florin_harness::power::disk::Disk;
use florin_harness::power::image::Image;
use florin_harness::power::mount::{self, Mounted, with_own_mounts};
use florin_harness::power::record::{Change, Record};
use florin_harness::power::trouble::Trouble;
use florin_harness::real::directory;
use florin_harness::served::server::{Server, Start, program};
use florin_harness::served::wire::Wire;

use crate::served_kill::from_environment;

/// Cuts that are tried, and how many of them in each life of a server.
const CUT_COUNT: u32 = 20;
const CUTS_PER_LIFE: u32 = 10;
/// Cuts beside other trouble.
const TROUBLED_CUT_COUNT: u32 = 8;
const FROZEN_FOR: Duration = Duration::from_secs(2);
const MIB: usize = 1024 * 1024;
/// Lying disks that are tried.
const LIAR_COUNT: u64 = 12;
/// Records that are captured one by one.
const CAPTURE_COUNT: u64 = 50;

/// A directory below which disks can be mounted, or none; then it says why.
fn place(test: &str) -> Option<tempfile::TempDir> {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    if let Some(reason) = directory::reason_to_skip(parent).or_else(|| mount::reason_to_skip(parent)) {
        println!("SKIP {test}: {reason}");
        return None;
    }
    // Built before, and seen from everywhere.
    program();
    Some(tempfile::Builder::new().prefix("power-").tempdir_in(parent).expect("a directory"))
}

fn plan(cuts: u32, trouble: Trouble) -> Plan {
    Plan {
        seed: from_environment("FLORIN_SEED", 1),
        cuts: from_environment("FLORIN_CUTS", cuts),
        cuts_per_life: CUTS_PER_LIFE.min(cuts / 2),
        honesty: Honesty::Honest,
        trouble,
        program: None,
    }
}

fn played(place: &tempfile::TempDir, plan: &Plan) -> Result<Totals, Broken> {
    with_own_mounts(|| play(place.path(), plan, &mut |_| {})).expect("mounts were tried")
}

/// Plays a plan, and demands that it holds; a failure leaves the directory behind.
fn holds(test: &str, cuts: u32, trouble: Trouble) -> Option<Totals> {
    let place = place(test)?;
    let plan = plan(cuts, trouble);
    match played(&place, &plan) {
        Ok(totals) => {
            println!("seed {}: {totals}", plan.seed);
            assert!(totals.cuts >= cuts && totals.held_to > 0, "there was hardly anything to lose: {totals}");
            Some(totals)
        }
        Err(broken) => panic!(
            "{broken}\nin {} (kept); again with:\n  FLORIN_SEED={} FLORIN_CUTS={} cargo test -p florin-tests {test} -- \
             --nocapture",
            place.keep().display(),
            plan.seed,
            plan.cuts,
        ),
    }
}

#[test]
fn a_real_server_whose_power_is_cut_anywhere_keeps_everything_that_anybody_was_told() {
    let test = "a_real_server_whose_power_is_cut_anywhere";
    let Some(totals) = holds(test, CUT_COUNT, Trouble::None) else { return };
    let tally = totals.tally;
    assert!(tally.lost > 0 && tally.kept > 0 && tally.torn > 0, "cuts changed nothing: {tally:?}");
    assert!(totals.told.acked > 100, "there was hardly anything to lose: {totals}");
}

#[test]
fn a_disk_that_loses_writes_it_reported_as_durable_is_found_out_by_lost_acknowledgements() {
    let Some(place) = place("a_disk_that_loses_writes") else { return };
    let mut rules = Vec::new();
    for seed in 1..=LIAR_COUNT {
        let plan = Plan { seed, honesty: Honesty::LosesLast(2), ..plan(CUT_COUNT, Trouble::None) };
        let home = tempfile::Builder::new().prefix("liar-").tempdir_in(place.path()).expect("a directory");
        let broken = played(&home, &plan).expect_err("nobody noticed that the disk lies");
        rules.push(broken.violation.map_or("refused", |violation| violation.rule));
        if rules.contains(&"lost") {
            println!("noticed as {rules:?}");
            return;
        }
    }
    panic!("no lost acknowledgement among {rules:?}");
}

#[test]
fn a_real_server_that_stands_still_for_seconds_under_load_goes_on_and_a_power_cut_loses_nothing() {
    holds("a_real_server_that_stands_still", TROUBLED_CUT_COUNT, Trouble::ProcessFreezes(FROZEN_FOR));
}

#[test]
fn a_real_server_whose_disk_answers_nothing_for_seconds_goes_on_and_a_power_cut_loses_nothing() {
    holds("a_real_server_whose_disk_answers_nothing", TROUBLED_CUT_COUNT, Trouble::DiskFreezes(FROZEN_FOR));
}

#[test]
fn a_real_server_under_load_on_a_full_disk_refuses_goes_on_with_space_and_a_power_cut_loses_nothing() {
    let test = "a_real_server_under_load_on_a_full_disk";
    let Some(totals) = holds(test, TROUBLED_CUT_COUNT, Trouble::DiskFills(MIB)) else { return };
    let refused = totals.told.refused.get(&florin_harness::served::load::JOURNAL_FULL);
    assert!(totals.refused_for_space > 0 && refused.is_some(), "the disk never was full: {totals}");
}

/// Whether a durable write was begun and reported among these events.
fn has_durable_write(record: &Record, events: std::ops::Range<u64>) -> bool {
    let is_durable = |change: &Change| matches!(change, Change::Write { is_durable: true, .. });
    let within = |event: u64| events.contains(&event);
    record
        .entries
        .iter()
        .any(|entry| is_durable(&entry.change) && within(entry.begun) && entry.reported.is_some_and(within))
}

#[test]
fn every_acknowledgement_of_a_real_server_follows_a_durable_write_that_was_reported_to_it() {
    let Some(place) = place("every_acknowledgement_of_a_real_server_follows_a_durable_write") else { return };
    let captured = with_own_mounts(|| {
        let disk = Disk::new(Image::default());
        let mounted = Mounted::new(&place.path().join("disk"), &disk, 1).expect("it was tried");
        let start = Start::new(mounted.path().join("data"));
        let server = Server::start(&start).unwrap_or_else(|ended| panic!("not started: {}", ended.log));
        let mut wire = Wire::open(server.address_of(0)).expect("it answers");
        let topic = wire.create_topic("payments", 1).expect("it is made");
        let partition = PartitionId { topic: topic.id, index: 0 };
        let events = disk.events();
        let mut captured = Vec::new();
        for number in 0..CAPTURE_COUNT {
            let before = events.count();
            wire.produce(partition, &number.to_le_bytes()).expect("it is stored");
            captured.push(before..events.count());
        }
        server.kill();
        (captured, disk.record())
    });
    let (captured, record) = captured.expect("mounts were tried");
    for (number, events) in captured.into_iter().enumerate() {
        assert!(has_durable_write(&record, events.clone()), "record {number} was acknowledged after {events:?}");
    }
}

/// A server is killed while it makes its directory, right after such a change; the next one captures, and the power is
/// cut: the record must be there.
fn captured_after_a_kill_is_there(place: &Path, is_last: impl Fn(&Change) -> bool) {
    let live = |name: &str, disk: &Disk, work: &dyn Fn(&Server)| {
        let mounted = Mounted::new(&place.join(name), disk, 1).expect("it was tried");
        let server = Server::start(&Start::new(mounted.path().join("data")));
        let server = server.unwrap_or_else(|ended| panic!("{name}: not started: {}", ended.log));
        work(&server);
        server.kill();
    };
    let first = Disk::new(Image::default());
    live("first", &first, &|_| {});
    let record = first.record();
    let last = record.entries.iter().find(|entry| is_last(&entry.change)).expect("it happens");
    let killed = Disk::after(record.after_kill(last.reported.expect("it was reported") + 1));
    let partition = PartitionId { topic: TopicId(1), index: 0 };
    live("second", &killed, &|server| {
        let mut wire = Wire::open(server.address_of(0)).expect("it answers");
        assert_eq!(wire.create_topic("payments", 1).expect("it is made").id, partition.topic);
        wire.produce(partition, b"paid").expect("it is stored");
    });
    let record = killed.record();
    let cut = Disk::new(durable(&record, record.events.count()));
    live("third", &cut, &|server| {
        let mut wire = Wire::open(server.address_of(0)).expect("it answers");
        assert_eq!(wire.read_all(partition), Ok(vec![(0, b"paid".to_vec())]));
    });
}

#[test]
fn what_is_captured_after_a_kill_that_ended_a_format_just_before_its_last_sync_survives_a_power_cut() {
    let Some(place) = place("what_is_captured_after_a_kill_that_ended_a_format") else { return };
    let is_named = |change: &Change| matches!(change, Change::Rename { to, .. } if to.name == "identity");
    with_own_mounts(|| captured_after_a_kill_is_there(place.path(), is_named)).expect("mounts were tried");
}

#[test]
fn what_is_captured_in_a_directory_that_was_made_and_not_synced_survives_a_power_cut() {
    let Some(place) = place("what_is_captured_in_a_directory_that_was_made_and_not_synced") else { return };
    let is_made = |change: &Change| matches!(change, Change::MakeDirectory(place, _) if place.name == "data");
    with_own_mounts(|| captured_after_a_kill_is_there(place.path(), is_made)).expect("mounts were tried");
}

#[test]
fn a_real_server_starts_after_a_power_cut_on_a_disk_without_a_single_free_page() {
    let Some(place) = place("a_real_server_starts_after_a_power_cut_on_a_disk_without_a_free_page") else { return };
    let started = with_own_mounts(|| {
        let first = Disk::new(Image::default());
        let mounted = Mounted::new(&place.path().join("first"), &first, 1).expect("it was tried");
        let server = Server::start(&Start::new(mounted.path().join("data")));
        server.unwrap_or_else(|ended| panic!("not started: {}", ended.log)).kill();
        let record = first.record();
        let full = Disk::new(durable(&record, record.events.count()));
        full.set_capacity(full.used_bytes());
        let mounted = Mounted::new(&place.path().join("full"), &full, 1).expect("it was tried");
        let server = Server::start(&Start::new(mounted.path().join("data")));
        let server = server.unwrap_or_else(|ended| panic!("not started: {}", ended.log));
        let mut wire = Wire::open(server.address_of(0)).expect("it answers");
        let topic = wire.create_topic("payments", 1).expect("the journal has room");
        let partition = PartitionId { topic: topic.id, index: 0 };
        wire.produce(partition, b"paid").expect("the journal has room");
        server.kill();
        full.refused_for_space()
    });
    assert!(started.expect("mounts were tried") > 0, "the disk was not full");
}
