//! The reader of a connection: takes frames off the stream, and stops reading while too much is under way.

use std::convert::Infallible;
use std::io;
use std::pin::pin;

use bytes::BytesMut;
use florin_engine::model::Monotonic;
use futures_util::future::{Either, select};

use super::rhythm::Rhythm;
use super::{Connection, Phase};
use crate::io::{Network, Stream, take_turns};
use crate::limits::REQUEST_BYTES_MAX;
use crate::protocol::{Frame, FrameError, FrameReader};

/// What a connection's buffer begins with.
const BUFFER_BYTES: usize = 8 * 1024;
/// What an empty buffer may hold on to while nothing comes.
const KEPT_BYTES_MAX: usize = 64 * 1024;
/// A connection that has to wait for room is read from as long as less than this lies unread, so as to notice that its
/// client is gone. Whatever it has under way would otherwise be kept for nobody.
const PAUSED_BYTES_MAX: usize = 64 * 1024;

/// Frames that one connection has carried out before the others have their turn.
const FRAMES_PER_TURN: u32 = 32;

/// How reading ended.
#[derive(Debug)]
pub enum ReadEnd {
    /// The client closed its side, or the connection was closed here.
    Closed,
    /// The stream cannot be cut into frames.
    Malformed(FrameError),
    /// The network failed.
    Failed(io::Error),
}

/// Whoever takes the frames.
pub trait FrameSink {
    /// Whether the connection may have more under way.
    fn has_room(&self) -> bool;

    /// Bytes were received.
    fn received(&self, bytes: usize);

    /// So many bytes lay in the connection's buffer, and now so many do.
    fn buffered(&self, before: usize, after: usize);

    /// The connection has to wait for room.
    fn paused(&self);

    /// The client sends nothing more, and what it has under way must end for what it has sent to have room.
    fn client_ended(&self);

    /// Takes a frame that was there in full at `now`.
    fn take(&self, frame: Frame, now: Monotonic);
}

/// What lies in a connection's buffer, as all connections together know it. It counts against everybody's room, but not
/// against the connection's own: a frame must be able to come in whole before it can be carried out.
struct Buffered<'a, S: FrameSink> {
    sink: &'a S,
    bytes: usize,
}

impl<S: FrameSink> Buffered<'_, S> {
    fn note(&mut self, bytes: usize) {
        self.sink.buffered(self.bytes, bytes);
        self.bytes = bytes;
    }
}

impl<S: FrameSink> Drop for Buffered<'_, S> {
    fn drop(&mut self) {
        self.sink.buffered(self.bytes, 0);
    }
}

/// The reader of one connection.
struct Reading<'a, N: Network, S: FrameSink> {
    network: &'a N,
    connection: &'a Connection<N::Stream>,
    sink: &'a S,
    reader: FrameReader,
    buffered: Buffered<'a, S>,
    client_ended: bool,
    rhythm: Rhythm,
    /// Received since nothing was buffered.
    burst_bytes: usize,
}

/// Reads until the connection ends. Returns what ended it.
pub async fn read_requests<N: Network>(
    network: &N,
    connection: &Connection<N::Stream>,
    sink: &impl FrameSink,
) -> ReadEnd {
    let mut reader = FrameReader::new(REQUEST_BYTES_MAX);
    *reader.buffer_mut() = BytesMut::with_capacity(BUFFER_BYTES);
    let buffered = Buffered { sink, bytes: 0 };
    let reading = Reading {
        network,
        connection,
        sink,
        reader,
        buffered,
        client_ended: false,
        rhythm: Rhythm::default(),
        burst_bytes: 0,
    };
    match reading.run().await {
        Err(end) => end,
    }
}

