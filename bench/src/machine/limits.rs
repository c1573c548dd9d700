//! How many files a process may have open.

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are open beside connections.
const FILES_BESIDE: u64 = 128;

/// Sees to it that this process, and the server that it starts, may each have so many connections.
pub fn allow_connections(connections: u64) -> Result<()> {
    let wanted = connections.saturating_add(FILES_BESIDE);
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    ensure!(
        limit.maximum.is_none_or(|maximum| maximum >= wanted),
        "{wanted} open files are needed and at most {} are allowed here: raise the hard limit (`ulimit -Hn`), or use fewer \
         --connections or --consumers",
        limit.maximum.unwrap_or_default()
    );
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).context("the limit of open files cannot be raised")
}
