use florin_engine::io::{Access, DiskFile, UNIT_BYTES};

use super::{World, count, fill, settled_file};
use crate::sim::disk::{DiskConfig, Flush};

/// Whether a plain write to one file is durable after a write or a sync of another.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    DurableWrite,
    Sync,
}

fn older_plain_write_survives(seed: u64, flush: Flush, then: Then) -> bool {
    let mut world = World::new(seed, DiskConfig { flush, ..DiskConfig::default() });
    world.run(move |disk| async move {
        let plain = settled_file(&disk, "/data/plain", 1, Access::Unsynced).await;
        let other = settled_file(&disk, "/data/other", 1, Access::Durable).await;
        fill(&plain, Access::Unsynced, 0, 1, 1).await.unwrap();
        match then {
            Then::DurableWrite => fill(&other, Access::Durable, 0, 1, 2).await.unwrap(),
            Then::Sync => other.sync().await.unwrap(),
        }
    });
    world.power_loss();
    count(&world.bytes("/data/plain").unwrap(), 1) == UNIT_BYTES
}

fn survivors(flush: Flush, then: Then) -> usize {
    (0..100).filter(|seed| older_plain_write_survives(*seed, flush, then)).count()
}

#[test]
fn flush_all_flushes_older_plain_writes() {
    assert_eq!(survivors(Flush::All, Then::DurableWrite), 100);
    assert_eq!(survivors(Flush::All, Then::Sync), 100);
}

#[test]
fn fua_only_does_not_flush_older_plain_writes() {
    assert!((10..90).contains(&survivors(Flush::FuaOnly, Then::DurableWrite)));
    assert_eq!(survivors(Flush::FuaOnly, Then::Sync), 100);
}

#[test]
fn file_only_flushes_no_other_file() {
    assert!((10..90).contains(&survivors(Flush::FileOnly, Then::DurableWrite)));
    assert!((10..90).contains(&survivors(Flush::FileOnly, Then::Sync)));
}

#[test]
fn a_synced_write_survives_whoever_synced_it() {
    for flush in [Flush::All, Flush::FuaOnly, Flush::FileOnly] {
        for seed in 0..100 {
            let mut world = World::new(seed, DiskConfig { flush, ..DiskConfig::default() });
            world.run(|disk| async move {
                let file = settled_file(&disk, "/data/file", 2, Access::Unsynced).await;
                let reader = super::Disk::open(&disk, "/data/file".as_ref(), Access::Read).await.unwrap();
                fill(&file, Access::Unsynced, 0, 2, 3).await.unwrap();
                reader.sync().await.unwrap();
            });
            world.power_loss();
            assert_eq!(count(&world.bytes("/data/file").unwrap(), 3), 2 * UNIT_BYTES, "seed {seed}");
        }
    }
}

#[test]
fn an_older_volatile_write_never_surfaces_over_a_newer_durable_one() {
    for seed in 0..200 {
        let mut world = World::new(seed, DiskConfig { flush: Flush::FuaOnly, ..DiskConfig::default() });
        world.run(|disk| async move {
            let file = settled_file(&disk, "/data/file", 4, Access::Unsynced).await;
            let durable = super::Disk::open(&disk, "/data/file".as_ref(), Access::Durable).await.unwrap();
            fill(&file, Access::Unsynced, 0, 4, 1).await.unwrap();
            fill(&durable, Access::Durable, 1, 2, 2).await.unwrap();
        });
        world.power_loss();
        let bytes = world.bytes("/data/file").unwrap();
        assert_eq!(count(&bytes[UNIT_BYTES..3 * UNIT_BYTES], 2), 2 * UNIT_BYTES, "seed {seed}");
    }
}

#[test]
fn a_write_that_completes_during_a_sync_is_not_covered_by_it() {
    let mut lost_count = 0;
    for seed in 0..200 {
        let mut world = World::plain(seed);
        world.run(|disk| async move {
            let file = settled_file(&disk, "/data/file", 1, Access::Unsynced).await;
            let (write, sync) = (fill(&file, Access::Unsynced, 0, 1, 1), file.sync());
            let (written, synced) = futures_util::future::join(write, sync).await;
            written.and(synced).unwrap();
        });
        world.power_loss();
        lost_count += usize::from(count(&world.bytes("/data/file").unwrap(), 1) == 0);
    }
    assert!(lost_count > 20, "{lost_count} of 200");
}
