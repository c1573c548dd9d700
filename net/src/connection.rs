//! One connection: what is under way for it, what waits to be sent, and how long it may take for anything.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::net::SocketAddr;

use bytes::BytesMut;
use florin_engine::model::{Monotonic, RequestId, ShardId};
use florin_engine::shard::Fetched;

use crate::io::Stream;

mod event;
mod outgoing;
mod read;
mod rhythm;
mod write;

pub use event::Event;
pub use outgoing::{Outgoing, OutgoingQueue};
pub use read::{FrameSink, ReadEnd, read_requests};
pub use write::send_responses;

/// A connection's place in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Requests are read.
    Open,
    /// Nothing is read any more; what waits to be sent is sent, then it ends.
    Closing,
    /// The same, but the client may go on sending for a moment.
    Finishing,
    /// Nothing is sent any more either.
    Gone,
}

/// How long a connection may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Without a frame and without anything to answer.
    pub idle_ns: u64,
    /// For a frame to be there in full, and for a new connection to negotiate.
    pub frame_ns: u64,
    /// Without taking anything of what is sent.
    pub send_ns: u64,
}

/// What a connection is closed for by the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// Nothing happened.
    Idle,
    /// A frame or the negotiation did not come.
    Frame,
    /// The client takes nothing.
    Send,
}

/// One connection. Its reader and its writer are tasks that share it.
pub struct Connection<S> {
    stream: S,
    /// The shard whose port it came to.
    pub shard: ShardId,
    /// Who it is from.
    pub peer: SocketAddr,
    phase: Cell<Phase>,
    negotiated: Cell<bool>,
    outgoing: RefCell<OutgoingQueue>,
    to_send: Event,
    has_room: Event,
    request_count: Cell<usize>,
    request_bytes: Cell<usize>,
    queued_bytes: Cell<usize>,
    polls: RefCell<BTreeSet<RequestId>>,
    forward_count: Cell<usize>,
    /// When the last frame came, or the last answer left.
    active_at: Cell<Monotonic>,
    /// When the first byte of the frame that is coming in was there; of a new connection, when it came.
    frame_since: Cell<Option<Monotonic>>,
    /// Since when nothing of what waits is taken.
    send_since: Cell<Option<Monotonic>>,
}

impl<S: Stream> Connection<S> {
    /// A connection that was just accepted.
    pub fn new(stream: S, shard: ShardId, peer: SocketAddr, now: Monotonic) -> Self {
        Self {
            stream,
            shard,
            peer,
            phase: Cell::new(Phase::Open),
            negotiated: Cell::new(false),
            outgoing: RefCell::default(),
            to_send: Event::default(),
            has_room: Event::default(),
            request_count: Cell::new(0),
            request_bytes: Cell::new(0),
            queued_bytes: Cell::new(0),
            polls: RefCell::default(),
            forward_count: Cell::new(0),
            active_at: Cell::new(now),
            frame_since: Cell::new(Some(now)),
            send_since: Cell::new(None),
        }
    }

    /// Where it is in its life.
    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Whether it has negotiated.
    pub fn has_negotiated(&self) -> bool {
        self.negotiated.get()
    }

    /// It has negotiated.
    pub fn set_negotiated(&self) {
        self.negotiated.set(true);
    }

    /// Reads nothing more, sends what waits, and ends.
    pub fn close(&self) {
        if self.phase.get() == Phase::Open {
            self.phase.set(Phase::Closing);
        }
        self.to_send.notify();
        self.has_room.notify();
    }

    /// Ends at once; what waits is not sent.
    pub fn abort(&self) {
        self.phase.set(Phase::Gone);
        self.stream.shut_down();
        self.to_send.notify();
        self.has_room.notify();
    }

    /// Returns when no request is under way any more, or the connection is gone.
    pub async fn answered(&self) {
        while self.request_count.get() > 0 && self.phase.get() != Phase::Gone {
            self.has_room.happened().await;
        }
    }

