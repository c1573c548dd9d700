//! Where the demo's data is: on a disk, in a directory that goes with it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use florin_engine::io::fitness::{self, Options};
use tempfile::TempDir;

/// What the kernel counts allocated space in.
const ALLOCATION_BYTES: u64 = 512;

/// A directory for the demo, and how it has to be served.
#[derive(Debug)]
pub struct Place {
    root: TempDir,
    /// Whether the file system copies on write, which a server has to be told to accept.
    pub allow_cow: bool,
    keep: bool,
}

impl Place {
    /// Makes a directory where files for the time being belong, or below the current directory if that is in memory.
    /// A file system that copies on write is taken only if there is no better one: this is no place for good.
    ///
    /// # Errors
    /// If neither can hold a data directory.
    pub fn make(keep: bool) -> Result<Self> {
        let current = std::env::current_dir().context("the current directory is not known")?;
        let parents = [std::env::temp_dir(), current];
        let mut problems = Vec::new();
        for allow_cow in [false, true] {
            for parent in &parents {
                match fitness::check(parent, Options { allow_cow, ..Options::default() }) {
                    Ok(_) => {
                        let root = tempfile::Builder::new().prefix("florin-demo-").tempdir_in(parent);
                        let root = root.with_context(|| format!("no directory can be made in {}", parent.display()))?;
                        return Ok(Self { root, allow_cow, keep });
                    }
                    Err(problem) if allow_cow => problems.push(problem.to_string()),
                    Err(_) => {}
                }
            }
        }
        Err(anyhow!(
            "neither the directory for temporary files (TMPDIR) nor the current one can hold the data: {}",
            problems.join("; ")
        ))
    }

    /// The data directory.
    pub fn directory(&self) -> PathBuf {
        self.root.path().join("data")
    }

    /// What the server says on standard error.
    pub fn log(&self) -> PathBuf {
        self.root.path().join("server.log")
    }

    /// What the data takes on disk.
    ///
    /// # Errors
    /// If it cannot be looked at.
    pub fn allocated_bytes(&self) -> Result<u64> {
        allocated_bytes(&self.directory()).context("what the data takes on disk cannot be found out")
    }

    /// Removes everything, or keeps it; says what is left.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn leave(self) -> Result<Option<PathBuf>> {
        if self.keep {
            return Ok(Some(self.root.keep()));
        }
        let path = self.root.path().to_owned();
        self.root.close().with_context(|| format!("{} cannot be removed: remove it yourself", path.display()))?;
        Ok(None)
    }
}

fn allocated_bytes(directory: &Path) -> io::Result<u64> {
    let mut sum_bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        sum_bytes += metadata.blocks() * ALLOCATION_BYTES;
        if metadata.is_dir() {
            sum_bytes += allocated_bytes(&entry.path())?;
        }
    }
    Ok(sum_bytes)
}
