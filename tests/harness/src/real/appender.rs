//! One shard of the appender: opened, read back, then written to until it is stopped or killed.

use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use florin_engine::catalogue::{TopicDescriptor, TopicSettings};
use florin_engine::io::Runtime;
use florin_engine::model::ShardId;
use florin_engine::shard::open::{OpenReport, OpenSettings, open_shard, read_identity};
use florin_engine::shard::{Refusal, Reply, Request};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::client::Client;
use super::line::{Line, Sent, Voice};
use super::mesh::Port;
use super::producer::{Identity, Plan, produce};
use super::reader;

/// The topic that everything is written to.
pub const TOPIC_NAME: &str = "payments";
/// Its partitions.
pub const PARTITION_COUNT: u32 = 4;

/// How often messages and the wish to stop are looked for.
const POLL_NS: u64 = 1_000_000;
/// How long anything at the start may take.
const START_NS_MAX: u64 = 20_000_000_000;
/// Producer numbers that belong to one shard.
const NUMBERS_PER_SHARD: u32 = 1000;

/// What a run of the appender shall do.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data directory.
    pub directory: PathBuf,
    /// The number of this run, from 0.
    pub run: u32,
    /// Seed of everything random in it.
    pub seed: u64,
    /// Producers on each shard; 0 only reads back and closes.
    pub producer_count: u32,
    /// Journal blocks being written at the same time.
    pub blocks_in_flight: usize,
    /// A producer rests up to this long after every second batch.
    pub pause_us: u64,
    /// Producers rest when no more ring files than this are unused.
    pub unused_files_min: usize,
    /// Stop in order after this long.
    pub stop_after_ns: u64,
    /// The last batches of idempotent producers of the run before, to be sent again.
    pub resumed: Vec<Sent>,
}

/// What all tasks of a shard share.
pub struct ShardContext<R: Runtime> {
    /// The executor.
    pub runtime: R,
    /// The shard.
    pub client: Client<R>,
    /// Which one.
    pub shard: ShardId,
    /// Standard output.
    pub voice: Voice,
    /// What to do.
    pub settings: Settings,
    stop: Arc<AtomicBool>,
    /// This shard alone has nothing more to do.
    done: Cell<bool>,
    rests: Cell<bool>,
    busy_count: Cell<usize>,
}

impl<R: Runtime> ShardContext<R> {
    /// Whether the run shall end on this shard.
    pub fn is_stopping(&self) -> bool {
        self.done.get() || self.stop.load(Ordering::Relaxed)
    }

    /// Returns when the run has some of its share of the ring left, or ends.
    pub async fn rest_while_ring_is_used(&self) {
        while !self.is_stopping() && self.client.status().unused_ring_file_count <= self.settings.unused_files_min {
            if !self.rests.replace(true) {
                self.voice.say(&Line::Resting { shard: self.shard.0 });
            }
            self.runtime.sleep(POLL_NS).await;
        }
    }
}

/// Runs one shard until it is closed. `stop` is shared by all shards.
pub async fn run_shard<R: Runtime>(
    runtime: R,
    settings: Settings,
    shard: ShardId,
    port: Port,
    voice: Voice,
    stop: Arc<AtomicBool>,
) -> Result<(), String> {
    voice.say(&Line::Opening { shard: shard.0 });
    let identity = read_identity(runtime.disk(), &settings.directory).await.map_err(|error| error.to_string())?;
    let open = OpenSettings { blocks_in_flight: settings.blocks_in_flight, ..OpenSettings::default() };
    let opened = open_shard(&runtime, &settings.directory, &identity, shard, open, |_cuts| {}).await;
    let opened = opened.map_err(|error| error.to_string())?;
    voice.say(&opened_line(&opened.report));
    let client = Client::start(runtime.clone(), opened, port.forward());
    let (done, rests, busy_count) = (Cell::new(false), Cell::new(false), Cell::new(0));
    let context = ShardContext { runtime, client, shard, voice, settings, stop, done, rests, busy_count };
    let context = Rc::new(context);
    context.runtime.spawn(attend(Rc::clone(&context), port));
    let outcome = work(&context).await;
    if outcome.is_err() {
        context.stop.store(true, Ordering::Relaxed);
    }
    while context.client.stopped().is_none() || context.busy_count.get() > 0 {
        context.runtime.sleep(POLL_NS).await;
    }
    let clean = context.client.stopped() == Some(true);
    context.voice.say(&Line::Stopped { shard: shard.0, clean });
    outcome
}

fn opened_line(report: &OpenReport) -> Line {
    Line::Opened {
        shard: report.shard.0,
        was_clean: report.was_clean,
        epoch: report.epoch.0,
        last_sequence: report.last_sequence.0,
        cut_count: report.cuts.len() as u64,
        note_count: report.notes.len() as u64,
    }
}

/// Carries messages in, and closes the shard when the run shall end.
async fn attend<R: Runtime>(context: Rc<ShardContext<R>>, port: Port) {
    let stop_at = context.runtime.now().monotonic.plus_ns(context.settings.stop_after_ns);
    let mut asked_to_stop = false;
    while context.client.stopped().is_none() {
        while let Some(parcel) = port.receive() {
            context.client.deliver(parcel.from, parcel.message);
        }
        if let Some(error) = context.client.failure() {
            context.voice.say(&Line::Wrong(format!("shard {}: {error}", context.shard)));
            context.stop.store(true, Ordering::Relaxed);
        }
        if context.runtime.now().monotonic >= stop_at {
            context.stop.store(true, Ordering::Relaxed);
        }
        if context.is_stopping() && !asked_to_stop {
            asked_to_stop = true;
            context.client.shutdown();
        }
        context.runtime.sleep(POLL_NS).await;
    }
}

