//! One connection of the load: produce requests in flight, answered in their order.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, BytesMut};
use florin_engine::model::PartitionId;
use florin_net::limits::RESPONSE_BYTES_MAX;
use florin_net::protocol::request::put_produce_head;
use florin_net::protocol::{Api, FrameReader, Response};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::control::{Control, connect, error_text};
use super::routes::Route;

/// A socket that never blocks, and what is under way on it.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    reader: FrameReader,
    partition: PartitionId,
    correlation: u64,
    outgoing: BytesMut,
    /// When the latency of each request in flight began, the oldest first.
    in_flight: VecDeque<Instant>,
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
            correlation: 0,
            outgoing: BytesMut::new(),
            in_flight: VecDeque::new(),
        })
    }

    /// Requests that are not answered.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Puts a batch behind what is to be sent; its latency begins at `since`. [`Connection::flush`] sends it.
    pub fn push(&mut self, batch: &[u8], since: Instant) {
        self.correlation += 1;
        put_produce_head(&mut self.outgoing, self.correlation, self.partition, batch.len());
        self.outgoing.extend_from_slice(batch);
        self.in_flight.push_back(since);
    }

    /// Sends what the socket takes.
    pub fn flush(&mut self) -> Result<()> {
        while !self.outgoing.is_empty() {
            match self.stream.write(&self.outgoing) {
                Ok(0) => bail!("the server closed a connection that a request is sent over"),
                // Kept as memory for the next request.
                Ok(bytes) if bytes == self.outgoing.len() => self.outgoing.clear(),
                Ok(bytes) => self.outgoing.advance(bytes),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("the server takes no request"),
            }
        }
        Ok(())
    }

    /// Takes what has come, and tells of each answer when its latency began.
    ///
    /// A read that does not fill `scratch` has emptied the socket, so the next answer makes an event of its own.
    pub fn receive(&mut self, scratch: &mut [u8], answered: &mut Vec<Instant>) -> Result<()> {
        loop {
            let bytes = match self.stream.read(scratch) {
                Ok(0) => bail!("the server closed a connection with {} requests in flight", self.in_flight.len()),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("the server does not answer"),
            };
            self.reader.buffer_mut().extend_from_slice(&scratch[..bytes]);
            while let Some(since) = self.answer()? {
                answered.push(since);
            }
            if bytes < scratch.len() {
                return Ok(());
            }
        }
    }

    fn answer(&mut self) -> Result<Option<Instant>> {
        let Some(frame) = self.reader.next_frame()? else { return Ok(None) };
        let correlation = frame.correlation;
        match Response::decode(Api::Produce, frame)? {
            Response::Produced { duplicate: false, .. } => {}
            Response::Error(error) => bail!("a batch was refused: {}", error_text(&error)),
            other => bail!("a batch was answered with {other:?}"),
        }
        let expected = self.correlation + 1 - self.in_flight.len() as u64;
        let since = self.in_flight.pop_front().context("an answer came before a request was sent")?;
        ensure!(correlation == expected, "an answer is numbered {correlation}, not {expected}");
        Ok(Some(since))
    }
}
