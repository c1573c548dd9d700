//! Idempotent writers: several partitions, batches in a pipeline, and everything unanswered sent again to the next
//! server.

#![allow(clippy::disallowed_methods, reason = "a harness of real processes has real threads and a real clock")]

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use florin_engine::limits::PRODUCER_WINDOW_BATCHES;
use florin_engine::model::PartitionId;
use florin_net::protocol::{Request, Response};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{FENCED, Flight, Links, Next, OUT_OF_ORDER, Over, Scene, UNKNOWN_PRODUCER, hear};
use crate::real::line::{Stamp, Tag};
use crate::served::ledger::Note;
use crate::served::ledger::topics::Topic;

/// One in this many steps an acknowledged batch is sent again.
const REPEAT_ONE_IN: u32 = 12;
/// One in this many steps everything is settled, and the epoch raised or the identity changed.
const SETTLE_ONE_IN: u32 = 150;
/// One in this many times that it is settled the writer takes a new identity.
const RENEW_ONE_IN: u32 = 3;
/// The rest after a refusal for want of room.
const PAUSE: Duration = Duration::from_millis(2);

/// A writer's part of one partition.
struct Lane {
    partition: PartitionId,
    shard: u16,
    next_sequence: u32,
    /// Sent and not known to be stored, oldest first.
    window: VecDeque<Flight>,
    /// Of these, how many will be answered.
    expected: usize,
    /// Whether the window is to be sent again once nothing of it is expected.
    is_broken: bool,
    /// Acknowledged last, oldest first.
    held: VecDeque<Flight>,
    /// Of the epoch before.
    fenced: Option<Flight>,
}

impl Lane {
    /// Whether a batch is rightly refused with this code: one before it was refused and is not stored yet.
    fn lacks_predecessors_of(&self, tag: Tag, code: u16) -> bool {
        let Some(oldest) = self.window.front().filter(|oldest| oldest.sent.tag != tag) else { return false };
        let is_first = oldest.sent.stamp.is_some_and(|stamp| stamp.sequence == 0);
        code == OUT_OF_ORDER || code == UNKNOWN_PRODUCER && is_first
    }
}

/// A writer that lives through all rounds.
pub struct Writer {
    number: u32,
    random: ChaCha8Rng,
    is_wrong_port: bool,
    /// Its producer id and epoch.
    identity: Option<(u64, u16)>,
    serial: u32,
    lanes: Vec<Lane>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// In the window.
    Fresh,
    /// Acknowledged before: the answer must be the original one.
    Repeat,
    /// Of an epoch that is over.
    Fenced,
}

struct Round<'a> {
    writer: &'a mut Writer,
    scene: &'a Scene<'a>,
    links: Links,
    /// The lane and the batch of each request under way, by link and correlation.
    pending: BTreeMap<(usize, u64), (usize, Tag, Kind)>,
    is_stopping: bool,
}

impl Writer {
    /// A writer that has not written yet.
    pub fn new(number: u32, random: ChaCha8Rng, is_wrong_port: bool) -> Self {
        Self { number, random, is_wrong_port, identity: None, serial: 0, lanes: Vec::new() }
    }

    /// Writes to another topic from now on: the one before is gone, with everything that was under way.
    pub fn turn_to(&mut self, topic: &Topic) {
        let lane = |(partition, shard): (PartitionId, &u16)| Lane {
            partition,
            shard: *shard,
            next_sequence: 0,
            window: VecDeque::new(),
            expected: 0,
            is_broken: false,
            held: VecDeque::new(),
            fenced: None,
        };
        self.lanes = topic.partitions().zip(&topic.placement).map(lane).collect();
    }

    /// Writes until the server is gone.
    pub fn run(&mut self, scene: &Scene<'_>) {
        let over = match Links::open(scene, self.is_wrong_port) {
            Ok(links) => Round { writer: self, scene, links, pending: BTreeMap::new(), is_stopping: false }.run(),
            Err(over) => over,
        };
        scene.end(&format!("writer {}", self.number), &over);
    }
}

