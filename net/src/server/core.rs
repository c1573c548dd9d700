//! One executor of the server: its shards, its connections, and who waits for which answer.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use florin_engine::catalogue::TopicDescriptor;
use florin_engine::model::{Monotonic, PartitionId, RequestId, ShardId, TopicId};
use florin_engine::shard::driver::ShardDriver;
use florin_engine::shard::{Refusal, Reply, Request};
use slab::Slab;

use super::outlet::CoreOutlet;
use super::settings::ServerSettings;
use super::shared::{Measured, ServerShared};
use crate::backpressure::Shared;
use crate::bulk::BulkTurns;
use crate::connection::{Connection, Event};
use crate::handler::gather::Gather;
use crate::handler::metadata::TopicQuery;
use crate::handler::reply::respond;
use crate::handler::together::{self, Together};
use crate::io::Network;
use crate::limits::{EXECUTOR_POLLS_MAX, EXECUTOR_REQUESTS_MAX, HELD_BACK_TOLD_MAX};
use crate::metrics::{ExecutorCounters, StageHistograms, record};
use crate::protocol::{Api, ShardState};
use crate::route::MeshPort;

/// A request of a client whose answer is out.
pub struct Pending<S> {
    /// Who asked.
    pub connection: Rc<Connection<S>>,
    /// The client's number of the request.
    pub correlation: u64,
    /// What was asked.
    pub api: Api,
    /// For how many requests it counts.
    pub count: usize,
    /// Bytes of the request, as they are counted.
    pub bytes: usize,
    /// When the whole frame was there.
    pub received: Monotonic,
    /// Which topics were asked for, if any were.
    pub query: Option<Box<TopicQuery>>,
}

/// Who waits for an answer of a shard.
pub enum Waiter<S> {
    /// A client of this executor.
    Client(Pending<S>),
    /// Another executor, with its number of the request.
    Remote {
        /// Which.
        executor: usize,
        /// Its number.
        id: RequestId,
    },
    /// A request that asks several shards.
    Part {
        /// What is gathered.
        gather: Rc<Gather<S>>,
        /// From which shard this part is.
        shard: ShardId,
    },
    /// A transaction that is carried out for a client.
    Together {
        /// What is known of it.
        together: Rc<Together<S>>,
        /// Which batch was to be stored; none: the transaction was to be ended.
        part: Option<usize>,
    },
}

impl<S> Waiter<S> {
    /// The connection whose share of requests on other executors this counts against.
    fn connection(&self) -> Option<&Connection<S>> {
        match self {
            Self::Client(pending) => Some(&pending.connection),
            Self::Together { together, .. } => Some(together.connection()),
            Self::Remote { .. } | Self::Part { .. } => None,
        }
    }
}

struct Waiting<S> {
    waiter: Waiter<S>,
    shard: ShardId,
    is_poll: bool,
    /// The executor that has it, if that is another one.
    forwarded_to: Option<usize>,
}

/// A shard that runs here.
pub struct LocalShard<N: Network> {
    /// Its driver.
    pub driver: ShardDriver<N, CoreOutlet<N>>,
    /// Where its captures spend their time.
    pub histograms: StageHistograms,
}

/// What the executor's tasks share.
pub struct Core<N: Network> {
    /// Clock, tasks and sockets.
    pub network: N,
    /// What the server was started with.
    pub settings: ServerSettings,
    /// What all threads share.
    pub shared: Arc<ServerShared>,
    /// The way to other executors.
    pub mesh: MeshPort,
    /// The server is to end.
    pub stopping: Event,
    /// Open connections.
    pub connections: RefCell<Slab<Rc<Connection<N::Stream>>>>,
    /// Bytes over all connections.
    pub bytes: Shared,
    /// Requests over all connections.
    pub requests: Shared,
    /// Waiting fetches over all connections.
    pub polls: Shared,
    /// Whose large answer leaves next.
    pub bulk: BulkTurns,
    /// Requests that each other executor has, over all connections.
    pub forwards: Vec<Shared>,
    /// Connections that are being told that there are too many.
    pub turning_away_count: Cell<usize>,
    /// Shards that are closed.
    pub stopped_count: Cell<usize>,
    shards: RefCell<BTreeMap<ShardId, LocalShard<N>>>,
    /// What was measured here of captures that were passed on to shards of other executors.
    passed_on: RefCell<BTreeMap<ShardId, StageHistograms>>,
    waiting: RefCell<Slab<Waiting<N::Stream>>>,
    /// The numbers here of forwarded fetches that wait, by executor and its number.
    remote_polls: RefCell<BTreeMap<(usize, RequestId), RequestId>>,
}

