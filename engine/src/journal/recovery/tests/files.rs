//! Ring files on a real directory.

use super::*;
use crate::format::layout::journal_path;
use crate::io::blocking::{BlockingDisk, block_on};
use crate::io::{DiskErrorKind, DiskFile};
use crate::limits::BLOCK_BYTES_MAX;

/// Writes the images as ring files.
async fn store(builder: &Builder, directory: &Path) {
    for (file, bytes) in builder.superblock.geometry.files().zip(&builder.images) {
        let handle = BlockingDisk.create(&journal_path(directory, file), bytes.len() as u64).await.unwrap();
        let mut buffer = handle.allocate(bytes.len());
        buffer.copy_from_slice(bytes);
        handle.write_unsynced(buffer, Position(0)).await.result.unwrap();
    }
}

fn confirmed_and_open() -> Builder {
    let mut builder = Builder::new(3, 32 * 1024);
    builder.append(0, 2);
    builder.confirm();
    builder.append(0, 1);
    builder.open(1, Lap(1));
    builder
}

#[test]
fn ring_files_are_read_from_disk_and_free_ones_are_not_needed() {
    block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let builder = confirmed_and_open();
        store(&builder, directory.path()).await;
        BlockingDisk.remove(&journal_path(directory.path(), FileIndex(2))).await.unwrap();
        let recovery = recover(&BlockingDisk, directory.path(), &builder.superblock, Told::by(Sequence(0))).await;
        assert_sound(&recovery, 1..=3);
    });
}

#[test]
fn a_free_file_that_was_taken_into_use_shows_that_the_superblock_is_too_old() {
    block_on(async {
        let mut builder = confirmed_and_open();
        let superblock = builder.superblock.clone();
        builder.append(1, 2);
        builder.open(2, Lap(4));
        builder.append(2, 1);
        let directory = tempfile::tempdir().unwrap();
        store(&builder, directory.path()).await;
        let found = async |superblock: &Superblock| {
            recover(&BlockingDisk, directory.path(), superblock, Told::by(Sequence(0))).await
        };
        assert_sound(&found(&builder.superblock).await, 1..=6);

        let free = |superblock: &Superblock, lap| {
            let mut superblock = superblock.clone();
            superblock.files[2] = RingFile { lap: Lap(lap), ..RingFile::default() };
            superblock
        };
        let behind = free(&superblock, 3);
        assert_unit_damage(&found(&behind).await, 2, 0, Harm::SuperblockBehind);
        let later: Vec<_> = later_laps(&BlockingDisk, directory.path(), &behind).await.collect();
        assert_eq!(later, [(FileIndex(2), Lap(4))]);
        // What stands there is from the lap that ended.
        let ended = free(&builder.superblock, 4);
        assert_sound(&found(&ended).await, 1..=5);
    });
}

#[test]
fn a_file_that_was_empty_when_the_journal_closed_is_looked_at_only_where_a_later_epoch_would_have_begun_it() {
    const LARGE: u64 = 2 * BLOCK_BYTES_MAX as u64;
    block_on(async {
        let closed = |clean: bool| {
            let mut builder = Builder::new(2, LARGE);
            builder.superblock.clean = clean;
            builder
        };
        let found = async |builder: &Builder| {
            let directory = tempfile::tempdir().unwrap();
            store(builder, directory.path()).await;
            recover(&BlockingDisk, directory.path(), &builder.superblock, Told::by(Sequence(0))).await
        };
        let behind = BLOCK_BYTES_MAX + UNIT_BYTES;
        let mut builder = closed(true);
        builder.images[0][behind..behind + UNIT_BYTES].fill(0x5a);
        assert_sound(&found(&builder).await, []);
        builder.superblock.clean = false;
        let whole = found(&builder).await;
        assert!(whole.damage.len() + whole.cuts.len() > 0, "after a crash all of it is read");

        let mut builder = closed(true);
        let next = builder.next(0, 100);
        builder.put(Draft { epoch: EPOCH.next(), ..next });
        assert_unit_damage(&found(&builder).await, 0, 0, Harm::SuperblockBehind);
    });
}

