//! A world of clients around the whole simulated server: sockets, frames, connections, cores, shards and disk.
//!
//! The server is production code from the listener down to the disk seam; the network and the disk are simulated. A
//! [`Plan`] drawn from the seed says how the world is, [`play`] plays it. Clients are tasks of the harness: some speak
//! the protocol by hand, some are the production cores of the client library, some mean harm. Each promise has a file of
//! its own in `promises`.

mod clients;
mod ground;
mod part;
mod plan;
mod promises;
mod run;
mod server;
mod session;
mod summary;

pub use part::Part;
pub use plan::Plan;
pub use run::{CommitCut, Outcome, play, play_commit};
pub use summary::Summary;
