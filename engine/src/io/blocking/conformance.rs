//! What every [`Disk`] has to do, as cases that run on any of them.

use std::path::{Path, PathBuf};

use super::super::{Access, Disk, DiskError, DiskErrorKind, DiskFile, DiskOperation, UNIT_BYTES};
use crate::model::Position;

const UNIT: u64 = UNIT_BYTES as u64;

/// Makes a test of each case, with `$run` giving it a disk and an empty directory.
macro_rules! conformance_tests {
    ($run:path) => {
        crate::io::blocking::conformance::conformance_tests! { $run:
            a_created_file_has_its_size_and_reads_as_zero
            creating_a_file_twice_is_refused_and_keeps_the_first
            creating_more_than_a_file_can_hold_fails_and_leaves_no_name
            a_missing_file_is_not_found
            a_durable_write_reads_back_from_another_handle
            an_unsynced_write_reads_back_and_can_be_synced
            the_buffer_of_a_write_comes_back_and_can_be_used_again
            a_buffer_that_was_read_can_be_changed_and_written
            buffers_are_zero_even_after_others_were_dropped
            a_read_past_the_end_is_short
            a_large_buffer_is_written_and_read_whole
            writes_to_several_places_at_once_all_land
            renaming_replaces_and_removing_removes
            a_listing_is_sorted_and_complete
            a_directory_cannot_be_created_twice
            operations_on_missing_names_say_which
        }
    };
    ($run:path: $($case:ident)*) => {
        $(
            #[test]
            fn $case() {
                $run(crate::io::blocking::conformance::$case);
            }
        )*
    };
}
pub(in crate::io) use conformance_tests;

/// A directory on the disk that holds the build, which is a real one.
pub(crate) fn directory_on_disk() -> tempfile::TempDir {
    let program = std::env::current_exe().expect("a running test has a program");
    tempfile::tempdir_in(program.parent().expect("a program is in a directory")).expect("the build can write there")
}

fn kind<T>(outcome: Result<T, DiskError>) -> Option<DiskErrorKind> {
    outcome.err().map(|error| error.kind)
}

/// Creates a file of `units` and opens it as `access`.
async fn created<D: Disk>(disk: &D, path: &Path, units: u64, access: Access) -> D::File {
    disk.create(path, units * UNIT).await.unwrap().close().await;
    disk.open(path, access).await.unwrap()
}

pub(in crate::io) async fn a_created_file_has_its_size_and_reads_as_zero<D: Disk>(disk: D, directory: PathBuf) {
    let path = directory.join("ring");
    let file = disk.create(&path, 4 * UNIT).await.unwrap();
    assert_eq!(file.size_bytes(), 4 * UNIT);
    let bytes = file.read(Position(0), 4 * UNIT_BYTES).await.unwrap();
    assert!(bytes.iter().all(|byte| *byte == 0));
    file.close().await;
    disk.sync_directory(&directory).await.unwrap();
    let file = disk.open(&path, Access::Read).await.unwrap();
    assert_eq!(file.size_bytes(), 4 * UNIT);
    file.close().await;
}

pub(in crate::io) async fn creating_a_file_twice_is_refused_and_keeps_the_first<D: Disk>(disk: D, directory: PathBuf) {
    let path = directory.join("ring");
    disk.create(&path, UNIT).await.unwrap().close().await;
    assert_eq!(kind(disk.create(&path, 2 * UNIT).await), Some(DiskErrorKind::AlreadyExists));
    let file = disk.open(&path, Access::Read).await.unwrap();
    assert_eq!(file.size_bytes(), UNIT);
    file.close().await;
}

pub(in crate::io) async fn creating_more_than_a_file_can_hold_fails_and_leaves_no_name<D: Disk>(
    disk: D,
    directory: PathBuf,
) {
    // Beyond the largest file of ext4, so that nothing is taken from the disk before it fails.
    let error = disk.create(&directory.join("ring"), 1 << 60).await.err().expect("no file system has that much");
    assert!(matches!(error.kind, DiskErrorKind::NoSpace | DiskErrorKind::Failed), "{error}");
    assert_eq!(error.operation, DiskOperation::Create);
    assert_eq!(disk.list(&directory).await.unwrap(), Vec::<String>::new());
}

pub(in crate::io) async fn a_missing_file_is_not_found<D: Disk>(disk: D, directory: PathBuf) {
    let path = directory.join("absent");
    for access in [Access::Read, Access::Durable, Access::Unsynced] {
        let error = disk.open(&path, access).await.err().expect("it is not there");
        assert_eq!(error.kind, DiskErrorKind::NotFound);
        assert_eq!((error.operation, &error.path), (DiskOperation::Open, &path));
    }
}

