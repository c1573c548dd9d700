//! Plays one world: operations, crashes in between, and a full check after every start.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

use florin_engine::catalogue::TopicChange;
use florin_engine::format::layout::shard_path;
use florin_engine::marks::{self, MarkCounts};
use florin_engine::model::{Offset, PartitionId, Realtime, RequestId, ShardId, TopicId};
use florin_engine::shard::open::OpenSettings;
use florin_engine::shard::{Fetched, OffsetAt, Request};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::checkers::{Checked, Violation};
use super::clients::Producer;
use super::cluster::{Cluster, DATA, MessageCounts, Seen};
use super::formatting::format_directory;
use super::model::{Model, SureLimit};
use super::plan::Plan;
use super::summary::Summary;
use super::workload::Operation;
use crate::sim::disk::Counters;
use crate::sim::streams::{self, StepStreams};
use crate::sim::{SimDevice, SimExecutor};

/// What a request is about, until it is answered.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    Capture { serial: u64, producer: Option<usize>, expect: Expect, limit: Option<SureLimit> },
    Fetch { partition: PartitionId, from: u64, bytes_max: usize, verify: bool },
    FetchByTime { partition: PartitionId, time: Realtime },
    ListOffset { partition: PartitionId, at: OffsetAt },
    Describe { topic: TopicId },
    CreateTopic,
    DeleteTopic { topic: TopicId, asked_at: u64 },
    AlterTopic { topic: TopicId, change: TopicChange, asked_at: u64 },
    Metadata { shard: ShardId },
    InitProducer { partition: PartitionId },
    LookUpKey { serial: u64 },
    Wrong { code: u16 },
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
    /// Which rare turns the engine took, and how often.
    pub marks: MarkCounts,
    /// What happened, in words, if that was asked for.
    pub trace: Vec<String>,
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
    /// Faults that were injected have struck since the last start.
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
    /// Of these, on files of these shards.
    pub(super) struck: BTreeSet<ShardId>,
    /// Segment files of this shard are damaged: it names the offsets that it cannot read.
    pub(super) damaged: Option<ShardId>,
    /// Keys of these partitions may be lost: an operator accepted it.
    pub(super) keys_lost: BTreeSet<PartitionId>,
    /// The offsets that it named, from and to below.
    pub(super) damage_seen: Vec<(PartitionId, Offset, Offset)>,
    /// The disk has broken what it is trusted with: nothing can be said from here on.
    pub(super) is_over: bool,
    pub(super) message_counts: Rc<MessageCounts>,
    /// Whether the directory came about as it should.
    formatted: Checked,
    trace: Vec<String>,
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
        // What is counted of this world and no other.
        let _ = marks::take();
        let executor = SimExecutor::new(plan.seed);
        let mut disk = plan.disk.clone();
        if plan.lying_disk {
            disk.faults.path_contains = "journal".to_owned();
            disk.faults.write_lie_ppm = 1_000_000;
        }
        let device = SimDevice::new(executor.handle(), disk);
        let mut summary = Summary::default();
        let formatted = format_directory(&executor, &device, &plan, &mut summary);
        let message_counts = Rc::default();
        let cluster = start(&executor, &device, &plan, 0, &message_counts);
        let StepStreams { workload, faults, crash } = streams::step_streams(plan.seed, 0);
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
            summary,
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
            struck: BTreeSet::new(),
            damaged: None,
            damage_seen: Vec::new(),
            is_over: false,
            keys_lost: BTreeSet::new(),
            message_counts,
            formatted,
            trace: Vec::new(),
            plan,
        }
    }

    fn outcome(self, played: Checked) -> Outcome {
        let digest = self.device.snapshot().digest() ^ self.answers_digest;
        let MessageCounts { lost, twice } = &*self.message_counts;
        let (message_lost_count, message_twice_count) = (lost.get(), twice.get());
        let event_count = self.executor.event_count();
        let summary = Summary { event_count, message_lost_count, message_twice_count, ..self.summary };
        let (disk, trace) = (self.device.counters(), self.trace);
        Outcome { summary, digest, violation: played.err(), disk, marks: marks::take(), trace }
    }

    /// Plays the steps of the plan. Each draws from streams of its own, so that leaving one out changes no other.
    fn play_operations(&mut self) -> Checked {
        self.formatted.clone()?;
        self.settle_start()?;
        for _ in 0..self.plan.first_topic_count {
            Operation::CreateTopic.play(self)?;
        }
        for step in 0..self.plan.operation_count {
            if self.is_over || self.plan.steps.as_ref().is_some_and(|steps| !steps.contains(&step)) {
                continue;
            }
            let StepStreams { workload, faults, crash } = streams::step_streams(self.plan.seed, step + 1);
            (self.random, self.faults, self.crash) = (workload, faults, crash);
            let operation = self.draw();
            self.summary.operation_count += 1;
            self.summary.last_step = step;
            self.note(|| format!("step {step}: {operation:?}"));
            operation.play(self)?;
            if operation.ends_server() && self.plan.ends_twice && !self.is_over {
                Operation::PowerLoss.play(self)?;
            }
            let events = self.random.random_range(0..=self.plan.events_between_max);
            let _ = self.executor.run_until_event(self.executor.event_count() + events);
            self.take_seen()?;
            self.within_limits()?;
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

    /// Notes what happens, if that is asked for.
    pub(super) fn note(&mut self, what: impl FnOnce() -> String) {
        if self.plan.is_traced {
            let at_us = self.executor.handle().now_ns() / 1000;
            self.trace.push(format!("{at_us:>12} us  {}", what()));
        }
    }

    /// No more faults strike, and everything still asked is answered.
    fn come_to_rest(&mut self) -> Checked {
        if self.is_over {
            return Ok(());
        }
        self.device.disarm();
        self.device.set_capacity_bytes(None);
        self.answer_all()
    }

    /// The power goes, then a last restart and a last check.
    fn end(&mut self) -> Checked {
        if self.is_over {
            self.summary.over_count += 1;
            return Ok(());
        }
        self.crash(true)?;
        self.close_and_start()?;
        self.answer_all()?;
        self.everything_goes_on()
    }

    /// Takes what the server said; returns how many shards closed.
    pub(super) fn take_seen(&mut self) -> Result<usize, Violation> {
        let mut stopped = 0;
        self.note_struck();
        self.latest = self.latest.max(self.executor.handle().now().realtime);
        for seen in self.cluster.take_seen() {
            match seen {
                Seen::Reply(id, reply) => self.reply(id, reply)?,
                Seen::Failed(shard) => {
                    self.note(|| format!("shard {shard} failed"));
                    self.has_reason_to_fail(shard)?;
                    self.summary.failed_count += 1;
                    self.failed_before.insert(shard, RequestId(self.next_request));
                }
                Seen::Stopped(..) => stopped += 1,
            }
        }
        Ok(stopped)
    }

    /// Notes where faults have struck.
    pub(super) fn note_struck(&mut self) {
        let struck = self.device.take_struck();
        self.faulty |= !struck.is_empty();
        for number in 0..self.plan.shard_count {
            let folder = shard_path(Path::new(DATA), ShardId(number));
            if struck.iter().any(|path| path.starts_with(&folder)) {
                self.struck.insert(ShardId(number));
            }
        }
    }

    /// Sends a request; if the shard is down nobody will ever answer, and nothing is asked.
    pub(super) fn submit(&mut self, shard: ShardId, asked: Asked, request: Request) -> bool {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.note(|| format!("{id} to shard {shard}: {asked:?}"));
        self.asked.insert(id, (shard, asked));
        let sent = self.cluster.submit(shard, id, request);
        if !sent {
            self.asked.remove(&id);
        }
        sent
    }
}

pub(super) fn start(
    executor: &SimExecutor,
    device: &SimDevice,
    plan: &Plan,
    incarnation: u64,
    counts: &Rc<MessageCounts>,
) -> Cluster {
    let messages = streams::runtime_stream(plan.seed, incarnation, u16::MAX);
    let settings = OpenSettings {
        blocks_in_flight: plan.blocks_in_flight,
        memory_bytes: Some(plan.geometry.ring_bytes() + plan.cached_bytes),
        key_cache_bytes: plan.cached_bytes,
        segment_unsynced_bytes: plan.segment_unsynced_bytes,
        clock_settle_ns: plan.clock_settle_ns,
    };
    Cluster::start(executor, device, plan.shard_count, settings, messages, plan.message_loss_ppm, counts)
}
