//! The only file through which cores touch each other on the way of a request: a bounded mesh of queues.
//!
//! Each ordered pair of executors has two queues. One carries requests, answers and cancellations, which must arrive:
//! it has room for all that credits allow, so a push never fails. Whoever has no credit left is told so and waits for
//! nothing. The other carries messages between shards, which are dropped when it is full and come again.
//! An executor that got something is woken by its doorbell.

use std::cell::Cell;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use crossbeam::queue::ArrayQueue;
use florin_engine::model::{RequestId, ShardId};
use florin_engine::shard::{Reply, Request, ShardMessage};
use futures_util::task::AtomicWaker;

use crate::limits::{FORWARDS_PER_EXECUTOR_MAX, FORWARDS_PER_PAIR_MIN, MESSAGES_PER_PAIR_MAX};

/// What must arrive.
#[derive(Debug)]
pub enum Parcel {
    /// Ask a shard of the receiver.
    Forward {
        /// Which shard.
        shard: ShardId,
        /// The sender's number of the request, which comes back with the answer.
        id: RequestId,
        /// What is asked.
        request: Request,
    },
    /// Nobody waits for a forwarded request any more.
    Cancel {
        /// The sender's number of it.
        id: RequestId,
    },
    /// The answer to a forwarded request.
    Answer {
        /// The receiver's number of it.
        id: RequestId,
        /// The answer.
        reply: Reply,
    },
}

/// A message between shards, on its way to a shard of the receiver.
#[derive(Debug)]
pub struct Message {
    /// The shard it is from.
    pub from: ShardId,
    /// The shard it is for.
    pub to: ShardId,
    /// The message.
    pub message: ShardMessage,
}

/// Wakes an executor from any thread.
#[derive(Debug, Default)]
pub struct Doorbell {
    rung: AtomicBool,
    waker: AtomicWaker,
}

