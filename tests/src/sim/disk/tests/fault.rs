use florin_engine::io::{Access, Disk, DiskErrorKind, DiskFile, DiskOperation, UNIT_BYTES};
use florin_engine::model::Position;

use super::{Path, World, count, fill, settled_file};
use crate::sim::disk::{DiskConfig, DiskFaults, Fault, Injection};

fn injection(operation: DiskOperation, path_contains: &str, skip_count: u64, fault: Fault) -> Injection {
    Injection { operation, path_contains: path_contains.to_owned(), skip_count, fault }
}

/// Injects `fault` into a write of four units of fives on a file of ones; the error and what reads see then.
fn written_with(seed: u64, fault: Fault) -> (World, Result<(), DiskErrorKind>, Vec<u8>) {
    let world = World::plain(seed);
    world.run(|disk| async move {
        let file = settled_file(&disk, "/data/file", 8, Access::Durable).await;
        fill(&file, Access::Durable, 0, 8, 1).await.unwrap();
    });
    world.device.inject(injection(DiskOperation::Write, "file", 0, fault));
    let result = world.run(|disk| async move {
        let file = disk.open(Path::new("/data/file"), Access::Durable).await.unwrap();
        fill(&file, Access::Durable, 0, 4, 5).await.map_err(|error| error.kind)
    });
    let bytes = world.bytes("/data/file").unwrap();
    (world, result, bytes)
}

#[test]
fn a_failed_write_may_have_landed_in_part_or_in_full() {
    for (fault, kind) in [(Fault::Fail, DiskErrorKind::Failed), (Fault::NoSpace, DiskErrorKind::NoSpace)] {
        let (mut none, mut some, mut all) = (0, 0, 0);
        for seed in 0..200 {
            let (_, result, bytes) = written_with(seed, fault);
            assert_eq!(result, Err(kind));
            match count(&bytes, 5) {
                0 => none += 1,
                landed if landed == 4 * UNIT_BYTES => all += 1,
                _ => some += 1,
            }
        }
        assert!(none > 20 && some > 20 && all > 20, "{none} none, {some} some, {all} all");
    }
}

#[test]
fn a_short_write_says_how_much_of_its_beginning_landed() {
    for seed in 0..200 {
        let (_, result, bytes) = written_with(seed, Fault::Short);
        let Err(DiskErrorKind::Short { asked_bytes, done_bytes }) = result else { panic!("{result:?}") };
        let done_bytes = usize::try_from(done_bytes).unwrap();
        assert!(asked_bytes == 4 * UNIT_BYTES as u64 && done_bytes < 4 * UNIT_BYTES);
        assert_eq!((count(&bytes[..done_bytes], 5), count(&bytes[done_bytes..], 5)), (done_bytes, 0), "seed {seed}");
    }
}

#[test]
fn lost_and_misdirected_writes_are_reported_as_written() {
    let (_, result, bytes) = written_with(1, Fault::Lost);
    assert_eq!((result, count(&bytes, 5)), (Ok(()), 0));
    let (_, result, bytes) = written_with(1, Fault::MisdirectTo(Position(3 * UNIT_BYTES as u64)));
    assert_eq!((result, count(&bytes[3 * UNIT_BYTES..7 * UNIT_BYTES], 5)), (Ok(()), 4 * UNIT_BYTES));
    assert_eq!(count(&bytes, 1), 4 * UNIT_BYTES);
}

#[test]
fn a_lying_disk_loses_writes_that_it_reported_durable() {
    let mut lost_count = 0;
    for seed in 0..100 {
        let (mut world, result, bytes) = written_with(seed, Fault::Lie);
        assert_eq!((result, count(&bytes, 5)), (Ok(()), 4 * UNIT_BYTES));
        world.power_loss();
        lost_count += usize::from(count(&world.bytes("/data/file").unwrap(), 5) < 4 * UNIT_BYTES);
    }
    assert!(lost_count > 20, "{lost_count} of 100");
}

#[test]
fn an_injected_fault_strikes_the_nth_operation_on_its_path_and_only_once() {
    let world = World::plain(1);
    world.run(|disk| async move {
        drop(settled_file(&disk, "/data/one", 1, Access::Read).await);
        drop(settled_file(&disk, "/data/two", 1, Access::Read).await);
    });
    world.device.inject(injection(DiskOperation::Read, "two", 1, Fault::Fail));
    let mut failed = Vec::new();
    for path in ["/data/one", "/data/two", "/data/one", "/data/two", "/data/two"] {
        failed.push(world.bytes(path).is_err());
    }
    assert_eq!(failed, [false, false, false, true, false]);
    assert_eq!(world.device.counters().fault_count(Fault::Fail), 1);
    assert!(world.device.disarm().is_empty());
}

