//! Ctrl-C as a question that a loop asks, so that it can end in order.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, Result};
use nix::sys::signal::{SigSet, Signal};

/// What a shell expects of a program that was ended by Ctrl-C.
const EXIT_INTERRUPTED: i32 = 130;

/// Whether somebody wants the program to end.
#[derive(Clone, Debug)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Watches for SIGINT and SIGTERM from now on. Call it before other threads are started: they inherit that these
    /// signals are blocked. A second signal ends the process at once, also while it waits for a full pipe.
    pub fn watch() -> Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGINT);
        signals.add(Signal::SIGTERM);
        signals.thread_block().context("signals cannot be waited for")?;
        let of_thread = Arc::clone(&asked);
        let wait = move || {
            while signals.wait().is_ok() {
                if of_thread.swap(true, Ordering::Relaxed) {
                    process::exit(EXIT_INTERRUPTED);
                }
            }
        };
        thread::Builder::new().name("signals".to_owned()).spawn(wait).context("signals cannot be waited for")?;
        Ok(Self(asked))
    }

    /// Whether the program shall end.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
