//! Opening and naming files on the executor.

use std::path::{Path, PathBuf};

use ::glommio::io::OpenOptions;

use super::super::blocking::{failure, names};
use super::super::fitness::DirectIo;
use super::super::{Access, Disk, DiskError, DiskOperation};
use super::file::{GlommioFile, Handle, io_error};
use super::wake::polled_when_woken;

/// The disk of the executor on this thread.
///
/// Reads and writes go through io_uring. What concerns names (and preallocation) runs on the executor's one helper
/// thread, in order, so that a slow file system stalls no capture.
#[derive(Clone, Copy, Debug)]
pub struct GlommioDisk {
    direct_io: DirectIo,
}

impl GlommioDisk {
    /// The disk of the executor that runs on this thread. With [`DirectIo::Required`] its files bypass the page
    /// cache; with [`DirectIo::Off`] they do not, at one more copy per write and the same durability.
    pub fn new(direct_io: DirectIo) -> Self {
        Self { direct_io }
    }

    async fn open_handle(&self, path: &Path, access: Access) -> Result<Handle, DiskError> {
        let mut options = OpenOptions::new();
        match access {
            Access::Read => options.read(true),
            Access::Durable => options.read(true).write(true).custom_flags(libc::O_DSYNC),
            Access::Unsynced => options.read(true).write(true),
        };
        let opened = match self.direct_io {
            DirectIo::Required => polled_when_woken(options.dma_open(path)).await.map(Handle::Direct),
            DirectIo::Off => polled_when_woken(options.buffered_open(path)).await.map(Handle::Buffered),
        };
        opened.map_err(|error| failure::disk_error(DiskOperation::Open, path, None, &io_error(&error)))
    }
}

/// Runs a blocking call on the helper thread.
async fn on_helper<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, DiskError> + Send + 'static,
) -> Result<T, DiskError> {
    polled_when_woken(::glommio::executor().spawn_blocking(call)).await
}

impl Disk for GlommioDisk {
    type File = GlommioFile;

    async fn create(&self, path: &Path, size_bytes: u64) -> Result<GlommioFile, DiskError> {
        let owned = path.to_owned();
        on_helper(move || names::create_file(&owned, size_bytes)).await?;
        match self.open_handle(path, Access::Unsynced).await {
            Ok(handle) => Ok(GlommioFile::new(handle, path.to_owned(), size_bytes, Access::Unsynced)),
            Err(error) => {
                let owned = path.to_owned();
                // The first failure is the one to tell.
                let _ = on_helper(move || names::remove(&owned)).await;
                Err(error)
            }
        }
    }

    async fn open(&self, path: &Path, access: Access) -> Result<GlommioFile, DiskError> {
        let handle = self.open_handle(path, access).await?;
        let size_bytes = handle.size_bytes().await;
        let size_bytes = size_bytes.map_err(|error| failure::disk_error(DiskOperation::Open, path, None, &error))?;
        Ok(GlommioFile::new(handle, path.to_owned(), size_bytes, access))
    }

    async fn create_directory(&self, path: &Path) -> Result<(), DiskError> {
        on_path(path, |path| names::create_directory(path)).await
    }

    async fn list(&self, path: &Path) -> Result<Vec<String>, DiskError> {
        on_path(path, |path| names::list(path)).await
    }

    async fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let to = to.to_owned();
        on_path(from, move |from| names::rename(from, &to)).await
    }

    async fn remove(&self, path: &Path) -> Result<(), DiskError> {
        on_path(path, |path| names::remove(path)).await
    }

    async fn sync_directory(&self, path: &Path) -> Result<(), DiskError> {
        on_path(path, |path| names::sync_directory(path)).await
    }
}

/// Runs a blocking call that concerns `path` on the helper thread.
async fn on_path<T: Send + 'static>(
    path: &Path,
    call: impl FnOnce(&PathBuf) -> Result<T, DiskError> + Send + 'static,
) -> Result<T, DiskError> {
    let path = path.to_owned();
    on_helper(move || call(&path)).await
}