impl Doorbell {
    /// Wakes the executor, if it was not woken since it last looked.
    pub fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.waker.wake();
        }
    }

    /// Returns when the bell was rung since the last time.
    pub async fn heard(&self) {
        poll_fn(|context| {
            self.waker.register(context.waker());
            if self.rung.swap(false, Ordering::AcqRel) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

#[derive(Debug)]
struct Lane {
    parcels: ArrayQueue<Box<Parcel>>,
    messages: ArrayQueue<Box<Message>>,
}

/// One executor's end of the mesh.
#[derive(Debug)]
pub struct MeshPort {
    executor: usize,
    /// From this executor to each other one, by its number.
    outgoing: Vec<Arc<Lane>>,
    /// From each other executor to this one.
    incoming: Vec<Arc<Lane>>,
    next_lane: Cell<usize>,
    next_message_lane: Cell<usize>,
    doorbells: Arc<[Doorbell]>,
    forwards_max: usize,
    /// Forwarded requests to each executor whose answer is still out.
    under_way: Vec<Cell<usize>>,
    /// Those of them that wait for data.
    polls_under_way: Vec<Cell<usize>>,
}

/// There is no credit left: too many requests are under way to that executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoCredit;

/// The ends of a mesh of `executor_count` executors, in the order of their numbers.
pub fn mesh(executor_count: usize) -> Vec<MeshPort> {
    let forwards_max = (FORWARDS_PER_EXECUTOR_MAX / executor_count.max(1)).max(FORWARDS_PER_PAIR_MIN);
    // For each credit a request, its cancellation, and the cancellation of the one before, whose answer gave the credit
    // back; and answers to the requests of the other side.
    let parcels_max = 4 * forwards_max;
    let lane =
        || Arc::new(Lane { parcels: ArrayQueue::new(parcels_max), messages: ArrayQueue::new(MESSAGES_PER_PAIR_MAX) });
    let lanes: Vec<Vec<_>> = (0..executor_count).map(|_| (0..executor_count).map(|_| lane()).collect()).collect();
    let doorbells: Arc<[Doorbell]> = (0..executor_count).map(|_| Doorbell::default()).collect();
    (0..executor_count)
        .map(|executor| MeshPort {
            executor,
            outgoing: lanes[executor].clone(),
            incoming: lanes.iter().map(|from| Arc::clone(&from[executor])).collect(),
            next_lane: Cell::new(0),
            next_message_lane: Cell::new(0),
            doorbells: Arc::clone(&doorbells),
            forwards_max,
            under_way: (0..executor_count).map(|_| Cell::new(0)).collect(),
            polls_under_way: (0..executor_count).map(|_| Cell::new(0)).collect(),
        })
        .collect()
}

impl MeshPort {
    /// Whose end this is.
    pub fn executor(&self) -> usize {
        self.executor
    }

    /// The bells of all executors.
    pub fn doorbells(&self) -> &Arc<[Doorbell]> {
        &self.doorbells
    }

    /// Returns when something may have arrived.
    pub async fn heard(&self) {
        self.doorbells[self.executor].heard().await;
    }

    /// Requests that may be under way to one other executor.
    pub fn forwards_max(&self) -> usize {
        self.forwards_max
    }

    /// Whether one more request may be under way to that executor.
    pub fn has_credit(&self, to: usize) -> bool {
        self.under_way[to].get() < self.forwards_max
    }

    /// Notes that a forwarded fetch that may wait for data was answered.
    pub fn end_poll(&self, to: usize) {
        let left = self.polls_under_way[to].get().checked_sub(1);
        self.polls_under_way[to].set(left.expect("every poll that ends was begun"));
    }

    /// Sends a request to a shard of another executor; takes a credit, which the answer gives back. Fetches that wait
    /// for data take half of the credits at most, for they keep them for long; [`MeshPort::end_poll`] ends them.
    ///
    /// # Errors
    /// If there is none; nothing was sent.
    pub fn forward(&self, to: usize, shard: ShardId, id: RequestId, request: Request) -> Result<(), NoCredit> {
        let under_way = &self.under_way[to];
        if !self.has_credit(to) {
            return Err(NoCredit);
        }
        if request.waits_for_data() {
            let polls = &self.polls_under_way[to];
            if polls.get() >= self.forwards_max / 2 {
                return Err(NoCredit);
            }
            polls.set(polls.get() + 1);
        }
        under_way.set(under_way.get() + 1);
        self.push(to, Parcel::Forward { shard, id, request });
        Ok(())
    }

    /// Says that nobody waits for a forwarded request any more; at most once for each.
    pub fn cancel(&self, to: usize, id: RequestId) {
        self.push(to, Parcel::Cancel { id });
    }

    /// Answers a request that was forwarded from another executor.
    pub fn answer(&self, to: usize, id: RequestId, reply: Reply) {
        self.push(to, Parcel::Answer { id, reply });
    }

    /// Sends a message between shards; `false` if it was dropped.
    pub fn send(&self, to: usize, message: Message) -> bool {
        let sent = self.outgoing[to].messages.push(Box::new(message)).is_ok();
        self.doorbells[to].ring();
        sent
    }

    /// The next parcel from another executor, and its number.
    pub fn receive(&self) -> Option<(usize, Parcel)> {
        // Each lane in turn, so that a busy one keeps no other waiting.
        let count = self.incoming.len();
        let lanes = (0..count).map(|step| (self.next_lane.get() + step) % count);
        let (from, parcel) = lanes.into_iter().find_map(|from| Some((from, *self.incoming[from].parcels.pop()?)))?;
        self.next_lane.set(from + 1);
        if let Parcel::Answer { .. } = parcel {
            let left = self.under_way[from].get().checked_sub(1);
            self.under_way[from].set(left.expect("every answer belongs to a request under way"));
        }
        Some((from, parcel))
    }

    /// The next message for a shard of this executor.
    pub fn receive_message(&self) -> Option<Message> {
        let count = self.incoming.len();
        let mut lanes = (0..count).map(|step| (self.next_message_lane.get() + step) % count);
        let (from, message) = lanes.find_map(|from| Some((from, self.incoming[from].messages.pop()?)))?;
        self.next_message_lane.set(from + 1);
        Some(*message)
    }

    fn push(&self, to: usize, parcel: Parcel) {
        let pushed = self.outgoing[to].parcels.push(Box::new(parcel));
        assert!(pushed.is_ok(), "the lane has room for all that credits allow");
        self.doorbells[to].ring();
    }
}

#[cfg(test)]
mod tests;
