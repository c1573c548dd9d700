//! Directories and ports that are taken, missing, foreign, in memory, or damaged.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use florin_engine::format::layout::shard_path;
use florin_engine::model::{Offset, ShardId};
use florin_harness::served::server::{Ended, Server, Start};

use super::{open, partition_on, place, roomy, start, wait_until};

/// A start that must fail, with these words on standard error.
pub(super) fn refused(start: &Start, words: &[&str]) -> Ended {
    let Err(ended) = Server::start(start) else { panic!("it was started") };
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    for word in words {
        assert!(ended.log.contains(word), "{word:?} is not in {:?}", ended.log);
    }
    ended
}

/// Every file below a directory, with its contents.
pub(super) fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).expect("it can be read") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            found.insert(path.clone(), Vec::new());
            found.extend(contents(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).expect("it can be read"));
        }
    }
    found
}

#[test]
fn served_a_directory_has_one_server_and_the_second_names_the_first() {
    let Some(place) = place("a second server") else { return };
    let first = start(&roomy(&place));
    let id = first.process_id().to_string();
    refused(&roomy(&place), &[&id, "only one process"]);
    assert!(open(first.address_of(0)).metadata().is_ok(), "the first one goes on");
    assert!(first.stop().status.success());
    assert!(start(&roomy(&place)).stop().status.success(), "it is free when the first one has ended");
}

#[test]
fn served_a_port_that_is_taken_is_named() {
    let Some(place) = place("taken ports") else { return };
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it has an address").to_string();
    refused(&roomy(&place).shards(1).listen(&address), &[&address, "shard 0 cannot listen"]);
    refused(&roomy(&place).with(&["--http", &address]), &[&address, "HTTP cannot listen"]);
    let same = roomy(&place).listen(&address).with(&["--http", &address]);
    refused(&same, &[&address, "the port of shard 0", "choose another port"]);
    let server = start(&roomy(&place));
    let port = server.address_of(0).to_string();
    let other = tempfile::tempdir_in(place.path()).expect("a directory");
    refused(&roomy(&other).shards(1).listen(&port), &[&port]);
    assert!(server.stop().status.success());
}

#[test]
fn served_another_directory_than_the_expected_one_is_refused_and_nothing_is_formatted() {
    let Some(place) = place("an expected id") else { return };
    let expect = |id: &str| roomy(&place).with(&["--expect-id", id]);
    let data = place.path().join("data");
    let other = "00112233445566778899aabbccddeeff";
    refused(&expect(other), &["no data directory", other]);
    assert!(!data.exists(), "nothing was made");
    std::fs::create_dir(&data).expect("it can be made");
    refused(&expect(other), &["no data directory", other]);
    assert!(contents(&data).is_empty(), "nothing was formatted");
    let server = start(&roomy(&place));
    let id = server.ready().directory_id.clone();
    assert!(server.stop().status.success());
    let before = contents(&data);
    refused(&expect(other), &[&id, other]);
    assert!(contents(&data) == before, "nothing was changed");
    assert!(start(&expect(&id)).stop().status.success(), "the right one is served");
}

#[test]
fn served_a_directory_of_somebody_else_is_refused_and_left_alone() {
    let Some(place) = place("a foreign directory") else { return };
    let data = place.path().join("data");
    std::fs::create_dir(&data).expect("it can be made");
    std::fs::write(data.join("thesis.txt"), "years of work").expect("it can be written");
    let before = contents(&data);
    refused(&roomy(&place), &["thesis.txt"]);
    assert!(contents(&data) == before, "nothing was changed");
}

#[test]
fn served_memory_is_no_place_for_a_journal_with_or_without_direct_io() {
    let Some(_) = place("a directory in memory") else { return };
    let Ok(memory) = tempfile::tempdir_in("/dev/shm") else {
        println!("SKIP a directory in memory: there is no /dev/shm");
        return;
    };
    for arguments in [&[][..], &["--no-direct"]] {
        refused(&roomy(&memory).with(arguments), &["tmpfs", "loses everything"]);
        assert!(contents(memory.path()).is_empty(), "nothing was made");
    }
}

