//! The one place where the system's errors become [`DiskError`]s, for every real disk.

use std::io;
use std::path::Path;

use super::super::{DiskError, DiskErrorKind, DiskOperation};
use crate::model::Position;

/// What the system reported, as the engine tells failures apart, with a word on what to do where there is one.
pub(in crate::io) fn disk_error(
    operation: DiskOperation,
    path: &Path,
    position: Option<Position>,
    error: &io::Error,
) -> DiskError {
    let (kind, advice) = classify(operation, error.raw_os_error());
    let detail = match advice {
        None => error.to_string(),
        Some(advice) => format!("{error}: {advice}"),
    };
    DiskError { operation, path: path.to_owned(), position, kind, detail }
}

/// A read or write that stopped early.
pub(in crate::io) fn short(
    operation: DiskOperation,
    path: &Path,
    position: Position,
    asked_bytes: usize,
    done_bytes: usize,
) -> DiskError {
    let kind = DiskErrorKind::Short { asked_bytes: asked_bytes as u64, done_bytes: done_bytes as u64 };
    DiskError { operation, path: path.to_owned(), position: Some(position), kind, detail: String::new() }
}

/// Whether `code` as the answer to `operation` concerns the name or the access, not the bytes of an open file.
fn concerns_access(operation: DiskOperation) -> bool {
    match operation {
        DiskOperation::Read | DiskOperation::Write | DiskOperation::Sync => false,
        DiskOperation::Create
        | DiskOperation::Open
        | DiskOperation::List
        | DiskOperation::Rename
        | DiskOperation::Remove
        | DiskOperation::SyncDirectory => true,
    }
}

fn classify(operation: DiskOperation, code: Option<i32>) -> (DiskErrorKind, Option<&'static str>) {
    let access = concerns_access(operation);
    match code {
        Some(libc::ENOSPC | libc::EDQUOT) => (DiskErrorKind::NoSpace, None),
        Some(libc::ENOENT) => (DiskErrorKind::NotFound, None),
        Some(libc::EEXIST) => (DiskErrorKind::AlreadyExists, None),
        Some(libc::EACCES | libc::EPERM) if access => {
            (DiskErrorKind::Refused, Some("give this process's user read and write access to the data directory"))
        }
        Some(libc::EROFS) if access => {
            (DiskErrorKind::Refused, Some("the file system is mounted read-only: find out why, then mount it writable"))
        }
        Some(libc::EINVAL) if operation == DiskOperation::Open => (
            DiskErrorKind::Refused,
            Some("this file system does not offer O_DIRECT: use ext4 or xfs, or start with --no-direct"),
        ),
        Some(libc::EOPNOTSUPP) if operation == DiskOperation::Create => {
            (DiskErrorKind::Refused, Some("this file system cannot preallocate files: use ext4 or xfs"))
        }
        Some(_) | None => (DiskErrorKind::Failed, None),
    }
}
