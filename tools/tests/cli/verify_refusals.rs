//! Where verify cannot tell, and says why.

use florin_engine::format::layout::FORMAT_VERSION;
use florin_engine::io::fitness::DirectoryLock;

use crate::scratch::{Scratch, florin};

#[test]
fn a_directory_in_use_is_not_verified_and_its_user_is_named() {
    let scratch = Scratch::formatted();
    let lock = DirectoryLock::take(&scratch.directory()).expect("locked");
    let held = format!("is held by process {}", std::process::id());
    scratch.run("verify", &[]).assert(2, &[&held, "verdict: cannot tell", "only one process"]);
    let document = scratch.run("verify", &["--json"]).json();
    assert_eq!(document["verdict"], "cannot_tell");
    assert_eq!(document["findings"][0]["file"], "lock");
    let advice = format!("stop process {} in order first, then verify again", std::process::id());
    assert!(scratch.run("verify", &[]).err.contains(&advice));
    drop(lock);
    scratch.run("verify", &[]).assert(0, &["verdict: clean"]);
}

#[test]
fn a_path_that_is_no_directory_is_called_so() {
    let scratch = Scratch::new();
    std::fs::copy("/proc/self/status", scratch.directory()).expect("copied");
    scratch.run("verify", &[]).assert(2, &["check that this is a directory that this user may read"]);
}

#[test]
fn a_directory_without_identity_is_not_verified_and_gets_no_lock() {
    let scratch = Scratch::new();
    let answer = scratch.run("verify", &[]);
    answer.assert(2, &["does not exist", "check the path, and that the right volume is mounted"]);
    std::fs::create_dir(scratch.directory()).expect("created");
    scratch.run("verify", &[]).assert(2, &["not a Florin data directory", "right volume"]);
    assert_eq!(Scratch::names(&scratch.directory()), [""; 0]);
}

#[test]
fn a_lost_identity_is_told_from_a_strange_directory() {
    let scratch = Scratch::formatted();
    scratch.remove("identity");
    let answer = scratch.run("verify", &[]);
    answer.assert(2, &["the identity is missing although there are shards"]);
    for advice in ["keep a copy", "remove nothing", "right volume", "restore the file identity from a copy"] {
        assert!(answer.err.contains(advice), "{answer:?}");
    }
}

#[test]
fn another_format_version_is_not_judged() {
    let scratch = Scratch::formatted();
    let mut copy = scratch.bytes("identity")[..4096].to_vec();
    copy[12..14].copy_from_slice(&(FORMAT_VERSION + 1).to_le_bytes());
    let checksum = crc32c::crc32c(&copy[12..]);
    copy[8..12].copy_from_slice(&checksum.to_le_bytes());
    scratch.overwrite("identity", 0, &copy);
    scratch.overwrite("identity", 4096, &copy);
    let words = format!("written by format version {}, this Florin reads {FORMAT_VERSION}", FORMAT_VERSION + 1);
    scratch.run("verify", &[]).assert(2, &[&words, "the florin of the version"]);
}

#[test]
fn a_shard_that_is_not_there_is_refused() {
    let scratch = Scratch::formatted();
    let advice = "choose another --shard: the only one is 0";
    scratch.run("verify", &["--shard=1"]).assert(2, &["there is no shard 1", advice]);
    scratch.run("verify", &["--shard=0"]).assert(0, &["shard 0"]);
}

#[test]
fn wrong_arguments_are_explained() {
    florin(&["verify"]).assert(2, &["<DIRECTORY>"]);
    florin(&["format", "data", "--shards", "abc"])
        .assert(2, &["'abc'", "--shards", "a whole number of shards, 1 to 256"]);
    florin(&["format", "data", "--journal-files", "x"]).assert(2, &["a whole number of files, 2 to 128"]);
    florin(&["inspect", "journal", "data", "--from", "x"]).assert(2, &["a whole number of at most 64 bits"]);
    florin(&["verify", "data", "--shard", "70000"]).assert(2, &["a whole number of at most 16 bits"]);
    florin(&["mend"]).assert(2, &["unrecognized subcommand"]);
}

#[test]
fn a_lock_that_cannot_be_written_is_the_reason_and_nothing_else_is_changed() {
    let scratch = Scratch::formatted();
    scratch.remove("lock");
    std::fs::create_dir(scratch.path("lock")).expect("created");
    let answer = scratch.run("verify", &[]);
    answer.assert(2, &["cannot tell in lock: it cannot be locked (", "let this user write the file lock"]);
}

#[test]
fn verify_changes_nothing_but_the_lock() {
    let scratch = Scratch::sealed();
    let shard = Scratch::names(&scratch.path("shard-0")).into_iter().map(|name| format!("shard-0/{name}"));
    let files: Vec<String> = shard.chain(["identity".to_owned()]).collect();
    let read = || files.iter().map(|file| scratch.bytes(file)).collect::<Vec<_>>();
    let (names, before) = (Scratch::names(&scratch.directory()), read());
    scratch.run("verify", &[]).assert(0, &["verdict: clean"]);
    assert_eq!(Scratch::names(&scratch.directory()), names);
    assert!(read() == before, "a stored file was changed");
}

#[test]
fn no_advice_for_what_cannot_be_told_is_to_remove_something() {
    let (absent, lost, begun) = (Scratch::new(), Scratch::formatted(), Scratch::formatted());
    lost.remove("identity");
    std::fs::rename(begun.path("identity"), begun.path("identity.draft")).expect("renamed");
    let held = Scratch::formatted();
    let _lock = DirectoryLock::take(&held.directory()).expect("locked");
    for scratch in [absent, lost, begun, held] {
        let answer = scratch.run("verify", &[]);
        answer.assert(2, &["verdict: cannot tell"]);
        let said = (answer.out + &answer.err).replace("remove nothing", "");
        assert!(!said.contains("remove") && !said.contains("delete"), "{said}");
    }
}

#[test]
fn a_finding_is_said_once_and_the_advice_on_standard_error() {
    let scratch = Scratch::formatted();
    scratch.flip("shard-0/superblock-b", 300);
    let answer = scratch.run("verify", &[]);
    answer.assert(1, &["it is damaged (1 finding on standard output): keep a copy"]);
    assert!(answer.out.contains("superblock copy is damaged") && !answer.err.contains("superblock copy"), "{answer:?}");
}