impl Round<'_> {
    fn run(mut self) -> Over {
        let over = match self.work() {
            Ok(()) | Err(Over::Gone) => self.hear_out().err().unwrap_or(Over::Gone),
            Err(wrong) => wrong,
        };
        for lane in &mut self.writer.lanes {
            (lane.expected, lane.is_broken) = (0, true);
        }
        over
    }

    fn hear_out(&mut self) -> Result<(), Over> {
        let (writer, scene, pending) = (&mut *self.writer, self.scene, &mut self.pending);
        self.links.hear_out(|link, correlation, response| {
            let Some((lane, tag, kind)) = pending.remove(&(link, correlation)) else { return Ok(()) };
            settle(scene, &mut writer.lanes[lane], (tag, kind), &response).map(|_| ())
        })
    }

    fn work(&mut self) -> Result<(), Over> {
        if self.writer.identity.is_none() {
            self.mint()?;
        }
        // What the server before left open comes first.
        for lane in 0..self.writer.lanes.len() {
            self.send_window(lane)?;
        }
        while !self.is_stopping {
            self.step()?;
        }
        Ok(())
    }

    fn mint(&mut self) -> Result<(), Over> {
        let link = self.writer.random.random_range(0..self.scene.addresses.len());
        match self.links.ask(link, &Request::InitProducer)? {
            Response::Producer { id, epoch } => {
                self.scene.note(&Note::Minted(id.0));
                self.writer.identity = Some((id.0, epoch.0));
                Ok(())
            }
            Response::Error(_) if self.scene.is_ending() || self.scene.is_full() => Err(Over::Gone),
            other => Err(Over::Wrong(format!("init_producer was answered with {other:?}"))),
        }
    }

    fn step(&mut self) -> Result<(), Over> {
        let lane_count = self.writer.lanes.len();
        let random = &mut self.writer.random;
        let lane = random.random_range(0..lane_count);
        if random.random_ratio(1, SETTLE_ONE_IN) {
            return self.change_identity();
        }
        if random.random_ratio(1, REPEAT_ONE_IN) {
            self.repeat(lane)?;
        }
        let depth = self.writer.random.random_range(1..=PRODUCER_WINDOW_BATCHES);
        let of = &self.writer.lanes[lane];
        if of.is_broken {
            self.mend(lane)
        } else if of.window.len() < depth {
            self.send_fresh(lane)
        } else {
            self.receive(lane)
        }
    }

    /// Sends everything of a window again that is not stored, from the oldest on.
    fn mend(&mut self, lane: usize) -> Result<(), Over> {
        while self.writer.lanes[lane].expected > 0 && !self.is_stopping {
            self.receive(lane)?;
        }
        if self.is_stopping {
            return Ok(());
        }
        std::thread::sleep(PAUSE);
        self.send_window(lane)
    }

    fn send_window(&mut self, lane: usize) -> Result<(), Over> {
        let of = &mut self.writer.lanes[lane];
        of.is_broken = false;
        let link = self.links.link_to(of.shard);
        for flight in &of.window {
            let correlation = self.links.send_batch(self.scene, link, flight)?;
            self.pending.insert((link, correlation), (lane, flight.sent.tag, Kind::Fresh));
            of.expected += 1;
        }
        Ok(())
    }

    fn send_fresh(&mut self, lane: usize) -> Result<(), Over> {
        let (id, epoch) = self.writer.identity.expect("it was asked for");
        let tag = Tag { run: self.scene.run, producer: self.writer.number, serial: self.writer.serial };
        self.writer.serial += 1;
        let of = &mut self.writer.lanes[lane];
        let flight = Flight::new(of.partition, tag, Some(Stamp { id, epoch, sequence: of.next_sequence }));
        of.next_sequence += flight.sent.record_count;
        // In the window before it is sent: if sending fails, it may have arrived all the same.
        of.window.push_back(flight.clone());
        let link = self.links.link_to(of.shard);
        let correlation = self.links.send_batch(self.scene, link, &flight)?;
        self.pending.insert((link, correlation), (lane, tag, Kind::Fresh));
        of.expected += 1;
        Ok(())
    }

    /// Sends an acknowledged batch again whose answer the server still has.
    fn repeat(&mut self, lane: usize) -> Result<(), Over> {
        let of = &self.writer.lanes[lane];
        let within = (PRODUCER_WINDOW_BATCHES - of.window.len()).min(of.held.len());
        if within == 0 {
            return Ok(());
        }
        let behind = self.writer.random.random_range(0..within);
        let flight = of.held[of.held.len() - 1 - behind].clone();
        self.send_other(lane, &flight, Kind::Repeat)
    }

    fn send_other(&mut self, lane: usize, flight: &Flight, kind: Kind) -> Result<(), Over> {
        let link = self.links.link_to(self.writer.lanes[lane].shard);
        let correlation = self.links.send_batch(self.scene, link, flight)?;
        self.pending.insert((link, correlation), (lane, flight.sent.tag, kind));
        Ok(())
    }

    /// Waits until everything is answered, then raises the epoch or takes a new identity.
    fn change_identity(&mut self) -> Result<(), Over> {
        for lane in 0..self.writer.lanes.len() {
            while !self.writer.lanes[lane].window.is_empty() {
                if self.writer.lanes[lane].is_broken {
                    self.mend(lane)?;
                }
                if self.is_stopping || self.scene.is_full() {
                    return Ok(());
                }
                self.receive(lane)?;
            }
        }
        let is_new = self.writer.random.random_ratio(1, RENEW_ONE_IN);
        if is_new {
            self.receive_all()?;
            if self.is_stopping {
                return Ok(());
            }
            self.mint()?;
        } else if let Some((_, epoch)) = &mut self.writer.identity {
            *epoch += 1;
        }
        for lane in &mut self.writer.lanes {
            lane.next_sequence = 0;
            lane.fenced = lane.held.pop_back().filter(|_| !is_new);
            lane.held.clear();
        }
        Ok(())
    }

    fn receive_all(&mut self) -> Result<(), Over> {
        while let Some((link, _)) = self.pending.keys().next().copied() {
            self.receive_on(link)?;
        }
        Ok(())
    }

    fn receive(&mut self, lane: usize) -> Result<(), Over> {
        let link = self.links.link_to(self.writer.lanes[lane].shard);
        self.receive_on(link)
    }

    fn receive_on(&mut self, link: usize) -> Result<(), Over> {
        let (correlation, response) = self.links.receive(link)?;
        let Some((lane, tag, kind)) = self.pending.remove(&(link, correlation)) else {
            return Err(Over::Wrong(format!("{response:?} answers nothing that was asked")));
        };
        self.is_stopping |= settle(self.scene, &mut self.writer.lanes[lane], (tag, kind), &response)?;
        // The new epoch is known there now: the older one must be refused.
        let of = &mut self.writer.lanes[lane];
        if kind == Kind::Fresh
            && !of.held.is_empty()
            && !self.is_stopping
            && let Some(flight) = of.fenced.take()
        {
            self.send_other(lane, &flight, Kind::Fenced)?;
        }
        Ok(())
    }
}

