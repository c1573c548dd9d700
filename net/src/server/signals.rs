//! What ends a server: signals, and the end of standard input where that is asked for.

#![allow(clippy::disallowed_methods, reason = "signals and standard input are awaited on threads of their own")]

use std::io::Read;
use std::sync::Arc;
use std::thread;

use nix::sys::signal::{SigSet, Signal};

use super::shared::ServerShared;

/// SIGINT and SIGTERM, blocked in this thread and in all that are started from it, so that no system call of a shard
/// is interrupted. Must be made before any other thread is.
#[derive(Debug)]
pub struct StopSignals {
    set: SigSet,
    with_stdin: bool,
}

impl StopSignals {
    /// Blocks the signals. With `with_stdin` the end of standard input stops the server as well, so that it does not
    /// outlive whoever started it.
    ///
    /// # Errors
    /// If the kernel does not let them be blocked.
    pub fn block(with_stdin: bool) -> std::io::Result<Self> {
        let mut set = SigSet::empty();
        set.add(Signal::SIGINT);
        set.add(Signal::SIGTERM);
        set.thread_block()?;
        Ok(Self { set, with_stdin })
    }

    /// Stops the server at the first signal; the second ends the process at once, as a crash would.
    pub(super) fn watch(self, shared: &Arc<ServerShared>) {
        if self.with_stdin {
            let shared = Arc::clone(shared);
            thread::spawn(move || {
                let mut ignored = [0; 256];
                while matches!(std::io::stdin().read(&mut ignored), Ok(1..)) {}
                tracing::info!("standard input ended: draining");
                shared.stop();
            });
        }
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // A drain that began with the end of standard input is no signal: the first one still is the first.
            let mut was_told = false;
            loop {
                match self.set.wait() {
                    Ok(signal) if !was_told => {
                        was_told = true;
                        tracing::info!(%signal, "draining; a second signal ends the process at once");
                        shared.stop();
                    }
                    Ok(signal) => {
                        tracing::error!(%signal, "ended before the drain was over: the next start recovers");
                        std::process::exit(1);
                    }
                    Err(error) => tracing::error!(%error, "signals cannot be awaited"),
                }
            }
        });
    }
}
