//! One direction of a connection.

use std::collections::VecDeque;
use std::task::Waker;

use bytes::BytesMut;

use super::config::Fate;
use crate::sim::executor::SimHandle;

/// Bytes on their way.
struct Segment {
    arrives_ns: u64,
    bytes: BytesMut,
}

/// One direction: bytes on their way, bytes that have arrived, and who waits.
pub(super) struct Pipe {
    in_flight: VecDeque<Segment>,
    arrived: BytesMut,
    held_bytes: usize,
    window_bytes: usize,
    /// Bytes taken so far.
    pub(super) sent_bytes: u64,
    pub(super) fate: Option<Fate>,
    /// The last segment, or the end, arrives then.
    last_ns: u64,
    /// The sending direction has ended; the reader hears of it then.
    ended_ns: Option<u64>,
    /// Nothing that is sent arrives any more.
    pub(super) is_silent: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// The reader is woken then already.
    woken_at_ns: u64,
}

impl Pipe {
    pub(super) fn new(window_bytes: usize, fate: Option<Fate>) -> Self {
        Self {
            in_flight: VecDeque::new(),
            arrived: BytesMut::new(),
            held_bytes: 0,
            window_bytes,
            sent_bytes: 0,
            fate,
            last_ns: 0,
            ended_ns: None,
            is_silent: false,
            reader: None,
            writer: None,
            woken_at_ns: 0,
        }
    }

    /// Bytes that the writer may still send.
    pub(super) fn room_bytes(&self) -> usize {
        self.window_bytes.saturating_sub(self.held_bytes)
    }

    /// Whether something was sent that nobody has read.
    pub(super) fn has_unread(&self) -> bool {
        self.held_bytes > 0
    }

    /// Whether the sending direction has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.ended_ns.is_some()
    }

    /// Puts bytes on their way, behind all before them. On a silent connection they fill the window all the same.
    pub(super) fn send(&mut self, bytes: &[u8], arrives_ns: u64, executor: &SimHandle) {
        self.sent_bytes += bytes.len() as u64;
        self.held_bytes += bytes.len();
        if self.is_silent || bytes.is_empty() {
            return;
        }
        self.last_ns = self.last_ns.max(arrives_ns);
        self.in_flight.push_back(Segment { arrives_ns: self.last_ns, bytes: BytesMut::from(bytes) });
        self.wake_reader_when_due(executor);
    }

    /// Ends the direction, behind all that was sent.
    pub(super) fn end(&mut self, arrives_ns: u64, executor: &SimHandle) {
        if self.ended_ns.is_none() {
            self.last_ns = self.last_ns.max(arrives_ns);
            self.ended_ns = Some(self.last_ns);
        }
        if !self.is_silent {
            self.wake_reader_when_due(executor);
        }
        self.wake_writer();
    }

    /// Nothing that is on its way arrives.
    pub(super) fn fall_silent(&mut self) {
        self.is_silent = true;
        self.in_flight.clear();
        self.ended_ns = None;
    }

    /// Takes in what has arrived by now; whether there is something to read.
    pub(super) fn arrive(&mut self, now_ns: u64) -> bool {
        while self.in_flight.front().is_some_and(|segment| segment.arrives_ns <= now_ns) {
            let segment = self.in_flight.pop_front().expect("it was looked at");
            if self.arrived.is_empty() {
                self.arrived = segment.bytes;
            } else {
                self.arrived.extend_from_slice(&segment.bytes);
            }
        }
        !self.arrived.is_empty()
    }

    /// Bytes that have arrived and were not read.
    pub(super) fn arrived_bytes(&self) -> usize {
        self.arrived.len()
    }

    /// Whether the reader has heard of the end.
    pub(super) fn is_at_end(&self, now_ns: u64) -> bool {
        self.in_flight.is_empty() && self.ended_ns.is_some_and(|ended_ns| ended_ns <= now_ns)
    }

    /// Hands out bytes that have arrived.
    pub(super) fn take(&mut self, bytes: usize, into: &mut BytesMut) {
        into.extend_from_slice(&self.arrived.split_to(bytes));
        self.held_bytes -= bytes;
        self.wake_writer();
    }

    /// The reader waits: it is woken when the next segment or the end is there, or when something happens.
    pub(super) fn wait_to_read(&mut self, waker: &Waker, executor: &SimHandle) {
        let is_known = self.reader.as_ref().is_some_and(|reader| reader.will_wake(waker));
        if !is_known {
            self.reader = Some(waker.clone());
            self.woken_at_ns = 0;
        }
        self.wake_reader_when_due(executor);
    }

    /// The writer waits for room.
    pub(super) fn wait_to_write(&mut self, waker: &Waker) {
        self.writer = Some(waker.clone());
    }

    fn wake_reader_when_due(&mut self, executor: &SimHandle) {
        let due_ns = self.in_flight.front().map(|segment| segment.arrives_ns).or(self.ended_ns);
        if let (Some(due_ns), Some(reader)) = (due_ns, &self.reader)
            && due_ns != self.woken_at_ns
        {
            self.woken_at_ns = due_ns;
            executor.wake_at(due_ns, reader.clone());
        }
    }

    /// Wakes whoever waits for bytes, now or at an instant.
    pub(super) fn wake_reader(&mut self, at_ns: u64, executor: &SimHandle) {
        if let Some(reader) = self.reader.clone() {
            executor.wake_at(at_ns, reader);
        }
    }

    /// Wakes whoever waits for room.
    pub(super) fn wake_writer(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }

    /// Wakes whoever waits for room, later.
    pub(super) fn wake_writer_at(&mut self, at_ns: u64, executor: &SimHandle) {
        if let Some(writer) = self.writer.clone() {
            executor.wake_at(at_ns, writer);
        }
    }
}
