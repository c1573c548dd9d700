//! Plays one world: clients at work, ends of the server in between, a rest, and a full check at the end.

use std::path::Path;
use std::rc::Rc;

use florin_engine::format::identity::Identity;
use florin_engine::io::{DiskOperation, Runtime};
use florin_engine::journal::create::{FormatSettings, format};
use florin_engine::limits::FETCH_WAIT_NS_MAX;
use florin_engine::marks::{self, MarkCounts};
use florin_engine::model::{Id128, Realtime, ShardId};
use florin_engine::shard::open::read_identity;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

mod commit;

pub use commit::{CommitCut, play_commit};

use super::clients;
use super::ground::{Ground, Phase};
use super::plan::Plan;
use super::server::{DATA, PATIENCE, SECOND_NS, Server};
use super::summary::Summary;
use crate::sim::disk::Counters;
use crate::sim::streams::client_stream;
use crate::sim::{Fault, Injection, SimDevice, SimExecutor, SimRuntime, SimWire, Streams, streams};
use crate::world::Violation;
use crate::world::checkers::{Checked, violation};

/// The stream of the first client and of the last one.
const READER_STREAM: u32 = u32::MAX;
/// By then the last client has gone: less than a fetch may wait for data.
const LAST_STAY_NS: u64 = 20 * SECOND_NS;
const _: () = assert!(clients::STAY_NS < LAST_STAY_NS && LAST_STAY_NS < FETCH_WAIT_NS_MAX);
/// The longest time from the last client's end until the server has noticed.
const REST_NS: u64 = 4 * (PATIENCE.idle_ns + PATIENCE.frame_ns + PATIENCE.send_ns);
/// Starts in a row that the server does not survive, at most.
const EARLY_ENDS_MAX: u32 = 3;

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was done.
    pub summary: Summary,
    /// Fingerprint of every durable byte at the end and of everything that was answered.
    pub digest: u64,
    /// The broken promise, if one was.
    pub violation: Option<Violation>,
    /// What the disk did.
    pub disk: Counters,
    /// Rare turns that the engine took.
    pub marks: MarkCounts,
    /// What happened, if that was to be said.
    pub trace: Vec<String>,
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Kill,
    PowerLoss,
    Stop,
}

/// A world while it is played.
pub(super) struct World {
    pub(super) executor: SimExecutor,
    pub(super) ground: Rc<Ground>,
    device: SimDevice,
    wire: SimWire,
    identity: Identity,
    server: Option<Server>,
    random: ChaCha8Rng,
    faults: ChaCha8Rng,
    crash: ChaCha8Rng,
    /// What executors that are gone have counted.
    gone: Summary,
}

/// Plays the world of a plan.
pub fn play(plan: &Plan) -> Outcome {
    let mut world = World::new(plan.clone());
    let played = world.play();
    world.outcome(played)
}

impl World {
    fn new(plan: Plan) -> Self {
        // What is counted of this world and no other.
        let _ = marks::take();
        let executor = SimExecutor::new(plan.seed);
        let mut disk = plan.disk.clone();
        if plan.lying_disk {
            disk.faults.path_contains = "journal".to_owned();
            disk.faults.write_lie_ppm = 1_000_000;
        }
        let device = SimDevice::new(executor.handle(), disk);
        let wire = SimWire::new(executor.handle(), plan.network.clone());
        let Streams { workload, faults, crash, .. } = streams(plan.seed);
        let identity = format_directory(&executor, &device, &plan);
        let ground = Rc::new(Ground::new(executor.handle(), wire.clone(), plan));
        Self {
            executor,
            ground,
            device,
            wire,
            identity,
            server: None,
            random: workload,
            faults,
            crash,
            gone: Summary::default(),
        }
    }

    fn outcome(mut self, played: Checked) -> Outcome {
        self.count_executors();
        let network = self.wire.counters();
        let own = self.ground.summary();
        let summary = Summary {
            event_count: self.executor.event_count(),
            connection_count: network.connection_count,
            connect_refused_count: network.refused_count,
            accept_failed_count: network.accept_failed_count,
            part_count: network.part_count,
            stall_count: network.stall_count,
            reset_count: network.reset_count,
            end_count: network.end_count,
            silence_count: network.silence_count,
            full_count: network.full_count,
            ..own.plus(&self.gone)
        };
        self.ground.fold(self.device.snapshot().digest());
        self.ground.fold(self.executor.event_count());
        let (disk, trace) = (self.device.counters(), self.ground.trace());
        Outcome { summary, digest: self.ground.digest(), violation: played.err(), disk, marks: marks::take(), trace }
    }

