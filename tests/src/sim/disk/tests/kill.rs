use florin_engine::io::{Access, DiskFile, UNIT_BYTES};

use super::{World, count, fill, settled_file};

/// Kills the process over a durable write of four units, in flight on a file of zeros.
fn killed_over_a_write(seed: u64) -> World {
    let mut world = World::plain(seed);
    world.leave_in_flight(|disk| async move {
        let file = settled_file(&disk, "/data/file", 4, Access::Durable).await;
        fill(&file, Access::Durable, 0, 4, 5).await.unwrap();
    });
    world.kill();
    world
}

#[test]
fn a_killed_process_leaves_in_flight_writes_volatile() {
    let (mut none, mut some, mut all, mut lost) = (0, 0, 0, 0);
    for seed in 0..300 {
        let mut world = killed_over_a_write(seed);
        let seen = world.bytes("/data/file").unwrap();
        for unit in seen.chunks(UNIT_BYTES) {
            assert!([0, UNIT_BYTES].contains(&count(unit, 5)), "seed {seed}: a unit is written whole");
        }
        match count(&seen, 5) {
            0 => none += 1,
            landed if landed == 4 * UNIT_BYTES => all += 1,
            _ => some += 1,
        }
        world.power_loss();
        lost += usize::from(world.bytes("/data/file").unwrap() != seen);
    }
    assert!(none > 30 && some > 30 && all > 30, "{none} none, {some} some, {all} all");
    assert!(lost > 30, "{lost} lost by the power loss after the kill");
}

#[test]
fn what_a_kill_left_behind_is_durable_once_the_next_process_syncs_it() {
    for seed in 0..200 {
        let mut world = killed_over_a_write(seed);
        let seen = world.bytes("/data/file").unwrap();
        world.run(|disk| async move {
            let file = super::Disk::open(&disk, "/data/file".as_ref(), Access::Read).await.unwrap();
            file.sync().await.unwrap();
        });
        world.power_loss();
        assert_eq!(world.bytes("/data/file").unwrap(), seen, "seed {seed}");
    }
}

#[test]
fn names_and_completed_writes_outlive_a_kill() {
    for seed in 0..50 {
        let mut world = World::plain(seed);
        world.run(|disk| async move {
            let file = super::Disk::create(&disk, "/data/file".as_ref(), 4096).await.unwrap();
            fill(&file, Access::Unsynced, 0, 1, 1).await.unwrap();
        });
        world.kill();
        assert_eq!(count(&world.bytes("/data/file").unwrap(), 1), 4096, "seed {seed}");
    }
}
