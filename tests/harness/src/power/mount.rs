//! A disk in memory as a directory that other processes can use.

#![allow(clippy::disallowed_methods, reason = "a harness of real processes has real threads, files and a real clock")]

use std::path::{Path, PathBuf};
use std::thread;

use fuser::{BackgroundSession, Config, MountOption};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

use super::disk::Disk;
use super::files::Files;
use super::image::Image;

const NO_DATA: Option<&str> = None;

/// A disk that is mounted until this is dropped.
#[derive(Debug)]
pub struct Mounted {
    path: PathBuf,
    disk: Disk,
    session: Option<BackgroundSession>,
}

impl Mounted {
    /// Mounts a disk on a directory, which is made if it is not there. The seed decides how late the disk reports.
    ///
    /// # Errors
    /// If that cannot be.
    pub fn new(path: &Path, disk: &Disk, seed: u64) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("{} cannot be mounted: {error}", path.display());
        std::fs::create_dir_all(path).map_err(failed)?;
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("florin-harness".to_owned())];
        let session = fuser::spawn_mount(Files::new(disk.clone(), seed), path, &config).map_err(failed)?;
        Ok(Self { path: path.to_owned(), disk: disk.clone(), session: Some(session) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The disk.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.disk.thaw();
        // Rings of a killed server can hold files a little longer than its process lives, hence the detaching.
        let detached = umount2(&self.path, MntFlags::MNT_DETACH);
        if let (Ok(()), Some(session)) = (detached, self.session.take()) {
            // It ends when the last of them is closed.
            let _ = session.join();
        }
    }
}

/// Runs on a thread with mounts of its own. The kernel takes them away with the thread and the processes that it
/// started, however they end.
///
/// # Errors
/// What it was, if there can be no mounts here; otherwise what `run` says.
///
/// # Panics
/// If `run` does.
pub fn with_own_mounts<T: Send>(run: impl FnOnce() -> T + Send) -> Result<T, String> {
    thread::scope(|scope| {
        let own = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNS).map_err(|error| format!("no mounts of its own: {error}"))?;
            mount(NO_DATA, "/", NO_DATA, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NO_DATA)
                .map_err(|error| format!("mounts cannot be private: {error}"))?;
            Ok(run())
        });
        own.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Why a test cannot mount a disk in memory below a directory, if it cannot.
pub fn reason_to_skip(below: &Path) -> Option<String> {
    let place = below.join(format!("mounted-{}", std::process::id()));
    let tried = with_own_mounts(|| {
        let mounted = Mounted::new(&place, &Disk::new(Image::default()), 0)?;
        let listed = std::fs::read_dir(mounted.path()).map(Iterator::count);
        listed.map(drop).map_err(|error| format!("a disk in memory cannot be read: {error}"))
    });
    // It is empty, or not there.
    let _ = std::fs::remove_dir(&place);
    tried.and_then(|mounted| mounted).err()
}