    /// The process that runs.
    pub(super) fn server(&self) -> &Server {
        self.server.as_ref().expect("a process runs")
    }

    fn play(&mut self) -> Checked {
        self.open()?;
        clients::start(&self.ground);
        let plan = self.ground.plan.clone();
        let mut ends: Vec<u64> =
            (0..plan.end_count).map(|_| self.random.random_range(0..plan.operation_count)).collect();
        ends.sort_unstable();
        for (number, end) in (0..).zip(ends) {
            self.work_until(end)?;
            let events = self.random.random_range(0..200);
            let _ = self.executor.run_until_event(self.executor.event_count() + events);
            let crash = [End::Kill, End::PowerLoss][self.random.random_range(0..2)];
            // The first end is never one in order.
            let end = if number > 0 && self.random.random_bool(0.3) { End::Stop } else { crash };
            self.end(end)?;
            self.start()?;
        }
        self.work_until(plan.operation_count)?;
        self.come_to_an_end()
    }

    /// The server runs and has the first topics.
    fn open(&mut self) -> Checked {
        self.start()?;
        let founder =
            clients::found_topics(Rc::clone(&self.ground), client_stream(self.ground.plan.seed, READER_STREAM));
        self.run_client(founder, "the first topics were not made")
    }

    /// Clients end, then the server twice, and everything is read.
    fn come_to_an_end(&mut self) -> Checked {
        let seed = self.ground.plan.seed;
        self.settle()?;
        self.come_to_rest()?;
        self.end(End::PowerLoss)?;
        self.start()?;
        self.end(End::Stop)?;
        self.start()?;
        self.run_until(Server::is_ready, "shards do not serve after a stop in order")?;
        let reader = clients::read_everything(Rc::clone(&self.ground), client_stream(seed, READER_STREAM - 1));
        self.run_client(reader, "what is stored cannot be read")?;
        let reader = clients::read_payments(Rc::clone(&self.ground), client_stream(seed, READER_STREAM - 2));
        self.run_client(reader, "what is paid cannot be read")?;
        let reader = clients::read_moves(Rc::clone(&self.ground), client_stream(seed, READER_STREAM - 3));
        self.run_client(reader, "what counts of transactions cannot be read")
    }

    /// Runs one client to its end, beside all others.
    fn run_client(&mut self, client: impl Future<Output = ()> + 'static, what: &str) -> Checked {
        let done = Rc::new(std::cell::Cell::new(false));
        let flag = Rc::clone(&done);
        self.executor.spawn(async move {
            client.await;
            flag.set(true);
        });
        self.run_until_read(|| done.get(), what)
    }

    fn work_until(&mut self, operation_count: u64) -> Checked {
        let ground = Rc::clone(&self.ground);
        while ground.summary().operation_count < operation_count {
            if self.ground.plan.has_disk_faults && self.server().is_ready() && self.faults.random_bool(0.3) {
                self.inject_fault();
            }
            let next = operation_count.min(ground.summary().operation_count + 100);
            let goes_on = |server: &Server| {
                ground.summary().operation_count >= next || server.failed_count() > 0 || server.refusal().is_some()
            };
            self.run_until(goes_on, "clients do not come forward")?;
            self.is_opened()?;
            if self.server().failed_count() > 0 {
                // As an operator would, after a while.
                let _ = self.executor.run_for(SECOND_NS);
                let failed_count = self.server().failed_count();
                self.ground.count(|summary| summary.failed_count += failed_count);
                self.end(End::Kill)?;
                self.start()?;
            }
        }
        Ok(())
    }

    /// Makes a write of the disk fail.
    fn inject_fault(&mut self) {
        let shard = ShardId(self.faults.random_range(0..self.ground.plan.shard_count));
        let file = ["journal", "superblock", "segment"][self.faults.random_range(0..3)];
        let operation = [DiskOperation::Write, DiskOperation::Sync][self.faults.random_range(0..2)];
        let fault =
            if operation == DiskOperation::Sync || self.faults.random_bool(0.6) { Fault::Fail } else { Fault::Short };
        let path_contains = format!("shard-{shard}/{file}");
        let skip_count = self.faults.random_range(0..8);
        self.ground.count(|summary| summary.disk_fault_count += 1);
        self.ground.say(|| format!("{operation:?} number {skip_count} on {path_contains} will be: {fault:?}"));
        self.device.inject(Injection { operation, path_contains, skip_count, fault });
    }

