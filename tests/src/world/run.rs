//! Plays one world: operations, crashes in between, and a full check after every start.

use std::collections::BTreeMap;
use std::path::Path;

use florin_engine::catalogue::TopicChange;
use florin_engine::io::Runtime;
use florin_engine::journal::create::{FormatSettings, format};
use florin_engine::model::{Id128, Offset, PartitionId, Realtime, RequestId, ShardId, TopicId};
use florin_engine::shard::open::OpenSettings;
use florin_engine::shard::{Fetched, Request};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::clients::Producer;
use super::cluster::{Cluster, DATA, Seen};
use super::model::{Checked, Model, SureLimit, Violation, violation};
use super::plan::{Operation, Plan};
use crate::sim::{SimDevice, SimExecutor, SimRuntime, Stop, Streams, streams};

/// Virtual time in which a healthy server answers everything.
pub(super) const PATIENCE_NS: u64 = 60_000_000_000;

/// What a request is about, until it is answered.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    Capture { serial: u64, producer: Option<usize>, expect: Expect, limit: Option<SureLimit> },
    Fetch { partition: PartitionId, from: u64, bytes_max: usize, verify: bool },
    FetchByTime { partition: PartitionId, time: Realtime },
    ListEnd { partition: PartitionId },
    CreateTopic,
    DeleteTopic { topic: TopicId, asked_at: u64 },
    AlterTopic { topic: TopicId, change: TopicChange, asked_at: u64 },
    Metadata { shard: ShardId },
    InitProducer { partition: PartitionId },
    Other,
}

/// What a capture must lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    /// Stored once, or refused for reasons of the server.
    Stored,
    /// Refused for its sequence.
    Refused,
}

/// What one run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Operations done.
    pub operation_count: u64,
    /// Executor events.
    pub event_count: u64,
    /// Ends by kill.
    pub kill_count: u64,
    /// Ends by power loss.
    pub power_loss_count: u64,
    /// Ends in order.
    pub restart_count: u64,
    /// Captures acknowledged.
    pub acked_count: u64,
    /// Captures answered as duplicates.
    pub duplicate_count: u64,
    /// Captures whose outcome was unknown.
    pub unknown_count: u64,
    /// Captures refused because the journal was full.
    pub full_count: u64,
    /// Shards that stopped after a failed write.
    pub failed_count: u64,
    /// Torn tails that were cut.
    pub cut_count: u64,
    /// Checkpoints asked for and taken.
    pub checkpoint_count: u64,
    /// Batches read back after a start.
    pub verified_count: u64,
    /// Starts refused because of an injected fault.
    pub refused_start_count: u64,
    /// Topics altered.
    pub altered_count: u64,
    /// Times that retention was seen to have cut.
    pub cut_front_count: u64,
    /// Times that something was damaged while the server was down.
    pub damage_count: u64,
    /// Repairs of a damaged shard.
    pub repair_count: u64,
    /// Stretches of offsets that repairs gave up.
    pub loss_count: u64,
}

impl Summary {
    /// Both together.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            operation_count: self.operation_count + other.operation_count,
            event_count: self.event_count + other.event_count,
            kill_count: self.kill_count + other.kill_count,
            power_loss_count: self.power_loss_count + other.power_loss_count,
            restart_count: self.restart_count + other.restart_count,
            acked_count: self.acked_count + other.acked_count,
            duplicate_count: self.duplicate_count + other.duplicate_count,
            unknown_count: self.unknown_count + other.unknown_count,
            full_count: self.full_count + other.full_count,
            failed_count: self.failed_count + other.failed_count,
            cut_count: self.cut_count + other.cut_count,
            checkpoint_count: self.checkpoint_count + other.checkpoint_count,
            verified_count: self.verified_count + other.verified_count,
            refused_start_count: self.refused_start_count + other.refused_start_count,
            altered_count: self.altered_count + other.altered_count,
            cut_front_count: self.cut_front_count + other.cut_front_count,
            damage_count: self.damage_count + other.damage_count,
            repair_count: self.repair_count + other.repair_count,
            loss_count: self.loss_count + other.loss_count,
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was done.
    pub summary: Summary,
    /// Fingerprint of every durable byte at the end and of everything that was answered.
    pub digest: u64,
    /// The broken promise, if one was.
    pub violation: Option<Violation>,
}