pub(in crate::io) async fn a_durable_write_reads_back_from_another_handle<D: Disk>(disk: D, directory: PathBuf) {
    let path = directory.join("journal");
    let file = created(&disk, &path, 4, Access::Durable).await;
    let mut buffer = file.allocate(UNIT_BYTES);
    buffer[..5].copy_from_slice(b"first");
    file.write_durable(buffer, Position(2 * UNIT)).await.result.unwrap();
    let other = disk.open(&path, Access::Read).await.unwrap();
    for bytes in [&file, &other].map(|file| file.read(Position(UNIT), 2 * UNIT_BYTES)) {
        let bytes = bytes.await.unwrap();
        assert_eq!(bytes.len(), 2 * UNIT_BYTES);
        assert!(bytes[..UNIT_BYTES].iter().all(|byte| *byte == 0));
        assert_eq!(&bytes[UNIT_BYTES..UNIT_BYTES + 6], b"first\0");
    }
    file.close().await;
    other.close().await;
}

pub(in crate::io) async fn an_unsynced_write_reads_back_and_can_be_synced<D: Disk>(disk: D, directory: PathBuf) {
    let file = disk.create(&directory.join("segment"), 2 * UNIT).await.unwrap();
    let mut buffer = file.allocate(UNIT_BYTES);
    buffer.fill(7);
    // Behind the size it was created with: the sync includes the new one.
    file.write_unsynced(buffer, Position(2 * UNIT)).await.result.unwrap();
    file.sync().await.unwrap();
    let bytes = file.read(Position(2 * UNIT), UNIT_BYTES).await.unwrap();
    assert!(bytes.iter().all(|byte| *byte == 7));
    file.close().await;
    let file = disk.open(&directory.join("segment"), Access::Unsynced).await.unwrap();
    assert_eq!(file.size_bytes(), 3 * UNIT);
    file.close().await;
}

pub(in crate::io) async fn the_buffer_of_a_write_comes_back_and_can_be_used_again<D: Disk>(
    disk: D,
    directory: PathBuf,
) {
    let file = created(&disk, &directory.join("journal"), 2, Access::Durable).await;
    let mut buffer = file.allocate(UNIT_BYTES);
    for round in 1..=3_u8 {
        buffer.fill(round);
        let written = file.write_durable(buffer, Position(0)).await;
        written.result.unwrap();
        buffer = written.buffer;
        assert!(buffer.iter().all(|byte| *byte == round));
        let bytes = file.read(Position(0), UNIT_BYTES).await.unwrap();
        assert!(bytes.iter().all(|byte| *byte == round));
    }
    file.close().await;
}

pub(in crate::io) async fn a_buffer_that_was_read_can_be_changed_and_written<D: Disk>(disk: D, directory: PathBuf) {
    let file = created(&disk, &directory.join("journal"), 2, Access::Durable).await;
    let mut buffer = file.read(Position(0), UNIT_BYTES).await.unwrap();
    buffer[9] = 9;
    let written = file.write_durable(buffer, Position(UNIT)).await;
    written.result.unwrap();
    let unchanged = file.read(Position(UNIT), UNIT_BYTES).await.unwrap();
    file.write_durable(unchanged, Position(0)).await.result.unwrap();
    let bytes = file.read(Position(0), UNIT_BYTES).await.unwrap();
    assert_eq!((bytes[8], bytes[9], bytes[10]), (0, 9, 0));
    file.close().await;
}

pub(in crate::io) async fn buffers_are_zero_even_after_others_were_dropped<D: Disk>(disk: D, directory: PathBuf) {
    let file = created(&disk, &directory.join("journal"), 1, Access::Durable).await;
    for bytes in [UNIT_BYTES, 4 * UNIT_BYTES, UNIT_BYTES, 64 * UNIT_BYTES, 4 * UNIT_BYTES] {
        let mut buffer = file.allocate(bytes);
        assert_eq!(buffer.len(), bytes);
        assert!(buffer.iter().all(|byte| *byte == 0));
        buffer.fill(0xa5);
    }
    file.close().await;
}