#[test]
fn served_without_direct_io_what_was_answered_is_there_after_a_kill() {
    let Some(place) = place("no direct I/O") else { return };
    captures_survive_a_kill(&roomy(&place).with(&["--no-direct"]));
}

/// A server of two shards that takes captures, is killed and started again, has every one of them.
pub(super) fn captures_survive_a_kill(at: &Start) {
    let server = start(at);
    let mut wire = open(server.address_of(0));
    let topic = wire.create_topic("payments", 4).expect("it is made");
    let expected: Vec<_> = (0..200_u64).map(|number| (number, format!("payment {number}").into_bytes())).collect();
    for shard in [0, 1] {
        for (offset, value) in &expected {
            assert_eq!(wire.produce(partition_on(&topic, shard), value), Ok(Offset(*offset)));
        }
    }
    server.kill();
    let server = start(at);
    for shard in [0, 1] {
        let values = open(server.address_of(0)).read_all(partition_on(&topic, shard));
        assert!(values.as_ref() == Ok(&expected), "shard {shard}: {values:?}");
    }
    wait_until("the log says that it was killed", || server.log().contains("was_clean=false"));
    assert!(server.stop().status.success());
}

/// Flips a bit of a value where it stands in a shard's journal.
fn damage(shard: &Path, value: &[u8]) {
    let (path, mut bytes, at) = contents(shard)
        .into_iter()
        .find_map(|(path, bytes)| {
            let at = bytes.windows(value.len()).position(|window| window == value)?;
            Some((path, bytes, at))
        })
        .expect("it was stored");
    bytes[at] ^= 1;
    std::fs::write(path, bytes).expect("it can be written");
}

#[test]
fn served_a_damaged_shard_is_left_out_and_named_and_the_others_are_served() {
    let Some(place) = place("a damaged shard") else { return };
    let server = start(&roomy(&place));
    let mut wire = open(server.address_of(0));
    let topic = wire.create_topic("payments", 4).expect("it is made");
    for shard in [0, 1] {
        for number in 0..20 {
            let value = format!("shard {shard} payment {number:03}");
            wire.produce(partition_on(&topic, shard), value.as_bytes()).expect("it is stored");
        }
    }
    assert_eq!((server.http_get("/health/ready").status, server.http_get("/health/live").status), (200, 200));
    server.kill();
    let damaged = shard_path(&place.path().join("data"), ShardId(1));
    damage(&damaged, b"shard 1 payment 003");
    let before = contents(&damaged);

    let server = start(&roomy(&place));
    let ready = server.http_get("/health/ready");
    assert_eq!(ready.status, 503, "{ready:?}");
    assert!(ready.body.contains("shard 0: serving") && ready.body.contains("shard 1: not open ("), "{ready:?}");
    assert_eq!(server.http_get("/health/live").status, 200);
    wait_until("the log says so", || server.log().contains("served without this shard"));
    let not_open = florin_net::protocol::CODES.iter().find(|row| row.name == "shard_not_open").expect("a code").code.0;
    let (whole, lost) = (partition_on(&topic, 0), partition_on(&topic, 1));
    for shard in [0, 1] {
        let mut wire = open(server.address_of(shard));
        let code = |result: Result<_, florin_harness::served::wire::WireError>| result.map_err(|error| error.code());
        assert_eq!(code(wire.produce(lost, b"where to").map(|_| ())), Err(Some(not_open)), "by port {shard}");
        assert_eq!(code(wire.fetch(lost, Offset(0), 0).map(|_| ())), Err(Some(not_open)), "by port {shard}");
        assert_eq!(code(wire.fetch(lost, Offset(0), 1000).map(|_| ())), Err(Some(not_open)), "by port {shard}");
    }
    let mut wire = open(server.address_of(0));
    assert_eq!(wire.read_all(whole).map(|values| values.len()), Ok(20));
    assert_eq!(wire.produce(whole, b"life goes on"), Ok(Offset(20)));
    assert!(server.stop().status.success());
    assert!(contents(&damaged) == before, "the damaged shard was not touched");
}