/// A world while it is played.
pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) executor: SimExecutor,
    pub(super) device: SimDevice,
    pub(super) cluster: Cluster,
    pub(super) random: ChaCha8Rng,
    pub(super) faults: ChaCha8Rng,
    pub(super) crash: ChaCha8Rng,
    pub(super) model: Model,
    pub(super) producers: Vec<Producer>,
    pub(super) asked: BTreeMap<RequestId, (ShardId, Asked)>,
    pub(super) next_request: u64,
    pub(super) next_serial: u64,
    pub(super) summary: Summary,
    pub(super) answers_digest: u64,
    pub(super) incarnation: u64,
    /// Disk faults were injected since the last start.
    pub(super) faulty: bool,
    /// Writes of these shards on these paths were made to fail.
    pub(super) watched: Vec<(ShardId, String)>,
    /// Requests from here on were sent to a shard that had failed.
    pub(super) failed_before: BTreeMap<ShardId, RequestId>,
    /// Skew of the wall clock.
    pub(super) skew_ns: i64,
    /// The latest that the wall clock ever showed.
    pub(super) latest: Realtime,
    /// The last answer to a read that checks everything.
    pub(super) read_back: Option<Fetched>,
    /// The last read began in a gap that ends here.
    pub(super) read_lost: Option<Offset>,
    /// The last read met a fault that was injected.
    pub(super) read_again: bool,
}

/// Plays the world of a plan.
pub fn play(plan: &Plan) -> Outcome {
    let mut world = World::new(plan.clone());
    let played = world.play_operations().and_then(|()| world.come_to_rest()).and_then(|()| world.end());
    world.outcome(played)
}

/// How far a checkpoint had come when the power went.
#[derive(Clone, Debug)]
pub struct CheckpointCut {
    /// What was done, and what was broken.
    pub outcome: Outcome,
    /// Every shard had answered.
    pub had_ended: bool,
}

/// Plays `operation_count` operations of a plan, asks every shard for a checkpoint, cuts
/// the power `event_count` events later, and checks everything after two more starts.
pub fn play_checkpoint(plan: &Plan, operation_count: u32, event_count: u64) -> CheckpointCut {
    let mut world = World::new(Plan { operation_count, ..plan.clone() });
    let played = world.play_operations().and_then(|()| world.come_to_rest());
    let mut had_ended = false;
    let violation = played.and_then(|()| {
        for number in 0..world.plan.shard_count {
            world.submit(ShardId(number), Asked::Other, Request::Checkpoint);
        }
        let _ = world.executor.run_until_event(world.executor.event_count() + event_count);
        world.take_seen()?;
        had_ended = world.asked.is_empty();
        world.end()
    });
    CheckpointCut { outcome: world.outcome(violation), had_ended }
}

impl World {
    fn new(plan: Plan) -> Self {
        let executor = SimExecutor::new(plan.seed);
        let mut disk = plan.disk.clone();
        if plan.lying_disk {
            disk.faults.path_contains = "journal".to_owned();
            disk.faults.write_lie_ppm = 1_000_000;
        }
        let device = SimDevice::new(executor.handle(), disk);
        let Streams { mut workload, faults, crash, .. } = streams(plan.seed);
        let _ = Plan::of(plan.seed, &mut workload);
        format_directory(&executor, &device, &plan);
        let cluster = start(&executor, &device, &plan, 0);
        Self {
            executor,
            device,
            cluster,
            random: workload,
            faults,
            crash,
            model: Model::default(),
            producers: Vec::new(),
            asked: BTreeMap::new(),
            next_request: 1,
            next_serial: 1,
            summary: Summary::default(),
            answers_digest: 0,
            incarnation: 0,
            faulty: false,
            watched: Vec::new(),
            failed_before: BTreeMap::new(),
            skew_ns: 0,
            latest: Realtime(0),
            read_back: None,
            read_lost: None,
            read_again: false,
            plan,
        }
    }

    fn outcome(self, played: Checked) -> Outcome {
        let digest = self.device.snapshot().digest() ^ self.answers_digest;
        let summary = Summary { event_count: self.executor.event_count(), ..self.summary };
        Outcome { summary, digest, violation: played.err() }
    }

    fn play_operations(&mut self) -> Checked {
        self.settle_start()?;
        self.create_topic();
        for _ in 0..self.plan.operation_count {
            let operation = self.draw();
            self.summary.operation_count += 1;
            self.step(operation)?;
            let events = self.random.random_range(0..=self.plan.events_between_max);
            let _ = self.executor.run_until_event(self.executor.event_count() + events);
            self.take_seen()?;
            self.check_failed_writes()?;
            self.restart_if_failed()?;
        }
        Ok(())
    }

    fn draw(&mut self) -> Operation {
        let total: u32 = self.plan.weights.iter().map(|(_, weight)| weight).sum();
        let mut at = self.random.random_range(0..total);
        for (operation, weight) in &self.plan.weights {
            if at < *weight {
                return *operation;
            }
            at -= weight;
        }
        unreachable!("the weights add up")
    }

