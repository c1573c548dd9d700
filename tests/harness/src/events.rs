//! Events of one thing, counted for whoever wants to know how far it is at a moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Events that have happened so far. Clones count the same ones.
#[derive(Clone, Debug, Default)]
pub struct Events(Arc<AtomicU64>);

impl Events {
    /// How many there were.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    /// One more happens; its number, from 0 on.
    pub fn happen(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}
