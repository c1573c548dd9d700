//! Clients that mean harm: no frames, half frames, frames of any length, questions whose answers are never read, and
//! connections that are made only to be given up. Nothing that they send is ever to be stored.

use std::future::pending;
use std::pin::pin;
use std::rc::Rc;

use bytes::{BufMut, BytesMut};
use florin_engine::model::{Offset, PartitionId, ProducerEpoch, ProducerId, TopicId};
use florin_engine::partition::Isolation;
use florin_net::io::Stream;
use florin_net::protocol::frame::put_frame;
use florin_net::protocol::{Kind, ListAt, Request, RequestFrom};
use futures_util::future::{join, select};
use rand::{Rng, RngCore};
use rand_chacha::ChaCha8Rng;

use super::{FETCHES_MAX, STAY_NS};
use crate::sim::SimStream;
use crate::wire::ground::{Ground, Phase};
use crate::wire::server::address_of;
use crate::wire::summary::Summary;
use crate::world::clients::batch;

/// Requests of a client that never reads.
const UNREAD_REQUESTS_MAX: usize = 6_000;
/// Fetches that wait for data for as long as they may.
const WAITING_FETCHES_MAX: usize = 16;
/// Connections of a storm.
const STORM_CONNECTIONS_MAX: u32 = 24;
/// How a batch begins: what the checksum of the batch covers comes behind.
const UNCHECKED_BYTES: usize = 21;

/// Does harm until nobody is left to be harmed.
pub(super) async fn annoy(ground: Rc<Ground>, mut random: ChaCha8Rng) {
    let last = if ground.plan.hostile_to_the_end { Phase::Settling } else { Phase::Busy };
    while ground.phase.get() <= last && !ground.is_broken() {
        match random.random_range(0..6) {
            0 => garbage(&ground, &mut random).await,
            1 => half_frame(&ground, &mut random).await,
            2 => never_read(&ground, &mut random).await,
            3 => storm(&ground, &mut random).await,
            4 => wrong_requests(&ground, &mut random).await,
            _ => wait_and_go(&ground, &mut random).await,
        }
        ground.back_off(&mut random).await;
    }
}

async fn connect(ground: &Ground, random: &mut ChaCha8Rng, kind: fn(&mut Summary)) -> Option<SimStream> {
    ground.count(|summary| summary.hostile_count += 1);
    ground.count(kind);
    ground.wire.connect(address_of(ground.any_port(random))).await.ok()
}

/// Sends what the other side takes, and reads what comes if `reads`, until it ends or the time is over.
async fn send(ground: &Ground, stream: &SimStream, bytes: &[u8], reads: bool) {
    let write = async {
        let mut left = bytes;
        while !left.is_empty()
            && let Ok(taken) = stream.write(left).await
        {
            left = &left[taken..];
        }
    };
    let read = async {
        let mut seen = BytesMut::new();
        while reads && matches!(stream.read(&mut seen, None).await, Ok(1..)) {
            seen.clear();
        }
        if !reads {
            pending::<()>().await;
        }
    };
    let _ = select(pin!(join(write, read)), pin!(ground.executor.sleep(STAY_NS))).await;
}

fn negotiation(out: &mut BytesMut) {
    Request::Negotiate { client: "hostile".to_owned() }.encode(1, out);
}

/// What is no frame, or one that is far too long.
async fn garbage(ground: &Ground, random: &mut ChaCha8Rng) {
    let Some(stream) = connect(ground, random, |summary| summary.garbage_count += 1).await else { return };
    let mut bytes = BytesMut::new();
    if random.random_bool(0.5) {
        negotiation(&mut bytes);
    }
    let start = bytes.len();
    if random.random_bool(0.3) {
        bytes.put_u32_le(random.random_range(2_000_000..=u32::MAX));
    }
    bytes.resize(bytes.len() + random.random_range(4..3_000), 0);
    random.fill_bytes(&mut bytes[start + 4..]);
    send(ground, &stream, &bytes, random.random_bool(0.7)).await;
}

/// A right frame up to some byte.
async fn half_frame(ground: &Ground, random: &mut ChaCha8Rng) {
    let Some(partition) = ground.any_partition(random) else { return };
    let Some(stream) = connect(ground, random, |summary| summary.half_frame_count += 1).await else { return };
    let mut bytes = BytesMut::new();
    if random.random_bool(0.8) {
        negotiation(&mut bytes);
    }
    let start = bytes.len();
    let batch = batch(u64::MAX, 1, 2_000, None, random);
    Request::Produce { partition, batch }.encode(2, &mut bytes);
    bytes.truncate(random.random_range(start + 1..bytes.len()));
    match random.random_range(0..3) {
        // It waits for the server to lose its patience.
        0 => send(ground, &stream, &bytes, true).await,
        1 => {
            let _ = stream.write(&bytes).await;
            ground.rest(random).await;
            stream.reset();
        }
        _ => {
            let _ = stream.write(&bytes).await;
            stream.end_sending();
            ground.back_off(random).await;
        }
    }
}

