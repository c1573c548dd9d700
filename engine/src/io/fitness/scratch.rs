//! A file that nobody keeps, for asking a file system what it can do.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// A name for a scratch file where files without a name are not to be had: unique in this process, and by its
/// process id on this host.
pub(in crate::io) fn scratch_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!(".florin-scratch-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Opens a new file in `directory` for writes that are durable and, if asked, direct. It has no name, or one that is
/// removed before this returns.
pub(super) fn open(directory: &Path, direct: bool) -> io::Result<File> {
    let mut flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::DSYNC;
    if direct {
        flags |= OFlags::DIRECT;
    }
    let mode = Mode::RUSR | Mode::WUSR;
    match rustix::fs::open(directory, flags | OFlags::TMPFILE, mode) {
        Ok(file) => return Ok(File::from(file)),
        Err(Errno::OPNOTSUPP | Errno::ISDIR) => {}
        Err(error) => return Err(error.into()),
    }
    let path = directory.join(scratch_name());
    let opened = rustix::fs::open(&path, flags | OFlags::CREATE | OFlags::EXCL, mode);
    // A refused O_DIRECT leaves the name behind as well, in some kernels.
    match rustix::fs::unlink(&path) {
        Err(error) if error != Errno::NOENT => return Err(error.into()),
        _ => {}
    }
    Ok(File::from(opened?))
}
