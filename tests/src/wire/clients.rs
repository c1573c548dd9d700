//! Clients: each is a task that decides by its own stream of the seed.

mod hostile;
mod library;
mod mover;
mod outlets;
mod payer;
mod producer;
mod reader;
mod watcher;
mod writer;

use std::rc::Rc;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::ground::{Ground, Trouble};
use super::server::SECOND_NS;
use crate::sim::streams::client_stream;

pub(super) use payer::read_payments;
pub(super) use reader::{found_topics, read_everything};
pub(super) use watcher::read_moves;

/// What the answers under way of one connection have at most, as these clients ask: fetches of so many bytes or of one
/// batch, so many at a time, and one request that was let in last.
pub(super) const ANSWERS_BYTES_MAX: usize = (FETCHES_MAX + 2) * FETCH_BYTES_MAX;
/// The longest that a client stays after all others have gone.
pub(super) const STAY_NS: u64 = 12 * SECOND_NS;
/// Fetches of a client at the same time.
const FETCHES_MAX: usize = 8;
/// Clients of one kind at most: each has a stream of its own, whichever others there are.
const KIND_CLIENTS_MAX: u32 = 1000;
/// Bytes of a fetch's answer; a batch is never larger.
const FETCH_BYTES_MAX: usize = 32 << 10;

/// A client that speaks over one connection at a time and makes a new one when that is lost.
trait Client {
    /// Uses one connection until it is over.
    async fn converse(&mut self) -> Result<(), Trouble>;
    /// Whether nothing is left to be done.
    fn is_done(&self) -> bool;
    /// Its own stream.
    fn random(&mut self) -> &mut ChaCha8Rng;
}

/// Starts all clients of a world; they end when nothing new is to be begun and what was begun is over.
pub(super) fn start(ground: &Rc<Ground>) {
    let plan = ground.plan.clone();
    let stream_of = |kind: u32, number: u32| client_stream(plan.seed, kind * KIND_CLIENTS_MAX + number);
    for number in 0..plan.writer_count {
        run(ground, writer::Writer::new(ground, stream_of(0, number)));
    }
    for number in 0..plan.producer_count {
        run(ground, producer::Producer::new(ground, stream_of(1, number)));
    }
    for number in 0..plan.library_count {
        run(ground, library::Library::new(ground, stream_of(2, number)));
    }
    for number in 0..plan.payer_count {
        run(ground, payer::Payer::new(ground, stream_of(4, number)));
    }
    for number in 0..plan.mover_count {
        run(ground, mover::Mover::new(ground, stream_of(5, number)));
    }
    for number in 0..plan.watcher_count {
        run(ground, watcher::Watcher::new(ground, stream_of(6, number)));
    }
    for number in 0..plan.hostile_count {
        ground.executor.spawn(hostile::annoy(Rc::clone(ground), stream_of(3, number)));
    }
}

fn run(ground: &Rc<Ground>, mut client: impl Client + 'static) {
    ground.client_count.set(ground.client_count.get() + 1);
    let shared = Rc::clone(ground);
    ground.executor.spawn(async move {
        while !client.is_done() && !shared.is_broken() {
            match client.converse().await {
                Ok(()) => {}
                Err(Trouble::Lost) => {
                    shared.count(|summary| summary.lost_count += 1);
                    shared.back_off(client.random()).await;
                }
                Err(Trouble::Broken(violation)) => shared.note(violation),
            }
        }
        shared.client_count.set(shared.client_count.get() - 1);
    });
}

/// Whether a client ends a connection here without need.
fn hangs_up(random: &mut ChaCha8Rng) -> bool {
    random.random_bool(0.01)
}
