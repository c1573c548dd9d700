//! A world of clients around a simulated server: what is asked, what must hold, and who checks it.
//!
//! The server is production code from the shard's driver down to the disk seam. A [`plan::Plan`] drawn from the seed
//! says how the world is; [`run`] plays it; [`model::Model`] remembers what clients were told and raises a
//! [`model::Violation`] when the server contradicts it.

pub mod clients;
pub mod cluster;
mod damage;
mod faults;
pub mod model;
pub mod plan;
pub mod run;
mod topics;
mod verify;
mod workload;

pub use model::Violation;
pub use plan::Plan;
pub use run::{CheckpointCut, Outcome, Summary, play, play_checkpoint};
