//! The real server against bad clients and faults of its surroundings.

#![allow(clippy::disallowed_methods, reason = "tests of real processes have real threads, files and a real clock")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use florin_engine::model::{Offset, PartitionId};
use florin_harness::real::directory::reason_to_skip;
use florin_harness::served::server::{Server, Start};
use florin_harness::served::wire::Wire;
use florin_net::protocol::TopicDescription;

#[path = "served/catch_up.rs"]
mod catch_up;
#[path = "served/connections.rs"]
mod connections;
#[path = "served/ending.rs"]
mod ending;
#[path = "served/file_systems.rs"]
mod file_systems;
#[path = "served/flood.rs"]
mod flood;
#[path = "served/forbidden.rs"]
mod forbidden;
#[path = "served/frames.rs"]
mod frames;
#[path = "served/full_disk.rs"]
mod full_disk;
#[path = "served/hostile.rs"]
mod hostile;
#[path = "served/metrics.rs"]
mod metrics;
#[path = "served/patience.rs"]
mod patience;
#[path = "served/places.rs"]
mod places;
#[path = "served/rest.rs"]
mod rest;
#[path = "served/rhythm.rs"]
mod rhythm;
#[path = "served/routing.rs"]
mod routing;
#[path = "served/together.rs"]
mod together;

const MIB: u64 = 1024 * 1024;
/// Whatever must become so becomes so within this.
const WITHIN: Duration = Duration::from_secs(60);
/// How long a good client rests between two captures, so that its records fit the journal.
const REST: Duration = Duration::from_millis(20);

/// A directory for a server's, or none if the machine cannot run one; then it says why.
fn place(test: &str) -> Option<tempfile::TempDir> {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    if let Some(reason) = reason_to_skip(parent) {
        println!("SKIP {test}: {reason}");
        return None;
    }
    Some(tempfile::Builder::new().prefix("served-").tempdir_in(parent).expect("a directory"))
}

/// A server of two shards with room for what these tests store.
fn roomy(directory: &tempfile::TempDir) -> Start {
    Start::new(directory.path().join("data")).journal(8, 4 * MIB)
}

fn start(start: &Start) -> Server {
    Server::start(start).unwrap_or_else(|ended| panic!("not started: {ended:?}"))
}

fn open(address: SocketAddr) -> Wire {
    Wire::open(address).expect("the server negotiates")
}

/// The first partition of a topic that a shard has.
fn partition_on(topic: &TopicDescription, shard: u16) -> PartitionId {
    let index = topic.placement.iter().position(|owner| *owner == shard).expect("every shard has one");
    PartitionId { topic: topic.id, index: u32::try_from(index).expect("a handful") }
}

/// Waits until `holds`.
fn wait_until(what: &str, holds: impl FnMut() -> bool) {
    wait_within(WITHIN, what, holds);
}

fn wait_within(within: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let give_up_at = Instant::now() + within;
    while !holds() {
        assert!(Instant::now() < give_up_at, "{what}: not within {within:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// A client that does everything right, all the time, and expects to be answered rightly.
struct GoodClient {
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
    thread: JoinHandle<u64>,
}

impl GoodClient {
    /// Captures into a partition that is its own, and reads back each record.
    fn start(address: SocketAddr, partition: PartitionId) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let done = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&done);
        let thread = thread::spawn(move || {
            let mut wire = open(address);
            let value = |number: u64| format!("good {number}").into_bytes();
            let mut count = 0;
            while !stopped.load(Ordering::Relaxed) {
                let offset = wire.produce(partition, &value(count)).expect("a good client is answered");
                assert_eq!(offset, Offset(count), "records are stored one by one");
                let fetched = wire.fetch(partition, offset, 0).expect("a good client is answered");
                let values = florin_harness::served::wire::values_of(&fetched.batches[0].bytes).expect("a right batch");
                assert_eq!(values, [(count, value(count))]);
                count += 1;
                counter.store(count, Ordering::Relaxed);
                thread::sleep(REST);
            }
            let values = wire.read_all(partition).expect("a good client can read");
            assert!(values == (0..count).map(|number| (number, value(number))).collect::<Vec<_>>());
            count
        });
        Self { stop, count: done, thread }
    }

    /// Records captured so far.
    fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Ends it; it has been served all the time.
    fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        let count = self.thread.join().expect("the good client was served well");
        assert!(count > 0, "the good client was served");
    }
}