    /// No more faults strike, nothing new is begun, and everybody comes to an end.
    fn settle(&mut self) -> Checked {
        self.wire.heal();
        self.device.disarm();
        self.ground.phase.set(Phase::Settling);
        let ground = Rc::clone(&self.ground);
        let is_over = move |server: &Server| ground.client_count.get() == 0 || server.failed_count() > 0;
        self.run_until(&is_over, "clients do not come to an end although nothing is wrong any more")?;
        while self.server().failed_count() > 0 {
            self.end(End::Kill)?;
            self.start()?;
            self.run_until(&is_over, "clients do not come to an end although nothing is wrong any more")?;
        }
        self.is_opened()
    }

    /// All clients are gone: after a while the server holds nothing for anybody.
    fn come_to_rest(&mut self) -> Checked {
        self.ground.phase.set(Phase::Over);
        let _ = self.executor.run_for(LAST_STAY_NS);
        self.ground.waits_for_somebody(self.server())?;
        let _ = self.executor.run_for(REST_NS);
        self.ground.is_at_rest(self.server())?;
        match self.ground.violation() {
            Some(violation) => Err(violation),
            None => Ok(()),
        }
    }

    fn start(&mut self) -> Checked {
        for _ in 0..EARLY_ENDS_MAX {
            self.ground.say(|| "the server starts".to_owned());
            self.server =
                Some(Server::start(&self.executor, &self.device, &self.wire, self.identity, &self.ground.plan));
            if !self.random.random_bool(0.2) {
                break;
            }
            let events = self.random.random_range(0..150);
            let _ = self.executor.run_until_event(self.executor.event_count() + events);
            self.ground.count(|summary| summary.early_end_count += 1);
            let end = [End::Kill, End::PowerLoss][self.random.random_range(0..2)];
            self.end(end)?;
        }
        if self.server.is_none() {
            self.server =
                Some(Server::start(&self.executor, &self.device, &self.wire, self.identity, &self.ground.plan));
        }
        Ok(())
    }

    /// A healthy directory opens, on ports that are free.
    fn is_opened(&self) -> Checked {
        if let Some((shard, error)) = self.server().refusal() {
            return violation("healthy directory opens", format!("shard {shard} was refused: {error}"));
        }
        match self.server().cannot_listen() {
            Some(address) => violation("healthy directory opens", format!("{address} is taken")),
            None => Ok(()),
        }
    }

    fn end(&mut self, end: End) -> Checked {
        self.is_opened()?;
        self.ground.say(|| format!("the server ends: {end:?}"));
        let has_failed = self.server().failed_count() > 0;
        match end {
            End::Kill => self.ground.count(|summary| summary.kill_count += 1),
            End::PowerLoss => self.ground.count(|summary| summary.power_loss_count += 1),
            End::Stop => {
                self.ground.count(|summary| summary.stop_count += 1);
                self.server().stop();
                self.run_until(Server::has_ended, "executors do not end in order")?;
                let in_flight = self.device.in_flight_write_count();
                if in_flight > 0 && !has_failed {
                    return violation("closed is quiet", format!("{in_flight} writes are under way after the end"));
                }
            }
        }
        self.device.disarm();
        self.count_executors();
        let server = self.server.take().expect("a process runs");
        if end == End::PowerLoss {
            self.wire.power_loss(server.process());
        }
        self.executor.crash_process(server.process());
        drop(server);
        match end {
            End::PowerLoss => self.device.power_loss(&mut self.crash),
            End::Kill | End::Stop => self.device.kill(&mut self.crash),
        }
        match self.ground.violation() {
            Some(violation) => Err(violation),
            None => Ok(()),
        }
    }

    /// Takes over what the executors that run have counted.
    fn count_executors(&mut self) {
        let Some(server) = &self.server else { return };
        for executor in &server.shared().executors {
            let counters = &executor.counters;
            self.gone.paused_count += counters.paused.get();
            self.gone.forwarded_count += counters.forwarded.get();
            self.gone.timed_out_count += counters.timed_out.get();
            self.gone.turned_away_count += counters.turned_away.get();
        }
    }
}

fn format_directory(executor: &SimExecutor, device: &SimDevice, plan: &Plan) -> Identity {
    let runtime = SimRuntime::new(executor.handle(), device.mount(), 0);
    let settings = FormatSettings {
        directory_id: runtime.random(),
        journal_ids: (0..plan.shard_count).map(|_| runtime.random()).collect::<Vec<Id128>>(),
        geometry: plan.geometry,
        created: Realtime(runtime.now().realtime.0),
    };
    let process = runtime.process();
    let disk = runtime.disk().clone();
    let identity = executor.block_on(async move {
        format(&disk, Path::new(DATA), &settings).await.expect("a new directory is formatted");
        read_identity(&disk, Path::new(DATA)).await.expect("it was just written")
    });
    executor.crash_process(process);
    identity
}
