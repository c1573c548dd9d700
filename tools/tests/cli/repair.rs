//! Damaged directories, what repair says of them, and what is left when the loss is accepted.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::scratch::{Answer, Scratch};
use crate::server::Server;

const SEGMENT: &str = "shard-0/segment-000000000001";

/// Every file of a directory, but the lock.
fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for name in Scratch::names(directory) {
        let path = directory.join(&name);
        if path.is_dir() {
            let inner = contents(&path).into_iter().map(|(file, bytes)| (format!("{name}/{file}"), bytes));
            files.extend(inner);
        } else if name != "lock" {
            files.insert(name, fs::read(&path).expect("read"));
        }
    }
    files
}

/// Accepts the loss: afterwards the directory is clean, and opens.
fn accept(scratch: &Scratch) -> Answer {
    let answer = scratch.run("repair", &["--accept-loss"]);
    answer.assert(0, &["repaired"]);
    scratch.run("verify", &[]).assert(0, &["verdict: clean"]);
    scratch.run("repair", &[]).assert(0, &["shard 0: nothing is damaged"]);
    let server = Server::start(scratch);
    server.capture();
    server.stop();
    scratch.run("verify", &[]).assert(0, &["verdict: clean"]);
    answer
}

/// The only quarantine.
fn quarantine(scratch: &Scratch) -> std::path::PathBuf {
    let all = scratch.path("quarantine");
    let [name] = &Scratch::names(&all)[..] else { panic!("one repair, one quarantine") };
    all.join(name)
}

/// Flips a bit of the third batch, in its segment file.
fn damage_third_at_rest(scratch: &Scratch) {
    let bytes = scratch.bytes(SEGMENT);
    let last = bytes[..4096].iter().rposition(|byte| *byte != 0).expect("batches");
    scratch.flip(SEGMENT, last as u64 - 1);
}

#[test]
fn what_is_damaged_at_rest_and_whole_in_the_journal_is_not_lost() {
    let scratch = Scratch::at_rest_and_in_journal();
    let before = scratch.run("dump", &["payments", "--partition", "0"]).out;
    damage_third_at_rest(&scratch);
    scratch.run("repair", &[]).assert(1, &["segment file 1", "lost: nothing"]);
    scratch.run("repair", &["--accept-loss"]).assert(0, &["repaired"]);
    assert_eq!(scratch.run("dump", &["payments", "--partition", "0"]).out, before);
    scratch.run("verify", &[]).assert(0, &["verdict: clean"]);
}

#[test]
fn a_sound_directory_is_left_alone_whatever_is_accepted() {
    for scratch in [Scratch::formatted(), Scratch::crashed(), Scratch::closed(), Scratch::at_rest()] {
        let before = contents(&scratch.directory());
        scratch.run("repair", &["--accept-loss"]).assert(0, &["nothing is damaged"]);
        assert_eq!(contents(&scratch.directory()), before);
    }
}

#[test]
fn without_acceptance_a_loss_is_named_by_its_offsets_and_nothing_is_changed() {
    let scratch = Scratch::at_rest();
    damage_third_at_rest(&scratch);
    let (third_capture, ..) = scratch.blocks("shard-0/journal-000")[6];
    scratch.flip("shard-0/journal-000", third_capture + 200);
    let before = contents(&scratch.directory());
    let answer = scratch.run("repair", &[]);
    answer.assert(1, &["lost: partition 1/0 offsets 4 to below 6", "nothing was changed", "--accept-loss"]);
    let document = scratch.run("repair", &["--json"]).json();
    assert_eq!((&document["outcome"], &document["quarantine"]), (&"damaged".into(), &serde_json::Value::Null));
    assert_eq!(document["shards"][0]["losses"][0]["base_offset"], 4);
    assert_eq!(contents(&scratch.directory()), before);
}

