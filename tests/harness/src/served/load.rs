//! Load on a real server: writers, readers and changes of topics, each on raw connections of its own.
//!
//! A worker lives through many servers. In each round it connects, works until its connections end, hears every answer
//! that was still under way, and keeps what was not answered for the next round.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;
use florin_engine::model::PartitionId;
use florin_net::protocol::{Request, Response};

use super::ledger::topics::Topic;
use super::ledger::{Heard, Ledger, Note};
use super::wire::{Wire, WireError};
use crate::real::line::{Sent, Stamp, Tag};
use crate::real::payload;

pub mod changer;
pub mod plain;
pub mod reader;
pub mod writer;

/// The journal is full.
pub const JOURNAL_FULL: u16 = 5;
/// The server is being stopped.
const STOPPING: u16 = 2;
/// Refusals that mean: nothing was done, send the same again later.
const LATER: [u16; 3] = [JOURNAL_FULL, 6, 109];
/// The port's shard does not know the partition: it has not heard of a new topic that it has no part of.
const UNKNOWN_PARTITION: u16 = 10;
/// The client waits for a block or a catalogue change that did not come about.
const OUTCOME_UNKNOWN: u16 = 4;
/// The protocol's refusal of a batch whose predecessors are missing, the very first among them.
const UNKNOWN_PRODUCER: u16 = 30;
/// The protocol's refusal of a batch whose predecessors are missing.
const OUT_OF_ORDER: u16 = 33;
/// The protocol's refusal of an older epoch.
const FENCED: u16 = 32;

/// A server and what is done with it.
pub struct Scene<'a> {
    /// Where each shard listens.
    pub addresses: Vec<SocketAddr>,
    /// What everybody notes.
    pub ledger: &'a Mutex<Ledger>,
    /// The topic that everybody writes to and reads.
    pub topic: &'a Topic,
    /// The number of the round.
    pub run: u32,
    /// Whether the server is about to be killed or stopped: before that, no connection may end.
    pub ending: AtomicBool,
    /// Whether a shard said that its journal is full.
    pub full: AtomicBool,
}

/// Why a worker does not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// The connection ended.
    Gone,
    /// A client was told what it must not be told.
    Wrong(String),
}

impl Scene<'_> {
    /// Takes note of something.
    pub fn note(&self, note: &Note) {
        self.ledger().note(note);
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client was told what it must not be told.
    pub fn report(&self, what: String) {
        self.ledger().report(what);
    }

    /// Takes note of how a worker's round ended.
    pub fn end(&self, who: &str, over: &Over) {
        let what = match over {
            Over::Gone if self.is_ending() => return,
            Over::Gone => "its connection ended although nobody killed or stopped the server",
            Over::Wrong(what) => what,
        };
        self.ledger().report(format!("{who}: {what}"));
    }

    /// Whether the server is about to be killed or stopped.
    pub fn is_ending(&self) -> bool {
        self.ending.load(Ordering::SeqCst)
    }

    /// Whether a journal is full.
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::SeqCst)
    }

    fn over(error: WireError) -> Over {
        match error {
            WireError::Closed => Over::Gone,
            WireError::TimedOut => Over::Wrong("no answer came in time".to_owned()),
            WireError::Refused(error) => Over::Wrong(error.to_string()),
            WireError::Unexpected(what) => Over::Wrong(what),
        }
    }
}

/// What follows from the answer to a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is stored.
    Stored,
    /// It is to be sent again, after a while.
    Again,
    /// Nothing is to be sent to this server any more.
    Stop,
    /// Refused for another reason.
    Refused(u16),
}

