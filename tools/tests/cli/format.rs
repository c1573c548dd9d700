use std::fs;

use crate::scratch::{Scratch, florin};

#[test]
fn a_formatted_directory_is_described_and_verifies_clean() {
    let scratch = Scratch::new();
    let answer = scratch.run(
        "format",
        &["--shards=3", "--journal-file-bytes=64KiB", "--manifest-bytes=32768", "--allow-cow", "--no-direct"],
    );
    let on_disk = 8192 + 3 * (4 * 65_536 + 6 * 32_768 + 2 * 8192);
    answer
        .assert(0, &["directory id", "shards        3", "4 files of 64KiB", "6 copies of 32KiB", &on_disk.to_string()]);
    assert_eq!(Scratch::names(&scratch.directory()), ["identity", "lock", "shard-0", "shard-1", "shard-2"]);
    let verified = scratch.run("verify", &[]);
    verified.assert(0, &["shard 0: 2 superblock copies", "shard 2", "verdict: clean"]);
    assert_eq!(verified.err, "");
    scratch.run("verify", &["--shard=3"]).assert(2, &["there is no shard 3: they are 0 to 2"]);
}

#[test]
fn formatting_twice_is_refused_and_changes_nothing() {
    let scratch = Scratch::crashed();
    let before = scratch.bytes("shard-0/journal-000");
    let answer = scratch.run("format", &Scratch::SIZES);
    answer.assert(1, &["florin: ", "is a Florin data directory already: nothing was changed"]);
    assert_eq!(scratch.bytes("shard-0/journal-000"), before);
}

#[test]
fn a_directory_of_somebody_else_is_refused_and_left_untouched() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.directory()).expect("created");
    fs::copy("/proc/self/status", scratch.path("status")).expect("copied");
    scratch.run("format", &Scratch::SIZES).assert(1, &["is not empty (it holds \"status\")"]);
    assert_eq!(Scratch::names(&scratch.directory()), ["status"], "not even a lock");
}

#[test]
fn an_empty_directory_is_formatted_in_place() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.directory()).expect("created");
    scratch.run("format", &Scratch::SIZES).assert(0, &["formatted"]);
}

#[test]
fn an_unfinished_format_is_refused_and_not_verified() {
    let scratch = Scratch::formatted();
    fs::rename(scratch.path("identity"), scratch.path("identity.draft")).expect("renamed");
    scratch.run("format", &Scratch::SIZES).assert(1, &["unfinished format: remove the directory"]);
    scratch.run("verify", &[]).assert(2, &["begun here and not finished"]);
}

#[test]
fn impossible_settings_are_refused_before_anything_is_made() {
    let scratch = Scratch::new();
    scratch.run("format", &["--shards=0"]).assert(2, &["--shards", "less than 1 shard", "1 to 256"]);
    scratch
        .run("format", &["--shards=1", "--journal-files=1"])
        .assert(2, &["--journal-files", "less than 2 files", "2 to 128"]);
    scratch.run("format", &["--journal-file-bytes=1KiB"]).assert(2, &["less than 32KiB", "32KiB to 1GiB"]);
    scratch.run("format", &["--manifest-bytes=33000"]).assert(2, &["no multiple of 4KiB", "32KiB to 256MiB"]);
    scratch.run("format", &["--manifest-bytes=16MB"]).assert(2, &["no size", "64MiB"]);
    assert!(!scratch.directory().exists());
}

#[test]
fn a_missing_parent_is_named() {
    let scratch = Scratch::new();
    let below = scratch.directory().join("below");
    let answer = florin(&["format", below.to_str().expect("a plain path"), "--shards=1"]);
    answer.assert(1, &["data is no directory: create it first"]);
}

#[test]
fn help_and_version_are_enough_to_begin_with() {
    florin(&["--version"]).assert(0, &["florin 0."]);
    florin(&["--help"]).assert(0, &["format", "inspect", "verify", "Examples", "Exit codes"]);
    florin(&["verify", "--help"])
        .assert(0, &["nothing but the file `lock`", "looks like a torn tail", "Exit code 0", "--json", "--shard"]);
    florin(&["format", "--help"]).assert(0, &["--journal-file-bytes", "[default: 64MiB]", "64MiB"]);
}
