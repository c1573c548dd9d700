//! A world of clients around a simulated server: what is asked, what must hold, and who checks it.
//!
//! The server is production code from the shard's driver down to the disk seam. A [`plan::Plan`] drawn from the seed
//! says how the world is; [`run`] plays it; [`model::Model`] remembers what clients were told; [`checkers`]
//! raise a [`Violation`] when the server contradicts it. [`workload`] is what happens, an operation a file.

mod answers;
pub mod checkers;
pub mod clients;
pub mod cluster;
mod formatting;
pub mod minimise;
pub mod model;
pub mod plan;
mod read_back;
mod repair;
pub mod run;
mod sending;
mod starts;
pub mod summary;
pub mod workload;

pub use checkers::Violation;
pub use plan::Plan;
pub use run::{CheckpointCut, Outcome, play, play_checkpoint};
pub use summary::Summary;
