//! The measurements, one file each.
//!
//! [`delivery`] is what those share that read what is being written, [`old_data`] what those share that read what was
//! written before.

pub mod capture;
pub mod catchup;
mod conditions;
mod delivery;
pub mod e2e;
pub mod fanout;
pub mod mixed;
mod old_data;