#[test]
fn a_slow_operation_takes_longer_and_succeeds() {
    let world = World::plain(1);
    world.device.inject(injection(DiskOperation::Create, "", 0, Fault::Slow { by_ns: 5_000_000_000 }));
    world.run(|disk| async move { drop(disk.create(Path::new("/data/file"), 4096).await.unwrap()) });
    assert!(world.executor.now_ns() > 5_000_000_000);
}

#[test]
fn after_a_failed_sync_no_later_one_brings_back_what_was_dropped() {
    let (mut kept, mut dropped) = (0, 0);
    for seed in 0..100 {
        let mut world = World::plain(seed);
        world.device.inject(injection(DiskOperation::Sync, "file", 1, Fault::Fail));
        world.run(|disk| async move {
            let file = settled_file(&disk, "/data/file", 1, Access::Unsynced).await;
            fill(&file, Access::Unsynced, 0, 1, 5).await.unwrap();
            assert_eq!(file.sync().await.unwrap_err().kind, DiskErrorKind::Failed);
            file.sync().await.unwrap();
        });
        assert_eq!(count(&world.bytes("/data/file").unwrap(), 5), UNIT_BYTES);
        world.power_loss();
        match count(&world.bytes("/data/file").unwrap(), 5) {
            0 => dropped += 1,
            _ => kept += 1,
        }
    }
    assert!(kept > 20 && dropped > 20, "{kept} kept, {dropped} dropped");
}

#[test]
fn a_full_device_refuses_files_and_growth_until_something_is_removed() {
    let capacity_bytes = Some(3 * UNIT_BYTES as u64);
    let world = World::new(1, DiskConfig { capacity_bytes, ..DiskConfig::default() });
    world.run(|disk| async move {
        let first = settled_file(&disk, "/data/first", 2, Access::Unsynced).await;
        let refused = disk.create(Path::new("/data/second"), 2 * UNIT_BYTES as u64).await.err().unwrap();
        assert_eq!(refused.kind, DiskErrorKind::NoSpace);
        let _ = disk.remove(Path::new("/data/second")).await;
        fill(&first, Access::Unsynced, 2, 1, 1).await.unwrap();
        let grown = fill(&first, Access::Unsynced, 3, 1, 1).await.unwrap_err();
        assert_eq!(grown.kind, DiskErrorKind::NoSpace);
        disk.remove(Path::new("/data/first")).await.unwrap();
        drop(disk.create(Path::new("/data/second"), 3 * UNIT_BYTES as u64).await.unwrap());
    });
    assert_eq!(world.device.used_bytes(), 3 * UNIT_BYTES as u64);
}

#[test]
fn faults_by_chance_strike_about_as_often_as_asked_and_only_where_asked() {
    let faults = DiskFaults { path_contains: "two".to_owned(), read_fail_ppm: 300_000, ..DiskFaults::default() };
    let world = World::plain(1);
    world.device.set_faults(faults);
    let failed = world.run(|disk| async move {
        let mut failed = [0, 0];
        for (index, path) in ["/data/one", "/data/two"].into_iter().enumerate() {
            let file = settled_file(&disk, path, 1, Access::Read).await;
            for _ in 0..1000 {
                failed[index] += usize::from(file.read(Position(0), UNIT_BYTES).await.is_err());
            }
        }
        failed
    });
    assert!(failed[0] == 0 && (200..400).contains(&failed[1]), "{failed:?}");
}

#[test]
fn a_failed_creation_may_leave_a_smaller_file_behind() {
    let (mut nothing, mut remains) = (0, 0);
    for seed in 0..100 {
        let world = World::plain(seed);
        world.device.inject(injection(DiskOperation::Create, "file", 0, Fault::NoSpace));
        let kind =
            world.run(|disk| async move { disk.create(Path::new("/data/file"), 8192).await.err().unwrap().kind });
        assert_eq!(kind, DiskErrorKind::NoSpace);
        match world.bytes("/data/file") {
            Ok(bytes) => remains += usize::from(bytes.len() <= 8192),
            Err(_) => nothing += 1,
        }
    }
    assert!(nothing > 20 && remains > 20, "{nothing} nothing, {remains} remains");
}
