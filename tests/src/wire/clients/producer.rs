//! An idempotent producer that speaks the protocol by hand: it sends each batch until it knows the outcome, over as many
//! connections as that takes, and never another one in its place.

use std::collections::VecDeque;
use std::rc::Rc;

use florin_engine::format::batch::sequence_plus;
use florin_engine::model::{PartitionId, ProducerEpoch, ProducerId};
use florin_net::protocol::{Request, Response};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Client, hangs_up};
use crate::wire::ground::{Ground, Trouble};
use crate::wire::session::{Manner, Session};
use crate::world::clients::PIPELINE_MAX;

/// What was asked.
enum Asked {
    Greeting,
    Identity,
    Batch(u64),
    /// A batch that was acknowledged already.
    Again(u64),
}

/// Batches that are acknowledged and may be sent once more.
const REMEMBERED_COUNT: usize = 3;

/// The client.
pub(super) struct Producer {
    ground: Rc<Ground>,
    random: ChaCha8Rng,
    identity: Option<(ProducerId, ProducerEpoch)>,
    partition: Option<PartitionId>,
    next_sequence: u32,
    /// Batches without an outcome, in order.
    open: VecDeque<u64>,
    /// How many of them are on their way on this connection.
    sent_count: usize,
    /// One was refused: nothing is sent until all that is on its way is answered.
    rewinds: bool,
    /// The last batches that were acknowledged.
    settled: VecDeque<u64>,
}

impl Producer {
    pub(super) fn new(ground: &Rc<Ground>, random: ChaCha8Rng) -> Self {
        Self {
            ground: Rc::clone(ground),
            random,
            identity: None,
            partition: None,
            next_sequence: 0,
            open: VecDeque::new(),
            sent_count: 0,
            rewinds: false,
            settled: VecDeque::new(),
        }
    }

    fn ask(&mut self, session: &mut Session<Asked>) {
        let Some((id, epoch)) = self.identity else {
            if session.asked_count() == 0 && !self.ground.settles() {
                session.ask(&Request::InitProducer, Asked::Identity);
            }
            return;
        };
        let Some(partition) = self.partition else { return };
        while self.sent_count < self.open.len() && !self.rewinds {
            let serial = self.open[self.sent_count];
            self.sent_count += 1;
            self.send(session, partition, serial, Asked::Batch(serial));
        }
        let is_idle = self.open.is_empty() && session.asked_count() == 0;
        if is_idle && !self.settled.is_empty() && self.random.random_bool(0.1) {
            // As if the acknowledgement had been lost.
            let serial = self.settled[self.random.random_range(0..self.settled.len())];
            return self.send(session, partition, serial, Asked::Again(serial));
        }
        let has_place = self.open.len() < PIPELINE_MAX && !self.rewinds && !self.ground.settles();
        if has_place && self.random.random_bool(0.7) {
            let stamp = (id, epoch, self.next_sequence);
            let (serial, record_count) = self.ground.new_batch(partition, Some(stamp), &mut self.random);
            self.next_sequence = sequence_plus(self.next_sequence, record_count);
            self.open.push_back(serial);
        }
    }

    fn send(&self, session: &mut Session<Asked>, partition: PartitionId, serial: u64, asked: Asked) {
        self.ground.sent(serial);
        session.ask(&Request::Produce { partition, batch: self.ground.bytes_of(serial) }, asked);
    }

    fn answer(&mut self, asked: Asked, response: Response) -> Result<(), Trouble> {
        match (asked, response) {
            (Asked::Identity, Response::Producer { id, epoch }) => {
                self.ground.model.borrow_mut().producer_minted(id)?;
                self.identity = Some((id, epoch));
                self.partition = self.ground.any_partition(&mut self.random);
            }
            (Asked::Identity, Response::Error(error)) => self.ground.is_no_blame(&error)?,
            (Asked::Batch(serial), Response::Produced { base_offset, append_time, duplicate }) => {
                self.ground.captured(serial, base_offset, append_time, duplicate)?;
                self.settle(serial);
            }
            (Asked::Again(serial), Response::Produced { base_offset, append_time, duplicate }) => {
                self.ground.captured(serial, base_offset, append_time, duplicate)?;
                self.ground.is_duplicate(serial, duplicate)?;
            }
            (Asked::Batch(serial), Response::Error(error)) => {
                let is_first = self.open.front() == Some(&serial);
                self.ground.capture_refused(serial, is_first, &error)?;
                self.rewinds = true;
            }
            (Asked::Again(serial), Response::Error(error)) => self.ground.capture_refused(serial, true, &error)?,
            (Asked::Greeting, response) => self.ground.misfit("a negotiation", &response)?,
            (Asked::Identity | Asked::Batch(_) | Asked::Again(_), response) => {
                self.ground.misfit("what a producer asked", &response)?;
            }
        }
        Ok(())
    }

    fn settle(&mut self, serial: u64) {
        if let Some(at) = self.open.iter().position(|open| *open == serial) {
            let before = self.open.len();
            self.open.remove(at);
            self.sent_count -= usize::from(self.open.len() < before && at < self.sent_count);
            self.settled.push_back(serial);
            if self.settled.len() > REMEMBERED_COUNT {
                self.settled.pop_front();
            }
        }
    }

    async fn talk(&mut self, session: &mut Session<Asked>) -> Result<(), Trouble> {
        let ground = Rc::clone(&self.ground);
        loop {
            let ends = hangs_up(&mut self.random);
            if !ends {
                self.ask(session);
            }
            for (asked, response) in session.step().await? {
                self.answer(asked, response)?;
            }
            if session.asked_count() == 0 {
                if self.rewinds {
                    self.sent_count = 0;
                    self.rewinds = false;
                    ground.back_off(&mut self.random).await;
                }
                if ends || self.is_done() {
                    return Ok(());
                }
            }
            ground.rest(&mut self.random).await;
        }
    }
}

impl Client for Producer {
    async fn converse(&mut self) -> Result<(), Trouble> {
        let port = self.ground.any_port(&mut self.random);
        let manner = Manner::any(&mut self.random);
        let mut session = Session::open(&self.ground, port, manner, Asked::Greeting).await?;
        let result = self.talk(&mut session).await;
        for asked in session.into_lost() {
            if let Asked::Batch(serial) | Asked::Again(serial) = asked {
                self.ground.unknown(serial);
            }
        }
        (self.sent_count, self.rewinds) = (0, false);
        result
    }

    fn is_done(&self) -> bool {
        self.ground.settles() && self.open.is_empty()
    }

    fn random(&mut self) -> &mut ChaCha8Rng {
        &mut self.random
    }
}
