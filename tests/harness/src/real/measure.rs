//! How many captures a second one shard acknowledges, by producers and by journal blocks in flight, with the floor
//! of the device beside it. Closed loop: every producer waits for its answer before it sends again.

use std::cell::{Cell, RefCell};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bytes::BytesMut;
use florin_engine::catalogue::TopicSettings;
use florin_engine::format::batch::{BatchBuilder, HEADERS_NONE};
use florin_engine::format::layout::Geometry;
use florin_engine::io::glommio::{GlommioRuntime, ShardExecutor};
use florin_engine::io::{Access, Disk, DiskFile, Runtime, UNIT_BYTES};
use florin_engine::model::{PartitionId, Position, ShardId};
use florin_engine::shard::open::{OpenSettings, open_shard, read_identity};
use florin_engine::shard::{Reply, Request};

use super::client::Client;
use super::directory;

/// Producers that are compared.
const PRODUCER_COUNTS: [usize; 3] = [1, 8, 32];
/// Blocks in flight that are compared.
const BLOCKS_IN_FLIGHT: [usize; 3] = [1, 2, 4];
/// Each is measured as often, interleaved, and the median counts.
const ROUND_COUNT: usize = 3;
/// Before it counts.
const WARM_UP_NS: u64 = 300_000_000;
/// While it counts.
const MEASURE_NS: u64 = 1_000_000_000;
/// The value of the one record in a batch.
const VALUE_BYTES: usize = 256;
/// Partitions that producers are spread over.
const PARTITION_COUNT: u32 = 8;
/// Units that the floor is measured over, again and again.
const FLOOR_UNIT_COUNT: u64 = 4096;
const PAUSE_NS: u64 = 1_000_000;

/// What one measurement gave.
#[derive(Clone, Debug, Default)]
struct Sample {
    operations_per_second: u64,
    p50_us: u64,
    p99_us: u64,
    max_us: u64,
    operations_per_block: f64,
}

/// Latencies that were taken while it counted.
#[derive(Debug, Default)]
struct Meter {
    counts: Cell<bool>,
    ends: Cell<bool>,
    busy_count: Cell<usize>,
    latencies_ns: RefCell<Vec<u64>>,
}

/// Measures in new directories below `directory`, on `core`, and gives a table.
pub fn measure(directory: &Path, core: Option<usize>) -> Result<String, String> {
    let mut engine = vec![Vec::new(); PRODUCER_COUNTS.len() * BLOCKS_IN_FLIGHT.len()];
    let mut floor = vec![Vec::new(); BLOCKS_IN_FLIGHT.len()];
    for round in 0..ROUND_COUNT {
        for (index, depth) in BLOCKS_IN_FLIGHT.into_iter().enumerate() {
            floor[index]
                .push(on_executor(directory, core, round, move |runtime, path| floor_of(runtime, path, depth))?);
        }
        for (row, producers) in PRODUCER_COUNTS.into_iter().enumerate() {
            for (column, blocks) in BLOCKS_IN_FLIGHT.into_iter().enumerate() {
                let job = move |runtime, path| captures(runtime, path, producers, blocks);
                let sample = on_executor(directory, core, round, job)?;
                engine[row * BLOCKS_IN_FLIGHT.len() + column].push(sample);
            }
        }
    }
    Ok(table(&mut engine, &mut floor))
}

/// Formats a directory, runs a job on an executor, and removes the directory.
fn on_executor<Job>(
    directory: &Path,
    core: Option<usize>,
    round: usize,
    job: impl FnOnce(GlommioRuntime, PathBuf) -> Job + Send + 'static,
) -> Result<Sample, String>
where
    Job: Future<Output = Result<Sample, String>>,
{
    let path = directory.join(format!("measure-{}-{round}", std::process::id()));
    directory::create(&path, 1, Geometry::default())?;
    let executor = ShardExecutor::new(directory::executor_settings(&path, "measure", core, 1));
    let target = path.clone();
    let outcome = executor.spawn(move |runtime| job(runtime, target)).map_err(|error| error.to_string());
    let outcome = outcome.and_then(|thread| thread.join());
    std::fs::remove_dir_all(&path).map_err(|error| error.to_string())?;
    outcome
}

/// Durable writes of one unit each to written places, `depth` at a time, without any engine.
async fn floor_of(runtime: GlommioRuntime, path: PathBuf, depth: usize) -> Result<Sample, String> {
    let shard = florin_engine::format::layout::shard_path(&path, ShardId(0));
    let ring = florin_engine::format::layout::journal_path(&shard, florin_engine::model::FileIndex(0));
    let file = runtime.disk().open(&ring, Access::Durable).await.map_err(|error| error.to_string())?;
    let meter = Rc::new(Meter::default());
    let next = Rc::new(Cell::new(0));
    for _ in 0..depth {
        let (meter, file, next, runtime) = (Rc::clone(&meter), file.clone(), Rc::clone(&next), runtime.clone());
        meter.busy_count.set(meter.busy_count.get() + 1);
        runtime.clone().spawn(async move {
            while !meter.ends.get() {
                let unit = next.replace(next.get() + 1) % FLOOR_UNIT_COUNT;
                let begun = runtime.now().monotonic;
                let buffer = file.allocate(UNIT_BYTES);
                let written = file.write_durable(buffer, Position(unit * UNIT_BYTES as u64)).await;
                written.result.expect("the disk works");
                meter.take(runtime.now().monotonic.0 - begun.0);
            }
            meter.busy_count.set(meter.busy_count.get() - 1);
        });
    }
    let sample = meter.sample(&runtime).await;
    Ok(Sample { operations_per_block: 1.0, ..sample })
}

