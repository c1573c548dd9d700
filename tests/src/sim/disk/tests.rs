//! What the simulated disk promises, loses and breaks.

mod corrupt;
mod fault;
mod flush;
mod kill;
mod names;
mod power;

use std::path::Path;

use florin_engine::io::{Access, Disk, DiskError, DiskFile, UNIT_BYTES};
use florin_engine::model::Position;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{DiskConfig, SimDevice, SimDisk, SimFile};
use crate::sim::executor::SimExecutor;
use crate::sim::streams::streams;

/// One seed, one device with the directory `/data`.
struct World {
    executor: SimExecutor,
    device: SimDevice,
    crash: ChaCha8Rng,
}

impl World {
    fn new(seed: u64, config: DiskConfig) -> Self {
        let executor = SimExecutor::new(seed);
        let device = SimDevice::new(executor.handle(), config);
        device.make_directory(Path::new("/data"));
        Self { executor, device, crash: streams(seed).crash }
    }

    fn plain(seed: u64) -> Self {
        Self::new(seed, DiskConfig::default())
    }

    fn run<T: 'static, F: Future<Output = T> + 'static>(&self, job: impl FnOnce(SimDisk) -> F) -> T {
        self.executor.block_on(job(self.device.mount()))
    }

    /// Starts a job and leaves it after its first event, with its writes in flight.
    fn leave_in_flight<F: Future<Output = ()> + 'static>(&self, job: impl FnOnce(SimDisk) -> F) {
        self.executor.spawn(job(self.device.mount()));
        let _ = self.executor.run_until(|| self.device.in_flight_write_count() > 0);
        self.executor.crash();
    }

    fn power_loss(&mut self) {
        self.executor.crash();
        self.device.power_loss(&mut self.crash);
    }

    fn kill(&mut self) {
        self.executor.crash();
        self.device.kill(&mut self.crash);
    }

    /// What reads see.
    fn bytes(&self, path: &'static str) -> Result<Vec<u8>, DiskError> {
        self.run(|disk| async move {
            let file = disk.open(Path::new(path), Access::Read).await?;
            let size_bytes = usize::try_from(file.size_bytes()).unwrap();
            if size_bytes == 0 {
                return Ok(Vec::new());
            }
            Ok(file.read(Position(0), size_bytes).await?.to_vec())
        })
    }
}

/// A file of so many units whose name and size are durable.
async fn settled_file(disk: &SimDisk, path: &str, unit_count: u64, access: Access) -> SimFile {
    let path = Path::new(path);
    let file = disk.create(path, unit_count * UNIT_BYTES as u64).await.unwrap();
    file.sync().await.unwrap();
    disk.sync_directory(path.parent().unwrap()).await.unwrap();
    disk.open(path, access).await.unwrap()
}

/// Writes `unit_count` units full of `value`, by whatever kind of write the file is open for.
async fn fill(file: &SimFile, access: Access, unit: u64, unit_count: usize, value: u8) -> Result<(), DiskError> {
    let mut buffer = file.allocate(unit_count * UNIT_BYTES);
    buffer.fill(value);
    let position = Position(unit * UNIT_BYTES as u64);
    match access {
        Access::Durable => file.write_durable(buffer, position).await.result,
        Access::Unsynced => file.write_unsynced(buffer, position).await.result,
        Access::Read => panic!("nothing is written through a reader"),
    }
}

/// How many of the bytes have that value.
fn count(bytes: &[u8], value: u8) -> usize {
    bytes.iter().filter(|byte| **byte == value).count()
}

/// A run of random operations on a few files with crashes in between; its digest after each crash.
fn digests_of_a_random_run(seed: u64) -> Vec<u64> {
    let mut world = World::plain(seed);
    let mut workload = streams(seed).workload;
    let mut digests = Vec::new();
    for name in ["/data/a", "/data/b", "/data/c"] {
        world.run(|disk| async move { drop(settled_file(&disk, name, 8, Access::Read).await) });
    }
    for round in 0..10 {
        for (name, access) in
            [("/data/a", Access::Durable), ("/data/b", Access::Unsynced), ("/data/c", Access::Durable)]
        {
            let disk = world.device.mount();
            let mut random = ChaCha8Rng::seed_from_u64(workload.random());
            world.executor.spawn(async move {
                let Ok(file) = disk.open(Path::new(name), access).await else { return };
                for _ in 0..20 {
                    let _ = fill(&file, access, random.random_range(0..7), random.random_range(1..3), random.random())
                        .await;
                    if random.random_bool(0.2) {
                        let _ = file.sync().await;
                    }
                }
            });
        }
        let _ = world.executor.run_until_event(world.executor.event_count() + workload.random_range(1..100));
        if round % 3 == 0 {
            world.kill()
        } else {
            world.power_loss()
        }
        digests.push(world.device.snapshot().digest());
    }
    digests
}

#[test]
fn same_seed_gives_the_same_bytes() {
    let runs: Vec<_> = (0..20).map(digests_of_a_random_run).collect();
    assert_eq!(runs, (0..20).map(digests_of_a_random_run).collect::<Vec<_>>());
    assert!(runs.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
#[should_panic(expected = "not whole units")]
fn an_unaligned_position_is_a_broken_invariant() {
    World::plain(1)
        .run(|disk| async move {
            let file = settled_file(&disk, "/data/file", 2, Access::Read).await;
            file.read(Position(512), UNIT_BYTES).await.map(|_| ())
        })
        .unwrap();
}

#[test]
#[should_panic(expected = "not open for durable writes")]
fn a_durable_write_needs_a_file_opened_for_it() {
    World::plain(1).run(|disk| async move {
        let file = settled_file(&disk, "/data/file", 2, Access::Unsynced).await;
        let buffer = file.allocate(UNIT_BYTES);
        drop(file.write_durable(buffer, Position(0)).await);
    });
}

#[test]
#[ignore = "measures: time it with --release"]
fn a_million_durable_writes() {
    let world = World::plain(1);
    world.run(|disk| async move {
        let file = settled_file(&disk, "/data/journal", 64, Access::Durable).await;
        let mut buffer = file.allocate(UNIT_BYTES);
        for number in 0..1_000_000 {
            let written = file.write_durable(buffer, Position(number % 64 * UNIT_BYTES as u64)).await;
            buffer = written.buffer;
        }
    });
}
