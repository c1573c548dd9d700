//! Where verify cannot tell, and says why.

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
    drop(lock);
    scratch.run("verify", &[]).assert(0, &["verdict: clean"]);
}

#[test]
fn a_directory_without_identity_is_not_verified_and_gets_no_lock() {
    let scratch = Scratch::new();
    scratch.run("verify", &[]).assert(2, &["does not exist"]);
    std::fs::create_dir(scratch.directory()).expect("created");
    scratch.run("verify", &[]).assert(2, &["not a Florin data directory", "right volume"]);
    assert_eq!(Scratch::names(&scratch.directory()), [""; 0]);
}

#[test]
fn a_lost_identity_is_told_from_a_strange_directory() {
    let scratch = Scratch::formatted();
    scratch.remove("identity");
    scratch.run("verify", &[]).assert(2, &["the identity is missing although there are shards"]);
}

#[test]
fn another_format_version_is_not_judged() {
    let scratch = Scratch::formatted();
    let mut copy = scratch.bytes("identity")[..4096].to_vec();
    copy[12..14].copy_from_slice(&2_u16.to_le_bytes());
    let checksum = crc32c::crc32c(&copy[12..]);
    copy[8..12].copy_from_slice(&checksum.to_le_bytes());
    scratch.overwrite("identity", 0, &copy);
    scratch.overwrite("identity", 4096, &copy);
    scratch.run("verify", &[]).assert(2, &["written by format version 2, this Florin reads 1"]);
}

#[test]
fn a_shard_that_is_not_there_is_refused() {
    let scratch = Scratch::formatted();
    scratch.run("verify", &["--shard=1"]).assert(2, &["there is no shard 1"]);
    scratch.run("verify", &["--shard=0"]).assert(0, &["shard 0"]);
}

#[test]
fn wrong_arguments_are_explained() {
    florin(&["verify"]).assert(2, &["<DIRECTORY>"]);
    florin(&["repair"]).assert(2, &["unrecognized subcommand"]);
}