/// Thousands of questions, and not one answer is read.
async fn never_read(ground: &Ground, random: &mut ChaCha8Rng) {
    let Some(partition) = ground.any_partition(random) else { return };
    let Some(stream) = connect(ground, random, |summary| summary.deaf_count += 1).await else { return };
    let mut bytes = BytesMut::new();
    negotiation(&mut bytes);
    for correlation in 2..2 + random.random_range(0..FETCHES_MAX as u64) {
        let from = RequestFrom::Offset(Offset(0));
        Request::Fetch { partition, from, bytes_max: 1, wait_ms: 0, isolation: Isolation::Uncommitted }
            .encode(correlation, &mut bytes);
    }
    let describes = random.random_bool(0.8);
    for correlation in (100..).take(random.random_range(0..UNREAD_REQUESTS_MAX)) {
        if describes {
            Request::DescribeShards.encode(correlation, &mut bytes);
        } else {
            Request::ListOffsets { partition, at: ListAt::End }.encode(correlation, &mut bytes);
        }
    }
    send(ground, &stream, &bytes, false).await;
    if random.random_bool(0.5) {
        stream.reset();
    }
}

/// Connections that are made and given up at once.
async fn storm(ground: &Ground, random: &mut ChaCha8Rng) {
    let mut kept = Vec::new();
    for _ in 0..random.random_range(2..STORM_CONNECTIONS_MAX) {
        let Some(stream) = connect(ground, random, |summary| summary.storm_count += 1).await else { continue };
        match random.random_range(0..4) {
            0 => stream.reset(),
            1 => drop(stream),
            2 => {
                let mut bytes = BytesMut::new();
                negotiation(&mut bytes);
                let _ = stream.write(&bytes).await;
            }
            _ => kept.push(stream),
        }
    }
    ground.back_off(random).await;
}

/// Whole frames that ask for what there is not, or in a way that is not spoken.
async fn wrong_requests(ground: &Ground, random: &mut ChaCha8Rng) {
    let Some(partition) = ground.any_partition(random) else { return };
    let Some(stream) = connect(ground, random, |summary| summary.wrong_count += 1).await else { return };
    let mut bytes = BytesMut::new();
    if random.random_bool(0.9) {
        negotiation(&mut bytes);
    }
    for correlation in (2..).take(random.random_range(1..12)) {
        wrong_request(partition, correlation, random, &mut bytes);
    }
    if random.random_bool(0.2) {
        let at = random.random_range(0..bytes.len());
        bytes[at] ^= 1 << random.random_range(0..8);
    }
    send(ground, &stream, &bytes, true).await;
}

fn wrong_request(partition: PartitionId, correlation: u64, random: &mut ChaCha8Rng, out: &mut BytesMut) {
    let nowhere = PartitionId { topic: TopicId(random.next_u64()), index: random.next_u32() };
    match random.random_range(0..7) {
        0 => put_frame(out, Kind::Request(random.random()), random.random(), correlation, 0, |_| {}),
        1 => put_frame(out, Kind::Response(random.random_range(0..12)), 0, correlation, 0, |_| {}),
        2 => put_frame(out, Kind::Request(random.random_range(1..12)), 0, correlation, 0, |head| {
            head.put_bytes(0xff, random.random_range(0..64));
        }),
        3 => {
            let stamp = (ProducerId(random.next_u64() >> 1), ProducerEpoch(0), random.random_range(1..9));
            let mut batch = batch(u64::MAX, 1, 300, Some(stamp), random);
            let at = random.random_range(UNCHECKED_BYTES..batch.len());
            batch[at] ^= 1 << random.random_range(0..8);
            Request::Produce { partition, batch }.encode(correlation, out);
        }
        4 => {
            let batch = batch(u64::MAX, 1, 300, None, random);
            Request::Produce { partition: nowhere, batch }.encode(correlation, out);
        }
        5 => {
            let from = RequestFrom::Offset(Offset(random.next_u64() | 1 << 40));
            let isolation = if random.random() { Isolation::Committed } else { Isolation::Uncommitted };
            Request::Fetch { partition, from, bytes_max: random.next_u32(), wait_ms: 0, isolation }
                .encode(correlation, out);
        }
        _ => Request::Metadata { from: TopicId(random.next_u64()), names: vec!["?".repeat(300)] }
            .encode(correlation, out),
    }
}

/// Fetches that wait for data of somebody who is gone.
async fn wait_and_go(ground: &Ground, random: &mut ChaCha8Rng) {
    let Some(partition) = ground.any_partition(random) else { return };
    let Some(stream) = connect(ground, random, |summary| summary.deaf_count += 1).await else { return };
    let mut bytes = BytesMut::new();
    negotiation(&mut bytes);
    let end = Offset(ground.known_end(partition) + 1_000_000);
    for correlation in (2..).take(random.random_range(1..WAITING_FETCHES_MAX)) {
        let from = RequestFrom::Offset(if random.random_bool(0.2) { end } else { Offset(ground.known_end(partition)) });
        Request::Fetch { partition, from, bytes_max: 1, wait_ms: 1_000_000, isolation: Isolation::Uncommitted }
            .encode(correlation, &mut bytes);
    }
    let _ = stream.write(&bytes).await;
    ground.back_off(random).await;
    if random.random_bool(0.5) {
        stream.reset();
    }
}
