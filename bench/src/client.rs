//! The load: connections to a server, driven by one thread, over the protocol itself.
//!
//! [`control`] asks and waits, [`routes`] spreads connections over shards, [`connection`] is one socket with produce
//! requests in flight, [`producers`] are sockets of idempotent producers, [`reader`] one that reads, [`load`] drives all of them in a closed or an open loop, and
//! [`matching`] finds out when what was sent was read.

pub mod connection;
pub mod control;
#[cfg(test)]
pub mod fake_server;
pub mod load;
pub mod matching;
pub mod payload;
pub mod producers;
pub mod reader;
#[cfg(test)]
pub mod recorder;
pub mod routes;
pub mod stamp;
#[cfg(test)]
mod tests;
