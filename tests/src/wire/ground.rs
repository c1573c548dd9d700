//! What all clients of a world share: time, network, what they know together, and what they have noticed.

use std::cell::{Cell, RefCell};
use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::BytesMut;
use florin_engine::format::batch::ProducerStamp;
use florin_engine::model::{PartitionId, ProducerEpoch, ProducerId};
use florin_net::protocol::TopicDescription;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::plan::Plan;
use super::promises::moves::Moves;
use super::promises::payments::Payments;
use super::summary::Summary;
use crate::sim::{SimHandle, SimWire};
use crate::world::model::Model;
use crate::world::{Violation, clients::batch};

/// The topic of movers.
pub(super) const MOVES_TOPIC: &str = "moves";
/// What is said of one thing at most.
const SAID_BYTES_MAX: usize = 300;

/// What clients do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Whatever they like.
    Busy,
    /// Nothing new: what was begun comes to its end.
    Settling,
    /// Nothing at all.
    Over,
}

/// Why a client cannot go on with a connection.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The connection is gone, or the server does not answer in time.
    Lost,
    /// A promise was broken.
    Broken(Violation),
}

impl From<Violation> for Trouble {
    fn from(violation: Violation) -> Self {
        Self::Broken(violation)
    }
}

/// What all clients share.
pub(super) struct Ground {
    pub(super) executor: SimHandle,
    pub(super) wire: SimWire,
    pub(super) plan: Plan,
    pub(super) model: RefCell<Model>,
    /// Topics that somebody was told to exist, in the order in which that was heard.
    pub(super) topics: RefCell<Vec<TopicDescription>>,
    /// The topic with idempotency keys, once somebody was told of it.
    paid_topic: RefCell<Option<TopicDescription>>,
    /// What payers were told.
    pub(super) payments: RefCell<Payments>,
    /// The topic of movers, once somebody was told of it.
    moves_topic: RefCell<Option<TopicDescription>>,
    /// What movers did and watchers saw.
    pub(super) moves: RefCell<Moves>,
    pub(super) phase: Cell<Phase>,
    /// Clients that have not come to their end.
    pub(super) client_count: Cell<usize>,
    summary: Cell<Summary>,
    violation: RefCell<Option<Violation>>,
    digest: Cell<u64>,
    next_serial: Cell<u64>,
    next_session: Cell<u64>,
    next_payment: Cell<u64>,
    next_move: Cell<u64>,
    trace: RefCell<Vec<String>>,
}

impl Ground {
    pub(super) fn new(executor: SimHandle, wire: SimWire, plan: Plan) -> Self {
        Self {
            executor,
            wire,
            plan,
            model: RefCell::default(),
            topics: RefCell::default(),
            paid_topic: RefCell::default(),
            payments: RefCell::default(),
            moves_topic: RefCell::default(),
            moves: RefCell::default(),
            phase: Cell::new(Phase::Busy),
            client_count: Cell::new(0),
            summary: Cell::default(),
            violation: RefCell::default(),
            digest: Cell::new(0),
            next_serial: Cell::new(1),
            next_session: Cell::new(1),
            next_payment: Cell::new(0),
            next_move: Cell::new(1),
            trace: RefCell::default(),
        }
    }

    /// What was counted so far.
    pub(super) fn summary(&self) -> Summary {
        self.summary.get()
    }

    /// Counts something.
    pub(super) fn count(&self, count: impl FnOnce(&mut Summary)) {
        let mut summary = self.summary.get();
        count(&mut summary);
        self.summary.set(summary);
    }

    /// Says what happens, if it is to be said.
    pub(super) fn say(&self, what: impl FnOnce() -> String) {
        if self.plan.is_traced {
            let mut what = what();
            if what.len() > SAID_BYTES_MAX {
                what.truncate(what.floor_char_boundary(SAID_BYTES_MAX));
                what.push_str(" ...");
            }
            let now_us = self.executor.now_ns() / 1000;
            self.trace.borrow_mut().push(format!("{now_us:>10} us  {what}"));
        }
    }

    /// What was said.
    pub(super) fn trace(&self) -> Vec<String> {
        self.trace.take()
    }

    /// A number that no connection had before.
    pub(super) fn session(&self) -> u64 {
        self.next_session.replace(self.next_session.get() + 1)
    }

    /// Notes a broken promise; the first stays.
    pub(super) fn note(&self, violation: Violation) {
        self.say(|| format!("broken: {violation}"));
        self.violation.borrow_mut().get_or_insert(violation);
    }

    /// The first broken promise.
    pub(super) fn violation(&self) -> Option<Violation> {
        self.violation.borrow().clone()
    }

