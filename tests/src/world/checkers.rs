//! What a world is held to, one file for each promise. Each names itself in a failure.
//!
//! Checkers remember facts and compare: an offset that was acknowledged or shown names these bytes at this time, for
//! ever. None computes what the server should do.

pub(super) mod answers_fit;
pub(super) mod append_time;
pub(super) mod by_time;
pub(super) mod closed_is_quiet;
pub(super) mod durability;
pub(super) mod exactly_once;
pub(super) mod failed_write;
pub(super) mod healthy_opens;
pub(super) mod limits;
pub(super) mod no_gap;
pub(super) mod offsets;
pub(super) mod one_answer;
pub(super) mod order;
pub(super) mod original_answer;
pub(super) mod producers;
pub(super) mod progress;
pub(super) mod radius;
pub(super) mod repair;
pub(super) mod retention;
pub(super) mod same_bytes;
pub(super) mod topics;

use std::fmt;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which checker noticed.
    pub checker: &'static str,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.checker, self.what)
    }
}

/// What every check returns.
pub type Checked = Result<(), Violation>;

/// A broken promise.
pub fn violation<T>(checker: &'static str, what: String) -> Result<T, Violation> {
    Err(Violation { checker, what })
}
