//! Handles that block, and the one thread with sockets behind them.
//!
//! A call is a `command` to the thread, which answers through a channel of its own. Records do not pass through
//! commands: senders put them into the producer's core themselves, under its lock, and wake the thread; all records of
//! a batch share one `completion`.

mod call;
mod client;
mod clock;
mod command;
mod completion;
mod consumer;
mod groups;
mod hub;
mod listed;
mod producer;
#[cfg(test)]
mod tests;
mod together;
mod transaction;
mod transactions;

pub use client::Client;
pub use consumer::Consumer;
pub use listed::Listed;
pub use producer::{Delivery, Producer};
pub use transaction::{Transaction, TransactionalProducer};