    /// Whether a promise was broken.
    pub(super) fn is_broken(&self) -> bool {
        self.violation.borrow().is_some()
    }

    /// Whether clients begin nothing new.
    pub(super) fn settles(&self) -> bool {
        self.phase.get() != Phase::Busy || self.is_broken()
    }

    /// Folds something that the server did into the fingerprint of the run.
    pub(super) fn fold(&self, what: impl Hash) {
        let mut hasher = DefaultHasher::new();
        (self.digest.get(), what).hash(&mut hasher);
        self.digest.set(hasher.finish());
    }

    /// The fingerprint of the run so far.
    pub(super) fn digest(&self) -> u64 {
        self.digest.get()
    }

    /// A number that no batch had before.
    pub(super) fn serial(&self) -> u64 {
        let serial = self.next_serial.get();
        self.next_serial.set(serial + 1);
        serial
    }

    /// Where a partition is known to end.
    pub(super) fn known_end(&self, partition: PartitionId) -> u64 {
        self.model.borrow().partitions.get(&partition).map_or(0, |facts| facts.end)
    }

    /// Some partition of some topic; none while no topic is known.
    pub(super) fn any_partition(&self, random: &mut ChaCha8Rng) -> Option<PartitionId> {
        let topics = self.topics.borrow();
        if topics.is_empty() {
            return None;
        }
        let topic = &topics[random.random_range(0..topics.len())];
        let count = u32::try_from(topic.placement.len()).expect("few partitions");
        Some(PartitionId { topic: topic.id, index: random.random_range(0..count) })
    }

    /// Some shard's port.
    pub(super) fn any_port(&self, random: &mut ChaCha8Rng) -> u16 {
        random.random_range(0..self.plan.shard_count)
    }

    /// The topic with idempotency keys, if somebody was told of it.
    pub(super) fn paid_topic(&self) -> Option<TopicDescription> {
        self.paid_topic.borrow().clone()
    }

    /// A number that no payment had before.
    pub(super) fn payment(&self) -> u64 {
        self.next_payment.replace(self.next_payment.get() + 1)
    }

    /// The topic of movers, if somebody was told of it.
    pub(super) fn moves_topic(&self) -> Option<TopicDescription> {
        self.moves_topic.borrow().clone()
    }

    /// A number that no move had before.
    pub(super) fn move_number(&self) -> u64 {
        self.next_move.replace(self.next_move.get() + 1)
    }

    /// How many payments there are.
    pub(super) fn payment_count(&self) -> u64 {
        self.next_payment.get()
    }

    /// Notes a topic that the server named. The one with idempotency keys is for payers alone, and one is for movers.
    pub(super) fn learn(&self, topic: &TopicDescription) {
        if topic.keys.is_some() {
            *self.paid_topic.borrow_mut() = Some(topic.clone());
            return;
        }
        if topic.name == MOVES_TOPIC {
            *self.moves_topic.borrow_mut() = Some(topic.clone());
            return;
        }
        let mut topics = self.topics.borrow_mut();
        if !topics.iter().any(|known| known.id == topic.id) {
            topics.push(topic.clone());
        }
    }

    /// Waits a little, as clients do between two requests.
    pub(super) async fn rest(&self, random: &mut ChaCha8Rng) {
        let pause_ns = [0, 20_000, 300_000, 5_000_000][random.random_range(0..4)];
        if pause_ns > 0 {
            self.executor.sleep(random.random_range(1..=pause_ns)).await;
        }
    }

    /// Waits before another attempt to connect.
    pub(super) async fn back_off(&self, random: &mut ChaCha8Rng) {
        self.executor.sleep(random.random_range(1_000_000..=200_000_000)).await;
    }

    /// The bytes of a batch, as they are sent.
    pub(super) fn bytes_of(&self, serial: u64) -> BytesMut {
        BytesMut::from(&self.model.borrow().sent[&serial].bytes[..])
    }

    /// A batch that carries a new serial; noted, and not sent yet.
    pub(super) fn new_batch(
        &self,
        partition: PartitionId,
        stamp: Option<(ProducerId, ProducerEpoch, u32)>,
        random: &mut ChaCha8Rng,
    ) -> (u64, u32) {
        let serial = self.serial();
        let record_count = random.random_range(1..=4);
        let bytes = batch(serial, record_count, self.plan.value_bytes_max, stamp, random);
        let stamp = stamp.map(|(id, epoch, base)| ProducerStamp::new(id, epoch, base, record_count));
        self.know(serial, partition, bytes.freeze(), u64::from(record_count), stamp);
        (serial, record_count)
    }
}
