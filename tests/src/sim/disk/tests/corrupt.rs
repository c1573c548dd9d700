use florin_engine::io::{Access, Disk, DiskErrorKind, DiskFile, UNIT_BYTES};
use florin_engine::model::Position;

use super::{Path, World, count, fill, settled_file};

/// Two files, `/data/one` of two units of ones and `/data/two` of one unit of twos.
fn two_files() -> World {
    let world = World::plain(1);
    world.run(|disk| async move {
        let one = settled_file(&disk, "/data/one", 2, Access::Durable).await;
        fill(&one, Access::Durable, 0, 2, 1).await.unwrap();
        let two = settled_file(&disk, "/data/two", 1, Access::Durable).await;
        fill(&two, Access::Durable, 0, 1, 2).await.unwrap();
    });
    world
}

#[test]
fn a_flipped_bit_is_seen_and_durable() {
    let mut world = two_files();
    let before = world.device.snapshot();
    world.device.flip_bit(Path::new("/data/one"), 5000, 7);
    for _ in 0..2 {
        let bytes = world.bytes("/data/one").unwrap();
        assert_eq!((bytes[5000], count(&bytes, 1)), (129, 2 * UNIT_BYTES - 1));
        assert_ne!(world.device.snapshot().digest(), before.digest());
        world.power_loss();
    }
    world.device.flip_bit(Path::new("/data/one"), 5000, 7);
    assert_eq!(world.device.snapshot().digest(), before.digest());
}

#[test]
fn a_corrupted_range_changes_nothing_around_it() {
    let mut world = two_files();
    let device = world.device.clone();
    device.corrupt_range(Path::new("/data/one"), 4000, 200, &mut world.crash);
    let bytes = world.bytes("/data/one").unwrap();
    assert_eq!((count(&bytes[..4000], 1), count(&bytes[4200..], 1)), (4000, 2 * UNIT_BYTES - 4200));
    assert!(count(&bytes[4000..4200], 1) < 20);
}

#[test]
fn a_truncated_file_reads_short_and_grows_back_as_zeros() {
    let world = two_files();
    world.device.truncate(Path::new("/data/one"), 5000);
    let error = world.run(|disk| async move {
        let file = disk.open(Path::new("/data/one"), Access::Read).await.unwrap();
        assert_eq!(file.size_bytes(), 5000);
        file.read(Position(0), 2 * UNIT_BYTES).await.unwrap_err()
    });
    assert_eq!(error.kind, DiskErrorKind::Short { asked_bytes: 8192, done_bytes: 5000 });
    world.device.truncate(Path::new("/data/one"), 8192);
    let bytes = world.bytes("/data/one").unwrap();
    assert_eq!((count(&bytes[..5000], 1), count(&bytes[5000..], 0)), (5000, 3192));
}

#[test]
fn files_can_be_swapped_and_deleted() {
    let mut world = two_files();
    world.device.swap(Path::new("/data/one"), Path::new("/data/two"));
    assert_eq!(world.bytes("/data/one").unwrap(), [2; UNIT_BYTES]);
    assert_eq!(world.bytes("/data/two").unwrap(), [1; 2 * UNIT_BYTES]);
    world.device.delete(Path::new("/data/one"));
    world.power_loss();
    assert_eq!(world.bytes("/data/one").unwrap_err().kind, DiskErrorKind::NotFound);
}

#[test]
fn an_unreadable_unit_fails_its_reads_until_it_is_written() {
    let world = two_files();
    world.device.make_unreadable(Path::new("/data/one"), 4096, 512);
    world.run(|disk| async move {
        let file = disk.open(Path::new("/data/one"), Access::Durable).await.unwrap();
        file.read(Position(0), UNIT_BYTES).await.unwrap();
        let error = file.read(Position(0), 2 * UNIT_BYTES).await.unwrap_err();
        assert_eq!(error.kind, DiskErrorKind::Failed);
        fill(&file, Access::Durable, 1, 1, 3).await.unwrap();
        file.read(Position(0), 2 * UNIT_BYTES).await.unwrap();
    });
}

#[test]
fn a_copy_to_a_sound_device_reads_again_also_where_the_file_ends_within_what_could_not_be_read() {
    let world = two_files();
    world.device.make_unreadable(Path::new("/data/one"), 0, 2 * UNIT_BYTES as u64);
    world.device.truncate(Path::new("/data/one"), 4096);
    assert!(world.device.copy_to_sound_device());
    assert_eq!(world.bytes("/data/one").unwrap(), [0; UNIT_BYTES]);
    assert!(!world.device.copy_to_sound_device(), "nothing is unreadable any more");
}

#[test]
fn a_snapshot_stays_as_it_was_and_can_be_put_back() {
    let world = two_files();
    let snapshot = world.device.snapshot();
    world.run(|disk| async move {
        let file = disk.open(Path::new("/data/one"), Access::Durable).await.unwrap();
        fill(&file, Access::Durable, 0, 1, 7).await.unwrap();
        disk.remove(Path::new("/data/two")).await.unwrap();
        disk.sync_directory(Path::new("/data")).await.unwrap();
    });
    assert_ne!(world.device.snapshot().digest(), snapshot.digest());
    assert_eq!(snapshot.read(Path::new("/data/one")).unwrap(), [1; 2 * UNIT_BYTES]);
    assert_eq!(snapshot.files().count(), 2);
    world.device.restore(&snapshot);
    assert_eq!(world.device.snapshot().digest(), snapshot.digest());
    assert_eq!(world.bytes("/data/two").unwrap(), [2; UNIT_BYTES]);
}