/// Notes the answer to a batch, and says what follows.
pub fn hear(scene: &Scene<'_>, tag: Tag, response: &Response) -> Result<Next, Over> {
    let (heard, next) = match response {
        Response::Produced { base_offset, append_time, duplicate } => {
            let (base_offset, append_time) = (base_offset.0, append_time.0);
            (Heard::Stored { base_offset, append_time, duplicate: *duplicate }, Next::Stored)
        }
        Response::Error(error) => {
            let code = error.code.0;
            if code == JOURNAL_FULL {
                scene.full.store(true, Ordering::SeqCst);
            }
            let next = match code {
                STOPPING | OUTCOME_UNKNOWN if scene.is_ending() => Next::Stop,
                _ if LATER.contains(&code) => Next::Again,
                FENCED | OUT_OF_ORDER | UNKNOWN_PRODUCER => Next::Refused(code),
                _ => return Err(Over::Wrong(format!("batch {tag} was answered with {error}"))),
            };
            let heard = if code == OUTCOME_UNKNOWN { Heard::Unknown(code) } else { Heard::Refused(code) };
            (heard, next)
        }
        other => return Err(Over::Wrong(format!("batch {tag} was answered with {other:?}"))),
    };
    scene.note(&Note::Answered(tag, heard));
    Ok(next)
}

/// A batch and its bytes, the same each time that it is sent.
#[derive(Clone, Debug)]
pub struct Flight {
    /// What is sent where.
    pub sent: Sent,
    /// The batch.
    pub bytes: BytesMut,
}

impl Flight {
    /// A batch that nobody has sent yet.
    pub fn new(partition: PartitionId, tag: Tag, stamp: Option<Stamp>) -> Self {
        let bytes = payload::build(tag, stamp);
        let record_count = payload::record_count(tag);
        Self { sent: Sent { partition, tag, crc: payload::crc(&bytes), record_count, stamp }, bytes }
    }
}

/// A worker's connections, one to each shard.
pub struct Links {
    wires: Vec<Wire>,
    /// Every request goes to the port of another shard than its own.
    is_wrong_port: bool,
}

impl Links {
    /// Connects to all shards.
    pub fn open(scene: &Scene<'_>, is_wrong_port: bool) -> Result<Self, Over> {
        let wires = scene.addresses.iter().map(|address| Wire::open(*address));
        Ok(Self { wires: wires.collect::<Result<_, _>>().map_err(Scene::over)?, is_wrong_port })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.wires.len()
    }

    /// Whether requests go to ports of other shards than those they are for.
    pub fn go_astray(&self) -> bool {
        self.is_wrong_port
    }

    /// The link for requests to a shard.
    pub fn link_to(&self, shard: u16) -> usize {
        (usize::from(shard) + usize::from(self.is_wrong_port)) % self.wires.len()
    }

    /// Sends a request; returns its correlation on this link.
    pub fn send(&mut self, link: usize, request: &Request) -> Result<u64, Over> {
        self.wires[link].send(request).map_err(Scene::over)
    }

    /// Notes a batch and sends it.
    pub fn send_batch(&mut self, scene: &Scene<'_>, link: usize, flight: &Flight) -> Result<u64, Over> {
        scene.note(&Note::Sending(flight.sent));
        let request = Request::Produce { partition: flight.sent.partition, batch: flight.bytes.clone() };
        self.send(link, &request)
    }

    /// The next answer on a link.
    pub fn receive(&mut self, link: usize) -> Result<(u64, Response), Over> {
        self.wires[link].receive().map_err(Scene::over)
    }

    /// Asks and waits; nothing else is under way on the link.
    pub fn ask(&mut self, link: usize, request: &Request) -> Result<Response, Over> {
        self.send(link, request)?;
        Ok(self.receive(link)?.1)
    }

    /// Hears what was under way on all links when the server ended: what the kernel received counts.
    pub fn hear_out(&mut self, mut hear: impl FnMut(usize, u64, Response) -> Result<(), Over>) -> Result<(), Over> {
        for link in 0..self.wires.len() {
            loop {
                match self.receive(link) {
                    Ok((correlation, response)) => hear(link, correlation, response)?,
                    Err(Over::Gone) => break,
                    Err(wrong) => return Err(wrong),
                }
            }
        }
        Ok(())
    }
}