#[test]
fn what_nearly_fills_a_file_is_kept_as_slices_of_it_unless_the_manifest_includes_it() {
    block_on(async {
        let mut builder = Builder::new(2, 32 * 1024);
        for _ in 0..2 {
            builder.put(builder.next(0, 4 * UNIT_BYTES - BLOCK_HEADER_BYTES));
        }
        builder.open(1, Lap(1));
        builder.put(builder.next(1, 5 * UNIT_BYTES - BLOCK_HEADER_BYTES));
        let directory = tempfile::tempdir().unwrap();
        store(&builder, directory.path()).await;
        for (included, expected) in [(0, [Keep::Slice, Keep::Slice, Keep::Copy]), (1, [Keep::Copy; 3])] {
            let recovery =
                recover(&BlockingDisk, directory.path(), &builder.superblock, Told::by(Sequence(included))).await;
            assert_sound(&recovery, 1..=3);
            let keeps: Vec<Keep> = recovery.blocks.iter().map(|block| block.keep).collect();
            assert_eq!(keeps, expected);
        }
    });
    let bytes = Bytes::from_static(b"read");
    assert_eq!((Keep::Slice.take(&bytes), Keep::Copy.take(&bytes)), (bytes.clone(), bytes.clone()));
    assert_eq!(Keep::Slice.take(&bytes).as_ptr(), bytes.as_ptr());
    assert_ne!(Keep::Copy.take(&bytes).as_ptr(), bytes.as_ptr());
}

#[test]
fn a_deleted_ring_file_is_damage_by_name_whether_or_not_blocks_are_known_to_be_in_it() {
    block_on(async {
        for lost in [0, 1] {
            let directory = tempfile::tempdir().unwrap();
            let builder = confirmed_and_open();
            store(&builder, directory.path()).await;
            let path = journal_path(directory.path(), FileIndex(lost));
            BlockingDisk.remove(&path).await.unwrap();
            let recovery = recover(&BlockingDisk, directory.path(), &builder.superblock, Told::by(Sequence(0))).await;
            let Damage { file, wrong: Wrong::File(error), .. } = &recovery.damage[0] else {
                panic!("{:?}", recovery.damage[0]);
            };
            assert_eq!((*file, error.kind, &error.path), (Some(FileIndex(lost)), DiskErrorKind::NotFound, &path));
        }
    });
}

#[test]
fn a_ring_file_of_another_size_is_damage_by_name() {
    block_on(async {
        for bytes in [4096, 28 * 1024, 36 * 1024] {
            let directory = tempfile::tempdir().unwrap();
            let builder = confirmed_and_open();
            store(&builder, directory.path()).await;
            let path = journal_path(directory.path(), FileIndex(0));
            BlockingDisk.remove(&path).await.unwrap();
            BlockingDisk.create(&path, bytes).await.unwrap();
            let recovery = recover(&BlockingDisk, directory.path(), &builder.superblock, Told::by(Sequence(0))).await;
            let Wrong::File(error) = &recovery.damage[0].wrong else { panic!("{:?}", recovery.damage[0]) };
            let kind = DiskErrorKind::Short { asked_bytes: 32 * 1024, done_bytes: bytes };
            assert_eq!((recovery.damage[0].file, error.kind), (Some(FileIndex(0)), kind));
        }
    });
}

#[test]
fn findings_name_file_and_position_in_words() {
    let mut builder = confirmed_and_open();
    builder.images[0][UNIT_BYTES + 200] ^= 1;
    let words: Vec<_> = builder.examine().damage.iter().map(ToString::to_string).collect();
    assert!(words[0].starts_with("journal file 0 at byte 4096: confirmed block damaged"), "{words:?}");
    assert!(words.iter().any(|words| words == "blocks 2 to 2 were durable and are gone"), "{words:?}");
}
