//! The real server on files that were damaged while it did not run.

use std::collections::BTreeMap;
use std::path::Path;

use florin_harness::real::directory::reason_to_skip;
use florin_harness::served::damage::campaign::Campaign;
use florin_harness::served::damage::case::kinds;
use florin_harness::served::damage::judge::Found;

use crate::served_kill::from_environment;

#[test]
fn damage_to_any_file_of_a_real_server_is_named_reaches_no_farther_than_it_must_and_is_never_served() {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    if let Some(reason) = reason_to_skip(parent) {
        println!("SKIP damage_to_any_file_of_a_real_server: {reason}");
        return;
    }
    let seed: u64 = from_environment("FLORIN_SEED", 1);
    let every_kind = u32::try_from(kinds().len()).expect("a few dozen");
    let case_count = from_environment("FLORIN_CASES", every_kind);
    // A failure leaves the directory behind, to be looked at.
    let home = tempfile::Builder::new().prefix("damaged-").tempdir_in(parent).expect("a directory").keep();
    let campaign = Campaign::make(&home, None, seed, &mut |_| {}).expect("a server writes what it acknowledges");
    let again = format!(
        "FLORIN_SEED={seed} FLORIN_CASES={case_count} cargo test -p florin-tests damage_to_any_file -- --nocapture"
    );
    campaign.control().unwrap_or_else(|broken| panic!("without any damage: {broken}; again with:\n  {again}"));
    let mut found: BTreeMap<Found, u32> = BTreeMap::new();
    for number in 0..case_count {
        let played = campaign.case(number).unwrap_or_else(|broken| panic!("{broken}; again with:\n  {again}"));
        *found.entry(played.found).or_default() += 1;
    }
    println!("seed {seed}: {case_count} cases on {} batches: {found:?}", campaign.batch_count());
    if case_count >= every_kind {
        let missing: Vec<_> = Found::ALL.into_iter().filter(|one| !found.contains_key(one)).collect();
        assert!(missing.is_empty(), "no case showed {missing:?}: {found:?}");
    }
    std::fs::remove_dir_all(home).expect("it was ours");
}
