//! A connection of a client that speaks the protocol by hand.

use std::collections::BTreeMap;
use std::io;
use std::pin::pin;
use std::rc::Rc;

use bytes::{Buf, BytesMut};
use florin_net::io::Stream;
use florin_net::limits::RESPONSE_BYTES_MAX;
use florin_net::protocol::{Api, FrameReader, Request, Response};
use futures_util::future::{Either, select};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::ground::{Ground, Trouble};
use super::promises::answers::Matched;
use super::server::{SECOND_NS, address_of};
use crate::sim::SimStream;

/// How long a client waits for anything to move before it gives a connection up.
const PATIENCE_NS: u64 = 20 * SECOND_NS;

/// How a client handles its socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// Bytes of one write.
    write_bytes_max: usize,
    /// Bytes of one read.
    read_bytes_max: usize,
    /// Pause before each read.
    read_pause_ns: u64,
}

impl Manner {
    /// Most clients are quick; some send byte by byte, some read slowly.
    pub(super) fn any(random: &mut ChaCha8Rng) -> Self {
        let quick = Self { write_bytes_max: usize::MAX, read_bytes_max: usize::MAX, read_pause_ns: 0 };
        match random.random_range(0..12) {
            0 => Self { write_bytes_max: 1, ..quick },
            1 => Self { write_bytes_max: random.random_range(2..100), ..quick },
            2 => Self { read_bytes_max: random.random_range(1..2000), read_pause_ns: 2_000_000, ..quick },
            _ => quick,
        }
    }
}

/// A connection. `T` is what the client knows a request by.
pub(super) struct Session<T> {
    ground: Rc<Ground>,
    number: u64,
    stream: SimStream,
    manner: Manner,
    reader: FrameReader,
    outgoing: BytesMut,
    asked: BTreeMap<u64, (Api, T)>,
    next_correlation: u64,
}

impl<T> Session<T> {
    /// Connects to a shard's port and negotiates. `greeting` is what the negotiation is known by.
    pub(super) async fn open(ground: &Rc<Ground>, port: u16, manner: Manner, greeting: T) -> Result<Self, Trouble> {
        let stream = ground.wire.connect(address_of(port)).await.map_err(|_refused| Trouble::Lost)?;
        let mut session = Self {
            ground: Rc::clone(ground),
            number: ground.session(),
            stream,
            manner,
            reader: FrameReader::new(RESPONSE_BYTES_MAX),
            outgoing: BytesMut::new(),
            asked: BTreeMap::new(),
            next_correlation: 1,
        };
        session.ask(&Request::Negotiate { client: "simulated".to_owned() }, greeting);
        let answers = session.step().await?;
        for (_, response) in answers {
            match response {
                Response::Negotiated(negotiated) => ground.greeted(port, &negotiated)?,
                _ => return Err(Trouble::Lost),
            }
        }
        Ok(session)
    }

    /// Adds a request to what is sent.
    pub(super) fn ask(&mut self, request: &Request, tag: T) {
        let correlation = self.next_correlation;
        self.next_correlation += 1;
        self.ground.count(|summary| summary.operation_count += 1);
        self.ground.say(|| format!("connection {} asks {correlation}: {request:?}", self.number));
        request.encode(correlation, &mut self.outgoing);
        self.asked.insert(correlation, (request.api(), tag));
    }

    /// Requests that are not answered.
    pub(super) fn asked_count(&self) -> usize {
        self.asked.len()
    }

    /// Sends what waits and reads until there is an answer, or until there is nothing to wait for.
    pub(super) async fn step(&mut self) -> Result<Vec<(T, Response)>, Trouble> {
        let mut answers = Vec::new();
        loop {
            while let Some(frame) = self.ground.cut(&mut self.reader)? {
                match self.ground.matched(&mut self.asked, frame)? {
                    Matched::Answer(tag, response) => {
                        self.ground.say(|| format!("connection {} is answered: {response:?}", self.number));
                        answers.push((tag, response));
                    }
                    Matched::Farewell => return Err(Trouble::Lost),
                }
            }
            let is_quiet = self.outgoing.is_empty() && self.asked.is_empty();
            if is_quiet || !answers.is_empty() {
                return Ok(answers);
            }
            self.move_bytes().await.map_err(|gone| {
                self.ground.say(|| format!("connection {} is lost: {gone}", self.number));
                Trouble::Lost
            })?;
        }
    }

    /// Sends or receives something.
    async fn move_bytes(&mut self) -> io::Result<()> {
        let Manner { write_bytes_max, read_bytes_max, read_pause_ns } = self.manner;
        if read_pause_ns > 0 {
            self.ground.executor.sleep(read_pause_ns).await;
        }
        let written = {
            let too_long = pin!(self.ground.executor.sleep(PATIENCE_NS));
            let read = pin!(self.stream.read(self.reader.buffer_mut(), Some(read_bytes_max)));
            if self.outgoing.is_empty() {
                return match select(read, too_long).await {
                    Either::Left((read, _)) => some(read?),
                    Either::Right(_) => Err(io::ErrorKind::TimedOut.into()),
                };
            }
            let piece = &self.outgoing[..self.outgoing.len().min(write_bytes_max)];
            let write = pin!(self.stream.write(piece));
            match select(select(write, read), too_long).await {
                Either::Left((Either::Left((written, _)), _)) => written?,
                Either::Left((Either::Right((read, _)), _)) => return some(read?),
                Either::Right(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
        };
        self.outgoing.advance(written);
        Ok(())
    }

    /// The connection is over: what was asked on it and not answered, in the order in which it was asked.
    pub(super) fn into_lost(self) -> impl Iterator<Item = T> {
        self.asked.into_values().map(|(_, tag)| tag)
    }
}

fn some(read_bytes: usize) -> io::Result<()> {
    if read_bytes == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}
