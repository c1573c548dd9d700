//! The measurements, one file each.
//!
//! [`delivery`] is what those share that read what is being written, [`old_data`] what those share that read what was
//! written before, [`tally`] what those share that only count what was stored. [`crash_verify`] measures nothing: it
//! finds out whether promises are kept.

pub mod capture;
pub mod catchup;
mod conditions;
pub mod crash_verify;
mod delivery;
pub mod e2e;
pub mod fanout;
pub mod floor;
pub mod idle;
pub mod instructions;
pub mod keys;
pub mod mixed;
mod old_data;
pub mod partitions;
pub mod recover;
pub mod sustained;
mod tally;
pub mod transactions;