impl<N: Network> Core<N> {
    /// An executor without shards.
    pub fn new(network: N, settings: ServerSettings, shared: Arc<ServerShared>, mesh: MeshPort) -> Self {
        let port_count = shared.shards.len().div_ceil(shared.executors.len());
        let connection_count_max = settings.connection_count_max.saturating_mul(port_count);
        Self {
            bytes: Shared::new(settings.executor_bytes_max, connection_count_max),
            requests: Shared::new(EXECUTOR_REQUESTS_MAX, connection_count_max),
            polls: Shared::new(EXECUTOR_POLLS_MAX, connection_count_max),
            forwards: shared.executors.iter().map(|_| Shared::new(mesh.forwards_max(), connection_count_max)).collect(),
            bulk: BulkTurns::default(),
            network,
            settings,
            shared,
            mesh,
            stopping: Event::default(),
            connections: RefCell::default(),
            turning_away_count: Cell::new(0),
            stopped_count: Cell::new(0),
            shards: RefCell::default(),
            passed_on: RefCell::default(),
            waiting: RefCell::default(),
            remote_polls: RefCell::default(),
        }
    }

    /// Takes a shard in.
    pub fn add_shard(&self, shard: ShardId, driver: ShardDriver<N, CoreOutlet<N>>) {
        let local = LocalShard { driver, histograms: StageHistograms::default() };
        self.shards.borrow_mut().insert(shard, local);
    }

    /// Lets go of all shards, which take nothing more then. A driver holds its outlet and that holds this: without it
    /// none of them would ever be freed.
    pub fn let_go_of_shards(&self) {
        let shards = self.shards.take();
        drop(shards);
    }

    /// What is counted here.
    pub fn counters(&self) -> &ExecutorCounters {
        &self.shared.executors[self.mesh.executor()].counters
    }

    /// Shards of the directory.
    pub fn shard_count(&self) -> u16 {
        u16::try_from(self.shared.shards.len()).expect("the number of shards is bounded")
    }

    /// The shards that run here.
    pub fn shard_ids(&self) -> Vec<ShardId> {
        self.shards.borrow().keys().copied().collect()
    }

    /// The driver of a shard that runs here.
    pub fn driver(&self, shard: ShardId) -> Option<ShardDriver<N, CoreOutlet<N>>> {
        self.shards.borrow().get(&shard).map(|local| local.driver.clone())
    }

    /// Notes a measurement of a shard.
    pub fn measure(&self, shard: ShardId, note: impl FnOnce(&mut StageHistograms)) {
        match self.shards.borrow_mut().get_mut(&shard) {
            Some(local) => note(&mut local.histograms),
            None => note(self.passed_on.borrow_mut().entry(shard).or_default()),
        }
    }

    /// Gives the measurements of all shards away, and says what holds their partitions back.
    pub fn take_measured(&self) -> Measured {
        let mut shards = self.shards.borrow_mut();
        let held_back = |(shard, local): (&ShardId, &LocalShard<N>)| {
            let shard = *shard;
            local.driver.held_back(HELD_BACK_TOLD_MAX).into_iter().map(move |held_back| (shard, held_back))
        };
        let held_back = shards.iter().flat_map(held_back).collect();
        let local = shards.iter_mut().map(|(shard, local)| (*shard, std::mem::take(&mut local.histograms)));
        Measured { histograms: local.chain(self.passed_on.take()).collect(), held_back }
    }

    /// Publishes the status of every shard that runs here.
    pub fn publish(&self) {
        for (shard, local) in &*self.shards.borrow() {
            self.shared.shard(*shard).publish(&local.driver.status());
        }
        let counters = self.counters();
        counters.in_flight_bytes.set(crate::metrics::counted(self.bytes.used()));
        counters.in_flight_requests.set(crate::metrics::counted(self.requests.used()));
        counters.waiting_polls.set(crate::metrics::counted(self.polls.used()));
    }

