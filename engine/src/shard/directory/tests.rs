use std::path::Path;

use super::{DirectoryError, Settings, make, take};
use crate::format::layout::Geometry;
use crate::io::Disk;
use crate::io::blocking::conformance::directory_on_disk;
use crate::io::blocking::{BlockingDisk, block_on};
use crate::io::fitness::DirectIo;
use crate::journal::create::FormatError;
use crate::limits::{MANIFEST_BYTES_MIN, RING_FILE_BYTES_MIN};
use crate::model::Id128;

const SETTINGS: Settings = Settings {
    shard_count: 2,
    geometry: Geometry { file_count: 2, file_bytes: RING_FILE_BYTES_MIN, manifest_bytes: MANIFEST_BYTES_MIN },
    allow_cow: true,
    direct_io: DirectIo::Off,
    expect_id: None,
};

fn names_in(path: &Path) -> Vec<String> {
    block_on(BlockingDisk.list(path)).unwrap()
}

#[test]
fn an_absent_directory_is_formatted_once_and_taken_as_it_is_afterwards() {
    let parent = directory_on_disk();
    let path = parent.path().join("data");
    let first = take(&path, &SETTINGS).unwrap();
    assert!(first.formatted);
    assert_eq!(first.identity.shard_count, 2);
    let id = first.identity.directory_id;
    assert!(matches!(take(&path, &SETTINGS), Err(DirectoryError::Lock(_))));
    drop(first);
    let second = take(&path, &Settings { expect_id: Some(id), ..SETTINGS }).unwrap();
    assert!(!second.formatted);
    assert_eq!(second.identity.directory_id, id);
}

#[test]
fn an_expected_directory_that_is_not_there_is_refused_and_nothing_is_made() {
    let parent = directory_on_disk();
    let expected = Id128([7; 16]);
    let settings = Settings { expect_id: Some(expected), ..SETTINGS };
    for path in [parent.path().join("data"), parent.path().to_owned()] {
        let error = take(&path, &settings).unwrap_err();
        assert_eq!(error, DirectoryError::NothingThere { path, expected });
    }
    assert!(names_in(parent.path()).is_empty());
}

#[test]
fn another_directory_than_the_expected_one_is_refused() {
    let parent = directory_on_disk();
    let path = parent.path().join("data");
    let made = make(&path, &SETTINGS).unwrap();
    let found = made.settings.directory_id;
    drop(made);
    let expected = Id128([7; 16]);
    let error = take(&path, &Settings { expect_id: Some(expected), ..SETTINGS }).unwrap_err();
    assert_eq!(error, DirectoryError::OtherDirectory { path, expected, found });
}

#[test]
fn a_directory_of_somebody_else_is_left_as_it_was() {
    let parent = directory_on_disk();
    std::fs::create_dir(parent.path().join("photos")).unwrap();
    let error = take(parent.path(), &SETTINGS).unwrap_err();
    assert!(matches!(error, DirectoryError::Format(FormatError::NotEmpty { .. })), "{error}");
    assert_eq!(names_in(parent.path()), ["photos"]);
}

#[test]
fn a_directory_below_a_missing_one_is_refused_by_name() {
    let parent = directory_on_disk();
    let error = take(&parent.path().join("absent/data"), &SETTINGS).unwrap_err();
    assert_eq!(error, DirectoryError::NoParent(parent.path().join("absent")));
}

#[test]
fn what_was_formatted_already_is_not_formatted_again() {
    let parent = directory_on_disk();
    let path = parent.path().join("data");
    drop(make(&path, &SETTINGS).unwrap());
    let error = make(&path, &SETTINGS).unwrap_err();
    assert_eq!(error, DirectoryError::Format(FormatError::AlreadyFormatted(path)));
}
