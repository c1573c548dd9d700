//! The first things that happen in an executor, so that nothing later pays for them.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::glommio::GlommioError;
use ::glommio::io::{DmaFile, OpenOptions};

use super::super::UNIT_BYTES;
use super::super::fitness::{DirectIo, scratch_name};
use super::executor::StartError;
use super::file::io_error;

/// Runs before the executor's own job.
pub(super) async fn warm_up(direct_io: DirectIo, directory: &Path) -> Result<(), StartError> {
    // The first timer of an executor takes 30 to 80 ms (the kernel's membarrier registration).
    ::glommio::timer::sleep(Duration::from_millis(1)).await;
    match direct_io {
        DirectIo::Required => settle_polling(directory).await,
        // Buffered files never poll.
        DirectIo::Off => Ok(()),
    }
}

/// Makes this thread's glommio take the disk for one that interrupts.
///
/// With the first direct file of a thread glommio finds out whether the device can be polled, by reading it through
/// a polled ring. A read that reaches no device (an empty or unwritten file) succeeds, and from then on every wait
/// for a write burns the CPU. A file that cannot be read settles it the other way; glommio logs an error for it.
async fn settle_polling(directory: &Path) -> Result<(), StartError> {
    check_device_readable(directory)?;
    let failed = |error: io::Error| StartError::Scratch { directory: directory.to_owned(), detail: error.to_string() };
    let file = open_scratch(directory).await.map_err(|error| failed(io_error(&error)))?;
    // Reading the counters resets them.
    drop(::glommio::executor().io_stats());
    let mut buffer = file.alloc_dma_buffer(UNIT_BYTES);
    buffer.as_bytes_mut().fill(0);
    let written = file.write_at(buffer, 0).await;
    let polled = ::glommio::executor().io_stats().poll_ring.file_writes().0 > 0;
    // It has no name any more, and nothing in it matters.
    let _ = file.close().await;
    match written {
        // The disk is full, and the opening has settled it.
        Err(error) if !polled && matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT)) => Ok(()),
        Err(error) => Err(failed(io_error(&error))),
        Ok(_) if polled => Err(StartError::BusyPolling { directory: directory.to_owned() }),
        Ok(_) => Ok(()),
    }
}

/// A write-only file without a name, so that a crash leaves nothing in the directory.
async fn open_scratch(directory: &Path) -> Result<DmaFile, GlommioError<()>> {
    let mut options = OpenOptions::new();
    options.write(true).tmpfile(true).mode(0o600);
    match options.dma_open(directory).await {
        Err(error) if lacks_nameless_files(error.raw_os_error()) => {}
        opened => return opened,
    }
    let path = directory.join(scratch_name());
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).dma_open(&path).await?;
    ::glommio::io::remove(&path).await?;
    Ok(file)
}

/// Whether a file system answered like one without `O_TMPFILE`.
fn lacks_nameless_files(code: Option<i32>) -> bool {
    matches!(code, Some(libc::EOPNOTSUPP | libc::EISDIR))
}

/// glommio reads the properties of the device with minor number 0, which need not be ours, and panics where
/// that one is there without a queue.
fn check_device_readable(directory: &Path) -> Result<(), StartError> {
    let metadata = std::fs::metadata(directory)
        .map_err(|error| StartError::Scratch { directory: directory.to_owned(), detail: error.to_string() })?;
    let device = PathBuf::from(format!("/sys/dev/block/{}:0", rustix::fs::major(metadata.dev())));
    let queue = device.join("queue");
    if device.exists() && !queue.exists() { Err(StartError::DeviceUnreadable { path: queue }) } else { Ok(()) }
}
