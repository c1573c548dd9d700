//! A network in memory that keeps the promises of the seam and no others.
//!
//! Bytes of a connection arrive in order and unchanged or not at all, as on TCP. Everything else is up to the seed: how
//! they are cut, how late they are, at which byte the connection breaks, whether anybody is told, and how much one side
//! may send before the other reads. The wire outlives every process; connections of a process end with it.

mod config;
mod counters;
mod link;
mod listener;
mod pipe;
mod stream;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::rc::{Rc, Weak};
use std::task::Waker;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

pub use self::config::{NetworkConfig, NetworkFaults};
pub use self::counters::NetworkCounters;
use self::link::{Link, SERVER};
pub use self::listener::{SimListener, SimNetwork};
pub use self::stream::SimStream;
use super::executor::{Process, SimHandle};
use super::runtime::SimRuntime;
use super::streams::streams;

/// The first port of clients.
const CLIENT_PORT_FIRST: u16 = 40_000;
/// How late clients hear of a power loss of the server, if they are told at all.
const AFTER_POWER_LOSS_NS: RangeInclusive<u64> = 0..=3_000_000_000;

/// The network in the hands of a test, and of its clients. Clones share it.
#[derive(Clone)]
pub struct SimWire {
    shared: Rc<Shared>,
}

/// What streams, listeners and the harness share.
struct Shared {
    executor: SimHandle,
    random: RefCell<ChaCha8Rng>,
    config: RefCell<NetworkConfig>,
    counters: RefCell<NetworkCounters>,
    listeners: RefCell<BTreeMap<SocketAddr, Backlog>>,
    links: RefCell<Vec<Weak<Link>>>,
    next_port: Cell<u16>,
}

/// Connections that wait to be accepted at a port.
struct Backlog {
    process: Process,
    waiting: VecDeque<(SimStream, SocketAddr)>,
    acceptor: Option<Waker>,
}

impl Backlog {
    fn of(process: Process) -> Self {
        Self { process, waiting: VecDeque::new(), acceptor: None }
    }
}

impl SimWire {
    /// A network on which nobody listens.
    pub fn new(executor: SimHandle, config: NetworkConfig) -> Self {
        let random = RefCell::new(streams(executor.seed()).network);
        let shared = Shared {
            executor,
            random,
            config: RefCell::new(config),
            counters: RefCell::default(),
            listeners: RefCell::default(),
            links: RefCell::default(),
            next_port: Cell::new(CLIENT_PORT_FIRST),
        };
        Self { shared: Rc::new(shared) }
    }

    /// The network as a process uses it that runs on `runtime`.
    pub fn mount(&self, runtime: SimRuntime) -> SimNetwork {
        SimNetwork::new(Rc::clone(&self.shared), runtime)
    }

    /// Connects as a client of the harness.
    ///
    /// # Errors
    /// If nobody listens there, or as many wait to be accepted as may, or the network refuses by chance.
    pub async fn connect(&self, to: SocketAddr) -> io::Result<SimStream> {
        let shared = &self.shared;
        shared.executor.sleep(shared.delay_ns()).await;
        let stream = self.arrive(to)?;
        shared.executor.sleep(shared.delay_ns()).await;
        Ok(stream)
    }

