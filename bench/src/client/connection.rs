//! One connection of the load: produce requests in flight, answered in their order.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, BytesMut};
use florin_engine::model::{Offset, PartitionId};
use florin_net::limits::RESPONSE_BYTES_MAX;
use florin_net::protocol::request::put_produce_head;
use florin_net::protocol::{Api, ErrorResponse, FrameReader, Response};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::control::{Control, connect, error_text, is_journal_full};
use super::routes::{Route, Turns};
use super::stamp::KeyStamp;

/// A request that is not answered.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// When its latency began.
    pub since: Instant,
    /// The number of its batch.
    pub batch: usize,
    /// Where it goes.
    pub partition: PartitionId,
}

/// What became of a request.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Its batch is on stable storage, from this offset on.
    Stored(Offset),
    /// The journal has no room for it now.
    JournalFull(Box<ErrorResponse>),
}

/// A socket that never blocks, and what is under way on it.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    reader: FrameReader,
    partition: PartitionId,
    turns: Option<Turns>,
    keys: Option<KeyStamp>,
    correlation: u64,
    outgoing: BytesMut,
    /// With their numbers, the oldest first.
    in_flight: VecDeque<(u64, Sent)>,
}

impl Connection {
    /// Connects, negotiates unless the server is a bare one, and registers for its events.
    pub fn connect(route: &Route, registry: &Registry, token: Token) -> Result<Self> {
        let stream =
            if route.is_bare { connect(&route.address)? } else { Control::connect(&route.address)?.into_stream()? };
        stream.set_nonblocking(true).context("a socket cannot be made non-blocking")?;
        let mut stream = TcpStream::from_std(stream);
        let interests = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut stream, token, interests).context("a socket cannot be watched")?;
        Ok(Self {
            stream,
            reader: FrameReader::new(RESPONSE_BYTES_MAX),
            partition: route.partition,
            turns: route.turns.clone(),
            keys: route.keys.clone(),
            correlation: 0,
            outgoing: BytesMut::new(),
            in_flight: VecDeque::new(),
        })
    }

    /// Requests that are not answered.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Puts a batch and its number behind what is to be sent; its latency begins at `since`. [`Connection::flush`]
    /// sends it.
    pub fn push(&mut self, number: usize, batch: &[u8], since: Instant) {
        let partition = self.turns.as_mut().map_or(self.partition, Turns::take);
        self.push_again(Sent { since, batch: number, partition }, batch);
        if let Some(keys) = &mut self.keys {
            let at = self.outgoing.len() - batch.len();
            keys.put(&mut self.outgoing[at..], partition);
        }
    }

    /// The same with a batch that was refused before.
    pub fn push_again(&mut self, sent: Sent, batch: &[u8]) {
        self.correlation += 1;
        put_produce_head(&mut self.outgoing, self.correlation, sent.partition, batch.len());
        self.outgoing.extend_from_slice(batch);
        self.in_flight.push_back((self.correlation, sent));
    }

    /// Sends what the socket takes.
    pub fn flush(&mut self) -> Result<()> {
        send(&mut self.stream, &mut self.outgoing)
    }

    /// Takes what has come, and tells of each answer which request it is to. A full journal is an answer, every other
    /// refusal an error.
    ///
    /// A read that does not fill `scratch` has emptied the socket, so the next answer makes an event of its own.
    pub fn receive(&mut self, scratch: &mut [u8], answered: &mut Vec<(Sent, Outcome)>) -> Result<()> {
        loop {
            let bytes = match self.stream.read(scratch) {
                Ok(0) => bail!("the server closed a connection with {} requests in flight", self.in_flight.len()),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("the server does not answer"),
            };
            self.reader.buffer_mut().extend_from_slice(&scratch[..bytes]);
            while let Some(answer) = self.answer()? {
                answered.push(answer);
            }
            if bytes < scratch.len() {
                return Ok(());
            }
        }
    }

    fn answer(&mut self) -> Result<Option<(Sent, Outcome)>> {
        let Some(frame) = self.reader.next_frame()? else { return Ok(None) };
        let correlation = frame.correlation;
        match Response::decode(Api::Produce, frame)? {
            Response::Produced { duplicate: false, base_offset, .. } => {
                // Batches of one connection are stored, and acknowledged, in the order in which they were sent.
                let oldest = self.in_flight.pop_front();
                let (expected, sent) = oldest.context("an answer came before a request was sent")?;
                ensure!(correlation == expected, "an answer is numbered {correlation}, not {expected}");
                Ok(Some((sent, Outcome::Stored(base_offset))))
            }
            Response::Error(error) if is_journal_full(&error) => {
                // Nothing has to be written for it, so it may overtake the acknowledgements of what was sent before.
                let found = self.in_flight.iter().position(|(number, _)| *number == correlation);
                let refused = found.and_then(|found| self.in_flight.remove(found));
                let (_, sent) =
                    refused.with_context(|| format!("a refusal is numbered {correlation}, which is not in flight"))?;
                Ok(Some((sent, Outcome::JournalFull(Box::new(error)))))
            }
            Response::Error(error) => bail!("a batch was refused: {}", error_text(&error)),
            other => bail!("a batch was answered with {other:?}"),
        }
    }
}

/// Sends what the socket takes, and keeps the rest.
pub(super) fn send(stream: &mut TcpStream, outgoing: &mut BytesMut) -> Result<()> {
    while !outgoing.is_empty() {
        match stream.write(outgoing) {
            Ok(0) => bail!("the server closed a connection that a request is sent over"),
            // Kept as memory for the next request.
            Ok(bytes) if bytes == outgoing.len() => outgoing.clear(),
            Ok(bytes) => outgoing.advance(bytes),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("the server takes no request"),
        }
    }
    Ok(())
}
