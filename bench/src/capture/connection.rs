//! One connection of the load: exactly one produce request in flight.

use std::io::{ErrorKind, Read, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use bytes::BytesMut;
use florin_engine::model::PartitionId;
use florin_net::limits::RESPONSE_BYTES_MAX;
use florin_net::protocol::request::put_produce_head;
use florin_net::protocol::{Api, FrameReader, Response};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::control::{Control, error_text};
use super::routes::Route;

/// A socket that never blocks, and what is under way on it.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    reader: FrameReader,
    partition: PartitionId,
    correlation: u64,
    request: BytesMut,
    sent_bytes: usize,
    sent_at: Option<Instant>,
}

impl Connection {
    /// Connects, negotiates, and registers for its events.
    pub fn connect(route: &Route, registry: &Registry, token: Token) -> Result<Self> {
        let stream = Control::connect(&route.address)?.into_stream()?;
        stream.set_nonblocking(true).context("a socket cannot be made non-blocking")?;
        let mut stream = TcpStream::from_std(stream);
        let interests = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut stream, token, interests).context("a socket cannot be watched")?;
        Ok(Self {
            stream,
            reader: FrameReader::new(RESPONSE_BYTES_MAX),
            partition: route.partition,
            correlation: 0,
            request: BytesMut::new(),
            sent_bytes: 0,
            sent_at: None,
        })
    }

    /// Sends a batch; its latency begins at `now`.
    ///
    /// # Panics
    /// If the one before is not answered yet: the caller's broken invariant.
    pub fn send(&mut self, batch: &[u8], now: Instant) -> Result<()> {
        assert!(self.sent_at.is_none(), "one request is in flight");
        self.correlation += 1;
        self.request.clear();
        put_produce_head(&mut self.request, self.correlation, self.partition, batch.len());
        self.request.extend_from_slice(batch);
        self.sent_bytes = 0;
        self.sent_at = Some(now);
        self.send_rest()
    }

    /// Sends what the socket did not take yet.
    pub fn send_rest(&mut self) -> Result<()> {
        while self.sent_bytes < self.request.len() {
            match self.stream.write(&self.request[self.sent_bytes..]) {
                Ok(0) => bail!("the server closed a connection that a request is sent over"),
                Ok(bytes) => self.sent_bytes += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("the server takes no request"),
            }
        }
        Ok(())
    }

    /// Takes what has come; gives when the request was sent if its answer is there in full.
    ///
    /// A read that does not fill `scratch` has emptied the socket, so the next answer makes an event of its own.
    pub fn receive(&mut self, scratch: &mut [u8]) -> Result<Option<Instant>> {
        loop {
            let bytes = match self.stream.read(scratch) {
                Ok(0) => bail!("the server closed a connection with a request in flight"),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("the server does not answer"),
            };
            self.reader.buffer_mut().extend_from_slice(&scratch[..bytes]);
            if bytes < scratch.len() {
                return self.answer();
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
        ensure!(correlation == self.correlation, "an answer is numbered {correlation}, not {}", self.correlation);
        ensure!(self.reader.buffered_bytes() == 0, "more came than the one answer");
        let sent_at = self.sent_at.take().context("an answer came before a request was sent")?;
        ensure!(self.sent_bytes == self.request.len(), "an answer came before the request was sent in full");
        Ok(Some(sent_at))
    }
}
