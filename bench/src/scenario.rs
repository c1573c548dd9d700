//! The measurements, one file each.
//!
//! [`delivery`] is what those share that read what is being written, [`old_data`] what those share that read what was
//! written before, [`tally`] what those share that only count what was stored.

pub mod capture;
pub mod catchup;
mod conditions;
mod delivery;
pub mod e2e;
pub mod fanout;
pub mod floor;
pub mod idle;
pub mod mixed;
mod old_data;
pub mod partitions;
pub mod recover;
pub mod sustained;
mod tally;
