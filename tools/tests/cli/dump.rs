//! What `dump` shows of a directory is what `consume` showed of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::live_server::LiveServer;
use crate::scratch::Scratch;

const PARTITIONS: u32 = 4;

/// Lines of about 700 bytes, so that a few hundred do not fit into the journals.
fn lines(from: usize, count: usize) -> String {
    let mut text = String::new();
    for number in from..from + count {
        let _ = writeln!(text, "key-{:02} payment {number} {}", number % 17, "x".repeat(number % 1300));
    }
    text
}

fn produce(server: &LiveServer, from: usize, count: usize) {
    let arguments = ["produce", "payments", "--key-column", "1", "--batch-records", "7"];
    let words = format!("stored       {count} records");
    server.run_with_input(&arguments, lines(from, count).as_bytes()).assert(0, &[&words]);
}

/// What the server shows of each partition, plain and as JSON.
fn consumed(server: &LiveServer) -> BTreeMap<u32, [String; 2]> {
    let shown = (0..PARTITIONS).map(|partition| {
        let number = partition.to_string();
        let both = ["plain", "json"].map(|format| {
            let answer = server.run(&["consume", "payments", "--partition", &number, "--format", format]);
            answer.assert(0, &[]);
            answer.out
        });
        (partition, both)
    });
    shown.collect()
}

fn assert_dumped(scratch: &Scratch, expected: &BTreeMap<u32, [String; 2]>) {
    for (partition, [plain, json]) in expected {
        let number = partition.to_string();
        let dumped = |more: &[&str]| {
            let answer = scratch.run("dump", &[&["payments", "--partition", &number], more].concat());
            assert_eq!(answer.code, 0, "{}", answer.err);
            answer.out
        };
        assert_eq!(&dumped(&[]), plain, "partition {partition}");
        assert_eq!(&dumped(&["--json"]), json, "partition {partition}");
    }
}

/// Records at rest and in the journal only, over all shards, by the manifests and `expected`.
fn at_rest_and_not(scratch: &Scratch, expected: &BTreeMap<u32, [String; 2]>) -> (u64, u64) {
    let all: u64 = expected.values().map(|[plain, _]| plain.lines().count() as u64).sum();
    let document = scratch.run("inspect manifest", &["--json"]).json();
    let mut at_rest = 0;
    for shard in document["shards"].as_array().expect("shards") {
        let slot = usize::try_from(shard["named_slot"].as_u64().expect("a slot")).expect("small");
        let sections = shard["slots"][slot]["copies"][0]["contents"]["sections"].as_array().expect("sections");
        for section in sections.iter().filter(|section| section["module"] == "partitions") {
            for partition in section["contents"]["partitions"].as_array().expect("partitions") {
                let runs = partition["runs"].as_array().expect("runs");
                at_rest += runs.last().map_or(0, |run| run["next_offset"].as_u64().expect("a number"));
            }
        }
    }
    (at_rest, all - at_rest)
}