    /// Sends what waits, and then nothing more; what the client still sends can be read.
    pub fn finish_sending(&self) {
        self.phase.set(match self.phase.get() {
            Phase::Gone => Phase::Gone,
            Phase::Open | Phase::Closing | Phase::Finishing => Phase::Finishing,
        });
        self.to_send.notify();
        self.has_room.notify();
    }

    /// The socket, for whoever reads on although nobody wants what comes.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// Says that nothing more is sent, once everything was.
    pub fn end_sending(&self) {
        self.stream.end_sending();
    }

    /// Ends both directions, once everything was sent.
    pub fn hang_up(&self) {
        self.stream.shut_down();
    }

    /// Lets a reader that waits for room look again.
    pub fn look_for_room(&self) {
        self.has_room.notify();
    }

    /// Appends a frame to what is sent; returns its bytes. Nothing is kept for a connection that is gone.
    pub fn push_frames(&self, encode: impl FnOnce(&mut BytesMut)) -> usize {
        if self.phase.get() == Phase::Gone {
            return 0;
        }
        let bytes = self.outgoing.borrow_mut().push_frames(encode);
        self.queued(bytes);
        bytes
    }

    /// Appends a fetch's answer to what is sent; returns its bytes.
    pub fn push_fetched(&self, correlation: u64, fetched: Fetched) -> usize {
        if self.phase.get() == Phase::Gone {
            return 0;
        }
        let bytes = self.outgoing.borrow_mut().push_fetched(correlation, fetched);
        self.queued(bytes);
        bytes
    }

    fn queued(&self, bytes: usize) {
        self.queued_bytes.set(self.queued_bytes.get() + bytes);
        self.to_send.notify();
    }

    /// Notes a request that was taken on.
    pub fn begin_request(&self, bytes: usize) {
        self.request_count.set(self.request_count.get() + 1);
        self.request_bytes.set(self.request_bytes.get() + bytes);
    }

    /// Counts more bytes for a request that was taken on.
    pub fn charge_request(&self, bytes: usize) {
        self.request_bytes.set(self.request_bytes.get() + bytes);
    }

    /// Counts a request that was taken on as so many more.
    pub fn charge_parts(&self, count: usize) {
        self.request_count.set(self.request_count.get() + count);
    }

    /// Notes that a request was answered, which counts for as many.
    pub fn end_request(&self, count: usize, bytes: usize, now: Monotonic) {
        self.request_count.set(self.request_count.get() - count);
        self.request_bytes.set(self.request_bytes.get() - bytes);
        self.active_at.set(now);
        self.has_room.notify();
        if self.phase.get() != Phase::Open {
            self.to_send.notify();
        }
    }

    /// Requests under way.
    pub fn request_count(&self) -> usize {
        self.request_count.get()
    }

    /// Bytes of requests under way and of what waits to be sent.
    pub fn held_bytes(&self) -> usize {
        self.request_bytes.get() + self.queued_bytes.get()
    }

    /// Requests that other executors have.
    pub fn forward_count(&self) -> &Cell<usize> {
        &self.forward_count
    }

    /// Fetches that wait for data.
    pub fn polls(&self) -> &RefCell<BTreeSet<RequestId>> {
        &self.polls
    }

    /// Why it is to be closed now, if it is.
    pub fn lapse(&self, now: Monotonic, patience: &Patience) -> Option<Lapse> {
        let over = |since: Monotonic, limit_ns: u64| now.0.saturating_sub(since.0) > limit_ns;
        if self.send_since.get().is_some_and(|since| over(since, patience.send_ns)) {
            Some(Lapse::Send)
        } else if self.phase.get() == Phase::Open
            && self.frame_since.get().is_some_and(|since| over(since, patience.frame_ns))
        {
            Some(Lapse::Frame)
        } else if self.request_count.get() == 0
            && self.queued_bytes.get() == 0
            && over(self.active_at.get(), patience.idle_ns)
        {
            Some(Lapse::Idle)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests;
