//! All kinds of bad clients at once, on every port: good ones go on, memory stays bounded, and nothing is lost.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Scope};
use std::time::Duration;

use florin_engine::model::PartitionId;
use florin_harness::served::kill::{Ending, Harness};
use florin_harness::served::load::Scene;
use florin_harness::served::server::Server;
use florin_harness::served::wire::{Wire, batch_of};
use florin_net::protocol::{Api, Kind};
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::connections::come_and_go;
use super::frames::{frame, partition_head, request};
use super::patience::{ask_and_never_read, fill, impatient};
use super::{GoodClient, MIB, open, partition_on, place, roomy, start, wait_until};

/// What good clients capture while the others are there, each of them.
const GOOD_COUNT: u64 = 150;
/// Memory above that of a server with good clients only: what is held back for those that do not read, and some more.
const GROWTH_BYTES_MAX: u64 = 64 * MIB;
/// How long bad clients are there in each round.
const BESIDE: Duration = Duration::from_secs(2);
/// How long a slow client waits before its next byte.
const DRIP: Duration = Duration::from_millis(100);

/// What every bad client knows.
#[derive(Clone, Copy)]
struct Target<'a> {
    address: SocketAddr,
    partition: PartitionId,
    over: &'a AtomicBool,
}

/// Tells the bad clients that it is over, also if the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Does something again and again, on a connection of its own each time, until it is over.
fn again(target: Target<'_>, seed: u64, act: Act) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    while !target.over.load(Ordering::Relaxed) {
        // A server that turns somebody away does right.
        if let Ok(mut wire) = Wire::open(target.address) {
            act(target, &mut wire, &mut random);
        }
    }
}

/// A frame, byte by byte, far too slowly.
fn drip(target: Target<'_>, wire: &mut Wire, _: &mut ChaCha8Rng) {
    let frame = request(Api::Produce, 7, &partition_head(target.partition), &batch_of(&[7; 5000]));
    for byte in frame {
        if target.over.load(Ordering::Relaxed) || wire.send_bytes(&[byte]).is_err() {
            return;
        }
        thread::sleep(DRIP);
    }
}

/// A frame that ends anywhere, with the connection.
fn send_part(target: Target<'_>, wire: &mut Wire, random: &mut ChaCha8Rng) {
    let frame = request(Api::Produce, 7, &partition_head(target.partition), &batch_of(&[7; 5000]));
    let bytes = random.random_range(1..frame.len());
    // Whether it is still read is for the server to say.
    let _ = wire.send_bytes(&frame[..bytes]);
}

fn send_noise(_: Target<'_>, wire: &mut Wire, random: &mut ChaCha8Rng) {
    let mut noise = vec![0; random.random_range(1..100_000)];
    random.fill_bytes(&mut noise);
    let _ = wire.send_bytes(&noise);
    let _ = wire.receive_until_closed();
}

/// A length of 2 GiB, and as much behind it as is taken.
fn send_huge(_: Target<'_>, wire: &mut Wire, _: &mut ChaCha8Rng) {
    let mut huge = frame(Kind::Request(Api::Produce.number()), 0, 7, &[0; 12], &[]);
    huge[..4].copy_from_slice(&(1_u32 << 31).to_le_bytes());
    huge.resize(1 << 20, 0x5a);
    let _ = wire.send_bytes(&huge);
    let _ = wire.receive_until_closed();
}

/// What a bad client does on one connection.
type Act = fn(Target<'_>, &mut Wire, &mut ChaCha8Rng);

/// All bad clients of one port.
fn let_loose<'scope>(scope: &'scope Scope<'scope, '_>, target: Target<'scope>, own: Option<PartitionId>, seed: u64) {
    for act in [drip as Act, drip, send_part, send_noise, send_huge] {
        scope.spawn(move || again(target, seed, act));
    }
    scope.spawn(move || {
        while !target.over.load(Ordering::Relaxed) {
            drop(ask_and_never_read(target.address, target.partition, own));
        }
    });
    scope.spawn(move || {
        let mut numbers = 0..;
        while !target.over.load(Ordering::Relaxed) {
            come_and_go(target.address, numbers.next().unwrap_or(0));
        }
    });
}