pub(in crate::io) async fn a_read_past_the_end_is_short<D: Disk>(disk: D, directory: PathBuf) {
    let file = created(&disk, &directory.join("journal"), 3, Access::Read).await;
    let asked_bytes = 4 * UNIT;
    for (units, done_bytes) in [(1, 2 * UNIT), (2, UNIT), (3, 0), (9, 0)] {
        let outcome = file.read(Position(units * UNIT), 4 * UNIT_BYTES).await;
        assert_eq!(kind(outcome), Some(DiskErrorKind::Short { asked_bytes, done_bytes }));
    }
    file.close().await;
}

pub(in crate::io) async fn a_large_buffer_is_written_and_read_whole<D: Disk>(disk: D, directory: PathBuf) {
    let units = 1024;
    let file = created(&disk, &directory.join("journal"), units, Access::Durable).await;
    let mut buffer = file.allocate(1024 * UNIT_BYTES);
    for (unit, number) in buffer.chunks_exact_mut(UNIT_BYTES).zip(1_u64..) {
        unit[..8].copy_from_slice(&number.to_le_bytes());
    }
    let written = file.write_durable(buffer, Position(0)).await;
    written.result.unwrap();
    let bytes = file.read(Position(0), 1024 * UNIT_BYTES).await.unwrap();
    assert!(bytes[..] == written.buffer[..], "what was read is not what was written");
    file.close().await;
}

pub(in crate::io) async fn writes_to_several_places_at_once_all_land<D: Disk>(disk: D, directory: PathBuf) {
    let file = created(&disk, &directory.join("journal"), 4, Access::Durable).await;
    let writes = (0..4_u8).map(|number| {
        let mut buffer = file.allocate(UNIT_BYTES);
        buffer.fill(number + 1);
        file.write_durable(buffer, Position(u64::from(number) * UNIT))
    });
    for written in futures_util::future::join_all(writes).await {
        written.result.unwrap();
    }
    let bytes = file.read(Position(0), 4 * UNIT_BYTES).await.unwrap();
    for (unit, number) in bytes.chunks_exact(UNIT_BYTES).zip(1_u8..) {
        assert!(unit.iter().all(|byte| *byte == number));
    }
    file.close().await;
}

pub(in crate::io) async fn renaming_replaces_and_removing_removes<D: Disk>(disk: D, directory: PathBuf) {
    let (old, new) = (directory.join("old"), directory.join("new"));
    disk.create(&old, 2 * UNIT).await.unwrap().close().await;
    disk.create(&new, UNIT).await.unwrap().close().await;
    disk.rename(&old, &new).await.unwrap();
    disk.sync_directory(&directory).await.unwrap();
    assert_eq!(disk.list(&directory).await.unwrap(), ["new"]);
    let file = disk.open(&new, Access::Read).await.unwrap();
    assert_eq!(file.size_bytes(), 2 * UNIT);
    file.close().await;
    disk.remove(&new).await.unwrap();
    assert_eq!(disk.list(&directory).await.unwrap(), Vec::<String>::new());
}

pub(in crate::io) async fn a_listing_is_sorted_and_complete<D: Disk>(disk: D, directory: PathBuf) {
    for name in ["b", "c", "a"] {
        disk.create(&directory.join(name), 0).await.unwrap().close().await;
    }
    disk.create_directory(&directory.join("aa")).await.unwrap();
    assert_eq!(disk.list(&directory).await.unwrap(), ["a", "aa", "b", "c"]);
    assert_eq!(disk.list(&directory.join("aa")).await.unwrap(), Vec::<String>::new());
}

pub(in crate::io) async fn a_directory_cannot_be_created_twice<D: Disk>(disk: D, directory: PathBuf) {
    let path = directory.join("shard-0");
    disk.create_directory(&path).await.unwrap();
    assert_eq!(kind(disk.create_directory(&path).await), Some(DiskErrorKind::AlreadyExists));
    assert_eq!(kind(disk.create_directory(&path.join("a/b")).await), Some(DiskErrorKind::NotFound));
}

pub(in crate::io) async fn operations_on_missing_names_say_which<D: Disk>(disk: D, directory: PathBuf) {
    let path = directory.join("absent");
    let errors = [
        disk.create(&path.join("below"), UNIT).await.err(),
        disk.list(&path).await.err(),
        disk.rename(&path, &directory.join("new")).await.err(),
        disk.remove(&path).await.err(),
        disk.sync_directory(&path).await.err(),
    ];
    for error in errors {
        let error = error.expect("there is nothing at this path");
        assert_eq!(error.kind, DiskErrorKind::NotFound, "{error}");
        assert!(error.to_string().contains("absent"), "{error}");
    }
}
