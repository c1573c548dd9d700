use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};

use super::conformance::{conformance_tests, directory_on_disk};
use super::failure::disk_error;
use super::{BlockingDisk, block_on};
use crate::io::{Access, Disk, DiskErrorKind, DiskFile, DiskOperation};
use crate::model::Position;

fn on_the_blocking_disk<Case: Future<Output = ()>>(case: impl FnOnce(BlockingDisk, PathBuf) -> Case) {
    let directory = directory_on_disk();
    block_on(case(BlockingDisk, directory.path().to_owned()));
}

conformance_tests!(on_the_blocking_disk);

#[test]
fn system_errors_become_the_kinds_the_engine_tells_apart() {
    let cases = [
        (DiskOperation::Write, libc::ENOSPC, DiskErrorKind::NoSpace),
        (DiskOperation::Create, libc::EDQUOT, DiskErrorKind::NoSpace),
        (DiskOperation::Open, libc::ENOENT, DiskErrorKind::NotFound),
        (DiskOperation::Create, libc::EEXIST, DiskErrorKind::AlreadyExists),
        (DiskOperation::Open, libc::EACCES, DiskErrorKind::Refused),
        (DiskOperation::Remove, libc::EPERM, DiskErrorKind::Refused),
        (DiskOperation::Create, libc::EROFS, DiskErrorKind::Refused),
        (DiskOperation::Open, libc::EINVAL, DiskErrorKind::Refused),
        (DiskOperation::Create, libc::EOPNOTSUPP, DiskErrorKind::Refused),
        (DiskOperation::Write, libc::EINVAL, DiskErrorKind::Failed),
        (DiskOperation::Write, libc::EROFS, DiskErrorKind::Failed),
        (DiskOperation::Write, libc::EIO, DiskErrorKind::Failed),
        (DiskOperation::Sync, libc::EIO, DiskErrorKind::Failed),
    ];
    for (operation, code, kind) in cases {
        let error = disk_error(operation, Path::new("/data"), None, &io::Error::from_raw_os_error(code));
        assert_eq!(error.kind, kind, "{error}");
    }
}

#[test]
fn a_refusal_says_what_to_do() {
    let refused = io::Error::from_raw_os_error(libc::EINVAL);
    let error = disk_error(DiskOperation::Open, Path::new("/data/ring-0"), None, &refused);
    let message = error.to_string();
    assert!(message.contains("/data/ring-0") && message.contains("--no-direct"), "{message}");
}

#[test]
#[should_panic(expected = "was not opened for it")]
fn a_durable_write_to_a_file_opened_otherwise_panics() {
    let directory = directory_on_disk();
    block_on(async {
        let file = BlockingDisk.create(&directory.path().join("segment"), 4096).await.unwrap();
        let buffer = file.allocate(4096);
        file.write_durable(buffer, Position(0)).await;
    });
}

#[test]
#[should_panic(expected = "is not the start of a unit")]
fn a_position_inside_a_unit_panics() {
    let directory = directory_on_disk();
    block_on(async {
        let path = directory.path().join("segment");
        BlockingDisk.create(&path, 4096).await.unwrap();
        let file = BlockingDisk.open(&path, Access::Read).await.unwrap();
        let _ = file.read(Position(512), 4096).await;
    });
}

#[test]
#[should_panic(expected = "waits for something else")]
fn waiting_for_anything_but_the_disk_panics() {
    block_on(std::future::pending::<()>());
}
