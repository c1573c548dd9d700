//! One process per data directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process;

use thiserror::Error;

/// The lock's file in the data directory. It stays there; only the lock on it comes and goes.
const LOCK_NAME: &str = "lock";

/// A data directory that is ours until this is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct DirectoryLock {
    // Held for the kernel's lock on it.
    file: File,
    path: PathBuf,
}

/// Why a data directory could not be locked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LockError {
    /// Somebody else has it.
    #[error(
        "{} is held by {}: only one process may use a data directory at a time; stop that one first",
        path.display(),
        owner(*process_id)
    )]
    Held {
        /// The lock's file.
        path: PathBuf,
        /// Who holds it, by what is written there.
        process_id: Option<u32>,
    },
    /// It could not be tried.
    #[error("{} cannot be locked ({detail}): check that this process's user may write there", path.display())]
    Failed {
        /// The lock's file.
        path: PathBuf,
        /// The system's own words.
        detail: String,
    },
}

fn owner(process_id: Option<u32>) -> String {
    match process_id {
        Some(process_id) => format!("process {process_id}"),
        None => "another process".to_owned(),
    }
}

impl Drop for DirectoryLock {
    /// Closing the file would not do: a child process that was just forked shares the lock until it executes its
    /// program.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

impl DirectoryLock {
    /// Takes the lock of an existing directory, or says who holds it. Does not wait. The lock of a process that died
    /// is free.
    pub fn take(directory: &Path) -> Result<Self, LockError> {
        let path = directory.join(LOCK_NAME);
        let failed = |error: io::Error| LockError::Failed { path: path.clone(), detail: error.to_string() };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o640);
        let mut file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held { process_id: written_id(&mut file), path }),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        match file.set_len(0).and_then(|()| writeln!(file, "{}", process::id())) {
            Ok(()) => {}
            // The lock holds without the number, which is for people, and a server must start on a full disk as well.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT)) => {}
            Err(error) => return Err(failed(error)),
        }
        Ok(Self { file, path })
    }

    /// The lock's file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The process id in the file; `None` while its owner has not written it yet, or had no space for it.
fn written_id(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
