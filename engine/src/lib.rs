//! Florin's log engine, in the order in which a capture meets it.
//!
//! State is synchronous: events in, effects out, time an argument. Jobs are `async fn`s over the [`io`] seam.
//! `docs/ARCHITECTURE.md` gives the layers and the path of a capture; `docs/DATA_FILE.md` every byte at rest.

pub mod limits;
pub mod marks;
pub mod model;

pub mod format;
pub mod io;

pub mod catalogue;
pub mod group;
pub mod key;
pub mod producer;
pub mod transaction;

pub mod checkpoint;
pub mod journal;
pub mod key_run;
pub mod segment;

pub mod partition;
pub mod shard;