async fn work<R: Runtime>(context: &Rc<ShardContext<R>>) -> Result<(), String> {
    until(context, "the epoch's first block", || context.client.status().serving).await?;
    let Some(topic) = find_topic(context).await? else { return Ok(()) };
    let partitions: Vec<_> = topic.partitions_on(context.shard).collect();
    for partition in &partitions {
        reader::read_back(context, *partition).await?;
    }
    let unused_file_count = context.client.status().unused_ring_file_count as u64;
    context.voice.say(&Line::Serving { shard: context.shard.0, unused_file_count });
    if context.settings.producer_count == 0 {
        context.done.set(true);
        return Ok(());
    }
    let seed = context.settings.seed ^ (u64::from(context.shard.0) << 48) ^ (u64::from(context.settings.run) << 16);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for plan in plans(context, &topic) {
        let random = ChaCha8Rng::from_rng(&mut random);
        start(context, produce(Rc::clone(context), plan, random));
    }
    let followed = partitions[random.random_range(0..partitions.len())];
    start(context, reader::follow(Rc::clone(context), followed));
    if random.random_ratio(1, 3) {
        let after_ns = random.random_range(0..60_000_000);
        start(context, checkpoint(Rc::clone(context), after_ns));
    }
    Ok(())
}

/// Starts a task that the shard's end waits for.
fn start<R: Runtime>(context: &Rc<ShardContext<R>>, task: impl Future<Output = ()> + 'static) {
    context.busy_count.set(context.busy_count.get() + 1);
    let shared = Rc::clone(context);
    context.runtime.spawn(async move {
        task.await;
        shared.busy_count.set(shared.busy_count.get() - 1);
    });
}

/// Resumed producers first, then fresh and plain ones in turn.
fn plans<R: Runtime>(context: &ShardContext<R>, topic: &TopicDescriptor) -> Vec<Plan> {
    let partitions: Vec<_> = topic.partitions_on(context.shard).collect();
    let is_here = |sent: &&Sent| partitions.contains(&sent.partition);
    let mut resumed = context.settings.resumed.iter().filter(is_here);
    let first = u32::from(context.shard.0) * NUMBERS_PER_SHARD;
    (0..context.settings.producer_count)
        .map(|index| {
            let identity = match (resumed.next(), index % 2) {
                (Some(sent), _) => Identity::Resumed(*sent),
                (None, 0) => Identity::Fresh,
                (None, _) => Identity::Plain,
            };
            let mut partitions = partitions.clone();
            let turn = index as usize % partitions.len();
            partitions.rotate_left(turn);
            Plan { number: first + index, identity, partitions }
        })
        .collect()
}

async fn checkpoint<R: Runtime>(context: Rc<ShardContext<R>>, after_ns: u64) {
    context.runtime.sleep(after_ns).await;
    match context.client.ask(Request::Checkpoint).await {
        Reply::Checkpointed { .. } => context.voice.say(&Line::Checkpointed { shard: context.shard.0 }),
        Reply::Refused(Refusal::Stopping(_)) => {}
        other => context.voice.say(&Line::Wrong(format!("a checkpoint was answered with {other:?}"))),
    }
}

/// The topic once this shard knows it with its partitions; shard 0 creates it. `None` if the run ends before.
async fn find_topic<R: Runtime>(context: &ShardContext<R>) -> Result<Option<TopicDescriptor>, String> {
    let give_up_at = context.runtime.now().monotonic.plus_ns(START_NS_MAX);
    while context.runtime.now().monotonic < give_up_at {
        if context.is_stopping() {
            return Ok(None);
        }
        match context.client.ask(Request::Metadata).await {
            Reply::Topics { topics, .. } => {
                let found = topics.into_iter().find(|topic| topic.name() == TOPIC_NAME);
                if found.is_some() {
                    return Ok(found);
                }
            }
            other => return Err(format!("metadata was answered with {other:?}")),
        }
        if context.shard == florin_engine::catalogue::COORDINATOR {
            create_topic(context).await?;
        } else {
            context.runtime.sleep(POLL_NS).await;
        }
    }
    Err(format!("shard {}: the topic did not come about", context.shard))
}

async fn create_topic<R: Runtime>(context: &ShardContext<R>) -> Result<(), String> {
    let request = Request::CreateTopic {
        name: TOPIC_NAME.to_owned(),
        partition_count: PARTITION_COUNT,
        settings: TopicSettings::default(),
        keys: None,
    };
    match context.client.ask(request).await {
        Reply::TopicCreated(_) => Ok(()),
        Reply::Refused(Refusal::StillWorking | Refusal::NameTaken(_) | Refusal::Busy(_) | Refusal::Stopping(_)) => {
            context.runtime.sleep(POLL_NS).await;
            Ok(())
        }
        other => Err(format!("creating the topic was answered with {other:?}")),
    }
}

async fn until<R: Runtime>(
    context: &ShardContext<R>,
    what: &str,
    mut holds: impl FnMut() -> bool,
) -> Result<(), String> {
    let give_up_at = context.runtime.now().monotonic.plus_ns(START_NS_MAX);
    while !holds() {
        if context.runtime.now().monotonic >= give_up_at || context.client.failure().is_some() {
            return Err(format!("shard {}: {what} did not come about", context.shard));
        }
        context.runtime.sleep(POLL_NS / 10).await;
    }
    Ok(())
}
