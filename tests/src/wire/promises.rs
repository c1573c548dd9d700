//! What the server promises to its clients, one file each.

pub(super) mod answers;
mod bounded;
mod durable;
mod exactly_once;
mod isolation;
pub(super) mod moves;
mod order;
pub(super) mod payments;
mod progress;
mod topics;

pub(super) use order::AskedFetch;
