//! A real server on a directory that was damaged while it was down.

use std::collections::BTreeMap;
use std::process::Stdio;

use crate::live_server::LiveServer;
use crate::scratch::{Answer, Scratch, answer, program};

/// The files of a shard and what is in them.
fn files_of(scratch: &Scratch, shard: &str) -> BTreeMap<String, Vec<u8>> {
    let names = Scratch::names(&scratch.path(shard));
    names.into_iter().map(|name| (name.clone(), scratch.bytes(&format!("{shard}/{name}")))).collect()
}

/// Starts a server on a directory and lets it end at once.
fn start_and_stop(scratch: &Scratch) -> Answer {
    let mut command = program();
    command.args([
        "serve",
        "--stop-with-stdin",
        "--listen",
        "127.0.0.1:0",
        "--http",
        "off",
        "--allow-cow",
        "--no-direct",
    ]);
    answer(command.arg(scratch.directory()).stdin(Stdio::null()))
}

#[test]
fn a_server_that_finds_both_manifest_copies_damaged_refuses_the_shard_and_touches_no_file_of_it() {
    let Some(mut server) = LiveServer::start_small() else { return };
    server.run(&["topic", "create", "payments", "--partitions", "4"]).assert(0, &["created"]);
    let lines: String = (0..2000).map(|number| format!("{number} a payment of some length\n")).collect();
    server.run_with_input(&["produce", "payments", "--key-column", "1"], lines.as_bytes()).assert(0, &["stored"]);
    server.end();
    let scratch = server.scratch();
    let document = scratch.run("inspect superblock", &["--json"]).json();
    let shard = document["shards"].as_array().expect("a list").iter().find(|shard| shard["shard"] == 1);
    let slot = &shard.expect("it has two shards")["copies"][0]["contents"]["manifest"]["slot"];
    let copy_bytes = scratch.bytes(&format!("shard-1/manifest-{slot}")).len() as u64 / 2;
    for copy in [0, copy_bytes] {
        scratch.flip(&format!("shard-1/manifest-{slot}"), copy + 20);
    }
    let before = files_of(scratch, "shard-1");
    let segments = before.keys().filter(|name| name.starts_with("segment")).count();
    assert!(segments > 0, "there is something that a careless start would remove: {:?}", before.keys());

    let said = start_and_stop(scratch);
    assert!(said.err.contains("shard 1") && said.err.contains("manifest"), "{}", said.err);
    let after = files_of(scratch, "shard-1");
    assert!(before.keys().eq(after.keys()), "{:?} became {:?}", before.keys(), after.keys());
    let changed: Vec<_> = before.keys().filter(|name| before[*name] != after[*name]).collect();
    assert!(changed.is_empty(), "{changed:?} changed");
}
