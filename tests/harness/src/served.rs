//! The real server as a child process, and raw sockets to it.
//!
//! [`server`] starts `florin serve` and stops, ends or kills it; [`wire`] is a client that waits for every answer and
//! may send whatever bytes it likes; [`observe`] looks at the process from outside: memory, descriptors, metrics.
//!
//! [`kill`] kills a server again and again while [`load`] is on it, and [`ledger`] judges what clients were told
//! against what they are told afterwards. [`library`] does the same with the client library, and
//! [`payments`] with payments that are sent until they are answered, and again, and
//! [`transfers`] with transactions. [`damage`] damages files of
//! a server that has ended, and judges what the next start makes of it.

pub mod damage;
pub mod kill;
pub mod ledger;
pub mod library;
pub mod load;
pub mod observe;
pub mod payments;
mod restarts;
pub mod server;
pub mod transfers;
pub mod wire;