/// The bytes of every file but the lock's.
fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for name in Scratch::names(directory) {
        let path = directory.join(&name);
        if path.is_dir() {
            found.extend(contents(&path).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else if name != "lock" {
            found.insert(name, fs::read(path).expect("read"));
        }
    }
    found
}

fn filled() -> Option<(LiveServer, BTreeMap<u32, [String; 2]>)> {
    let server = LiveServer::start_small()?;
    server.run(&["topic", "create", "payments", "--partitions", &PARTITIONS.to_string()]).assert(0, &[]);
    produce(&server, 0, 900);
    produce(&server, 900, 600);
    produce(&server, 1500, 40);
    let shown = consumed(&server);
    assert_eq!(shown.values().map(|[plain, _]| plain.lines().count()).sum::<usize>(), 1540);
    Some((server, shown))
}

#[test]
fn a_directory_that_was_closed_in_order_gives_the_records_that_its_server_gave() {
    let Some((mut server, shown)) = filled() else { return };
    server.end();
    let (at_rest, in_journal) = at_rest_and_not(server.scratch(), &shown);
    assert!(at_rest > 0 && in_journal == 0, "{at_rest} at rest, {in_journal} in the journal only");
    let before = contents(&server.scratch().directory());
    assert_dumped(server.scratch(), &shown);
    assert!(contents(&server.scratch().directory()) == before, "nothing was written");
}

#[test]
fn a_directory_whose_server_was_killed_gives_every_record_that_was_shown() {
    let Some((mut server, shown)) = filled() else { return };
    server.kill();
    let (at_rest, in_journal) = at_rest_and_not(server.scratch(), &shown);
    assert!(at_rest > 0 && in_journal > 0, "{at_rest} at rest, {in_journal} in the journal only");
    let before = contents(&server.scratch().directory());
    assert_dumped(server.scratch(), &shown);
    assert!(contents(&server.scratch().directory()) == before, "nothing was written");
}

#[test]
fn a_directory_in_use_is_refused_with_the_process_that_uses_it() {
    let Some(server) = LiveServer::start_small() else { return };
    server.run(&["topic", "create", "payments"]).assert(0, &[]);
    let answer = server.scratch().run("dump", &["payments", "--partition", "0"]);
    answer.assert(2, &["florin: ", &format!("held by process {}", server.process_id()), "stop that one first"]);
    assert_eq!(answer.out, "");
    server.stop();
}

#[test]
fn partitions_of_other_shards_are_found_when_shard_zero_is_lost() {
    let Some((mut server, shown)) = filled() else { return };
    server.end();
    let scratch = server.scratch();
    let document = scratch.run("inspect manifest", &["--json", "--shard=1"]).json();
    assert_eq!(document["shards"][0]["shard"], 1);
    for copy in ["a", "b"] {
        scratch.flip(&format!("shard-0/superblock-{copy}"), 60);
    }
    let mut found = 0;
    for (partition, [plain, _]) in &shown {
        let answer = scratch.run("dump", &["payments", "--partition", &partition.to_string()]);
        if answer.code == 0 {
            assert_eq!(&answer.out, plain);
            found += 1;
        } else {
            answer.assert(2, &["shard 0: no usable superblock", "is on no shard that can be recovered"]);
        }
    }
    assert_eq!(found, 2, "two of four partitions are on shard 1");
}

#[test]
fn offsets_are_chosen_with_from_and_to_and_topics_by_name_or_id() {
    let scratch = Scratch::at_rest();
    let offsets = |arguments: &[&str]| -> Vec<u64> {
        let answer = scratch.run("dump", &[arguments, &["--partition", "0", "--json"]].concat());
        assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{arguments:?}");
        let lines = answer.out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        lines.map(|record| record["offset"].as_u64().expect("a number")).collect()
    };
    assert_eq!(offsets(&["payments"]), [0, 1, 2, 3, 4, 5]);
    assert_eq!(offsets(&["1"]), [0, 1, 2, 3, 4, 5]);
    assert_eq!(offsets(&["payments", "--from", "3"]), [3, 4, 5], "also from within a batch");
    assert_eq!(offsets(&["payments", "--from", "1", "--to", "4"]), [1, 2, 3, 4]);
    assert_eq!(offsets(&["payments", "--to", "0"]), [0]);
    assert_eq!(offsets(&["payments", "--to", "99"]), [0, 1, 2, 3, 4, 5]);
    assert_eq!(offsets(&["payments", "--from", "6"]), [] as [u64; 0], "the end is an offset");
    let plain = scratch.run("dump", &["payments", "--partition", "0", "--to", "0"]);
    assert!(
        plain.out.starts_with("0\t0\t2026-01-02T03:04:05.0000") && plain.out.ends_with("\t\\N\tfirst secret payment\n")
    );
}

#[test]
fn what_is_not_there_is_refused_with_what_is() {
    let scratch = Scratch::at_rest();
    let refused = |arguments: &[&str], words: &[&str]| {
        let answer = scratch.run("dump", arguments);
        answer.assert(2, words);
        assert_eq!(answer.out, "");
    };
    refused(&["refunds", "--partition", "0"], &["has no topic refunds: it has payments"]);
    refused(&["payments", "--partition", "1"], &["has no partition 1: it has 1"]);
    refused(&["payments", "--partition", "0", "--from", "7"], &["has no offset 7: choose one from 0 to 6"]);
    refused(&["payments", "--partition", "0", "--from", "3", "--to", "2"], &["--from 3 is behind --to 2"]);
    refused(&["payments"], &["--partition"]);
    let empty = Scratch::new();
    empty.run("dump", &["payments", "--partition", "0"]).assert(2, &["does not exist"]);
    fs::create_dir(empty.directory()).expect("made");
    empty.run("dump", &["payments", "--partition", "0"]).assert(2, &["not a data directory"]);
    assert!(Scratch::names(&empty.directory()).is_empty(), "no lock is left in a directory of somebody else");
}