/// What good clients captured, partition by partition.
fn captured(server: &Server, partitions: &[PartitionId]) -> Vec<Vec<(u64, Vec<u8>)>> {
    let mut wire = open(server.address_of(0));
    partitions.iter().map(|partition| wire.read_all(*partition).expect("it can be read")).collect()
}

#[test]
fn served_all_kinds_of_bad_clients_at_once_cost_only_themselves_and_a_kill_behind_them_loses_nothing() {
    let Some(place) = place("all kinds of bad clients") else { return };
    let at = impatient(roomy(&place));
    let server = start(&at);
    let topic = open(server.address_of(0)).create_topic("payments", 12).expect("it is made");
    let on = |shard: u16, more: u32| {
        let first = partition_on(&topic, shard);
        PartitionId { index: first.index + 2 * more, ..first }
    };
    fill(&server, on(0, 0));
    let good_partitions = [on(0, 1), on(1, 1)];
    let good: Vec<_> = (0..)
        .zip(good_partitions)
        .map(|(shard, partition)| GoodClient::start(server.address_of(shard), partition))
        .collect();
    wait_until("good clients are served", || good.iter().all(|good| good.count() > 10));
    let before = server.resident_bytes();
    let floors: Vec<u64> = good.iter().map(|good| good.count() + GOOD_COUNT).collect();
    let over = AtomicBool::new(false);
    let mut most = before;
    thread::scope(|scope| {
        let _over = Over(&over);
        for shard in [0, 1] {
            let target = Target { address: server.address_of(shard), partition: on(0, 0), over: &over };
            let_loose(scope, target, Some(on(shard, 2)), u64::from(shard));
        }
        wait_until("good clients go on", || {
            most = most.max(server.resident_bytes());
            good.iter().zip(&floors).all(|(good, floor)| good.count() >= *floor)
        });
    });
    println!("resident MiB: {} before, {} at most", before / MIB, most / MIB);
    assert!(most.saturating_sub(before) <= GROWTH_BYTES_MAX, "{before} bytes grew to {most}");
    assert!(server.metric("florin_timed_out_connections_total", "") >= 1.0, "slow clients are closed");
    assert!(server.metric("florin_error_responses_total", "") >= 1.0, "bad frames are answered");
    good.into_iter().for_each(GoodClient::finish);
    let kept = captured(&server, &good_partitions);
    assert!(kept.iter().all(|values| values.len() as u64 >= GOOD_COUNT));
    server.kill();
    let server = start(&at);
    assert!(captured(&server, &good_partitions) == kept, "a kill loses nothing of what good clients captured");
    assert!(server.stop().status.success());
}

#[test]
fn served_bad_clients_beside_every_kind_of_load_break_no_promise_and_kills_behind_them_lose_nothing() {
    let Some(place) = place("bad clients beside a load") else { return };
    let mut harness = Harness::new(&place.path().join("data"), u64::from(std::process::id()));
    let mut hinder = |_: &Server, scene: &Scene<'_>| {
        let over = AtomicBool::new(false);
        let partition = scene.topic.partitions().next().expect("it has some");
        thread::scope(|scope| {
            let _over = Over(&over);
            for (address, seed) in scene.addresses.iter().zip(0..) {
                let_loose(scope, Target { address: *address, partition, over: &over }, None, seed);
            }
            thread::sleep(BESIDE);
        });
        Ok(())
    };
    for ending in [Ending::Kill, Ending::Stop, Ending::Kill] {
        harness.hindered_round(ending, &mut hinder).unwrap_or_else(|broken| panic!("{broken}"));
    }
    harness.finish().unwrap_or_else(|broken| panic!("{broken}"));
    let acked = harness.totals().acked;
    assert!(acked > 100, "there was hardly anything to lose: {acked}");
}