/// Takes an answer; whether the server is being stopped.
fn settle(scene: &Scene<'_>, lane: &mut Lane, (tag, kind): (Tag, Kind), response: &Response) -> Result<bool, Over> {
    let next = hear(scene, tag, response)?;
    if kind == Kind::Fresh {
        lane.expected -= 1;
    }
    match (kind, next) {
        (_, Next::Stop) => return Ok(true),
        (Kind::Fresh, Next::Stored) => {
            let index = lane.window.iter().position(|flight| flight.sent.tag == tag).expect("it was in the window");
            let flight = lane.window.remove(index).expect("it was found");
            let sequence = |flight: &Flight| flight.sent.stamp.map(|stamp| (stamp.epoch, stamp.sequence));
            let at = lane.held.partition_point(|held| sequence(held) < sequence(&flight));
            lane.held.insert(at, flight);
            if lane.held.len() > PRODUCER_WINDOW_BATCHES {
                lane.held.pop_front();
            }
        }
        (Kind::Fresh, Next::Again) => lane.is_broken = true,
        (Kind::Fresh, Next::Refused(code)) if lane.lacks_predecessors_of(tag, code) => lane.is_broken = true,
        (Kind::Repeat, Next::Stored) => {
            let is_duplicate = matches!(response, Response::Produced { duplicate: true, .. });
            if !is_duplicate {
                return Err(Over::Wrong(format!("acknowledged batch {tag} was stored again as new")));
            }
        }
        (Kind::Repeat | Kind::Fenced, Next::Again) | (Kind::Fenced, Next::Refused(FENCED)) => {}
        (_, next) => return Err(Over::Wrong(format!("batch {tag}, {kind:?}, was answered with {next:?}"))),
    }
    Ok(false)
}
