//! A disk that is full for a while: what the server says meanwhile, and that it goes on by itself.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use florin_engine::model::{Offset, PartitionId};
use florin_harness::served::server::{Server, Start};
use florin_harness::served::wire::Wire;

use super::file_systems::{ext4, image, skip_if, with_own_mounts};
use super::{MIB, open, place, start, wait_until};

const RECORD_BYTES: usize = 200_000;
/// More refusals than are told one by one.
const REFUSED_COUNT: u32 = 40;
const JOURNAL_FULL: u16 = 5;

/// Takes all the space that is left.
fn fill(path: &Path) {
    let mut file = File::create(path).expect("it can be made");
    let piece = vec![7; 64 * 1024];
    while file.write_all(&piece).and_then(|()| file.sync_data()).is_ok() {}
    // Blocks that are smaller than a piece may be left.
    while file.write_all(&piece[..4096]).and_then(|()| file.sync_data()).is_ok() {}
}

/// Captures until the journal is full; returns how many records are stored.
fn fill_journal(wire: &mut Wire, partition: PartitionId) -> u64 {
    for number in 0..1000 {
        match wire.produce(partition, &vec![7; RECORD_BYTES]) {
            Ok(offset) => assert_eq!(offset, Offset(number)),
            Err(error) if error.code() == Some(JOURNAL_FULL) => return number,
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("the journal never was full")
}

fn health(server: &Server) -> (u16, String) {
    let answer = server.http_get("/health/ready");
    (answer.status, answer.body.lines().next().unwrap_or_default().to_owned())
}

fn assert_goes_through_a_full_disk(mounted: &Path) {
    let how = Start::new(mounted.join("data")).shards(1).journal(4, 4 * MIB);
    let server = start(&how);
    let mut wire = open(server.address_of(0));
    let topic = wire.create_topic("payments", 1).expect("it is made");
    let partition = PartitionId { topic: topic.id, index: 0 };
    let filler = mounted.join("filler");
    fill(&filler);
    assert_eq!(health(&server), (200, "ready".to_owned()));

    let stored = fill_journal(&mut wire, partition);
    assert!(stored > 10, "captures go on while the journal has room: {stored}");
    wait_until("the disk is said to be full", || server.metric("florin_disk_full", "") == 1.0);
    assert_eq!(health(&server), (200, "degraded".to_owned()));
    assert!(server.http_get("/health/ready").body.contains("  degraded: the disk is full"));
    for _ in 0..REFUSED_COUNT {
        let refused = wire.produce(partition, &vec![7; RECORD_BYTES]).expect_err("there is no room");
        assert_eq!(refused.code(), Some(JOURNAL_FULL), "{refused:?}");
    }
    assert!(server.metric("florin_journal_full_refusals_total", "") >= f64::from(REFUSED_COUNT));
    let lines = server.log().matches("the journal is full, and clients are told to retry").count();
    assert!((1..REFUSED_COUNT as usize).contains(&lines), "what clients cause does not fill the log: {lines}");
    assert_eq!(server.log().matches("make room on the disk").count(), 1, "{}", server.log());
    assert_eq!(wire.read_all(partition).map(|values| values.len() as u64), Ok(stored), "reads go on");

    // A start needs no space, however the server ended.
    drop(wire);
    server.kill();
    let server = start(&how);
    let mut wire = open(server.address_of(0));
    assert_eq!(wire.read_all(partition).map(|values| values.len() as u64), Ok(stored), "nothing is lost by a kill");
    let refused = wire.produce(partition, &vec![7; RECORD_BYTES]).expect_err("there is still no room");
    assert_eq!(refused.code(), Some(JOURNAL_FULL), "{refused:?}");
    wait_until("the disk is said to be full again", || server.metric("florin_disk_full", "") == 1.0);

    std::fs::remove_file(&filler).expect("it is there");
    wait_until("the server goes on by itself", || health(&server) == (200, "ready".to_owned()));
    wait_until("there is room again", || wire.produce(partition, b"more").is_ok());
    assert!(server.log().contains("the disk has space for segment files again"), "{}", server.log());
    assert!(server.stop().status.success());
}

#[test]
fn served_a_full_disk_degrades_the_server_is_told_once_and_left_by_itself() {
    let test = "a full disk";
    let Some(place) = place(test) else { return };
    let outcome = with_own_mounts(|| {
        let mounted = ext4(place.path(), &image(place.path())?, "data=ordered")?;
        assert_goes_through_a_full_disk(&mounted);
        Ok(())
    });
    skip_if(test, outcome);
}
