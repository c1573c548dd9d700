//! One shard on one thread, without a network: tasks are polled one after the other and its disk blocks.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker};

use anyhow::{Context, Result, anyhow, ensure};
use bytes::BytesMut;
use florin_engine::catalogue::TopicSettings;
use florin_engine::format::batch::{BatchBuilder, HEADERS_NONE};
use florin_engine::format::layout::Geometry;
use florin_engine::io::blocking::{BlockingDisk, block_on};
use florin_engine::io::{DiskError, Runtime};
use florin_engine::journal::create::{FormatSettings, format};
use florin_engine::model::{
    Id128, Monotonic, Now, PartitionId, ProducerEpoch, ProducerId, Realtime, RequestId, ShardId,
};
use florin_engine::shard::driver::{Outlet, ShardDriver};
use florin_engine::shard::open::{OpenSettings, open_shard, read_identity};
use florin_engine::shard::{Reply, Request, ShardMessage};

use crate::cli::{Captured, StateCoreArguments};

const SHARD: ShardId = ShardId(0);
const REALTIME_NS: u64 = 1_767_323_045_000_000_000;
const TICK_NS: u64 = 1000;
const VALUE: [u8; 256] = [b'F'; 256];
/// Batches of one block.
const BLOCK_BATCHES: u64 = 64;
const GEOMETRY: Geometry = Geometry { file_count: 4, file_bytes: 64 << 20, manifest_bytes: 1 << 20 };

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Polls tasks in the order of spawning; nobody sleeps.
#[derive(Clone, Default)]
struct QueueRuntime {
    tasks: Rc<RefCell<VecDeque<Task>>>,
    ticks: Rc<Cell<u64>>,
}

impl QueueRuntime {
    fn run(&self) {
        let mut context = TaskContext::from_waker(Waker::noop());
        loop {
            let task = self.tasks.borrow_mut().pop_front();
            let Some(mut task) = task else { return };
            // What still waits now waits for time, which does not pass here.
            let (Poll::Ready(()) | Poll::Pending) = task.as_mut().poll(&mut context);
        }
    }
}

impl Runtime for QueueRuntime {
    type Disk = BlockingDisk;

    fn disk(&self) -> &BlockingDisk {
        &BlockingDisk
    }

    fn now(&self) -> Now {
        self.ticks.set(self.ticks.get() + 1);
        let ns = self.ticks.get() * TICK_NS;
        Now { monotonic: Monotonic(ns), realtime: Realtime(REALTIME_NS + ns) }
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.tasks.borrow_mut().push_back(Box::pin(task));
    }

    async fn sleep(&self, duration_ns: u64) {
        // Whoever rests between two writes goes on.
        if duration_ns > TICK_NS {
            std::future::pending().await
        }
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        work()
    }

    fn random(&self) -> Id128 {
        Id128([7; 16])
    }
}

/// Keeps the replies.
#[derive(Clone, Default)]
struct Replies(Rc<RefCell<Vec<Reply>>>);

impl Outlet for Replies {
    fn reply(&self, _id: RequestId, reply: Reply) {
        self.0.borrow_mut().push(reply);
    }

    fn send(&self, _from: ShardId, _to: ShardId, _message: ShardMessage) {}

    fn failed(&self, _shard: ShardId, _error: &DiskError) {}

    fn stopped(&self, _shard: ShardId, _clean: bool) {}
}

/// A shard that runs.
struct Core {
    runtime: QueueRuntime,
    driver: ShardDriver<QueueRuntime, Replies>,
    replies: Replies,
}

impl Core {
    fn start(arguments: &StateCoreArguments) -> Result<Self> {
        let (runtime, replies, directory) = (QueueRuntime::default(), Replies::default(), &arguments.directory);
        let created = runtime.now().realtime;
        let settings = FormatSettings {
            directory_id: Id128([1; 16]),
            journal_ids: vec![Id128([2; 16])],
            geometry: GEOMETRY,
            created,
        };
        let opened = block_on(async {
            format(&BlockingDisk, directory, &settings).await.map_err(|error| anyhow!("{error}"))?;
            let identity = read_identity(&BlockingDisk, directory).await.map_err(|error| anyhow!("{error}"))?;
            let opened = open_shard(&runtime, directory, &identity, SHARD, OpenSettings::default(), |_cuts| {}).await;
            opened.map_err(|error| anyhow!("{error}"))
        })?;
        let driver = ShardDriver::start(runtime.clone(), opened, replies.clone());
        let core = Self { runtime, driver, replies };
        core.runtime.run();
        Ok(core)
    }

    fn ask(&self, request: Request) -> Result<Reply> {
        self.driver.submit(RequestId(1), request);
        self.runtime.run();
        self.replies.0.borrow_mut().pop().context("there is no answer")
    }
}

/// Captures so many records, and sees to it that each was stored.
pub(super) fn run(arguments: &StateCoreArguments) -> Result<()> {
    let core = Core::start(arguments)?;
    let create = Request::CreateTopic {
        name: "payments".to_owned(),
        partition_count: 1,
        settings: TopicSettings::default(),
        keys: None,
    };
    let Reply::TopicCreated(topic) = core.ask(create)? else { return Err(anyhow!("no topic was made")) };
    let partition = PartitionId { topic: topic.id(), index: 0 };
    let producer = match (arguments.captured, core.ask(Request::InitProducer)?) {
        (Captured::Plain, _) => None,
        (Captured::Idempotent, Reply::Producer { id, epoch }) => Some((id, epoch)),
        (Captured::Idempotent, other) => return Err(anyhow!("no producer was given: {other:?}")),
    };
    let batch_count = arguments.records.div_ceil(u64::from(arguments.batch));
    let mut sent = 0;
    while sent < batch_count {
        let in_block = BLOCK_BATCHES.min(batch_count - sent);
        for number in sent..sent + in_block {
            let batch = batch(arguments.batch, number, producer)?;
            core.driver.submit(RequestId(number), Request::Capture { partition, batch });
        }
        core.runtime.run();
        sent += in_block;
        let replies = core.replies.0.take();
        let is_stored = |reply: &Reply| matches!(reply, Reply::Captured { duplicate: false, .. });
        let is_all = replies.len() as u64 == in_block && replies.iter().all(is_stored);
        ensure!(is_all, "{in_block} batches were answered with {:?}", replies.iter().find(|reply| !is_stored(reply)));
    }
    Ok(())
}

fn batch(records: u32, number: u64, producer: Option<(ProducerId, ProducerEpoch)>) -> Result<BytesMut> {
    let mut builder = BatchBuilder::new();
    if let Some((id, epoch)) = producer {
        builder.stamp(id, epoch, u32::try_from(number * u64::from(records))?);
    }
    for _ in 0..records {
        builder.push(1_767_323_045_000, None, Some(&VALUE), HEADERS_NONE)?;
    }
    Ok(builder.finish())
}
