//! One connection that reads: of each of its lanes a fetch is in flight, which waits where nothing has come yet.
//!
//! Everything that is read is checked as a consumer would: the checksum of each batch, every record, and that each
//! batch begins where the one before ended. Behind an answer that is as large as was asked for there is more: it is
//! asked for before the answer is decoded, as the client library reads ahead of who consumes.

#![allow(clippy::disallowed_methods, reason = "a bench measures with the host's clock")]

use std::io::{ErrorKind, Read};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use bytes::BytesMut;
use florin_engine::format::batch::{self, Compression, RecordWalk};
use florin_engine::limits::BATCH_BYTES_MAX;
use florin_engine::model::{Offset, PartitionId, Realtime};
use florin_engine::partition::Isolation;
use florin_net::limits::RESPONSE_BYTES_MAX;
use florin_net::protocol::{Api, FetchResponse, FetchedBatch, FrameReader, Request, RequestFrom, Response};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::connection::send;
use super::control::{Control, error_text};

/// How long the server waits for something new before it answers with nothing; then it is asked again.
const WAIT_MS: u32 = 10_000;

/// A part of a partition: whole batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Of which partition.
    pub partition: PartitionId,
    /// Where its first batch begins.
    pub from: Offset,
    /// Behind its last record; `None`: it has no end, what comes is waited for.
    pub to: Option<Offset>,
}

/// What a lane does behind its last stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtEnd {
    /// It has read everything.
    Stop,
    /// It begins with its first one again.
    Again,
}

/// Stretches that are read one after the other, with one fetch in flight.
#[derive(Clone, Debug)]
pub struct LanePlan {
    /// At least one.
    pub stretches: Vec<Stretch>,
    /// And then.
    pub at_end: AtEnd,
}

/// What a connection reads.
#[derive(Clone, Debug)]
pub struct ReaderPlan {
    /// Host and port of the shard that has all of it.
    pub address: String,
    /// All at the same time.
    pub lanes: Vec<LanePlan>,
    /// Bytes of batches that a fetch asks for at most.
    pub fetch_bytes: u32,
}

/// A batch that was read and found right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Of which partition.
    pub partition: PartitionId,
    /// Offset of its first record.
    pub base_offset: Offset,
    /// How many it has.
    pub record_count: u32,
    /// When the server appended it.
    pub append_time: Realtime,
    /// Bytes of the values of its records.
    pub value_bytes: usize,
    /// Its own bytes.
    pub batch_bytes: usize,
    /// Its checksum.
    pub crc: u32,
    /// When all its records had been decoded.
    pub at: Instant,
}

/// Who takes what is read.
pub trait Deliveries {
    /// A batch, in the order of its partition.
    fn delivered(&mut self, delivered: &Delivered) -> Result<()>;

    /// The answer to a fetch that was sent at `asked` had been decoded in full at `at`, and had batches.
    fn fetched(&mut self, asked: Instant, at: Instant);
}

/// A socket that never blocks, and what is read over it.
#[derive(Debug)]
pub struct Reader {
    stream: TcpStream,
    frames: FrameReader,
    outgoing: BytesMut,
    lanes: Vec<Lane>,
    fetch_bytes: u32,
}

#[derive(Debug)]
struct Lane {
    plan: LanePlan,
    /// The stretch that is read.
    at: usize,
    next: Offset,
    /// Whether its first fetch was sent.
    has_begun: bool,
    /// When the fetch in flight was asked for.
    asked: Option<Instant>,
}