/// Captures of one record each through a shard.
async fn captures(runtime: GlommioRuntime, path: PathBuf, producers: usize, blocks: usize) -> Result<Sample, String> {
    let identity = read_identity(runtime.disk(), &path).await.map_err(|error| error.to_string())?;
    let open = OpenSettings { blocks_in_flight: blocks, ..OpenSettings::default() };
    let opened = open_shard(&runtime, &path, &identity, ShardId(0), open, |_cuts| {})
        .await
        .map_err(|error| error.to_string())?;
    let client = Client::start(runtime.clone(), opened, Box::new(|_, _, _| {}));
    while !client.status().serving {
        runtime.sleep(PAUSE_NS).await;
    }
    let create = Request::CreateTopic {
        name: "payments".to_owned(),
        partition_count: PARTITION_COUNT,
        settings: TopicSettings::default(),
        keys: None,
    };
    let Reply::TopicCreated(topic) = client.ask(create).await else { return Err("no topic".to_owned()) };
    let meter = Rc::new(Meter::default());
    let partitions: Vec<_> = topic.partitions_on(ShardId(0)).collect();
    for number in 0..producers {
        meter.busy_count.set(meter.busy_count.get() + 1);
        let partition = partitions[number % partitions.len()];
        runtime.spawn(capture_until_end(runtime.clone(), client.clone(), Rc::clone(&meter), partition));
    }
    let before = client.status().durable_sequence.0;
    let sample = meter.sample(&runtime).await;
    let block_count = client.status().durable_sequence.0 - before;
    client.shutdown();
    while client.stopped().is_none() {
        runtime.sleep(PAUSE_NS).await;
    }
    let all = sample.operations_per_second as f64 * (WARM_UP_NS + MEASURE_NS) as f64 / MEASURE_NS as f64;
    Ok(Sample { operations_per_block: all / block_count.max(1) as f64, ..sample })
}

async fn capture_until_end(
    runtime: GlommioRuntime,
    client: Client<GlommioRuntime>,
    meter: Rc<Meter>,
    partition: PartitionId,
) {
    let batch = one_record();
    while !meter.ends.get() {
        let begun = runtime.now().monotonic;
        let reply = client.ask(Request::Capture { partition, batch: batch.clone() }).await;
        assert!(matches!(reply, Reply::Captured { .. }), "a capture was answered with {reply:?}");
        meter.take(runtime.now().monotonic.0 - begun.0);
    }
    meter.busy_count.set(meter.busy_count.get() - 1);
}

fn one_record() -> BytesMut {
    let mut builder = BatchBuilder::new();
    let pushed = builder.push(1_700_000_000_000, Some(b"customer-1"), Some(&[b'5'; VALUE_BYTES]), HEADERS_NONE);
    pushed.expect("one small record fits a batch");
    builder.finish()
}

impl Meter {
    fn take(&self, latency_ns: u64) {
        if self.counts.get() {
            self.latencies_ns.borrow_mut().push(latency_ns);
        }
    }

    /// Lets the others work, counts for a while, and waits for their end.
    async fn sample(&self, runtime: &GlommioRuntime) -> Sample {
        runtime.sleep(WARM_UP_NS).await;
        self.counts.set(true);
        let begun = runtime.now().monotonic;
        runtime.sleep(MEASURE_NS).await;
        let took_ns = runtime.now().monotonic.0 - begun.0;
        self.counts.set(false);
        self.ends.set(true);
        while self.busy_count.get() > 0 {
            runtime.sleep(PAUSE_NS).await;
        }
        let mut latencies = self.latencies_ns.take();
        latencies.sort_unstable();
        let at = |share: usize| latencies.get(latencies.len() * share / 1000).map_or(0, |ns| ns / 1000);
        Sample {
            operations_per_second: latencies.len() as u64 * 1_000_000 / (took_ns / 1000),
            p50_us: at(500),
            p99_us: at(990),
            max_us: latencies.last().map_or(0, |ns| ns / 1000),
            ..Sample::default()
        }
    }
}

fn table(engine: &mut [Vec<Sample>], floor: &mut [Vec<Sample>]) -> String {
    let mut text = "median of 3 rounds (by acks/s; each column its own median)\n".to_owned();
    text.push_str("producers  in flight   acks/s  (min..max)        p50 us  p99 us  max us  acks/block\n");
    let rows = PRODUCER_COUNTS.iter().flat_map(|producers| BLOCKS_IN_FLIGHT.map(|blocks| (*producers, blocks)));
    for ((producers, blocks), samples) in rows.zip(engine) {
        row(&mut text, &producers.to_string(), blocks, samples);
    }
    for (depth, samples) in BLOCKS_IN_FLIGHT.into_iter().zip(floor) {
        row(&mut text, "device", depth, samples);
    }
    text
}

fn row(text: &mut String, name: &str, blocks: usize, samples: &mut [Sample]) {
    let mut median = |value: fn(&Sample) -> u64| {
        samples.sort_by_key(value);
        value(&samples[samples.len() / 2])
    };
    let (p50, p99, max) = (median(|one| one.p50_us), median(|one| one.p99_us), median(|one| one.max_us));
    let rate = median(|one| one.operations_per_second);
    let (least, most) = (samples[0].operations_per_second, samples[samples.len() - 1].operations_per_second);
    let per_block = samples[samples.len() / 2].operations_per_block;
    let range = format!("({least}..{most})");
    writeln!(text, "{name:>9}  {blocks:>9}  {rate:>7}  {range:<17} {p50:>6}  {p99:>6}  {max:>6}  {per_block:>10.1}")
        .expect("text takes all");
}
