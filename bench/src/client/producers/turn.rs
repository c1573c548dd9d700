//! One producer: what it has sent, and what comes next.

use std::io::{ErrorKind, Read};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use bytes::BytesMut;
use florin_engine::format::batch::sequence_plus;
use florin_engine::model::{PartitionId, TransactionKey, TransactionOutcome};
use florin_net::limits::RESPONSE_BYTES_MAX;
use florin_net::protocol::request::put_produce_head;
use florin_net::protocol::{Api, FrameReader, Request, Response};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::{ProducerPlan, ProducersSample};
use crate::client::connection::send;
use crate::client::control::{Control, error_text};
use crate::client::payload::Payloads;
use crate::client::stamp::put_producer;

/// A socket that never blocks, with at most one request in flight.
#[derive(Debug)]
pub(super) struct Producer {
    stream: TcpStream,
    reader: FrameReader,
    outgoing: BytesMut,
    correlation: u64,
    /// What the answer is to.
    asked: Api,
    partition: PartitionId,
    key: TransactionKey,
    is_transactional: bool,
    sequence: u32,
    batches: u32,
    /// Batches of this turn that are stored.
    stored: u32,
    next_batch: usize,
    begun: Instant,
}

impl Producer {
    pub(super) fn connect(plan: &ProducerPlan, registry: &Registry, token: Token) -> Result<Self> {
        let stream = Control::connect(&plan.address)?.into_stream()?;
        stream.set_nonblocking(true).context("a socket cannot be made non-blocking")?;
        let mut stream = TcpStream::from_std(stream);
        let interests = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut stream, token, interests).context("a socket cannot be watched")?;
        let ProducerPlan { partition, key, is_transactional, batches, .. } = *plan;
        Ok(Self {
            stream,
            reader: FrameReader::new(RESPONSE_BYTES_MAX),
            outgoing: BytesMut::new(),
            correlation: 0,
            asked: Api::Produce,
            partition,
            key,
            is_transactional,
            sequence: 0,
            batches,
            stored: 0,
            // Not all send the same bytes.
            next_batch: token.0,
            #[expect(clippy::disallowed_methods, reason = "a bench measures with the host's clock")]
            begun: Instant::now(),
        })
    }

    /// When its turn began.
    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    /// Begins a turn with its first batch.
    pub(super) fn begin(&mut self, payloads: &Payloads, now: Instant) -> Result<()> {
        (self.begun, self.stored) = (now, 0);
        self.push_batch(payloads);
        self.flush()
    }

    /// Sends what the socket takes.
    pub(super) fn flush(&mut self) -> Result<()> {
        send(&mut self.stream, &mut self.outgoing)
    }

    /// Takes what has come and goes on with the turn; whether it is over.
    pub(super) fn receive(
        &mut self,
        scratch: &mut [u8],
        payloads: &Payloads,
        sample: &mut ProducersSample,
    ) -> Result<bool> {
        loop {
            let bytes = match self.stream.read(scratch) {
                Ok(0) => bail!("the server closed the connection of a producer"),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("the server does not answer"),
            };
            self.reader.buffer_mut().extend_from_slice(&scratch[..bytes]);
            if let Some(frame) = self.reader.next_frame()? {
                ensure!(frame.correlation == self.correlation, "the answer is to another request");
                let response = Response::decode(self.asked, frame)?;
                return self.take(response, payloads, sample);
            }
        }
    }

    fn take(&mut self, response: Response, payloads: &Payloads, sample: &mut ProducersSample) -> Result<bool> {
        match response {
            Response::Produced { duplicate: false, .. } => {
                sample.answered_batches += 1;
                self.stored += 1;
                self.sequence = sequence_plus(self.sequence, payloads.record_count());
                match (self.stored < self.batches, self.is_transactional) {
                    (true, _) => self.push_batch(payloads),
                    (false, true) => self.push_end(),
                    (false, false) => return Ok(true),
                }
                Ok(false)
            }
            Response::TransactionEnded { outcome: TransactionOutcome::Committed, next } => {
                sample.committed += 1;
                (self.key, self.sequence) = (next, 0);
                Ok(true)
            }
            Response::Error(error) => bail!("{} was refused: {}", self.asked.name(), error_text(&error)),
            other => bail!("{} was answered with {other:?}", self.asked.name()),
        }
    }

    fn push_batch(&mut self, payloads: &Payloads) {
        let batch = payloads.batch(self.next_batch);
        self.next_batch = self.next_batch.wrapping_add(1);
        self.correlation += 1;
        self.asked = Api::Produce;
        put_produce_head(&mut self.outgoing, self.correlation, self.partition, batch.len());
        let at = self.outgoing.len();
        self.outgoing.extend_from_slice(batch);
        put_producer(&mut self.outgoing[at..], self.key, self.sequence, self.is_transactional);
    }

    fn push_end(&mut self) {
        self.correlation += 1;
        self.asked = Api::EndTransaction;
        let (transaction, outcome) = (self.key, TransactionOutcome::Committed);
        Request::EndTransaction { transaction, outcome }.encode(self.correlation, &mut self.outgoing);
    }
}
