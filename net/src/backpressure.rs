//! Shares of something that all connections of an executor have in common: bytes, requests, waiting fetches.
//!
//! Up to half of the whole everybody may take what it asks for. Above that only those go on who hold less than an
//! equal share of the other half, so whoever holds much cannot keep the others from working.

use std::cell::Cell;

/// A quantity that is shared.
#[derive(Debug)]
pub struct Shared {
    used: Cell<usize>,
    easy: usize,
    equal_share: usize,
}

impl Shared {
    /// `limit` for at most `holder_count_max` holders; each may have one at least.
    pub fn new(limit: usize, holder_count_max: usize) -> Self {
        let easy = limit / 2;
        Self { used: Cell::new(0), easy, equal_share: ((limit - easy) / holder_count_max.max(1)).max(1) }
    }

    /// Whether a holder of `own` may take more.
    pub fn admits(&self, own: usize) -> bool {
        self.used.get() < self.easy || own < self.equal_share
    }

    /// Whether a holder of `own` may take so much more at once.
    pub fn admits_all(&self, own: usize, amount: usize) -> bool {
        self.used.get().saturating_add(amount) <= self.easy || own.saturating_add(amount) <= self.equal_share
    }

    /// Notes that something was taken.
    pub fn take(&self, amount: usize) {
        self.used.set(self.used.get() + amount);
    }

    /// Notes that something was given back.
    ///
    /// # Panics
    /// If more is given back than was taken: the caller's broken invariant.
    pub fn give_back(&self, amount: usize) {
        let left = self.used.get().checked_sub(amount);
        self.used.set(left.expect("no more is given back than was taken"));
    }

    /// What is taken now.
    pub fn used(&self) -> usize {
        self.used.get()
    }
}

#[cfg(test)]
mod tests;