    /// The shard that has a partition, as a port's shard, or any other that runs here, knows.
    pub fn owner_of(&self, port: ShardId, partition: PartitionId) -> Option<ShardId> {
        self.informed(port).and_then(|driver| driver.owner(partition))
    }

    /// A topic, as a port's shard, or any other that runs here, knows it.
    pub fn topic(&self, port: ShardId, topic: TopicId) -> Option<TopicDescriptor> {
        self.informed(port).and_then(|driver| driver.topic(topic))
    }

    fn informed(&self, port: ShardId) -> Option<ShardDriver<N, CoreOutlet<N>>> {
        self.driver(port).or_else(|| self.shards.borrow().values().next().map(|local| local.driver.clone()))
    }

    /// Asks a shard, wherever it runs. `misrouted` says that the client could have asked the right port.
    pub fn ask(&self, shard: ShardId, request: Request, waiter: Waiter<N::Stream>) {
        let is_poll = request.waits_for_data();
        let executor = self.shared.executor_of(shard);
        let key = self.waiting.borrow_mut().insert(Waiting { waiter, shard, is_poll, forwarded_to: None });
        let id = RequestId(key as u64);
        if is_poll {
            self.begin_poll(id);
        }
        if executor == self.mesh.executor() {
            match self.driver(shard) {
                Some(driver) => driver.submit(id, request),
                None => self.answered(id, Reply::Refused(self.not_here(shard))),
            }
        } else {
            if self.shared.is_drained() {
                // The other executor may have gone already.
                return self.answered(id, Reply::Refused(Refusal::Stopping(shard)));
            }
            let has_share = self.has_share_of_forwards(key, executor);
            if has_share && self.mesh.forward(executor, shard, id, request).is_ok() {
                self.counters().forwarded.add(1);
                self.begin_forward(key, executor);
            } else {
                self.counters().no_credit.add(1);
                self.answered(id, Reply::Refused(Refusal::Busy(shard)));
            }
        }
    }

    /// Whether the connection that asks may have one more request on another executor.
    fn has_share_of_forwards(&self, key: usize, executor: usize) -> bool {
        let waiting = self.waiting.borrow();
        let count = waiting[key].waiter.connection().map(|connection| connection.forward_count().get());
        count.is_none_or(|count| self.forwards[executor].admits(count))
    }

    /// Whether a connection may ask this shard now, as far as ways to other executors go.
    pub fn may_forward(&self, connection: &Connection<N::Stream>, shard: ShardId) -> bool {
        let executor = self.shared.executor_of(shard);
        let is_here = executor == self.mesh.executor();
        let admits = || self.forwards[executor].admits(connection.forward_count().get());
        is_here || (admits() && self.mesh.has_credit(executor))
    }

    fn begin_forward(&self, key: usize, executor: usize) {
        let mut waiting = self.waiting.borrow_mut();
        waiting[key].forwarded_to = Some(executor);
        if let Some(connection) = waiting[key].waiter.connection() {
            let count = connection.forward_count();
            count.set(count.get() + 1);
            self.forwards[executor].take(1);
        }
    }

    fn end_forward(&self, waiting: &Waiting<N::Stream>) {
        let Some(executor) = waiting.forwarded_to else { return };
        if waiting.is_poll {
            self.mesh.end_poll(executor);
        }
        if let Some(connection) = waiting.waiter.connection() {
            let count = connection.forward_count();
            count.set(count.get() - 1);
            self.forwards[executor].give_back(1);
        }
    }

    /// Why a shard of this executor has no driver.
    fn not_here(&self, shard: ShardId) -> Refusal {
        match self.shared.shard(shard).state() {
            ShardState::Starting | ShardState::Serving => Refusal::Starting(shard),
            ShardState::Stopping => Refusal::Stopping(shard),
            ShardState::Failed | ShardState::NotOpen => Refusal::NotOpen(shard),
        }
    }

