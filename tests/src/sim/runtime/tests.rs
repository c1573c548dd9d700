use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;

use florin_engine::io::{Access, Disk, DiskFile, Runtime};
use florin_engine::model::Position;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::SimRuntime;
use crate::sim::{DiskConfig, SimDevice, SimExecutor, Stop, streams};

fn device(executor: &SimExecutor) -> SimDevice {
    let device = SimDevice::new(executor.handle(), DiskConfig::default());
    device.make_directory(Path::new("/data"));
    device
}

#[test]
fn no_two_shards_or_incarnations_draw_the_same_numbers() {
    let executor = SimExecutor::new(1);
    let device = device(&executor);
    let mut drawn = BTreeSet::new();
    for _ in 0..4 {
        for shard in 0..4 {
            let runtime = SimRuntime::new(executor.handle(), device.mount(), shard);
            assert!(drawn.insert(runtime.random()) && drawn.insert(runtime.clone().random()));
        }
        device.kill(&mut streams(1).crash);
    }
}

#[test]
fn a_task_of_the_old_incarnation_has_no_effect() {
    let executor = SimExecutor::new(9);
    let device = device(&executor);
    let old = SimRuntime::new(executor.handle(), device.mount(), 0);
    let path = Path::new("/data/file");
    let disk = old.disk().clone();
    let file = executor.block_on(async move { disk.create(path, 8192).await.unwrap() });
    device.kill(&mut ChaCha8Rng::seed_from_u64(0));

    // Left running on purpose: neither its file nor its disk nor its runtime does anything any more.
    let done = Rc::new(Cell::new(0));
    for step in 0..6 {
        let (file, old, done) = (file.clone(), old.clone(), Rc::clone(&done));
        executor.spawn(async move {
            match step {
                0 => drop(file.write_unsynced(file.allocate(4096), Position(0)).await),
                1 => drop(file.sync().await),
                2 => drop(file.read(Position(0), 4096).await),
                3 => drop(old.disk().remove(path).await),
                4 => drop(old.disk().open(path, Access::Read).await.map(|_| ())),
                _ => old.sleep(1).await,
            }
            done.set(done.get() + 1);
        });
    }
    let spawned = Rc::clone(&done);
    old.spawn(async move { spawned.set(spawned.get() + 1) });
    executor.run_until_stalled();
    assert_eq!(done.get(), 0);
    assert_eq!(device.volatile_write_count() + device.in_flight_write_count(), 0);

    let disk = device.mount();
    let names = executor.block_on(async move { disk.list(Path::new("/data")).await.unwrap() });
    assert_eq!(names, ["file"]);
}

#[test]
fn tasks_of_a_runtime_end_with_its_process() {
    let executor = SimExecutor::new(9);
    let device = device(&executor);
    let runtime = SimRuntime::new(executor.handle(), device.mount(), 0);
    let ticks = Rc::new(Cell::new(0));
    let (sleeper, count) = (runtime.clone(), Rc::clone(&ticks));
    runtime.spawn(async move {
        loop {
            sleeper.sleep(1_000_000).await;
            count.set(count.get() + 1);
        }
    });
    assert_eq!(executor.run_until(|| ticks.get() == 5), Stop::Reached);
    executor.crash_process(runtime.process());
    executor.run_until_stalled();
    assert_eq!(ticks.get(), 5);
}

/// Writes rising numbers into its shard's file and notes each once it is durable.
async fn count_durably(runtime: SimRuntime, path: String, noted: Rc<Cell<u64>>) {
    let file = runtime.disk().open(Path::new(&path), Access::Durable).await.unwrap();
    for number in noted.get() + 1.. {
        let mut buffer = file.allocate(4096);
        buffer[..8].copy_from_slice(&number.to_le_bytes());
        file.write_durable(buffer, Position(0)).await.result.unwrap();
        noted.set(number);
    }
}

#[test]
fn several_shards_crash_together_at_any_event_and_lose_nothing_they_noted() {
    for seed in 0..50 {
        let executor = SimExecutor::new(seed);
        let device = device(&executor);
        let (mut workload, mut crash) = (streams(seed).workload, streams(seed).crash);
        let noted: [Rc<Cell<u64>>; 3] = Default::default();
        let paths = [0, 1, 2].map(|shard| format!("/data/shard-{shard}"));
        let (disk, made) = (device.mount(), paths.clone());
        executor.block_on(async move {
            for path in made {
                let file = disk.create(Path::new(&path), 4096).await.unwrap();
                file.sync().await.unwrap();
            }
            disk.sync_directory(Path::new("/data")).await.unwrap();
        });
        for incarnation in 1..10 {
            let disk = device.mount();
            assert_eq!(disk.incarnation(), incarnation);
            for ((shard, path), noted) in (0..).zip(&paths).zip(&noted) {
                let runtime = SimRuntime::new(executor.handle(), disk.clone(), shard);
                runtime.spawn(count_durably(runtime.clone(), path.clone(), Rc::clone(noted)));
            }
            let _ = executor.run_until_event(executor.event_count() + workload.random_range(1..200));
            executor.crash_process(disk.process());
            if workload.random_bool(0.5) {
                device.power_loss(&mut crash)
            } else {
                device.kill(&mut crash)
            }
            for (path, noted) in paths.iter().zip(&noted) {
                let mut number = [0; 8];
                device.peek(Path::new(path), 0, &mut number);
                let number = u64::from_le_bytes(number);
                assert!(number == noted.get() || number == noted.get() + 1, "seed {seed}: {number} of {noted:?}");
            }
        }
    }
}