impl<N: Network, S: FrameSink> Reading<'_, N, S> {
    async fn run(mut self) -> Result<Infallible, ReadEnd> {
        loop {
            let under_way = self.connection.request_count();
            let frame_count = self.take_frames().await?;
            if self.client_ended {
                return Err(ReadEnd::Closed);
            }
            take_turns().await;
            let mut expected_bytes = None;
            if frame_count > 0 {
                let burst_bytes = std::mem::take(&mut self.burst_bytes);
                expected_bytes = (self.reader.buffered_bytes() == 0).then_some(burst_bytes);
                self.rhythm.came(under_way, frame_count);
                self.wait_for_answers().await?;
            }
            self.tidy_buffer();
            self.burst_bytes += self.read(expected_bytes).await?;
        }
    }

    /// Hands over all whole frames, and waits for room where there is none. Returns how many frames there were.
    async fn take_frames(&mut self) -> Result<u32, ReadEnd> {
        let (mut frame_count, mut frames_in_turn) = (0, 0);
        loop {
            self.buffered.note(self.reader.buffered_bytes());
            if frames_in_turn == FRAMES_PER_TURN {
                frames_in_turn = 0;
                take_turns().await;
            }
            if self.connection.phase() != Phase::Open {
                return Err(ReadEnd::Closed);
            }
            if !self.sink.has_room() {
                self.wait_for_room().await?;
                continue;
            }
            match self.reader.next_frame() {
                Ok(Some(frame)) => {
                    frames_in_turn += 1;
                    frame_count += 1;
                    self.buffered.note(self.reader.buffered_bytes());
                    self.connection.frame_since.set(None);
                    let now = self.network.monotonic();
                    self.connection.active_at.set(now);
                    self.sink.take(frame, now);
                }
                Ok(None) => return Ok(frame_count),
                Err(error) => return Err(ReadEnd::Malformed(error)),
            }
        }
    }

    /// Waits until there may be room, and reads a little on meanwhile.
    async fn wait_for_room(&mut self) -> Result<(), ReadEnd> {
        let connection = self.connection;
        self.sink.paused();
        connection.frame_since.set(None);
        if self.client_ended {
            self.sink.client_ended();
        }
        let room = connection.has_room.happened();
        if self.client_ended || self.reader.buffered_bytes() >= PAUSED_BYTES_MAX {
            room.await;
            return Ok(());
        }
        match select(pin!(room), pin!(connection.stream.read(self.reader.buffer_mut(), None))).await {
            Either::Left(_) => {}
            Either::Right((Ok(0), _)) => self.client_ended = true,
            Either::Right((Ok(bytes), _)) => self.sink.received(bytes),
            Either::Right((Err(error), _)) => return Err(ReadEnd::Failed(error)),
        }
        Ok(())
    }

    /// Waits for the answers of a client that sends nothing before it has them, unless they may take as long as data
    /// does to come.
    async fn wait_for_answers(&mut self) -> Result<(), ReadEnd> {
        let connection = self.connection;
        let is_answered_soon = connection.request_count() > 0 && connection.polls().borrow().is_empty();
        if is_answered_soon && self.rhythm.waits_for_answers() {
            connection.answered().await;
            // Behind the answers of all others that the same block made durable.
            take_turns().await;
            if connection.phase() != Phase::Open {
                return Err(ReadEnd::Closed);
            }
        }
        Ok(())
    }

    /// Lets go of a large buffer that is empty, and notes since when the rest of a frame is waited for.
    fn tidy_buffer(&mut self) {
        let buffer = self.reader.buffer_mut();
        if buffer.is_empty() && buffer.capacity() > KEPT_BYTES_MAX {
            *buffer = BytesMut::with_capacity(BUFFER_BYTES);
        }
        let waits_for_rest = self.reader.buffered_bytes() > 0 || !self.connection.has_negotiated();
        if !waits_for_rest {
            self.connection.frame_since.set(None);
        } else if self.connection.frame_since.get().is_none() {
            self.connection.frame_since.set(Some(self.network.monotonic()));
        }
    }

    async fn read(&mut self, expected_bytes: Option<usize>) -> Result<usize, ReadEnd> {
        match self.connection.stream.read(self.reader.buffer_mut(), expected_bytes).await {
            Ok(0) => Err(ReadEnd::Closed),
            Ok(bytes) => {
                self.sink.received(bytes);
                Ok(bytes)
            }
            Err(error) => Err(ReadEnd::Failed(error)),
        }
    }
}
