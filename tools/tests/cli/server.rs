//! A server of one shard that runs until there is nothing left to do: it fills directories with real blocks.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use florin_engine::catalogue::TopicSettings;
use florin_engine::format::batch::{BatchBuilder, HEADERS_NONE};
use florin_engine::io::blocking::{BlockingDisk, block_on};
use florin_engine::io::{DiskError, Runtime};
use florin_engine::model::{Id128, Monotonic, Now, PartitionId, Realtime, RequestId, ShardId, TopicId};
use florin_engine::shard::driver::{Outlet, ShardDriver};
use florin_engine::shard::open::{OpenSettings, open_shard, read_identity};
use florin_engine::shard::{Reply, Request, ShardMessage};

use crate::scratch::Scratch;

/// The only partition.
pub const PARTITION: PartitionId = PartitionId { topic: TopicId(1), index: 0 };
/// The wall clock stands at 2026-01-02T03:04:05.
const REALTIME_NS: u64 = 1_767_323_045_000_000_000;

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Polls each task once, in the order of spawning: tasks of the blocking disk never wait, and sleep never ends.
#[derive(Clone, Default)]
struct QueueRuntime {
    tasks: Rc<RefCell<VecDeque<Task>>>,
    ticks: Rc<Cell<u64>>,
    /// Whether a short rest ever ends; otherwise nothing is taken to rest, because its writer rests in between.
    rests_end: bool,
}

impl QueueRuntime {
    fn run(&self) {
        let mut context = Context::from_waker(Waker::noop());
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
        let ticks = self.ticks.get();
        Now { monotonic: Monotonic(ticks), realtime: Realtime(REALTIME_NS + ticks) }
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.tasks.borrow_mut().push_back(Box::pin(task));
    }

    async fn sleep(&self, duration_ns: u64) {
        if !self.rests_end || duration_ns > 1_000 {
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

    fn failed(&self, shard: ShardId, error: &DiskError) {
        panic!("shard {shard}: {error}");
    }

    fn stopped(&self, _shard: ShardId, _clean: bool) {}
}

/// A running shard 0.
pub struct Server {
    runtime: QueueRuntime,
    driver: ShardDriver<QueueRuntime, Replies>,
    replies: Replies,
}

impl Server {
    /// One that never takes anything to rest.
    pub fn start(scratch: &Scratch) -> Self {
        Self::start_on(scratch, QueueRuntime::default())
    }

    /// One that takes batches to rest when it is asked for a checkpoint.
    pub fn start_resting(scratch: &Scratch) -> Self {
        Self::start_on(scratch, QueueRuntime { rests_end: true, ..QueueRuntime::default() })
    }

    /// Takes everything to rest.
    pub fn checkpoint(&self) {
        let reply = self.ask(Request::Checkpoint);
        assert!(matches!(reply, Reply::Checkpointed { .. }), "{reply:?}");
    }

    fn start_on(scratch: &Scratch, runtime: QueueRuntime) -> Self {
        let replies = Replies::default();
        let directory = scratch.directory();
        let opened = block_on(async {
            let identity = read_identity(&BlockingDisk, &directory).await.expect("an identity");
            open_shard(&runtime, &directory, &identity, ShardId(0), OpenSettings::default(), |_cuts| {})
                .await
                .expect("opened")
        });
        let driver = ShardDriver::start(runtime.clone(), opened, replies.clone());
        let server = Self { runtime, driver, replies };
        server.runtime.run();
        server
    }

    pub fn ask(&self, request: Request) -> Reply {
        self.driver.submit(RequestId(1), request);
        self.runtime.run();
        self.replies.0.borrow_mut().pop().expect("an answer")
    }

    pub fn create_topic(&self) {
        self.create_topic_of(1);
    }

    /// With so many partitions.
    pub fn create_topic_of(&self, partition_count: u32) {
        let reply = self.ask(Request::CreateTopic {
            name: "payments".to_owned(),
            partition_count,
            settings: TopicSettings::default(),
            keys: None,
        });
        assert!(matches!(&reply, Reply::TopicCreated(topic) if topic.id() == PARTITION.topic), "{reply:?}");
    }

    /// Captures a batch of two records, in a block of its own.
    pub fn capture(&self) {
        self.capture_in(PARTITION);
    }

    /// The same, in some partition.
    pub fn capture_in(&self, partition: PartitionId) {
        self.capture_batch(partition, |_| {});
    }

    /// The same, of a batch that its client changed.
    pub fn capture_batch(&self, partition: PartitionId, change: impl FnOnce(&mut [u8])) {
        let mut builder = BatchBuilder::new();
        for value in [&b"first secret payment"[..], b"second secret payment"] {
            builder.push(1_767_323_045_000, None, Some(value), HEADERS_NONE).expect("pushed");
        }
        let mut batch = builder.finish();
        change(&mut batch);
        let reply = self.ask(Request::Capture { partition, batch });
        assert!(matches!(reply, Reply::Captured { .. }), "{reply:?}");
    }

    /// Ends in order. A server that is only dropped has crashed.
    pub fn stop(self) {
        self.driver.shutdown();
        self.runtime.run();
    }
}

impl Scratch {
    /// With a topic and three batches; `end` says how the server ends.
    fn with_three_batches(start: impl FnOnce(&Self) -> Server, end: impl FnOnce(Server)) -> Self {
        let scratch = Self::formatted();
        let server = start(&scratch);
        server.create_topic();
        (0..3).for_each(|_| server.capture());
        end(server);
        scratch
    }

    /// With a topic and three batches; the server has crashed behind the last.
    pub fn crashed() -> Self {
        Self::with_three_batches(Server::start, drop)
    }

    /// The same, but closed in order.
    pub fn closed() -> Self {
        Self::with_three_batches(Server::start, Server::stop)
    }

    /// Closed in order, with all three batches in a segment file.
    pub fn at_rest() -> Self {
        Self::with_three_batches(Server::start_resting, |server| {
            server.checkpoint();
            server.stop();
        })
    }

    /// The same, but crashed: the journal still holds them as well.
    pub fn at_rest_and_in_journal() -> Self {
        Self::with_three_batches(Server::start_resting, |server| {
            server.checkpoint();
            drop(server);
        })
    }

    /// Closed in order, with three batches of each of two partitions in one segment file.
    pub fn shared() -> Self {
        let scratch = Self::formatted();
        let server = Server::start_resting(&scratch);
        server.create_topic_of(2);
        for index in [0, 1, 0, 1, 0, 1] {
            server.capture_in(PartitionId { index, ..PARTITION });
        }
        server.checkpoint();
        server.stop();
        scratch
    }

    /// Crashed, started again and crashed again: the first journal file is sealed.
    pub fn sealed() -> Self {
        let scratch = Self::crashed();
        let server = Server::start(&scratch);
        server.capture();
        drop(server);
        scratch
    }

    /// Positions, sequences and verdicts of the blocks in a journal file.
    pub fn blocks(&self, file: &str) -> Vec<(u64, u64, String)> {
        let document = self.run("inspect journal", &["--json"]).json();
        let files = document["shards"][0]["files"].as_array().expect("files").clone();
        let found = files.into_iter().find(|found| found["path"] == file).expect("the file is listed");
        let blocks = found["blocks"].as_array().expect("blocks").iter();
        let number = |value: &serde_json::Value| value.as_u64().expect("a number");
        blocks
            .map(|block| {
                let verdict = block["verdict"].as_str().expect("a word").to_owned();
                (number(&block["position"]), number(&block["sequence"]), verdict)
            })
            .collect()
    }
}
