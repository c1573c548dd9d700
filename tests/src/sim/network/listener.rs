//! The network seam of the server on the simulated wire.

use std::collections::btree_map::Entry;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll};

use florin_engine::io::Runtime;
use florin_engine::model::{Id128, Now};
use florin_net::io::{Listener, Network};

use super::{Backlog, Shared, SimStream};
use crate::sim::disk::SimDisk;
use crate::sim::executor::Process;
use crate::sim::runtime::SimRuntime;

/// The first port that is chosen where any will do.
const FREE_PORT_FIRST: u16 = 20_000;

/// The network of one executor of one incarnation of the process.
#[derive(Clone)]
pub struct SimNetwork {
    shared: Rc<Shared>,
    runtime: SimRuntime,
}

/// A listening port. Dropping it closes it, and all connections that wait to be accepted with it.
pub struct SimListener {
    shared: Rc<Shared>,
    address: SocketAddr,
}

impl SimNetwork {
    pub(super) fn new(shared: Rc<Shared>, runtime: SimRuntime) -> Self {
        Self { shared, runtime }
    }

    /// The process whose tasks and connections end together.
    pub fn process(&self) -> Process {
        self.runtime.process()
    }
}

impl Runtime for SimNetwork {
    type Disk = SimDisk;

    fn disk(&self) -> &SimDisk {
        self.runtime.disk()
    }

    fn now(&self) -> Now {
        self.runtime.now()
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.runtime.spawn(task);
    }

    async fn sleep(&self, duration_ns: u64) {
        self.runtime.sleep(duration_ns).await;
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        self.runtime.compute(work).await
    }

    fn random(&self) -> Id128 {
        self.runtime.random()
    }
}

impl Network for SimNetwork {
    type Stream = SimStream;
    type Listener = SimListener;

    fn listen(&self, address: SocketAddr) -> io::Result<SimListener> {
        let mut listeners = self.shared.listeners.borrow_mut();
        let mut address = address;
        if address.port() == 0 {
            let free = |port: &u16| !listeners.contains_key(&SocketAddr::new(address.ip(), *port));
            let port = (FREE_PORT_FIRST..=u16::MAX).find(free).ok_or(io::ErrorKind::AddrInUse)?;
            address.set_port(port);
        }
        match listeners.entry(address) {
            Entry::Occupied(_) => Err(io::ErrorKind::AddrInUse.into()),
            Entry::Vacant(place) => {
                place.insert(Backlog::of(self.runtime.process()));
                Ok(SimListener { shared: Rc::clone(&self.shared), address })
            }
        }
    }

    fn spawn_prompt(&self, task: impl Future<Output = ()> + 'static) {
        self.runtime.spawn(task);
    }
}

impl SimListener {
    fn poll_accept(&self, context: &Context<'_>) -> Poll<io::Result<(SimStream, SocketAddr)>> {
        let mut listeners = self.shared.listeners.borrow_mut();
        let backlog = listeners.get_mut(&self.address).expect("a port is listed as long as its listener is there");
        if backlog.waiting.is_empty() {
            backlog.acceptor = Some(context.waker().clone());
            return Poll::Pending;
        }
        if self.shared.happens(|faults| faults.accept_fail_ppm) {
            self.shared.count(|counters| counters.accept_failed_count += 1);
            return Poll::Ready(Err(io::Error::other("too many open files, simulated")));
        }
        Poll::Ready(Ok(backlog.waiting.pop_front().expect("it was looked at")))
    }
}

impl Listener for SimListener {
    type Stream = SimStream;

    fn address(&self) -> SocketAddr {
        self.address
    }

    async fn accept(&self) -> io::Result<(SimStream, SocketAddr)> {
        poll_fn(|context| self.poll_accept(context)).await
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        let backlog = self.shared.listeners.borrow_mut().remove(&self.address);
        drop(backlog);
    }
}
