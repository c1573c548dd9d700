//! Large answers leave in pieces, one at a time over all connections of an executor, and between two of them the
//! executor looks at its rings: a capture that comes meanwhile waits for one piece and not for all that readers asked
//! for. While captures come, pieces are small.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use florin_engine::io::Runtime;
use florin_engine::limits::CAPTURES_EXPECTED_NS;
use florin_engine::model::Monotonic;

/// A piece while nobody captures.
pub const PIECE_BYTES_MAX: usize = 128 * 1024;
/// A piece while captures come.
pub const PIECE_BYTES_MIN: usize = 16 * 1024;
/// Timers are looked at with the rings: the shortest sleep ends with the executor's next look.
const NEXT_LOOK_NS: u64 = 1;

/// Whose turn it is to send a piece, in the order in which they asked.
#[derive(Debug, Default)]
pub struct BulkTurns {
    next_ticket: Cell<u64>,
    waiting: RefCell<BTreeMap<u64, Option<Waker>>>,
    captured_at: Cell<Monotonic>,
}

/// One who waits for his turn, or has it.
struct Ticket<'a> {
    turns: &'a BulkTurns,
    number: u64,
}

impl BulkTurns {
    /// Captures were made durable. Those that were refused do not count: whoever sends them keeps no reader waiting.
    pub fn captured(&self, now: Monotonic) {
        self.captured_at.set(now);
    }

    /// Waits for a turn and for the executor's next look at its rings; returns how many bytes may now be sent. The turn
    /// is over then: whoever has to wait for his client keeps nobody else from sending.
    pub async fn next<R: Runtime>(&self, runtime: &R) -> usize {
        let ticket = self.ticket();
        ticket.turn().await;
        runtime.sleep(NEXT_LOOK_NS).await;
        self.piece_bytes(runtime.monotonic())
    }

    fn piece_bytes(&self, now: Monotonic) -> usize {
        let since_ns = now.0.saturating_sub(self.captured_at.get().0);
        if since_ns < CAPTURES_EXPECTED_NS { PIECE_BYTES_MIN } else { PIECE_BYTES_MAX }
    }

    fn ticket(&self) -> Ticket<'_> {
        let number = self.next_ticket.get();
        self.next_ticket.set(number + 1);
        self.waiting.borrow_mut().insert(number, None);
        Ticket { turns: self, number }
    }
}

impl Ticket<'_> {
    /// Returns when nobody before this one waits any more.
    async fn turn(&self) {
        poll_fn(|context| {
            let mut waiting = self.turns.waiting.borrow_mut();
            if waiting.first_key_value().is_some_and(|(first, _)| *first == self.number) {
                return Poll::Ready(());
            }
            waiting.insert(self.number, Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut waiting = self.turns.waiting.borrow_mut();
        waiting.remove(&self.number);
        let next = waiting.first_entry().and_then(|mut first| first.get_mut().take());
        drop(waiting);
        if let Some(next) = next {
            next.wake();
        }
    }
}

#[cfg(test)]
mod tests;