    fn step(&mut self, operation: Operation) -> Checked {
        match operation {
            Operation::Kill | Operation::PowerLoss | Operation::Restart | Operation::Damage => {
                self.end_server(operation)?;
                if self.plan.ends_twice { self.end_server(Operation::PowerLoss) } else { Ok(()) }
            }
            Operation::DiskFault => {
                self.inject_fault();
                Ok(())
            }
            Operation::DiskSpace => {
                self.change_disk_space();
                Ok(())
            }
            Operation::ClockJump => {
                self.jump_clock();
                Ok(())
            }
            Operation::Wait => {
                let wait_ns = [1_000_000, 12_000_000, 200_000_000, 61_000_000_000];
                let wait_ns = wait_ns[self.random.random_range(0..wait_ns.len())];
                let _ = self.executor.run_for(wait_ns);
                Ok(())
            }
            other => {
                self.ask(other);
                Ok(())
            }
        }
    }

    /// Ends the server and starts another one.
    fn end_server(&mut self, operation: Operation) -> Checked {
        match operation {
            Operation::Restart => self.close_and_start(),
            Operation::Damage => self.damage_and_repair(),
            _ => self.crash(operation == Operation::PowerLoss),
        }
    }

    /// Runs until the condition holds.
    pub(super) fn wait(&mut self, condition: impl Fn(&Cluster) -> bool, what: &str) -> Checked {
        let deadline = self.executor.handle().now_ns() + PATIENCE_NS;
        let (cluster, handle) = (&self.cluster, self.executor.handle());
        let stop = self.executor.run_until(|| condition(cluster) || handle.now_ns() > deadline);
        if stop == Stop::Stalled || !condition(&self.cluster) {
            return violation("progress", what.to_owned());
        }
        Ok(())
    }

    /// No more faults strike, and everything still asked is answered.
    fn come_to_rest(&mut self) -> Checked {
        self.device.disarm();
        self.device.set_capacity_bytes(None);
        self.answer_all()
    }

    /// The power goes, then a last restart and a last check.
    fn end(&mut self) -> Checked {
        self.crash(true)?;
        self.close_and_start()?;
        self.answer_all()
    }

    /// Waits until nothing is unanswered.
    pub(super) fn answer_all(&mut self) -> Checked {
        let deadline = self.executor.handle().now_ns() + PATIENCE_NS;
        while !self.asked.is_empty() {
            let (cluster, handle) = (&self.cluster, self.executor.handle());
            let _ = self.executor.run_until(|| cluster.has_seen() || handle.now_ns() > deadline);
            if self.executor.handle().now_ns() > deadline {
                return violation(
                    "progress",
                    format!("{} requests are not answered: {:?}", self.asked.len(), self.asked.values().next()),
                );
            }
            self.take_seen()?;
        }
        Ok(())
    }

    /// Takes what the server said; returns how many shards closed.
    pub(super) fn take_seen(&mut self) -> Result<usize, Violation> {
        let mut stopped = 0;
        self.latest = self.latest.max(self.executor.handle().now().realtime);
        for seen in self.cluster.take_seen() {
            match seen {
                Seen::Reply(id, reply) => self.reply(id, reply)?,
                Seen::Failed(shard) => {
                    self.summary.failed_count += 1;
                    self.failed_before.insert(shard, RequestId(self.next_request));
                }
                Seen::Stopped(..) => stopped += 1,
            }
        }
        Ok(stopped)
    }

    /// Sends a request; if the shard is down nobody will ever answer, and nothing is asked.
    pub(super) fn submit(&mut self, shard: ShardId, asked: Asked, request: Request) -> bool {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.asked.insert(id, (shard, asked));
        let sent = self.cluster.submit(shard, id, request);
        if !sent {
            self.asked.remove(&id);
        }
        sent
    }
}

pub(super) fn start(executor: &SimExecutor, device: &SimDevice, plan: &Plan, incarnation: u64) -> Cluster {
    let messages = crate::sim::streams::runtime_stream(plan.seed, incarnation, u16::MAX);
    let settings = OpenSettings {
        blocks_in_flight: plan.blocks_in_flight,
        memory_bytes: Some(plan.geometry.ring_bytes() + plan.cached_bytes),
        segment_unsynced_bytes: plan.segment_unsynced_bytes,
    };
    Cluster::start(executor, device, plan.shard_count, settings, messages, plan.message_loss_ppm)
}

fn format_directory(executor: &SimExecutor, device: &SimDevice, plan: &Plan) {
    let runtime = SimRuntime::new(executor.handle(), device.mount(), 0);
    let settings = FormatSettings {
        directory_id: runtime.random(),
        journal_ids: (0..plan.shard_count).map(|_| runtime.random()).collect::<Vec<Id128>>(),
        geometry: plan.geometry,
        created: Realtime(runtime.now().realtime.0),
    };
    let process = runtime.process();
    let disk = runtime.disk().clone();
    let formatted = executor.block_on(async move { format(&disk, Path::new(DATA), &settings).await });
    formatted.expect("a new directory is formatted");
    executor.crash_process(process);
}