#[test]
fn an_accepted_loss_at_rest_is_a_gap_and_the_damaged_file_is_kept() {
    let scratch = Scratch::at_rest();
    damage_third_at_rest(&scratch);
    let (third_capture, ..) = scratch.blocks("shard-0/journal-000")[6];
    scratch.flip("shard-0/journal-000", third_capture + 200);
    let damaged = scratch.bytes(SEGMENT);
    accept(&scratch).assert(0, &["lost: partition 1/0 offsets 4 to below 6", "kept in quarantine/"]);
    assert_eq!(fs::read(quarantine(&scratch).join(SEGMENT)).expect("kept"), damaged);
    let report = fs::read_to_string(quarantine(&scratch).join("report.json")).expect("kept");
    assert!(report.contains("\"base_offset\": 4"), "{report}");
    let dumped = scratch.run("dump", &["payments", "--partition", "0"]);
    dumped.assert(0, &["partition 1/0: offsets 4 to below 6 are LOST, as an operator accepted at"]);
    assert_eq!(dumped.out.lines().count(), 6, "all but the lost two, and two that came later");
    let manifest = scratch.run("inspect manifest", &["--json"]).json();
    let sections = manifest["shards"][0]["slots"].to_string();
    assert!(sections.contains("\"gaps\":[{\"accepted\":"), "{sections}");
}

#[test]
fn a_damaged_block_of_the_journal_costs_its_batches_and_nothing_else() {
    let scratch = Scratch::sealed();
    let (second_capture, ..) = scratch.blocks("shard-0/journal-000")[5];
    scratch.flip("shard-0/journal-000", second_capture + 200);
    scratch.run("verify", &[]).assert(1, &["verdict: damage"]);
    let answer = scratch.run("repair", &[]);
    answer.assert(1, &["damage: journal file 0 at byte", "lost: partition 1/0 offsets 2 to below 4\n"]);
    accept(&scratch).assert(0, &["saved from the journal:"]);
    for file in ["superblock-a", "superblock-b", "journal-000"] {
        assert!(quarantine(&scratch).join("shard-0").join(file).exists(), "{file} is kept");
    }
}

#[test]
fn files_that_are_gone_or_cut_off_are_made_anew() {
    for (file, bytes) in [
        ("shard-0/journal-003", None),
        ("shard-0/journal-000", Some(4096)),
        ("shard-0/manifest-2", None),
        ("shard-0/manifest-1", Some(0)),
        ("shard-0/superblock-a", None),
        ("shard-0/superblock-b", Some(100)),
    ] {
        let scratch = Scratch::at_rest();
        match bytes {
            None => scratch.remove(file),
            Some(bytes) => scratch.resize(file, bytes),
        }
        scratch.run("repair", &[]).assert(1, &["made anew: ", file]);
        accept(&scratch);
    }
}

#[test]
fn a_damaged_index_or_copy_costs_nothing() {
    let scratch = Scratch::at_rest();
    scratch.flip(SEGMENT, 4096 + 70);
    scratch.flip("shard-0/superblock-a", 60);
    scratch.run("repair", &[]).assert(1, &["the index of segment file 1", "lost: nothing"]);
    accept(&scratch);
}

#[test]
fn what_cannot_be_repaired_is_refused_with_the_reason_and_left_alone() {
    let scratch = Scratch::at_rest();
    scratch.flip("shard-0/superblock-a", 60);
    scratch.flip("shard-0/superblock-b", 60);
    let before = contents(&scratch.directory());
    scratch.run("repair", &["--accept-loss"]).assert(2, &["shard 0: cannot be repaired", "restore"]);
    assert_eq!(contents(&scratch.directory()), before);
    let nothing = Scratch::new();
    nothing.run("repair", &[]).assert(2, &["give the path of a data directory"]);
    let mut other = Scratch::formatted();
    other.flip("identity", 20);
    other.flip("identity", 4096 + 20);
    other.run("repair", &["--accept-loss"]).assert(2, &["no copy of its identity"]);
    other = Scratch::formatted();
    other.run("repair", &["--shard", "7"]).assert(2, &["there is no shard 7"]);
}