    /// An answer is there: it goes to whoever waits.
    pub fn answered(&self, id: RequestId, reply: Reply) {
        let key = usize::try_from(id.0).expect("it was a key");
        let is_poll = self.waiting.borrow().get(key).is_some_and(|waiting| waiting.is_poll);
        if is_poll {
            self.end_poll(id);
        }
        let waiting = self.waiting.borrow_mut().remove(key);
        self.end_forward(&waiting);
        let Waiting { waiter, shard, .. } = waiting;
        match waiter {
            Waiter::Client(pending) => self.answer_client(pending, shard, reply),
            Waiter::Remote { executor, id } => {
                self.remote_polls.borrow_mut().remove(&(executor, id));
                self.mesh.answer(executor, id, reply);
            }
            Waiter::Part { gather, shard } => {
                if let Some((pending, response)) = gather.take(shard, reply) {
                    self.finish(pending, |core, pending| core.respond_with(pending, &response));
                }
            }
            Waiter::Together { together, part } => together::answered(self, together, part, reply),
        }
    }

    fn answer_client(&self, pending: Pending<N::Stream>, shard: ShardId, reply: Reply) {
        let now = self.network.monotonic();
        if let Reply::Captured { .. } = reply {
            let latency_ns = now.0.saturating_sub(pending.received.0);
            self.measure(shard, |stages| record(&mut stages.ack, latency_ns));
        }
        respond(self, &pending, reply);
        self.end(&pending, now);
    }

    /// Counts what is held for a request beside its own bytes.
    pub fn charge(&self, pending: &mut Pending<N::Stream>, bytes: usize) {
        pending.bytes += bytes;
        pending.connection.charge_request(bytes);
        self.bytes.take(bytes);
    }

    /// Counts a request as `count` more, if its connection's share has room for all of them.
    pub fn charge_parts(&self, pending: &mut Pending<N::Stream>, count: usize) -> bool {
        let has_room = self.requests.admits_all(pending.connection.request_count(), count);
        if has_room {
            pending.count += count;
            pending.connection.charge_parts(count);
            self.requests.take(count);
        }
        has_room
    }

    /// A client's request is answered by `answer`, and no longer under way.
    pub fn finish(&self, pending: Pending<N::Stream>, answer: impl FnOnce(&Self, &Pending<N::Stream>)) {
        answer(self, &pending);
        self.end(&pending, self.network.monotonic());
    }

    fn end(&self, pending: &Pending<N::Stream>, now: Monotonic) {
        self.bytes.give_back(pending.bytes);
        self.requests.give_back(pending.count);
        pending.connection.end_request(pending.count, pending.bytes, now);
    }

    fn begin_poll(&self, id: RequestId) {
        let waiting = self.waiting.borrow();
        let key = usize::try_from(id.0).expect("it is a key");
        match &waiting[key].waiter {
            Waiter::Client(pending) => {
                pending.connection.polls().borrow_mut().insert(id);
                self.polls.take(1);
            }
            Waiter::Remote { executor, id: theirs } => {
                self.remote_polls.borrow_mut().insert((*executor, *theirs), id);
            }
            Waiter::Part { .. } | Waiter::Together { .. } => {}
        }
    }

    fn end_poll(&self, id: RequestId) {
        let waiting = self.waiting.borrow();
        let key = usize::try_from(id.0).expect("it is a key");
        if let Waiter::Client(pending) = &waiting[key].waiter {
            pending.connection.polls().borrow_mut().remove(&id);
            self.polls.give_back(1);
        }
    }

    /// Nobody waits for the fetches of a connection any more. Each is cancelled once, however often this is called.
    pub fn cancel_polls(&self, connection: &Connection<N::Stream>) {
        let polls = connection.polls().take();
        for id in polls {
            self.cancel(id);
        }
    }

    /// Another executor's client does not wait any more.
    pub fn cancel_remote(&self, executor: usize, theirs: RequestId) {
        let id = self.remote_polls.borrow().get(&(executor, theirs)).copied();
        if let Some(id) = id {
            self.cancel(id);
        }
    }

    fn cancel(&self, id: RequestId) {
        let key = usize::try_from(id.0).expect("it is a key");
        let shard = self.waiting.borrow().get(key).map(|waiting| waiting.shard);
        let Some(shard) = shard else { return };
        let executor = self.shared.executor_of(shard);
        if executor != self.mesh.executor() {
            self.mesh.cancel(executor, id);
        } else if let Some(driver) = self.driver(shard) {
            driver.cancel(id);
        }
    }
}
