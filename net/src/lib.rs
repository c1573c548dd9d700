//! Florin on the network, in the order in which a request meets it.
//!
//! [`protocol`] is what travels, byte by byte, without a socket; `docs/PROTOCOL.md` is its page. [`client`] speaks it
//! for programs that capture and read.

pub mod client;
pub mod limits;
pub mod protocol;

pub mod backpressure;
pub mod bulk;
pub mod io;
pub mod metrics;

pub mod connection;
pub mod handler;
pub mod listener;
pub mod route;
pub mod server;

pub mod http;