impl Reader {
    /// Connects, negotiates, and registers for events. [`Reader::begin`] asks for the first batches.
    pub fn connect(plan: &ReaderPlan, registry: &Registry, token: Token) -> Result<Self> {
        let stream = Control::connect(&plan.address)?.into_stream()?;
        stream.set_nonblocking(true).context("a socket cannot be made non-blocking")?;
        let mut stream = TcpStream::from_std(stream);
        let interests = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut stream, token, interests).context("a socket cannot be watched")?;
        let lanes = plan.lanes.iter().map(Lane::new).collect();
        let frames = FrameReader::new(RESPONSE_BYTES_MAX);
        Ok(Self { stream, frames, outgoing: BytesMut::new(), lanes, fetch_bytes: plan.fetch_bytes })
    }

    /// Sends the first fetch of each lane, unless that was done.
    pub fn begin(&mut self) -> Result<()> {
        for number in 0..self.lanes.len() {
            if !std::mem::replace(&mut self.lanes[number].has_begun, true) {
                self.ask(number);
            }
        }
        self.flush()
    }

    /// Takes what the socket has, and asks for what follows. Says how many batches there were.
    pub fn receive(&mut self, scratch: &mut [u8], deliveries: &mut impl Deliveries) -> Result<usize> {
        let mut batch_count = 0;
        loop {
            let bytes = match self.stream.read(scratch) {
                Ok(0) => bail!("the server closed a connection that is read from"),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(batch_count),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("the server does not answer a fetch"),
            };
            self.frames.buffer_mut().extend_from_slice(&scratch[..bytes]);
            while let Some(frame) = self.frames.next_frame()? {
                let correlation = frame.correlation;
                batch_count += self.answered(correlation, Response::decode(Api::Fetch, frame)?, deliveries)?;
            }
            self.flush()?;
            if bytes < scratch.len() {
                return Ok(batch_count);
            }
            // A large answer grows in steps otherwise, and is copied with each.
            let missing = self.frames.missing_bytes();
            self.frames.buffer_mut().reserve(missing);
        }
    }

    /// Sends what the socket takes.
    pub fn flush(&mut self) -> Result<()> {
        send(&mut self.stream, &mut self.outgoing)
    }

    /// Asks for what a lane has to read next.
    fn ask(&mut self, number: usize) {
        self.ask_from(number, self.lanes[number].next);
    }

    /// A lane has one fetch in flight, so its place tells answers apart.
    fn ask_from(&mut self, number: usize, from: Offset) {
        let lane = &mut self.lanes[number];
        let from = RequestFrom::Offset(from);
        let (partition, isolation) = (lane.stretch().partition, Isolation::Uncommitted);
        let bytes_max = self.fetch_bytes;
        let request = Request::Fetch { partition, from, bytes_max, wait_ms: WAIT_MS, isolation };
        request.encode(number as u64 + 1, &mut self.outgoing);
        lane.asked = Some(Instant::now());
    }

    /// How many batches it had.
    fn answered(&mut self, correlation: u64, response: Response, deliveries: &mut impl Deliveries) -> Result<usize> {
        let fetched = match response {
            Response::Fetched(fetched) => fetched,
            Response::Error(error) => bail!("a fetch was refused: {}", error_text(&error)),
            other => bail!("a fetch was answered with {other:?}"),
        };
        let unasked = || format!("the server answered fetch {correlation}, which was not asked");
        let number = usize::try_from(correlation.wrapping_sub(1))?;
        let lane = self.lanes.get_mut(number).with_context(unasked)?;
        let asked = lane.asked.take().with_context(unasked)?;
        let batch_count = fetched.batches.len();
        let ahead = lane.next_behind(&fetched, self.fetch_bytes);
        if let Some(from) = ahead {
            self.ask_from(number, from);
            self.flush()?;
        }
        let lane = &mut self.lanes[number];
        lane.take(fetched, deliveries)?;
        if batch_count > 0 {
            deliveries.fetched(asked, Instant::now());
        }
        match ahead {
            Some(from) => ensure!(lane.next == from, "an answer ends at offset {}, and not at {from}", lane.next),
            None if lane.goes_on() => self.ask(number),
            None => {}
        }
        Ok(batch_count)
    }
}

impl Lane {
    fn new(plan: &LanePlan) -> Self {
        Self { next: plan.stretches[0].from, plan: plan.clone(), at: 0, has_begun: false, asked: None }
    }

    fn stretch(&self) -> Stretch {
        self.plan.stretches[self.at]
    }

    /// Where the stretch goes on behind an answer that has not been looked into, if it surely does: half of what was asked
    /// for came.
    fn next_behind(&self, fetched: &FetchResponse, fetch_bytes: u32) -> Option<Offset> {
        let bytes: usize = fetched.batches.iter().map(|batch| batch.bytes.len()).sum();
        let last = batch::last_offset(&fetched.batches.last()?.bytes).ok()?;
        let behind = Offset(last.0.checked_add(1)?);
        let goes_on = self.stretch().to.is_none_or(|to| behind < to);
        (goes_on && 2 * bytes as u64 >= u64::from(fetch_bytes)).then_some(behind)
    }

    fn take(&mut self, fetched: FetchResponse, deliveries: &mut impl Deliveries) -> Result<()> {
        let Stretch { partition, to, .. } = self.stretch();
        for batch in fetched.batches {
            if to == Some(self.next) {
                // The server sent more than was wanted.
                break;
            }
            let place = || format!("partition {partition}, offset {}", self.next);
            let delivered = check(partition, self.next, &batch).with_context(place)?;
            self.next = self.next.plus(u64::from(delivered.record_count));
            let is_inside = to.is_none_or(|to| self.next <= to);
            ensure!(is_inside, "partition {partition}: a batch ends at {}, behind what is to be read", self.next);
            deliveries.delivered(&delivered)?;
        }
        let end = fetched.high_watermark;
        ensure!(
            self.next <= end,
            "partition {partition}: offset {} was read, which is behind its end {end}",
            self.next
        );
        Ok(())
    }

    /// Moves to the next stretch if this one is read, and says whether there is something to ask for.
    fn goes_on(&mut self) -> bool {
        if self.stretch().to != Some(self.next) {
            return true;
        }
        self.at += 1;
        if self.at == self.plan.stretches.len() {
            if self.plan.at_end == AtEnd::Stop {
                self.at -= 1;
                return false;
            }
            self.at = 0;
        }
        self.next = self.stretch().from;
        true
    }
}

/// Whether a batch is whole, its records are right, and it is the one that is next.
fn check(partition: PartitionId, next: Offset, fetched: &FetchedBatch) -> Result<Delivered> {
    let info = batch::validate(&fetched.bytes, BATCH_BYTES_MAX)?;
    ensure!(info.compression == Compression::None, "the batch is compressed, and none was sent so");
    let base_offset = batch::base_offset(&fetched.bytes)?;
    ensure!(
        base_offset == next && fetched.base_offset == next,
        "the batch begins at offset {base_offset}, and at {} by the table of the answer",
        fetched.base_offset
    );
    let mut value_bytes = 0;
    for record in RecordWalk::new(&fetched.bytes)? {
        value_bytes += record?.value.map_or(0, <[u8]>::len);
    }
    Ok(Delivered {
        partition,
        base_offset,
        record_count: info.record_count,
        append_time: fetched.append_time,
        value_bytes,
        batch_bytes: fetched.bytes.len(),
        crc: info.crc,
        at: Instant::now(),
    })
}

#[cfg(test)]
mod tests;
