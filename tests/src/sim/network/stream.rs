//! One side of a connection.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use florin_net::io::Stream;
use rand::Rng;

use super::Shared;
use super::config::Break;
use super::link::Link;

/// One side of a connection. Dropping it closes it: in order, or with a reset if something was not read.
pub struct SimStream {
    shared: Rc<Shared>,
    link: Rc<Link>,
    side: usize,
}

impl SimStream {
    pub(super) fn new(shared: Rc<Shared>, link: Rc<Link>, side: usize) -> Self {
        Self { shared, link, side }
    }

    /// Closes it with a reset, whatever is on its way.
    pub fn reset(self) {
        let at_ns = self.now_ns() + self.shared.delay_ns();
        self.link.go_deaf(self.side);
        self.link.reset(1 - self.side, at_ns, &self.shared.executor);
    }

    fn now_ns(&self) -> u64 {
        self.shared.executor.now_ns()
    }

    /// How much of what is possible is done: any part of it, by chance.
    fn part(&self, bytes: usize) -> usize {
        if bytes > 1 && self.shared.happens(|faults| faults.part_ppm) {
            self.shared.count(|counters| counters.part_count += 1);
            return self.shared.draw(|random| random.random_range(1..=bytes));
        }
        bytes
    }

    fn poll_read(
        &self,
        context: &Context<'_>,
        into: &mut BytesMut,
        bytes_max: Option<usize>,
    ) -> Poll<io::Result<usize>> {
        let now_ns = self.now_ns();
        if self.link.is_reset(self.side, now_ns) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let mut pipe = self.link.pipe(1 - self.side);
        if pipe.arrive(now_ns) {
            let bytes = self.part(pipe.arrived_bytes().min(bytes_max.unwrap_or(usize::MAX).max(1)));
            pipe.take(bytes, into);
            return Poll::Ready(Ok(bytes));
        }
        if self.link.is_deaf(self.side) || pipe.is_at_end(now_ns) {
            return Poll::Ready(Ok(0));
        }
        pipe.wait_to_read(context.waker(), &self.shared.executor);
        self.link.wake_when_reset(self.side, context.waker(), &self.shared.executor);
        Poll::Pending
    }

    fn poll_write(&self, context: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let now_ns = self.now_ns();
        if self.link.is_reset(self.side, now_ns) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let room_bytes = {
            let mut pipe = self.link.pipe(self.side);
            if pipe.has_ended() {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let room_bytes = pipe.room_bytes();
            if room_bytes == 0 {
                pipe.wait_to_write(context.waker());
                self.link.wake_when_reset(self.side, context.waker(), &self.shared.executor);
                self.shared.count(|counters| counters.full_count += 1);
                return Poll::Pending;
            }
            room_bytes
        };
        let taken = self.part(bytes.len().min(room_bytes));
        self.shared.count(|counters| counters.sent_bytes += taken as u64);
        self.send(&bytes[..taken], now_ns);
        Poll::Ready(Ok(taken))
    }

    /// Puts bytes on their way, as far as the connection's fate lets them.
    fn send(&self, bytes: &[u8], now_ns: u64) {
        let executor = &self.shared.executor;
        let arrives_ns = now_ns + self.shared.segment_delay_ns();
        if self.link.is_deaf(1 - self.side) && !self.link.is_dead(1 - self.side) {
            self.link.reset(self.side, arrives_ns + self.shared.delay_ns(), executor);
            return;
        }
        let mut pipe = self.link.pipe(self.side);
        let end_byte = pipe.sent_bytes + bytes.len() as u64;
        let Some(fate) = pipe.fate.filter(|fate| fate.at_byte < end_byte) else {
            return pipe.send(bytes, arrives_ns, executor);
        };
        pipe.fate = None;
        let kept = usize::try_from(fate.at_byte.saturating_sub(pipe.sent_bytes)).expect("a part of what is sent");
        pipe.send(&bytes[..kept], arrives_ns, executor);
        if fate.how != Break::End {
            // Whatever follows would leave a gap in what arrives.
            pipe.is_silent = true;
            pipe.send(&bytes[kept..], arrives_ns, executor);
        }
        drop(pipe);
        self.break_off(fate.how, arrives_ns);
    }

    fn break_off(&self, how: Break, at_ns: u64) {
        let executor = &self.shared.executor;
        match how {
            Break::Reset => {
                self.shared.count(|counters| counters.reset_count += 1);
                [0, 1].into_iter().for_each(|side| self.link.reset(side, at_ns, executor));
            }
            Break::End => {
                self.shared.count(|counters| counters.end_count += 1);
                [0, 1].into_iter().for_each(|side| self.link.pipe(side).end(at_ns, executor));
            }
            Break::Silence => {
                self.shared.count(|counters| counters.silence_count += 1);
                self.link.pipe(1 - self.side).is_silent = true;
            }
        }
    }
}

impl Stream for SimStream {
    async fn read(&self, into: &mut BytesMut, expected_bytes: Option<usize>) -> io::Result<usize> {
        poll_fn(|context| self.poll_read(context, into, expected_bytes)).await
    }

    async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!bytes.is_empty(), "who writes has something to write");
        poll_fn(|context| self.poll_write(context, bytes)).await
    }

    fn end_sending(&self) {
        if !self.link.is_dead(self.side) {
            let arrives_ns = self.now_ns() + self.shared.delay_ns();
            self.link.pipe(self.side).end(arrives_ns, &self.shared.executor);
        }
    }

    fn shut_down(&self) {
        if !self.link.is_dead(self.side) {
            self.end_sending();
            self.link.go_deaf(self.side);
            self.link.pipe(1 - self.side).wake_reader(self.now_ns(), &self.shared.executor);
        }
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        if self.link.is_dead(self.side) {
            return;
        }
        let has_unread = self.link.pipe(1 - self.side).has_unread();
        if has_unread {
            let at_ns = self.now_ns() + self.shared.delay_ns();
            self.link.reset(1 - self.side, at_ns, &self.shared.executor);
        } else {
            self.end_sending();
        }
        self.link.go_deaf(self.side);
        self.link.pipe(1 - self.side).wake_writer();
    }
}
