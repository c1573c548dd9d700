//! A start that follows a kill in the middle of a superblock update, and is itself cut short by a power loss; and manifests
//! that the disk does not write as it says.

use std::path::Path;

use florin_engine::checkpoint::slot;
use florin_engine::format::block::JournalName;
use florin_engine::format::layout::{Copy, Geometry, manifest_path, shard_path, superblock_path};
use florin_engine::format::manifest::Manifest;
use florin_engine::format::superblock::{SUPERBLOCK_BYTES, Superblock};
use florin_engine::io::{Access, Disk, DiskFile, DiskOperation, Runtime};
use florin_engine::journal::create::{FormatSettings, format};
use florin_engine::journal::write::read_superblocks;
use florin_engine::model::{Lap, Position, Realtime, Sequence, ShardId};
use florin_engine::shard::open::{OpenSettings, open_shard, read_identity};
use florin_tests::sim::{DiskConfig, Fault, Flush, Injection, Process, SimDevice, SimExecutor, SimRuntime, streams};
use rand_chacha::ChaCha8Rng;

const DATA: &str = "/data";
/// Events that a start of this directory needs from its first write on, about.
const WRITE_EVENTS: u64 = 14;
const SHARD: ShardId = ShardId(0);
const GEOMETRY: Geometry = Geometry { file_count: 12, file_bytes: 32 * 1024, manifest_bytes: 32 * 1024 };

/// Formats a directory, and leaves a newer superblock in copy A that is readable and not on stable storage. It differs
/// from the older one in several sectors, and so does the one that the next start writes.
async fn leave_update_unfinished(runtime: SimRuntime) {
    let disk = runtime.disk();
    let settings = FormatSettings {
        directory_id: runtime.random(),
        journal_ids: vec![runtime.random()],
        geometry: GEOMETRY,
        created: Realtime(1),
    };
    format(disk, Path::new(DATA), &settings).await.expect("an empty directory is formatted");
    let directory = shard_path(Path::new(DATA), SHARD);
    let copies = read_superblocks(disk, &directory, settings.directory_id, SHARD).await;
    let mut newer: Superblock = copies.choose().expect("just written").superblock.next_generation();
    assert_eq!(newer.name, JournalName { journal_id: settings.journal_ids[0], shard: SHARD });
    newer.files.iter_mut().take(10).for_each(|file| file.lap = Lap(3));
    let file = disk.open(&superblock_path(&directory, Copy::A), Access::Unsynced).await.expect("copy A exists");
    let mut buffer = file.allocate(SUPERBLOCK_BYTES);
    newer.encode(&mut buffer);
    file.write_unsynced(buffer, Position(0)).await.result.expect("the disk is healthy");
}

async fn open(runtime: SimRuntime) -> Result<(), String> {
    let identity = read_identity(runtime.disk(), Path::new(DATA)).await.map_err(|error| error.to_string())?;
    let opened = open_shard(&runtime, Path::new(DATA), &identity, SHARD, OpenSettings::default(), |_cuts| {}).await;
    opened.map(|_| ()).map_err(|error| error.to_string())
}

/// A killed update, and a start behind it that is under way.
struct Started {
    executor: SimExecutor,
    device: SimDevice,
    process: Process,
    crash: ChaCha8Rng,
}

fn begin(seed: u64) -> Started {
    let executor = SimExecutor::new(seed);
    let device = SimDevice::new(executor.handle(), DiskConfig { flush: Flush::FileOnly, ..DiskConfig::default() });
    let mut crash = streams(seed).crash;
    executor.block_on(leave_update_unfinished(SimRuntime::new(executor.handle(), device.mount(), 0)));
    device.kill(&mut crash);
    let runtime = SimRuntime::new(executor.handle(), device.mount(), 0);
    let (process, start) = (runtime.process(), runtime.clone());
    runtime.spawn(async move { drop(open(start).await) });
    Started { executor, device, process, crash }
}

/// Events after which a start begins to write.
fn events_before_writes() -> u64 {
    let Started { executor, device, .. } = begin(0);
    let begun = executor.event_count();
    while device.in_flight_write_count() == 0 {
        let _ = executor.run_until_event(executor.event_count() + 1);
    }
    executor.event_count() - begun
}

#[test]
fn a_start_after_a_killed_superblock_update_survives_power_loss_at_any_event() {
    let before = events_before_writes();
    let mut cut_in_a_write_count = 0;
    for seed in 0..6000 {
        let events = before + seed % WRITE_EVENTS;
        let Started { executor, device, process, mut crash } = begin(seed);
        let _ = executor.run_until_event(executor.event_count() + events);
        cut_in_a_write_count += u64::from(device.in_flight_write_count() > 0);
        executor.crash_process(process);
        device.power_loss(&mut crash);

        let opened = executor.block_on(open(SimRuntime::new(executor.handle(), device.mount(), 0)));
        assert_eq!(opened, Ok(()), "seed {seed}, power lost {events} events after the start");
    }
    assert!(cut_in_a_write_count > 1000, "only {cut_in_a_write_count} cuts hit a write of the start");
}

#[test]
fn a_manifest_whose_write_was_lost_or_landed_elsewhere_is_an_error_when_it_is_written() {
    for (skip_count, fault) in [(0, Fault::Lost), (1, Fault::Lost), (1, Fault::MisdirectTo(Position(0)))] {
        let executor = SimExecutor::new(1);
        let device = SimDevice::new(executor.handle(), DiskConfig::default());
        executor.block_on(leave_update_unfinished(SimRuntime::new(executor.handle(), device.mount(), 0)));
        let write = || {
            let runtime = SimRuntime::new(executor.handle(), device.mount(), 0);
            executor.block_on(async move {
                let disk = runtime.disk();
                let identity = read_identity(disk, Path::new(DATA)).await.expect("it was formatted");
                let sections = Vec::new();
                let (directory_id, sequence) = (identity.directory_id, Sequence(9));
                let manifest = Manifest { directory_id, shard: SHARD, generation: 2, sequence, sections };
                let manifest = manifest.encode(GEOMETRY.manifest_bytes).expect("it is small");
                slot::write(disk, &shard_path(Path::new(DATA), SHARD), GEOMETRY, 1, &manifest).await
            })
        };
        assert_eq!(write(), Ok(()));
        // Another manifest, so that what stood there before is not what is to be read back.
        device.corrupt_range(&manifest_path(&shard_path(Path::new(DATA), SHARD), 1), 0, 64, &mut streams(1).crash);
        device.corrupt_range(
            &manifest_path(&shard_path(Path::new(DATA), SHARD), 1),
            GEOMETRY.manifest_bytes,
            64,
            &mut streams(1).crash,
        );
        let (operation, path_contains) = (DiskOperation::Write, "manifest-1".to_owned());
        device.inject(Injection { operation, path_contains, skip_count, fault });
        let error = write().expect_err("one copy is not what it should be");
        assert!(error.to_string().contains("other bytes are read back"), "{error}");
        assert_eq!(write(), Ok(()), "the next write is not hit");
    }
}
