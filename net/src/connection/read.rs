//! The reader of a connection: takes frames off the stream, and stops reading while too much is under way.

use std::io;
use std::pin::pin;

use bytes::BytesMut;
use futures_util::future::{Either, select};

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

    /// Takes a frame.
    fn take(&self, frame: Frame);
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

/// Reads until the connection ends. Returns what ended it.
pub async fn read_requests<N: Network>(
    network: &N,
    connection: &Connection<N::Stream>,
    sink: &impl FrameSink,
) -> ReadEnd {
    let mut reader = FrameReader::new(REQUEST_BYTES_MAX);
    *reader.buffer_mut() = BytesMut::with_capacity(BUFFER_BYTES);
    let mut client_ended = false;
    let mut frames_in_turn = 0;
    let mut buffered = Buffered { sink, bytes: 0 };
    loop {
        loop {
            buffered.note(reader.buffered_bytes());
            if frames_in_turn == FRAMES_PER_TURN {
                frames_in_turn = 0;
                take_turns().await;
            }
            if connection.phase() != Phase::Open {
                return ReadEnd::Closed;
            }
            if !sink.has_room() {
                sink.paused();
                connection.frame_since.set(None);
                if client_ended {
                    sink.client_ended();
                }
                let room = connection.has_room.happened();
                if client_ended || reader.buffered_bytes() >= PAUSED_BYTES_MAX {
                    room.await;
                    continue;
                }
                match select(pin!(room), pin!(connection.stream.read(reader.buffer_mut()))).await {
                    Either::Left(_) => {}
                    Either::Right((Ok(0), _)) => client_ended = true,
                    Either::Right((Ok(bytes), _)) => sink.received(bytes),
                    Either::Right((Err(error), _)) => return ReadEnd::Failed(error),
                }
                continue;
            }
            match reader.next_frame() {
                Ok(Some(frame)) => {
                    frames_in_turn += 1;
                    buffered.note(reader.buffered_bytes());
                    connection.frame_since.set(None);
                    connection.active_at.set(network.now().monotonic);
                    sink.take(frame);
                }
                Ok(None) => break,
                Err(error) => return ReadEnd::Malformed(error),
            }
        }
        if client_ended {
            return ReadEnd::Closed;
        }
        frames_in_turn = 0;
        take_turns().await;
        let buffer = reader.buffer_mut();
        if buffer.is_empty() && buffer.capacity() > KEPT_BYTES_MAX {
            *buffer = BytesMut::with_capacity(BUFFER_BYTES);
        }
        let waits_for_rest = reader.buffered_bytes() > 0 || !connection.has_negotiated();
        if !waits_for_rest {
            connection.frame_since.set(None);
        } else if connection.frame_since.get().is_none() {
            connection.frame_since.set(Some(network.now().monotonic));
        }
        match connection.stream.read(reader.buffer_mut()).await {
            Ok(0) => return ReadEnd::Closed,
            Ok(bytes) => sink.received(bytes),
            Err(error) => return ReadEnd::Failed(error),
        }
    }
}
