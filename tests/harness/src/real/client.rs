//! Asks a shard on the same executor and waits for the answer.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::{Poll, Waker};

use florin_engine::io::{DiskError, Runtime};
use florin_engine::model::{RequestId, ShardId};
use florin_engine::shard::driver::{Outlet, ShardDriver};
use florin_engine::shard::open::Opened;
use florin_engine::shard::{Reply, Request, ShardMessage, ShardStatus};

/// Takes a message for another shard; it may drop it.
pub type Forward = Box<dyn Fn(ShardId, ShardId, ShardMessage)>;

/// One answer that somebody waits for.
#[derive(Debug, Default)]
struct Slot {
    reply: Option<Reply>,
    waker: Option<Waker>,
}

/// Where answers are laid down and picked up.
#[derive(Debug, Default)]
struct Desk {
    slots: RefCell<BTreeMap<RequestId, Slot>>,
    next_id: Cell<u64>,
    stopped: Cell<Option<bool>>,
    failed: RefCell<Option<DiskError>>,
}

/// The outlet of a shard that serves tasks of its own executor.
pub struct DeskOutlet {
    desk: Rc<Desk>,
    forward: Forward,
}

impl Outlet for DeskOutlet {
    fn reply(&self, id: RequestId, reply: Reply) {
        let mut slots = self.desk.slots.borrow_mut();
        let slot = slots.get_mut(&id).expect("a shard answers only what it was asked, and once");
        assert!(slot.reply.is_none(), "request {id} was answered twice");
        slot.reply = Some(reply);
        let waker = slot.waker.take();
        drop(slots);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn send(&self, from: ShardId, to: ShardId, message: ShardMessage) {
        (self.forward)(from, to, message);
    }

    fn failed(&self, _shard: ShardId, error: &DiskError) {
        *self.desk.failed.borrow_mut() = Some(error.clone());
    }

    fn stopped(&self, _shard: ShardId, clean: bool) {
        self.desk.stopped.set(Some(clean));
    }
}

/// A running shard and its desk. Clones share both.
pub struct Client<R: Runtime> {
    driver: ShardDriver<R, DeskOutlet>,
    desk: Rc<Desk>,
}

impl<R: Runtime> Clone for Client<R> {
    fn clone(&self) -> Self {
        Self { driver: self.driver.clone(), desk: Rc::clone(&self.desk) }
    }
}

impl<R: Runtime> Client<R> {
    /// Starts an opened shard.
    pub fn start(runtime: R, opened: Opened<R::Disk>, forward: Forward) -> Self {
        let desk = Rc::new(Desk::default());
        let driver = ShardDriver::start(runtime, opened, DeskOutlet { desk: Rc::clone(&desk), forward });
        Self { driver, desk }
    }

    /// Asks now; the answer is waited for when the future is polled.
    pub fn ask(&self, request: Request) -> impl Future<Output = Reply> + use<R> {
        let id = RequestId(self.desk.next_id.replace(self.desk.next_id.get() + 1));
        self.desk.slots.borrow_mut().insert(id, Slot::default());
        self.driver.submit(id, request);
        let desk = Rc::clone(&self.desk);
        std::future::poll_fn(move |context| {
            let mut slots = desk.slots.borrow_mut();
            let slot = slots.get_mut(&id).expect("a slot stays until its answer is picked up");
            let Some(reply) = slot.reply.take() else {
                slot.waker = Some(context.waker().clone());
                return Poll::Pending;
            };
            slots.remove(&id);
            Poll::Ready(reply)
        })
    }

    /// Hands over a message of another shard.
    pub fn deliver(&self, from: ShardId, message: ShardMessage) {
        self.driver.deliver(from, message);
    }

    /// Asks the shard to close in order.
    pub fn shutdown(&self) {
        self.driver.shutdown();
    }

    /// How the shard is doing.
    pub fn status(&self) -> ShardStatus {
        self.driver.status()
    }

    /// Whether the shard has closed, and then whether in order.
    pub fn stopped(&self) -> Option<bool> {
        self.desk.stopped.get()
    }

    /// The write that failed, if one did.
    pub fn failure(&self) -> Option<DiskError> {
        self.desk.failed.borrow().clone()
    }
}