    /// The first packet of a connection is there.
    fn arrive(&self, to: SocketAddr) -> io::Result<SimStream> {
        let shared = &self.shared;
        let refused = shared.happens(|faults| faults.connect_fail_ppm);
        let backlog_max = shared.config.borrow().backlog_max;
        let mut listeners = shared.listeners.borrow_mut();
        let backlog = listeners.get_mut(&to).filter(|backlog| backlog.waiting.len() < backlog_max && !refused);
        let Some(backlog) = backlog else {
            shared.count(|counters| counters.refused_count += 1);
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        let (client, server, peer) = shared.link(backlog.process);
        backlog.waiting.push_back((server, peer));
        if let Some(acceptor) = backlog.acceptor.take() {
            acceptor.wake();
        }
        Ok(client)
    }

    /// The power of a process's machine goes: its sides of all connections fall silent at this instant. The other side
    /// is told a while later, or never. Call this before its tasks end; what only ends its tasks closes its connections
    /// as a system does for a process that was killed.
    pub fn power_loss(&self, process: Process) {
        let links: Vec<Rc<Link>> = self.shared.links.borrow().iter().filter_map(Weak::upgrade).collect();
        for link in links.iter().filter(|link| link.process() == process) {
            let told = self.shared.draw(|random| random.random_bool(0.5));
            let after_ns = self.shared.draw(|random| random.random_range(AFTER_POWER_LOSS_NS));
            link.fall_silent(SERVER);
            if told {
                link.reset(1 - SERVER, self.shared.executor.now_ns() + after_ns, &self.shared.executor);
            }
        }
        self.shared.links.borrow_mut().retain(|link| link.strong_count() > 0);
    }

    /// From now on these faults occur by chance. Connections that are there keep the fate that was drawn for them.
    pub fn set_faults(&self, faults: NetworkFaults) {
        self.shared.config.borrow_mut().faults = faults;
    }

    /// Nothing breaks any more on connections that are there either.
    pub fn heal(&self) {
        self.set_faults(NetworkFaults::default());
        self.shared.links.borrow().iter().filter_map(Weak::upgrade).for_each(|link| link.forget_fate());
    }

    /// What happened so far.
    pub fn counters(&self) -> NetworkCounters {
        self.shared.counters.borrow().clone()
    }

    /// Connections of which some side is still held.
    pub fn link_count(&self) -> usize {
        self.shared.links.borrow().iter().filter(|link| link.strong_count() > 0).count()
    }
}

impl Shared {
    fn draw<T>(&self, draw: impl FnOnce(&mut ChaCha8Rng) -> T) -> T {
        draw(&mut self.random.borrow_mut())
    }

    fn count(&self, count: impl FnOnce(&mut NetworkCounters)) {
        count(&mut self.counters.borrow_mut());
    }

    /// Whether a fault occurs now; draws nothing if it cannot.
    fn happens(&self, ppm: impl FnOnce(&NetworkFaults) -> u32) -> bool {
        let ppm = ppm(&self.config.borrow().faults);
        ppm > 0 && self.draw(|random| random.random_range(0..1_000_000) < ppm)
    }

    /// How long something is on its way.
    fn delay_ns(&self) -> u64 {
        let delay_ns = self.config.borrow().delay_ns.clone();
        self.draw(|random| random.random_range(delay_ns))
    }

    /// How long a segment is on its way; some are very late.
    fn segment_delay_ns(&self) -> u64 {
        let delay_ns = self.delay_ns();
        if !self.happens(|faults| faults.stall_ppm) {
            return delay_ns;
        }
        self.count(|counters| counters.stall_count += 1);
        let stall_ns = self.config.borrow().faults.stall_ns.clone();
        delay_ns + self.draw(|random| random.random_range(stall_ns))
    }

    /// A new connection: the client's side, the server's, and who the client is.
    fn link(self: &Rc<Self>, process: Process) -> (SimStream, SimStream, SocketAddr) {
        self.count(|counters| counters.connection_count += 1);
        let port = self.next_port.get();
        self.next_port.set(if port == u16::MAX { CLIENT_PORT_FIRST } else { port + 1 });
        let link = Rc::new(self.draw_link(process));
        self.links.borrow_mut().push(Rc::downgrade(&link));
        let client = SimStream::new(Rc::clone(self), Rc::clone(&link), 1 - SERVER);
        let server = SimStream::new(Rc::clone(self), link, SERVER);
        (client, server, SocketAddr::from(([10, 0, 0, 1], port)))
    }

    fn draw_link(&self, process: Process) -> Link {
        let config = self.config.borrow();
        let windows = [0, 1].map(|_| self.draw(|random| random.random_range(config.window_bytes.clone())));
        let fates = [0, 1].map(|_| config.faults.fate(&mut self.random.borrow_mut()));
        Link::new(process, windows, fates)
    }
}
