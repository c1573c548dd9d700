use florin_engine::io::{Access, UNIT_BYTES};

use super::super::SECTOR_BYTES;
use super::{World, count, fill, settled_file};
use crate::sim::disk::{Counters, DiskConfig, Flush};

/// A file of eight units of ones, and an unreported write of twos over the first four; what a power loss leaves.
fn left_of_an_unreported_write(seed: u64, access: Access) -> Vec<u8> {
    let mut world = World::plain(seed);
    world.run(|disk| async move {
        let file = settled_file(&disk, "/data/file", 8, Access::Durable).await;
        fill(&file, Access::Durable, 0, 8, 1).await.unwrap();
    });
    world.leave_in_flight(move |disk| async move {
        let file = super::Disk::open(&disk, "/data/file".as_ref(), access).await.unwrap();
        fill(&file, access, 0, 4, 2).await.unwrap();
    });
    world.power_loss();
    world.bytes("/data/file").unwrap()
}

#[test]
fn a_reported_durable_write_survives_power_loss() {
    for flush in [Flush::All, Flush::FuaOnly, Flush::FileOnly] {
        for seed in 0..200 {
            let mut world = World::new(seed, DiskConfig { flush, ..DiskConfig::default() });
            world.run(|disk| async move {
                let file = settled_file(&disk, "/data/file", 4, Access::Durable).await;
                fill(&file, Access::Durable, 1, 2, 7).await.unwrap();
            });
            world.power_loss();
            let bytes = world.bytes("/data/file").unwrap();
            assert_eq!((bytes.len(), count(&bytes, 7)), (4 * UNIT_BYTES, 2 * UNIT_BYTES), "seed {seed}");
            assert!(bytes[UNIT_BYTES..3 * UNIT_BYTES].iter().all(|byte| *byte == 7));
        }
    }
}

#[test]
fn an_unreported_write_is_absent_present_or_torn() {
    for access in [Access::Durable, Access::Unsynced] {
        let (mut absent, mut present, mut torn_units, mut torn_sectors) = (0, 0, 0, 0);
        for seed in 0..400 {
            let bytes = left_of_an_unreported_write(seed, access);
            assert_eq!(bytes.len(), 8 * UNIT_BYTES);
            assert!(bytes[4 * UNIT_BYTES..].iter().all(|byte| *byte == 1), "seed {seed}: beyond the write");
            for sector in bytes.chunks(SECTOR_BYTES) {
                assert!(sector.iter().all(|byte| *byte == sector[0]), "seed {seed}: a sector is never torn");
            }
            match count(&bytes, 2) {
                0 => absent += 1,
                landed if landed == 4 * UNIT_BYTES => present += 1,
                _ if bytes.chunks(UNIT_BYTES).all(|unit| [0, UNIT_BYTES].contains(&count(unit, 2))) => torn_units += 1,
                _ => torn_sectors += 1,
            }
        }
        for outcome in [absent, present, torn_units, torn_sectors] {
            assert!(outcome > 30, "{access:?}: {absent} absent, {present} present, {torn_units} + {torn_sectors} torn");
        }
    }
}

#[test]
fn volatile_writes_land_in_any_combination() {
    let mut seen = [0; 4];
    for seed in 0..400 {
        let mut world = World::plain(seed);
        world.run(|disk| async move {
            let file = settled_file(&disk, "/data/file", 2, Access::Unsynced).await;
            fill(&file, Access::Unsynced, 0, 1, 1).await.unwrap();
            fill(&file, Access::Unsynced, 1, 1, 2).await.unwrap();
        });
        assert_eq!(world.device.volatile_write_count(), 2);
        world.power_loss();
        let bytes = world.bytes("/data/file").unwrap();
        let (first, second) = (count(&bytes, 1) == UNIT_BYTES, count(&bytes, 2) == UNIT_BYTES);
        seen[usize::from(first) + 2 * usize::from(second)] += 1;
    }
    assert!(seen.iter().all(|count| *count > 30), "{seen:?}");
}

#[test]
fn a_size_that_was_not_synced_may_be_lost() {
    let mut sizes = std::collections::BTreeSet::new();
    for seed in 0..100 {
        let mut world = World::plain(seed);
        world.run(|disk| async move {
            super::Disk::create(&disk, "/data/file".as_ref(), 4 * UNIT_BYTES as u64).await.unwrap();
            super::Disk::sync_directory(&disk, "/data".as_ref()).await.unwrap();
        });
        world.power_loss();
        sizes.insert(world.bytes("/data/file").unwrap().len() / UNIT_BYTES);
    }
    assert_eq!(Vec::from_iter(sizes), [0, 1, 2, 3, 4]);
}

#[test]
fn totals_over_seeds_show_which_landings_were_seen() {
    let mut total = Counters::default();
    for seed in 0..50 {
        let mut world = World::plain(seed);
        world.leave_in_flight(|disk| async move {
            let file = settled_file(&disk, "/data/file", 2, Access::Durable).await;
            fill(&file, Access::Durable, 0, 2, 1).await.unwrap();
        });
        world.power_loss();
        total.add(&world.device.counters());
    }
    assert_eq!(total.power_loss_count, 50);
    assert_eq!(total.writes_absent_count + total.writes_present_count + total.writes_torn_count, 50);
    assert!(total.writes_absent_count > 0 && total.writes_present_count > 0 && total.writes_torn_count > 0);
}
